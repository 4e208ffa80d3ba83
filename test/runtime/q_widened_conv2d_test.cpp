// The int8 convolution with groups against q_conv2d_plain on seeded random shapes: every bit must agree.
#include "runtime/q_widened_conv2d.h"

#include <algorithm>
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
    s.groups = integer(2, 4);
    s.in_c = s.groups * integer(1, 11);
    s.out_c = s.groups * (integer(0, 1) == 0 ? integer(1, 3) : integer(4, 9));
  }
  if (integer(0, 3) > 0) return s;
  s.batch = 1;  // rows or columns of several parts
  if (integer(0, 1) == 0) {
    s.out_w = integer(14, 50);
    s.in_w = max_of(1, (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1 - s.pad_left - integer(0, 1));
  } else {
    s.out_h = integer(14, 50);
    s.in_h = max_of(1, (s.out_h - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1 - s.pad_top - integer(0, 1));
  }
  return s;
}

/// The kernel with weights packed for it.
struct Kernel {
  const QConv2dShape& s;
  const Scales& scales;
  const QOutput out;
  std::vector<std::uint32_t> packed;
  std::vector<std::uint32_t> scratch;

  Kernel(const QConv2dShape& shape, const std::vector<std::int8_t>& w, const std::vector<std::int32_t>& bias,
         const Scales& scale, const QOutput& output)
      : s(shape), scales(scale), out(output), packed(static_cast<std::size_t>(q_widened_conv2d_packed_words(s))) {
    q_widened_conv2d_pack(s, w.data(), bias.data(), scales.multiplier.data(), packed.data());
    scratch.assign(static_cast<std::size_t>(q_widened_conv2d_scratch(s)) + 1, 0xDEADBEEFU);
  }
  void operator()(const std::int8_t* from, std::int8_t* to) {
    q_widened_conv2d(s, from, packed.data(), scales.view().shift, out, to, scratch.data());
  }
};

}  // namespace

TEST_CASE("q_widened_conv2d equals q_conv2d_plain bit for bit and is exact at its lead") {
  Random random(12);
  int checked = 0, kinds[3] = {}, halves = 0;
  for (int i = 0; i < 1600; ++i) {
    const QConv2dShape s = random_shape(random);
    CAPTURE(i, s.batch, s.in_h, s.in_w, s.in_c, s.out_h, s.out_w, s.out_c, s.kernel_h, s.kernel_w, s.stride_h,
            s.stride_w, s.dilation_h, s.dilation_w, s.pad_top, s.pad_left, s.groups);
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.in_c);
    const auto w = random_int8(random, s.out_c * q_conv2d_taps(s), -127);
    const auto bias = random_bias(random, s.out_c, 20000);
    const Scales scales(random, s.out_c, 0.01, random.integer(0, 1));
    const QOutput out = random_output(random);
    Kernel kernel(s, w, bias, scales, out);
    const auto run = [&](const std::int8_t* from, std::int8_t* to) { kernel(from, to); };
    std::vector<std::uint32_t> plain(static_cast<std::size_t>(q_conv2d_plain_scratch(s)));
    const int outputs = s.batch * s.out_h * s.out_w * s.out_c, lead = q_widened_conv2d_lead_x(s);
    const auto expected = apart(x, outputs, [&](const std::int8_t* from, std::int8_t* to) {
      q_conv2d_plain(s, from, w.data(), bias.data(), scales.view(), out, to, plain.data());
    });
    REQUIRE(apart(x, outputs, run) == expected);
    for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, outputs, lead + more, run) == expected);
    if (lead > -static_cast<int>(x.size())) checked += overlapped(x, outputs, lead - 1, run) != expected;
    REQUIRE(kernel.scratch.back() == 0xDEADBEEFU);
    ++kinds[static_cast<int>(q_widened_kind(s))];
    const bool vertical = q_widened_is_vertical(s);
    halves += q_widened_kind(s) != QWidenedKind::patches && q_widened_dilation(q_widened_axis(s, vertical)) == 2 ? 1 : 0;
  }
  REQUIRE(checked > 300);  // one overwritten element need not change a rounded, clamped output
  INFO(kinds[0] << " patches, " << kinds[1] << " rows, " << kinds[2] << " columns, " << halves << " in halves");
  REQUIRE(*std::min_element(kinds, kinds + 3) > 100);
  REQUIRE(halves > 10);
}
