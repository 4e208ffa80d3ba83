// LayerNormalization and its gradients.
#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/norm.h"
#include "compiler/ops/rules.h"
#include "runtime/normalize.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/normalize.h";

std::size_t first_axis(const Attributes& attributes, const Shape& x) {
  return static_cast<std::size_t>(
      from_front(attributes.get_int("axis", -1), static_cast<std::int64_t>(x.size())));
}

LayerNormShape layer_norm_shape(const Attributes& attributes, const Shape& x) {
  const std::size_t axis = first_axis(attributes, x);
  return {to_int(extent_product(x, 0, axis)), to_int(extent_product(x, axis, x.size()))};
}

/// Checks that input i, scale or bias, has the normalised extents; leading ones are allowed.
void check_normalised(const TypeContext& context, int i, int x) {
  if (!context.has_input(i)) return;
  require_same_dtype(context, x, i);
  const Shape& shape = context.shape(x);
  const Shape normalised(shape.begin() + static_cast<std::ptrdiff_t>(first_axis(context.attributes(), shape)),
                         shape.end());
  Shape given = context.shape(i);
  while (given.size() > normalised.size() && given.front() == 1) given.erase(given.begin());
  if (given != normalised) require_shape(context, i, normalised, i == 2 && x == 0 ? "the bias" : "the scale");
}

Shape statistics_shape(const Attributes& attributes, Shape x) {
  std::fill(x.begin() + static_cast<std::ptrdiff_t>(first_axis(attributes, x)), x.end(), 1);
  return x;
}

std::vector<TensorType> infer_layer_norm(const TypeContext& context) {
  require_float(context);
  require_rank(context, 0, 1, 64);
  const Shape& x = context.shape(0);
  context.axis(context.attributes().get_int("axis", -1), static_cast<std::int64_t>(x.size()));
  if (element_count(x) == 0) context.fail("input 0 has no elements");
  check_normalised(context, 1, 0);
  check_normalised(context, 2, 0);
  const TensorType statistics{context.input(0).dtype, statistics_shape(context.attributes(), x)};
  return {context.input(0), statistics, statistics};
}

void lower_layer_norm(LowerContext& context) {
  const LayerNormShape shape = layer_norm_shape(context.attributes(), context.input_shape(0));
  const DType dtype = context.output_type().dtype;
  context.call(
      header, "layer_norm",
      {shape_argument("LayerNormShape", shape), context.number(epsilon_of(context.attributes()), dtype),
       context.in(0), context.in(1), context.in(2), context.out(), context.out(1), context.out(2)},
      std::int64_t{2} * shape.rows * shape.width, {{0, 0, layer_norm_lead_x(shape)}});
}

void gradient_of_layer_norm(GradientContext& context) {
  for (int o = 1; o < static_cast<int>(context.node.outputs.size()); ++o)
    if (context.output_gradient(o) != no_value)
      throw UserError(
          node_message(context.node.location,
                       "the loss depends on its mean or deviation, whose gradient is not supported"));
  const ValueId dy = context.output_gradient();
  const Attributes axis{{"axis", context.node.attributes.get_int("axis", -1)}};
  ValueId mean = no_value, inverse = no_value;
  if (context.needs(0) || context.needs(1))
    mean = context.forward_output(1), inverse = context.forward_output(2);
  if (context.needs(0))
    context.set_gradient(0, context.emit("LayerNormalizationGrad",
                                         {dy, context.input(0), mean, inverse, context.input(1)}, axis));
  if (context.needs(1)) {
    Attributes attributes = axis;
    attributes.set("shape", context.graph.shape(context.input(1)));
    context.set_gradient(
        1, context.emit("LayerNormalizationScaleGrad", {dy, context.input(0), mean, inverse}, attributes));
  }
  if (context.needs(2)) context.set_gradient(2, context.reduce_to(dy, context.input(2)));
}

/// (dy, x, mean, 1 / deviation[, scale]).
void check_layer_norm_grad(const TypeContext& context) {
  require_float(context);
  require_shape(context, 1, context.shape(0), "x");
  const Shape statistics = statistics_shape(context.attributes(), context.shape(0));
  require_shape(context, 2, statistics, "the mean");
  require_shape(context, 3, statistics, "the deviation");
}

OpDef layer_norm_grad_row() {
  const auto infer = [](const TypeContext& context) {
    check_layer_norm_grad(context);
    check_normalised(context, 4, 0);
    return same_as_input(context);
  };
  const auto lower = [](LowerContext& context) {
    const LayerNormShape shape = layer_norm_shape(context.attributes(), context.input_shape(0));
    context.call(header, "layer_norm_grad",
                 {shape_argument("LayerNormShape", shape), context.in(1), context.in(4), context.in(2),
                  context.in(3), context.in(0), context.out()},
                 std::int64_t{4} * shape.rows * shape.width,
                 {{0, 1, layer_norm_grad_lead_x(shape)}, {0, 0, layer_norm_grad_lead_dy(shape)}});
  };
  OpDef row = internal_row("LayerNormalizationGrad", 5, infer, lower, {}, {});
  row.min_inputs = 4;
  return row;
}

OpDef layer_norm_scale_grad_row() {
  const auto infer = [](const TypeContext& context) {
    check_layer_norm_grad(context);
    return std::vector<TensorType>{{context.input(0).dtype, context.attributes().get_ints("shape", {})}};
  };
  const auto lower = [](LowerContext& context) {
    const LayerNormShape shape = layer_norm_shape(context.attributes(), context.input_shape(0));
    context.call(header, "layer_norm_scale_grad",
                 {shape_argument("LayerNormShape", shape), context.in(1), context.in(2), context.in(3),
                  context.in(0), context.sink()},
                 std::int64_t{2} * shape.rows * shape.width);
  };
  OpDef row = internal_row("LayerNormalizationScaleGrad", 4, infer, lower, {}, {});
  row.takes_sink = true;
  return row;
}

OpDef layer_norm_row() {
  OpDef row{.name = "LayerNormalization", .min_inputs = 1, .max_inputs = 3, .max_outputs = 3};
  row.infer = infer_layer_norm;
  row.gradient = gradient_of_layer_norm;
  row.lower = lower_layer_norm;
  row.bias_inputs = {2};
  row.unit_input = 1;
  return row;
}

}  // namespace

OpRows layer_norm_ops() { return {layer_norm_row(), layer_norm_grad_row(), layer_norm_scale_grad_row()}; }

}  // namespace tinytc
