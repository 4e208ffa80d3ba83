// Pooling and its gradients against plain loops over PyTorch's definition, on seeded random shapes.
#include "runtime/pool2d.h"

#include <catch2/catch.hpp>

#include "test/runtime/check_lead.h"
#include "test/runtime/kernel_test.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

// Averages of at most 49 values below 1, gradients of at most 49 windows: 49 * 49 * 2^-53 = 3e-13 at worst.
constexpr double tolerance = 1e-12;

Pool2dShape random_shape(Random& random) {
  for (;;) {
    Pool2dShape s{};
    s.batch = random.integer(1, 2);
    s.in_h = random.integer(0, 3) == 0 ? 1 : random.integer(1, 9);
    s.in_w = random.integer(1, 12);
    s.channels = random.integer(1, 9);
    const bool global = random.integer(0, 4) == 0;
    s.kernel_h = s.in_h == 1 ? 1 : global ? s.in_h : random.integer(1, 4);
    s.kernel_w = global ? s.in_w : random.integer(1, 4);
    s.stride_h = random.integer(1, 3);
    s.stride_w = random.integer(1, 3);
    s.dilation_h = global ? 1 : random.integer(1, 2);
    s.dilation_w = global ? 1 : random.integer(1, 2);
    s.pad_top = global ? 0 : random.integer(0, s.kernel_h / 2);
    s.pad_left = global ? 0 : random.integer(0, s.kernel_w / 2);
    s.pad_bottom = global ? 0 : random.integer(0, s.kernel_h / 2);
    s.pad_right = global ? 0 : random.integer(0, s.kernel_w / 2);
    s.count_include_pad = random.integer(0, 1);
    const bool ceil_mode = !global && random.integer(0, 1);
    const int vertical = s.in_h + s.pad_top + s.pad_bottom - (s.kernel_h - 1) * s.dilation_h - 1;
    const int horizontal = s.in_w + s.pad_left + s.pad_right - (s.kernel_w - 1) * s.dilation_w - 1;
    if (vertical < 0 || horizontal < 0) continue;
    s.out_h = (vertical + (ceil_mode ? s.stride_h - 1 : 0)) / s.stride_h + 1;
    s.out_w = (horizontal + (ceil_mode ? s.stride_w - 1 : 0)) / s.stride_w + 1;
    // As PyTorch and ONNX do: a window that starts beyond the input and its leading padding is dropped.
    s.out_h -= (s.out_h - 1) * s.stride_h >= s.in_h + s.pad_top;
    s.out_w -= (s.out_w - 1) * s.stride_w >= s.in_w + s.pad_left;
    bool empty = false;
    for (int oy = 0; oy < s.out_h; ++oy)
      for (int ox = 0; ox < s.out_w; ++ox) {
        const Range rows = tap_range(oy * s.stride_h - s.pad_top, s.dilation_h, s.kernel_h, s.in_h);
        const Range columns = tap_range(ox * s.stride_w - s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
        empty = empty || rows.first == rows.last || columns.first == columns.last;
      }
    if (!empty) return s;
  }
}

int in_size(const Pool2dShape& s) { return s.batch * s.in_h * s.in_w * s.channels; }
int out_size(const Pool2dShape& s) { return s.batch * s.out_h * s.out_w * s.channels; }

/// Calls f(input element, tap) for the taps of one output element that lie inside the input; returns how many
/// lie in the padded input.
template <typename F>
int each_tap(const Pool2dShape& s, int output, F f) {
  const int c = output % s.channels, pixel = output / s.channels;
  int padded = 0;
  for (int ky = 0; ky < s.kernel_h; ++ky)
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int iy = pixel / s.out_w % s.out_h * s.stride_h + ky * s.dilation_h - s.pad_top;
      const int ix = pixel % s.out_w * s.stride_w + kx * s.dilation_w - s.pad_left;
      padded += iy < s.in_h + s.pad_bottom && ix < s.in_w + s.pad_right;
      if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
      f(((pixel / (s.out_w * s.out_h) * s.in_h + iy) * s.in_w + ix) * s.channels + c, ky * s.kernel_w + kx);
    }
  return padded;
}

}  // namespace

TEST_CASE("max_pool2d and its gradient equal PyTorch's definition on random shapes") {
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    const Pool2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    auto x = random.tensor<double>(in_size(s));
    for (double& value : x)
      value = std::round(2 * value) + (random.integer(0, 30) == 0 ? NAN : 0);  // many equal values, some NaN
    const auto dy = random.tensor<double>(out_size(s));
    std::vector<double> y(dy.size()), dx(x.size(), 7.0), expected_dx(x.size());
    std::vector<std::uint8_t> argmax(dy.size());
    std::vector<std::int32_t> wide_argmax(dy.size());
    max_pool2d(s, x.data(), y.data(), argmax.data());
    max_pool2d(s, x.data(), y.data(), wide_argmax.data());
    for (int o = 0; o < out_size(s); ++o) {
      int best = -1, best_tap = -1;
      each_tap(s, o, [&](int element, int tap) {
        if (best < 0 || x[element] > x[best] || std::isnan(x[element])) {
          best = element;
          best_tap = tap;
        }
      });
      REQUIRE((y[o] == x[best] || (std::isnan(y[o]) && std::isnan(x[best]))));
      REQUIRE(argmax[o] == best_tap);
      REQUIRE(wide_argmax[o] == best_tap);
      expected_dx[best] += dy[o];
    }
    max_pool2d_grad(s, dy.data(), argmax.data(), dx.data());
    REQUIRE(largest_difference(dx, expected_dx) < tolerance);
    max_pool2d(s, x.data(), y.data(), static_cast<std::uint8_t*>(nullptr));
  }
}

TEST_CASE("average_pool2d and its gradient equal PyTorch's definition on random shapes") {
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    const Pool2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    const auto x = random.tensor<double>(in_size(s)), dy = random.tensor<double>(out_size(s));
    std::vector<double> y(dy.size()), expected(dy.size()), dx(x.size(), 7.0), expected_dx(x.size());
    for (int o = 0; o < out_size(s); ++o) {
      double sum = 0;
      int inside = 0;
      const int padded = each_tap(s, o, [&](int element, int) {
        sum += x[element];
        ++inside;
      });
      const int count = s.count_include_pad ? padded : inside;
      expected[o] = sum / count;
      each_tap(s, o, [&](int element, int) { expected_dx[element] += dy[o] / count; });
    }
    average_pool2d(s, x.data(), y.data());
    REQUIRE(largest_difference(y, expected) < tolerance);
    average_pool2d_grad(s, dy.data(), dx.data());
    REQUIRE(largest_difference(dx, expected_dx) < tolerance);
  }
}

TEST_CASE("pooling is exact when its output overlaps its input by the stated lead, and not by one more") {
  Random random(3);
  int checked = 0;
  for (int i = 0; i < 200; ++i) {
    const Pool2dShape s = random_shape(random);
    CAPTURE(i, described(s));
    const auto x = random.tensor<double>(in_size(s));
    const auto average = [&](const double* in, double* out) { average_pool2d(s, in, out); };
    const auto mean = apart(x, out_size(s), average);
    const int lead = average_pool2d_lead_x(s);
    const bool overlaps = check_lead(x, mean, lead, average);
    if (lead > -in_size(s)) REQUIRE(overlaps);
    checked += overlaps;
    // A maximum need not notice one changed element: only exactness at the lead is sure.
    const auto run = [&](const double* in, double* out) {
      max_pool2d(s, in, out, static_cast<std::uint8_t*>(nullptr));
    };
    check_lead(x, apart(x, out_size(s), run), max_pool2d_lead_x(s), run);
  }
  REQUIRE(checked > 100);
}
