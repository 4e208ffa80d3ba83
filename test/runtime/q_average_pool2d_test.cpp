// int8 pools against their definitions, and the rounding of averages against exact arithmetic.
#include "runtime/q_average_pool2d.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "runtime/q_scale.h"
#include "test/runtime/overlap.h"
#include "test/runtime/q_test.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

// Input scale in terms of the output's, in 2^-20. Powers of two and three halves make many averages ties;
// from 100000 on some multipliers need 64 bits.
constexpr int ratios[] = {1153434, 1 << 20, 1 << 21, 3 << 19, 3880, 0};
std::int64_t ratio_of(int entry) { return ratios[entry] == 0 ? std::int64_t{100000} << 20 : ratios[entry]; }

/// Entry n - 1 for windows of n elements.
void set_ratio(Scales& scales, double ratio) {
  for (std::size_t k = 0; k < scales.multiplier.size(); ++k) {
    const QMultiplier m = q_shifted_multiplier(ratio / static_cast<double>(k + 1));
    scales.multiplier[k] = m.multiplier;
    scales.shift[k] = static_cast<std::int8_t>(m.shift);
  }
}

/// clamp(zero point + numerator / denominator), halves to even.
int exact_mean(std::int64_t numerator, std::int64_t denominator, const QOutput& out) {
  std::int64_t value = numerator / denominator, rest = numerator % denominator;
  if (rest < 0) --value, rest += denominator;
  if (2 * rest > denominator || (2 * rest == denominator && value % 2 != 0)) ++value;
  return static_cast<int>(
      std::min<std::int64_t>(std::max<std::int64_t>(value + out.zero_point, out.lo), out.hi));
}

}  // namespace

TEST_CASE("means of small windows are rounded exactly, ties to even, for every sum") {
  Random random(9);
  int tied = 0, general = 0;
  for (int i = 0; i < 600; ++i) {
    Scales scales(random, 128, 1.0, true);
    const int parts = random.integer(1, 5000), halvings = random.integer(0, 24);  // of a dyadic ratio
    const bool exact = i % 2 == 0;
    set_ratio(scales, exact ? std::ldexp(parts, -halvings) : std::exp(12 * random.real()));
    const int n = random.integer(0, 2) == 0 ? 128 : random.integer(1, 128);
    const int rounding = q_average_rounding(n, scales.multiplier.data(), scales.shift.data());
    const QOutput out = random_output(random);
    const int count = random.integer(1, n), entry = count - 1;
    const auto at = static_cast<std::size_t>(entry);
    general += rounding == 2;
    const QMean mean = q_mean(scales.multiplier[at], scales.shift[at], rounding, out.zero_point);
    tied += rounding == 1;
    for (int sum = -255 * count; sum <= 255 * count; ++sum) {
      const std::int8_t got =
          q_clamp(q_mean_even(out.zero_point, sum, scales.multiplier[at], scales.shift[at]), out);
      CAPTURE(i, n, count, sum, scales.multiplier[at], int{scales.shift[at]}, rounding);
      if (rounding != 2 && q_clamp(q_mean_of(mean, sum), out) != got)
        REQUIRE(int{q_clamp(q_mean_of(mean, sum), out)} == int{got});
      if (exact && got != exact_mean(std::int64_t{sum} * parts, std::int64_t{count} << halvings, out))
        REQUIRE(int{got} == int{exact_mean(std::int64_t{sum} * parts, std::int64_t{count} << halvings, out)});
    }
  }
  CHECK(tied > 20);
  CHECK(general > 5);
  CHECK(general < 300);
}

TEST_CASE("means of large windows and of int16 round ties to even") {
  for (int count : {6, 36, 100, 130, 196, 1000, 3600, 8190})
    for (int bits : {8, 16})
      for (int doubled : {1, 2, 3}) {
        const QMultiplier m = q_shifted_multiplier(doubled / 2.0 / count);
        const QOutput out{-3, -32768, 32767};
        for (int k = -300; k <= 300; ++k)
          for (int off : {-1, 0, 1}) {
            const std::int64_t sum = static_cast<std::int64_t>(k) * count / doubled + off;  // about k halves
            if (std::abs(sum) >= std::int64_t{count} << (bits - 1)) continue;
            const int got = q_mean_even(-3, static_cast<std::int32_t>(sum), m.multiplier, m.shift);
            CAPTURE(count, bits, doubled, sum);
            REQUIRE(got == exact_mean(sum * doubled, 2 * count, out));
          }
      }
}

TEST_CASE("q_average_rounding: windows of 128 elements at most, and scales below 2^14") {
  std::vector<std::int32_t> multiplier(129, (1 << 30) + 1);
  std::vector<std::int8_t> shift(129, 40);
  CHECK(q_average_rounding(128, multiplier.data(), shift.data()) == 0);
  CHECK(q_average_rounding(129, multiplier.data(), shift.data()) == 2);
  shift[3] = 16;
  CHECK(q_average_rounding(3, multiplier.data(), shift.data()) == 0);
  CHECK(q_average_rounding(4, multiplier.data(), shift.data()) == 2);
  multiplier[1] = 1 << 30;
  shift[1] = 38;
  CHECK(q_average_rounding(3, multiplier.data(), shift.data()) == 1);
}

TEST_CASE("pools equal their definitions on random shapes") {
  Random random(5);
  int checked = 0, by_rounding[3] = {0, 0, 0};
  for (int i = 0; i < 1500; ++i) {
    Pool2dShape s{};
    s.batch = random.integer(1, 2);
    s.in_h = random.integer(1, 8);
    s.in_w = random.integer(1, 8);
    s.channels = random.integer(1, 9);
    s.kernel_h = random.integer(1, 4);
    s.kernel_w = random.integer(1, 4);
    s.stride_h = random.integer(1, 3);
    s.stride_w = random.integer(1, 3);
    s.dilation_h = s.dilation_w = 1;
    s.pad_top = random.integer(0, s.kernel_h - 1);
    s.pad_left = random.integer(0, s.kernel_w - 1);
    s.pad_bottom = random.integer(0, s.kernel_h - 1);
    s.pad_right = random.integer(0, s.kernel_w - 1);
    s.count_include_pad = random.integer(0, 1);
    if (s.in_h + s.pad_top + s.pad_bottom < s.kernel_h || s.in_w + s.pad_left + s.pad_right < s.kernel_w)
      continue;
    s.out_h = (s.in_h + s.pad_top + s.pad_bottom - s.kernel_h) / s.stride_h + 1;
    s.out_w = (s.in_w + s.pad_left + s.pad_right - s.kernel_w) / s.stride_w + 1;
    const int zero = random.integer(-128, 127);
    const auto x = random_int8(random, s.batch * s.in_h * s.in_w * s.channels);
    Scales scales(random, 16, 0.4, true);
    const std::int64_t ratio = ratio_of(random.integer(0, 5));
    set_ratio(scales, std::ldexp(static_cast<double>(ratio), -20));
    const int rounding =
        q_average_rounding(s.kernel_h * s.kernel_w, scales.multiplier.data(), scales.shift.data());
    const QOutput out = random_output(random);
    std::vector<std::int8_t> largest, average;
    bool empty = false;
    for (int p = 0; p < s.batch * s.out_h * s.out_w; ++p)
      for (int c = 0; c < s.channels; ++c) {
        int best = -128, count = 0;
        std::int64_t sum = 0;
        for (int ky = 0; ky < s.kernel_h; ++ky)
          for (int kx = 0; kx < s.kernel_w; ++kx) {
            const int iy = p / s.out_w % s.out_h * s.stride_h - s.pad_top + ky;
            const int ix = p % s.out_w * s.stride_w - s.pad_left + kx;
            if (iy < 0 || ix < 0 || iy >= s.in_h || ix >= s.in_w) continue;
            const int value = x[static_cast<std::size_t>(
                ((p / (s.out_w * s.out_h) * s.in_h + iy) * s.in_w + ix) * s.channels + c)];
            best = std::max(best, value);
            sum += value - zero;
            ++count;
          }
        empty = empty || count == 0;
        largest.push_back(static_cast<std::int8_t>(best));
        const int divisor = s.count_include_pad ? s.kernel_h * s.kernel_w : std::max(count, 1);
        average.push_back(
            static_cast<std::int8_t>(exact_mean(sum * ratio, std::int64_t{divisor} << 20, out)));
      }
    if (empty) continue;
    ++checked;
    ++by_rounding[rounding];
    const int outputs = static_cast<int>(largest.size());
    const auto max = [&](const std::int8_t* from, std::int8_t* to) { q_max_pool2d(s, from, to); };
    const auto mean = [&](const std::int8_t* from, std::int8_t* to) {
      q_average_pool2d(s, zero, scales.view(), rounding, out, from, to);
    };
    CAPTURE(i, s.in_h, s.in_w, s.channels, s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.pad_top,
            s.pad_left, rounding);
    REQUIRE(apart(x, outputs, max) == largest);
    REQUIRE(apart(x, outputs, mean) == average);
    REQUIRE(overlapped(x, outputs, q_max_pool2d_lead_x(s), max) == largest);
    REQUIRE(overlapped(x, outputs, q_average_pool2d_lead_x(s), mean) == average);
  }
  REQUIRE(checked > 600);
  for (const int count : by_rounding) CHECK(count > 40);
}
