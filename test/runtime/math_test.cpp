// The runtime's mathematics against the C library's double functions: the largest error in units in the last
// place over all floats (every 997th by default; all with the environment variable TINYTC_EXHAUSTIVE=1, about
// half an hour), and special values.
#include "runtime/math.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "test/runtime/kernel_test.h"

namespace tinytc {
namespace {

/// |got - want| in units in the last place of a float near `want`; 0 where both are NaN or the same infinity.
double error_in_ulp(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : INFINITY;
  if (std::isnan(got)) return INFINITY;
  const double largest = std::numeric_limits<float>::max();
  if (std::isinf(got)) return want * got > 0 && std::abs(want) >= largest ? 0 : INFINITY;
  if (std::isinf(want)) return INFINITY;
  int exponent = 0;
  std::frexp(want, &exponent);
  return std::abs(got - want) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

std::uint64_t stride_over_floats() { return std::getenv("TINYTC_EXHAUSTIVE") != nullptr ? 1 : 997; }

template <typename F, typename G>
double worst_over_floats(F function, G reference) {
  double worst = 0;
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << 32); i += stride_over_floats()) {
    const float x = from_bits(static_cast<std::uint32_t>(i));
    worst = std::max(worst, error_in_ulp(function(x), reference(static_cast<double>(x))));
  }
  return worst;
}

/// Largest relative error of the double version over a range, against long double.
template <typename F, typename G>
double worst_double(F function, G reference, double low, double high) {
  test::Random random(5);
  double worst = 0;
  for (int i = 0; i < 20000; ++i) {
    double x = low + (high - low) * (random.real() + 1) / 2;
    if (i % 2 == 1) x *= std::exp(20 * random.real() - 20);  // also the neighbourhood of 0
    const long double want = reference(static_cast<long double>(x));
    worst = std::max(worst, static_cast<double>(std::abs((function(x) - want) / want)));
  }
  return worst;
}

}  // namespace

// The bounds are those that the docstrings state; measured over all floats, rounded up.
TEST_CASE("float functions stay within their stated error") {
  CHECK(worst_over_floats([](float x) { return math_exp(x); }, [](double x) { return std::exp(x); }) <= 1.1);
  CHECK(worst_over_floats([](float x) { return math_expm1(x); }, [](double x) { return std::expm1(x); }) <=
        1.8);
  CHECK(worst_over_floats([](float x) { return math_log(x); }, [](double x) { return std::log(x); }) <= 0.9);
  CHECK(worst_over_floats([](float x) { return math_log1p(x); }, [](double x) { return std::log1p(x); }) <=
        1.6);
  CHECK(worst_over_floats([](float x) { return math_tanh(x); }, [](double x) { return std::tanh(x); }) <=
        2.5);
  CHECK(worst_over_floats([](float x) { return math_sigmoid(x); },
                          [](double x) {
                            return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
                          }) <= 2.5);
  CHECK(worst_over_floats([](float x) { return math_softplus(x); },
                          [](double x) {
                            return std::fmax(x, 0) + std::log1p(std::exp(-std::abs(x))) +
                                   (x - x > -1 ? 0 : x * 0);
                          }) <= 2.0);
  CHECK(worst_over_floats([](float x) { return math_erf(x); }, [](double x) { return std::erf(x); }) <= 1.4);
  CHECK(worst_over_floats([](float x) { return math_sin(x); }, [](double x) { return std::sin(x); }) <= 2.8);
  CHECK(worst_over_floats([](float x) { return math_cos(x); }, [](double x) { return std::cos(x); }) <= 2.8);
}

TEST_CASE("square roots are correctly rounded, roundings exact") {
  CHECK(worst_over_floats([](float x) { return math_sqrt(x); }, [](double x) { return std::sqrt(x); }) <=
        0.5);
  const auto by_digits = [](float x) {
    return x > 0 && x < infinity<float>() ? square_root_by_digits<float, std::uint32_t>(x, 23, 127) : 0.0f;
  };
  const auto exact = [](double x) {
    return x > 0 && x < std::numeric_limits<double>::infinity() ? std::sqrt(static_cast<float>(x)) : 0.0;
  };
  CHECK(worst_over_floats(by_digits, exact) == 0);
  CHECK(worst_over_floats([](float x) { return math_round(x); },
                          [](double x) { return std::nearbyint(x); }) == 0);
  CHECK(worst_over_floats([](float x) { return math_floor(x); }, [](double x) { return std::floor(x); }) ==
        0);
  CHECK(worst_over_floats([](float x) { return math_ceil(x); }, [](double x) { return std::ceil(x); }) == 0);
  CHECK(worst_over_floats([](float x) { return math_truncate(x); }, [](double x) { return std::trunc(x); }) ==
        0);
  test::Random random(3);
  for (int i = 0; i < 20000; ++i) {
    const double x = std::exp(700 * random.real());
    REQUIRE(square_root_by_digits<double, std::uint64_t>(x, 52, 1023) == std::sqrt(x));
  }
}

// 1e-15 is what the docstrings promise; erf beyond 3 multiplies two exponentials and a sum of 160 terms:
// 1e-14.
TEST_CASE("double functions are accurate enough for finite differences") {
  using Long = long double;
  CHECK(worst_double([](double x) { return math_exp(x); }, [](Long x) { return std::exp(x); }, -700, 700) <=
        1e-15);
  CHECK(worst_double([](double x) { return math_expm1(x); }, [](Long x) { return std::expm1(x); }, -30,
                     700) <= 1e-15);
  CHECK(worst_double([](double x) { return math_log(x); }, [](Long x) { return std::log(x); }, 0, 100) <=
        1e-15);
  CHECK(worst_double([](double x) { return math_log1p(x); }, [](Long x) { return std::log1p(x); }, -0.9, 9) <=
        1e-15);
  CHECK(worst_double([](double x) { return math_tanh(x); }, [](Long x) { return std::tanh(x); }, -20, 20) <=
        1e-15);
  CHECK(worst_double([](double x) { return math_erf(x); }, [](Long x) { return std::erf(x); }, -6, 6) <=
        1e-14);
  CHECK(worst_double([](double x) { return math_sin(x); }, [](Long x) { return std::sin(x); }, -100, 100) <=
        1e-15);
  CHECK(worst_double([](double x) { return math_cos(x); }, [](Long x) { return std::cos(x); }, -100, 100) <=
        1e-15);
  CHECK(worst_double([](double x) { return math_sigmoid(x); }, [](Long x) { return 1 / (1 + std::exp(-x)); },
                     -300, 300) <= 1e-15);
}

TEST_CASE("pow stays within its stated error") {
  test::Random random(11);
  double worst = 0;
  double worst_wide = 0;
  for (int i = 0; i < 300000; ++i) {
    const float x = static_cast<float>(std::exp(i % 3 == 0 ? random.real() : 80 * random.real()));
    const double exponent = 95 * random.real() / std::log(static_cast<double>(x));
    if (!std::isfinite(exponent)) continue;
    const float y = static_cast<float>(i % 7 == 0 ? std::nearbyint(exponent) : exponent);
    worst = std::max(worst,
                     error_in_ulp(math_pow(x, y), std::pow(static_cast<double>(x), static_cast<double>(y))));
    const double wide_x = x;
    const double wide_y = 7 * exponent;
    const long double want = std::pow(static_cast<long double>(wide_x), static_cast<long double>(wide_y));
    if (want < 1e300L && want > 1e-300L) {
      worst_wide =
          std::max(worst_wide, static_cast<double>(std::abs((math_pow(wide_x, wide_y) - want) / want)));
    }
  }
  CHECK(worst <= 2.6);
  CHECK(worst_wide <= 2.5e-15);
}

TEST_CASE("pow has C's special cases") {
  const float inf = std::numeric_limits<float>::infinity();
  const float values[] = {0.0f, -0.0f, 1.0f, -1.0f, 2.0f,   -2.0f, 3.0f,   0.5f,  -0.5f, 5.0f,
                          inf,  -inf,  NAN,  1e30f, -1e30f, 0.7f,  1e-40f, -3.0f, 1.5f};
  for (const float x : values) {
    for (const float y : values) {
      const double want = std::pow(static_cast<double>(x), static_cast<double>(y));
      const float got = math_pow(x, y);
      INFO("pow(" << x << ", " << y << ") = " << got << ", not " << want);
      CHECK(error_in_ulp(got, want) <= 2);
      if (!std::isnan(got)) CHECK(std::signbit(got) == std::signbit(static_cast<float>(want)));
    }
  }
}

TEST_CASE("functions keep signs of zero and NaN") {
  CHECK(std::signbit(math_tanh(-0.0f)));
  CHECK(std::signbit(math_erf(-0.0f)));
  CHECK(std::signbit(math_sin(-0.0f)));
  CHECK(std::signbit(math_expm1(-0.0f)));
  CHECK(std::signbit(math_log1p(-0.0f)));
  CHECK(std::signbit(math_ceil(-0.3f)));
  CHECK(std::signbit(math_round(-0.3f)));
  CHECK(std::isnan(math_sqrt(-1.0f)));
  CHECK(std::signbit(math_sqrt(-0.0f)));
  CHECK(std::isnan(math_log(-1.0)));
  CHECK(math_log(0.0) == -std::numeric_limits<double>::infinity());
}

}  // namespace tinytc
