// Operators with int16 activations: Int16Conv and Int16Dense (x, weight, bias, multiplier, shift), Int16Sum and Int16Product (a, b),
// Int16Requantize (x). Every activation is int8 or int16; the attribute `y_bits` says which the result is. Weights are int8.
//
// The other attributes are those of the int8 operators. `sum_bits` of a layer is 32 or 64: what holds every sum of a part of its products.
#include "compiler/ops/int16.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/rules.h"
#include "compiler/ops/spatial.h"
#include "runtime/broadcast.h"
#include "runtime/q16_layers.h"
#include "runtime/q_scale.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char *layers = "runtime/q16_layers.h", *elements = "runtime/q16_elementwise.h";

// Of a multiplier for sums of 64 bits, whose product with one must stay below 2^63: sums below 2^38.
constexpr int bits_for_large_sums = 23;
constexpr std::int64_t largest_sum = std::int64_t{1} << 38;

// --- Layers ---

void check_layer(const TypeContext& context, std::int64_t channels) {
  require_dtype(context, 1, DType::i8);
  require_dtype(context, 2, DType::i32);
  require_shape(context, 2, {channels}, "the bias");
  int8::check_scale(context, 3, channels);
}

std::vector<TensorType> infer_conv(const TypeContext& context) {
  const Shape input = channels_first(context.shape(0), context.attributes());
  const Window window = at_node(context, [&] { return convolution_window(context.attributes(), input, context.shape(1)); });
  check_layer(context, window.out_c);
  return int8_result(context, in_layout(window_output(window, window.out_c, input.size()), context.attributes()));
}

std::vector<TensorType> infer_dense(const TypeContext& context) {
  const Shape& weight = context.shape(1);
  if (weight.size() != 2 || context.shape(0).back() != weight[1]) context.fail("the weights do not fit the input");
  check_layer(context, weight[0]);
  Shape shape = context.shape(0);
  shape.back() = weight[0];
  return int8_result(context, shape);
}

std::string with_sums(const LowerContext& context, const char* kernel) {
  return std::string(kernel) + "<std::int" + std::to_string(context.attributes().get_int("sum_bits", 64)) + "_t>";
}

void call_layer(LowerContext& context, const char* kernel, Argument shape, Argument weight, std::int64_t macs) {
  context.call(layers, with_sums(context, kernel),
               {std::move(shape), context.in(0), std::move(weight), context.in(2), int8::scale_argument(context, 3), int8::output_argument(context), context.out()},
               macs);
}

void lower_conv(LowerContext& context) {
  require(is_channels_last(context.attributes()), describe(context.node.location) + ": no layout was chosen");
  const Window w = convolution_window(context.attributes(), channels_first(context.input_shape(0), context.attributes()), context.input_shape(1));
  const int zero = to_int(context.attributes().get_int("x_zero_point", 0));
  if (is_depthwise(w)) {
    QDepthwiseConv2dShape s{};
    fill_window(s, w);
    s.channels = to_int(w.in_c), s.multiplier = to_int(w.out_c / w.in_c), s.x_zero_point = zero;
    return call_layer(context, "q16_depthwise_conv2d", shape_argument("QDepthwiseConv2dShape", s), context.in(1), q16_depthwise_conv2d_macs(s));
  }
  QConv2dShape s{};
  fill_window(s, w);
  s.in_c = to_int(w.in_c), s.out_c = to_int(w.out_c), s.groups = to_int(w.groups), s.x_zero_point = zero;
  const Value& weight = context.graph.value(context.node.inputs[1]);
  const int channels = s.in_c / s.groups, plane = s.kernel_h * s.kernel_w;
  std::vector<std::byte> packed(weight.data.size());
  for (int k = 0; k < static_cast<int>(packed.size()); ++k)
    packed[static_cast<std::size_t>(q16_conv2d_pack_index(s, k / (channels * plane), k / plane % channels, k % plane / s.kernel_w, k % s.kernel_w))] =
        weight.data[static_cast<std::size_t>(k)];
  call_layer(context, "q16_conv2d", shape_argument("QConv2dShape", s), context.table(weight.name, {DType::i8, {static_cast<std::int64_t>(packed.size())}}, packed),
             q16_conv2d_macs(s));
}

void lower_dense(LowerContext& context) {
  const Shape& weight = context.input_shape(1);
  const QDenseShape s{to_int(element_count(context.input_shape(0)) / weight[1]), to_int(weight[1]), to_int(weight[0])};
  call_layer(context, "q16_dense", shape_argument("QDenseShape", s), context.in(1), q16_dense_macs(s));
}

OpDef layer_row(const std::string& name, std::vector<TensorType> (*infer)(const TypeContext&), void (*lower)(LowerContext&)) {
  OpDef row{.name = name, .min_inputs = 5, .max_inputs = 5};
  row.infer = infer;
  row.lower = lower;
  row.is_public = false;
  return row;
}

/// The largest size that a sum of some of a channel's products and its bias can have.
std::int64_t largest_size(const int8::Layer& layer, std::int64_t largest_input) {
  std::int64_t largest = 0;
  for (std::size_t c = 0; c < static_cast<std::size_t>(layer.channels); ++c) {
    std::int64_t weights = 0;
    for (std::size_t k = 0; k < static_cast<std::size_t>(layer.taps); ++k) weights += std::abs(std::int64_t{layer.weight[c * static_cast<std::size_t>(layer.taps) + k]});
    largest = std::max(largest, std::abs(layer.bias[c]) + weights * largest_input);
  }
  return largest;
}

ValueId emit_layer(QuantizeContext& context, const std::string& name, std::size_t channel_axis, const std::optional<Shape>& shape, Attributes attributes) {
  const QuantizedTensor* x = context.wide_activation(0);
  const std::optional<int8::Layer> layer = int8::read_layer(context, x, channel_axis);
  if (!layer) return no_value;
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  const std::int64_t largest = largest_size(*layer, context.graph.type(x->stored).dtype == DType::i16 ? 32768 : 128);
  for (std::int64_t bias : layer->bias)
    if (std::abs(bias) > most) return no_value;
  if (largest >= largest_sum) return no_value;
  attributes.set("sum_bits", std::int64_t{largest > most ? 64 : 32});
  std::vector<double> multipliers, shifts;
  for (double scale : layer->scale) {
    if (!(scale < q_power_of_two(bits_for_large_sums - 2))) return no_value;
    const QMultiplier number = q16_multiplier(scale, largest > most ? bits_for_large_sums : 31);
    multipliers.push_back(number.multiplier);
    shifts.push_back(number.shift);
  }
  const ValueId weight = add_constant(context.graph, context.stored(1).name, DType::i8, shape.value_or(Shape{layer->channels, layer->taps}),
                                      std::vector<double>(layer->weight.begin(), layer->weight.end()));
  const ValueId bias = context.constant("bias", DType::i32, std::vector<double>(layer->bias.begin(), layer->bias.end()));
  return context.emit(name, {x->stored, weight, bias, context.constant("multiplier", DType::i32, multipliers), context.constant("shift", DType::i8, shifts)},
                      std::move(attributes));
}

// --- Element by element ---

int integer(const LowerContext& context, const char* name) { return to_int(context.attributes().get_int(name, 0)); }

Argument sum_argument(const LowerContext& context) {
  const Q16Sum sum = q16_make_sum(context.attributes().get_float("a_scale", 1), integer(context, "a_zero_point"), context.attributes().get_float("b_scale", 0),
                                  integer(context, "b_zero_point"));
  return object("Q16Sum", {literal(sum.a_multiplier), literal(sum.b_multiplier), literal(std::to_string(sum.offset) + "LL"), literal(sum.shift)});
}

void call_binary(LowerContext& context, const char* kernel, Argument numbers) {
  const BroadcastShape s = make_broadcast_shape(operand_dims(context.input_shape(0)), operand_dims(context.input_shape(1)));
  std::vector<LowerContext::Lead> leads;  // a lead is for elements of one size
  if (context.input_type(0).dtype == context.output_type().dtype) leads.push_back({0, 0, q_add_lead_a(s)});
  if (context.input_type(1).dtype == context.output_type().dtype) leads.push_back({0, 1, q_add_lead_b(s)});
  context.call(elements, kernel,
               {shape_argument("BroadcastShape", s), std::move(numbers), int8::output_argument(context), context.in(0), context.in(1), context.out()}, 0, leads);
}

void lower_sum(LowerContext& context) { call_binary(context, "q16_add", sum_argument(context)); }

void lower_product(LowerContext& context) {
  const QMultiplier scale = q16_multiplier(context.attributes().get_float("scale", 1), 31);
  call_binary(context, "q16_mul", object("QProduct", {literal(integer(context, "a_zero_point")), literal(integer(context, "b_zero_point")),
                                                      literal(scale.multiplier), literal(scale.shift)}));
}

void lower_requantize(LowerContext& context) {
  const ElementwiseShape s{to_int(element_count(context.output_shape()))};
  std::vector<LowerContext::Lead> leads;
  if (context.input_type(0).dtype == context.output_type().dtype) leads.push_back({0, 0, 0});
  context.call(elements, "q16_requantize", {shape_argument("ElementwiseShape", s), sum_argument(context), int8::output_argument(context), context.in(0), context.out()}, 0, leads);
}

OpDef elementwise_row(const std::string& name, int operands, void (*lower)(LowerContext&)) {
  OpDef row{.name = name, .min_inputs = operands, .max_inputs = operands};
  row.infer = [](const TypeContext& context) { return int8_result(context, broadcast_inputs(context, 0, context.input_count())); };
  row.lower = lower;
  row.layout.elementwise = true;
  row.is_public = false;
  return row;
}

/// The largest size of a stored number less its zero point: 2^15 of symmetric int16, up to twice that with a zero point.
std::int64_t largest_difference(const QuantizeContext& context, const QuantizedTensor& tensor) {
  const std::int64_t half = context.graph.type(tensor.stored).dtype == DType::i16 ? 32768 : 128, zero = tensor.quantization.zero_points[0];
  return std::max(half + zero, half - 1 - zero);
}

constexpr double largest_ratio = 1 << 18;  // of two scales, what Q16Sum takes

ValueId quantized_requantize(QuantizeContext& context) {
  const QuantizedTensor* x = context.wide_activation(0);
  const double ratio = x == nullptr ? 0 : double{x->quantization.scales[0]} / double{context.output.scales[0]};
  if (x == nullptr || ratio > largest_ratio) return no_value;
  return context.emit("Int16Requantize", {x->stored}, {{"a_scale", ratio}, {"a_zero_point", std::int64_t{x->quantization.zero_points[0]}}});
}

}  // namespace

ValueId int16::quantized_conv(QuantizeContext& context) {
  if (context.has_input(3) || context.shape(1).size() > 4 || context.wide_activation(0) == nullptr) return no_value;
  Attributes attributes = context.node.attributes;
  attributes.set("x_zero_point", std::int64_t{context.wide_activation(0)->quantization.zero_points[0]});
  return emit_layer(context, "Int16Conv", 0, context.shape(1), std::move(attributes));
}

ValueId int16::quantized_dense(QuantizeContext& context, std::size_t channel_axis) {
  return emit_layer(context, "Int16Dense", channel_axis, std::nullopt, {});
}

ValueId int16::quantized_sum(QuantizeContext& context, double sign) {
  const QuantizedTensor *a = context.wide_activation(0), *b = context.wide_activation(1);
  if (a == nullptr || b == nullptr) return no_value;
  const double y = double{context.output.scales[0]};
  const double a_scale = double{a->quantization.scales[0]} / y, b_scale = sign * double{b->quantization.scales[0]} / y;
  if (a_scale > largest_ratio || std::abs(b_scale) > largest_ratio) return no_value;
  return context.emit("Int16Sum", {a->stored, b->stored},
                      {{"a_scale", a_scale},
                       {"b_scale", b_scale},
                       {"a_zero_point", std::int64_t{a->quantization.zero_points[0]}},
                       {"b_zero_point", std::int64_t{b->quantization.zero_points[0]}}});
}

ValueId int16::quantized_mul(QuantizeContext& context) {
  const QuantizedTensor *a = context.wide_activation(0), *b = context.wide_activation(1);
  if (a == nullptr || b == nullptr) return no_value;
  const double scale = double{a->quantization.scales[0]} * double{b->quantization.scales[0]} / double{context.output.scales[0]};
  if (!(scale < q_power_of_two(28)) || largest_difference(context, *a) * largest_difference(context, *b) > std::numeric_limits<std::int32_t>::max()) return no_value;
  return context.emit("Int16Product", {a->stored, b->stored},
                      {{"scale", scale},
                       {"a_zero_point", std::int64_t{a->quantization.zero_points[0]}},
                       {"b_zero_point", std::int64_t{b->quantization.zero_points[0]}}});
}

OpRows int16_ops() {
  OpDef conv = layer_row("Int16Conv", infer_conv, lower_conv), requantize = elementwise_row("Int16Requantize", 1, lower_requantize);
  conv.layout = {.spatial_inputs = {0}, .spatial_outputs = {0}, .needs_channels_last = true};
  requantize.quantized = quantized_requantize;
  return {conv, layer_row("Int16Dense", infer_dense, lower_dense), elementwise_row("Int16Sum", 2, lower_sum), elementwise_row("Int16Product", 2, lower_product),
          requantize};
}

}  // namespace tinytc
