// For the compiler and tests, not for firmware: turns real scales into the integers that the int8 kernels
// take, as docs/quantization.md specifies.
#ifndef TINYTC_RUNTIME_Q_SCALE_H
#define TINYTC_RUNTIME_Q_SCALE_H

#include <cstdint>

#include "runtime/math.h"
#include "runtime/q16_elementwise.h"
#include "runtime/q_elementwise.h"

namespace tinytc {

/// 2^power for a power in [0, 62].
constexpr double q_power_of_two(int power) { return static_cast<double>(std::int64_t{1} << power); }

/// The integer nearest to x, halves away from zero; |x| < 2^62.
constexpr std::int64_t q_nearest(double x) {
  const std::int64_t below = static_cast<std::int64_t>(x);  // towards zero
  const double rest = x - static_cast<double>(below);
  return rest >= 0.5 ? below + 1 : rest <= -0.5 ? below - 1 : below;
}

/// One channel's entry of a QScale.
struct QMultiplier {
  std::int32_t multiplier;
  int shift;  ///< 0: multiplier / 2^32 (QScale without shifts); else multiplier / 2^shift
};

/// Whether a scale may be given without a shift. A layer all of whose scales may passes QScale::shift = null.
constexpr bool q_scale_is_high(double scale) {
  return scale >= 0 && q_nearest(scale * 4294967296.0) <= 0x7FFFFFFF;
}

/// scale as multiplier / 2^32; q_scale_is_high(scale).
constexpr QMultiplier q_high_multiplier(double scale) {
  return QMultiplier{static_cast<std::int32_t>(q_nearest(scale * 4294967296.0)), 0};
}

/// scale as a multiplier of 31 significant bits and a shift; 0 <= scale < 2^29.
constexpr QMultiplier q_shifted_multiplier(double scale) {
  int shift = 62;
  // Compared as double: a scale of 2 or more times 2^62 is no std::int64_t.
  for (; shift > 1 && scale * q_power_of_two(shift) >= 2147483647.5; --shift) {
  }
  return QMultiplier{static_cast<std::int32_t>(q_nearest(scale * q_power_of_two(shift))), shift};
}

/// scale as a multiplier of `bits` significant bits, at most 31, and a shift, for the kernels with int16
/// activations; 0 <= scale < 2^(bits - 2).
constexpr QMultiplier q16_multiplier(double scale, int bits) {
  int shift = 62;
  for (; shift > 1 && scale * q_power_of_two(shift) >= q_power_of_two(bits) - 0.5; --shift) {
  }
  return QMultiplier{static_cast<std::int32_t>(q_nearest(scale * q_power_of_two(shift))), shift};
}

/// The least k for which scale * 2^k is an integer; 63 if that takes more than 62 bits. |scale| < 2^29.
constexpr int q_fraction_bits(double scale) {
  int bits = 0;
  for (; bits < 63; ++bits) {
    const double lifted =
        scale * q_power_of_two(bits < 32 ? bits : 32) * q_power_of_two(bits < 32 ? 0 : bits - 32);
    if (lifted >= 9007199254740992.0 || lifted <= -9007199254740992.0) return bits;  // 2^53: no fraction left
    if (lifted == static_cast<double>(static_cast<std::int64_t>(lifted))) return bits;
  }
  return bits;
}

/// Whether a product of `scale` and a multiple of 2^zeros can lie halfway between two integers so often that
/// these must go to even: one sum in 2^k does, if sums are spread evenly, k = fraction bits - zeros, and
/// going up is wrong for every other of them. From k = 7 on that is at most one in 256.
constexpr bool q_ties_are_common(double scale, int zeros) {
  const int bits = q_fraction_bits(scale) - zeros;
  return bits > 0 && bits < 7;
}

/// As QProduct wants it: without a shift where the scale allows it, and no product of two numbers of 9 bits
/// is a tie.
constexpr QMultiplier q_multiplier(double scale) {
  const bool has_ties = q_fraction_bits(scale) <= 17;
  return q_scale_is_high(scale) && !has_ties ? q_high_multiplier(scale) : q_shifted_multiplier(scale);
}

/// The QSum of y = a_scale (a - a_zero) + b_scale (b - b_zero) + y_zero; scales are relative to y's. A
/// difference has a negative b_scale; one operand has b_scale 0. |scales| < 2^19. Ties go to even if an
/// operand alone, the other at its zero point, can be one.
constexpr QSum q_make_sum(double a_scale, int a_zero, double b_scale, int b_zero, int y_zero) {
  const double a_size = a_scale < 0 ? -a_scale : a_scale;
  const double b_size = b_scale < 0 ? -b_scale : b_scale;
  const double size = a_size > b_size ? a_size : b_size;
  int shift = 22;
  for (; shift > 1 && q_nearest(size * q_power_of_two(shift)) >= 1 << 21; --shift) {
  }
  const std::int64_t a = q_nearest(a_scale * q_power_of_two(shift));
  const std::int64_t b = q_nearest(b_scale * q_power_of_two(shift));
  const int a_bits = q_fraction_bits(a_scale);
  const int b_bits = q_fraction_bits(b_scale);
  const int even = (a_bits > 0 && a_bits <= shift) || (b_bits > 0 && b_bits <= shift) ? 1 : 0;
  const std::int64_t half = (std::int64_t{1} << (shift - 1)) - even;
  const std::int64_t offset = y_zero * (std::int64_t{1} << shift) - a * a_zero - b * b_zero + half;
  return QSum{static_cast<std::int32_t>(a),
              static_cast<std::int32_t>(b),
              static_cast<std::int32_t>(offset),
              shift,
              even,
              y_zero & 1};
}

/// The same for int16 tensors among a, b and y: multipliers of up to 30 bits. |scales| < 2^19.
constexpr Q16Sum q16_make_sum(double a_scale, int a_zero, double b_scale, int b_zero) {
  const double a_size = a_scale < 0 ? -a_scale : a_scale;
  const double b_size = b_scale < 0 ? -b_scale : b_scale;
  const double size = a_size > b_size ? a_size : b_size;
  int shift = 45;
  for (; shift > 1 && q_nearest(size * q_power_of_two(shift)) >= 1 << 30; --shift) {
  }
  const std::int64_t a = q_nearest(a_scale * q_power_of_two(shift));
  const std::int64_t b = q_nearest(b_scale * q_power_of_two(shift));
  return Q16Sum{static_cast<std::int32_t>(a), static_cast<std::int32_t>(b), -a * a_zero - b * b_zero, shift};
}

/// The multiplier and shift of q_softmax.
struct QSoftmaxScale {
  std::uint32_t multiplier;
  int shift;
};

/// For an output scale in (2^-30, 1].
constexpr QSoftmaxScale q_softmax_scale(double y_scale) {
  int shift = 62;
  for (; shift > 32 && q_nearest(q_power_of_two(shift - 31) / y_scale) > 0x7FFFFFFF; --shift) {
  }
  return QSoftmaxScale{static_cast<std::uint32_t>(q_nearest(q_power_of_two(shift - 31) / y_scale)), shift};
}

/// Bits of the exponentials of a softmax over `axis` elements, axis < 2^20: their sum stays below 2^32.
constexpr int q_softmax_bits(int axis) {
  int bits = 31;
  for (int step = 0; step < 31; ++step) {
    if ((static_cast<std::int64_t>(axis) << bits) >= std::int64_t{1} << 32) --bits;
  }
  return bits;
}

/// Fills the 256 exponentials of a softmax over `axis` elements of scale x_scale.
TINYTC_INLINE void q_softmax_table(double x_scale, int axis, std::uint32_t* exponential) {
  const double one = q_power_of_two(q_softmax_bits(axis));
  for (int d = 0; d < 256; ++d) {
    exponential[d] = static_cast<std::uint32_t>(q_nearest(one * math_exp(-x_scale * static_cast<double>(d))));
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_SCALE_H
