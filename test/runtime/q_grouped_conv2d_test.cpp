// The int8 convolution with groups against q_conv2d_plain on seeded random shapes: every bit must agree.
#include "runtime/q_grouped_conv2d.h"

#include <catch2/catch.hpp>
#include <functional>

#include "runtime/q_grouped_narrow.h"
#include "test/runtime/q_conv_layer.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

QConv2dShape random_shape(Random& random) {
  QConv2dShape s{};
  for (bool fits = false; !fits;) {
    fits = random_window(random, s);
    s.groups = random.integer(1, 4);
    s.in_c = s.groups * (random.integer(0, 2) == 0 ? 1 : random.integer(1, 11));
    s.out_c = s.groups * (random.integer(0, 1) == 0 ? random.integer(1, 3) : random.integer(4, 9));
    fits = fits && (!q_grouped_is_narrow(s) || q_grouped_narrow_serves(s));
  }
  if (random.integer(0, 3) > 0) return s;
  if (random.integer(0, 4) == 0) {
    pad_widely(random, s);
  } else {
    lengthen_rows(random, s);  // of several parts
  }
  return s;
}

/// The paired kernel, or the narrow one, with weights packed for it.
struct Kernel {
  const RandomLayer& layer;
  bool narrow;
  std::vector<std::uint32_t> packed;
  std::vector<std::uint32_t> scratch;

  explicit Kernel(const RandomLayer& l) : layer(l), narrow(q_grouped_is_narrow(l.s)) {
    const QConv2dShape& s = layer.s;
    std::vector<std::int8_t> spread(static_cast<std::size_t>(q_grouped_conv2d_spread_bytes(s)));
    q_grouped_conv2d_spread(s, layer.w.data(), spread.data());
    const QConv2dShape packing = q_grouped_packing(s);
    packed.resize(static_cast<std::size_t>(narrow ? q_narrow_conv2d_packed_words(packing) : q_grouped_conv2d_packed_words(s)));
    if (narrow) {
      q_narrow_conv2d_pack(packing, spread.data(), packed.data());
    } else {
      q_grouped_conv2d_pack(s, spread.data(), layer.bias.data(), layer.scales.multiplier.data(), packed.data());
    }
    scratch.assign(static_cast<std::size_t>(q_grouped_conv2d_scratch(s)) + 1, 0xDEADBEEFU);
  }
  void operator()(const std::int8_t* from, std::int8_t* to) {
    const QScale scale = layer.scales.view();
    if (narrow) {
      q_grouped_narrow(layer.s, from, packed.data(), layer.bias.data(), scale, layer.out, to, scratch.data());
    } else {
      q_grouped_conv2d(layer.s, from, packed.data(), scale.shift, layer.out, to, scratch.data());
    }
  }
};

}  // namespace

TEST_CASE("q_grouped_conv2d and q_grouped_narrow equal q_conv2d_plain bit for bit and are exact at their lead") {
  Random random(12);
  int checked = 0, rows = 0, narrow = 0;
  for (int i = 0; i < 1600; ++i) {
    const QConv2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    const RandomLayer layer(random, s, q_grouped_is_narrow(s) ? -128 : -127);
    Kernel kernel(layer);
    checked += check_lead(layer.x, layer.expected, q_grouped_conv2d_lead_x(s), std::ref(kernel));
    REQUIRE(kernel.scratch.back() == 0xDEADBEEFU);
    rows += q_grouped_has_rows(s) ? 1 : 0;
    narrow += kernel.narrow ? 1 : 0;
  }
  REQUIRE(checked > 300);
  REQUIRE(rows > 200);
  REQUIRE(rows < 1400);
  REQUIRE(narrow > 300);
}
