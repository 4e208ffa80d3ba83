// A convolution that adds its residual against the convolution and the sum one after the other, for every
// kernel: every bit must agree. And the kernels without scratch against those with it.
#include "runtime/q_conv2d_sum.h"

#include <catch2/catch.hpp>

#include "test/runtime/check_lead.h"
#include "test/runtime/q_test.h"
#include "test/runtime/q_vector_shapes.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

/// Everything random but the kernel: a layer, its input, what is added, and how.
struct Case {
  QConv2dShape s;
  std::vector<std::int8_t> x, w, residual;
  std::vector<std::int32_t> bias;
  Scales scales;
  QOutput inner, out;
  QSum f;

  Case(Random& random, const QConv2dShape& shape)
      : s(shape),
        x(random_int8(random, in_size(s))),
        w(random_int8(random, s.out_c * q_conv2d_taps(s), -127)),
        residual(random_int8(random, out_size(s))),
        bias(folded_bias(random_bias(random, s.out_c, 20000), w, s.x_zero_point)),
        scales(random, s.out_c, 0.002, false),
        inner(random_output(random)),
        out(random_output(random)),
        f(q_make_sum(0.2 + 0.7 * random.integer(0, 2), inner.zero_point, 0.9, random.integer(-128, 127),
                     out.zero_point)) {
    if (random.integer(0, 3) != 0) return;
    for (auto& value : x) value = value < 0 ? -128 : 127;
    for (auto& value : residual) value = value < 0 ? -128 : 127;
  }
};

/// The layer on its own, then the sum.
template <typename Layer>
std::vector<std::int8_t> one_after_the_other(const Case& c, const Layer& layer, int words) {
  std::vector<std::int8_t> y(static_cast<std::size_t>(out_size(c.s)));
  std::vector<std::uint32_t> scratch(static_cast<std::size_t>(words) + 1, 0xDEADBEEFU);
  q_layer(c.s, layer, c.x.data(), y.data(), scratch.data());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = q_sum_element(c.f, y[i], c.residual[i], c.out);
  return y;
}

/// Checks the fused kernel apart, over its input, and in place of the residual; counts how often one less
/// than the lead shows.
template <int rows, typename Layer>
void check(const Case& c, const Layer& layer, int words, int& checked) {
  const QConv2dShape& s = c.s;
  CAPTURE(described(s), rows);
  const std::vector<std::int8_t> expected = one_after_the_other(c, layer, words);
  std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_conv2d_sum_scratch(s, rows, words)),
                                     0xDEADBEEFU);
  checked +=
      check_lead(c.x, expected, q_conv2d_sum_lead_x(s, rows), [&](const std::int8_t* from, std::int8_t* to) {
        q_conv2d_sum<rows>(s, from, layer, c.f, c.out, c.residual.data(), to, scratch.data());
      });
  check_lead(c.residual, expected, q_conv2d_sum_lead_residual(s),
             [&](const std::int8_t* from, std::int8_t* to) {
               q_conv2d_sum<rows>(s, c.x.data(), layer, c.f, c.out, from, to, scratch.data());
             });
}

}  // namespace

TEST_CASE(
    "a paired, a plain, a scalar, a narrow, a vector and a bare convolution add their residual bit for bit") {
  Random random(71);
  int checked = 0;
  for (int i = 0; i < 200; ++i) {
    const Case c(random, random_vector_conv(random));
    const QConv2dShape& s = c.s;
    std::vector<std::uint32_t> paired(static_cast<std::size_t>(q_conv2d_packed_words(s)));
    q_conv2d_pack(s, c.w.data(), c.bias.data(), c.scales.multiplier.data(), paired.data());
    check<1>(c, QPackedConv<q_conv2d>{paired.data(), c.scales.view().shift, c.inner}, q_conv2d_scratch(s),
             checked);
    using Plain = QScaledConv<std::int8_t, q_conv2d_plain>;
    check<1>(c, Plain{c.w.data(), c.bias.data(), c.scales.view(), c.inner}, q_conv2d_plain_scratch(s),
             checked);
    std::vector<std::uint8_t> scalar(static_cast<std::size_t>(q_scalar_conv2d_packed_bytes(s)));
    q_scalar_conv2d_pack(s, c.w.data(), scalar.data());
    using Scalar = QScaledConv<std::uint8_t, q_scalar_conv2d>;
    check<1>(c, Scalar{scalar.data(), c.bias.data(), c.scales.view(), c.inner}, q_scalar_conv2d_scratch(s),
             checked);
    std::vector<std::uint32_t> vector(static_cast<std::size_t>(q_vector_conv2d_words(s)));
    q_vector_conv2d_pack(s, c.w.data(), c.bias.data(), c.scales.multiplier.data(), vector.data());
    check<1>(c, QVectorConv{vector.data(), c.inner}, q_vector_conv2d_scratch(s), checked);
    if (q_narrow_conv2d_serves(s)) {
      std::vector<std::uint32_t> narrow(static_cast<std::size_t>(q_narrow_conv2d_packed_words(s)));
      q_narrow_conv2d_pack(s, c.w.data(), narrow.data());
      using Narrow = QScaledConv<std::uint32_t, q_narrow_conv2d>;
      check<1>(c, Narrow{narrow.data(), c.bias.data(), c.scales.view(), c.inner}, q_narrow_conv2d_scratch(s),
               checked);
    }
    std::vector<std::int8_t> bare(c.w.size());
    q_conv2d_bare_pack(s, c.w.data(), bare.data());
    check<1>(c, QBareConv{bare.data(), c.bias.data(), c.scales.view(), c.inner}, 0, checked);
  }
  REQUIRE(checked > 200);
}

TEST_CASE("Winograd's convolution adds its residual bit for bit, four rows at a time") {
  Random random(72);
  int checked = 0;
  for (int i = 0; i < 100; ++i) {
    const Case c(random, random_winograd(random, 13, 16, 9));
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_winograd_packed_words(c.s)));
    q_winograd_pack(c.s, c.w.data(), c.bias.data(), packed.data());
    check<4>(c, QWinogradConv{packed.data(), c.scales.view(), c.inner}, q_winograd_scratch(c.s), checked);
  }
  REQUIRE(checked > 20);
}

TEST_CASE("q_conv2d_bare equals q_conv2d_plain bit for bit, with weights of -128, and is exact at its lead") {
  Random random(73);
  int checked = 0;
  for (int i = 0; i < 300; ++i) {
    Case c(random, random_vector_conv(random));
    const QConv2dShape& s = c.s;
    CAPTURE(i, described(s));
    for (auto& weight : c.w) weight = random.integer(0, 9) == 0 ? std::int8_t{-128} : weight;
    std::vector<std::int8_t> packed(c.w.size());
    q_conv2d_bare_pack(s, c.w.data(), packed.data());
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_conv2d_bare(s, from, packed.data(), c.bias.data(), c.scales.view(), c.inner, to);
    };
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_conv2d_plain_scratch(s)));
    const auto plain = [&](const std::int8_t* from, std::int8_t* to) {
      q_conv2d_plain(s, from, c.w.data(), c.bias.data(), c.scales.view(), c.inner, to, scratch.data());
    };
    const std::vector<std::int8_t> expected = apart(c.x, out_size(s), plain);
    checked += check_lead(c.x, expected, q_conv2d_bare_lead_x(s), kernel);
  }
  REQUIRE(checked > 50);
}

TEST_CASE("q_depthwise_bare equals q_depthwise_conv2d bit for bit and is exact at its lead") {
  Random random(74);
  int checked = 0;
  for (int i = 0; i < 200; ++i) {
    QDepthwiseConv2dShape s = random_vector_depthwise(random);
    s.multiplier = random.integer(1, 2);
    const int out_c = s.channels * s.multiplier, outputs = s.batch * s.out_h * s.out_w * out_c;
    CAPTURE(i, described(s));
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.channels);
    const auto w = random_int8(random, out_c * 9);
    const auto bias = random_bias(random, out_c, 20000);
    const Scales scales(random, out_c, 0.002, random.integer(0, 1));
    const QOutput out = random_output(random);
    std::vector<std::int8_t> ring(static_cast<std::size_t>(q_depthwise_conv2d_packed_bytes(s))),
        packed(w.size());
    q_depthwise_conv2d_pack(s, w.data(), ring.data());
    q_depthwise_bare_pack(s, w.data(), packed.data());
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_depthwise_conv2d_scratch(s)) + 1);
    const auto usual = [&](const std::int8_t* from, std::int8_t* to) {
      q_depthwise_conv2d(s, from, ring.data(), bias.data(), scales.view(), out, to, scratch.data());
    };
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_depthwise_bare(s, from, packed.data(), bias.data(), scales.view(), out, to);
    };
    const std::vector<std::int8_t> expected = apart(x, outputs, usual);
    checked += check_lead(x, expected, q_depthwise_bare_lead_x(s), kernel);
  }
  REQUIRE(checked > 50);
}
