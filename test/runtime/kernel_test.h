// Helpers of the kernel tests: a seeded generator, random tensors, shapes in messages, comparison, and a sink
// that stores.
#ifndef TINYTC_TEST_RUNTIME_KERNEL_TEST_H
#define TINYTC_TEST_RUNTIME_KERNEL_TEST_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace tinytc::test {

/// The same numbers on every machine: Knuth's 64-bit linear congruential generator.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2862933555777941757ULL + 3037000493ULL) {}
  Random(const Random&) = delete;  // a copy would draw the same numbers again

  /// Uniform integer in [low, high].
  int integer(int low, int high) {
    return low + static_cast<int>(next() % static_cast<std::uint32_t>(high - low + 1));
  }

  int operator()(int low, int high) { return integer(low, high); }

  /// Uniform in [-1, 1).
  double real() { return static_cast<double>(next()) / 2147483648.0 - 1.0; }

  template <typename T>
  std::vector<T> tensor(int elements) {
    std::vector<T> values(static_cast<std::size_t>(elements));
    for (T& value : values) value = static_cast<T>(real());
    return values;
  }

 private:
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>(state_ >> 32);
  }

  std::uint64_t state_;
};

/// The fields of a shape struct that are all numbers.
template <typename Shape>
std::string described(const Shape& shape) {
  std::string text;
  visit(shape,
        [&](const char* name, int field) { text += std::string(name) + " " + std::to_string(field) + " "; });
  return text;
}

/// Largest |a - b|; infinite when the lengths differ or a value is NaN.
template <typename A, typename B>
double largest_difference(const std::vector<A>& a, const std::vector<B>& b) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    largest = difference <= largest ? largest : std::isnan(difference) ? INFINITY : difference;
  }
  return largest;
}

template <typename T>
double dot(const std::vector<T>& a, const std::vector<T>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// Stores each gradient at its index and counts the calls, so that a test sees that every weight came exactly
/// once.
template <typename T>
struct CountingSink {
  T* gradient;
  int* calls;
  void operator()(int index, T value) const {
    gradient[index] = value;
    ++calls[index];
  }
};

inline bool all_ones(const std::vector<int>& calls) {
  return std::all_of(calls.begin(), calls.end(), [](int count) { return count == 1; });
}

}  // namespace tinytc::test

#endif  // TINYTC_TEST_RUNTIME_KERNEL_TEST_H
