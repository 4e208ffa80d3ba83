// Ranges of activations on distributions whose answer is known.
#include "passes/choose_range.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

namespace tinytc {

namespace {

const Calibration methods[] = {Calibration::minmax, Calibration::percentile, Calibration::mse, Calibration::entropy};

Histogram histogram_of(const std::vector<float>& numbers) {
  Histogram histogram;
  histogram.lo = std::min(0.0F, *std::min_element(numbers.begin(), numbers.end()));
  histogram.hi = std::max(0.0F, *std::max_element(numbers.begin(), numbers.end()));
  histogram.add(numbers);
  return histogram;
}

std::vector<float> uniform(float lo, float hi, int count) {
  std::vector<float> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(lo + (hi - lo) * static_cast<float>(i) / static_cast<float>(count - 1));
  return numbers;
}

std::vector<float> normal(int count) {
  std::mt19937 random(1);
  std::vector<float> numbers;
  for (int i = 0; i < count; ++i) {  // sums of twelve: the same numbers with every library
    double sum = -6;
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(random()) / 4294967296.0;
    numbers.push_back(static_cast<float>(sum));
  }
  return numbers;
}

}  // namespace

TEST_CASE("A uniform distribution is stored whole by every method") {
  const Histogram histogram = histogram_of(uniform(-1, 3, 100000));
  for (Calibration method : methods) {
    INFO(name_of(method));
    const Range range = choose_range(histogram, method);
    // Clipping a hundredth of an end costs more than the finer steps save; percentile leaves out 5 of 100,000 at each end, which is less
    // than a bin holds.
    CHECK(range.lo == Approx(-1).margin(0.04));
    CHECK(range.hi == Approx(3).margin(0.04));
  }
}

TEST_CASE("Zero is in every range") {
  for (Calibration method : methods) {
    INFO(name_of(method));
    CHECK(choose_range(histogram_of(uniform(2, 3, 1000)), method).lo == 0);
    CHECK(choose_range(histogram_of(uniform(-3, -2, 1000)), method).hi == 0);
    CHECK(choose_range(histogram_of({0, 0, 0}), method) == Range{0, 0});
    CHECK(choose_range(histogram_of({5, 5}), method) == Range{0, 5});
    CHECK(choose_range(histogram_of({-5}), method) == Range{-5, 0});
  }
}

TEST_CASE("One number far out: minmax keeps it, the other methods do not") {
  std::vector<float> numbers = normal(200000);
  numbers.push_back(1000);
  const Histogram histogram = histogram_of(numbers);
  CHECK(choose_range(histogram, Calibration::minmax).hi == 1000);
  // 10 of 200,001 may be cut off: what stays is within a bin (0.5) of the 10th largest, which is between 3 and 6 deviations out.
  CHECK(choose_range(histogram, Calibration::percentile).hi < 7);
  // A step of 1000 / 255 costs 1.3 for each of 200,000 numbers, clipping one costs at most 10^6; ends are hundredths of the range. The
  // minimum of h^2 / 12 / 255^2 * 200,000 + (1000 - h)^2 is at h = 795.
  CHECK(choose_range(histogram, Calibration::mse).hi == Approx(795).margin(10));
  // The shortest range that it looks at has a bin for each level: an eighth of everything, up to the next hundredth.
  CHECK(choose_range(histogram, Calibration::entropy).hi == Approx(130).margin(11));
}

TEST_CASE("percentile counts whole numbers: few samples lose none") {
  std::vector<float> numbers = uniform(-1, 1, 1000);
  numbers.push_back(50);
  CHECK(choose_range(histogram_of(numbers), Calibration::percentile) == Range{-1, 50});
}

TEST_CASE("mse finds the range that a normal distribution is best stored in") {
  // The optimal uniform quantizer of 256 levels for unit variance clips at 3.9 to 4.1 (Banner et al., "Post training 4-bit quantization",
  // appendix: 3.92 at 8 bits for the Gaussian); sums of twelve have thinner tails. Hundredths of the range are 0.05 wide.
  const Range range = choose_range(histogram_of(normal(400000)), Calibration::mse);
  CHECK(range.hi == Approx(3.9).margin(0.35));
  CHECK(range.lo == Approx(-3.9).margin(0.35));
}

TEST_CASE("Zeros do not weigh in mse and entropy") {
  std::vector<float> numbers = uniform(0.5F, 4, 10000);
  const Range without = choose_range(histogram_of(numbers), Calibration::entropy);
  numbers.insert(numbers.end(), 1000000, 0.0F);
  CHECK(choose_range(histogram_of(numbers), Calibration::mse).hi == Approx(4).margin(0.04));
  CHECK(choose_range(histogram_of(numbers), Calibration::entropy).hi == Approx(without.hi).margin(0.04));
}

TEST_CASE("Scale and zero point of a range") {
  CHECK(quantization_for({0, 255}) == Quantization{{1}, {-128}, -1});
  CHECK(quantization_for({-255, 0}) == Quantization{{1}, {127}, -1});
  CHECK(quantization_for({-128, 127}) == Quantization{{1}, {0}, -1});
  CHECK(quantization_for({-192, 63}) == Quantization{{1}, {64}, -1});
  CHECK(quantization_for({0, 0}) == Quantization{{1}, {0}, -1});
  CHECK(quantization_for({0, 1e-40}) == Quantization{{1}, {0}, -1});
}

}  // namespace tinytc
