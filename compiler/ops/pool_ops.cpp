// MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool and their gradients. 1-D and 2-D; kernels take channels-last activations.
//
// MaxPool has a third output beside ONNX's two, the position of the maximum in its window, which the gradient asks for. Internal rows:
// MaxPoolGrad(dy, argmax), AveragePoolGrad(dy), with the pool's attributes, `input_shape` ([N,C,spatial...]) and `is_global`.
#include <limits>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/pooling.h"
#include "compiler/ops/rules.h"
#include "compiler/ops/spatial.h"
#include "runtime/pool2d.h"
#include "runtime/q_pool2d.h"

namespace tinytc {

namespace {

Attributes global(Attributes attributes) {
  attributes.set("is_global", std::int64_t{1});
  return attributes;
}

DType argmax_type(const Window& w) { return w.kernel_h * w.kernel_w <= 256 ? DType::u8 : DType::i32; }

std::vector<TensorType> infer_pool(const TypeContext& context) {
  const bool selects = context.node.op->selects_maximum;  // works on any numbers
  const DType dtype = context.input(0).dtype;
  if (!selects || (dtype != DType::i8 && dtype != DType::u8 && dtype != DType::i16)) rules::require_float(context);
  const Shape input = channels_first(context.shape(0), context.attributes());
  const Window w = at_node(context, [&] { return pool_window(context.attributes(), input); });
  const Shape output = in_layout(window_output(w, w.in_c, input.size()), context.attributes());
  if (context.output_count() > 1 && context.node.outputs[1] != no_value)
    context.fail("its output Indices is used", "only the maxima themselves are supported");
  return {{context.input(0).dtype, output}, {DType::i64, output}, {argmax_type(w), output}};
}

/// Global pools: the same rules with the window as large as the input.
template <typename Rule>
auto as_global(Rule rule) {
  return [rule](const TypeContext& context) {
    Node node = context.node;
    node.attributes = global(node.attributes);
    return rule(TypeContext(context.graph, node));
  };
}

void require_channels_last(const LowerContext& context) {
  require(is_channels_last(context.attributes()), describe(context.node.location) + ": no layout was chosen");
}

/// Null, typed like the argmax, when nobody wants it.
Argument argmax_argument(const LowerContext& context, const Window& w) {
  if (context.has_output(2)) return context.out(2);
  return literal("static_cast<" + std::string(cpp_type_of(argmax_type(w))) + "*>(nullptr)");
}

void lower_max_pool(LowerContext& context) {
  require_channels_last(context);
  const Window w = forward_window(context.attributes(), context.input_shape(0));
  const Pool2dShape s = pool_shape(w, context.attributes());
  if (context.input_type(0).dtype == DType::i8 && !context.has_output(2))
    return context.call("runtime/q_pool2d.h", "q_max_pool2d", {shape_argument("Pool2dShape", s), context.in(0), context.out(0)}, 0,
                        {{0, 0, q_max_pool2d_lead_x(s)}});
  context.call("runtime/pool2d.h", "max_pool2d",
               {shape_argument("Pool2dShape", s), context.in(0), context.out(0), argmax_argument(context, w)}, 0,
               {{0, 0, max_pool2d_lead_x(s)}});
}

void lower_average_pool(LowerContext& context) {
  require_channels_last(context);
  const Pool2dShape s = pool_shape(forward_window(context.attributes(), context.input_shape(0)), context.attributes());
  context.call("runtime/pool2d.h", "average_pool2d", {shape_argument("Pool2dShape", s), context.in(0), context.out(0)}, 0,
               {{0, 0, average_pool2d_lead_x(s)}});
}

template <void (*rule)(LowerContext&)>
void lower_global(LowerContext& context) {
  Node node = context.node;
  node.attributes = global(node.attributes);
  LowerContext completed = context.with_node(node);
  rule(completed);
}

Attributes gradient_attributes(const GradientContext& context) {
  Attributes attributes = context.node.attributes;
  attributes.set("input_shape", channels_first(context.type(context.input(0)).shape, attributes));
  return attributes;
}

void gradient_of_max_pool(GradientContext& context) {
  const ValueId argmax = context.forward_output(2);
  context.set_gradient(0, context.emit("MaxPoolGrad", {context.output_gradient(), argmax}, gradient_attributes(context)));
}

void gradient_of_average_pool(GradientContext& context) {
  context.set_gradient(0, context.emit("AveragePoolGrad", {context.output_gradient()}, gradient_attributes(context)));
}

template <void (*rule)(GradientContext&)>
void gradient_of_global(GradientContext& context) {
  context.with_attributes(global(context.node.attributes), rule);
}

std::vector<TensorType> infer_pool_grad(const TypeContext& context) {
  rules::require_float(context);
  return {{context.input(0).dtype, in_layout(context.attributes().get_ints("input_shape", {}), context.attributes())}};
}

void lower_max_pool_grad(LowerContext& context) {
  require_channels_last(context);
  const Window w = pool_window(context.attributes(), context.attributes().get_ints("input_shape", {}));
  context.call("runtime/pool2d.h", "max_pool2d_grad",
               {shape_argument("Pool2dShape", pool_shape(w, context.attributes())), context.in(0), context.in(1), context.out()});
}

void lower_average_pool_grad(LowerContext& context) {
  require_channels_last(context);
  const Window w = pool_window(context.attributes(), context.attributes().get_ints("input_shape", {}));
  context.call("runtime/pool2d.h", "average_pool2d_grad",
               {shape_argument("Pool2dShape", pool_shape(w, context.attributes())), context.in(0), context.out()});
}

/// OpDef::is_identity.
bool pools_single_elements(const Graph& graph, const Node& node) {
  return node.outputs.size() == 1 && is_single_element(forward_window(node.attributes, graph.shape(node.inputs[0])));
}

bool pools_single_map(const Graph& graph, const Node& node) {
  return node.outputs.size() == 1 && is_single_element(forward_window(global(node.attributes), graph.shape(node.inputs[0])));
}

/// The number below all others of that type.
double least_of(DType dtype) {
  switch (dtype) {
    case DType::i8: return -128;
    case DType::u8: return 0;
    case DType::i16: return -32768;
    default: return -std::numeric_limits<double>::infinity();
  }
}

bool absorb_into_max(const Graph& graph, Node& node, const Padding& padding) {
  return node.outputs.size() == 1 && absorb_into_pool(graph, node, padding, least_of(graph.type(node.inputs[0]).dtype), false);
}

bool absorb_into_average(const Graph& graph, Node& node, const Padding& padding) { return absorb_into_pool(graph, node, padding, 0, true); }

}  // namespace

OpRows pool_ops() {
  const LayoutRule max_layout{.spatial_inputs = {0}, .spatial_outputs = {0, 2}, .needs_channels_last = true};
  const LayoutRule average_layout{.spatial_inputs = {0}, .spatial_outputs = {0}, .needs_channels_last = true};
  return {
      {.name = "MaxPool",
       .max_outputs = 3,
       .infer = infer_pool,
       .gradient = gradient_of_max_pool,
       .lower = lower_max_pool,
       .layout = max_layout,
       .selects_maximum = true,
       .move = {.moves = true},
       .is_identity = pools_single_elements,
       .absorb_padding = absorb_into_max,
       .scales_with_channels = true},
      {.name = "GlobalMaxPool",
       .max_outputs = 3,
       .infer = as_global(infer_pool),
       .gradient = gradient_of_global<gradient_of_max_pool>,
       .lower = lower_global<lower_max_pool>,
       .layout = max_layout,
       .selects_maximum = true,
       .move = {.moves = true},
       .is_identity = pools_single_map,
       .scales_with_channels = true},
      {.name = "MaxPoolGrad",
       .min_inputs = 2,
       .max_inputs = 2,
       .infer = infer_pool_grad,
       .lower = lower_max_pool_grad,
       .layout = {.spatial_inputs = {0, 1}, .spatial_outputs = {0}, .needs_channels_last = true},
       .is_public = false},
      {.name = "AveragePool",
       .infer = infer_pool,
       .gradient = gradient_of_average_pool,
       .lower = lower_average_pool,
       .layout = average_layout,
       .is_identity = pools_single_elements,
       .absorb_padding = absorb_into_average,
       .scales_with_channels = true,
       .quantized = int8::quantized_average_pool},
      {.name = "GlobalAveragePool",
       .infer = as_global(infer_pool),
       .gradient = gradient_of_global<gradient_of_average_pool>,
       .lower = lower_global<lower_average_pool>,
       .layout = average_layout,
       .is_identity = pools_single_map,
       .scales_with_channels = true,
       .quantized = int8::quantized_global_average_pool},
      {.name = "AveragePoolGrad", .infer = infer_pool_grad, .lower = lower_average_pool_grad, .layout = average_layout, .is_public = false},
  };
}

}  // namespace tinytc
