// Reductions over axes, ArgMax and ArgMin, SumTo, the gradient of broadcasting, and ChannelSum, that of a bias.
//
// One line of `reductions` makes an operator; the gradient of some is an operator "<Name>Grad" (dy, x, y), of
// the others a composition with Expand. Attributes: `axes` (absent: all), `keepdims`, `noop_with_empty_axes`.
#include <fmt/format.h>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/norm.h"
#include "compiler/ops/rules.h"
#include "runtime/reduce.h"
#include "runtime/reduce_shapes.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/reduce.h";

enum class Slope : std::uint8_t { none, expanded, functor, functor_of_x, extreme };

struct Reduction {
  std::string name, functor;
  bool integers;  // also of integers
  Slope slope;
};

const Reduction reductions[] = {
    {"ReduceSum", "SumOf", true, Slope::expanded},
    {"ReduceMean", "MeanOf", true, Slope::expanded},
    {"ReduceMax", "MaxOf", true, Slope::extreme},
    {"ReduceMin", "MinOf", true, Slope::extreme},
    {"ReduceProd", "ProdOf", true, Slope::none},
    {"ReduceL1", "L1Of", true, Slope::functor_of_x},
    {"ReduceL2", "L2Of", false, Slope::functor},
    {"ReduceSumSquare", "SumSquareOf", false, Slope::functor_of_x},
    {"ReduceLogSum", "LogSumOf", false, Slope::expanded},
    {"ReduceLogSumExp", "LogSumExpOf", false, Slope::functor},
};

/// The axes that a checked node reduces, ascending.
std::vector<std::int64_t> reduced_axes(const Attributes& attributes, std::size_t rank) {
  std::vector<std::int64_t> axes = attributes.get_ints("axes", {});
  if (axes.empty() && attributes.get_int("noop_with_empty_axes", 0) == 0)
    for (std::size_t axis = 0; axis < rank; ++axis) axes.push_back(static_cast<std::int64_t>(axis));
  for (std::int64_t& axis : axes) axis = from_front(axis, static_cast<std::int64_t>(rank));
  return axes;
}

std::vector<bool> reduced_flags(const Attributes& attributes, std::size_t rank) {
  std::vector<bool> flags(rank, false);
  for (std::int64_t axis : reduced_axes(attributes, rank)) flags[static_cast<std::size_t>(axis)] = true;
  return flags;
}

/// The shape after reduction, the reduced axes kept as ones or not.
Shape reduced_shape(const Shape& shape, const std::vector<bool>& flags, bool keepdims) {
  Shape result;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (!flags[d]) result.push_back(shape[d]);
    if (flags[d] && keepdims) result.push_back(1);
  }
  return result;
}

bool keeps_dims(const Attributes& attributes) { return attributes.get_int("keepdims", 1) != 0; }

std::vector<TensorType> infer_reduction(const TypeContext& context, bool integers) {
  if (integers && context.input(0).dtype == DType::boolean) context.fail("input 0 is bool, must be numbers");
  if (!integers) require_float(context);
  require_rank(context, 0, 0);
  const Shape& shape = context.shape(0);
  axes_attribute(context, "axes", static_cast<std::int64_t>(shape.size()), false);
  const std::vector<bool> flags = reduced_flags(context.attributes(), shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d)
    if (flags[d] && shape[d] == 0) context.fail(fmt::format("axis {} has no elements to reduce", d));
  return {{context.input(0).dtype, reduced_shape(shape, flags, keeps_dims(context.attributes()))}};
}

ReduceShape reduce_shape_of(const Shape& x, const Attributes& attributes) {
  const std::vector<bool> flags = reduced_flags(attributes, x.size());
  bool reduced[8] = {};
  for (std::size_t d = 0; d < flags.size(); ++d) reduced[d] = flags[d];
  return make_reduce_shape(operand_dims(x), reduced);
}

void lower_reduction(LowerContext& context, const Reduction& reduction) {
  const ReduceShape shape = reduce_shape_of(context.input_shape(0), context.attributes());
  const Argument shape_text = shape_argument("ReduceShape", shape);
  const std::vector<LowerContext::Lead> leads = {{0, 0, reduce_lead_x(shape)}};
  if (reduction.name == "ReduceLogSumExp")
    return context.call(header, "reduce_log_sum_exp", {shape_text, context.in(0), context.out()}, 0, leads);
  context.call(header, "reduce",
               {shape_text, functor(context, reduction.functor, context.input_type(0).dtype), context.in(0),
                context.out()},
               0, leads);
}

// --- Gradients ---

/// dy with the reduced axes as ones.
ValueId with_kept_axes(GradientContext& context, ValueId dy) {
  const Shape& x = context.graph.shape(context.input(0));
  const Shape kept = reduced_shape(x, reduced_flags(context.node.attributes, x.size()), true);
  return kept == context.graph.shape(dy) ? dy : context.emit("Reshape", {dy}, {{"shape", kept}});
}

/// Functions whose derivative is the same for all elements that were reduced together: scale, then repeat.
void gradient_expanded(GradientContext& context, const Reduction& reduction) {
  const Shape x = context.graph.shape(context.input(0));
  ValueId dy = context.output_gradient();
  const std::int64_t outputs = element_count(context.graph.shape(dy));
  if (reduction.name == "ReduceMean" && outputs != 0)
    dy = context.emit("Div", {dy, context.scalar(static_cast<double>(element_count(x) / outputs), dy)});
  if (reduction.name == "ReduceLogSum")
    dy = context.emit("Div", {dy, context.emit("Exp", {context.output()})});
  dy = with_kept_axes(context, dy);
  context.set_gradient(0, context.graph.shape(dy) == x ? dy : context.emit("Expand", {dy}, {{"shape", x}}));
}

void reduction_gradient(GradientContext& context, const Reduction& reduction) {
  if (reduction.slope == Slope::expanded) return gradient_expanded(context, reduction);
  const ValueId y = reduction.slope == Slope::functor_of_x ? no_value : context.output();
  context.set_gradient(0,
                       context.emit(reduction.name + "Grad", {context.output_gradient(), context.input(0), y},
                                    context.node.attributes));
}

/// (dy, x, y) -> dx.
std::vector<TensorType> infer_reduction_grad(const TypeContext& context) {
  require_float(context);
  const Shape& x = context.shape(1);
  require_shape(
      context, 0,
      reduced_shape(x, reduced_flags(context.attributes(), x.size()), keeps_dims(context.attributes())),
      "the output's gradient");
  if (context.has_input(2)) require_shape(context, 2, context.shape(0), "the output");
  return {context.input(1)};
}

void lower_reduction_grad(LowerContext& context, const Reduction& reduction) {
  const ReduceShape shape = reduce_shape_of(context.input_shape(1), context.attributes());
  std::vector<Argument> arguments = {shape_argument("ReduceShape", shape)};
  const bool extreme = reduction.slope == Slope::extreme;
  const DType dtype = context.output_type().dtype;
  // The functor of LogSumExp carries the largest element, which its derivative does not read.
  const std::vector<double> numbers(reduction.functor == "LogSumExpOf" ? 1 : 0, 0.0);
  if (!extreme) arguments.push_back(functor(context, reduction.functor, dtype, numbers));
  // Where the derivative does not read y, dy stands for it: the kernel's pointer must point at as many
  // elements.
  for (const Argument& argument :
       {context.in(1), context.in(context.has_input(2) ? 2 : 0), context.in(0), context.out()})
    arguments.push_back(argument);
  context.call(header, extreme ? "reduce_extreme_grad" : "reduce_grad", std::move(arguments), 0,
               extreme ? std::vector<LowerContext::Lead>{}
                       : std::vector<LowerContext::Lead>{{0, 1, reduce_grad_lead_x(shape)}});
}

// --- Layout ---

bool permute_axes(Node& node, std::span<const std::int64_t> perm) {
  if (!keeps_dims(node.attributes)) return false;
  std::vector<std::int64_t> axes = node.attributes.get_ints("axes", {});
  for (std::int64_t& axis : axes) axis = permuted_axis(axis, perm);
  if (!axes.empty()) node.attributes.set("axes", axes);
  return true;
}

// --- Rows ---

OpDef reduction_row(const Reduction& reduction) {
  OpDef row{.name = reduction.name};
  row.constant_operands = {{1, "axes"}};
  row.infer = [reduction](const TypeContext& context) {
    return infer_reduction(context, reduction.integers);
  };
  row.lower = [reduction](LowerContext& context) { lower_reduction(context, reduction); };
  if (reduction.slope != Slope::none)
    row.gradient = [reduction](GradientContext& context) { reduction_gradient(context, reduction); };
  row.layout.permute = permute_axes;
  return row;
}

OpDef reduction_grad_row(const Reduction& reduction) {
  OpDef row{.name = reduction.name + "Grad", .min_inputs = 2, .max_inputs = 3};
  row.infer = infer_reduction_grad;
  row.lower = [reduction](LowerContext& context) { lower_reduction_grad(context, reduction); };
  row.layout.permute = permute_axes;
  row.is_public = false;
  return row;
}

std::vector<TensorType> infer_arg(const TypeContext& context) {
  if (context.input(0).dtype == DType::boolean) context.fail("input 0 is bool, must be numbers");
  require_rank(context, 0, 1);
  Shape shape = context.shape(0);
  const std::int64_t axis =
      context.axis(context.attributes().get_int("axis", 0), static_cast<std::int64_t>(shape.size()));
  if (shape[static_cast<std::size_t>(axis)] == 0) context.fail(fmt::format("axis {} has no elements", axis));
  if (keeps_dims(context.attributes()))
    shape[static_cast<std::size_t>(axis)] = 1;
  else
    shape.erase(shape.begin() + axis);
  return {{DType::i64, shape}};
}

OpDef arg_row(const std::string& name, bool smallest) {
  OpDef row{.name = name};
  row.infer = infer_arg;
  row.gradient = [](GradientContext&) {};  // positions do not change smoothly
  row.lower = [smallest](LowerContext& context) {
    const AxisShape shape = axis_shape(context.input_shape(0), context.attributes().get_int("axis", 0));
    const bool last = context.attributes().get_int("select_last_index", 0) != 0;
    context.call(header, "arg_extreme",
                 {shape_argument("AxisShape", shape), literal(std::string(smallest ? "true" : "false")),
                  literal(std::string(last ? "true" : "false")), context.in(0), context.out()});
  };
  const auto permute = permute_axis(0);
  row.layout.permute = [permute](Node& node, std::span<const std::int64_t> perm) {
    return keeps_dims(node.attributes) && permute(node, perm);
  };
  return row;
}

std::vector<TensorType> infer_sum_to(const TypeContext& context) {
  const Shape target = context.attributes().get_ints("shape", {});
  require_rank(context, 0, static_cast<std::int64_t>(target.size()));
  const Shape& shape = context.shape(0);
  for (std::size_t d = 0; d < target.size(); ++d) {
    const std::int64_t extent = shape[shape.size() - target.size() + d];
    if (target[d] != 1 && target[d] != extent) context.fail("the operand was not broadcast to this shape");
  }
  return {{context.input(0).dtype, target}};
}

void lower_sum_to(LowerContext& context) {
  const bool fused = context.attributes().has(fused_update);
  if (!fused && element_count(context.input_shape(0)) == element_count(context.output_shape()))
    return context.view(0, 0);
  const ReduceShape shape =
      make_sum_to_shape(operand_dims(context.input_shape(0)), operand_dims(context.output_shape()));
  std::vector<LowerContext::Lead> leads;
  if (!fused) leads.push_back({0, 0, sum_to_lead_dy(shape)});
  context.call(header, "sum_to", {shape_argument("ReduceShape", shape), context.in(0), context.sink()}, 0,
               leads);
}

OpDef sum_to_row() {
  OpDef row{.name = "SumTo"};
  row.infer = infer_sum_to;
  row.lower = lower_sum_to;
  row.layout.permute = [](Node& node, std::span<const std::int64_t> perm) {
    return node.attributes.get_ints("shape", {}).size() == perm.size() && permute_list(node, "shape", perm);
  };
  row.takes_sink = true;
  row.may_view = true;
  row.is_public = false;
  return row;
}

/// The gradient of what is added to each channel: the sum of dy over all else.
OpDef channel_sum_row() {
  const auto infer = [](const TypeContext& context) {
    require_float(context);
    require_rank(context, 0, 1);
    return channel_vector(context);
  };
  const auto lower = [](LowerContext& context) {
    const ChannelShape shape = channel_shape(context.attributes(), context.input_shape(0));
    context.call("runtime/bias_grad.h", "bias_grad", {shape_argument("ChannelShape", shape), context.in(0), context.sink()});
  };
  OpDef row = internal_row("ChannelSum", 1, infer, lower, {0}, {});
  row.takes_sink = true;
  return row;
}

}  // namespace

OpRows reduce_ops() {
  OpRows rows = {arg_row("ArgMax", false), arg_row("ArgMin", true), sum_to_row(), channel_sum_row()};
  for (const Reduction& reduction : reductions) {
    rows.push_back(reduction_row(reduction));
    if (std::string(reduction.name) == "ReduceMean") rows.back().quantized = int8::quantized_mean;
    rows.back().move.moves = reduction.slope == Slope::extreme;  // results are elements of the operand
    if (reduction.slope == Slope::functor || reduction.slope == Slope::functor_of_x ||
        reduction.slope == Slope::extreme)
      rows.push_back(reduction_grad_row(reduction));
  }
  return rows;
}

}  // namespace tinytc
