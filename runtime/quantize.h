// Between real and quantized numbers: real = scale * (stored - zero_point).
//
// quantize_linear and dequantize_linear are ONNX's operators in single precision, operation for operation, so
// that they agree with it bit for bit. table_lookup is any function of one int8 operand, tabulated while
// compiling. flip_sign turns unsigned storage with zero point z into signed storage with z - 128 and back.
#ifndef TINYTC_RUNTIME_QUANTIZE_H
#define TINYTC_RUNTIME_QUANTIZE_H

#include "runtime/base.h"
#include "runtime/elementwise.h"
#include "runtime/math_bits.h"

namespace tinytc {

/// A row-major tensor [outer, channels, inner] with a scale for each channel; `channels` is 1 for one scale.
struct QuantizeShape {
  int outer;
  int channels;
  int inner;
};
template <typename V>
constexpr void visit(const QuantizeShape& s, V&& v) {
  v("outer", s.outer);
  v("channels", s.channels);
  v("inner", s.inner);
}

/// The smallest and largest number that integer type Q holds (Q has at most 32 bits).
template <typename Q>
constexpr std::int32_t stored_lowest() {
  return static_cast<Q>(-1) < static_cast<Q>(0) ? static_cast<std::int32_t>(-(1LL << (8 * sizeof(Q) - 1))) : 0;
}
template <typename Q>
constexpr std::int32_t stored_highest() {
  return static_cast<std::int32_t>((1LL << (8 * sizeof(Q) - (static_cast<Q>(-1) < static_cast<Q>(0) ? 1 : 0))) - 1);
}

/// round(x / scale) + zero_point, ties to even, cut off at the ends of Q (at most 16 bits). NaN gives the
/// zero point.
template <typename T, typename Q>
TINYTC_INLINE Q quantized(T x, T scale, std::int32_t zero_point) {
  const T whole = math_round(x / scale);
  constexpr T end = static_cast<T>(1 << 20);  // beyond any end of Q, and the sum with a zero point fits
  const T bounded = whole < -end ? -end : (whole > end ? end : whole);
  const std::int32_t stored = (bounded == bounded ? static_cast<std::int32_t>(bounded) : 0) + zero_point;
  return static_cast<Q>(min_of(max_of(stored, stored_lowest<Q>()), stored_highest<Q>()));
}

/// ONNX QuantizeLinear. x: [outer, channels, inner]; scale, zero_point: [channels]; y like x.
template <typename T, typename Q>
TINYTC_INLINE void quantize_linear(const QuantizeShape& shape, const T* x, const T* scale, const Q* zero_point, Q* y) {
  int i = 0;
  for (int o = 0; o < shape.outer; ++o)
    for (int c = 0; c < shape.channels; ++c)
      for (int k = 0; k < shape.inner; ++k, ++i) y[i] = quantized<T, Q>(x[i], scale[c], zero_point[c]);
}
/// Exact in place: an element's result is not larger than the element.
constexpr int quantize_linear_lead_x(const QuantizeShape&) { return 0; }

/// ONNX DequantizeLinear: y = (x - zero_point) * scale. x: [outer, channels, inner]; scale, zero_point:
/// [channels]; y like x.
template <typename Q, typename T>
TINYTC_INLINE void dequantize_linear(const QuantizeShape& shape, const Q* x, const T* scale, const Q* zero_point, T* y) {
  int i = 0;
  for (int o = 0; o < shape.outer; ++o)
    for (int c = 0; c < shape.channels; ++c)
      for (int k = 0; k < shape.inner; ++k, ++i)
        y[i] = static_cast<T>(static_cast<std::int32_t>(x[i]) - static_cast<std::int32_t>(zero_point[c])) * scale[c];
}

/// y = table[x + 128]. table: 256 elements; x, y: `count` elements.
TINYTC_INLINE void table_lookup(const ElementwiseShape& shape, const std::int8_t* table, const std::int8_t* x,
                                std::int8_t* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = table[x[i] + 128];
}
constexpr int table_lookup_lead_x(const ElementwiseShape&) { return 0; }

/// y = x with the highest bit turned over: x - 128 from unsigned to signed, x + 128 back. `count` elements.
template <typename From, typename To>
TINYTC_INLINE void flip_sign(const ElementwiseShape& shape, const From* x, To* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = static_cast<To>(static_cast<std::uint8_t>(x[i]) ^ 128U);
}
constexpr int flip_sign_lead_x(const ElementwiseShape&) { return 0; }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_QUANTIZE_H
