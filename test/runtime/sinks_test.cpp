// Optimizers against PyTorch's weights after three steps (torch 2.13, double), and sinks that store, add and
// scale.
#include "runtime/sinks.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "test/runtime/kernel_test.h"

namespace tinytc {
namespace {

using List = std::vector<double>;

/// The weights after three steps from {1, -2, 0.5} with the gradients {0.3, -0.1, 0.7} * (i + 1) - 0.2 i.
/// `make(w)` makes the step's sink.
template <typename T, typename Make>
std::vector<T> trained(Make make) {
  std::vector<T> w = {T(1), T(-2), T(0.5)};
  for (int i = 0; i < 3; ++i) {
    const T gradient[] = {T(0.3 * (i + 1) - 0.2 * i), T(-0.1 * (i + 1) - 0.2 * i),
                          T(0.7 * (i + 1) - 0.2 * i)};
    apply_sink(ElementwiseShape{3}, make(w.data()), gradient);
  }
  return w;
}

template <typename T>
void check_weights(const std::vector<T>& w, const List& expected) {
  const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-13;  // three steps of a few roundings each
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(static_cast<double>(w[i]) == Approx(expected[i]).epsilon(tolerance));
}

template <typename T>
AdamSettings<T> settings(double weight_decay) {
  return AdamSettings<T>{T(0.9), T(0.999), T(1 - 0.9), T(1 - 0.999), T(1e-8), T(weight_decay)};
}

}  // namespace

TEMPLATE_TEST_CASE("SGD and momentum follow torch.optim", "", float, double) {
  using T = TestType;
  check_weights(trained<T>([](T* w) { return Sgd<T>{w, T(0.1), T(0)}; }), {0.88, -1.88, 0.14});
  check_weights(trained<T>([](T* w) { return Sgd<T>{w, T(0.1), T(0.05)}; }),
                {0.865574125, -1.8504495, 0.1338356875});
  std::vector<T> velocity(3);
  check_weights(
      trained<T>([&](T* w) { return Momentum<T>{w, velocity.data(), T(0.1), T(0.9), T(0.05), false}; }),
      {0.765539125, -1.7714295, -0.0997368125});
  velocity.assign(3, T(0));
  check_weights(trained<T>([&](T* w) { return Momentum<T>{w, velocity.data(), T(0.1), T(0.9), T(0), true}; }),
                {0.69343, -1.72421, -0.38893});
  velocity.assign(3, T(0));  // nothing forgotten: the sum of all gradients so far
  check_weights(trained<T>([&](T* w) { return Momentum<T>{w, velocity.data(), T(0.1), T(1), T(0), false}; }),
                {0.78, -1.82, -0.12});
}

TEMPLATE_TEST_CASE("Adam and AdamW follow torch.optim", "", float, double) {
  using T = TestType;
  std::vector<T> m(3), v(3), corrections(2), step(3);
  const auto reset = [&] {
    m.assign(3, T(0));
    v.assign(3, T(0));
    corrections.assign(2, T(0));
  };
  const auto adam = [&](const AdamSettings<T>& s) {
    reset();
    return trained<T>([&](T* w) {
      adam_step(s, T(0.1), corrections.data(), step.data());
      return adam_sink(s, step.data(), w, m.data(), v.data());
    });
  };
  check_weights(adam(settings<T>(0)), {0.7005867326568096, -1.7218304260560386, 0.20455252623824105});
  check_weights(adam(settings<T>(0.05)), {0.7001125621663397, -1.7122672527188343, 0.20420023643144888});
  reset();
  const AdamSettings<T> decaying = settings<T>(0.05);
  check_weights(trained<T>([&](T* w) {
                  adam_step(decaying, T(0.1), corrections.data(), step.data());
                  return adamw_sink(decaying, step.data(), w, m.data(), v.data());
                }),
                {0.687157769048385, -1.693419864186413, 0.1985776378339058});
}

TEST_CASE("Adam's corrections stay accurate over many steps in float") {
  const AdamSettings<float> s = settings<float>(0);
  float corrections[2] = {0, 0};
  float step[3];
  for (int i = 1; i <= 2000; ++i) {
    adam_step(s, 1.0f, corrections, step);
    // Each step adds half a unit in the last place of a number below 1.
    CHECK(corrections[1] == Approx(1 - std::pow(0.999, i)).epsilon(2e-5));
    CHECK(step[0] == Approx(1 / (1 - std::pow(0.9, i))).epsilon(1e-6));
  }
}

TEST_CASE("sinks store, add and scale") {
  float out[] = {1, 2};
  const float gradient[] = {10, 20};
  apply_sink(ElementwiseShape{2}, AddGradient<float>{out}, gradient);
  CHECK(out[1] == 22);
  apply_scaled_sink(ElementwiseShape{2}, StoreGradient<float>{out}, gradient, 0.5f);
  CHECK(out[0] == 5);
  CHECK(out[1] == 10);
}

}  // namespace tinytc
