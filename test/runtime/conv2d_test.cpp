// conv2d and its gradients against plain loops over the definition, on seeded random shapes.
#include "runtime/conv2d.h"

#include <catch2/catch.hpp>

#include "runtime/conv2d_grad.h"
#include "runtime/conv2d_pointwise.h"
#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"
#include "test/runtime/random_window.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

// Sums have at most 7 * 7 * 12 * 3 = 1764 terms below 1 in size: double rounding stays under 1764 * 1764 *
// 2^-53 = 4e-10 at worst and near 1e-14 in practice; float under sqrt-growth stays near 1e-5.
constexpr double double_tolerance = 1e-12;
constexpr double float_tolerance = 2e-5;

Conv2dShape random_shape(Random& random) {
  for (;;) {
    Conv2dShape s{};
    s.batch = random.integer(1, 2);
    s.groups = random.integer(0, 3) == 0 ? random.integer(2, 3) : 1;
    s.in_h = random.integer(0, 3) == 0 ? 1 : random.integer(1, 9);
    s.in_w = random.integer(1, 12);
    s.in_c = s.groups * random.integer(1, 6);
    s.out_c = s.groups * random.integer(1, 9);
    const bool pointwise = random.integer(0, 4) == 0;
    s.kernel_h = pointwise || s.in_h == 1 ? 1 : random.integer(1, 5);
    s.kernel_w = pointwise ? 1 : random.integer(1, 7);
    s.stride_h = random.integer(1, 3);
    s.stride_w = pointwise && random.integer(0, 1) ? s.stride_h = 1 : random.integer(1, 4);
    s.dilation_h = random.integer(1, 2);
    s.dilation_w = random.integer(0, 1) ? 1 : random.integer(1, 3);
    s.pad_top = random.integer(0, s.kernel_h - 1);
    s.pad_left = random.integer(0, s.kernel_w);
    if (!random_output_size(random, s)) continue;
    s.packed = random.integer(0, 1);
    return s;
  }
}

int in_size(const Conv2dShape& s) { return s.batch * s.in_h * s.in_w * s.in_c; }
int out_size(const Conv2dShape& s) { return s.batch * s.out_h * s.out_w * s.out_c; }
int weight_size(const Conv2dShape& s) { return s.out_c * conv2d_taps(s); }

/// Calls f(output element, input element, weight element in plain order, output channel) for every product of
/// the convolution.
template <typename F>
void each_product(const Conv2dShape& s, F f) {
  const int icg = s.in_c / s.groups, ocg = s.out_c / s.groups;
  for (int n = 0; n < s.batch; ++n)
    for (int oy = 0; oy < s.out_h; ++oy)
      for (int ox = 0; ox < s.out_w; ++ox)
        for (int o = 0; o < s.out_c; ++o)
          for (int ky = 0; ky < s.kernel_h; ++ky)
            for (int kx = 0; kx < s.kernel_w; ++kx) {
              const int iy = oy * s.stride_h + ky * s.dilation_h - s.pad_top;
              const int ix = ox * s.stride_w + kx * s.dilation_w - s.pad_left;
              if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
              for (int i = 0; i < icg; ++i)
                f(((n * s.out_h + oy) * s.out_w + ox) * s.out_c + o,
                  ((n * s.in_h + iy) * s.in_w + ix) * s.in_c + o / ocg * icg + i,
                  ((o * icg + i) * s.kernel_h + ky) * s.kernel_w + kx);
            }
}

template <typename T, typename Index>
std::vector<T> pack(const Conv2dShape& s, const std::vector<T>& w, Index index) {
  if (!s.packed) return w;
  std::vector<T> packed(w.size());
  const int icg = s.in_c / s.groups;
  for (int o = 0; o < s.out_c; ++o)
    for (int i = 0; i < icg; ++i)
      for (int ky = 0; ky < s.kernel_h; ++ky)
        for (int kx = 0; kx < s.kernel_w; ++kx)
          packed.at(static_cast<std::size_t>(index(s, o, i, ky, kx))) =
              w[static_cast<std::size_t>(((o * icg + i) * s.kernel_h + ky) * s.kernel_w + kx)];
  return packed;
}

template <typename T>
struct Case {
  std::vector<T> x, w, bias, residual;
  Activation<T> activation;
  bool has_bias, has_residual;

  Case(const Conv2dShape& s, int inputs, int channels, int outputs, Random& random)
      : x(random.tensor<T>(inputs)),
        w(random.tensor<T>(weight_size(s))),
        bias(random.tensor<T>(channels)),
        residual(random.tensor<T>(outputs)),
        activation{T(-0.5), T(0.75), random.integer(0, 1) == 0},
        has_bias(random.integer(0, 1)),
        has_residual(random.integer(0, 1)) {}

  std::vector<double> finish(std::vector<double> sums, int channels) const {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (has_bias) sums[i] += bias[i % static_cast<std::size_t>(channels)];
      if (has_residual) sums[i] += residual[i];
      if (!activation.none)
        sums[i] = std::min<double>(std::max<double>(sums[i], activation.lo), activation.hi);
    }
    return sums;
  }
};

template <typename T>
void check_forward(const Conv2dShape& s, Random& random, double tolerance) {
  const Case<T> c(s, in_size(s), s.out_c, out_size(s), random);
  std::vector<double> expected(static_cast<std::size_t>(out_size(s)));
  each_product(s, [&](int y, int x, int w) { expected[y] += static_cast<double>(c.x[x]) * c.w[w]; });
  expected = c.finish(expected, s.out_c);
  std::vector<T> y = c.residual;  // the residual is the output's own buffer
  std::vector<T> scratch(static_cast<std::size_t>(conv2d_scratch(s)));
  conv2d(s, c.x.data(), pack(s, c.w, conv2d_pack_index).data(), c.has_bias ? c.bias.data() : nullptr,
         c.has_residual ? y.data() : nullptr, c.activation, y.data(), scratch.data());
  REQUIRE(largest_difference(y, expected) < tolerance);
  if (!conv2d_pointwise_serves(s)) return;
  std::vector<T> same = c.residual;
  conv2d_pointwise<T>(s, c.x.data(), pack(s, c.w, conv2d_pack_index).data(),
                      c.has_bias ? c.bias.data() : nullptr, c.has_residual ? same.data() : nullptr,
                      c.activation, same.data(), nullptr);
  REQUIRE(same == y);
}

template <typename T>
void check_input_grad(const Conv2dShape& s, Random& random, double tolerance) {
  const Case<T> c(s, out_size(s), s.in_c, in_size(s), random);
  std::vector<double> expected(static_cast<std::size_t>(in_size(s)));
  each_product(s, [&](int y, int x, int w) { expected[x] += static_cast<double>(c.x[y]) * c.w[w]; });
  expected = c.finish(expected, s.in_c);
  std::vector<T> dx = c.residual;
  std::vector<T> scratch(static_cast<std::size_t>(conv2d_input_grad_scratch(s)));
  conv2d_input_grad(s, c.x.data(), pack(s, c.w, conv2d_input_grad_pack_index).data(),
                    c.has_bias ? c.bias.data() : nullptr, c.has_residual ? dx.data() : nullptr, c.activation,
                    dx.data(), scratch.data());
  REQUIRE(largest_difference(dx, expected) < tolerance);
}

template <typename T>
void check_weight_grad(const Conv2dShape& s, Random& random, double tolerance) {
  const auto x = random.tensor<T>(in_size(s)), dy = random.tensor<T>(out_size(s));
  std::vector<double> expected(static_cast<std::size_t>(weight_size(s)));
  each_product(s, [&](int y, int i, int w) { expected[w] += static_cast<double>(x[i]) * dy[y]; });
  std::vector<T> dw(expected.size());
  std::vector<int> calls(expected.size());
  conv2d_weight_grad(s, x.data(), dy.data(), CountingSink<T>{dw.data(), calls.data()});
  REQUIRE(all_ones(calls));
  REQUIRE(largest_difference(dw, expected) < tolerance);
}

}  // namespace

TEST_CASE("conv2d and its gradients equal their definition on random shapes") {
  Random random(1);
  for (int i = 0; i < 400; ++i) {
    const Conv2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    check_forward<double>(s, random, double_tolerance);
    check_forward<float>(s, random, float_tolerance);
    check_input_grad<double>(s, random, double_tolerance);
    check_input_grad<float>(s, random, float_tolerance);
    check_weight_grad<double>(s, random, double_tolerance);
    check_weight_grad<float>(s, random, float_tolerance);
  }
}

TEST_CASE("conv2d's gradients are its adjoints") {
  Random random(2);
  for (int i = 0; i < 50; ++i) {
    const Conv2dShape s = random_shape(random);
    const auto x = random.tensor<double>(in_size(s)), w = random.tensor<double>(weight_size(s)),
               dy = random.tensor<double>(out_size(s));
    std::vector<double> y(dy.size()), dx(x.size()), dw(w.size()), scratch(10000);
    std::vector<int> calls(w.size());
    conv2d<double>(s, x.data(), pack(s, w, conv2d_pack_index).data(), nullptr, nullptr,
                   no_activation<double>(), y.data(), scratch.data());
    conv2d_input_grad<double>(s, dy.data(), pack(s, w, conv2d_input_grad_pack_index).data(), nullptr, nullptr,
                              no_activation<double>(), dx.data(), scratch.data());
    conv2d_weight_grad(s, x.data(), dy.data(), CountingSink<double>{dw.data(), calls.data()});
    // Bilinear: <conv(x, w), dy> = <x, dx> = <w, dw>; a few thousand products of size 1.
    REQUIRE(dot(y, dy) == Approx(dot(x, dx)).margin(1e-11));
    REQUIRE(dot(y, dy) == Approx(dot(w, dw)).margin(1e-11));
  }
}

TEST_CASE("conv2d is exact when its output overlaps its input by the stated lead, and not by one more") {
  Random random(3);
  int checked = 0;
  for (int i = 0; i < 300; ++i) {
    Conv2dShape s = random_shape(random);
    s.packed = 1;
    const int lead = conv2d_lead_x(s);
    const auto x = random.tensor<double>(in_size(s)), w = random.tensor<double>(weight_size(s));
    const auto packed = pack(s, w, conv2d_pack_index);
    const auto run = [&](const double* from, double* to) {
      const auto kernel = conv2d_pointwise_serves(s) ? conv2d_pointwise<double> : conv2d<double>;
      kernel(s, from, packed.data(), nullptr, nullptr, no_activation<double>(), to, nullptr);
    };
    const auto expected = apart(x, out_size(s), run);
    CAPTURE(i, described(s), lead);
    REQUIRE(overlapped(x, out_size(s), lead, run) == expected);
    if (s.groups == 1 && lead > -in_size(s)) {
      REQUIRE(overlapped(x, out_size(s), lead - 1, run) != expected);
      ++checked;
    }
  }
  REQUIRE(checked > 100);
}
