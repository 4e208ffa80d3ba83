// Int8ConvSum(x, weight, bias, multiplier, [shift], residual): Int8Conv and the Int8Sum of its result with a residual in one kernel, which
// passes/fuse_residual makes of the two. Attributes: Int8Conv's, with the output of its own as layer_zero_point, layer_lo and layer_hi;
// Int8Sum's, whose a is the convolution's result and b the residual.
#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/int8_conv_kernels.h"
#include "compiler/ops/rules.h"
#include "runtime/q_conv2d_sum.h"

namespace tinytc {

namespace {

constexpr int residual = 5;  // input

Window window_of(const Graph& graph, const Node& node) {
  return convolution_window(node.attributes, channels_first(graph.shape(node.inputs[0]), node.attributes), graph.shape(node.inputs[1]));
}

std::vector<TensorType> infer_conv_sum(const TypeContext& context) {
  require(context.has_input(residual), "Int8ConvSum needs its residual");
  for (const int i : {0, 1, residual}) rules::require_dtype(context, i, DType::i8);
  rules::require_dtype(context, 2, DType::i32);
  const Shape input = channels_first(context.shape(0), context.attributes());
  const Window window = at_node(context, [&] { return convolution_window(context.attributes(), input, context.shape(1)); });
  rules::require_shape(context, 2, {window.out_c}, "the bias");
  int8::check_scale(context, 3, window.out_c);
  const Shape output = in_layout(window_output(window, window.out_c, input.size()), context.attributes());
  rules::require_shape(context, residual, output, "the residual");
  return int8_result(context, output);
}

void lower_conv_sum(LowerContext& context) {
  require(is_channels_last(context.attributes()), describe(context.node.location) + ": no layout was chosen");
  int8::ConvKernel kernel = int8::conv_kernel(context, window_of(context.graph, context.node));
  const auto number = [&](const char* name) { return number_argument(name, to_int(context.attributes().get_int(name, 0))); };
  std::vector<Argument> layer = std::move(kernel.constants);
  layer.push_back(object("QOutput", {number("layer_zero_point"), number("layer_lo"), number("layer_hi")}));
  const QConv2dShape& s = kernel.shape;
  context.call("runtime/q_conv2d_sum.h", "q_conv2d_sum<" + std::to_string(kernel.rows) + ">",
               {shape_argument("QConv2dShape", s), context.in(0), object(kernel.layer, std::move(layer)), int8::sum_argument(context),
                int8::output_argument(context), context.in(residual), context.out(),
                int8::words(context, q_conv2d_sum_scratch(s, kernel.rows, to_int(kernel.scratch)))},
               q_conv2d_sum_macs(s), {{0, 0, q_conv2d_sum_lead_x(s, kernel.rows)}, {0, residual, q_conv2d_sum_lead_residual(s)}});
}

}  // namespace

std::optional<Node> int8::conv_with_sum(const Graph& graph, const Node& layer, const Node& sum, int operand) {
  const Window w = window_of(graph, layer);
  const int rows = layer.attributes.get_int(spends_flash, 0) == 1 ? 4 : 1;
  // Rows that are the whole result would need as much scratch as the buffer that they save.
  if (is_depthwise(w) || !is_channels_last(layer.attributes) || w.out_h < 2 * rows) return std::nullopt;
  const ValueId other = sum.inputs[operand == 0 ? 1 : 0];
  if (graph.shape(other) != graph.shape(sum.outputs[0]) || graph.shape(layer.outputs[0]) != graph.shape(sum.outputs[0])) return std::nullopt;
  Node node{&op("Int8ConvSum"), layer.inputs, sum.outputs, layer.attributes, sum.location};
  node.inputs.resize(static_cast<std::size_t>(residual), no_value);
  node.inputs.push_back(other);
  const auto number = [](const Node& from, const char* name, std::int64_t fallback) { return from.attributes.get_int(name, fallback); };
  node.attributes.set("layer_zero_point", number(layer, "y_zero_point", 0));
  node.attributes.set("layer_lo", number(layer, "y_lo", -128));
  node.attributes.set("layer_hi", number(layer, "y_hi", 127));
  node.attributes.set("y_zero_point", number(sum, "y_zero_point", 0));
  node.attributes.set("y_lo", number(sum, "y_lo", -128));
  node.attributes.set("y_hi", number(sum, "y_hi", 127));
  node.attributes.set("y_scale", sum.attributes.get_float("y_scale", 1));
  const char* names[2] = {operand == 0 ? "a" : "b", operand == 0 ? "b" : "a"};
  for (int i = 0; i < 2; ++i) {
    const std::string from = names[i], to = i == 0 ? "a" : "b";
    node.attributes.set(to + "_scale", sum.attributes.get_float(from + "_scale", 1));
    node.attributes.set(to + "_zero_point", sum.attributes.get_int(from + "_zero_point", 0));
  }
  return node;
}

OpRows int8_residual_ops() {
  return {{.name = "Int8ConvSum",
           .min_inputs = 4,
           .max_inputs = 6,
           .infer = infer_conv_sum,
           .lower = lower_conv_sum,
           .layout = {.spatial_inputs = {0, residual}, .spatial_outputs = {0}, .needs_channels_last = true},
           .faster = int8::faster_conv,
           .can_save_scratch = true,
           .is_public = false}};
}

}  // namespace tinytc
