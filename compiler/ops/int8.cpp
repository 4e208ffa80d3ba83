// Numbers and arguments of int8 operators; see int8.h.
#include "compiler/ops/int8.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "compiler/ops/rules.h"
#include "runtime/q_scale.h"

namespace tinytc::int8 {

namespace {

double scale_at(const Quantization& quantization, std::size_t c) { return double{quantization.scales[quantization.axis < 0 ? 0 : c]}; }
std::int32_t zero_at(const Quantization& quantization, std::size_t c) { return quantization.zero_points[quantization.axis < 0 ? 0 : c]; }

/// Weights as [channels][taps] with zero points taken off; false when one leaves int8.
bool read_weights(const QuantizeContext& context, std::size_t channel_axis, Layer& layer) {
  const QuantizedTensor& operand = *context.input(1);
  const Shape& shape = context.graph.shape(operand.stored);
  std::int64_t inner = 1;
  for (std::size_t d = channel_axis + 1; d < shape.size(); ++d) inner *= shape[d];
  layer.channels = shape[channel_axis];
  layer.taps = element_count(shape) / layer.channels;
  layer.weight.resize(static_cast<std::size_t>(layer.channels * layer.taps));
  const std::vector<std::int64_t> stored = integers_of(context.graph.value(operand.stored));
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(stored.size()); ++i) {
    const std::int64_t channel = i / inner % layer.channels, tap = i / (inner * layer.channels) * inner + i % inner;
    const std::int64_t number = stored[static_cast<std::size_t>(i)] - zero_at(operand.quantization, static_cast<std::size_t>(channel));
    if (number < -128 || number > 127) return false;
    layer.weight[static_cast<std::size_t>(channel * layer.taps + tap)] = static_cast<std::int8_t>(number);
  }
  return true;
}

/// The integer nearest to a bias, or its other neighbour where only that gives the right result for inputs that stand for 0: behind a ReLU
/// these are so frequent that a result beside a half would be wrong for a third of a channel. `scale` makes results of sums. What is beyond
/// 2^40, infinite or NaN becomes 2^40 in size, which no layer takes.
std::int64_t nearest_bias(double bias, double scale) {
  constexpr double limit = 0x1p40;
  if (!(std::abs(bias) < limit)) return static_cast<std::int64_t>(std::copysign(limit, bias));
  const double nearest = std::nearbyint(bias), other = nearest + (bias > nearest ? 1 : -1), result = std::nearbyint(bias * scale);
  const bool other_is_right = std::nearbyint(nearest * scale) != result && std::nearbyint(other * scale) == result;
  return std::llround(other_is_right ? other : nearest);
}

/// The bias in units of `unit` (x scale * weight scale of its channel). A stored one counts as it is where its scale is that unit but for
/// single precision's rounding, which is what exporters mean.
std::int64_t bias_at(const QuantizeContext& context, const std::vector<double>& numbers, std::size_t c, double unit) {
  const double number = numbers[numbers.size() == 1 ? 0 : c], scale = unit / double{context.output.scales[0]};
  const QuantizedTensor* stored = context.input(2);
  if (stored == nullptr) return nearest_bias(number / unit, scale);
  const double ratio = scale_at(stored->quantization, c) / unit;
  const double real = number - zero_at(stored->quantization, c);
  return std::abs(ratio - 1) < 1e-5 ? static_cast<std::int64_t>(real) : nearest_bias(real * ratio, scale);
}

struct Sums {
  std::int64_t least, largest;
};

/// Between which bounds the sum of a channel lies for any stored input.
Sums sums_of(const Layer& layer, std::size_t c) {
  Sums sums{layer.bias[c], layer.bias[c]};
  for (std::int64_t k = 0; k < layer.taps; ++k) {
    const std::int64_t weight = layer.weight[c * static_cast<std::size_t>(layer.taps) + static_cast<std::size_t>(k)];
    sums.least += weight > 0 ? -128 * weight : 127 * weight;
    sums.largest += weight > 0 ? 127 * weight : -128 * weight;
  }
  return sums;
}

std::int8_t result_of(std::int64_t sum, double scale, const QOutput& out) {
  const QMultiplier number = q_shifted_multiplier(scale);
  return q_clamp(q_multiply_even(out.zero_point, static_cast<std::int32_t>(sum), number.multiplier, number.shift), out);
}

/// A channel that always gives the same: no weights, and 2^-8 as scale of 256 times what it gives.
void make_constant(Layer& layer, std::size_t c, int above_zero_point) {
  const auto first = layer.weight.begin() + static_cast<std::ptrdiff_t>(c) * layer.taps;
  std::fill(first, first + layer.taps, std::int8_t{0});
  layer.bias[c] = std::int64_t{256} * above_zero_point;
  layer.scale[c] = 1.0 / 256;
}

/// Of how many factors 2 all sums of a channel are multiples; 31 if all are 0.
int zeros_of(const Layer& layer, std::size_t c) {
  std::int64_t all = layer.bias[c];
  for (std::int64_t k = 0; k < layer.taps; ++k) all = std::gcd(all, std::int64_t{layer.weight[c * static_cast<std::size_t>(layer.taps) + static_cast<std::size_t>(k)]});
  return std::countr_zero(static_cast<std::uint64_t>(all) | std::uint64_t{1} << 31);
}

bool fits_32_bits(const Sums& sums) {
  return sums.least >= std::numeric_limits<std::int32_t>::min() && sums.largest <= std::numeric_limits<std::int32_t>::max();
}

std::optional<std::vector<double>> bias_numbers(const QuantizeContext& context, std::int64_t channels) {
  if (!context.has_input(2)) return std::vector<double>{0};
  const QuantizedTensor* stored = context.input(2);
  const Value& value = context.graph.value(stored != nullptr ? stored->stored : context.node.inputs[2]);
  const std::int64_t count = element_count(value.type.shape);
  const bool is_by_channel = count == 1 || (count == channels && value.type.shape.back() == channels);  // not one for each row
  if (value.role != Role::constant || !is_by_channel) return std::nullopt;
  return numbers_of(value);
}

}  // namespace

std::optional<Layer> read_layer(const QuantizeContext& context, const QuantizedTensor* x, std::size_t channel_axis) {
  const QuantizedTensor* w = context.input(1);
  if (x == nullptr || w == nullptr || context.graph.type(w->stored).dtype != DType::i8 || context.stored(1).role != Role::constant) return std::nullopt;
  if (w->quantization.axis >= 0 && w->quantization.axis != static_cast<int>(channel_axis)) return std::nullopt;
  Layer layer;
  if (!read_weights(context, channel_axis, layer)) return std::nullopt;
  const std::optional<std::vector<double>> bias = bias_numbers(context, layer.channels);
  if (!bias) return std::nullopt;
  for (std::size_t c = 0; c < static_cast<std::size_t>(layer.channels); ++c) {
    const double unit = double{x->quantization.scales[0]} * scale_at(w->quantization, c);
    std::int64_t folded = bias_at(context, *bias, c, unit);
    for (std::size_t k = 0; k < static_cast<std::size_t>(layer.taps); ++k)
      folded -= std::int64_t{x->quantization.zero_points[0]} * layer.weight[c * static_cast<std::size_t>(layer.taps) + k];
    layer.bias.push_back(folded);
    layer.scale.push_back(unit / double{context.output.scales[0]});
    if (!(layer.scale[c] < q_power_of_two(28))) return std::nullopt;
  }
  return layer;
}

std::optional<Layer> make_layer(QuantizeContext& context, std::size_t channel_axis) {
  std::optional<Layer> read = read_layer(context, context.activation(0), channel_axis);
  if (!read) return std::nullopt;
  Layer& layer = *read;
  const QOutput out{context.output.zero_points[0], context.lo, context.hi};
  for (std::size_t c = 0; c < static_cast<std::size_t>(layer.channels); ++c) {
    const Sums sums = sums_of(layer, c);
    if (!fits_32_bits(sums)) return std::nullopt;
    const std::int8_t result = result_of(sums.least, layer.scale[c], out);
    if (result == result_of(sums.largest, layer.scale[c], out)) make_constant(layer, c, result - out.zero_point);
  }
  return read;
}

std::vector<ValueId> scale_inputs(QuantizeContext& context, const std::vector<double>& scales, bool precise) {
  const bool rough = !precise && std::all_of(scales.begin(), scales.end(), [](double scale) { return q_scale_is_high(scale); });
  std::vector<double> multipliers, shifts;
  for (double scale : scales) {
    const QMultiplier number = rough ? q_high_multiplier(scale) : q_shifted_multiplier(scale);
    multipliers.push_back(number.multiplier);
    shifts.push_back(number.shift);
  }
  return {context.constant("multiplier", DType::i32, multipliers), rough ? no_value : context.constant("shift", DType::i8, shifts)};
}

std::vector<ValueId> layer_inputs(QuantizeContext& context, const Layer& layer, const Shape& shape) {
  bool precise = false;
  for (std::size_t c = 0; c < layer.bias.size(); ++c) {
    const Sums sums = sums_of(layer, c);
    precise = precise || sums.least < -highest_rough_sum || sums.largest > highest_rough_sum || q_ties_are_common(layer.scale[c], zeros_of(layer, c));
  }
  const ValueId weight = add_constant(context.graph, context.stored(1).name, DType::i8, shape,
                                      std::vector<double>(layer.weight.begin(), layer.weight.end()));
  std::vector<ValueId> inputs{weight, context.constant("bias", DType::i32, std::vector<double>(layer.bias.begin(), layer.bias.end()))};
  const std::vector<ValueId> scale = scale_inputs(context, layer.scale, precise);
  inputs.insert(inputs.end(), scale.begin(), scale.end());
  return inputs;
}

int stored_result(const Graph& graph, const Node& node, int first, std::size_t c, std::int64_t sum) {
  const auto at = static_cast<std::size_t>(first);
  const bool has_shift = node.inputs.size() > at + 1 && node.inputs[at + 1] != no_value;
  const QScale scale{reinterpret_cast<const std::int32_t*>(graph.value(node.inputs[at]).data.data()),
                     has_shift ? reinterpret_cast<const std::int8_t*>(graph.value(node.inputs[at + 1]).data.data()) : nullptr};
  const QOutput out{to_int(node.attributes.get_int("y_zero_point", 0)), to_int(node.attributes.get_int("y_lo", -128)),
                    to_int(node.attributes.get_int("y_hi", 127))};
  return q_requantized(static_cast<std::int32_t>(sum), scale, static_cast<int>(c), out);
}

void keep_weights(Graph& graph, Node& node, const KeptChannels& kept) {
  Shape shape = graph.shape(node.inputs[1]);
  const std::size_t outputs = kept.outputs.size(), inputs = kept.inputs.size();
  const std::size_t taps = static_cast<std::size_t>(element_count(shape)) / (outputs * inputs);
  const std::vector<double> weight = numbers_of(graph.value(node.inputs[1])), bias = numbers_of(graph.value(node.inputs[2]));
  std::vector<double> new_weight, new_bias;
  for (std::size_t o = 0; o < outputs; ++o) {
    if (!kept.outputs[o]) continue;
    double sum = bias[o];
    for (std::size_t i = 0; i < inputs; ++i) {
      const auto first = weight.begin() + static_cast<std::ptrdiff_t>((o * inputs + i) * taps);
      if (kept.inputs[i]) new_weight.insert(new_weight.end(), first, first + static_cast<std::ptrdiff_t>(taps));
      else sum += kept.ranges[i].lo * std::accumulate(first, first + static_cast<std::ptrdiff_t>(taps), 0.0);
    }
    new_bias.push_back(sum);
  }
  shape[0] = static_cast<std::int64_t>(new_bias.size());
  shape[1] = std::count(kept.inputs.begin(), kept.inputs.end(), true);
  const auto replace = [&](std::size_t input, DType dtype, const Shape& to, const std::vector<double>& numbers) {
    node.inputs[input] = add_constant(graph, graph.value(node.inputs[input]).name, dtype, to, numbers);
  };
  replace(1, DType::i8, shape, new_weight);
  replace(2, DType::i32, {shape[0]}, new_bias);
  for (std::size_t i = 3; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == no_value) continue;
    const std::vector<double> all = numbers_of(graph.value(node.inputs[i]));
    std::vector<double> rest;
    for (std::size_t o = 0; o < outputs; ++o)
      if (kept.outputs[o]) rest.push_back(all[o]);
    replace(i, graph.type(node.inputs[i]).dtype, {shape[0]}, rest);
  }
}

void check_scale(const TypeContext& context, int first, std::int64_t count) {
  rules::require_dtype(context, first, DType::i32);
  rules::require_shape(context, first, {count}, "the multiplier");
  if (!context.has_input(first + 1)) return;
  rules::require_dtype(context, first + 1, DType::i8);
  rules::require_shape(context, first + 1, {count}, "the shift");
}

Argument scale_argument(const LowerContext& context, int first) {
  return object("QScale", {context.in(first), context.has_input(first + 1) ? context.in(first + 1) : literal("nullptr")});
}

Argument output_argument(const LowerContext& context) {
  const auto number = [&](const char* name, std::int64_t fallback) { return number_argument(name, to_int(context.attributes().get_int(name, fallback))); };
  return object("QOutput", {number("y_zero_point", 0), number("y_lo", -128), number("y_hi", 127)});
}

Argument sum_argument(const LowerContext& context) {
  const auto scale = [&](const char* name) { return context.attributes().get_float(name, 1); };
  const auto zero = [&](const char* name) { return to_int(context.attributes().get_int(name, 0)); };
  const QSum sum = q_make_sum(scale("a_scale"), zero("a_zero_point"), scale("b_scale"), zero("b_zero_point"), zero("y_zero_point"));
  return object("QSum", {number_argument("a_multiplier", to_int(sum.a_multiplier)), number_argument("b_multiplier", to_int(sum.b_multiplier)),
                         number_argument("offset", to_int(sum.offset)), number_argument("shift", sum.shift),
                         number_argument("even", sum.even), number_argument("odd", sum.odd)});
}

bool takes_vectors(const LowerContext& context, int first) {
  return context.has_vectors() && !context.has_input(first + 1);
}

Argument words(LowerContext& context, std::int64_t count) {
  return count == 0 ? literal("static_cast<std::uint32_t*>(nullptr)") : context.scratch(DType::u32, count);
}

Argument word_table(LowerContext& context, const std::string& name, const std::vector<std::uint32_t>& words) {
  std::vector<std::byte> data(words.size() * sizeof(std::uint32_t));
  std::memcpy(data.data(), words.data(), data.size());
  return context.table(name, {DType::u32, {static_cast<std::int64_t>(words.size())}}, std::move(data));
}

}  // namespace tinytc::int8
