// Sums, products and scaled accumulators that lie halfway between two int8: they go to the even one.
#include <catch2/catch.hpp>
#include <cmath>
#include <utility>
#include <vector>

#include "runtime/broadcast.h"
#include "runtime/q_elementwise.h"
#include "runtime/q_scale.h"
#include "test/runtime/q_test.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

/// Two tensors that hold every pair of int8.
std::pair<std::vector<std::int8_t>, std::vector<std::int8_t>> all_pairs() {
  std::pair<std::vector<std::int8_t>, std::vector<std::int8_t>> result;
  for (int k = 0; k < 65536; ++k) {
    result.first.push_back(static_cast<std::int8_t>(k / 256 - 128));
    result.second.push_back(static_cast<std::int8_t>(k % 256 - 128));
  }
  return result;
}

/// What an exact double rounds to, ties to even, as ONNX's QuantizeLinear has it.
std::int8_t nearest_even(double exact, const QOutput& out) {
  const double value = std::nearbyint(exact) + out.zero_point;
  return static_cast<std::int8_t>(std::min<double>(std::max<double>(value, out.lo), out.hi));
}

}  // namespace

TEST_CASE("q_add and q_requantize round ties to even, with any zero point") {
  const auto [a, b] = all_pairs();
  std::vector<std::int8_t> y(a.size());
  const BroadcastShape shape = make_broadcast_shape({1, {65536}}, {1, {65536}});
  // Scales with ties, and one operand with them beside one without.
  for (const auto& [a_scale, b_scale] : std::vector<std::pair<double, double>>{
           {0.5, 0.5}, {0.25, -0.5}, {0.75, 1}, {2.5, 0.125}, {1.0 / 4096, 1.0 / 2}, {0.5, 0.3}, {1, 1}})
    for (const QOutput& out : {QOutput{0, -128, 127}, QOutput{-3, -128, 127}, QOutput{2, 0, 100}}) {
      const int a_zero = out.zero_point * 5, b_zero = 1 - out.zero_point;
      q_add(shape, q_make_sum(a_scale, a_zero, b_scale, b_zero, out.zero_point), out, a.data(), b.data(),
            y.data());
      const double rough = b_scale == 0.3 ? 1e-4 : 0;  // 0.3 has no exact multiplier: off by 2^-22 a step
      for (std::size_t k = 0; k < y.size(); ++k) {
        const double exact = a_scale * (a[k] - a_zero) + b_scale * (b[k] - b_zero);
        if (b[k] != b_zero && std::abs(exact - std::floor(exact) - 0.5) < rough) continue;
        if (y[k] != nearest_even(exact, out))
          FAIL(exact << " became " << int{y[k]} << ", zero point " << out.zero_point);
      }
      q_requantize(ElementwiseShape{65536}, q_make_sum(a_scale, a_zero, 0, 0, out.zero_point), out, a.data(),
                   y.data());
      for (std::size_t k = 0; k < y.size(); ++k)
        REQUIRE(y[k] == nearest_even(a_scale * (a[k] - a_zero), out));
    }
}

TEST_CASE("q_mul rounds ties to even") {
  const auto [a, b] = all_pairs();
  std::vector<std::int8_t> y(a.size());
  for (double scale : {0.5, 0.25, 0.75, 1.0 / 64, 1.0 / 1024, 3.0 / 65536, 2.5}) {
    const QMultiplier m = q_multiplier(scale);
    const QOutput out{scale == 0.25 ? 7 : 0, -128, 127};
    q_mul(make_broadcast_shape({1, {65536}}, {1, {65536}}), QProduct{3, -2, m.multiplier, m.shift}, out,
          a.data(), b.data(), y.data());
    for (std::size_t k = 0; k < y.size(); ++k)
      REQUIRE(y[k] == nearest_even(scale * (a[k] - 3) * (b[k] + 2), out));
  }
}

TEST_CASE("q_multiply_even rounds once at every shift, ties to even") {
  Random random(7);
  for (int shift = 1; shift <= 62; ++shift)
    for (int i = 0; i < 2000; ++i) {
      // Multipliers of few bits have ties at small shifts, powers of two at large ones.
      const std::int32_t multiplier =
          i % 2 == 0 ? std::int32_t{1} << random.integer(0, 30) : random.integer(0, 0x7FFFFFFF);
      const std::int32_t sum =
          i % 3 == 0 ? random.integer(-0x7FFFFFFF, 0x7FFFFFFF) : random.integer(-300, 300);
      const __int128 doubled = static_cast<__int128>(sum) * multiplier * 2, unit = static_cast<__int128>(1)
                                                                                   << shift;
      __int128 value = (doubled + unit) >> (shift + 1);
      if ((doubled + unit) % (2 * unit) == 0 && value % 2 != 0) --value;
      if (value < -(1 << 30) || value > 1 << 30) value = value < 0 ? -(1 << 30) : 1 << 30;
      REQUIRE(q_multiply_even(5, sum, multiplier, shift) == 5 + static_cast<int>(value));
    }
}

TEST_CASE("a scale's fraction says where ties are common") {
  REQUIRE(q_fraction_bits(0) == 0);
  REQUIRE(q_fraction_bits(3) == 0);
  REQUIRE(q_fraction_bits(-2.5) == 1);
  REQUIRE(q_fraction_bits(5.0 / 1024) == 10);
  REQUIRE(q_fraction_bits(1.0 / (std::int64_t{1} << 40)) == 40);
  REQUIRE(q_fraction_bits(double{0.1F}) == 27);
  REQUIRE(q_fraction_bits(1.0 / 3) > 50);
  REQUIRE(q_ties_are_common(1.0 / 64, 0));
  REQUIRE_FALSE(q_ties_are_common(1.0 / 128, 0));
  REQUIRE(q_ties_are_common(1.0 / 128, 1));        // sums are even
  REQUIRE_FALSE(q_ties_are_common(1.0 / 128, 7));  // and here multiples of 128
}
