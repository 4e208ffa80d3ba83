// Random numbers: fixed values, range, moments, and the dropout mask that comes back in the backward pass.
#include "runtime/random.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"

namespace tinytc {

// 100,000 draws: the mean's standard deviation is 0.0009 (uniform) and 0.0032 (normal), the variance's
// 0.00024 and 0.0045; the limits are at least four of them. The seeds are fixed, so the test is not random.
TEST_CASE("draws have the right range and moments") {
  const int count = 100000;
  const ElementwiseShape shape{count};
  std::vector<float> y(static_cast<std::size_t>(count));
  double sum = 0, squares = 0;
  fill_uniform(shape, 7u, 0.0f, 1.0f, y.data());
  for (const float x : y) {
    REQUIRE((x >= 0 && x < 1));
    sum += x;
    squares += x * x;
  }
  CHECK(std::abs(sum / count - 0.5) < 0.004);
  CHECK(std::abs(squares / count - 1.0 / 3) < 0.004);
  sum = squares = 0;
  fill_normal(shape, 7u, 0.0f, 1.0f, y.data());
  double product = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    REQUIRE(std::isfinite(y[i]));
    sum += y[i];
    squares += y[i] * y[i];
    product += i > 0 ? y[i] * y[i - 1] : 0;
  }
  CHECK(std::abs(sum / count) < 0.013);
  CHECK(std::abs(squares / count - 1) < 0.018);
  CHECK(std::abs(product / count) < 0.013);
}

TEST_CASE("a draw depends on nothing but seed and counter, and changes with both") {
  CHECK(random_bits(1, 2) == random_bits(1, 2));
  CHECK(random_bits(1, 2) != random_bits(2, 1));
  int equal = 0;
  for (std::uint32_t i = 0; i < 10000; ++i) equal += random_bits(5, i) % 2 == random_bits(6, i) % 2 ? 1 : 0;
  CHECK(std::abs(equal - 5000) < 250);  // 5 standard deviations
}

TEST_CASE("dropout keeps the mean and repeats its mask") {
  const int count = 10000;
  const std::vector<float> ones(static_cast<std::size_t>(count), 1.0f);
  std::vector<float> y(ones.size()), dx(ones.size());
  dropout(ElementwiseShape{count}, 0.25f, 3u, ones.data(), y.data());
  dropout(ElementwiseShape{count}, 0.25f, 3u, ones.data(), dx.data());
  CHECK(y == dx);
  double sum = 0;
  for (const float x : y) {
    REQUIRE((x == 0 || x == 1 / 0.75f));
    sum += x;
  }
  CHECK(std::abs(sum / count - 1) < 0.03);  // 5 standard deviations
  test::Random random(1);
  const std::vector<float> x = random.tensor<float>(40);
  CHECK(test::lead_is_exact(x, 40, dropout_lead_x(ElementwiseShape{40}), [](const float* a, float* b) {
    dropout(ElementwiseShape{40}, 0.25f, 3u, a, b);
  }));
}

}  // namespace tinytc
