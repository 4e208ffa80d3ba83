// Conv, ConvTranspose and their gradients. 1-D and 2-D, groups, dilation, auto_pad; kernels take channels-last activations.
//
// Internal rows: ConvInputGrad(dy, w[, bias]) (also what ConvTranspose computes), ConvWeightGrad(x, dy). They carry
// Conv's attributes and `input_shape`, the [N,C,spatial...] shape of Conv's input. Attributes that passes set on Conv and ConvInputGrad:
// channels_last, activation_lo / activation_hi (a clamp on the result), and input 3 of Conv, a residual that is added before it.
#include <fmt/format.h>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/rules.h"
#include "compiler/ops/spatial.h"
#include "runtime/conv2d.h"
#include "runtime/conv2d_grad.h"
#include "runtime/conv2d_pointwise.h"
#include "runtime/depthwise_conv2d.h"

namespace tinytc {

namespace {

void check_bias(const TypeContext& context, int input, std::int64_t channels) {
  if (!context.has_input(input)) return;
  rules::require_same_dtype(context, 0, input);
  rules::require_shape(context, input, {channels}, "the bias");
}

void check_float_operands(const TypeContext& context) {
  rules::require_float(context);
  rules::require_same_dtype(context, 0, 1);
}

std::vector<TensorType> infer_conv(const TypeContext& context) {
  check_float_operands(context);
  const Shape input = channels_first(context.shape(0), context.attributes());
  const Window window = at_node(context, [&] { return convolution_window(context.attributes(), input, context.shape(1)); });
  check_bias(context, 2, window.out_c);
  const Shape output = in_layout(window_output(window, window.out_c, input.size()), context.attributes());
  if (context.has_input(3)) rules::require_shape(context, 3, output, "the residual");
  return {{context.input(0).dtype, output}};
}

// --- Lowering ---

Conv2dShape dense_shape(const Window& w, bool packed) {
  Conv2dShape s{};
  fill_window(s, w);
  s.in_c = to_int(w.in_c), s.out_c = to_int(w.out_c), s.groups = to_int(w.groups), s.packed = packed ? 1 : 0;
  return s;
}

DepthwiseConv2dShape depthwise_shape(const Window& w, bool packed) {
  DepthwiseConv2dShape s{};
  fill_window(s, w);
  s.channels = to_int(w.in_c), s.multiplier = to_int(w.out_c / w.in_c), s.packed = packed ? 1 : 0;
  return s;
}

/// The weight as the kernel reads it: as it is when it is trained or computed, else a table in the order that `position(o, i, ky, kx)`
/// gives.
template <typename Position>
Argument weight_argument(LowerContext& context, const Window& w, Position position) {
  if (!context.is_constant(1)) return context.in(1);
  const Value& value = context.graph.value(context.node.inputs[1]);
  std::vector<int> index_of(static_cast<std::size_t>(element_count(value.type.shape)));
  const int channels = to_int(w.in_c / w.groups), kh = to_int(w.kernel_h), kw = to_int(w.kernel_w);
  int plain = 0;
  for (int o = 0; o < w.out_c; ++o)
    for (int i = 0; i < channels; ++i)
      for (int ky = 0; ky < kh; ++ky)
        for (int kx = 0; kx < kw; ++kx) index_of[static_cast<std::size_t>(position(o, i, ky, kx))] = plain++;
  return context.table(value.name, value.type, gather_elements(value.data, size_of(value.type.dtype), index_of));
}

Argument depthwise_weight(LowerContext& context, const Window& w, const DepthwiseConv2dShape& s) {
  return weight_argument(context, w, [&](int o, int, int ky, int kx) { return depthwise_conv2d_pack_index(s, o, ky, kx); });
}

void require_channels_last(const LowerContext& context) {
  require(is_channels_last(context.attributes()), describe(context.node.location) + ": no layout was chosen");
}

Argument scratch_or_null(LowerContext& context, DType dtype, std::int64_t elements) {
  return elements == 0 ? Argument{.kind = Argument::Kind::literal, .text = fmt::format("static_cast<{}*>(nullptr)", cpp_type_of(dtype))}
                       : context.scratch(dtype, elements);
}

void lower_conv(LowerContext& context) {
  require_channels_last(context);
  const DType dtype = context.input_type(0).dtype;
  const Window w = convolution_window(context.attributes(), channels_first(context.input_shape(0), context.attributes()), context.input_shape(1));
  const bool packed = context.is_constant(1);
  const Argument activation = activation_argument(context, dtype);
  if (is_depthwise(w)) {
    const DepthwiseConv2dShape s = depthwise_shape(w, packed);
    context.call("runtime/depthwise_conv2d.h", s.multiplier == 1 ? "depthwise_conv2d_one" : "depthwise_conv2d",
                 {shape_argument("DepthwiseConv2dShape", s), context.in(0), depthwise_weight(context, w, s), context.in(2), context.in(3), activation,
                  context.out()},
                 depthwise_conv2d_macs(s), {{0, 0, depthwise_conv2d_lead_x(s)}, {0, 3, 0}});
    return;
  }
  const Conv2dShape s = dense_shape(w, packed);
  const Argument weight = weight_argument(context, w, [&](int o, int i, int ky, int kx) { return conv2d_pack_index(s, o, i, ky, kx); });
  const bool pointwise = conv2d_pointwise_serves(s);
  context.call(pointwise ? "runtime/conv2d_pointwise.h" : "runtime/conv2d.h", pointwise ? "conv2d_pointwise" : "conv2d",
               {shape_argument("Conv2dShape", s), context.in(0), weight, context.in(2), context.in(3), activation, context.out(),
                scratch_or_null(context, dtype, conv2d_scratch(s))},
               conv2d_macs(s), {{0, 0, conv2d_lead_x(s)}, {0, 3, 0}});
}

// --- Gradients ---

std::vector<TensorType> infer_input_grad(const TypeContext& context) {
  check_float_operands(context);
  const Shape input = context.attributes().get_ints("input_shape", {});
  const Window window = at_node(context, [&] { return convolution_window(context.attributes(), input, context.shape(1)); });
  check_bias(context, 2, window.in_c);
  rules::require_shape(context, 0, in_layout(window_output(window, window.out_c, input.size()), context.attributes()), "the gradient");
  return {{context.input(0).dtype, in_layout(input, context.attributes())}};
}

void lower_input_grad(LowerContext& context) {
  require_channels_last(context);
  const DType dtype = context.input_type(0).dtype;
  const Window w = convolution_window(context.attributes(), context.attributes().get_ints("input_shape", {}), context.input_shape(1));
  const bool packed = context.is_constant(1);
  const Argument activation = activation_argument(context, dtype);
  if (is_depthwise(w)) {
    const DepthwiseConv2dShape s = depthwise_shape(w, packed);
    context.call("runtime/depthwise_conv2d.h", "depthwise_conv2d_input_grad",
                 {shape_argument("DepthwiseConv2dShape", s), context.in(0), depthwise_weight(context, w, s), context.in(2), rules::null_pointer(dtype), activation,
                  context.out()},
                 depthwise_conv2d_input_grad_macs(s));
    return;
  }
  const Conv2dShape s = dense_shape(w, packed);
  const Argument weight = weight_argument(context, w, [&](int o, int i, int ky, int kx) { return conv2d_input_grad_pack_index(s, o, i, ky, kx); });
  context.call("runtime/conv2d_grad.h", "conv2d_input_grad",
               {shape_argument("Conv2dShape", s), context.in(0), weight, context.in(2), rules::null_pointer(dtype), activation, context.out(),
                scratch_or_null(context, dtype, conv2d_input_grad_scratch(s))},
               conv2d_input_grad_macs(s));
}

std::vector<TensorType> infer_weight_grad(const TypeContext& context) {
  check_float_operands(context);
  return {{context.input(0).dtype, context.attributes().get_ints("weight_shape", {})}};
}

void lower_weight_grad(LowerContext& context) {
  require_channels_last(context);
  const Window w = convolution_window(context.attributes(), channels_first(context.input_shape(0), context.attributes()),
                                      context.attributes().get_ints("weight_shape", {}));
  if (is_depthwise(w)) {
    const DepthwiseConv2dShape s = depthwise_shape(w, false);
    context.call("runtime/depthwise_conv2d.h", "depthwise_conv2d_weight_grad",
                 {shape_argument("DepthwiseConv2dShape", s), context.in(0), context.in(1), context.sink()},
                 depthwise_conv2d_weight_grad_macs(s));
    return;
  }
  const Conv2dShape s = dense_shape(w, false);
  context.call("runtime/conv2d_grad.h", "conv2d_weight_grad",
               {shape_argument("Conv2dShape", s), context.in(0), context.in(1), context.sink()}, conv2d_weight_grad_macs(s));
}

Attributes with_shape(Attributes attributes, const std::string& name, const Shape& shape) {
  attributes.set(name, shape);
  return attributes;
}

/// Absent where not set: choose_layout takes the attribute for decided.
Attributes channels_of(const Attributes& attributes) {
  return is_channels_last(attributes) ? Attributes{{"channels_last", std::int64_t{1}}} : Attributes{};
}

/// Gradients of y = Conv(x, w, bias); `x`, `w`: node inputs 0 and 1.
void gradient_of_conv(GradientContext& context) {
  const ValueId dy = context.output_gradient();
  const Attributes& attributes = context.node.attributes;
  const Shape input = channels_first(context.type(context.input(0)).shape, attributes);
  if (context.needs(0)) context.set_gradient(0, context.emit("ConvInputGrad", {dy, context.input(1)}, with_shape(attributes, "input_shape", input)));
  if (context.needs(1))
    context.set_gradient(1, context.emit("ConvWeightGrad", {context.input(0), dy},
                                         with_shape(attributes, "weight_shape", context.type(context.input(1)).shape)));
  if (context.needs(2)) context.set_gradient(2, context.emit("ChannelSum", {dy}, channels_of(attributes)));
}

/// Gradients of y = ConvInputGrad(x, w, bias), a linear map of x whose transpose is Conv.
void gradient_of_input_grad(GradientContext& context) {
  const ValueId dy = context.output_gradient();
  const Attributes& attributes = context.node.attributes;
  if (context.needs(0)) context.set_gradient(0, context.emit("Conv", {dy, context.input(1)}, attributes));
  if (context.needs(1))
    context.set_gradient(1, context.emit("ConvWeightGrad", {dy, context.input(0)},
                                         with_shape(attributes, "weight_shape", context.type(context.input(1)).shape)));
  if (context.needs(2)) context.set_gradient(2, context.emit("ChannelSum", {dy}, channels_of(attributes)));
}

// --- ConvTranspose: the same map as ConvInputGrad, with its output's shape from its own attributes ---

/// The attributes of the equivalent ConvInputGrad.
Attributes transposed_attributes(const Attributes& attributes, const Shape& input, const Shape& weight) {
  if (weight.size() < 3 || input.size() != weight.size()) throw UserError("input and weight must have the same rank, 3 or 4");
  const std::size_t rank = weight.size() - 2;
  const std::int64_t groups = attributes.get_int("group", 1);
  const auto list = [&](const char* name, std::int64_t fallback, std::size_t count) {
    const auto entries = attributes.get_ints(name, std::vector<std::int64_t>(count, fallback));
    if (entries.size() != count) throw UserError(fmt::format("attribute '{}' has {} entries, {} are needed", name, entries.size(), count));
    return entries;
  };
  const auto strides = list("strides", 1, rank), dilations = list("dilations", 1, rank), extra = list("output_padding", 0, rank);
  std::vector<std::int64_t> pads = list("pads", 0, 2 * rank);
  const std::vector<std::int64_t> wanted = attributes.get_ints("output_shape", {});
  const std::string auto_pad = attributes.get_string("auto_pad", "NOTSET");
  Shape output{input[0], weight[1] * groups};
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t full = (input[2 + i] - 1) * strides[i] + (weight[2 + i] - 1) * dilations[i] + 1 + extra[i];
    std::int64_t out = full - pads[i] - pads[rank + i];
    const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    if (!wanted.empty() || same) {
      out = wanted.empty() ? input[2 + i] * strides[i] : wanted[wanted.size() - rank + i];
      const std::int64_t total = std::max<std::int64_t>(0, full - out);
      const std::int64_t half = total / 2;
      pads[i] = auto_pad == "SAME_UPPER" ? half : total - half;
      pads[rank + i] = total - pads[i];
    }
    if (out < 1) throw UserError(fmt::format("its output would have extent {}", out));
    output.push_back(out);
  }
  Attributes result = attributes;
  for (const char* name : {"auto_pad", "output_padding", "output_shape"}) result.erase(name);
  result.set("pads", pads);
  result.set("input_shape", output);
  return result;
}

std::vector<TensorType> infer_conv_transpose(const TypeContext& context) {
  check_float_operands(context);
  const Attributes attributes = at_node(context, [&] {
    return transposed_attributes(context.attributes(), channels_first(context.shape(0), context.attributes()), context.shape(1));
  });
  Node node = context.node;
  node.attributes = attributes;
  return infer_input_grad(TypeContext(context.graph, node));
}

void lower_conv_transpose(LowerContext& context) {
  Node node = context.node;
  node.attributes = transposed_attributes(node.attributes, channels_first(context.input_shape(0), node.attributes), context.input_shape(1));
  LowerContext as_gradient = context.with_node(node);
  lower_input_grad(as_gradient);
}

void gradient_of_conv_transpose(GradientContext& context) {
  Node node = context.node;
  node.attributes = transposed_attributes(node.attributes, channels_first(context.type(context.input(0)).shape, node.attributes),
                                          context.type(context.input(1)).shape);
  context.with_attributes(node.attributes, gradient_of_input_grad);
}

// --- Folding a scale and shift of the channels into constant weights ---

bool can_absorb_channels(const Graph& graph, const Node& node) {
  for (std::size_t i = 1; i < std::min<std::size_t>(node.inputs.size(), 3); ++i)
    if (node.inputs[i] != no_value && graph.value(node.inputs[i]).role != Role::constant) return false;
  return node.inputs.size() < 4;
}

/// ConvTranspose has its output channels on axis 1 of the weight; with groups they repeat there.
bool can_absorb_transposed(const Graph& graph, const Node& node) {
  return can_absorb_channels(graph, node) && node.attributes.get_int("group", 1) == 1;
}

template <std::size_t channel_axis>
void absorb_channels(Graph& graph, Node& node, const ChannelAffine& affine) {
  const auto emit = [&](const char* op_name, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return add_node(graph, op_name, std::move(inputs), 1, std::move(attributes), node.location, "folded/" + node.location.node).front();
  };
  Shape shape(graph.shape(node.inputs[1]).size(), 1);
  shape[channel_axis] = graph.shape(affine.scale)[0];
  node.inputs[1] = emit("Mul", {node.inputs[1], emit("Reshape", {affine.scale}, {{"shape", shape}})});
  if (node.inputs.size() < 3) node.inputs.resize(3, no_value);
  node.inputs[2] = node.inputs[2] == no_value ? affine.shift : emit("Add", {emit("Mul", {node.inputs[2], affine.scale}), affine.shift});
}

/// Each output channel reads the input channels of its group.
std::int64_t input_channel(const Graph& graph, const Node& node, std::int64_t index) {
  const Shape& weight = graph.shape(node.inputs[1]);
  const std::int64_t groups = node.attributes.get_int("group", 1), taps = element_count(weight) / (weight[0] * weight[1]);
  const std::int64_t row = index / taps, output = row / weight[1];
  return output / (weight[0] / groups) * weight[1] + row % weight[1];
}

/// PyTorch counts axis 1 and the kernel, for ConvTranspose too (torch.nn.init).
std::int64_t fan_in_of_conv(const Graph& graph, const Node& node) {
  const Shape& weight = graph.shape(node.inputs[1]);
  return element_count(weight) / std::max<std::int64_t>(1, weight[0]);
}

OpDef conv_row() {
  return {.name = "Conv",
          .min_inputs = 2,
          .max_inputs = 4,
          .infer = infer_conv,
          .gradient = gradient_of_conv,
          .lower = lower_conv,
          .layout = {.spatial_inputs = {0, 3}, .spatial_outputs = {0}, .needs_channels_last = true},
          .bias_inputs = {2},
          .takes_activation = true,
          .bias_input = 2,
          .residual_input = 3,
          .can_absorb_affine = can_absorb_channels,
          .absorb_affine = absorb_channels<0>,
          .weight = {[](const Graph&, const Node&) { return std::int64_t{0}; }, input_channel},
          .absorb_padding = [](const Graph& graph, Node& node, const Padding& padding) { return absorb_into_convolution(graph, node, padding, 0); },
          .quantized = int8::quantized_conv,
          .fan_in = fan_in_of_conv};
}

OpDef conv_transpose_row() {
  return {.name = "ConvTranspose",
          .min_inputs = 2,
          .max_inputs = 3,
          .infer = infer_conv_transpose,
          .gradient = gradient_of_conv_transpose,
          .lower = lower_conv_transpose,
          .layout = {.spatial_inputs = {0}, .spatial_outputs = {0}, .needs_channels_last = true},
          .bias_inputs = {2},
          .takes_activation = true,
          .bias_input = 2,
          .can_absorb_affine = can_absorb_transposed,
          .absorb_affine = absorb_channels<1>,
          .fan_in = fan_in_of_conv};
}

OpDef input_grad_row() {
  return {.name = "ConvInputGrad",
          .min_inputs = 2,
          .max_inputs = 3,
          .infer = infer_input_grad,
          .gradient = gradient_of_input_grad,
          .lower = lower_input_grad,
          .layout = {.spatial_inputs = {0}, .spatial_outputs = {0}, .needs_channels_last = true},
          .is_public = false};
}

OpDef weight_grad_row() {
  return {.name = "ConvWeightGrad",
          .min_inputs = 2,
          .max_inputs = 2,
          .infer = infer_weight_grad,
          .lower = lower_weight_grad,
          .layout = {.spatial_inputs = {0, 1}, .needs_channels_last = true},
          .takes_sink = true,
          .is_public = false};
}

}  // namespace

OpRows convolution_ops() { return {conv_row(), conv_transpose_row(), input_grad_row(), weight_grad_row()}; }

}  // namespace tinytc
