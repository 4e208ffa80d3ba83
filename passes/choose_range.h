// Ranges of activations: which numbers an int8 tensor shall be able to hold, from the distribution that calibration saw.
// docs/quantization.md describes the methods and names their sources.
#pragma once

#include <span>
#include <string_view>

#include "compiler/graph.h"

namespace tinytc {

enum class Calibration : std::uint8_t { minmax, percentile, mse, entropy };
std::string_view name_of(Calibration method);

/// Real numbers from lo to hi; always holds 0.
struct Range {
  double lo = 0, hi = 0;
  bool operator==(const Range&) const = default;
};

/// The smallest range with all numbers of both.
Range hull(const Range& a, const Range& b);

/// How often numbers occurred, in bins of equal width between two bounds. Zeros are counted apart: they are stored exactly whatever the
/// range, and after a ReLU they would hide everything else.
struct Histogram {
  static constexpr std::size_t bin_count = 2048;
  double lo = 0, hi = 0;  // of all numbers and 0
  std::vector<std::int64_t> bins = std::vector<std::int64_t>(bin_count, 0);
  std::int64_t zeros = 0;

  double width() const { return (hi - lo) / static_cast<double>(bin_count); }
  /// Numbers outside [lo, hi] count in the outermost bins.
  void add(std::span<const float> numbers);
};

/// The range to store.
///   minmax      all that was seen
///   percentile  without the outermost 0.005 % at either end, counted in whole numbers
///   mse         with the least mean squared error of rounding and clipping together
///   entropy     with the least Kullback-Leibler divergence of the stored distribution from the real one
Range choose_range(const Histogram& histogram, Calibration method);

/// Scale and zero point of an int8 tensor for a range: 0 is stored exactly, lo becomes -128 and hi 127 but for the zero point's rounding.
Quantization quantization_for(const Range& range);
/// The same of an int16 tensor, whose zero point is 0: the bound that is farther from 0 becomes 32767 or -32767.
Quantization wide_quantization_for(const Range& range);

}  // namespace tinytc
