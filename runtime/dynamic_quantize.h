// Quantization by the range that a tensor has while the model runs.
#ifndef TINYTC_RUNTIME_DYNAMIC_QUANTIZE_H
#define TINYTC_RUNTIME_DYNAMIC_QUANTIZE_H

#include <cstdint>

#include "runtime/elementwise.h"
#include "runtime/math_bits.h"

namespace tinytc {

/// The integer nearest to ratio, halves to even, plus zero, cut off at 0 and 255. |ratio| < 2^22, or any
/// number comes out: adding 1.5 * 2^23 leaves the integer in the low bits, which are read as they stand.
TINYTC_INLINE std::uint8_t dynamic_quantized(float ratio, int zero) {
  const int whole = static_cast<int>(bits_of(rounded(ratio + 12582912.0F)) - 0x4B400000U);
  return static_cast<std::uint8_t>(min_of(max_of(whole + zero, 0), 255));
}

/// ONNX DynamicQuantizeLinear: the least and the largest of x and 0 become 0 and 255; what has no range gets
/// scale 1. y = clamp(nearest_even(x / scale) + zero point). x must be finite: any number comes out of
/// others. scale and zero_point: one element each. y, scale and zero_point may be null; y may overlap x from
/// dynamic_quantize_linear_lead_x on.
TINYTC_INLINE void dynamic_quantize_linear(const ElementwiseShape& shape, const float* x, std::uint8_t* y,
                                           float* scale, std::uint8_t* zero_point) {
  // Bits of floats have their order, where these are negative that of their size: comparing integers takes a
  // third of the cycles.
  std::uint32_t least_bits = bits_of(-0.0F);
  std::int32_t largest_bits = 0;
  for (int i = 0; i < shape.count; ++i) {
    const std::uint32_t bits = bits_of(x[i]);
    least_bits = max_of(least_bits, bits);
    largest_bits = max_of(largest_bits, static_cast<std::int32_t>(bits));
  }
  const float least = from_bits(least_bits);
  const float range = (from_bits(static_cast<std::uint32_t>(largest_bits)) - least) / 255.0F;
  const float step = range > 0.0F ? range : 1.0F;
  const std::uint8_t zero = dynamic_quantized(-least / step, 0);
  for (int i = 0; i < shape.count && y != nullptr; ++i) y[i] = dynamic_quantized(x[i] / step, zero);
  if (scale != nullptr) *scale = step;
  if (zero_point != nullptr) *zero_point = zero;
}
constexpr int dynamic_quantize_linear_lead_x(const ElementwiseShape&) { return 0; }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_DYNAMIC_QUANTIZE_H
