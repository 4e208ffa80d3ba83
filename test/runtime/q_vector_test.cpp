// The int8 kernels for vectors of 16 (their portable twins, on packed weights) against the plain kernels, on
// seeded random shapes: every bit must agree. same_bits_test.py runs the assembly.
#include <catch2/catch.hpp>

#include "runtime/q_conv2d_plain.h"
#include "runtime/q_dense_plain.h"
#include "runtime/q_depthwise_conv2d.h"
#include "runtime/q_vector_conv2d.h"
#include "runtime/q_vector_dense.h"
#include "runtime/q_vector_depthwise.h"
#include "test/runtime/check_lead.h"
#include "test/runtime/q_test.h"
#include "test/runtime/q_vector_shapes.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

/// A layer's constants. Every third layer has sums up to 2^31 in size and no weights: rounding alone.
struct Constants {
  std::vector<std::int8_t> w;
  std::vector<std::int32_t> bias, multiplier;
  QOutput out;

  Constants(Random& random, int channels, int taps) : w(random_int8(random, channels * taps)) {
    const bool only_rounding = random.integer(0, 2) == 0;
    if (only_rounding) std::fill(w.begin(), w.end(), std::int8_t{0});
    bias = random_bias(random, channels, only_rounding ? 2147483647 : 20000);
    for (int c = 0; c < channels; ++c)
      multiplier.push_back(only_rounding ? random.integer(0, 1 << random.integer(1, 30))
                                         : random.integer(1000000, 40000000));
    out = random_output(random);
  }
  QScale scale() const { return QScale{multiplier.data(), nullptr}; }
};

std::vector<std::uint32_t> words(int count) {
  return std::vector<std::uint32_t>(static_cast<std::size_t>(count), 0xDEADBEEFU);
}

}  // namespace

TEST_CASE("q_vector_conv2d equals q_conv2d_plain bit for bit and is exact at its lead") {
  Random random(1);
  int checked = 0;
  for (int i = 0; i < 500; ++i) {
    const QConv2dShape s = random_vector_conv(random);
    CAPTURE(i, described(s));
    const auto x = random_int8(random, in_size(s));
    const Constants c(random, s.out_c, q_conv2d_taps(s));
    auto packed = words(q_vector_conv2d_words(s)), scratch = words(q_vector_conv2d_scratch(s));
    q_vector_conv2d_pack(s, c.w.data(), c.bias.data(), c.multiplier.data(), packed.data());
    std::vector<std::int8_t> expected(static_cast<std::size_t>(out_size(s)));
    q_conv2d_plain(s, x.data(), c.w.data(), c.bias.data(), c.scale(), c.out, expected.data(),
                   words(q_conv2d_plain_scratch(s)).data());
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_vector_conv2d(s, from, packed.data(), c.out, to, scratch.data());
    };
    checked += check_lead(x, expected, q_vector_conv2d_lead_x(s), kernel);
  }
  REQUIRE(checked > 100);
}

TEST_CASE("q_vector_depthwise equals q_depthwise_conv2d bit for bit and is exact at its lead") {
  Random random(3);
  int checked = 0;
  for (int i = 0; i < 400; ++i) {
    const QDepthwiseConv2dShape s = random_vector_depthwise(random);
    CAPTURE(i, described(s));
    REQUIRE(q_vector_depthwise_takes(s));
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.channels);
    const Constants c(random, s.channels, 9);
    auto packed = words(q_vector_depthwise_words(s)), scratch = words(q_vector_depthwise_scratch(s));
    q_vector_depthwise_pack(s, c.w.data(), c.bias.data(), c.multiplier.data(), packed.data());
    std::vector<std::int8_t> expected(static_cast<std::size_t>(s.batch * s.out_h * s.out_w * s.channels));
    QDepthwiseConv2dShape plain = s;
    plain.packed = 0;
    q_depthwise_conv2d(plain, x.data(), c.w.data(), c.bias.data(), c.scale(), c.out, expected.data(),
                       words(q_depthwise_conv2d_scratch(plain)).data());
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_vector_depthwise(s, from, packed.data(), c.out, to, scratch.data());
    };
    checked += check_lead(x, expected, q_vector_depthwise_lead_x(s), kernel);
  }
  REQUIRE(checked > 100);
}

TEST_CASE("q_vector_dense equals q_dense_plain bit for bit and is exact at its lead") {
  Random random(2);
  int checked = 0;
  for (int i = 0; i < 300; ++i) {
    const QDenseShape s{random.integer(1, 3), random.integer(1, 70), random.integer(1, 30)};
    CAPTURE(i, s.rows, s.in, s.out);
    const auto x = random_int8(random, s.rows * s.in);
    const Constants c(random, s.out, s.in);
    auto packed = words(q_vector_dense_words(s)), scratch = words(q_vector_dense_scratch(s));
    q_vector_dense_pack(s, c.w.data(), c.bias.data(), c.multiplier.data(), packed.data());
    std::vector<std::int8_t> expected(static_cast<std::size_t>(s.rows * s.out));
    q_dense_plain(s, x.data(), c.w.data(), c.bias.data(), c.scale(), c.out, expected.data(),
                  words(q_dense_plain_scratch(s)).data());
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_vector_dense(s, from, packed.data(), c.out, to, scratch.data());
    };
    checked += check_lead(x, expected, q_vector_dense_lead_x(s), kernel);
  }
  REQUIRE(checked > 50);
}
