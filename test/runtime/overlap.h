// Runs a kernel whose input and output overlap at a given distance, to see that a trait is exact: right at
// that distance, wrong at one less.
#ifndef TINYTC_TEST_RUNTIME_OVERLAP_H
#define TINYTC_TEST_RUNTIME_OVERLAP_H

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace tinytc::test {

/// The result of `kernel(x, y)` with y `distance` elements below x (negative: above) in one array. `outputs`
/// elements of y.
template <typename T, typename Kernel>
std::vector<T> overlapped(const std::vector<T>& x, int outputs, int distance, Kernel kernel) {
  const int inputs = static_cast<int>(x.size());
  const int below = std::max(0, -distance);
  const int y_at = std::max(0, -distance);
  const int x_at = below + distance;
  std::vector<T> arena(static_cast<std::size_t>(std::max(x_at + inputs, y_at + outputs)));
  std::copy(x.begin(), x.end(), arena.begin() + x_at);
  kernel(static_cast<const T*>(arena.data() + x_at), arena.data() + y_at);
  return std::vector<T>(arena.begin() + y_at, arena.begin() + y_at + outputs);
}

/// Whether two results have the same bits.
template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// The result with x and y apart.
template <typename T, typename Kernel>
std::vector<T> apart(const std::vector<T>& x, int outputs, Kernel kernel) {
  std::vector<T> y(static_cast<std::size_t>(outputs));
  kernel(x.data(), y.data());
  return y;
}

/// Exact at `lead`, also farther away, and wrong at one less.
template <typename T, typename Kernel>
bool lead_is_exact(const std::vector<T>& x, int outputs, int lead, Kernel kernel) {
  const std::vector<T> expected = apart(x, outputs, kernel);
  for (int more = 0; more < 4; ++more) {
    if (!same_bits(overlapped(x, outputs, lead + more, kernel), expected)) return false;
  }
  return !same_bits(overlapped(x, outputs, lead - 1, kernel), expected);
}

}  // namespace tinytc::test

#endif  // TINYTC_TEST_RUNTIME_OVERLAP_H
