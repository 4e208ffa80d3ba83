// Operators on positions along an axis: Gather, GatherElements, OneHot, CumSum, Trilu.
#include <fmt/format.h>

#include "compiler/op_table.h"
#include "compiler/ops/movement.h"
#include "runtime/resize.h"

namespace tinytc {

namespace {

using namespace rules;
using namespace movement;

std::int64_t axis_of(const Attributes& attributes, const Shape& x, std::int64_t fallback = 0) {
  return from_front(attributes.get_int("axis", fallback), static_cast<std::int64_t>(x.size()));
}

/// Checks the axis of x (input 0) and that positions can be taken along it.
void check_axis(const TypeContext& context) {
  require_rank(context, 0, 1, 64);
  const std::int64_t axis = context.axis(context.attributes().get_int("axis", 0),
                                         static_cast<std::int64_t>(context.shape(0).size()));
  if (context.shape(0)[static_cast<std::size_t>(axis)] == 0)
    context.fail(fmt::format("axis {} has no elements", axis));
}

void check_index(const TypeContext& context, int i) {
  const DType dtype = context.input(i).dtype;
  if (dtype != DType::i32 && dtype != DType::i64)
    context.fail(fmt::format("indices are {}, must be i32 or i64", name_of(dtype)));
}

GatherShape gather_shape(const Shape& x, std::int64_t axis, std::int64_t count) {
  const AxisShape shape = axis_shape(x, axis);
  return {shape.outer, shape.axis, shape.inner, to_int(count)};
}

// --- Gather ---

Shape gathered_shape(const Shape& x, std::int64_t axis, const Shape& index) {
  Shape shape(x.begin(), x.begin() + axis);
  shape.insert(shape.end(), index.begin(), index.end());
  shape.insert(shape.end(), x.begin() + axis + 1, x.end());
  return shape;
}

std::vector<TensorType> infer_gather(const TypeContext& context) {
  check_axis(context);
  check_index(context, 1);
  const Shape& x = context.shape(0);
  return {{context.input(0).dtype, gathered_shape(x, axis_of(context.attributes(), x), context.shape(1))}};
}

void lower_gather(LowerContext& context) {
  const Shape& x = context.input_shape(0);
  const GatherShape shape =
      gather_shape(x, axis_of(context.attributes(), x), element_count(context.input_shape(1)));
  if (shape.count == 1 && context.is_constant(1)) {
    const std::int64_t index = integers_of(context.graph.value(context.node.inputs[1]))[0];
    const int position = position_of(index, shape.axis) * shape.inner;
    return move(context, 0, 0,
                make_split_shape(shape.outer, shape.inner, shape.axis * shape.inner, position));
  }
  context.call("runtime/move.h", "gather",
               {shape_argument("GatherShape", shape), context.in(0), context.in(1), context.out()});
}

void gradient_of_gather(GradientContext& context) {
  const Shape x = context.graph.shape(context.input(0));
  context.set_gradient(0, context.emit("GatherGrad", {context.input(1), context.output_gradient()},
                                       {{"axis", axis_of(context.node.attributes, x)}, {"shape", x}}));
}

std::vector<TensorType> infer_gather_grad(const TypeContext& context) {
  check_index(context, 0);
  const Shape x = context.attributes().get_ints("shape", {});
  require_shape(context, 1, gathered_shape(x, axis_of(context.attributes(), x), context.shape(0)),
                "the output's gradient");
  return {{context.input(1).dtype, x}};
}

void lower_gather_grad(LowerContext& context) {
  const Shape x = context.attributes().get_ints("shape", {});
  const GatherShape shape =
      gather_shape(x, axis_of(context.attributes(), x), element_count(context.input_shape(0)));
  const Argument shape_text = shape_argument("GatherShape", shape);
  // A gradient in memory is filled in one pass over the indices; an update in place needs each finished sum.
  if (context.attributes().has(fused_update))
    context.call("runtime/move.h", "gather_weight_grad",
                 {shape_text, context.in(0), context.in(1), context.sink()});
  else
    context.call("runtime/move.h", "gather_grad", {shape_text, context.in(0), context.in(1), context.out()});
}

OpRows gather_rows() {
  OpDef gather{.name = "Gather", .min_inputs = 2, .max_inputs = 2};
  gather.infer = infer_gather;
  gather.gradient = gradient_of_gather;
  gather.lower = lower_gather;
  gather.move.moves = true;
  gather.may_view = true;
  OpDef grad{.name = "GatherGrad", .min_inputs = 2, .max_inputs = 2};
  grad.infer = infer_gather_grad;
  grad.lower = lower_gather_grad;
  grad.takes_sink = true;
  grad.is_public = false;
  return {gather, grad};
}

// --- GatherElements ---

std::vector<TensorType> infer_gather_elements(const TypeContext& context) {
  check_axis(context);
  check_index(context, 1);
  const std::int64_t axis = axis_of(context.attributes(), context.shape(0));
  Shape expected = context.shape(0);
  if (context.shape(1).size() == expected.size())
    expected[static_cast<std::size_t>(axis)] = context.shape(1)[static_cast<std::size_t>(axis)];
  require_shape(context, 1, expected, "the index");
  return {{context.input(0).dtype, expected}};
}

void lower_gather_elements(LowerContext& context) {
  const Shape& x = context.input_shape(0);
  const std::int64_t axis = axis_of(context.attributes(), x);
  const GatherShape shape = gather_shape(x, axis, context.input_shape(1)[static_cast<std::size_t>(axis)]);
  context.call("runtime/move.h", "gather_elements",
               {shape_argument("GatherShape", shape), context.in(0), context.in(1), context.out()});
}

void gradient_of_gather_elements(GradientContext& context) {
  const Shape x = context.graph.shape(context.input(0));
  context.set_gradient(0, context.emit("GatherElementsGrad", {context.input(1), context.output_gradient()},
                                       {{"axis", axis_of(context.node.attributes, x)}, {"shape", x}}));
}

std::vector<TensorType> infer_gather_elements_grad(const TypeContext& context) {
  check_index(context, 0);
  require_shape(context, 1, context.shape(0), "the output's gradient");
  return {{context.input(1).dtype, context.attributes().get_ints("shape", {})}};
}

void lower_gather_elements_grad(LowerContext& context) {
  const Shape& x = context.output_shape();
  const std::int64_t axis = axis_of(context.attributes(), x);
  const GatherShape shape = gather_shape(x, axis, context.input_shape(0)[static_cast<std::size_t>(axis)]);
  context.call("runtime/move.h", "gather_elements_grad",
               {shape_argument("GatherShape", shape), context.in(0), context.in(1), context.out()});
}

OpRows gather_elements_rows() {
  OpDef gather{.name = "GatherElements", .min_inputs = 2, .max_inputs = 2};
  gather.infer = infer_gather_elements;
  gather.gradient = gradient_of_gather_elements;
  gather.lower = lower_gather_elements;
  gather.layout.permute = permute_axis(0);
  OpDef grad{.name = "GatherElementsGrad", .min_inputs = 2, .max_inputs = 2};
  grad.infer = infer_gather_elements_grad;
  grad.lower = lower_gather_elements_grad;
  grad.is_public = false;
  return {gather, grad};
}

// --- OneHot: inputs (indices, depth as attribute, [off, on]) ---

std::vector<TensorType> infer_one_hot(const TypeContext& context) {
  if (!context.attributes().has("depth")) context.fail("the depth is not known at compile time");
  if (!context.has_input(2)) context.fail("input 2 is missing");
  check_index(context, 0);
  require_shape(context, 2, {2}, "the pair of values");
  Shape shape = context.shape(0);
  const std::int64_t axis =
      context.axis(context.attributes().get_int("axis", -1), static_cast<std::int64_t>(shape.size()) + 1);
  const std::int64_t depth = context.attributes().get_int("depth", 0);
  if (depth < 1) context.fail(fmt::format("depth is {}", depth));
  shape.insert(shape.begin() + axis, depth);
  return {{context.input(2).dtype, shape}};
}

void lower_one_hot(LowerContext& context) {
  const AxisShape shape = axis_shape(context.output_shape(), context.attributes().get_int("axis", -1));
  context.call("runtime/resize.h", "one_hot",
               {shape_argument("AxisShape", shape), context.element(2, 0), context.element(2, 1),
                context.in(0), context.out()});
}

OpDef one_hot_row() {
  OpDef row{.name = "OneHot", .min_inputs = 1, .max_inputs = 3};
  row.constant_operands = {{1, "depth", false, false}};
  row.infer = infer_one_hot;
  row.lower = lower_one_hot;
  return row;
}

// --- CumSum ---

std::vector<TensorType> infer_cumsum(const TypeContext& context) {
  if (!context.attributes().has("axis")) context.fail("the axis is not known at compile time");
  if (context.input(0).dtype == DType::boolean) context.fail("input 0 is bool, must be numbers");
  require_rank(context, 0, 1, 64);
  context.axis(context.attributes().get_int("axis", 0), static_cast<std::int64_t>(context.shape(0).size()));
  return same_as_input(context);
}

void lower_cumsum(LowerContext& context) {
  const Attributes& attributes = context.attributes();
  const AxisShape shape = axis_shape(context.output_shape(), attributes.get_int("axis", 0));
  const auto flag = [&](const char* name) {
    return literal(std::string(attributes.get_int(name, 0) != 0 ? "true" : "false"));
  };
  context.call(
      "runtime/resize.h", "cumulative_sum",
      {shape_argument("AxisShape", shape), flag("exclusive"), flag("reverse"), context.in(0), context.out()});
}

OpDef cumsum_row() {
  OpDef row{.name = "CumSum"};
  row.constant_operands = {{1, "axis", false, false}};
  row.infer = infer_cumsum;
  row.gradient = [](GradientContext& context) {
    Attributes attributes = context.node.attributes;
    attributes.set("reverse", std::int64_t{attributes.get_int("reverse", 0) == 0 ? 1 : 0});
    context.set_gradient(0, context.emit("CumSum", {context.output_gradient()}, attributes));
  };
  row.lower = lower_cumsum;
  row.layout.permute = permute_axis(0);
  return row;
}

// --- Trilu: a select by a mask in flash ---

void lower_trilu(LowerContext& context) {
  const Shape& x = context.input_shape(0);
  const DType dtype = context.input_type(0).dtype;
  const std::int64_t rows = x[x.size() - 2], columns = x[x.size() - 1],
                     k = context.attributes().get_int("k", 0);
  const bool upper = context.attributes().get_int("upper", 1) != 0;
  std::vector<double> mask;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) mask.push_back(upper ? c - r >= k : c - r <= k);
  const SelectShape shape =
      make_select_shape(operand_dims({rows, columns}), operand_dims(x), operand_dims({}));
  context.call("runtime/elementwise.h", "select",
               {shape_argument("SelectShape", shape),
                context.table("mask", {DType::boolean, {rows, columns}}, encode(DType::boolean, mask)),
                context.in(0), context.table("zero", {dtype, {}}, encode(dtype, {0.0})), context.out()},
               0, {{0, 0, select_lead_a(shape)}});
}

OpDef trilu_row() {
  OpDef row{.name = "Trilu"};
  row.constant_operands = {{1, "k", false, false}};
  row.infer = [](const TypeContext& context) {
    require_rank(context, 0, 2);
    return same_as_input(context);
  };
  row.gradient = [](GradientContext& context) {
    context.set_gradient(0, context.emit("Trilu", {context.output_gradient()}, context.node.attributes));
  };
  row.lower = lower_trilu;
  return row;
}

}  // namespace

OpRows index_ops() {
  OpRows rows = gather_rows();
  for (OpDef& row : gather_elements_rows()) rows.push_back(std::move(row));
  rows.push_back(one_hot_row());
  rows.push_back(cumsum_row());
  rows.push_back(trilu_row());
  return rows;
}

}  // namespace tinytc
