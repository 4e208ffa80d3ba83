// Softmax in int8 from a table of exponentials that the compiler makes.
#ifndef TINYTC_RUNTIME_Q_SOFTMAX_H
#define TINYTC_RUNTIME_Q_SOFTMAX_H

#include "runtime/q_base.h"

namespace tinytc {

/// x is [outer][axis][inner]; the softmax runs over `axis`.
struct QSoftmaxShape {
  int outer;
  int axis;
  int inner;
};
template <typename V>
constexpr void visit(const QSoftmaxShape& s, V&& v) {
  v("outer", s.outer);
  v("axis", s.axis);
  v("inner", s.inner);
}
/// In place; a strided row is written before its neighbours are read.
constexpr int q_softmax_lead_x(const QSoftmaxShape& s) { return s.inner == 1 ? 0 : (s.axis - 1) * s.inner; }

/// Zeros above the highest one of a non-zero word.
TINYTC_INLINE int q_leading_zeros(std::uint32_t value) { return __builtin_clz(static_cast<unsigned>(value)); }

/// floor((2^63 - 1) / divisor) for a divisor of at least 2^31: 32 steps of long division.
TINYTC_INLINE std::uint32_t q_reciprocal(std::uint32_t divisor) {
  std::uint32_t rest = 0x7FFFFFFFU;
  std::uint32_t quotient = 0;
  for (int bit = 0; bit < 32; ++bit) {
    const bool carry = rest >> 31 != 0;
    rest = rest << 1 | 1U;
    const bool fits = carry || rest >= divisor;
    rest = fits ? rest - divisor : rest;
    quotient = quotient << 1 | (fits ? 1U : 0U);
  }
  return quotient;
}

/// y = clamp(zero point + round(p / y_scale)), p = exponential[m - x] / their sum, m the largest x.
/// exponential: [256], entry d = round(2^bits exp(-x_scale d)) with bits such that `axis` of them stay below
/// 2^32; p is rounded down to 31 bits. 1 / y_scale = multiplier / 2^(shift - 31), multiplier below 2^32,
/// shift in [32, 62]. x, y: [outer][axis][inner]; y may be x.
TINYTC_INLINE void q_softmax(const QSoftmaxShape& s, const std::uint32_t* exponential,
                             std::uint32_t multiplier, int shift, const QOutput& out, const std::int8_t* x,
                             std::int8_t* y) {
  for (int row = 0; row < s.outer * s.inner; ++row) {
    const int start = row / s.inner * s.axis * s.inner + row % s.inner;
    int largest = -128;
    for (int k = 0; k < s.axis; ++k) largest = max_of<int>(largest, x[start + k * s.inner]);
    std::uint32_t sum = 0;
    for (int k = 0; k < s.axis; ++k) sum += exponential[largest - x[start + k * s.inner]];
    const int zeros = q_leading_zeros(sum);
    const std::uint64_t reciprocal = q_reciprocal(sum << zeros);
    for (int k = 0; k < s.axis; ++k) {
      const std::uint32_t part = exponential[largest - x[start + k * s.inner]];
      const std::uint64_t p = (part * reciprocal) >> (32 - zeros);
      const std::uint64_t scaled = (p * multiplier + (std::uint64_t{1} << (shift - 1))) >> shift;
      const int value = static_cast<int>(min_of(scaled, std::uint64_t{1} << 16));
      y[start + k * s.inner] = q_clamp(value + out.zero_point, out);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_SOFTMAX_H
