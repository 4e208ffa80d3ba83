// Int8Conv(x, weight, bias, multiplier[, shift]): Conv on stored numbers, with Conv's attributes, `x_zero_point` (what padding reads as)
// and the output's quantization. Bias and scales are per output channel; the input's zero point is folded into the bias.
#include <algorithm>
#include <cstring>

#include "compiler/op_table.h"
#include "compiler/ops/int16.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/int8_conv_kernels.h"
#include "compiler/ops/rules.h"
#include "compiler/ops/spatial.h"
#include "runtime/q_conv2d.h"
#include "runtime/q_conv2d_bare.h"
#include "runtime/q_depthwise_conv2d.h"
#include "runtime/q_depthwise_taps.h"
#include "runtime/q_scalar_depthwise.h"
#include "runtime/q_vector_depthwise.h"

namespace tinytc {

namespace {

std::vector<TensorType> infer_conv(const TypeContext& context) {
  rules::require_dtype(context, 0, DType::i8);
  rules::require_dtype(context, 1, DType::i8);
  rules::require_dtype(context, 2, DType::i32);
  const Shape input = channels_first(context.shape(0), context.attributes());
  const Window window = at_node(context, [&] { return convolution_window(context.attributes(), input, context.shape(1)); });
  rules::require_shape(context, 2, {window.out_c}, "the bias");
  int8::check_scale(context, 3, window.out_c);
  return int8_result(context, in_layout(window_output(window, window.out_c, input.size()), context.attributes()));
}

const std::int8_t* bytes_of(const Value& value) { return reinterpret_cast<const std::int8_t*>(value.data.data()); }

bool is_padded(const Window& w) { return w.pad_top != 0 || w.pad_left != 0 || w.pad_bottom != 0 || w.pad_right != 0; }

void lower_vector_depthwise(LowerContext& context, const QDepthwiseConv2dShape& s) {
  const Value& weight = context.graph.value(context.node.inputs[1]);
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_vector_depthwise_words(s)));
  q_vector_depthwise_pack(s, int8::constant<std::int8_t>(context, 1), int8::constant<std::int32_t>(context, 2),
                          int8::constant<std::int32_t>(context, 3), packed.data());
  context.call("runtime/q_vector_depthwise.h", "q_vector_depthwise",
               {shape_argument("QDepthwiseConv2dShape", s), context.in(0), int8::word_table(context, weight.name, packed),
                int8::output_argument(context), context.out(), int8::words(context, q_vector_depthwise_scratch(s))},
               q_vector_depthwise_macs(s), {{0, 0, q_vector_depthwise_lead_x(s)}});
}

/// The kernel adds 128 to its input: what that adds to a channel's sum goes into the bias.
Argument offset_bias(LowerContext& context, int taps) {
  const Value &weight = context.graph.value(context.node.inputs[1]), &bias = context.graph.value(context.node.inputs[2]);
  std::vector<std::uint32_t> result;
  for (const std::int64_t b : integers_of(bias)) result.push_back(static_cast<std::uint32_t>(b));
  for (std::size_t k = 0; k < result.size() * static_cast<std::size_t>(taps); ++k)
    result[k / static_cast<std::size_t>(taps)] -= 128U * static_cast<std::uint32_t>(bytes_of(weight)[k]);
  std::vector<std::byte> data(result.size() * sizeof(std::uint32_t));
  std::memcpy(data.data(), result.data(), data.size());
  return context.table(bias.name, {DType::i32, {static_cast<std::int64_t>(result.size())}}, std::move(data));
}

void call_scalar_depthwise(LowerContext& context, const QDepthwiseConv2dShape& s) {
  context.call("runtime/q_scalar_depthwise.h", "q_scalar_depthwise",
               {shape_argument("QDepthwiseConv2dShape", s), context.in(0), context.in(1), offset_bias(context, 9), int8::scale_argument(context, 3),
                int8::output_argument(context), context.out(), int8::words(context, q_scalar_depthwise_scratch(s))},
               q_scalar_depthwise_macs(s), {{0, 0, q_scalar_depthwise_lead_x(s)}});
}

void call_depthwise_taps(LowerContext& context, const QDepthwiseConv2dShape& s) {
  const Value& weight = context.graph.value(context.node.inputs[1]);
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_depthwise_taps_words(s)));
  q_depthwise_taps_pack(s, int8::constant<std::int8_t>(context, 1), int8::constant<std::int32_t>(context, 2),
                        int8::constant<std::int32_t>(context, 3), packed.data());
  context.call("runtime/q_depthwise_taps.h", "q_depthwise_taps",
               {shape_argument("QDepthwiseConv2dShape", s), context.in(0), int8::word_table(context, weight.name, packed),
                int8::output_argument(context), context.out(), context.scratch(DType::i32, q_depthwise_taps_scratch(s))},
               q_depthwise_taps_macs(s), {{0, 0, q_depthwise_taps_lead_x(s)}});
}

void call_bare_depthwise(LowerContext& context, const QDepthwiseConv2dShape& s) {
  const Value& weight = context.graph.value(context.node.inputs[1]);
  std::vector<std::byte> packed(weight.data.size());
  q_depthwise_bare_pack(s, bytes_of(weight), reinterpret_cast<std::int8_t*>(packed.data()));
  context.call("runtime/q_conv2d_bare.h", "q_depthwise_bare",
               {shape_argument("QDepthwiseConv2dShape", s), context.in(0), context.table(weight.name, weight.type, packed), context.in(2),
                int8::scale_argument(context, 3), int8::output_argument(context), context.out()},
               q_depthwise_bare_macs(s), {{0, 0, q_depthwise_bare_lead_x(s)}});
}

void lower_depthwise(LowerContext& context, const Window& w) {
  QDepthwiseConv2dShape s{};
  fill_window(s, w);
  s.channels = to_int(w.in_c), s.multiplier = to_int(w.out_c / w.in_c), s.packed = 1;
  s.x_zero_point = to_int(context.attributes().get_int("x_zero_point", 0));
  if (context.attributes().get_int(saves_scratch, 0) == 1) return call_bare_depthwise(context, s);
  if (int8::takes_vectors(context, 3) && q_vector_depthwise_takes(s)) return lower_vector_depthwise(context, s);
  if (!context.has_dual_multiply() && q_scalar_depthwise_has(s)) return call_scalar_depthwise(context, s);
  // The ring's assembly wants the same stride both ways.
  if (s.multiplier == 1 && !(q_depthwise_has_ring(s) && s.stride_h == s.stride_w) && !context.has_input(4)) return call_depthwise_taps(context, s);
  const Value& weight = context.graph.value(context.node.inputs[1]);
  std::vector<std::byte> packed(static_cast<std::size_t>(q_depthwise_conv2d_packed_bytes(s)));
  q_depthwise_conv2d_pack(s, bytes_of(weight), reinterpret_cast<std::int8_t*>(packed.data()));
  const Argument table = context.table(weight.name, {DType::i8, {static_cast<std::int64_t>(packed.size())}}, packed);
  context.call("runtime/q_depthwise_conv2d.h", "q_depthwise_conv2d",
               {shape_argument("QDepthwiseConv2dShape", s), context.in(0), table, context.in(2), int8::scale_argument(context, 3),
                int8::output_argument(context), context.out(), int8::words(context, q_depthwise_conv2d_scratch(s))},
               q_depthwise_conv2d_macs(s), {{0, 0, q_depthwise_conv2d_lead_x(s)}});
}

void lower_conv(LowerContext& context) {
  require(is_channels_last(context.attributes()), describe(context.node.location) + ": no layout was chosen");
  const Window w = convolution_window(context.attributes(), channels_first(context.input_shape(0), context.attributes()), context.input_shape(1));
  if (is_depthwise(w)) return lower_depthwise(context, w);
  int8::call_conv(context, w);
}

// --- Channels that no input can change ---

Window window_of(const Graph& graph, const Node& node) {
  return convolution_window(node.attributes, channels_first(graph.shape(node.inputs[0]), node.attributes), graph.shape(node.inputs[1]));
}

bool is_separate(const Graph& graph, const Node& node) { return is_depthwise(window_of(graph, node)); }

int x_zero_point(const Node& node) { return to_int(node.attributes.get_int("x_zero_point", 0)); }

/// Which taps of a kernel lie inside the image, along one axis, for some output position.
std::vector<Range> tap_ranges(std::int64_t outputs, std::int64_t stride, std::int64_t pad, std::int64_t dilation, std::int64_t kernel, std::int64_t inputs) {
  std::vector<Range> result;
  for (std::int64_t o = 0; o < outputs; ++o) {
    const Range range = tap_range(to_int(o * stride - pad), to_int(dilation), to_int(kernel), to_int(inputs));
    const auto same = [&](const Range& r) { return r.first == range.first && r.last == range.last; };
    if (std::none_of(result.begin(), result.end(), same)) result.push_back(range);
  }
  return result;
}

/// The rectangles of taps that lie inside the image, of all output pixels.
struct TapRectangle {
  Range rows, columns;
};
std::vector<TapRectangle> tap_rectangles(const Window& w) {
  std::vector<TapRectangle> result;
  for (const Range& rows : tap_ranges(w.out_h, w.stride_h, w.pad_top, w.dilation_h, w.kernel_h, w.in_h))
    for (const Range& columns : tap_ranges(w.out_w, w.stride_w, w.pad_left, w.dilation_w, w.kernel_w, w.in_w)) result.push_back({rows, columns});
  return result;
}

/// What one channel's taps add to a sum, from an input in that range; taps outside the rectangle read as the zero point.
ValueRange contribution(const Window& w, const std::int8_t* weights, ValueRange input, const TapRectangle& inside, int zero_point) {
  ValueRange result{0, 0};
  for (int ky = 0; ky < w.kernel_h; ++ky) {
    for (int kx = 0; kx < w.kernel_w; ++kx) {
      const int weight = *weights++;
      const bool reads = ky >= inside.rows.first && ky < inside.rows.last && kx >= inside.columns.first && kx < inside.columns.last;
      const ValueRange value = reads ? input : ValueRange{zero_point, zero_point};
      result.lo += std::min(weight * value.lo, weight * value.hi), result.hi += std::max(weight * value.lo, weight * value.hi);
    }
  }
  return result;
}

std::vector<ValueRange> channel_ranges(const Graph& graph, const Node& node, const std::vector<ValueRange>& input) {
  const Window w = window_of(graph, node);
  const bool separate = is_depthwise(w);
  if (is_channels_last(node.attributes) || (separate ? w.out_c != w.in_c : w.groups != 1)) return {};
  const std::int8_t* weight = bytes_of(graph.value(node.inputs[1]));
  const auto taps = static_cast<std::size_t>(w.kernel_h * w.kernel_w), inputs = separate ? 1 : static_cast<std::size_t>(w.in_c);
  const std::vector<std::int64_t> bias = integers_of(graph.value(node.inputs[2]));
  std::vector<ValueRange> result;
  const std::vector<TapRectangle> rectangles = tap_rectangles(w);
  for (std::size_t o = 0; o < bias.size(); ++o) {
    ValueRange range{127, -128};
    for (const TapRectangle& inside : rectangles) {
      std::int64_t lo = bias[o], hi = bias[o];
      for (std::size_t i = 0; i < inputs; ++i) {
        const ValueRange part = contribution(w, weight + (o * inputs + i) * taps, input[separate ? o : i], inside, x_zero_point(node));
        lo += part.lo, hi += part.hi;
      }
      range.lo = std::min(range.lo, int8::stored_result(graph, node, 3, o, lo)), range.hi = std::max(range.hi, int8::stored_result(graph, node, 3, o, hi));
    }
    result.push_back(range);
  }
  return result;
}

bool can_fold(const Graph& graph, const Node& node, int value) { return value == x_zero_point(node) || !is_padded(window_of(graph, node)); }

void keep_channels(Graph& graph, Node& node, const KeptChannels& kept) {
  const bool separate = node.attributes.get_int("group", 1) > 1;  // the input has lost its channels already
  if (!separate) int8::keep_weights(graph, node, kept);
  else int8::keep_weights(graph, node, {{true}, kept.outputs, {}});
  if (separate) node.attributes.set("group", graph.shape(node.inputs[1])[0]);
}

}  // namespace

ValueId int8::quantized_conv(QuantizeContext& context) {
  if (context.is_wide()) return int16::quantized_conv(context);
  if (context.has_input(3) || context.shape(1).size() > 4) return no_value;
  const std::optional<Layer> layer = make_layer(context, 0);
  if (!layer) return no_value;
  std::vector<ValueId> inputs = layer_inputs(context, *layer, context.shape(1));
  inputs.insert(inputs.begin(), context.activation(0)->stored);
  Attributes attributes = context.node.attributes;
  attributes.set("x_zero_point", std::int64_t{context.activation(0)->quantization.zero_points[0]});
  return context.emit("Int8Conv", std::move(inputs), std::move(attributes));
}

OpRows int8_convolution_ops() {
  return {{.name = "Int8Conv",
           .min_inputs = 4,
           .max_inputs = 5,
           .infer = infer_conv,
           .lower = lower_conv,
           .layout = {.spatial_inputs = {0}, .spatial_outputs = {0}, .needs_channels_last = true},
           .channels = {channel_ranges, is_separate, can_fold, keep_channels},
           .with_sum = int8::conv_with_sum,
           .absorb_padding =
               [](const Graph& graph, Node& node, const Padding& padding) { return absorb_into_convolution(graph, node, padding, x_zero_point(node)); },
           .faster = int8::faster_conv,
           .can_save_scratch = true,
           .is_public = false}};
}

}  // namespace tinytc
