// Checks a kernel's result where its output lies apart from its input, and where they overlap.
#ifndef TINYTC_TEST_RUNTIME_CHECK_LEAD_H
#define TINYTC_TEST_RUNTIME_CHECK_LEAD_H

#include <catch2/catch.hpp>

#include "test/runtime/overlap.h"

namespace tinytc::test {

/// Requires kernel(x, y) to give `expected` apart, at its lead and a little above it. Whether one less than
/// the lead shows: one overwritten element need not change a rounded, clamped output, and where all of y lies
/// behind x, there is none.
template <typename T, typename Kernel>
bool check_lead(const std::vector<T>& x, const std::vector<T>& expected, int lead, Kernel kernel) {
  const int outputs = static_cast<int>(expected.size());
  REQUIRE(apart(x, outputs, kernel) == expected);
  for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, outputs, lead + more, kernel) == expected);
  return lead > -static_cast<int>(x.size()) && overlapped(x, outputs, lead - 1, kernel) != expected;
}

}  // namespace tinytc::test

#endif  // TINYTC_TEST_RUNTIME_CHECK_LEAD_H
