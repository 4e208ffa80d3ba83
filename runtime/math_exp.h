// exp, expm1, log, log1p and what is built from them: tanh, sigmoid, softplus, erf.
//
// Each function is one template over float and double; what differs (constants and polynomials) stands in the
// overloads above it. The only additions of products are mul_add and `rounded`, so that no compiler contracts
// them: all give the same bits. The largest errors are those of test/runtime/math_test.cpp, over all floats;
// the double versions are within 1e-15 relative. Method: argument reduction by ln 2 in two parts (Cody and
// Waite, "Software Manual for the Elementary Functions", 1980), then a polynomial. The float polynomials
// interpolate at the Chebyshev nodes of the reduced range; the double ones are Taylor's.
#ifndef TINYTC_RUNTIME_MATH_EXP_H
#define TINYTC_RUNTIME_MATH_EXP_H

#include "runtime/math_bits.h"

namespace tinytc {

/// ((((y x + c3) x + c2) x + c1) x + c0): four more steps of Horner's rule.
template <typename T>
TINYTC_INLINE T horner(T x, T y, T c3, T c2, T c1, T c0) {
  return mul_add(c0, mul_add(c1, mul_add(c2, mul_add(c3, y, x), x), x), x);
}

/// ln 2 in two parts; the first has so few bits that its product with any exponent is exact.
TINYTC_INLINE float ln2_high(float) { return 0x1.62e4p-1f; }
TINYTC_INLINE float ln2_low(float) { return 0x1.7f7d1cp-20f; }
TINYTC_INLINE double ln2_high(double) { return 0x1.62e42feep-1; }
TINYTC_INLINE double ln2_low(double) { return 0x1.a39ef35793c76p-33; }

/// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2.
TINYTC_INLINE float exp_tail(float r) {
  return horner(r, 0.0013926176f, 0.008363173f, 0.041666556f, 0.16666578f, 0.5f);
}
TINYTC_INLINE double exp_tail(double r) {
  const double high =
      horner(r, 1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0);
  const double middle = horner(r, high, 1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0);
  return mul_add(0.5, mul_add(1.0 / 6.0, mul_add(1.0 / 24.0, middle, r), r), r);
}

/// x = exponent * ln 2 + r with |r| <= ln(2) / 2; `grown` is e^r - 1.
template <typename T>
struct ExpParts {
  int exponent;
  T grown;
};

/// Adding 1.5 * 2^23 (1.5 * 2^52) rounds to a whole number and leaves it in the low bits. |x| is below 2^20;
/// NaN gives NaN.
template <typename T>
TINYTC_INLINE ExpParts<T> exp_parts(T x) {
  const T shift = static_cast<T>(1.5) * whole_from(x);
  const T shifted = mul_add(shift, x, static_cast<T>(1.4426950408889634));
  const T whole = shifted - shift;
  // 16 bits hold every exponent and keep the arithmetic on it defined when x is NaN.
  const std::uint16_t difference = static_cast<std::uint16_t>(bits_of(shifted) - bits_of(shift));
  const int exponent = static_cast<std::int16_t>(difference);
  const T r = mul_add(mul_add(x, -whole, ln2_high(x)), -whole, ln2_low(x));
  return ExpParts<T>{exponent, mul_add(r, rounded(r * r), exp_tail(r))};
}

/// Above `exp_overflow` e^x is infinite, below `exp_underflow` it is 0.
TINYTC_INLINE float exp_overflow(float) { return 88.72284f; }
TINYTC_INLINE float exp_underflow(float) { return -103.97209f; }
TINYTC_INLINE double exp_overflow(double) { return 709.782712893384; }
TINYTC_INLINE double exp_underflow(double) { return -745.1332191019412; }

/// e^x. Largest error over all floats 1.1 ULP (subnormal results included).
template <typename T>
inline T math_exp(T x) {
  if (x > exp_overflow(x)) return infinity<T>();
  if (x < exp_underflow(x)) return static_cast<T>(0);
  const ExpParts<T> parts = exp_parts(x);
  const int half = parts.exponent >> 1;  // in two steps: 2^exponent itself may be out of range
  const T scaled = (static_cast<T>(1) + parts.grown) * power_of_two(x, half);
  return scaled * power_of_two(x, parts.exponent - half);
}

/// e^x - 1, accurate near 0. Largest error over all floats 1.8 ULP.
template <typename T>
inline T math_expm1(T x) {
  if (x > exp_overflow(x)) return infinity<T>();
  if (x < static_cast<T>(-50)) return static_cast<T>(-1);
  const ExpParts<T> parts = exp_parts(x);
  if (parts.exponent == 0) return copy_sign(parts.grown, x);  // -0 stays -0
  const T half_scale = power_of_two(x, parts.exponent - 1);   // half: 2^exponent itself may be out of range
  const T half_result = mul_add(half_scale - static_cast<T>(0.5), half_scale, parts.grown);
  return half_result + half_result;
}

/// (atanh(s) / s - 1) * 2 / s^2 as a polynomial of z = s^2; |s| <= 0.1716.
TINYTC_INLINE float log_tail(float z) {
  return mul_add(0.6666667f, mul_add(0.40000123f, mul_add(0.28550822f, 0.23330468f, z), z), z);
}
TINYTC_INLINE double log_tail(double z) {
  const double high = horner(z, 2.0 / 23.0, 2.0 / 21.0, 2.0 / 19.0, 2.0 / 17.0, 2.0 / 15.0);
  const double middle = horner(z, high, 2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0);
  return mul_add(2.0 / 3.0, mul_add(2.0 / 5.0, middle, z), z);
}

/// x = 2^exponent * (1 + fraction) with 1 + fraction in [sqrt(1/2), sqrt(2)); x is finite and above 0. Both
/// are exact.
template <typename T>
struct LogParts {
  int exponent;
  T fraction;
};
TINYTC_INLINE LogParts<float> log_parts(float x) {
  const bool subnormal = x < power_of_two(x, -126);
  const std::uint32_t bits = bits_of(subnormal ? x * 8388608.0f : x);
  const std::uint32_t offset = bits - std::uint32_t{0x3F3504F3u};  // sqrt(1/2)
  const int exponent = static_cast<int>((offset >> 23) ^ 256u) - 256;
  const float scaled = from_bits(static_cast<std::uint32_t>(bits - (offset & std::uint32_t{0xFF800000u})));
  return LogParts<float>{exponent - (subnormal ? 23 : 0), scaled - 1.0f};
}
TINYTC_INLINE LogParts<double> log_parts(double x) {
  const bool subnormal = x < power_of_two(x, -1022);
  const std::uint64_t bits = bits_of(subnormal ? x * 4503599627370496.0 : x);
  const std::uint64_t offset = bits - std::uint64_t{0x3FE6A09E667F3BCDu};  // sqrt(1/2)
  const int exponent = static_cast<int>((offset >> 52) ^ 2048u) - 2048;
  const double scaled =
      from_bits(static_cast<std::uint64_t>(bits - (offset & std::uint64_t{0xFFF0000000000000u})));
  return LogParts<double>{exponent - (subnormal ? 52 : 0), scaled - 1.0};
}

/// The natural logarithm; -infinity at 0, NaN below. Largest error over all floats 0.9 ULP. With s = f / (2 +
/// f), log(1 + f) = 2 atanh(s) = f - f^2 / 2 + s (f^2 / 2 + s^2 tail(s^2)), which keeps f unrounded (the form
/// used by fdlibm).
template <typename T>
inline T math_log(T x) {
  if (x < 0) return not_a_number<T>();
  if (x == 0) return -infinity<T>();
  if (!(x < infinity<T>())) return x;
  const LogParts<T> parts = log_parts(x);
  const T f = parts.fraction;
  const T exponent = static_cast<T>(parts.exponent);
  const T s = f / (static_cast<T>(2) + f);
  const T z = rounded(s * s);
  const T half_square = rounded(static_cast<T>(0.5) * f * f);
  const T low = mul_add(rounded(exponent * ln2_low(x)), s, mul_add(half_square, z, log_tail(z)));
  return mul_add(-((half_square - low) - f), exponent, ln2_high(x));
}

/// log(1 + x), accurate near 0; the rounding error of 1 + x comes back in as a correction. Largest error over
/// all floats 1.6 ULP.
template <typename T>
inline T math_log1p(T x) {
  const T u = static_cast<T>(1) + x;
  if (!(u > 0) || !(u < infinity<T>())) return math_log(u);
  if (u == static_cast<T>(1)) return x;
  return math_log(u) + (x - (u - static_cast<T>(1))) / u;
}

/// The hyperbolic tangent, t / (t + 2) with t = e^(2|x|) - 1. Largest error over all floats 2.6 ULP.
template <typename T>
inline T math_tanh(T x) {
  const T magnitude = math_abs(x);
  if (magnitude > static_cast<T>(20)) return copy_sign(static_cast<T>(1), x);
  const T t = math_expm1(magnitude + magnitude);
  return copy_sign(t / (t + static_cast<T>(2)), x);
}

/// 1 / (1 + e^-x), without overflow and with full relative accuracy on both sides. Largest error over all
/// floats 2.5 ULP.
template <typename T>
inline T math_sigmoid(T x) {
  const T decayed = math_exp(-math_abs(x));
  return (x < 0 ? decayed : static_cast<T>(1)) / (static_cast<T>(1) + decayed);
}

/// log(1 + e^x) without overflow. Largest error over all floats 2.0 ULP.
template <typename T>
inline T math_softplus(T x) {
  return (x > 0 ? x : static_cast<T>(0)) + math_log1p(math_exp(-math_abs(x))) +
         (x == x ? static_cast<T>(0) : x);
}

/// The error function. Up to 1 a polynomial in x^2, then 1 - e^-w(x), where the polynomial w is -log(erfc).
/// Largest error over all floats 1.4 ULP.
inline float math_erf(float x) {
  const float a = math_abs(x);
  if (a <= 1.0f) {
    const float z = rounded(x * x);
    const float high = mul_add(-0.00080168643f, z, 7.875875e-05f);
    const float tail = horner(z, high, 0.0051890872f, -0.026854211f, 0.11283594f, -0.37612626f);
    return copy_sign(mul_add(x, x, mul_add(0.12837917f, z, tail)), x);  // -0 stays -0
  }
  if (!(a < 4.0f)) return a == a ? copy_sign(1.0f, x) : x;
  const float high = horner(a, -1.6371514e-06f, 4.605804e-05f, -0.00059680565f, 0.004759596f, -0.026421135f);
  const float w = horner(a, high, 0.110080086f, 0.63182604f, 1.1302334f, -0.00032013806f);
  return copy_sign(1.0f - math_exp(-w), x);
}

/// The error function in double: 2 / sqrt(pi) e^-x^2 times the sum of 2^n x^(2n+1) / (1 3 5 ... (2n+1)),
/// whose terms are all positive (Abramowitz and Stegun 7.1.6); e^-x^2 with x split so that its square is
/// exact. Slow; for gradient checks.
inline double math_erf(double x) {
  const double a = math_abs(x);
  if (!(a < 6.0)) return a == a ? copy_sign(1.0, x) : x;
  const double square = rounded(a * a);
  double term = a;
  double sum = a;
  for (int n = 1; n < 160; ++n) {
    term = term * (square + square) / static_cast<double>(2 * n + 1);
    sum += term;
  }
  const double high = from_bits(static_cast<std::uint64_t>(bits_of(a) & std::uint64_t{0xFFFFFFFF00000000u}));
  const double decay = math_exp(-rounded(high * high)) * math_exp(-rounded((a - high) * (a + high)));
  return copy_sign(1.1283791670955126 * decay * sum, x);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_MATH_EXP_H
