// The exact integer Winograd convolution against q_conv2d_plain on seeded random shapes: every bit must
// agree.
#include "runtime/q_winograd.h"

#include <catch2/catch.hpp>

#include "runtime/q_conv2d_plain.h"

#include "test/runtime/check_lead.h"
#include "test/runtime/q_test.h"
#include "test/runtime/q_vector_shapes.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

QConv2dShape random_shape(Random& random) { return random_winograd(random, 19, 40, 14); }

std::vector<std::uint32_t> pack(const QConv2dShape& s, const std::vector<std::int8_t>& w,
                                const std::vector<std::int32_t>& bias) {
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_winograd_packed_words(s)));
  q_winograd_pack(s, w.data(), bias.data(), packed.data());
  return packed;
}

/// Weights that are random, or the largest and smallest there are.
std::vector<std::int8_t> weights(Random& random, const QConv2dShape& s) {
  auto w = random_int8(random, s.out_c * q_conv2d_taps(s));
  if (random.integer(0, 2) == 0)
    for (auto& weight : w) weight = weight < 0 ? -128 : 127;
  return w;
}

}  // namespace

TEST_CASE("q_winograd_conv2d equals q_conv2d_plain bit for bit") {
  Random random(31);
  for (int i = 0; i < 300; ++i) {
    const QConv2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    REQUIRE(q_winograd_serves(s));
    auto x = random_int8(random, in_size(s));
    if (random.integer(0, 2) == 0)
      for (auto& value : x) value = value < 0 ? -128 : 127;
    const auto w = weights(random, s);
    // Up to where the sums reach 2^25.
    const auto bias =
        folded_bias(random_bias(random, s.out_c, random.integer(0, 1) ? 20000 : 21000000), w, s.x_zero_point);
    REQUIRE(q_winograd_exact(s.out_c, q_conv2d_taps(s), w.data(), bias.data()));
    const Scales scales(random, s.out_c, 0.0005 * random.integer(1, 5), random.integer(0, 1));
    const QOutput out = random_output(random);
    std::vector<std::int8_t> expected(static_cast<std::size_t>(out_size(s))), y(expected.size());
    std::vector<std::uint32_t> plain(static_cast<std::size_t>(q_conv2d_plain_scratch(s)));
    q_conv2d_plain(s, x.data(), w.data(), bias.data(), scales.view(), out, expected.data(), plain.data());
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_winograd_scratch(s)) + 1, 0xDEADBEEFU);
    q_winograd_conv2d(s, x.data(), pack(s, w, bias).data(), scales.view(), out, y.data(), scratch.data());
    REQUIRE(y == expected);
    REQUIRE(scratch.back() == 0xDEADBEEFU);
  }
}

TEST_CASE("q_winograd_conv2d is exact at its lead and not at one less") {
  Random random(32);
  int checked = 0;
  int wrong = 0;
  for (int i = 0; i < 100; ++i) {
    const QConv2dShape s = random_shape(random);
    CAPTURE(i, described(s), q_winograd_lead_x(s));
    const auto x = random_int8(random, in_size(s));
    const auto w = random_int8(random, s.out_c * q_conv2d_taps(s), 1);
    const auto bias = random_bias(random, s.out_c, 100);
    const auto packed = pack(s, w, bias);
    const Scales scales(random, s.out_c, 0.0005, false);
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_winograd_scratch(s)));
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_winograd_conv2d(s, from, packed.data(), scales.view(), QOutput{0, -128, 127}, to, scratch.data());
    };
    checked += q_winograd_lead_x(s) > -in_size(s);
    wrong += check_lead(x, apart(x, out_size(s), kernel), q_winograd_lead_x(s), kernel);
  }
  REQUIRE(checked > 60);
  REQUIRE(wrong > checked * 2 / 3);
}

TEST_CASE("q_winograd_exact refuses sums of 2^25") {
  const std::vector<std::int8_t> w(9, 1);
  const std::vector<std::int32_t> bias{(1 << 25) - 9 * 128 - 1}, more{-(1 << 25) + 9 * 128};
  CHECK(q_winograd_exact(1, 9, w.data(), bias.data()));
  CHECK_FALSE(q_winograd_exact(1, 9, w.data(), more.data()));
}
