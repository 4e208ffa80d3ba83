// The int8 convolution with groups against q_conv2d_plain on seeded random shapes: every bit must agree.
#include "runtime/q_widened_conv2d.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "test/runtime/q_conv_layer.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

QConv2dShape random_shape(Random& random) {
  QConv2dShape s{};
  for (bool fits = false; !fits;) {
    fits = random_window(random, s);
    s.groups = random.integer(2, 4);
    s.in_c = s.groups * random.integer(1, 11);
    s.out_c = s.groups * (random.integer(0, 1) == 0 ? random.integer(1, 3) : random.integer(4, 9));
  }
  if (random.integer(0, 3) > 0) return s;
  if (random.integer(0, 1) == 0) {
    lengthen_rows(random, s);  // of several parts, as are the columns
  } else {
    lengthen_columns(random, s);
  }
  return s;
}

/// The kernel with weights packed for it.
struct Kernel {
  const RandomLayer& layer;
  std::vector<std::uint32_t> packed;
  std::vector<std::uint32_t> scratch;

  explicit Kernel(const RandomLayer& l)
      : layer(l),
        packed(static_cast<std::size_t>(q_widened_conv2d_packed_words(l.s))),
        scratch(static_cast<std::size_t>(q_widened_conv2d_scratch(l.s)) + 1, 0xDEADBEEFU) {
    q_widened_conv2d_pack(l.s, l.w.data(), l.bias.data(), l.scales.multiplier.data(), packed.data());
  }
  void operator()(const std::int8_t* from, std::int8_t* to) {
    q_widened_conv2d(layer.s, from, packed.data(), layer.scales.view().shift, layer.out, to, scratch.data());
  }
};

}  // namespace

TEST_CASE("q_widened_conv2d equals q_conv2d_plain bit for bit and is exact at its lead") {
  Random random(12);
  int checked = 0, kinds[3] = {}, halves = 0;
  for (int i = 0; i < 1600; ++i) {
    const QConv2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    const RandomLayer layer(random, s, -127);
    Kernel kernel(layer);
    checked += check_lead(layer.x, layer.expected, q_widened_conv2d_lead_x(s), std::ref(kernel));
    REQUIRE(kernel.scratch.back() == 0xDEADBEEFU);
    ++kinds[static_cast<int>(q_widened_kind(s))];
    const bool vertical = q_widened_is_vertical(s);
    halves += q_widened_kind(s) != QWidenedKind::patches && q_widened_dilation(q_widened_axis(s, vertical)) == 2 ? 1 : 0;
  }
  REQUIRE(checked > 300);
  INFO(kinds[0] << " patches, " << kinds[1] << " rows, " << kinds[2] << " columns, " << halves << " in halves");
  REQUIRE(*std::min_element(kinds, kinds + 3) > 100);
  REQUIRE(halves > 10);
}
