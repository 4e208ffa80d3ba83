// Bit patterns, rounding to whole numbers, and the square root: what the other math headers build on.
//
// No function here calls a library. Every result is exact or correctly rounded, so it is the same with every
// compiler and core.
#ifndef TINYTC_RUNTIME_MATH_BITS_H
#define TINYTC_RUNTIME_MATH_BITS_H

#include <cstdint>

#include "runtime/base.h"

namespace tinytc {

/// The bit pattern of a number, and the number of a bit pattern (IEEE 754 binary32 and binary64).
TINYTC_INLINE std::uint32_t bits_of(float x) {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
TINYTC_INLINE std::uint64_t bits_of(double x) {
  std::uint64_t bits = 0;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
TINYTC_INLINE float from_bits(std::uint32_t bits) {
  float x = 0;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
TINYTC_INLINE double from_bits(std::uint64_t bits) {
  double x = 0;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

/// Infinity and a quiet NaN.
template <typename T>
TINYTC_INLINE T infinity() {
  return static_cast<T>(from_bits(std::uint32_t{0x7F800000u}));
}
template <typename T>
TINYTC_INLINE T not_a_number() {
  return static_cast<T>(from_bits(std::uint32_t{0x7FC00000u}));
}

/// |x|, exact; clears the sign of zero and NaN.
TINYTC_INLINE float math_abs(float x) { return from_bits(bits_of(x) & std::uint32_t{0x7FFFFFFFu}); }
TINYTC_INLINE double math_abs(double x) { return from_bits(bits_of(x) & (~std::uint64_t{0} >> 1)); }

/// The magnitude of `x` with the sign of `sign`.
TINYTC_INLINE float copy_sign(float x, float sign) {
  return from_bits((bits_of(x) & std::uint32_t{0x7FFFFFFFu}) | (bits_of(sign) & std::uint32_t{0x80000000u}));
}
TINYTC_INLINE double copy_sign(double x, double sign) {
  const std::uint64_t mask = ~std::uint64_t{0} >> 1;
  return from_bits((bits_of(x) & mask) | (bits_of(sign) & ~mask));
}

/// 2^n as a number; n in [-126, 127] (float), [-1022, 1023] (double). Other n give an unspecified value,
/// never a fault.
TINYTC_INLINE float power_of_two(float, int n) {
  return from_bits(static_cast<std::uint32_t>(static_cast<std::uint32_t>(n + 127) << 23));
}
TINYTC_INLINE double power_of_two(double, int n) {
  return from_bits(static_cast<std::uint64_t>(n + 1023) << 52);
}

/// From here on a number has no fraction: 2^23 and 2^52.
TINYTC_INLINE float whole_from(float) { return 8388608.0f; }
TINYTC_INLINE double whole_from(double) { return 4503599627370496.0; }

/// The nearest whole number, ties to even; keeps the sign of zero, infinities and NaN. Adding 2^23 (2^52)
/// leaves no bits for a fraction, so the addition itself rounds.
template <typename T>
TINYTC_INLINE T math_round(T x) {
  const T magnitude = math_abs(x);
  const T whole = whole_from(x);
  if (!(magnitude < whole)) return x;
  return copy_sign((magnitude + whole) - whole, x);
}

/// The largest whole number not above x; keeps the sign of zero, infinities and NaN.
template <typename T>
TINYTC_INLINE T math_floor(T x) {
  const T nearest = math_round(x);
  return nearest > x ? nearest - static_cast<T>(1) : nearest;
}

/// The smallest whole number not below x; keeps the sign of zero, infinities and NaN.
template <typename T>
TINYTC_INLINE T math_ceil(T x) {
  const T nearest = math_round(x);
  return nearest < x ? copy_sign(nearest + static_cast<T>(1), x) : nearest;
}

/// x without its fraction; keeps the sign of zero, infinities and NaN.
template <typename T>
TINYTC_INLINE T math_truncate(T x) {
  return copy_sign(math_floor(math_abs(x)), x);
}

/// The correctly rounded square root by integer arithmetic, for cores that have no instruction for it.
/// Schoolbook digit by digit method on the significand, 25 (54) result bits, then round to nearest: a square
/// root is never halfway between two numbers. x is finite and above 0.
template <typename T, typename Bits>
TINYTC_INLINE T square_root_by_digits(T x, int fraction_bits, int bias) {
  int exponent = 0;
  if (x < power_of_two(x, 2 - bias)) {  // subnormal or nearly so: scale by an even power of two
    x = x * power_of_two(x, 64);
    exponent = -64;
  }
  const Bits bits = static_cast<Bits>(bits_of(x));
  const Bits hidden = Bits{1} << fraction_bits;
  exponent += static_cast<int>(bits >> fraction_bits) - bias;
  Bits remainder = (bits & (hidden - 1)) | hidden;
  if (exponent & 1) remainder <<= 1;
  exponent = (exponent - (exponent & 1)) / 2;
  Bits root = 0;
  Bits twice_root = 0;
  Bits digit = hidden << 1;
  remainder <<= 1;
  for (int i = 0; i < fraction_bits + 2; ++i) {
    const Bits trial = twice_root + digit;
    if (trial <= remainder) {
      twice_root = trial + digit;
      remainder -= trial;
      root += digit;
    }
    remainder <<= 1;
    digit >>= 1;
  }
  root = (root + (root & 1)) >> 1;
  return from_bits(static_cast<Bits>(root + (static_cast<Bits>(exponent + bias - 1) << fraction_bits)));
}

/// The square root, correctly rounded; NaN below zero, -0 for -0. One instruction where the core has one.
TINYTC_INLINE float math_sqrt(float x) {
#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 4)
  float root = 0;
  asm("vsqrt.f32 %0, %1" : "=t"(root) : "t"(x));
  return root;
#elif defined(__x86_64__)
  float root = 0;
  asm("sqrtss %1, %0" : "=x"(root) : "x"(x));
  return root;
#else
  if (x < 0) return not_a_number<float>();
  if (!(x > 0) || x == infinity<float>()) return x;
  return square_root_by_digits<float, std::uint32_t>(x, 23, 127);
#endif
}
TINYTC_INLINE double math_sqrt(double x) {
#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 8)
  double root = 0;
  asm("vsqrt.f64 %P0, %P1" : "=w"(root) : "w"(x));
  return root;
#elif defined(__x86_64__)
  double root = 0;
  asm("sqrtsd %1, %0" : "=x"(root) : "x"(x));
  return root;
#else
  if (x < 0) return not_a_number<double>();
  if (!(x > 0) || x == infinity<double>()) return x;
  return square_root_by_digits<double, std::uint64_t>(x, 52, 1023);
#endif
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_MATH_BITS_H
