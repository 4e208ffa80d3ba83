// The int8 convolution of few output channels against q_conv2d_plain on seeded random shapes: every bit must
// agree.
#include "runtime/q_narrow_conv2d.h"

#include <catch2/catch.hpp>

#include "test/runtime/q_conv_layer.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

QConv2dShape random_shape(Random& random) {
  QConv2dShape s{};
  for (bool fits = false; !fits;) {
    fits = random_window(random, s);
    s.groups = random.integer(0, 3) == 0 ? random.integer(2, 3) : 1;
    s.in_c = s.groups * random.integer(1, 15);
    s.out_c = s.groups * random.integer(1, 3);
    fits = fits && q_narrow_conv2d_serves(s);
  }
  if (random.integer(0, 9) == 0) pad_widely(random, s);
  return s;
}

}  // namespace

TEST_CASE("q_narrow_conv2d equals q_conv2d_plain bit for bit and is exact at its lead") {
  Random random(11);
  int checked = 0;
  for (int i = 0; i < 1200; ++i) {
    const QConv2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    const RandomLayer layer(random, s);
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_narrow_conv2d_packed_words(s)));
    q_narrow_conv2d_pack(s, layer.w.data(), packed.data());
    const auto words = static_cast<std::size_t>(q_narrow_conv2d_scratch(s));
    std::vector<std::uint32_t> scratch(words + 1, 0xDEADBEEFU);
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_narrow_conv2d(s, from, packed.data(), layer.bias.data(), layer.scales.view(), layer.out, to, scratch.data());
    };
    checked += check_lead(layer.x, layer.expected, q_narrow_conv2d_lead_x(s), kernel);
    REQUIRE(scratch[words] == 0xDEADBEEFU);
  }
  REQUIRE(checked > 300);
}

TEST_CASE("q_narrow_conv2d_serves: at most three channels of output of long runs, two of runs from four elements on") {
  const QConv2dShape s{1, 5, 5, 2, 5, 5, 3, 3, 2, 1, 1, 1, 1, 1, 0, 1, 0};
  const auto serves = [&](int in_c, int out_c, int groups, int dilation_w) {
    QConv2dShape changed = s;
    changed.in_c = in_c, changed.out_c = out_c, changed.groups = groups, changed.dilation_w = dilation_w;
    return q_narrow_conv2d_serves(changed);
  };
  CHECK(serves(2, 2, 1, 1));
  CHECK_FALSE(serves(2, 3, 1, 1));
  CHECK_FALSE(serves(1, 2, 1, 1));
  CHECK(serves(6, 3, 1, 1));
  CHECK_FALSE(serves(5, 3, 1, 1));
  CHECK_FALSE(serves(6, 4, 1, 1));
  CHECK_FALSE(serves(2, 2, 1, 2));
  CHECK_FALSE(serves(4, 4, 2, 1));
  CHECK(serves(8, 4, 2, 1));
  CHECK_FALSE(serves(8, 6, 2, 1));
  CHECK(serves(24, 6, 2, 1));
}
