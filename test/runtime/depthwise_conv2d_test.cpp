// depthwise_conv2d, depthwise_conv2d_one and the gradients against plain loops over the definition, on seeded
// random shapes.
#include "runtime/depthwise_conv2d.h"

#include <catch2/catch.hpp>

#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"
#include "test/runtime/random_window.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

// Sums of at most 7 * 7 * 5 products below 1 (forward, input) or 2 * 81 (weights): double rounding stays
// under 245 * 245 * 2^-53 = 7e-12 at worst and near 1e-15 in practice; float rounding grows like 245 * 2^-24
// = 1.5e-5 at worst.
constexpr double double_tolerance = 1e-12;
constexpr double float_tolerance = 1.5e-5;

DepthwiseConv2dShape random_shape(Random& random) {
  for (;;) {
    DepthwiseConv2dShape s{};
    s.batch = random.integer(1, 2);
    s.in_h = random.integer(0, 3) == 0 ? 1 : random.integer(1, 9);
    s.in_w = random.integer(1, 12);
    s.channels =
        random.integer(0, 2) == 0 ? 16 * random.integer(1, 2) + random.integer(0, 5) : random.integer(1, 9);
    s.multiplier = random.integer(0, 2) == 0 ? random.integer(2, 6) : 1;
    s.kernel_h = s.in_h == 1 ? 1 : random.integer(1, 5);
    s.kernel_w = random.integer(1, 7);
    s.stride_h = random.integer(1, 3);
    s.stride_w = random.integer(1, 3);
    s.dilation_h = random.integer(1, 2);
    s.dilation_w = random.integer(0, 1) ? 1 : random.integer(1, 3);
    s.pad_top = random.integer(0, s.kernel_h - 1);
    s.pad_left = random.integer(0, s.kernel_w);
    if (!random_output_size(random, s)) continue;
    s.packed = random.integer(0, 1);
    return s;
  }
}

int out_channels(const DepthwiseConv2dShape& s) { return s.channels * s.multiplier; }
int in_size(const DepthwiseConv2dShape& s) { return s.batch * s.in_h * s.in_w * s.channels; }
int out_size(const DepthwiseConv2dShape& s) { return s.batch * s.out_h * s.out_w * out_channels(s); }
int weight_size(const DepthwiseConv2dShape& s) { return out_channels(s) * s.kernel_h * s.kernel_w; }

/// Calls f(output element, input element, weight element in plain order) for every product.
template <typename F>
void each_product(const DepthwiseConv2dShape& s, F f) {
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel)
    for (int o = 0; o < out_channels(s); ++o)
      for (int ky = 0; ky < s.kernel_h; ++ky)
        for (int kx = 0; kx < s.kernel_w; ++kx) {
          const int iy = pixel / s.out_w % s.out_h * s.stride_h + ky * s.dilation_h - s.pad_top;
          const int ix = pixel % s.out_w * s.stride_w + kx * s.dilation_w - s.pad_left;
          if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
          const int image = pixel / (s.out_w * s.out_h);
          f(pixel * out_channels(s) + o,
            ((image * s.in_h + iy) * s.in_w + ix) * s.channels + o / s.multiplier,
            (o * s.kernel_h + ky) * s.kernel_w + kx);
        }
}

template <typename T>
std::vector<T> pack(const DepthwiseConv2dShape& s, const std::vector<T>& w) {
  if (!s.packed) return w;
  std::vector<T> packed(w.size());
  for (int i = 0; i < weight_size(s); ++i)
    packed.at(depthwise_conv2d_pack_index(s, i / (s.kernel_h * s.kernel_w), i / s.kernel_w % s.kernel_h,
                                          i % s.kernel_w)) = w[i];
  return packed;
}

/// Bias, residual (the output's own buffer) and clamp around a kernel; `run` is called with bias, residual,
/// activation, output.
template <typename T, typename Run>
void check_finished(std::vector<double> expected, int channels, Random& random, double tolerance, Run run) {
  const auto bias = random.tensor<T>(channels);
  auto y = random.tensor<T>(static_cast<int>(expected.size()));
  const bool has_bias = random.integer(0, 1), has_residual = random.integer(0, 1);
  const Activation<T> activation{T(-0.5), T(0.75), random.integer(0, 1) == 0};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] += (has_bias ? bias[i % bias.size()] : T(0)) + (has_residual ? y[i] : T(0));
    if (!activation.none)
      expected[i] = std::min<double>(std::max<double>(expected[i], activation.lo), activation.hi);
  }
  run(has_bias ? bias.data() : nullptr, has_residual ? y.data() : nullptr, activation, y.data());
  REQUIRE(largest_difference(y, expected) < tolerance);
}

template <typename T>
void check(const DepthwiseConv2dShape& s, Random& random, double tolerance) {
  const auto x = random.tensor<T>(in_size(s)), dy = random.tensor<T>(out_size(s)),
             w = random.tensor<T>(weight_size(s));
  const auto packed = pack(s, w);
  std::vector<double> y(dy.size()), dx(x.size()), dw(w.size());
  each_product(s, [&](int o, int i, int k) {
    y[o] += static_cast<double>(x[i]) * w[k];
    dx[i] += static_cast<double>(dy[o]) * w[k];
    dw[k] += static_cast<double>(dy[o]) * x[i];
  });
  check_finished<T>(y, out_channels(s), random, tolerance,
                    [&](const T* bias, const T* residual, Activation<T> a, T* out) {
                      depthwise_conv2d(s, x.data(), packed.data(), bias, residual, a, out);
                    });
  if (s.multiplier == 1) {
    std::vector<T> general(y.size()), one(y.size());
    depthwise_conv2d<T>(s, x.data(), packed.data(), nullptr, nullptr, no_activation<T>(), general.data());
    depthwise_conv2d_one<T>(s, x.data(), packed.data(), nullptr, nullptr, no_activation<T>(), one.data());
    REQUIRE(one == general);  // the same bits: the compiler may choose either
  }
  check_finished<T>(dx, s.channels, random, tolerance,
                    [&](const T* bias, const T* residual, Activation<T> a, T* out) {
                      depthwise_conv2d_input_grad(s, dy.data(), packed.data(), bias, residual, a, out);
                    });
  std::vector<T> gradient(w.size());
  std::vector<int> calls(w.size());
  depthwise_conv2d_weight_grad(s, x.data(), dy.data(), CountingSink<T>{gradient.data(), calls.data()});
  REQUIRE(all_ones(calls));
  REQUIRE(largest_difference(gradient, dw) < tolerance);
}

}  // namespace

TEST_CASE("depthwise_conv2d and its gradients equal their definition on random shapes") {
  Random random(1);
  for (int i = 0; i < 400; ++i) {
    const DepthwiseConv2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    check<double>(s, random, double_tolerance);
    check<float>(s, random, float_tolerance);
  }
}

TEST_CASE(
    "depthwise_conv2d is exact when its output overlaps its input by the stated lead, and not by one more") {
  Random random(2);
  int checked = 0;
  for (int i = 0; i < 300; ++i) {
    const DepthwiseConv2dShape s = random_shape(random);
    const int lead = depthwise_conv2d_lead_x(s);
    const auto x = random.tensor<double>(in_size(s)), w = random.tensor<double>(weight_size(s));
    const auto run = [&](const double* from, double* to) {
      depthwise_conv2d<double>(s, from, w.data(), nullptr, nullptr, no_activation<double>(), to);
    };
    const auto expected = apart(x, out_size(s), run);
    CAPTURE(i, described(s), lead);
    REQUIRE(overlapped(x, out_size(s), lead, run) == expected);
    if (lead > -in_size(s)) {
      REQUIRE(overlapped(x, out_size(s), lead - 1, run) != expected);
      ++checked;
    }
  }
  REQUIRE(checked > 100);
}
