// What the int8 kernels share: exact requantization, clamping to the output's range, and the two-lane
// operations of Armv7E-M and Armv8-M's DSP extension beside portable twins that give the same bits.
//
// docs/quantization.md is the specification: what is rounded where, and in which direction.
#ifndef TINYTC_RUNTIME_Q_BASE_H
#define TINYTC_RUNTIME_Q_BASE_H

#include <cstdint>

#include "runtime/base.h"

#if defined(__arm__) && defined(__thumb2__) && defined(__ARM_FEATURE_DSP)
#define TINYTC_DSP 1
// Of assembly that takes its arguments through r0 and saves r7 itself.
#define TINYTC_Q_CLOBBERS \
  "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"
#endif
#if defined(__thumb2__) && defined(__ARM_FEATURE_MVE)
#define TINYTC_MVE 1
#endif

namespace tinytc {

/// Where an int8 result goes: `zero_point` is added, the sum is clamped to [lo, hi] (a fused activation's
/// bounds within [-128, 127]).
struct QOutput {
  int zero_point;
  int lo;
  int hi;
};

/// How int32 accumulators become int8, per output channel. `shift` null: scale = multiplier / 2^32, for
/// scales below 0.5; ties go up. Else scale = multiplier / 2^shift with a multiplier below 2^31 and shift in
/// [1, 62]; ties go to even.
struct QScale {
  const std::int32_t* multiplier;
  const std::int8_t* shift;
};

/// The sum modulo 2^32.
TINYTC_INLINE std::int32_t q_add_wrapping(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

/// addend + floor((a b + 2^31) / 2^32), b >= 0: one rounding, ties upwards.
TINYTC_INLINE int q_multiply_high(int addend, std::int32_t a, std::int32_t b) {
#if defined(TINYTC_DSP)
  int result;
  asm("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(addend));
  return result;
#elif defined(__arm__) && !defined(__thumb2__)
  // Armv6-M has no long multiplication: by halves, without carries.
  const std::uint32_t a_low = static_cast<std::uint32_t>(a) & 0xFFFFU;
  const std::uint32_t b_low = static_cast<std::uint32_t>(b) & 0xFFFFU;
  const std::int32_t a_high = a >> 16;
  const std::int32_t b_high = b >> 16;
  const std::uint32_t middle = a_low * static_cast<std::uint32_t>(b_high) + ((a_low * b_low) >> 16) + 0x8000U;
  const std::int32_t rest =
      a_high * static_cast<std::int32_t>(b_low) + static_cast<std::int32_t>(middle & 0xFFFFU);
  return addend + static_cast<int>(a_high * b_high + static_cast<std::int32_t>(middle >> 16) + (rest >> 16));
#else
  const std::int64_t product = static_cast<std::int64_t>(a) * b + (std::int64_t{1} << 31);
  return addend + static_cast<int>(product >> 32);
#endif
}

/// addend + floor(a b / 2^32), b >= 0.
TINYTC_INLINE int q_high_product(int addend, std::int32_t a, std::int32_t b) {
#if defined(TINYTC_DSP)
  int result;
  asm("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(addend));
  return result;
#elif defined(__arm__) && !defined(__thumb2__)
  // As above.
  const std::uint32_t a_low = static_cast<std::uint32_t>(a) & 0xFFFFU;
  const std::uint32_t b_low = static_cast<std::uint32_t>(b) & 0xFFFFU;
  const std::int32_t a_high = a >> 16;
  const std::int32_t b_high = b >> 16;
  const std::uint32_t middle = a_low * static_cast<std::uint32_t>(b_high) + ((a_low * b_low) >> 16);
  const std::int32_t rest =
      a_high * static_cast<std::int32_t>(b_low) + static_cast<std::int32_t>(middle & 0xFFFFU);
  return addend + static_cast<int>(a_high * b_high + static_cast<std::int32_t>(middle >> 16) + (rest >> 16));
#else
  return addend + static_cast<int>((static_cast<std::int64_t>(a) * b) >> 32);
#endif
}

/// The value clamped to the output's range.
TINYTC_INLINE std::int8_t q_clamp(int value, const QOutput& out) {
#if defined(__arm__) && defined(__thumb2__)
  if (out.lo == -128 && out.hi == 127) {
    int result;
    asm("ssat %0, #8, %1" : "=r"(result) : "r"(value));
    return static_cast<std::int8_t>(result);
  }
#endif
  return static_cast<std::int8_t>(min_of(max_of(value, out.lo), out.hi));
}

/// value / 2^shift rounded to the nearest integer, ties to even; shift in [1, 62], |value| < 3 * 2^61.
TINYTC_INLINE std::int64_t q_shift_even(std::int64_t value, int shift) {
  const std::int64_t below_half = (std::int64_t{1} << (shift - 1)) - 1;
  return (value + below_half + ((value >> shift) & 1)) >> shift;
}

/// addend + sum multiplier / 2^shift, ties to even, saturated to +-2^30 before the addition. From shift 33
/// on, which is scales below 1/4, the product's high word says all but whether the rest is nothing.
TINYTC_INLINE int q_multiply_even(int addend, std::int32_t sum, std::int32_t multiplier, int shift) {
  const std::int64_t product = static_cast<std::int64_t>(sum) * multiplier;
  if (shift > 32) {
    const int rest = shift - 32;
    const int lifted = static_cast<int>(product >> 32) + (1 << (rest - 1));
    const bool is_tie = static_cast<std::uint32_t>(product) == 0 && (lifted & ((1 << rest) - 1)) == 0;
    return addend + ((lifted >> rest) & (is_tie ? ~1 : ~0));
  }
  const std::int64_t limit = std::int64_t{1} << 30;
  return addend + static_cast<int>(min_of(max_of(q_shift_even(product, shift), -limit), limit));
}

/// The accumulator of output channel `c` as int8.
TINYTC_INLINE std::int8_t q_requantized(std::int32_t sum, const QScale& scale, int c, const QOutput& out) {
  if (scale.shift == nullptr) return q_clamp(q_multiply_high(out.zero_point, sum, scale.multiplier[c]), out);
  return q_clamp(q_multiply_even(out.zero_point, sum, scale.multiplier[c], scale.shift[c]), out);
}

/// Two int16 lanes in a word; the low half is the first.
TINYTC_INLINE constexpr std::uint32_t q_lanes(int first, int second) {
  return (static_cast<std::uint32_t>(first) & 0xFFFFU) | (static_cast<std::uint32_t>(second) << 16);
}
TINYTC_INLINE constexpr int q_low(std::uint32_t word) { return static_cast<std::int16_t>(word & 0xFFFFU); }
TINYTC_INLINE constexpr int q_high(std::uint32_t word) { return static_cast<std::int16_t>(word >> 16); }

/// sum + a.low b.low + a.high b.high modulo 2^32.
TINYTC_INLINE std::int32_t q_dual(std::int32_t sum, std::uint32_t a, std::uint32_t b) {
#if defined(TINYTC_DSP)
  std::int32_t result;
  asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
#else
  const std::uint32_t low = static_cast<std::uint32_t>(q_low(a) * q_low(b));
  const std::uint32_t high = static_cast<std::uint32_t>(q_high(a) * q_high(b));
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) + low + high);
#endif
}

/// sum + a.low b.high modulo 2^32.
TINYTC_INLINE std::int32_t q_low_high(std::int32_t sum, std::uint32_t a, std::uint32_t b) {
#if defined(TINYTC_DSP)
  std::int32_t result;
  asm("smlabt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
#else
  return q_add_wrapping(sum, q_low(a) * q_high(b));
#endif
}

/// sum + a.high b.low modulo 2^32.
TINYTC_INLINE std::int32_t q_high_low(std::int32_t sum, std::uint32_t a, std::uint32_t b) {
#if defined(TINYTC_DSP)
  std::int32_t result;
  asm("smlatb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
#else
  return q_add_wrapping(sum, q_high(a) * q_low(b));
#endif
}

/// Bytes 0 and 2 as int16 lanes.
TINYTC_INLINE std::uint32_t q_even_bytes(std::uint32_t word) {
#if defined(TINYTC_DSP)
  std::uint32_t result;
  asm("sxtb16 %0, %1" : "=r"(result) : "r"(word));
  return result;
#else
  return q_lanes(static_cast<std::int8_t>(word & 0xFFU), static_cast<std::int8_t>((word >> 16) & 0xFFU));
#endif
}

/// Bytes 1 and 3 as int16 lanes.
TINYTC_INLINE std::uint32_t q_odd_bytes(std::uint32_t word) {
#if defined(TINYTC_DSP)
  std::uint32_t result;
  asm("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
  return result;
#else
  return q_lanes(static_cast<std::int8_t>((word >> 8) & 0xFFU), static_cast<std::int8_t>(word >> 24));
#endif
}

/// sums, lane by lane modulo 2^16, plus bytes 0 and 2 of a word.
TINYTC_INLINE std::uint32_t q_add_even_bytes(std::uint32_t sums, std::uint32_t word) {
#if defined(TINYTC_DSP)
  std::uint32_t result;
  asm("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sums), "r"(word));
  return result;
#else
  const std::uint32_t bytes = q_even_bytes(word);
  return ((sums + bytes) & 0xFFFFU) | ((sums & 0xFFFF0000U) + (bytes & 0xFFFF0000U));
#endif
}

/// sums, lane by lane modulo 2^16, plus bytes 1 and 3 of a word.
TINYTC_INLINE std::uint32_t q_add_odd_bytes(std::uint32_t sums, std::uint32_t word) {
#if defined(TINYTC_DSP)
  std::uint32_t result;
  asm("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sums), "r"(word));
  return result;
#else
  return q_add_even_bytes(sums, word >> 8);
#endif
}

/// (a.low, b.low).
TINYTC_INLINE std::uint32_t q_low_halves(std::uint32_t a, std::uint32_t b) {
#if defined(TINYTC_DSP)
  std::uint32_t result;
  asm("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(a), "r"(b));
  return result;
#else
  return (a & 0xFFFFU) | (b << 16);
#endif
}

/// (a.high, b.high).
TINYTC_INLINE std::uint32_t q_high_halves(std::uint32_t a, std::uint32_t b) {
#if defined(TINYTC_DSP)
  std::uint32_t result;
  asm("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(b), "r"(a));
  return result;
#else
  return (a >> 16) | (b & 0xFFFF0000U);
#endif
}

/// Four int8 at any address as a word, the first in the lowest byte.
TINYTC_INLINE std::uint32_t q_load(const std::int8_t* x) {
#if defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN)
  std::uint32_t word;
  __builtin_memcpy(&word, x, 4);
  return word;
#else
  return (static_cast<std::uint32_t>(x[0]) & 0xFFU) | ((static_cast<std::uint32_t>(x[1]) & 0xFFU) << 8) |
         ((static_cast<std::uint32_t>(x[2]) & 0xFFU) << 16) | (static_cast<std::uint32_t>(x[3]) << 24);
#endif
}

/// The inverse.
TINYTC_INLINE void q_store(std::int8_t* y, std::uint32_t word) {
#if defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN)
  __builtin_memcpy(y, &word, 4);
#else
  y[0] = static_cast<std::int8_t>(word & 0xFFU);
  y[1] = static_cast<std::int8_t>((word >> 8) & 0xFFU);
  y[2] = static_cast<std::int8_t>((word >> 16) & 0xFFU);
  y[3] = static_cast<std::int8_t>(word >> 24);
#endif
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_BASE_H
