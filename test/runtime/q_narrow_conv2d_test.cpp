// The int8 convolution of few output channels against q_conv2d_plain on seeded random shapes: every bit must
// agree.
#include "runtime/q_narrow_conv2d.h"

#include <catch2/catch.hpp>

#include "runtime/q_conv2d_plain.h"
#include "test/runtime/overlap.h"
#include "test/runtime/q_test.h"
#include "test/runtime/q_vector_shapes.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

QConv2dShape random_shape(Random& random) {
  const auto integer = [&](int low, int high) { return random.integer(low, high); };
  QConv2dShape s{};
  for (bool fits = false; !fits;) {
    fits = random_window(integer, s);
    s.groups = integer(0, 3) == 0 ? integer(2, 3) : 1;
    s.in_c = s.groups * integer(1, 15);
    s.out_c = s.groups * integer(1, 3);
    fits = fits && q_narrow_conv2d_serves(s);
  }
  if (integer(0, 9) == 0) s.pad_left += integer(5, 25), s.out_w += s.pad_left / s.stride_w;  // wider than what pixels read
  return s;
}

}  // namespace

TEST_CASE("q_narrow_conv2d equals q_conv2d_plain bit for bit and is exact at its lead") {
  Random random(11);
  int checked = 0;
  for (int i = 0; i < 1200; ++i) {
    const QConv2dShape s = random_shape(random);
    CAPTURE(i, s.batch, s.in_h, s.in_w, s.in_c, s.out_h, s.out_w, s.out_c, s.kernel_h, s.kernel_w, s.stride_h,
            s.stride_w, s.dilation_h, s.dilation_w, s.pad_top, s.pad_left, s.groups);
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.in_c);
    const auto w = random_int8(random, s.out_c * q_conv2d_taps(s));
    const auto bias = random_bias(random, s.out_c, 20000);
    const Scales scales(random, s.out_c, 0.01, random.integer(0, 1));
    const QOutput out = random_output(random);
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_narrow_conv2d_packed_words(s)));
    q_narrow_conv2d_pack(s, w.data(), packed.data());
    const auto words = static_cast<std::size_t>(q_narrow_conv2d_scratch(s));
    std::vector<std::uint32_t> scratch(words + 1, 0xDEADBEEFU);
    std::vector<std::uint32_t> plain(static_cast<std::size_t>(q_conv2d_plain_scratch(s)));
    const int outputs = s.batch * s.out_h * s.out_w * s.out_c, lead = q_narrow_conv2d_lead_x(s);
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_narrow_conv2d(s, from, packed.data(), bias.data(), scales.view(), out, to, scratch.data());
    };
    const auto expected = apart(x, outputs, [&](const std::int8_t* from, std::int8_t* to) {
      q_conv2d_plain(s, from, w.data(), bias.data(), scales.view(), out, to, plain.data());
    });
    REQUIRE(apart(x, outputs, kernel) == expected);
    for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, outputs, lead + more, kernel) == expected);
    if (lead > -static_cast<int>(x.size())) checked += overlapped(x, outputs, lead - 1, kernel) != expected;
    REQUIRE(scratch[words] == 0xDEADBEEFU);
  }
  REQUIRE(checked > 300);  // one overwritten element need not change a rounded, clamped output
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
