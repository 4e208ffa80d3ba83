// Integer arithmetic that is defined for every input: wrapping sums and products, guarded division, and
// conversions.
#ifndef TINYTC_RUNTIME_INTEGERS_H
#define TINYTC_RUNTIME_INTEGERS_H

#include <cstdint>

#include "runtime/math_bits.h"

namespace tinytc {

/// True for the integer types.
template <typename T>
TINYTC_INLINE constexpr bool is_integer() {
  return static_cast<T>(0.5) == static_cast<T>(0);
}

/// An integer's bits, so that sums and products wrap around instead of being undefined.
template <typename T>
TINYTC_INLINE std::uint64_t wrapping(T x) {
  return static_cast<std::uint64_t>(x);
}

/// a + b, a - b and a b; integers wrap around.
template <typename T>
TINYTC_INLINE T wrapping_sum(T a, T b) {
  return is_integer<T>() ? static_cast<T>(wrapping(a) + wrapping(b)) : static_cast<T>(a + b);
}
template <typename T>
TINYTC_INLINE T wrapping_difference(T a, T b) {
  return is_integer<T>() ? static_cast<T>(wrapping(a) - wrapping(b)) : static_cast<T>(a - b);
}
template <typename T>
TINYTC_INLINE T wrapping_product(T a, T b) {
  return is_integer<T>() ? static_cast<T>(wrapping(a) * wrapping(b)) : static_cast<T>(a * b);
}

/// -x; the smallest integer stays what it is.
template <typename T>
TINYTC_INLINE T negated(T x) {
  return is_integer<T>() ? static_cast<T>(0u - wrapping(x)) : static_cast<T>(-x);
}

/// a / b, for integers truncated towards zero; an integer divided by 0 gives 0, the smallest by -1 itself.
template <typename T>
TINYTC_INLINE T quotient(T a, T b) {
  if (is_integer<T>() && b == 0) return static_cast<T>(0);
  if (is_integer<T>() && b < 0 && b == static_cast<T>(-1)) return negated(a);
  return static_cast<T>(a / b);
}

/// The remainder of integers with the sign of b (as in Python); 0 for b = 0.
template <typename T>
TINYTC_INLINE T floor_remainder(T a, T b) {
  if (b == 0 || (b < 0 && b == static_cast<T>(-1))) return static_cast<T>(0);
  const T rest = static_cast<T>(a % b);
  return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
}

/// base to a whole exponent, wrapping around; for negative exponents what integer division of 1 gives.
template <typename T>
TINYTC_INLINE T integer_power(T base, T exponent) {
  if (exponent < 0)
    return base == static_cast<T>(1) ? base
                                     : (is_integer<T>() && base == static_cast<T>(-1)
                                            ? ((wrapping(exponent) & 1u) ? base : static_cast<T>(1))
                                            : static_cast<T>(0));
  std::uint64_t power = 1;
  std::uint64_t factor = wrapping(base);
  for (int bit = 0; bit < 64; ++bit) {
    if ((wrapping(exponent) >> bit) & 1u) power *= factor;
    factor *= factor;
  }
  return static_cast<T>(power);
}

/// The largest and smallest value of an integer type.
template <typename T>
TINYTC_INLINE constexpr T largest_integer() {
  return static_cast<T>(static_cast<T>(-1) < static_cast<T>(0) ? (std::uint64_t{1} << (8 * sizeof(T) - 1)) - 1
                                                               : ~std::uint64_t{0} >> (64 - 8 * sizeof(T)));
}
template <typename T>
TINYTC_INLINE constexpr T smallest_integer() {
  return static_cast<T>(static_cast<T>(-1) < static_cast<T>(0) ? -largest_integer<T>() - 1 : 0);
}

/// A number of another type: floats to integers lose their fraction and are cut off at the type's ends, NaN
/// gives 0; integers wrap.
template <typename To, typename From>
TINYTC_INLINE To saturated(From x) {
  const From whole = math_truncate(x);
  const int bits = static_cast<int>(8 * sizeof(To)) - (static_cast<To>(-1) < static_cast<To>(0) ? 1 : 0);
  const From end = power_of_two(x, bits);
  if (whole >= end) return largest_integer<To>();
  if (whole <= (static_cast<To>(-1) < static_cast<To>(0) ? -end : static_cast<From>(0)))
    return smallest_integer<To>();
  return whole == whole ? static_cast<To>(whole) : static_cast<To>(0);
}
template <typename To>
TINYTC_INLINE To converted(float x) {
  return is_integer<To>() ? saturated<To>(x) : static_cast<To>(x);
}
template <typename To>
TINYTC_INLINE To converted(double x) {
  return is_integer<To>() ? saturated<To>(x) : static_cast<To>(x);
}
template <typename To, typename From>
TINYTC_INLINE To converted(From x) {
  return static_cast<To>(x);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_INTEGERS_H
