// Softmax, LogSoftmax and their gradients: values, finite differences, extreme inputs, overlap.
#include "runtime/softmax.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"

namespace tinytc {
namespace {

const AxisShape shapes[] = {{1, 5, 1}, {3, 4, 1}, {2, 3, 4}, {1, 1, 3}, {2, 6, 2}};

int elements(const AxisShape& s) { return s.outer * s.axis * s.inner; }

using Forward = std::function<void(const AxisShape&, const double*, double*)>;
using Backward = std::function<void(const AxisShape&, const double*, const double*, double*)>;

/// Central differences of sum(dy * y) with step 1e-6 leave about 1e-9.
void check_gradient(const Forward& forward, const Backward& backward) {
  test::Random random(1);
  for (const AxisShape& shape : shapes) {
    if (shape.axis == 1) continue;
    std::vector<double> x = random.tensor<double>(elements(shape));
    const std::vector<double> dy = random.tensor<double>(elements(shape));
    std::vector<double> y(x.size()), dx(x.size());
    forward(shape, x.data(), y.data());
    backward(shape, y.data(), dy.data(), dx.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double h = 1e-6, kept = x[i];
      x[i] = kept + h;
      forward(shape, x.data(), y.data());
      const double above = test::dot(y, dy);
      x[i] = kept - h;
      forward(shape, x.data(), y.data());
      const double below = test::dot(y, dy);
      x[i] = kept;
      CHECK(dx[i] == Approx((above - below) / (2 * h)).epsilon(1e-7).margin(1e-7));
    }
    CHECK(test::dot(dx, dx) > 0);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("softmax and log_softmax have the right values", "", float, double) {
  const double tolerance = sizeof(TestType) == 4 ? 1e-6 : 1e-14;  // a few roundings of numbers below 4
  test::Random random(2);
  for (const AxisShape& shape : shapes) {
    const std::vector<TestType> x = random.tensor<TestType>(elements(shape));
    std::vector<TestType> y(x.size()), log_y(x.size()), scratch(16);
    softmax(shape, x.data(), y.data(), scratch.data());
    log_softmax(shape, x.data(), log_y.data(), scratch.data());
    for (int o = 0; o < shape.outer; ++o) {
      for (int i = 0; i < shape.inner; ++i) {
        const auto at = [&](int k) {
          return static_cast<std::size_t>((o * shape.axis + k) * shape.inner + i);
        };
        double sum = 0;
        for (int k = 0; k < shape.axis; ++k) sum += std::exp(static_cast<double>(x[at(k)]));
        for (int k = 0; k < shape.axis; ++k) {
          const double want = std::exp(static_cast<double>(x[at(k)])) / sum;
          CHECK(std::abs(static_cast<double>(y[at(k)]) - want) <= tolerance);
          CHECK(std::abs(static_cast<double>(log_y[at(k)]) - std::log(want)) <= tolerance);
        }
      }
    }
  }
}

TEST_CASE("softmax does not overflow") {
  const float x[] = {1000, 999, -1000};
  float y[3], log_y[3];
  softmax(AxisShape{1, 3, 1}, x, y, static_cast<float*>(nullptr));
  log_softmax(AxisShape{1, 3, 1}, x, log_y, static_cast<float*>(nullptr));
  CHECK(y[0] == Approx(1 / (1 + std::exp(-1.0))));
  CHECK(y[2] == 0);
  CHECK(log_y[2] == Approx(-2000 - std::log(1 + std::exp(-1.0))));
}

TEST_CASE("gradients of softmax are those of finite differences") {
  double scratch[8];
  check_gradient([&](const AxisShape& s, const double* x, double* y) { softmax(s, x, y, scratch); },
                 [&](const AxisShape& s, const double* y, const double* dy, double* dx) {
                   softmax_grad(s, y, dy, dx, scratch);
                 });
  check_gradient([&](const AxisShape& s, const double* x, double* y) { log_softmax(s, x, y, scratch); },
                 [&](const AxisShape& s, const double* y, const double* dy, double* dx) {
                   log_softmax_grad(s, y, dy, dx, scratch);
                 });
}

TEST_CASE("softmax kernels overlap exactly as their traits say") {
  test::Random random(3);
  for (const AxisShape& shape : shapes) {
    if (shape.axis == 1) continue;
    const int count = elements(shape);
    const std::vector<float> x = random.tensor<float>(count);
    const std::vector<float> other = random.tensor<float>(count);
    std::vector<float> scratch(static_cast<std::size_t>(softmax_scratch(shape)));
    float* s = scratch.data();
    CHECK(test::lead_is_exact(x, count, softmax_lead_x(shape),
                              [&](const float* a, float* y) { softmax(shape, a, y, s); }));
    CHECK(test::lead_is_exact(x, count, log_softmax_lead_x(shape),
                              [&](const float* a, float* y) { log_softmax(shape, a, y, s); }));
    CHECK(test::lead_is_exact(x, count, softmax_grad_lead_y(shape), [&](const float* a, float* dx) {
      softmax_grad(shape, a, other.data(), dx, s);
    }));
    CHECK(test::lead_is_exact(x, count, softmax_grad_lead_dy(shape), [&](const float* a, float* dx) {
      softmax_grad(shape, other.data(), a, dx, s);
    }));
    CHECK(test::lead_is_exact(x, count, log_softmax_grad_lead_y(shape), [&](const float* a, float* dx) {
      log_softmax_grad(shape, a, other.data(), dx, s);
    }));
    CHECK(test::lead_is_exact(x, count, log_softmax_grad_lead_dy(shape), [&](const float* a, float* dx) {
      log_softmax_grad(shape, other.data(), a, dx, s);
    }));
  }
}

}  // namespace tinytc
