// sin and cos.
//
// Method: x = quadrant * pi / 2 + r with |r| <= pi / 4, then a polynomial in r^2. In float the reduction
// multiplies the significand by the 96 bits of 2 / pi that matter for its exponent, in integers (Payne and
// Hanek, "Radian reduction for trigonometric functions", 1983): exact for every float. In double, which
// serves gradient checks, pi / 2 has three parts.
#ifndef TINYTC_RUNTIME_MATH_TRIG_H
#define TINYTC_RUNTIME_MATH_TRIG_H

#include "runtime/math_exp.h"

namespace tinytc {

/// x modulo pi / 2: the quadrant (0 to 3) and the rest in [-pi / 4, pi / 4].
template <typename T>
struct QuarterTurn {
  int quadrant;
  T rest;
};

/// 32 bits of 2 / pi that begin `word` words after 32 zero bits of its whole part; word in [0, 7].
TINYTC_INLINE std::uint32_t two_over_pi_word(int word) {
  switch (word) {
    case 0:
      return 0u;
    case 1:
      return 0xA2F9836Eu;
    case 2:
      return 0x4E441529u;
    case 3:
      return 0xFC2757D1u;
    case 4:
      return 0xF534DDC0u;
    case 5:
      return 0xDB629599u;
    case 6:
      return 0x3C439041u;
    default:
      return 0xFE5163ABu;
  }
}

/// 32 bits of 2 / pi that begin `bit` bits after its whole part's first.
TINYTC_INLINE std::uint32_t two_over_pi_bits(int bit) {
  const int word = bit >> 5;
  const int shift = bit & 31;
  const std::uint64_t pair = (std::uint64_t{two_over_pi_word(word)} << 32) | two_over_pi_word(word + 1);
  return static_cast<std::uint32_t>(pair >> (32 - shift));
}

/// x is finite. The product of significand and bits is modulo 4 quadrants in units of 2^-62 of one.
TINYTC_INLINE QuarterTurn<float> quarter_turn(float x) {
  const float magnitude = math_abs(x);
  if (magnitude <= 0.78539816f) return QuarterTurn<float>{0, x};
  const std::uint32_t bits = bits_of(magnitude);
  const std::uint64_t significand = (bits & 0x7FFFFFu) | 0x800000u;
  const int first = static_cast<int>(bits >> 23) - 150 + 30;  // the bits before make multiples of 4 quadrants
  const std::uint64_t turns = ((significand * two_over_pi_bits(first)) << 32) +
                              significand * two_over_pi_bits(first + 32) +
                              ((significand * two_over_pi_bits(first + 64)) >> 32);
  const std::uint64_t quadrant = (turns + (std::uint64_t{1} << 61)) >> 62;
  const std::int64_t rest = static_cast<std::int64_t>(turns - (quadrant << 62));
  const float angle = static_cast<float>(rest) * 0x1.921fb6p-62f;  // pi / 2 * 2^-62
  const int whole = static_cast<int>(quadrant & 3u);
  return x < 0 ? QuarterTurn<float>{(4 - whole) & 3, -angle} : QuarterTurn<float>{whole, angle};
}

/// |x| up to 2^20; the first two parts of pi / 2 have 33 bits, so that their products with the quadrant are
/// exact.
TINYTC_INLINE QuarterTurn<double> quarter_turn(double x) {
  const double whole = math_round(x * 0.6366197723675814);
  double rest = mul_add(x, -whole, 0x1.921fb544p0);
  rest = mul_add(rest, -whole, 0x1.0b4611a6p-34);
  rest = mul_add(rest, -whole, 0x1.3198a2e037073p-69);
  return QuarterTurn<double>{static_cast<int>(whole) & 3, rest};
}

/// (sin(r) / r - 1) / r^2 and (cos(r) - 1 + r^2 / 2) / r^4 as polynomials of z = r^2.
TINYTC_INLINE float sin_tail(float z) {
  return mul_add(-0.16666667f, mul_add(0.008333332f, mul_add(-0.00019840087f, 2.7249926e-06f, z), z), z);
}
TINYTC_INLINE float cos_tail(float z) {
  return mul_add(0.041666664f, mul_add(-0.0013888302f, 2.4547942e-05f, z), z);
}
TINYTC_INLINE double sin_tail(double z) {
  const double high = horner(z, 1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0,
                             -1.0 / 39916800.0, 1.0 / 362880.0);
  return mul_add(-1.0 / 6.0, mul_add(1.0 / 120.0, mul_add(-1.0 / 5040.0, high, z), z), z);
}
TINYTC_INLINE double cos_tail(double z) {
  const double high = horner(z, -1.0 / 6402373705728000.0, 1.0 / 20922789888000.0, -1.0 / 87178291200.0,
                             1.0 / 479001600.0, -1.0 / 3628800.0);
  return mul_add(1.0 / 24.0, mul_add(-1.0 / 720.0, mul_add(1.0 / 40320.0, high, z), z), z);
}

/// sin(r + quadrant * pi / 2).
template <typename T>
TINYTC_INLINE T sin_of_turn(int quadrant, T r) {
  const T z = rounded(r * r);
  T result = 0;
  if (quadrant & 1) {
    const T half = rounded(static_cast<T>(0.5) * z);
    result = mul_add(static_cast<T>(1) - half, rounded(z * z), cos_tail(z));
  } else {
    result = mul_add(r, rounded(r * z), sin_tail(z));
  }
  return (quadrant & 2) ? -result : result;
}

/// Beyond this no result is given (NaN): in float nothing, in double 2^20.
TINYTC_INLINE float trig_limit(float) { return 3.4028235e38f; }
TINYTC_INLINE double trig_limit(double) { return 1048576.0; }

/// sin x and cos x. Largest error over all floats 2.8 ULP. In double |x| <= 2^20, NaN beyond.
template <typename T>
inline T math_sin(T x) {
  if (x == 0) return x;  // -0 stays -0
  if (!(math_abs(x) <= trig_limit(x))) return not_a_number<T>();
  const QuarterTurn<T> turn = quarter_turn(x);
  return sin_of_turn(turn.quadrant, turn.rest);
}
template <typename T>
inline T math_cos(T x) {
  if (!(math_abs(x) <= trig_limit(x))) return not_a_number<T>();
  const QuarterTurn<T> turn = quarter_turn(x);
  return sin_of_turn((turn.quadrant + 1) & 3, turn.rest);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_MATH_TRIG_H
