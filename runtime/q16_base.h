// What the kernels with int16 activations share: requantization of wide sums, and products of int16 activations
// with int8 weights.
//
// An activation is int16 with zero point 0, or int8 with any; the same kernels take either at their input and
// at their output. Sums are exact, of 32 or 64 bits as the compiler has found necessary (the template argument
// Acc). docs/quantization.md is the specification.
#ifndef TINYTC_RUNTIME_Q16_BASE_H
#define TINYTC_RUNTIME_Q16_BASE_H

#include "runtime/q_base.h"

namespace tinytc {

/// The value clamped to the output's range. Y: std::int8_t or std::int16_t.
template <typename Y>
TINYTC_INLINE Y q16_clamp(std::int64_t value, const QOutput& out) {
  return static_cast<Y>(min_of<std::int64_t>(max_of<std::int64_t>(value, out.lo), out.hi));
}

/// clamp(zero point + sum multiplier / 2^shift): one rounding, ties to even. The scale has shifts;
/// |sum multiplier| < 3 * 2^61.
template <typename Y, typename Acc>
TINYTC_INLINE Y q16_requantized(Acc sum, const QScale& scale, int c, const QOutput& out) {
  const std::int64_t product = static_cast<std::int64_t>(sum) * scale.multiplier[c];
  return q16_clamp<Y>(q_shift_even(product, scale.shift[c]) + out.zero_point, out);
}

/// Two int16 at any even address as lanes.
TINYTC_INLINE std::uint32_t q16_load(const std::int16_t* x) {
#if defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN)
  std::uint32_t word;
  __builtin_memcpy(&word, x, 4);
  return word;
#else
  return q_lanes(x[0], x[1]);
#endif
}

/// sum + a.low b.low + a.high b.high.
TINYTC_INLINE std::int32_t q16_dual(std::int32_t sum, std::uint32_t a, std::uint32_t b) { return q_dual(sum, a, b); }
TINYTC_INLINE std::int64_t q16_dual(std::int64_t sum, std::uint32_t a, std::uint32_t b) {
#if defined(TINYTC_DSP)
  std::uint32_t low = static_cast<std::uint32_t>(sum);
  std::uint32_t high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(sum) >> 32);
  asm("smlald %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(a), "r"(b));
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(high) << 32) | low);
#else
  return sum + static_cast<std::int64_t>(q_low(a)) * q_low(b) + static_cast<std::int64_t>(q_high(a)) * q_high(b);
#endif
}

/// sum + the products of `count` neighbouring int16 activations and int8 weights; four at a time in lanes.
template <typename Acc>
TINYTC_INLINE Acc q16_dot(Acc sum, const std::int16_t* x, const std::int8_t* w, int count) {
  const int fours = count / 4 * 4;
  for (int i = 0; i < fours; i += 4) {
    const std::uint32_t a = q16_load(x + i);
    const std::uint32_t b = q16_load(x + i + 2);
    const std::uint32_t weights = q_load(w + i);
    sum = q16_dual(sum, q_low_halves(a, b), q_even_bytes(weights));
    sum = q16_dual(sum, q_high_halves(a, b), q_odd_bytes(weights));
  }
  for (int i = fours; i < count; ++i) sum += static_cast<Acc>(x[i] * w[i]);
  return sum;
}

/// The same for int8 activations.
template <typename Acc>
TINYTC_INLINE Acc q16_dot(Acc sum, const std::int8_t* x, const std::int8_t* w, int count) {
  for (int i = 0; i < count; ++i) sum += static_cast<Acc>(x[i] * w[i]);
  return sum;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q16_BASE_H
