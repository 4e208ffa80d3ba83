// Dense layers, elementwise kernels and softmax in int8 against their definitions.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "runtime/broadcast.h"
#include "runtime/q_dense.h"
#include "runtime/q_dense_plain.h"
#include "runtime/q_elementwise.h"
#include "runtime/q_scalar_dense.h"
#include "runtime/q_scale.h"
#include "runtime/q_softmax.h"
#include "test/runtime/overlap.h"
#include "test/runtime/q_test.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

int clamped(double value, const QOutput& out) {
  return static_cast<int>(std::min<double>(std::max<double>(value, out.lo), out.hi));
}

}  // namespace

namespace {

/// A dense layer by its definition.
std::vector<std::int8_t> dense(const QDenseShape& s, int zero, const std::vector<std::int8_t>& x,
                               const std::vector<std::int8_t>& w, const std::vector<std::int32_t>& bias,
                               const Scales& scales, const QOutput& out) {
  std::vector<std::int8_t> result;
  for (int r = 0; r < s.rows; ++r)
    for (int o = 0; o < s.out; ++o) {
      std::int64_t sum = bias[static_cast<std::size_t>(o)];
      for (int k = 0; k < s.in; ++k)
        sum += (x[static_cast<std::size_t>(r * s.in + k)] - zero) * w[static_cast<std::size_t>(o * s.in + k)];
      result.push_back(scales.apply(sum, o, out));
    }
  return result;
}

}  // namespace

TEST_CASE("q_dense equals its definition bit for bit") {
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    const QDenseShape s{random.integer(1, 3), random.integer(1, 40), random.integer(1, 20)};
    CAPTURE(i, s.rows, s.in, s.out);
    const int zero = random.integer(-128, 127);
    const auto x = random_int8(random, s.rows * s.in);
    const auto w = random_int8(random, s.out * s.in, -127);
    const auto bias = random_bias(random, s.out, 20000);
    const Scales scales(random, s.out, 0.003, random.integer(0, 1));
    const QOutput out = random_output(random);
    const auto expected = dense(s, zero, x, w, bias, scales, out);
    const auto folded = folded_bias(bias, w, zero);
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_dense_packed_words(s)));
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_dense_scratch(s)));
    q_dense_pack(s, w.data(), packed.data());
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_dense(s, from, packed.data(), folded.data(), scales.view(), out, to, scratch.data());
    };
    const int outputs = s.rows * s.out;
    REQUIRE(apart(x, outputs, kernel) == expected);
    for (int more = 0; more < 3; ++more)
      REQUIRE(overlapped(x, outputs, q_dense_lead_x(s) + more, kernel) == expected);
  }
}

TEST_CASE("q_dense_plain equals its definition bit for bit, with weights of -128 and sums beyond 2^23") {
  Random random(11);
  int checked = 0;
  for (int i = 0; i < 600; ++i) {
    const QDenseShape s{random.integer(1, 3), random.integer(1, 40), random.integer(1, 20)};
    const bool large = random.integer(0, 1) != 0;
    CAPTURE(i, s.rows, s.in, s.out, large);
    const int zero = random.integer(-128, 127);
    const auto x = random_int8(random, s.rows * s.in);
    auto w = random_int8(random, s.out * s.in);
    for (std::int8_t& weight : w) weight = random.integer(0, 9) == 0 ? std::int8_t{-128} : weight;
    const auto bias = random_bias(random, s.out, large ? 1000000000 : 20000);
    const Scales scales(random, s.out, large ? 1e-7 : 0.003, random.integer(0, 1));
    const QOutput out = random_output(random);
    const auto expected = dense(s, zero, x, w, bias, scales, out);
    const auto folded = folded_bias(bias, w, zero);
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_dense_plain_scratch(s)), 0xDEADBEEFU);
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_dense_plain(s, from, w.data(), folded.data(), scales.view(), out, to, scratch.data());
    };
    const int outputs = s.rows * s.out, lead = q_dense_plain_lead_x(s);
    REQUIRE(apart(x, outputs, kernel) == expected);
    for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, outputs, lead + more, kernel) == expected);
    if (lead > -s.rows * s.in) checked += overlapped(x, outputs, lead - 1, kernel) != expected;
  }
  REQUIRE(checked > 100);  // one overwritten element need not change a rounded, clamped output
}

TEST_CASE(
    "q_scalar_dense equals q_dense_plain bit for bit, with weights of -128 too, and is exact at its lead") {
  Random random(7);
  int checked = 0;
  for (int i = 0; i < 400; ++i) {
    const QDenseShape s{random.integer(1, 3), random.integer(1, 40), random.integer(1, 30)};
    CAPTURE(i, s.rows, s.in, s.out);
    const auto x = random_int8(random, s.rows * s.in);
    const auto w = random_int8(random, s.out * s.in);
    const auto bias = random_bias(random, s.out, 20000);
    const Scales scales(random, s.out, 0.003, random.integer(0, 1));
    const QOutput out = random_output(random);
    std::vector<std::int8_t> expected(static_cast<std::size_t>(s.rows * s.out));
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_dense_plain_scratch(s)));
    q_dense_plain(s, x.data(), w.data(), bias.data(), scales.view(), out, expected.data(), scratch.data());
    std::vector<std::uint8_t> packed(static_cast<std::size_t>(q_scalar_dense_packed_bytes(s)));
    q_scalar_dense_pack(s, w.data(), packed.data());
    const auto kernel = [&](const std::int8_t* from, std::int8_t* to) {
      q_scalar_dense(s, from, packed.data(), bias.data(), scales.view(), out, to);
    };
    const int outputs = s.rows * s.out;
    const int lead = q_scalar_dense_lead_x(s);
    REQUIRE(apart(x, outputs, kernel) == expected);
    for (int more = 0; more < 3; ++more) REQUIRE(overlapped(x, outputs, lead + more, kernel) == expected);
    if (lead > -s.rows * s.in) checked += overlapped(x, outputs, lead - 1, kernel) != expected;
  }
  REQUIRE(checked > 100);  // one overwritten element need not change a rounded, clamped output
}

TEST_CASE("weights of -128 and sums of 2^23 cannot be paired") {
  const std::int8_t small[2] = {-127, 127};
  const std::int8_t least[2] = {-128, 1};
  const std::int32_t bias = 0;
  const std::int32_t edge = (1 << 23) - 127 * 255;
  const std::int32_t inside = edge - 1;
  REQUIRE(q_pairable(1, 2, small, &bias));
  REQUIRE_FALSE(q_pairable(1, 2, least, &bias));
  REQUIRE(q_pairable(1, 2, small, &inside));
  REQUIRE_FALSE(q_pairable(1, 2, small, &edge));
}

TEST_CASE("q_matmul multiplies two activations with zero points and broadcast batches") {
  Random random(2);
  for (int i = 0; i < 100; ++i) {
    const int m = random.integer(1, 4), n = random.integer(1, 5), k = random.integer(1, 9);
    const QMatmulShape s{m, n,   k,       k,  1, 1, k, random.integer(-20, 20), random.integer(-20, 20),
                         1, {2}, {m * k}, {0}};
    const auto a = random_int8(random, 2 * m * k), b = random_int8(random, n * k);
    const auto bias = random_bias(random, n, 1000);
    const Scales scales(random, n, 0.004, false);
    const QOutput out = random_output(random);
    std::vector<std::int8_t> expected, y(static_cast<std::size_t>(2 * m * n));
    for (int row = 0; row < 2 * m; ++row)
      for (int column = 0; column < n; ++column) {
        std::int64_t sum = bias[static_cast<std::size_t>(column)];
        for (int e = 0; e < k; ++e)
          sum += (a[static_cast<std::size_t>(row * k + e)] - s.a_zero_point) *
                 (b[static_cast<std::size_t>(column * k + e)] - s.b_zero_point);
        expected.push_back(scales.apply(sum, column, out));
      }
    q_matmul(s, a.data(), b.data(), bias.data(), scales.view(), true, out, y.data());
    REQUIRE(y == expected);
  }
}

TEST_CASE("q_add and q_requantize round the exact result, save near ties") {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const double a_scale = 0.01 + std::abs(2 * random.real()), b_scale = 2 * random.real();
    const int a_zero = random.integer(-128, 127), b_zero = random.integer(-128, 127);
    const QOutput out = random_output(random);
    const QSum f = q_make_sum(a_scale, a_zero, b_scale, b_zero, out.zero_point);
    const auto a = random_int8(random, 300), b = random_int8(random, 300);
    std::vector<std::int8_t> y = a;
    q_add(make_broadcast_shape({2, {3, 100}}, {2, {3, 100}}), f, out, y.data(), b.data(), y.data());
    // Multipliers are rounded to 2^-21 of the larger scale (or 2^-23): 255 of that from each operand.
    const double slack = 2 * 255.0 / (1 << 19);
    for (std::size_t k = 0; k < a.size(); ++k) {
      const double exact = a_scale * (a[k] - a_zero) + b_scale * (b[k] - b_zero) + out.zero_point;
      REQUIRE(y[k] >= clamped(std::floor(exact + 0.5 - slack), out));
      REQUIRE(y[k] <= clamped(std::floor(exact + 0.5 + slack), out));
    }
    const QSum g = q_make_sum(a_scale, a_zero, 0, 0, out.zero_point);
    q_requantize(ElementwiseShape{300}, g, out, a.data(), y.data());
    for (std::size_t k = 0; k < a.size(); ++k) {
      const double exact = a_scale * (a[k] - a_zero) + out.zero_point;
      REQUIRE(y[k] >= clamped(std::floor(exact + 0.5 - slack), out));
      REQUIRE(y[k] <= clamped(std::floor(exact + 0.5 + slack), out));
    }
  }
}

TEST_CASE("q_add stays within 32 bits at the ends of its ranges, and broadcasts") {
  const QOutput out{127, -128, 127};
  const double scales[] = {1.0, 0.4999, 1.9999, 1000.0, 1e-9, -1.9};
  const std::int8_t ends[] = {-128, 127};
  for (double a_scale : scales)
    for (double b_scale : scales)
      for (int zero : {-128, 127}) {
        const QSum f = q_make_sum(a_scale, zero, b_scale, zero, out.zero_point);
        for (std::int8_t a : ends)
          for (std::int8_t b : ends) {
            const std::int64_t sum = static_cast<std::int64_t>(f.offset) +
                                     static_cast<std::int64_t>(a) * f.a_multiplier +
                                     static_cast<std::int64_t>(b) * f.b_multiplier;
            REQUIRE(std::abs(sum) < std::int64_t{1} << 31);
            REQUIRE(std::abs(f.offset + static_cast<std::int64_t>(a) * f.a_multiplier) < std::int64_t{1}
                                                                                             << 31);
          }
      }
  const std::int8_t a[6] = {1, 2, 3, 4, 5, 6}, b[3] = {10, 20, 30};
  std::int8_t y[6];
  q_add(make_broadcast_shape({2, {2, 3}}, {1, {3}}), q_make_sum(1, 0, 1, 0, 0), QOutput{0, -128, 127}, a, b,
        y);
  REQUIRE(std::vector<int>(y, y + 6) == std::vector<int>{11, 22, 33, 14, 25, 36});
}

TEST_CASE("q_mul rounds the exact product once") {
  Random random(4);
  for (double scale : {0.001, 0.3, 0.7, 1.7}) {
    const QMultiplier m = q_multiplier(scale);
    REQUIRE((m.shift == 0) == (scale < 0.5));
    const QProduct f{random.integer(-128, 127), random.integer(-128, 127), m.multiplier, m.shift};
    const QOutput out = random_output(random);
    const auto a = random_int8(random, 500), b = random_int8(random, 500);
    std::vector<std::int8_t> y(500);
    q_mul(make_broadcast_shape({1, {500}}, {1, {500}}), f, out, a.data(), b.data(), y.data());
    for (std::size_t k = 0; k < y.size(); ++k) {
      const double product = (a[k] - f.a_zero_point) * (b[k] - f.b_zero_point);
      const double exact = product * m.multiplier / q_power_of_two(m.shift == 0 ? 32 : m.shift);
      REQUIRE(y[k] == clamped(std::floor(exact + 0.5) + out.zero_point, out));
    }
  }
}

TEST_CASE("q_table looks every value up") {
  std::vector<std::int8_t> table(256), x(256), y(256);
  for (int k = 0; k < 256; ++k) {
    table[static_cast<std::size_t>(k)] = static_cast<std::int8_t>((k * 37 + 11) % 256 - 128);
    x[static_cast<std::size_t>(k)] = static_cast<std::int8_t>(k - 128);
  }
  q_table(ElementwiseShape{256}, table.data(), x.data(), y.data());
  REQUIRE(y == table);
}

TEST_CASE("quantize_linear rounds halves to even and saturates; dequantize_linear is its inverse") {
  const float scale[2] = {0.5F, 2.0F};
  const std::int32_t zero[2] = {3, -4};
  const float x[8] = {0.25F, 0.75F, -0.25F, 1e30F, 1.0F, 3.0F, -1e30F, NAN};
  std::int8_t y[8];
  quantize_linear(QuantizeShape{1, 2, 4}, x, scale, zero, y);
  REQUIRE(std::vector<int>(y, y + 8) == std::vector<int>{3, 5, 3, 127, -4, -2, -128, -128});
  std::uint8_t u[4];
  quantize_linear(QuantizeShape{1, 1, 4}, x, scale, zero, u);
  REQUIRE(std::vector<int>(u, u + 4) == std::vector<int>{3, 5, 3, 255});
  std::int16_t w[4];
  const float large[4] = {20000.0F, -20000.0F, 1000.25F, 1000.75F};
  quantize_linear(QuantizeShape{1, 1, 4}, large, scale, nullptr, w);
  REQUIRE(std::vector<int>(w, w + 4) == std::vector<int>{32767, -32768, 2000, 2002});
  float back[2];
  const std::int8_t q[2] = {5, -128};
  dequantize_linear(QuantizeShape{1, 2, 1}, q, scale, zero, back);
  REQUIRE(back[0] == 1.0F);
  REQUIRE(back[1] == -248.0F);
}

TEST_CASE("q_softmax is the rounded softmax") {
  Random random(6);
  for (int i = 0; i < 200; ++i) {
    const QSoftmaxShape s{random.integer(1, 2), random.integer(1, 40), random.integer(1, 2)};
    const double x_scale = 0.001 + 0.3 * std::abs(random.real()), y_scale = i % 2 ? 1.0 / 256 : 0.0051;
    const QOutput out{i % 2 ? -128 : 7, -128, 127};
    const auto x = random_int8(random, s.outer * s.axis * s.inner);
    std::vector<std::uint32_t> table(256);
    q_softmax_table(x_scale, s.axis, table.data());
    const QSoftmaxScale scale = q_softmax_scale(y_scale);
    std::vector<std::int8_t> y = x;
    q_softmax(s, table.data(), scale.multiplier, scale.shift, out, y.data(), y.data());
    for (int row = 0; row < s.outer * s.inner; ++row) {
      const int start = row / s.inner * s.axis * s.inner + row % s.inner;
      double sum = 0;
      for (int k = 0; k < s.axis; ++k)
        sum += std::exp(x_scale * x[static_cast<std::size_t>(start + k * s.inner)]);
      for (int k = 0; k < s.axis; ++k) {
        const auto at = static_cast<std::size_t>(start + k * s.inner);
        const double exact = std::exp(x_scale * x[at]) / sum / y_scale + out.zero_point;
        // Exponentials have at least 26 bits for 40 elements: a relative error near 2^-26 of at most 256.
        REQUIRE(y[at] >= clamped(std::floor(exact + 0.5 - 1e-4), out));
        REQUIRE(y[at] <= clamped(std::floor(exact + 0.5 + 1e-4), out));
      }
    }
  }
}

TEST_CASE("q_shifted_multiplier and q16_multiplier: all bits of a scale of any size") {
  for (double scale : {1e-6, 0.25, 0.499, 1.0, 1.999, 2.0, 2.009, 3.7, 1000.0}) {
    INFO("scale " << scale);
    const QMultiplier m = q_shifted_multiplier(scale), n = q16_multiplier(scale, 24);
    CHECK(m.multiplier >= 1 << 30);
    CHECK(std::abs(m.multiplier * std::ldexp(1.0, -m.shift) / scale - 1) <= std::ldexp(1.0, -31));
    CHECK(n.multiplier >= (1 << 23) - 1);
    CHECK(n.multiplier <= 1 << 24);
    CHECK(std::abs(n.multiplier * std::ldexp(1.0, -n.shift) / scale - 1) <= std::ldexp(1.0, -24));
  }
}

namespace {

/// Runs a kernel between stored bytes and floats with x `distance` bytes above y (negative: below) in one
/// block. Returns y.
template <typename X, typename Y, typename Kernel>
std::vector<Y> overlapped_bytes(const std::vector<X>& x, int distance, Kernel kernel) {
  const int y_at = distance < 0 ? 4 * ((3 - distance) / 4) : 0;
  const std::size_t bytes = x.size() * sizeof(X) + x.size() * sizeof(Y) + 64;
  std::vector<float> block(bytes / sizeof(float) + 1);
  auto* memory = reinterpret_cast<unsigned char*>(block.data());
  std::memcpy(memory + y_at + distance, x.data(), x.size() * sizeof(X));
  kernel(reinterpret_cast<const X*>(memory + y_at + distance), reinterpret_cast<Y*>(memory + y_at));
  std::vector<Y> y(x.size());
  std::memcpy(y.data(), memory + y_at, y.size() * sizeof(Y));
  return y;
}

}  // namespace

TEST_CASE("quantize_linear may write over the head of its floats, and not over the next one") {
  Random random(91);
  for (int i = 0; i < 50; ++i) {
    const QuantizeShape s{random.integer(1, 3), random.integer(1, 3), random.integer(2, 40)};
    CAPTURE(i, s.outer, s.channels, s.inner);
    auto x = random.tensor<float>(s.outer * s.channels * s.inner);
    for (float& value : x) value *= 200;
    // The first result, 127, over the lowest byte of the second float would push it off its tie.
    x[0] = 1e30F, x[1] = 0.5F;
    const std::vector<float> scale(static_cast<std::size_t>(s.channels), 1.0F);
    const auto kernel = [&](const float* from, std::int8_t* to) {
      quantize_linear(s, from, scale.data(), nullptr, to);
    };
    std::vector<std::int8_t> expected(x.size());
    kernel(x.data(), expected.data());
    const int lead = static_cast<int>(sizeof(float)) * quantize_linear_lead_x(s);
    for (int more = 0; more < 3; ++more)
      REQUIRE(overlapped_bytes<float, std::int8_t>(x, lead + 4 * more, kernel) == expected);
    REQUIRE(overlapped_bytes<float, std::int8_t>(x, lead - 4, kernel) != expected);
  }
}

TEST_CASE("dequantize_linear may read from the end of its floats, and not from one byte before") {
  Random random(92);
  for (int i = 0; i < 50; ++i) {
    const QuantizeShape s{random.integer(1, 3), random.integer(1, 3), random.integer(2, 40)};
    CAPTURE(i, s.outer, s.channels, s.inner);
    auto x = random_int8(random, s.outer * s.channels * s.inner);
    x.back() = 77;  // no byte of a float that is written over it
    const std::vector<float> scale(static_cast<std::size_t>(s.channels), 0.5F);
    const auto kernel = [&](const std::int8_t* from, float* to) {
      dequantize_linear(s, from, scale.data(), nullptr, to);
    };
    std::vector<float> expected(x.size());
    kernel(x.data(), expected.data());
    const int lead = dequantize_linear_lead_x(s);
    for (int more = 0; more < 4; ++more)
      REQUIRE(overlapped_bytes<std::int8_t, float>(x, lead + more, kernel) == expected);
    REQUIRE(overlapped_bytes<std::int8_t, float>(x, lead - 1, kernel) != expected);
  }
}
