// What the int8 operators share: quantization rules that the float operators' rows name, the numbers of a layer with weights, and the
// arguments of the int8 kernels (runtime/q_base.h; docs/quantization.md is the specification of their arithmetic).
#pragma once

#include "compiler/quantization.h"

namespace tinytc::int8 {

// Quantization rules (OpDef::quantized), each beside the int8 operator that it makes.
ValueId quantized_conv(QuantizeContext& context);
ValueId quantized_gemm(QuantizeContext& context);
ValueId quantized_matmul(QuantizeContext& context);
/// MatMul whose second operand is an activation too, or constants with a zero point.
ValueId product_of_activations(QuantizeContext& context);
ValueId quantized_add(QuantizeContext& context);
ValueId quantized_sub(QuantizeContext& context);
ValueId quantized_mul(QuantizeContext& context);
ValueId quantized_average_pool(QuantizeContext& context);
ValueId quantized_global_average_pool(QuantizeContext& context);
ValueId quantized_mean(QuantizeContext& context);
ValueId quantized_softmax(QuantizeContext& context);

/// Int8Conv with the Int8Sum that adds its result and a residual; OpDef::with_sum.
std::optional<Node> conv_with_sum(const Graph& graph, const Node& layer, const Node& sum, int operand);

/// A layer with constant weights: for output channel c, stored result = zero point + round(scale[c] * (bias[c] + sum of x * weight)).
struct Layer {
  std::int64_t channels = 0, taps = 0;
  std::vector<std::int8_t> weight;   // [channels][taps]
  std::vector<std::int64_t> bias;    // with -x_zero_point * (sum of the channel's weights)
  std::vector<double> scale;         // x scale * weight scale / y scale
};

/// The layer whose activations are input 0, weights input 1 (output channels on `channel_axis` of rank-2 or deeper weights) and bias
/// input 2 (int32 at any scale, or real numbers). None when a number has no int8 or int32 form, or a sum might leave 32 bits: then the
/// operator stays on real numbers. Channels whose result no input can change get weight 0 and a bias that gives the same.
std::optional<Layer> make_layer(QuantizeContext& context, std::size_t channel_axis);

/// A multiplier of 32 fractional bits is wrong by at most 2^-33, so a sum below this is wrong by at most 2^-7 of a step.
constexpr std::int64_t highest_rough_sum = std::int64_t{1} << 26;

/// The numbers of a layer whose activations are `x` (none: no layer), without a look at its sums.
std::optional<Layer> read_layer(const QuantizeContext& context, const QuantizedTensor* x, std::size_t channel_axis);

/// The constants of a layer as inputs of its int8 node: weight in `shape`, bias, multiplier, shift (absent when none is needed).
std::vector<ValueId> layer_inputs(QuantizeContext& context, const Layer& layer, const Shape& shape);
/// Multipliers and shifts of scales, as constants; the shift is no_value when each scale is a multiple of 2^-32 below one half and
/// `precise` does not ask for 31 significant bits and ties to even.
std::vector<ValueId> scale_inputs(QuantizeContext& context, const std::vector<double>& scales, bool precise);

/// What a sum of channel c becomes; scales are the node's inputs `first` and `first` + 1.
int stored_result(const Graph& graph, const Node& node, int first, std::size_t c, std::int64_t sum);
/// A node (x, weight [outputs][inputs][taps...], bias, multiplier[, shift]) without some channels; what the input's add goes into the bias.
void keep_weights(Graph& graph, Node& node, const KeptChannels& kept);

/// Checks inputs first, first + 1 (multiplier) and first + 2 (shift): `count` entries each.
void check_scale(const TypeContext& context, int first, std::int64_t count);
/// QScale of inputs `first` and, if it is there, `first` + 1.
Argument scale_argument(const LowerContext& context, int first);
/// QOutput of the node's attributes.
Argument output_argument(const LowerContext& context);
/// QSum of the attributes a_scale, a_zero_point, b_scale, b_zero_point and y_zero_point.
Argument sum_argument(const LowerContext& context);
/// Whether the vector kernels take this layer, whose scale is input `first`: the target has vectors, and the scale has no shifts.
bool takes_vectors(const LowerContext& context, int first);
/// Scratch in 32-bit words, or a null pointer for none.
Argument words(LowerContext& context, std::int64_t count);
/// The elements of constant input i.
template <typename T>
const T* constant(const LowerContext& context, int i) {
  return reinterpret_cast<const T*>(context.graph.value(context.node.inputs[static_cast<std::size_t>(i)]).data.data());
}
/// A table of 32-bit words in flash.
Argument word_table(LowerContext& context, const std::string& name, const std::vector<std::uint32_t>& words);

}  // namespace tinytc::int8
