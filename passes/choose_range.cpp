// Ranges of activations; see choose_range.h. mse and entropy measure what a range costs and search both ends in turn.
#include "passes/choose_range.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

namespace tinytc {

namespace {

constexpr double steps = 255;             // between the lowest and the highest stored number
constexpr double clipped_share = 0.00005;  // that percentile leaves out at either end
constexpr int candidates = 100;           // ends of a range that a search tries, from the whole range down to a hundredth
constexpr int rounds = 2;                 // of the search

double center(const Histogram& histogram, std::size_t bin) { return histogram.lo + (static_cast<double>(bin) + 0.5) * histogram.width(); }

Range whole(const Histogram& histogram) { return {histogram.lo, histogram.hi}; }

Range percentile(const Histogram& histogram) {
  const std::int64_t total = std::accumulate(histogram.bins.begin(), histogram.bins.end(), histogram.zeros);
  const auto allowed = static_cast<std::int64_t>(clipped_share * static_cast<double>(total));
  Range range = whole(histogram);
  std::int64_t below = 0, above = 0;
  for (std::size_t bin = 0; bin < histogram.bins.size() && center(histogram, bin) < 0; ++bin) {
    below += histogram.bins[bin];
    if (below > allowed) break;
    range.lo = std::min(0.0, histogram.lo + static_cast<double>(bin + 1) * histogram.width());
  }
  for (std::size_t bin = histogram.bins.size(); bin-- > 0 && center(histogram, bin) > 0;) {
    above += histogram.bins[bin];
    if (above > allowed) break;
    range.hi = std::max(0.0, histogram.lo + static_cast<double>(bin) * histogram.width());
  }
  return range;
}

/// Sum of squared errors: a uniform error within a step inside, the distance outside.
double squared_error(const Histogram& histogram, const Range& range) {
  const double step = (range.hi - range.lo) / steps;
  double sum = 0;
  for (std::size_t bin = 0; bin < histogram.bins.size(); ++bin) {
    if (histogram.bins[bin] == 0) continue;
    const double number = center(histogram, bin);
    const double outside = number < range.lo ? range.lo - number : number > range.hi ? number - range.hi : 0;
    sum += static_cast<double>(histogram.bins[bin]) * (step * step / 12 + outside * outside);
  }
  return sum;
}

/// Bins [first, last) that a range holds; at least one.
struct Bins {
  std::size_t first, last;
};

Bins bins_of(const Histogram& histogram, const Range& range) {
  const auto at = [&](double number) { return std::clamp((number - histogram.lo) / histogram.width(), 0.0, static_cast<double>(Histogram::bin_count)); };
  const auto first = std::min(static_cast<std::size_t>(std::lround(at(range.lo))), Histogram::bin_count - 1);
  return {first, std::max(first + 1, static_cast<std::size_t>(std::lround(at(range.hi))))};
}

/// Kullback-Leibler divergence of what 255 levels can tell apart (a level's numbers spread evenly over its bins that are not empty) from
/// the distribution with everything outside moved to the ends. Infinite for ranges of so few bins that each has a level.
double divergence(const Histogram& histogram, const Range& range) {
  const auto [first, last] = bins_of(histogram, range);
  if (last - first <= static_cast<std::size_t>(steps)) return std::numeric_limits<double>::infinity();  // each bin a level: nothing to tell
  std::vector<double> real(last - first), stored(last - first);
  std::array<double, 256> level_sum{}, level_bins{};
  const auto level_of = [&](std::size_t bin) { return static_cast<std::size_t>(steps * static_cast<double>(bin) / static_cast<double>(last - first)); };
  double inside = 0, total = 0;
  for (std::size_t bin = 0; bin < histogram.bins.size(); ++bin) {
    const auto count = static_cast<double>(histogram.bins[bin]);
    total += count;
    real[std::clamp(bin, first, last - 1) - first] += count;
    if (bin < first || bin >= last || count == 0) continue;
    inside += count;
    level_sum[level_of(bin - first)] += count;
    level_bins[level_of(bin - first)] += 1;
  }
  if (inside == 0) return std::numeric_limits<double>::infinity();
  constexpr double least = 1e-9;  // of a bin that the stored distribution lacks
  double sum = 0;
  for (std::size_t bin = 0; bin < real.size(); ++bin) {
    if (real[bin] == 0) continue;
    const std::size_t level = level_of(bin);
    const bool is_stored = histogram.bins[first + bin] != 0;
    const double p = real[bin] / total, q = is_stored ? level_sum[level] / level_bins[level] / inside : least;
    sum += p * std::log(p / q);
  }
  return sum;
}

/// The cheapest of the ranges whose ends are hundredths of the whole range's: one end after the other, as long as it helps.
Range search(const Histogram& histogram, const std::function<double(const Histogram&, const Range&)>& cost) {
  const Range all = whole(histogram);
  Range best = all;
  double least = cost(histogram, best);
  const auto attempt = [&](const Range& range) {
    const double price = cost(histogram, range);
    if (price < least) least = price, best = range;
  };
  for (int round = 0; round < rounds; ++round) {
    const Range before = best;
    for (int i = 1; i <= candidates && all.hi > 0; ++i) attempt({before.lo, all.hi * i / candidates});
    const double hi = best.hi;
    for (int i = 1; i <= candidates && all.lo < 0; ++i) attempt({all.lo * i / candidates, hi});
    if (best == before) break;
  }
  return best;
}

}  // namespace

std::string_view name_of(Calibration method) {
  constexpr std::string_view names[] = {"minmax", "percentile", "mse", "entropy"};
  return names[static_cast<std::size_t>(method)];
}

Range hull(const Range& a, const Range& b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }

void Histogram::add(std::span<const float> numbers) {
  const double per_unit = hi > lo ? 1 / width() : 0;
  for (float number : numbers) {
    if (number == 0) {
      ++zeros;
      continue;
    }
    const double at = std::clamp((double{number} - lo) * per_unit, 0.0, static_cast<double>(bin_count - 1));
    ++bins[static_cast<std::size_t>(at)];
  }
}

Range choose_range(const Histogram& histogram, Calibration method) {
  const bool has_shape = histogram.hi > histogram.lo && std::any_of(histogram.bins.begin(), histogram.bins.end(), [](std::int64_t n) { return n != 0; });
  if (!has_shape) return whole(histogram);
  switch (method) {
    case Calibration::percentile: return percentile(histogram);
    case Calibration::mse: return search(histogram, squared_error);
    case Calibration::entropy: return search(histogram, divergence);
    default: return whole(histogram);
  }
}

Quantization wide_quantization_for(const Range& range) {
  const auto scale = static_cast<float>(std::max(-range.lo, range.hi) / 32767);
  return {{scale >= std::numeric_limits<float>::min() ? scale : 1.0F}, {0}, -1};
}

Quantization quantization_for(const Range& range) {
  // A tensor of nothing but zeros takes any scale; what is too small for single precision counts as that.
  const auto scale = static_cast<float>((range.hi - range.lo) / steps);
  if (!(scale >= std::numeric_limits<float>::min())) return {{1.0F}, {0}, -1};
  const double zero_point = std::nearbyint(-128 - range.lo / double{scale});
  return {{scale}, {static_cast<std::int32_t>(std::clamp(zero_point, -128.0, 127.0))}, -1};
}

}  // namespace tinytc
