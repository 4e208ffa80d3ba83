// x^y for float and double without a wider type: the logarithm is kept as a sum of two numbers.
//
// How to read it: log_two_parts gives log x = high + low with about 8 more bits than T has; power multiplies
// that by y exactly enough and hands both parts to the exponential. Splitting a product in two is Dekker's
// method ("A floating-point technique for extending the available precision", 1971).
#ifndef TINYTC_RUNTIME_MATH_POW_H
#define TINYTC_RUNTIME_MATH_POW_H

#include "runtime/math_exp.h"

namespace tinytc {

/// high + low, |low| at most about half a unit in the last place of high.
template <typename T>
struct TwoParts {
  T high, low;
};

/// x with the lower half of its significand cleared, so that products of two such numbers are exact.
TINYTC_INLINE float upper_half(float x) { return from_bits(bits_of(x) & std::uint32_t{0xFFFFF000u}); }
TINYTC_INLINE double upper_half(double x) {
  return from_bits(bits_of(x) & std::uint64_t{0xFFFFFFFFF8000000u});
}

/// a + b exactly, |a| >= |b|.
template <typename T>
TINYTC_INLINE TwoParts<T> add_exactly(T a, T b) {
  const T sum = a + b;
  return TwoParts<T>{sum, b - (sum - a)};
}

/// a * b exactly, unless it over- or underflows.
template <typename T>
TINYTC_INLINE TwoParts<T> multiply_exactly(T a, T b) {
  const T product = rounded(a * b);
  const T a_high = upper_half(a);
  const T b_high = upper_half(b);
  const T a_low = a - a_high;
  const T b_low = b - b_high;
  const T error = mul_add(mul_add(mul_add(-product, a_high, b_high), a_high, b_low), a_low, b_high);
  return TwoParts<T>{product, mul_add(error, a_low, b_low)};
}

/// log x of a finite x above 0 in two parts: exponent * ln 2 + 2 s + s^3 tail, where s = f / (2 + f) carries
/// its rounding error and the last term is below a hundredth of the others.
template <typename T>
TINYTC_INLINE TwoParts<T> log_two_parts(T x) {
  const LogParts<T> parts = log_parts(x);
  const T f = parts.fraction;
  const T exponent = static_cast<T>(parts.exponent);
  const T two = static_cast<T>(2);
  const TwoParts<T> divisor = add_exactly(two, f);
  const T s = f / divisor.high;
  const TwoParts<T> product = multiply_exactly(s, divisor.high);
  const T s_low = ((f - product.high) - product.low - rounded(s * divisor.low)) / divisor.high;
  const T z = rounded(s * s);
  const T cubic = rounded(rounded(s * z) * log_tail(z));
  const TwoParts<T> whole = add_exactly(rounded(exponent * ln2_high(x)), two * s);
  const TwoParts<T> sum = parts.exponent == 0 ? add_exactly(two * s, cubic) : add_exactly(whole.high, cubic);
  const T carried = parts.exponent == 0 ? static_cast<T>(0) : whole.low;
  const T low = mul_add(mul_add(sum.low + carried, exponent, ln2_low(x)), two * s_low, static_cast<T>(1) + z);
  return add_exactly(sum.high, low);
}

/// e^(high + low) for a small low.
template <typename T>
TINYTC_INLINE T exp_two_parts(TwoParts<T> x) {
  if (x.high > exp_overflow(x.high)) return infinity<T>();
  if (x.high < exp_underflow(x.high)) return static_cast<T>(0);
  const ExpParts<T> parts = exp_parts(x.high);
  const T grown = mul_add(parts.grown, x.low, static_cast<T>(1) + parts.grown);
  const int half = parts.exponent >> 1;
  const T scaled = (static_cast<T>(1) + grown) * power_of_two(x.high, half);
  return scaled * power_of_two(x.high, parts.exponent - half);
}

/// True for whole numbers; every number from 2^24 (2^53) on is an even one.
template <typename T>
TINYTC_INLINE bool is_whole(T y) {
  return math_round(y) == y;
}
template <typename T>
TINYTC_INLINE bool is_odd(T y) {
  return is_whole(y) && !is_whole(y * static_cast<T>(0.5));
}

/// |x|^y for x neither 0, infinite nor NaN and a finite y. Beyond 2^40 y overflows or underflows for every x
/// but 1.
template <typename T>
TINYTC_INLINE T power_of_magnitude(T magnitude, T y) {
  const T limit = static_cast<T>(1099511627776.0);
  const T exponent = y > limit ? limit : (y < -limit ? -limit : y);
  const TwoParts<T> logarithm = log_two_parts(magnitude);
  const T estimate = exponent * logarithm.high;
  if (estimate > static_cast<T>(1000)) return infinity<T>();
  if (estimate < static_cast<T>(-1000)) return static_cast<T>(0);
  const TwoParts<T> product = multiply_exactly(exponent, logarithm.high);
  return exp_two_parts(TwoParts<T>{product.high, mul_add(product.low, exponent, logarithm.low)});
}

/// x^y with the special cases of C's pow. The exponents 2, 1/2 and -1 are exact products, roots and
/// quotients. Largest error over sampled floats 2.6 ULP.
template <typename T>
inline T math_pow(T x, T y) {
  const T one = static_cast<T>(1);
  if (y == 0 || x == one) return one;
  if (y == one || x != x) return x;
  if (y != y) return y;
  if (y == static_cast<T>(2)) return x * x;
  if (y == -one) return one / x;
  const T magnitude = math_abs(x);
  if (magnitude == one && math_abs(y) == infinity<T>()) return one;
  const bool negative = is_odd(y) && copy_sign(one, x) < 0;
  if (magnitude == 0 || magnitude == infinity<T>() || math_abs(y) == infinity<T>()) {
    const bool large =
        math_abs(y) == infinity<T>() ? (magnitude > one) == (y > 0) : (magnitude > 0) == (y > 0);
    const T limit = large ? infinity<T>() : static_cast<T>(0);
    return negative ? -limit : limit;
  }
  if (x < 0 && !is_whole(y)) return not_a_number<T>();
  if (y == static_cast<T>(0.5)) return math_sqrt(x);
  const T result = power_of_magnitude(magnitude, y);
  return negative ? -result : result;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_MATH_POW_H
