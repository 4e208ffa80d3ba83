// Depthwise int8 convolutions with any kernel against q_depthwise_conv2d on seeded random shapes: every bit
// must agree.
#include "runtime/q_depthwise_taps.h"

#include <catch2/catch.hpp>

#include "runtime/q_depthwise_conv2d.h"
#include "test/runtime/check_lead.h"
#include "test/runtime/q_test.h"
#include "test/runtime/random_window.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

QDepthwiseConv2dShape random_shape(Random& random) {
  QDepthwiseConv2dShape s{};
  while (!random_window(random, s)) {
  }
  s.channels = random.integer(1, 13);
  s.multiplier = 1;
  return s;
}

}  // namespace

TEST_CASE("q_depthwise_taps equals q_depthwise_conv2d bit for bit and is exact at its lead") {
  Random random(12);
  int checked = 0, padded = 0;
  for (int i = 0; i < 1500; ++i) {
    const QDepthwiseConv2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.channels);
    const auto w = random_int8(random, s.channels * s.kernel_h * s.kernel_w);
    const auto bias = random_bias(random, s.channels, 20000);
    const auto folded = folded_bias(bias, w, s.x_zero_point);
    const Scales scales(random, s.channels, 0.01 * random.integer(1, 5), false);
    const QOutput out = random_output(random);
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_depthwise_taps_words(s)));
    q_depthwise_taps_pack(s, w.data(), folded.data(), scales.multiplier.data(), packed.data());
    const auto words = static_cast<std::size_t>(q_depthwise_taps_scratch(s));
    std::vector<std::int32_t> scratch(words + 1, -559038737);
    std::vector<std::uint32_t> other(static_cast<std::size_t>(q_depthwise_conv2d_scratch(s)));
    const int outputs = s.batch * s.out_h * s.out_w * s.channels;
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_depthwise_taps(s, from, packed.data(), out, to, scratch.data());
    };
    const auto expected = apart(x, outputs, [&](const std::int8_t* from, std::int8_t* to) {
      q_depthwise_conv2d(s, from, w.data(), folded.data(), scales.view(), out, to, other.data());
    });
    checked += check_lead(x, expected, q_depthwise_taps_lead_x(s), kernel);
    padded += q_depthwise_taps_padded(s);
    REQUIRE(scratch[words] == -559038737);
  }
  CHECK(checked > 300);
  CHECK(padded > 300);
  CHECK(padded < 1450);
}
