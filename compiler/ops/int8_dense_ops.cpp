// Int8Dense(x, weight, bias, multiplier[, shift]): Gemm and MatMul with constant weights on stored numbers. weight is [out][in]; x has its
// `in` elements on the last axis. The input's zero point is folded into the bias.
#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/int16.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/int8_conv_kernels.h"
#include "compiler/ops/rules.h"
#include "runtime/q_conv2d_bare.h"
#include "runtime/q_dense.h"
#include "runtime/q_dense_plain.h"
#include "runtime/q_scalar_dense.h"
#include "runtime/q_vector_dense.h"

namespace tinytc {

namespace {

std::vector<TensorType> infer_dense(const TypeContext& context) {
  rules::require_dtype(context, 0, DType::i8);
  rules::require_dtype(context, 1, DType::i8);
  rules::require_dtype(context, 2, DType::i32);
  rules::require_rank(context, 0, 1);
  const Shape& weight = context.shape(1);
  if (weight.size() != 2 || context.shape(0).back() != weight[1]) context.fail("the weights do not fit the input");
  rules::require_shape(context, 2, {weight[0]}, "the bias");
  int8::check_scale(context, 3, weight[0]);
  Shape shape = context.shape(0);
  shape.back() = weight[0];
  return int8_result(context, shape);
}

void lower_vector_dense(LowerContext& context, const QDenseShape& s) {
  const Value& weight = context.graph.value(context.node.inputs[1]);
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_vector_dense_words(s)));
  q_vector_dense_pack(s, int8::constant<std::int8_t>(context, 1), int8::constant<std::int32_t>(context, 2),
                      int8::constant<std::int32_t>(context, 3), packed.data());
  context.call("runtime/q_vector_dense.h", "q_vector_dense",
               {shape_argument("QDenseShape", s), context.in(0), int8::word_table(context, weight.name, packed),
                int8::output_argument(context), context.out(), int8::words(context, q_vector_dense_scratch(s))},
               q_vector_dense_macs(s), {{0, 0, q_vector_dense_lead_x(s)}});
}

void call_scalar(LowerContext& context, const QDenseShape& s) {
  const Value& weight = context.graph.value(context.node.inputs[1]);
  std::vector<std::byte> packed(static_cast<std::size_t>(q_scalar_dense_packed_bytes(s)));
  q_scalar_dense_pack(s, reinterpret_cast<const std::int8_t*>(weight.data.data()), reinterpret_cast<std::uint8_t*>(packed.data()));
  const Argument table = context.table(weight.name, {DType::u8, {static_cast<std::int64_t>(packed.size())}}, packed);
  context.call("runtime/q_scalar_dense.h", "q_scalar_dense",
               {shape_argument("QDenseShape", s), context.in(0), table, context.in(2), int8::scale_argument(context, 3),
                int8::output_argument(context), context.out()},
               q_scalar_dense_macs(s), {{0, 0, q_scalar_dense_lead_x(s)}});
}

/// As a 1x1 convolution of images of one pixel.
void call_bare(LowerContext& context, const QDenseShape& dense) {
  const QConv2dShape s{dense.rows, 1, 1, dense.in, 1, 1, dense.out, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0};
  context.call("runtime/q_conv2d_bare.h", "q_conv2d_bare",
               {shape_argument("QConv2dShape", s), context.in(0), context.in(1), context.in(2), int8::scale_argument(context, 3),
                int8::output_argument(context), context.out()},
               q_conv2d_bare_macs(s), {{0, 0, q_conv2d_bare_lead_x(s)}});
}

/// As a 1x1 convolution of an image of one row: its blocks take two pixels at a time.
void call_rows(LowerContext& context, const QDenseShape& dense) {
  Window w;
  w.batch = w.in_h = w.out_h = 1, w.in_w = w.out_w = dense.rows, w.in_c = dense.in, w.out_c = dense.out;
  int8::call_conv(context, w);
}

void lower_dense(LowerContext& context) {
  const Value& weight = context.graph.value(context.node.inputs[1]);
  const Value& bias = context.graph.value(context.node.inputs[2]);
  const auto* bytes = reinterpret_cast<const std::int8_t*>(weight.data.data());
  const QDenseShape s{to_int(element_count(context.input_shape(0)) / weight.type.shape[1]), to_int(weight.type.shape[1]), to_int(weight.type.shape[0])};
  if (context.attributes().get_int(saves_scratch, 0) == 1) return call_bare(context, s);
  if (int8::takes_vectors(context, 3)) return lower_vector_dense(context, s);
  if (!context.has_dual_multiply()) return call_scalar(context, s);
  if (s.rows > 1) return call_rows(context, s);
  if (!q_pairable(s.out, s.in, bytes, reinterpret_cast<const std::int32_t*>(bias.data.data())))
    return context.call("runtime/q_dense_plain.h", "q_dense_plain",
                        {shape_argument("QDenseShape", s), context.in(0), context.in(1), context.in(2), int8::scale_argument(context, 3),
                         int8::output_argument(context), context.out(), int8::words(context, q_dense_plain_scratch(s))},
                        q_dense_plain_macs(s), {{0, 0, q_dense_plain_lead_x(s)}});
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_dense_packed_words(s)));
  q_dense_pack(s, bytes, packed.data());
  context.call("runtime/q_dense.h", "q_dense",
               {shape_argument("QDenseShape", s), context.in(0), int8::word_table(context, weight.name, packed), context.in(2),
                int8::scale_argument(context, 3), int8::output_argument(context), context.out(), int8::words(context, q_dense_scratch(s))},
               q_dense_macs(s), {{0, 0, q_dense_lead_x(s)}});
}

ValueId dense(QuantizeContext& context, std::size_t channel_axis) {
  if (context.shape(1).size() != 2) return no_value;
  if (context.is_wide()) return int16::quantized_dense(context, channel_axis);
  const std::optional<int8::Layer> layer = int8::make_layer(context, channel_axis);
  if (!layer) return no_value;
  std::vector<ValueId> inputs = int8::layer_inputs(context, *layer, {layer->channels, layer->taps});
  inputs.insert(inputs.begin(), context.activation(0)->stored);
  return context.emit("Int8Dense", std::move(inputs));
}

/// Channels of a dense layer are the elements of a row: x is [rows][in].
std::vector<ValueRange> channel_ranges(const Graph& graph, const Node& node, const std::vector<ValueRange>& input) {
  if (graph.shape(node.inputs[0]).size() != 2) return {};
  const std::vector<std::int64_t> weight = integers_of(graph.value(node.inputs[1])), bias = integers_of(graph.value(node.inputs[2]));
  std::vector<ValueRange> result;
  for (std::size_t o = 0; o < bias.size(); ++o) {
    std::int64_t lo = bias[o], hi = bias[o];
    for (std::size_t i = 0; i < input.size(); ++i) {
      const std::int64_t w = weight[o * input.size() + i];
      lo += std::min(w * input[i].lo, w * input[i].hi), hi += std::max(w * input[i].lo, w * input[i].hi);
    }
    result.push_back({int8::stored_result(graph, node, 3, o, lo), int8::stored_result(graph, node, 3, o, hi)});
  }
  return result;
}

}  // namespace

ValueId int8::quantized_gemm(QuantizeContext& context) {
  const Attributes& attributes = context.node.attributes;
  const bool plain = attributes.get_float("alpha", 1) == 1 && attributes.get_float("beta", 1) == 1 && attributes.get_int("transA", 0) == 0;
  return plain ? dense(context, attributes.get_int("transB", 0) != 0 ? 0 : 1) : no_value;
}

ValueId int8::quantized_matmul(QuantizeContext& context) {
  const Attributes& attributes = context.node.attributes;
  if (attributes.get_int("transA", 0) != 0 || attributes.get_int("transB", 0) != 0) return no_value;
  const ValueId layer = dense(context, 1);
  return layer == no_value ? product_of_activations(context) : layer;
}

OpRows int8_dense_ops() {
  return {{.name = "Int8Dense",
           .min_inputs = 4,
           .max_inputs = 5,
           .infer = infer_dense,
           .lower = lower_dense,
           .channels = {channel_ranges, [](const Graph&, const Node&) { return false; }, [](const Graph&, const Node&, int) { return true; },
                        int8::keep_weights},
           .can_save_scratch = true,
           .is_public = false}};
}

}  // namespace tinytc
