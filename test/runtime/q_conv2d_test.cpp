// int8 convolutions against the definition with zero points kept apart, on seeded random shapes: every bit
// must agree.
#include "runtime/q_conv2d.h"

#include <catch2/catch.hpp>

#include "runtime/q_conv2d_plain.h"
#include "runtime/q_depthwise_conv2d.h"
#include "runtime/q_scalar_conv2d.h"
#include "runtime/q_scalar_depthwise.h"
#include "test/runtime/check_lead.h"
#include "test/runtime/q_test.h"
#include "test/runtime/q_vector_shapes.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

template <typename Shape>
bool random_geometry(Random& random, Shape& s) {
  s.batch = random.integer(1, 2);
  s.in_h = random.integer(0, 3) == 0 ? 1 : random.integer(1, 9);
  s.in_w = random.integer(1, 12);
  const bool pointwise = random.integer(0, 4) == 0;
  const bool three = random.integer(0, 2) == 0;
  s.kernel_h = three ? 3 : pointwise || s.in_h == 1 ? 1 : random.integer(1, 5);
  s.kernel_w = three ? 3 : pointwise ? 1 : random.integer(1, 7);
  s.stride_h = random.integer(1, three ? 2 : 3);
  s.stride_w = random.integer(0, 1) ? s.stride_h : random.integer(1, 4);
  s.dilation_h = three ? 1 : random.integer(1, 2);
  s.dilation_w = three || random.integer(0, 1) ? 1 : random.integer(1, 3);
  s.pad_top = random.integer(0, s.kernel_h - 1);
  s.pad_left = random.integer(0, 9) == 0 ? random.integer(8, 25) : random.integer(0, s.kernel_w);
  s.x_zero_point = random.integer(-128, 127);
  return random_output_size(random, s);
}

QConv2dShape random_conv(Random& random) {
  QConv2dShape s{};
  while (!random_geometry(random, s)) {
  }
  s.groups = random.integer(0, 3) == 0 ? random.integer(2, 3) : 1;
  s.in_c = s.groups * random.integer(1, 9);
  s.out_c = s.groups * random.integer(1, 9);
  return s;
}

QDepthwiseConv2dShape random_depthwise(Random& random) {
  QDepthwiseConv2dShape s{};
  while (!random_geometry(random, s)) {
  }
  s.channels = random.integer(1, 9);
  s.multiplier = random.integer(0, 3) == 0 ? random.integer(2, 3) : 1;
  s.packed = random.integer(0, 3) != 0;
  return s;
}

/// The convolution by its definition; channel counts per group given apart so that depthwise fits too.
template <typename Shape>
std::vector<std::int64_t> sums(const Shape& s, int in_c, int out_c, int groups,
                               const std::vector<std::int8_t>& x, const std::vector<std::int8_t>& w,
                               const std::vector<std::int32_t>& bias) {
  const int icg = in_c / groups, ocg = out_c / groups;
  std::vector<std::int64_t> result;
  for (int n = 0; n < s.batch; ++n)
    for (int oy = 0; oy < s.out_h; ++oy)
      for (int ox = 0; ox < s.out_w; ++ox)
        for (int o = 0; o < out_c; ++o) {
          std::int64_t sum = bias[static_cast<std::size_t>(o)];
          for (int ky = 0; ky < s.kernel_h; ++ky)
            for (int kx = 0; kx < s.kernel_w; ++kx) {
              const int iy = oy * s.stride_h + ky * s.dilation_h - s.pad_top;
              const int ix = ox * s.stride_w + kx * s.dilation_w - s.pad_left;
              if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
              for (int i = 0; i < icg; ++i) {
                const int from = ((n * s.in_h + iy) * s.in_w + ix) * in_c + o / ocg * icg + i;
                const int weight = ((o * icg + i) * s.kernel_h + ky) * s.kernel_w + kx;
                sum += static_cast<std::int64_t>(x[static_cast<std::size_t>(from)] - s.x_zero_point) *
                       w[static_cast<std::size_t>(weight)];
              }
            }
          result.push_back(sum);
        }
  return result;
}

std::vector<std::int8_t> finish(const std::vector<std::int64_t>& sums, int channels, const Scales& scales,
                                const QOutput& out) {
  std::vector<std::int8_t> y;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const int c = static_cast<int>(i) % channels;
    y.push_back(scales.apply(sums[i], c, out));
  }
  return y;
}

std::vector<std::uint32_t> pack(const QConv2dShape& s, const std::vector<std::int8_t>& w,
                                const std::vector<std::int32_t>& bias, const QScale& scale) {
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_conv2d_packed_words(s)));
  q_conv2d_pack(s, w.data(), bias.data(), scale.multiplier, packed.data());
  return packed;
}

std::vector<std::uint8_t> scalar_pack(const QConv2dShape& s, const std::vector<std::int8_t>& w) {
  std::vector<std::uint8_t> packed(static_cast<std::size_t>(q_scalar_conv2d_packed_bytes(s)));
  q_scalar_conv2d_pack(s, w.data(), packed.data());
  return packed;
}

}  // namespace

TEST_CASE("q_conv2d equals its definition bit for bit") {
  Random random(1);
  for (int i = 0; i < 600; ++i) {
    const QConv2dShape s = random_conv(random);
    CAPTURE(i, described(s));
    const auto x = random_int8(random, in_size(s));
    const auto w = random_int8(random, s.out_c * q_conv2d_taps(s), -127);
    const auto bias = random_bias(random, s.out_c, 20000);
    const Scales scales(random, s.out_c, 0.002 * random.integer(1, 5), random.integer(0, 1));
    const QOutput out = random_output(random);
    const auto expected = finish(sums(s, s.in_c, s.out_c, s.groups, x, w, bias), s.out_c, scales, out);
    const auto folded = folded_bias(bias, w, s.x_zero_point);
    REQUIRE(q_pairable(s.out_c, q_conv2d_taps(s), w.data(), folded.data()));
    std::vector<std::int8_t> y(expected.size());
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_conv2d_scratch(s)), 0xDEADBEEFU);
    q_conv2d(s, x.data(), pack(s, w, folded, scales.view()).data(), scales.view().shift, out, y.data(),
             scratch.data());
    REQUIRE(y == expected);
  }
}

TEST_CASE("q_conv2d_plain equals its definition bit for bit, with weights of -128 and sums beyond 2^23") {
  Random random(6);
  for (int i = 0; i < 800; ++i) {
    const QConv2dShape s = random_conv(random);
    CAPTURE(i, described(s));
    const bool large = random.integer(0, 1) != 0;
    const auto x = random_int8(random, in_size(s));
    auto w = random_int8(random, s.out_c * q_conv2d_taps(s));
    for (std::int8_t& weight : w) weight = random.integer(0, 9) == 0 ? std::int8_t{-128} : weight;
    const auto bias = random_bias(random, s.out_c, large ? 1000000000 : 20000);
    const Scales scales(random, s.out_c, large ? 1e-7 : 0.002 * random.integer(1, 5), random.integer(0, 1));
    const QOutput out = random_output(random);
    const auto expected = finish(sums(s, s.in_c, s.out_c, s.groups, x, w, bias), s.out_c, scales, out);
    const auto folded = folded_bias(bias, w, s.x_zero_point);
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_conv2d_plain_scratch(s)), 0xDEADBEEFU);
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_conv2d_plain(s, from, w.data(), folded.data(), scales.view(), out, to, scratch.data());
    };
    REQUIRE(apart(x, out_size(s), kernel) == expected);
    REQUIRE(overlapped(x, out_size(s), q_conv2d_plain_lead_x(s), kernel) == expected);
  }
}

TEST_CASE(
    "q_scalar_conv2d equals its definition bit for bit, with weights of -128 too, and is exact at its lead") {
  Random random(4);
  int checked = 0;
  for (int i = 0; i < 600; ++i) {
    const QConv2dShape s = random_conv(random);
    CAPTURE(i, described(s));
    const auto x = random_int8(random, in_size(s));
    const auto w = random_int8(random, s.out_c * q_conv2d_taps(s));
    const auto bias = random_bias(random, s.out_c, 20000);
    const Scales scales(random, s.out_c, 0.002 * random.integer(1, 5), random.integer(0, 1));
    const QOutput out = random_output(random);
    const auto expected = finish(sums(s, s.in_c, s.out_c, s.groups, x, w, bias), s.out_c, scales, out);
    const auto folded = folded_bias(bias, w, s.x_zero_point);
    const auto packed = scalar_pack(s, w);
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_scalar_conv2d_scratch(s)), 0xDEADBEEFU);
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_scalar_conv2d(s, from, packed.data(), folded.data(), scales.view(), out, to, scratch.data());
    };
    const int lead = q_scalar_conv2d_lead_x(s);
    REQUIRE(apart(x, out_size(s), kernel) == expected);
    for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, out_size(s), lead + more, kernel) == expected);
    if (lead > -in_size(s)) checked += overlapped(x, out_size(s), lead - 1, kernel) != expected;
  }
  REQUIRE(checked > 150);
}

TEST_CASE("q_conv2d is exact at its lead and not at one less") {
  Random random(2);
  int checked = 0;
  for (int i = 0; i < 300; ++i) {
    const QConv2dShape s = random_conv(random);
    const auto x = random_int8(random, in_size(s));
    const auto w = random_int8(random, s.out_c * q_conv2d_taps(s), 1);
    const auto bias = random_bias(random, s.out_c, 100);
    const Scales scales(random, s.out_c, 0.0005, false);
    const auto packed = pack(s, w, bias, scales.view());
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_conv2d_scratch(s)));
    const QOutput out{0, -128, 127};
    const auto paired = [&](const std::int8_t* from, std::int8_t* to) {
      q_conv2d(s, from, packed.data(), scales.view().shift, out, to, scratch.data());
    };
    std::vector<std::uint32_t> plain_scratch(static_cast<std::size_t>(q_conv2d_plain_scratch(s)));
    const auto plain = [&](const std::int8_t* from, std::int8_t* to) {
      q_conv2d_plain(s, from, w.data(), bias.data(), scales.view(), out, to, plain_scratch.data());
    };
    CAPTURE(i, described(s), q_conv2d_lead_x(s));
    checked += check_lead(x, apart(x, out_size(s), paired), q_conv2d_lead_x(s), paired);
    checked += check_lead(x, apart(x, out_size(s), plain), q_conv2d_plain_lead_x(s), plain);
  }
  REQUIRE(checked > 150);
}

TEST_CASE("q_depthwise_conv2d equals its definition bit for bit and is exact at its lead") {
  Random random(3);
  int checked = 0;
  for (int i = 0; i < 800; ++i) {
    const QDepthwiseConv2dShape s = random_depthwise(random);
    CAPTURE(i, described(s));
    const int out_c = s.channels * s.multiplier;
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.channels);
    const auto w = random_int8(random, out_c * s.kernel_h * s.kernel_w);
    const auto bias = random_bias(random, out_c, 20000);
    const Scales scales(random, out_c, 0.01 * random.integer(1, 5), random.integer(0, 1));
    const QOutput out = random_output(random);
    const auto expected = finish(sums(s, s.channels, out_c, s.channels, x, w, bias), out_c, scales, out);
    const auto folded = folded_bias(bias, w, s.x_zero_point);
    std::vector<std::int8_t> packed = w;
    if (s.packed) {
      packed.resize(static_cast<std::size_t>(q_depthwise_conv2d_packed_bytes(s)));
      q_depthwise_conv2d_pack(s, w.data(), packed.data());
    }
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_depthwise_conv2d_scratch(s)), 0xDEADBEEFU);
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_depthwise_conv2d(s, from, packed.data(), folded.data(), scales.view(), out, to, scratch.data());
    };
    const int outputs = static_cast<int>(expected.size());
    const int lead = q_depthwise_conv2d_lead_x(s);
    REQUIRE(apart(x, outputs, kernel) == expected);
    for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, outputs, lead + more, kernel) == expected);
    if (lead > -static_cast<int>(x.size())) checked += overlapped(x, outputs, lead - 1, kernel) != expected;
  }
  REQUIRE(checked > 200);
}

TEST_CASE("q_scalar_depthwise equals its definition bit for bit and is exact at its lead") {
  Random random(5);
  int checked = 0, served = 0;
  for (int i = 0; i < 1500; ++i) {
    QDepthwiseConv2dShape s = random_depthwise(random);
    s.packed = 1;
    if (!q_scalar_depthwise_has(s)) continue;
    ++served;
    CAPTURE(i, described(s));
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.channels);
    const auto w = random_int8(random, s.channels * 9);
    const auto bias = random_bias(random, s.channels, 20000);
    const Scales scales(random, s.channels, 0.01 * random.integer(1, 5), random.integer(0, 1));
    const QOutput out = random_output(random);
    const auto sum = sums(s, s.channels, s.channels, s.channels, x, w, bias);
    const auto expected = finish(sum, s.channels, scales, out);
    const auto folded = folded_bias(bias, w, s.x_zero_point + 128);
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_scalar_depthwise_scratch(s)), 0xDEADBEEFU);
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_scalar_depthwise(s, from, w.data(), folded.data(), scales.view(), out, to, scratch.data());
    };
    const int outputs = static_cast<int>(expected.size());
    const int lead = q_scalar_depthwise_lead_x(s);
    REQUIRE(apart(x, outputs, kernel) == expected);
    for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, outputs, lead + more, kernel) == expected);
    if (lead > -static_cast<int>(x.size())) checked += overlapped(x, outputs, lead - 1, kernel) != expected;
  }
  REQUIRE(served > 200);
  REQUIRE(checked > 60);
}
