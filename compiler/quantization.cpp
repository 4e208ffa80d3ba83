// Arithmetic on quantization parameters; see quantization.h.
#include "compiler/quantization.h"

#include <cmath>

namespace tinytc {

Quantization quantization_of(const Graph& graph, const Node& node) {
  const Value& scale = graph.value(node.inputs[1]);
  Quantization result;
  for (double number : numbers_of(scale)) result.scales.push_back(static_cast<float>(number));
  result.zero_points.assign(result.scales.size(), 0);
  if (node.inputs.size() > 2 && node.inputs[2] != no_value) {
    const std::vector<std::int64_t> zeros = integers_of(graph.value(node.inputs[2]));
    for (std::size_t c = 0; c < zeros.size(); ++c) result.zero_points[c] = static_cast<std::int32_t>(zeros[c]);
  }
  if (result.scales.size() == 1) return result;
  const auto rank = static_cast<std::int64_t>(graph.shape(node.inputs[0]).size());
  const std::int64_t axis = node.attributes.get_int("axis", 1);
  result.axis = static_cast<int>(axis < 0 ? axis + rank : axis);
  return result;
}

std::optional<Quantization> flipped(std::optional<Quantization> quantization, DType from) {
  if (quantization)
    for (std::int32_t& zero_point : quantization->zero_points) zero_point += from == DType::u8 ? -128 : 128;
  return quantization;
}

double stored_number(double real, const Quantization& quantization) {
  // The quotient in single precision, as the operator has it; nearbyint rounds ties to even.
  const float quotient = static_cast<float>(real) / quantization.scales[0];
  return std::nearbyint(double{quotient}) + quantization.zero_points[0];
}

std::vector<TensorType> int8_result(const TypeContext& context, const Shape& shape) {
  const auto zero_point = static_cast<std::int32_t>(context.attributes().get_int("y_zero_point", 0));
  const auto scale = static_cast<float>(context.attributes().get_float("y_scale", 1));
  const DType dtype = context.attributes().get_int("y_bits", 8) == 16 ? DType::i16 : DType::i8;
  return {{dtype, shape, Quantization{{scale}, {zero_point}, -1}}};
}

}  // namespace tinytc
