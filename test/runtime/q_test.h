// Helpers of the int8 kernel tests: random int8 tensors and scales, and requantization in 128-bit or exact
// integer arithmetic.
#ifndef TINYTC_TEST_RUNTIME_Q_TEST_H
#define TINYTC_TEST_RUNTIME_Q_TEST_H

#include <cstdint>
#include <vector>

#include "runtime/q_base.h"
#include "runtime/q_scale.h"
#include "test/runtime/kernel_test.h"

namespace tinytc::test {

inline std::vector<std::int8_t> random_int8(Random& random, int elements, int least = -128) {
  std::vector<std::int8_t> values(static_cast<std::size_t>(elements));
  for (auto& value : values) value = static_cast<std::int8_t>(random.integer(least, 127));
  return values;
}

/// Scales of `channels` channels around `size`, in either encoding.
struct Scales {
  std::vector<std::int32_t> multiplier;
  std::vector<std::int8_t> shift;
  bool shifted;

  Scales(Random& random, int channels, double size, bool use_shift) : shifted(use_shift) {
    for (int c = 0; c < channels; ++c) {
      const double scale = size * (1.0 + 0.5 * random.real());
      const QMultiplier m = shifted ? q_shifted_multiplier(scale) : q_high_multiplier(scale);
      multiplier.push_back(m.multiplier);
      shift.push_back(static_cast<std::int8_t>(m.shift));
    }
  }
  QScale view() const { return QScale{multiplier.data(), shifted ? shift.data() : nullptr}; }

  /// sum multiplier / 2^shift rounded, by division with a remainder; with shifts, halves go to the even
  /// number.
  std::int8_t apply(std::int64_t sum, int c, const QOutput& out) const {
    const auto at = static_cast<std::size_t>(c);
    const __int128 divisor = static_cast<__int128>(1) << (shifted ? shift[at] : 32);
    const __int128 doubled = static_cast<__int128>(sum) * multiplier[at] * 2 + divisor;
    __int128 value = doubled / (2 * divisor);
    if (doubled % (2 * divisor) < 0) --value;
    if (shifted && doubled % (2 * divisor) == 0 && value % 2 != 0) --value;
    value += out.zero_point;
    return static_cast<std::int8_t>(value < out.lo   ? out.lo
                                    : value > out.hi ? out.hi
                                                     : static_cast<int>(value));
  }
};

inline QOutput random_output(Random& random) {
  const int zero = random.integer(-128, 127);
  if (random.integer(0, 1) == 0) return QOutput{zero, -128, 127};
  const int lo = random.integer(-128, 100);
  return QOutput{zero, lo, random.integer(lo, 127)};
}

/// A bias with the zero point's share folded in.
inline std::vector<std::int32_t> folded_bias(const std::vector<std::int32_t>& bias,
                                             const std::vector<std::int8_t>& w, int zero) {
  std::vector<std::int32_t> folded = bias;
  const std::size_t taps = w.size() / bias.size();
  for (std::size_t k = 0; k < w.size(); ++k) folded[k / taps] -= zero * w[k];
  return folded;
}

inline std::vector<std::int32_t> random_bias(Random& random, int channels, int size) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(channels));
  for (auto& value : values) value = random.integer(-size, size);
  return values;
}

}  // namespace tinytc::test

#endif  // TINYTC_TEST_RUNTIME_Q_TEST_H
