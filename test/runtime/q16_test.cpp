// The kernels with int16 activations against plain loops in int64 and a rounding by division in 128 bits.
#include <catch2/catch.hpp>

#include <limits>

#include "runtime/broadcast.h"
#include "runtime/q16_elementwise.h"
#include "runtime/q16_layers.h"
#include "runtime/q_scale.h"
#include "test/runtime/q_test.h"

namespace tinytc::test {

namespace {

template <typename T>
std::vector<T> random_tensor(Random& random, int elements) {
  constexpr int lo = std::numeric_limits<T>::min(), hi = std::numeric_limits<T>::max();
  std::vector<T> values(static_cast<std::size_t>(elements));
  // Ends of the range are as frequent as all else: they make the largest sums.
  for (T& value : values) value = static_cast<T>(random.integer(0, 3) == 0 ? (random.integer(0, 1) == 0 ? lo : hi) : random.integer(lo, hi));
  return values;
}

template <typename Y>
QOutput output_of(Random& random) {
  constexpr int lo = std::numeric_limits<Y>::min(), hi = std::numeric_limits<Y>::max();
  const int zero = sizeof(Y) == 1 ? random.integer(lo, hi) : 0;
  return random.integer(0, 1) == 0 ? QOutput{zero, lo, hi} : QOutput{zero, random.integer(lo, 0), random.integer(0, hi)};
}

/// clamp(zero point + number / divisor), rounded with halves to even.
std::int64_t rounded_quotient(__int128 number, __int128 divisor, const QOutput& out) {
  const __int128 doubled = number * 2 + divisor;
  __int128 value = doubled / (2 * divisor);
  if (doubled % (2 * divisor) < 0) --value;
  if (doubled % (2 * divisor) == 0 && value % 2 != 0) --value;
  value += out.zero_point;
  return static_cast<std::int64_t>(value < out.lo ? out.lo : value > out.hi ? out.hi : value);
}

std::int64_t rounded_reference(__int128 sum, std::int64_t multiplier, int shift, const QOutput& out) {
  return rounded_quotient(sum * multiplier, static_cast<__int128>(1) << shift, out);
}

struct Scale16 {
  std::vector<std::int32_t> multiplier;
  std::vector<std::int8_t> shift;
  /// Scales at which results of `sums` fill Y's range a few times over.
  Scale16(Random& random, int channels, double size, int bits) {
    for (int c = 0; c < channels; ++c) {
      const QMultiplier m = q16_multiplier(size * (1.0 + 0.5 * random.real()), bits);
      multiplier.push_back(m.multiplier);
      shift.push_back(static_cast<std::int8_t>(m.shift));
    }
  }
  QScale view() const { return {multiplier.data(), shift.data()}; }
};

template <typename X>
int zero_point_of(Random& random) { return sizeof(X) == 1 ? random.integer(-128, 127) : 0; }

template <typename Y>
double size_for(int taps) { return (sizeof(Y) == 1 ? 256.0 : 65536.0) / (taps * 30.0 * 20000.0); }

/// Sum over the taps of one output element as docs/quantization.md has it: padding is the zero point.
template <typename X>
std::int64_t conv_sum(const QConv2dShape& s, const std::vector<X>& x, const std::vector<std::int8_t>& w, std::int64_t bias, int b, int oy, int ox, int o) {
  const int in_c = s.in_c / s.groups, first = o / (s.out_c / s.groups) * in_c;
  std::int64_t sum = bias;
  for (int i = 0; i < in_c; ++i)
    for (int ky = 0; ky < s.kernel_h; ++ky)
      for (int kx = 0; kx < s.kernel_w; ++kx) {
        const int y = oy * s.stride_h - s.pad_top + ky * s.dilation_h, column = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
        const bool inside = y >= 0 && y < s.in_h && column >= 0 && column < s.in_w;
        const std::int64_t value = inside ? x[static_cast<std::size_t>(((b * s.in_h + y) * s.in_w + column) * s.in_c + first + i)] : s.x_zero_point;
        sum += value * w[static_cast<std::size_t>(((o * in_c + i) * s.kernel_h + ky) * s.kernel_w + kx)];
      }
  return sum;
}

QConv2dShape random_shape(Random& random, int groups) {
  QConv2dShape s{};
  s.batch = random.integer(1, 2), s.in_h = random.integer(1, 6), s.in_w = random.integer(1, 7), s.groups = groups;
  s.in_c = groups * random.integer(1, 9), s.out_c = groups * random.integer(1, 3);
  s.kernel_h = random.integer(1, 3), s.kernel_w = random.integer(1, 4), s.stride_h = random.integer(1, 2), s.stride_w = random.integer(1, 2);
  s.dilation_h = random.integer(1, 2), s.dilation_w = random.integer(1, 2);
  s.pad_top = random.integer(0, s.kernel_h), s.pad_left = random.integer(0, s.kernel_w);
  const int vertical = s.in_h + s.pad_top + 1 - (s.kernel_h - 1) * s.dilation_h - 1, horizontal = s.in_w + s.pad_left + 1 - (s.kernel_w - 1) * s.dilation_w - 1;
  s.out_h = vertical < 0 ? 0 : vertical / s.stride_h + 1, s.out_w = horizontal < 0 ? 0 : horizontal / s.stride_w + 1;
  return s;
}

template <typename Acc, typename X, typename Y>
void check_conv(std::uint32_t seed) {
  Random random(seed);
  QConv2dShape s = random_shape(random, random.integer(0, 2) == 0 ? 2 : 1);
  s.x_zero_point = zero_point_of<X>(random);
  const int taps = q_conv2d_taps(s);
  const auto x = random_tensor<X>(random, s.batch * s.in_h * s.in_w * s.in_c);
  const auto w = random_int8(random, s.out_c * taps);
  std::vector<std::int8_t> packed(w.size());
  const int in_c = s.in_c / s.groups, plane = s.kernel_h * s.kernel_w;
  for (int k = 0; k < s.out_c * taps; ++k)
    packed[static_cast<std::size_t>(q16_conv2d_pack_index(s, k / taps, k / plane % in_c, k % plane / s.kernel_w, k % s.kernel_w))] = w[static_cast<std::size_t>(k)];
  const auto bias = random_bias(random, s.out_c, 1 << 20);
  const Scale16 scale(random, s.out_c, size_for<Y>(taps), sizeof(Acc) == 8 ? 23 : 31);
  const QOutput out = output_of<Y>(random);
  std::vector<Y> y(static_cast<std::size_t>(s.batch * s.out_h * s.out_w * s.out_c) + 1, Y{77});
  q16_conv2d<Acc>(s, x.data(), packed.data(), bias.data(), scale.view(), out, y.data());
  for (int k = 0; k + 1 < static_cast<int>(y.size()); ++k) {
    const int o = k % s.out_c, ox = k / s.out_c % s.out_w, oy = k / s.out_c / s.out_w % s.out_h, b = k / s.out_c / s.out_w / s.out_h;
    const auto c = static_cast<std::size_t>(o);
    REQUIRE(y[static_cast<std::size_t>(k)] == rounded_reference(conv_sum(s, x, w, bias[c], b, oy, ox, o), scale.multiplier[c], scale.shift[c], out));
  }
  CHECK(y.back() == 77);
}

template <typename Acc, typename X, typename Y>
void check_depthwise(std::uint32_t seed) {
  Random random(seed);
  QConv2dShape g = random_shape(random, 1);
  const int channels = random.integer(1, 6), multiplier = random.integer(1, 2);
  g.groups = g.in_c = channels, g.out_c = channels * multiplier, g.x_zero_point = zero_point_of<X>(random);
  const QDepthwiseConv2dShape s{g.batch, g.in_h, g.in_w, channels, multiplier, g.out_h, g.out_w, g.kernel_h, g.kernel_w, g.stride_h, g.stride_w,
                                g.dilation_h, g.dilation_w, g.pad_top, g.pad_left, g.x_zero_point, 0};
  const auto x = random_tensor<X>(random, s.batch * s.in_h * s.in_w * channels);
  const auto w = random_int8(random, g.out_c * s.kernel_h * s.kernel_w);
  const auto bias = random_bias(random, g.out_c, 1 << 20);
  const Scale16 scale(random, g.out_c, size_for<Y>(s.kernel_h * s.kernel_w), sizeof(Acc) == 8 ? 23 : 31);
  const QOutput out = output_of<Y>(random);
  std::vector<Y> y(static_cast<std::size_t>(s.batch * s.out_h * s.out_w * g.out_c));
  q16_depthwise_conv2d<Acc>(s, x.data(), w.data(), bias.data(), scale.view(), out, y.data());
  for (int k = 0; k < static_cast<int>(y.size()); ++k) {
    const int o = k % g.out_c, ox = k / g.out_c % s.out_w, oy = k / g.out_c / s.out_w % s.out_h, b = k / g.out_c / s.out_w / s.out_h;
    const auto c = static_cast<std::size_t>(o);
    REQUIRE(y[static_cast<std::size_t>(k)] == rounded_reference(conv_sum(g, x, w, bias[c], b, oy, ox, o), scale.multiplier[c], scale.shift[c], out));
  }
}

template <typename Acc, typename X, typename Y>
void check_dense(std::uint32_t seed) {
  Random random(seed);
  const QDenseShape s{random.integer(1, 3), random.integer(1, 70), random.integer(1, 5)};
  const auto x = random_tensor<X>(random, s.rows * s.in);
  const auto w = random_int8(random, s.out * s.in);
  const auto bias = random_bias(random, s.out, 1 << 20);
  const Scale16 scale(random, s.out, size_for<Y>(s.in), sizeof(Acc) == 8 ? 23 : 31);
  const QOutput out = output_of<Y>(random);
  std::vector<Y> y(static_cast<std::size_t>(s.rows * s.out));
  q16_dense<Acc>(s, x.data(), w.data(), bias.data(), scale.view(), out, y.data());
  for (int k = 0; k < s.rows * s.out; ++k) {
    const auto c = static_cast<std::size_t>(k % s.out);
    std::int64_t sum = bias[c];
    for (int i = 0; i < s.in; ++i) sum += static_cast<std::int64_t>(x[static_cast<std::size_t>(k / s.out * s.in + i)]) * w[c * static_cast<std::size_t>(s.in) + static_cast<std::size_t>(i)];
    REQUIRE(y[static_cast<std::size_t>(k)] == rounded_reference(sum, scale.multiplier[c], scale.shift[c], out));
  }
}

template <typename A, typename B, typename Y>
void check_binary(std::uint32_t seed) {
  Random random(seed);
  const BroadcastShape s = make_broadcast_shape(OperandDims{2, {3, random.integer(1, 5)}}, OperandDims{2, {random.integer(0, 1) == 0 ? 3 : 1, 1}});
  const int count = element_count(s.rank, s.dims);
  const auto a = random_tensor<A>(random, count);
  const auto b = random_tensor<B>(random, count);
  const int a_zero = zero_point_of<A>(random), b_zero = zero_point_of<B>(random);
  const QOutput out = output_of<Y>(random);
  const double wide = sizeof(Y) == 1 ? 1.0 / 256 : 1;
  // One draw in four has ties.
  const double a_scale = wide * (random.integer(0, 3) == 0 ? 0.5 : 1.5 + random.real()), b_scale = (random.integer(0, 1) == 0 ? -1 : 1) * wide * (1.5 + random.real());
  const Q16Sum sum = q16_make_sum(a_scale, a_zero, b_scale, b_zero);
  const QMultiplier m = q16_multiplier(a_scale / 30000, 31);
  std::vector<Y> y(static_cast<std::size_t>(count)), product(y.size());
  q16_add(s, sum, out, a.data(), b.data(), y.data());
  q16_mul(s, QProduct{a_zero, b_zero, m.multiplier, m.shift}, out, a.data(), b.data(), product.data());
  int index[8] = {};
  for (int i = 0; i < count; ++i, next_index(s.rank, s.dims, index)) {
    const std::int64_t left = a[static_cast<std::size_t>(offset_of(s.rank, index, s.a_strides))] - a_zero;
    const std::int64_t right = b[static_cast<std::size_t>(offset_of(s.rank, index, s.b_strides))] - b_zero;
    const __int128 exact = static_cast<__int128>(left) * sum.a_multiplier + static_cast<__int128>(right) * sum.b_multiplier;
    REQUIRE(y[static_cast<std::size_t>(i)] == rounded_reference(exact, 1, sum.shift, out));
    REQUIRE(product[static_cast<std::size_t>(i)] == rounded_reference(static_cast<__int128>(left) * right, m.multiplier, m.shift, out));
  }
}

template <typename X, typename Y>
void check_pool(std::uint32_t seed) {
  Random random(seed);
  const Pool2dShape s{1, 5, 6, 3, 3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 1, 0, 0};
  const auto x = random_tensor<X>(random, 5 * 6 * 3);
  const int zero = zero_point_of<X>(random);
  Scale16 scale(random, 6, 1, 31);
  const double ratio = sizeof(X) == sizeof(Y) ? 1 : sizeof(X) == 1 ? 256 : 1.0 / 256;
  for (std::size_t n = 1; n <= 6; ++n) {
    const QMultiplier m = q16_multiplier(ratio / static_cast<double>(n), 31);
    scale.multiplier[n - 1] = m.multiplier, scale.shift[n - 1] = static_cast<std::int8_t>(m.shift);
  }
  const QOutput out = output_of<Y>(random);
  std::vector<Y> y(static_cast<std::size_t>(s.out_h * s.out_w * s.channels));
  q16_average_pool2d(s, zero, scale.view(), out, x.data(), y.data());
  for (int k = 0; k < static_cast<int>(y.size()); ++k) {
    std::int64_t sum = 0;
    std::size_t n = 0;
    for (int ky = 0; ky < s.kernel_h; ++ky)
      for (int kx = 0; kx < s.kernel_w; ++kx) {
        const int row = k / s.channels / s.out_w * s.stride_h - s.pad_top + ky, column = k / s.channels % s.out_w * s.stride_w - s.pad_left + kx;
        if (row < 0 || row >= s.in_h || column < 0 || column >= s.in_w) continue;
        sum += x[static_cast<std::size_t>((row * s.in_w + column) * s.channels + k % s.channels)] - zero;
        ++n;
      }
    // The ratio of the scales is exact: 256 sum / (n * 256), 65536 sum / (n * 256) or sum / (n * 256).
    const __int128 exact = sum * (sizeof(X) == sizeof(Y) ? 256 : sizeof(X) == 1 ? 65536 : 1), whole = static_cast<__int128>(n) * 256;
    REQUIRE(y[static_cast<std::size_t>(k)] == rounded_quotient(exact, whole, out));
  }
}

constexpr std::uint32_t rounds = 60;

}  // namespace

TEST_CASE("layers with int16 activations are exact sums and one rounding") {
  for (std::uint32_t seed = 0; seed < rounds; ++seed) {
    check_conv<std::int64_t, std::int16_t, std::int16_t>(seed);
    check_conv<std::int32_t, std::int16_t, std::int16_t>(seed);
    check_conv<std::int32_t, std::int16_t, std::int8_t>(seed);
    check_conv<std::int32_t, std::int8_t, std::int16_t>(seed);
    check_depthwise<std::int64_t, std::int16_t, std::int16_t>(seed);
    check_depthwise<std::int32_t, std::int16_t, std::int8_t>(seed);
    check_depthwise<std::int32_t, std::int8_t, std::int16_t>(seed);
    check_dense<std::int64_t, std::int16_t, std::int16_t>(seed);
    check_dense<std::int32_t, std::int16_t, std::int8_t>(seed);
    check_dense<std::int32_t, std::int8_t, std::int16_t>(seed);
  }
}

TEST_CASE("sums beyond 32 bits are exact") {
  const std::vector<std::int16_t> x(4096, -32768);
  const std::vector<std::int8_t> w(4096, -128);
  const std::int32_t bias = 5;
  const QMultiplier m = q16_multiplier(1.0 / (1 << 20), 23);
  const auto shift = static_cast<std::int8_t>(m.shift);
  std::int16_t y = 0;
  q16_dense<std::int64_t>(QDenseShape{1, 4096, 1}, x.data(), w.data(), &bias, QScale{&m.multiplier, &shift}, QOutput{0, -32768, 32767}, &y);
  CHECK(y == 16384);  // 2^12 * 2^15 * 2^7 / 2^20
}

TEST_CASE("sums and products of int16 and int8 tensors are rounded once") {
  for (std::uint32_t seed = 0; seed < rounds; ++seed) {
    check_binary<std::int16_t, std::int16_t, std::int16_t>(seed);
    check_binary<std::int16_t, std::int8_t, std::int16_t>(seed);
    check_binary<std::int8_t, std::int16_t, std::int8_t>(seed);
    check_binary<std::int8_t, std::int8_t, std::int16_t>(seed);
  }
}

TEST_CASE("averages of int16 round ties to even") {
  for (std::uint32_t seed = 0; seed < rounds; ++seed) {
    check_pool<std::int16_t, std::int16_t>(seed);
    check_pool<std::int16_t, std::int8_t>(seed);
    check_pool<std::int8_t, std::int16_t>(seed);
  }
}

TEST_CASE("every int16 number is requantized by one rounding") {
  const Q16Sum to_int8 = q16_make_sum(1.0 / 256, 0, 0, 0), to_int16 = q16_make_sum(1.7, 0, 0, 0);
  std::vector<std::int16_t> x(65536), wide(x.size());
  std::vector<std::int8_t> narrow(x.size());
  for (int i = 0; i < 65536; ++i) x[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(i - 32768);
  q16_requantize(ElementwiseShape{65536}, to_int8, QOutput{-5, -128, 127}, x.data(), narrow.data());
  q16_requantize(ElementwiseShape{65536}, to_int16, QOutput{0, -32768, 32767}, x.data(), wide.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    REQUIRE(narrow[i] == rounded_reference(x[i], to_int8.a_multiplier, to_int8.shift, {-5, -128, 127}));
    REQUIRE(wide[i] == rounded_reference(x[i], to_int16.a_multiplier, to_int16.shift, {0, -32768, 32767}));
  }
  CHECK(narrow[0] == -128);
  CHECK(narrow[32768] == -5);
  CHECK(narrow[32768 + 128] == -5);  // a half above 0, and one and a half
  CHECK(narrow[32768 + 384] == -3);
}

}  // namespace tinytc::test
