// Products of integers against the definition in int64, taken modulo 2^32: every bit must agree.
#include "runtime/q_integer.h"

#include <catch2/catch.hpp>

#include <limits>

#include "runtime/dynamic_quantize.h"
#include "runtime/q_conv2d_bare.h"
#include "runtime/q_integer_paired.h"
#include "test/runtime/q_test.h"
#include "test/runtime/q_vector_shapes.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

/// Every fourth element lies at an end of the range.
template <typename T>
std::vector<T> random_bytes(Random& random, int elements) {
  constexpr int lo = std::numeric_limits<T>::min(), hi = std::numeric_limits<T>::max();
  std::vector<T> values(static_cast<std::size_t>(elements));
  for (T& value : values) {
    const int kind = random.integer(0, 7);
    value = static_cast<T>(kind == 0 ? lo : kind == 1 ? hi : random.integer(lo, hi));
  }
  return values;
}

/// Zero points of weights as packing leaves them: sums of a byte's and 128, or none.
std::vector<std::int32_t> random_zeros(Random& random, int channels) {
  std::vector<std::int32_t> values;
  if (random.integer(0, 1) == 0) return values;
  for (int c = 0; c < channels; ++c) values.push_back(random.integer(-128, 255));
  return values;
}

const std::int32_t* pointer(const std::vector<std::int32_t>& values) { return values.empty() ? nullptr : values.data(); }
std::int64_t entry(const std::vector<std::int32_t>& values, int c) { return values.empty() ? 0 : values[static_cast<std::size_t>(c)]; }
std::int32_t wrapped(std::int64_t sum) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum)); }

template <typename X>
void check_dense(Random& random, const QDenseShape& s, int least_weight = -128) {
  const std::vector<X> x = random_bytes<X>(random, s.rows * s.in), zero = random_bytes<X>(random, 1);
  std::vector<std::int8_t> w = random_bytes<std::int8_t>(random, s.out * s.in);
  for (std::int8_t& weight : w) weight = static_cast<std::int8_t>(max_of(int{weight}, least_weight));
  const std::vector<std::int32_t> w_zero = random_zeros(random, s.out);
  std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_integer_dense_scratch(s)) + 1, 77);
  std::vector<std::int32_t> y(static_cast<std::size_t>(s.rows * s.out));
  std::vector<float> real(y.size());
  q_integer_dense(s, x.data(), zero.data(), w.data(), pointer(w_zero), y.data(), scratch.data());
  q_integer_dense(s, x.data(), zero.data(), w.data(), pointer(w_zero), real.data(), scratch.data());
  CHECK(scratch.back() == 77);
  if (q_integer_pairable(s, w.data())) {
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_dense_packed_words(s)));
    std::vector<std::int32_t> paired(y.size());
    q_dense_pack(s, w.data(), packed.data());
    scratch.assign(static_cast<std::size_t>(q_integer_dense_paired_scratch(s)) + 1, 77);
    q_integer_dense_paired(s, x.data(), zero.data(), packed.data(), pointer(w_zero), paired.data(), scratch.data());
    CHECK(scratch.back() == 77);
    REQUIRE(paired == y);
  }
  for (int row = 0; row < s.rows; ++row)
    for (int o = 0; o < s.out; ++o) {
      std::int64_t sum = 0;
      for (int k = 0; k < s.in; ++k)
        sum += (std::int64_t{x[static_cast<std::size_t>(row * s.in + k)]} - zero[0]) * (w[static_cast<std::size_t>(o * s.in + k)] - entry(w_zero, o));
      INFO(s.rows << " x " << s.in << " -> " << s.out << ", row " << row << ", output " << o);
      const auto at = static_cast<std::size_t>(row * s.out + o);
      REQUIRE(y[at] == wrapped(sum));
      REQUIRE(real[at] == static_cast<float>(wrapped(sum)));
    }
}

/// The convolution by its definition. w: [out_c][in_c / groups][kernel_h][kernel_w].
template <typename X, typename W, typename Zero>
std::vector<std::int32_t> convolution(const QConv2dShape& s, const std::vector<X>& x, int zero, const std::vector<W>& w, Zero w_zero) {
  const int in_c = s.in_c / s.groups;
  std::vector<std::int32_t> result;
  for (int at = 0; at < s.batch * s.out_h * s.out_w * s.out_c; ++at) {
    const int o = at % s.out_c, ox = at / s.out_c % s.out_w, oy = at / s.out_c / s.out_w % s.out_h, b = at / s.out_c / s.out_w / s.out_h;
    std::int64_t sum = 0;
    for (int i = 0; i < in_c; ++i)
      for (int ky = 0; ky < s.kernel_h; ++ky)
        for (int kx = 0; kx < s.kernel_w; ++kx) {
          const int iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h, ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
          if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
          const int from = ((b * s.in_h + iy) * s.in_w + ix) * s.in_c + o / (s.out_c / s.groups) * in_c + i;
          const int weight = ((o * in_c + i) * s.kernel_h + ky) * s.kernel_w + kx;
          sum += (std::int64_t{x[static_cast<std::size_t>(from)]} - zero) * (w[static_cast<std::size_t>(weight)] - w_zero(o));
        }
    result.push_back(wrapped(sum));
  }
  return result;
}

QConv2dShape random_conv(Random& random) {
  QConv2dShape s{};
  while (!random_window([&](int low, int high) { return random.integer(low, high); }, s)) {
  }
  s.groups = random.integer(0, 2) == 0 ? random.integer(2, 4) : 1;
  s.in_c = s.groups * random.integer(1, 9);
  s.out_c = s.groups * random.integer(1, 9);
  return s;
}

template <typename X>
void check_packed_conv(Random& random) {
  const QConv2dShape s = random_conv(random);
  const std::vector<X> x = random_bytes<X>(random, s.batch * s.in_h * s.in_w * s.in_c), zero = random_bytes<X>(random, 1);
  const std::vector<std::int8_t> w = random_bytes<std::int8_t>(random, s.out_c * q_conv2d_taps(s));
  const std::vector<std::int32_t> w_zero = random_zeros(random, s.out_c);
  std::vector<std::int8_t> packed(w.size());
  q_conv2d_bare_pack(s, w.data(), packed.data());
  std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_integer_conv2d_scratch(s)) + 1, 77);
  std::vector<std::int32_t> y(static_cast<std::size_t>(s.batch * s.out_h * s.out_w * s.out_c));
  q_integer_conv2d(s, x.data(), zero.data(), packed.data(), pointer(w_zero), y.data(), scratch.data());
  CHECK(scratch.back() == 77);
  REQUIRE(y == convolution(s, x, zero[0], w, [&](int o) { return entry(w_zero, o); }));
}

template <typename X>
void check_depthwise(Random& random) {
  QConv2dShape s = random_conv(random);
  s.in_c = s.out_c = s.groups = random.integer(4, 13);
  REQUIRE(q_integer_depthwise_serves(s));
  const std::vector<X> x = random_bytes<X>(random, s.batch * s.in_h * s.in_w * s.in_c), zero = random_bytes<X>(random, 1);
  const std::vector<std::int8_t> w = random_bytes<std::int8_t>(random, s.out_c * q_conv2d_taps(s));
  const std::vector<std::int32_t> w_zero = random_zeros(random, s.out_c);
  std::vector<std::int8_t> packed(w.size());
  q_integer_depthwise_pack(s, w.data(), packed.data());
  std::vector<std::int32_t> y(static_cast<std::size_t>(s.batch * s.out_h * s.out_w * s.out_c));
  q_integer_depthwise(s, x.data(), zero.data(), packed.data(), pointer(w_zero), y.data());
  REQUIRE(y == convolution(s, x, zero[0], w, [&](int o) { return entry(w_zero, o); }));
}

template <typename X, typename W>
void check_plain_conv(Random& random) {
  const QConv2dShape s = random_conv(random);
  const int step = random.integer(0, 1);
  const std::vector<X> x = random_bytes<X>(random, s.batch * s.in_h * s.in_w * s.in_c), zero = random_bytes<X>(random, 1);
  const std::vector<W> w = random_bytes<W>(random, s.out_c * q_conv2d_taps(s)), w_zero = random_bytes<W>(random, s.out_c);
  std::vector<std::int32_t> y(static_cast<std::size_t>(s.batch * s.out_h * s.out_w * s.out_c));
  q_integer_conv2d_plain(s, x.data(), zero.data(), w.data(), w_zero.data(), step, y.data());
  REQUIRE(y == convolution(s, x, zero[0], w, [&](int o) { return w_zero[static_cast<std::size_t>(step * o)]; }));
  q_integer_conv2d_plain(s, x.data(), static_cast<const X*>(nullptr), w.data(), static_cast<const W*>(nullptr), 0, y.data());
  REQUIRE(y == convolution(s, x, 0, w, [](int) { return 0; }));
}

template <typename A, typename B>
void check_matmul(Random& random) {
  const int m = random.integer(1, 4), n = random.integer(1, 5), k = random.integer(1, 20), step = random.integer(0, 1);
  const QMatmulShape s{m, n, k, k, 1, n, 1, 0, 0, 1, {2}, {m * k}, {0}};  // two products with one matrix on the right
  const std::vector<A> a = random_bytes<A>(random, 2 * m * k), zero = random_bytes<A>(random, 1);
  const std::vector<B> b = random_bytes<B>(random, k * n), b_zero = random_bytes<B>(random, n);
  std::vector<std::int32_t> y(static_cast<std::size_t>(2 * m * n));
  q_integer_matmul(s, a.data(), zero.data(), b.data(), b_zero.data(), step, y.data());
  for (int row = 0; row < 2 * m; ++row)
    for (int column = 0; column < n; ++column) {
      std::int64_t sum = 0;
      for (int i = 0; i < k; ++i)
        sum += (std::int64_t{a[static_cast<std::size_t>(row * k + i)]} - zero[0]) * (b[static_cast<std::size_t>(i * n + column)] - b_zero[static_cast<std::size_t>(step * column)]);
      REQUIRE(y[static_cast<std::size_t>(row * n + column)] == wrapped(sum));
    }
}

}  // namespace

TEST_CASE("q_integer_dense equals its definition bit for bit") {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const QDenseShape s{random.integer(1, 4), random.integer(1, 70), random.integer(1, 12)};
    check_dense<std::int8_t>(random, s, round % 2 == 0 ? -127 : -128);
    check_dense<std::uint8_t>(random, s, round % 2 == 0 ? -127 : -128);
  }
}

TEST_CASE("weights are paired where no sum reaches 2^23") {
  // 255 * (127 * 259 + 3) is 2^23 - 128; weights of the other sign do not add to it.
  for (const int sign : {1, -1}) {
    std::vector<std::int8_t> w(560, static_cast<std::int8_t>(sign * -100));
    for (int k = 0; k < 259; ++k) w[static_cast<std::size_t>(k)] = static_cast<std::int8_t>(sign * 127);
    w[259] = static_cast<std::int8_t>(sign * 3);
    const QDenseShape s{1, 560, 1};
    CHECK(q_integer_pairable(s, w.data()));
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_dense_packed_words({1, 560, 2}))), scratch(280);
    std::vector<std::int8_t> two(w);
    two.insert(two.end(), w.begin(), w.end());  // the second of a pair is the one with the bound
    q_dense_pack({1, 560, 2}, two.data(), packed.data());
    for (const int zero : {0, 255}) {
      std::vector<std::uint8_t> x(560);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] = (w[k] > 0) == (zero == 0) ? 255 : 0;
      const auto z = static_cast<std::uint8_t>(zero);
      std::int32_t y[2];
      q_integer_dense_paired({1, 560, 2}, x.data(), &z, packed.data(), static_cast<const std::int32_t*>(nullptr), y, scratch.data());
      std::int64_t sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k) sum += (std::int64_t{x[k]} - zero) * w[k];
      CHECK(y[0] == sum);
      CHECK(y[1] == sum);
    }
    w[259] = static_cast<std::int8_t>(sign * 4);
    CHECK_FALSE(q_integer_pairable(s, w.data()));
  }
  const std::int8_t lowest = -128;
  CHECK_FALSE(q_integer_pairable({1, 1, 1}, &lowest));
  Random random(5);
  for (int round = 0; round < 20; ++round) check_dense<std::uint8_t>(random, {1, 250, 9}, -127);
}

TEST_CASE("sums of integers beyond 2^24 are exact, beyond 2^31 modulo 2^32") {
  Random random(2);
  check_dense<std::uint8_t>(random, {1, 60001, 3});
  for (const int terms : {5000, 70001}) {
    const QDenseShape s{2, terms, 1};
    const std::vector<std::uint8_t> x(static_cast<std::size_t>(2 * terms), 255), zero{0};
    const std::vector<std::int8_t> w(static_cast<std::size_t>(terms), -128);
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_integer_dense_scratch(s)));
    std::int32_t y[2];
    q_integer_dense(s, x.data(), zero.data(), w.data(), static_cast<const std::int32_t*>(nullptr), y, scratch.data());
    CHECK(y[0] == wrapped(std::int64_t{terms} * 255 * -128));
    CHECK(y[1] == y[0]);
  }
}

TEST_CASE("integer convolutions equal their definition bit for bit") {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    check_packed_conv<std::int8_t>(random);
    check_packed_conv<std::uint8_t>(random);
    check_depthwise<std::int8_t>(random);
    check_depthwise<std::uint8_t>(random);
    check_plain_conv<std::int8_t, std::uint8_t>(random);
    check_plain_conv<std::uint8_t, std::int8_t>(random);
  }
}

TEST_CASE("q_integer_matmul equals its definition bit for bit") {
  Random random(4);
  for (int round = 0; round < 100; ++round) {
    check_matmul<std::int8_t, std::uint8_t>(random);
    check_matmul<std::uint8_t, std::int8_t>(random);
  }
}

TEST_CASE("dynamic_quantize_linear is what ONNX defines") {
  const auto run = [](std::vector<float> x, std::vector<std::uint8_t> stored, float scale, int zero) {
    std::vector<std::uint8_t> y(x.size());
    float step = 0;
    std::uint8_t point = 0;
    dynamic_quantize_linear({static_cast<int>(x.size())}, x.data(), y.data(), &step, &point);
    CHECK(y == stored);
    CHECK(step == scale);
    CHECK(point == zero);
    // In place.
    dynamic_quantize_linear({static_cast<int>(x.size())}, x.data(), reinterpret_cast<std::uint8_t*>(x.data()), &step, &point);
    CHECK(std::equal(stored.begin(), stored.end(), reinterpret_cast<std::uint8_t*>(x.data())));
  };
  // ONNX's own examples.
  run({0, 2, -3, -2.5F, 1.34F, 0.5F}, {153, 255, 0, 26, 221, 179}, 5.0F / 255.0F, 153);
  run({-1, -2.1F, -1.3F, -2.5F, -3.34F, -4}, {191, 121, 172, 96, 42, 0}, 4.0F / 255.0F, 255);
  run({1, 2.1F, 1.3F, 2.5F, 3.34F, 4, 1.5F, 2.6F, 3.9F, 4, 3, 2.345F}, {64, 134, 83, 159, 213, 255, 96, 166, 249, 255, 191, 149}, 4.0F / 255.0F, 0);
  // Steps of 1: halves go to the even number, the zero point's (0.5) too.
  run({-0.5F, 254.5F, 0.5F, 1.5F, 2.5F}, {0, 254, 0, 2, 2}, 1, 0);
  run({-1.5F, 253.5F, 0.5F}, {0, 255, 2}, 1, 2);
  // No range, and one below the least float over 255.
  run({0, 0}, {0, 0}, 1, 0);
  run({1e-45F}, {0}, 1, 0);
  const float infinity = std::numeric_limits<float>::infinity();
  run({3e38F, -3e38F}, {0, 0}, infinity, 0);
}
