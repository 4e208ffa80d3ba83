// LayerNorm and BatchNorm: values from the definition, gradients from finite differences, running statistics,
// overlap.
#include "runtime/normalize.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"

namespace tinytc {
namespace {

using List = std::vector<double>;

/// Checks `gradient` = d sum(dy * forward()) / d values by central differences; step 1e-6 leaves about 1e-9.
void check_numeric(List& values, const List& gradient, const std::function<List()>& forward, const List& dy) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double h = 1e-6, kept = values[i];
    values[i] = kept + h;
    const double above = test::dot(forward(), dy);
    values[i] = kept - h;
    const double below = test::dot(forward(), dy);
    values[i] = kept;
    CHECK(gradient[i] == Approx((above - below) / (2 * h)).epsilon(1e-7).margin(1e-7));
  }
  CHECK(test::dot(gradient, gradient) > 0);
}

const ChannelShape channel_shapes[] = {{6, 3, 1}, {2, 3, 4}, {1, 2, 5}};

int elements(const ChannelShape& s) { return s.outer * s.channels * s.inner; }

std::size_t channel_of(const ChannelShape& s, std::size_t i) {
  return i / static_cast<std::size_t>(s.inner) % static_cast<std::size_t>(s.channels);
}

}  // namespace

TEMPLATE_TEST_CASE("layer_norm normalises rows", "", float, double) {
  const LayerNormShape shape{3, 5};
  test::Random random(1);
  const std::vector<TestType> x = random.tensor<TestType>(15), scale = random.tensor<TestType>(5),
                              bias = random.tensor<TestType>(5);
  std::vector<TestType> y(15), plain(15), mean(3), inverse(3);
  layer_norm(shape, TestType(1e-3), x.data(), scale.data(), bias.data(), y.data(), mean.data(),
             inverse.data());
  const TestType* nothing = nullptr;
  TestType* nowhere = nullptr;
  layer_norm(shape, TestType(1e-3), x.data(), nothing, nothing, plain.data(), nowhere, nowhere);
  const double tolerance = sizeof(TestType) == 4 ? 2e-6 : 1e-14;  // a few roundings of numbers up to 2
  for (std::size_t row = 0; row < 3; ++row) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < 5; ++i) sum += static_cast<double>(x[row * 5 + i]);
    for (std::size_t i = 0; i < 5; ++i) squares += std::pow(static_cast<double>(x[row * 5 + i]) - sum / 5, 2);
    const double deviation = std::sqrt(squares / 5 + static_cast<double>(TestType(1e-3)));
    for (std::size_t i = 0; i < 5; ++i) {
      const double normal = (static_cast<double>(x[row * 5 + i]) - sum / 5) / deviation;
      CHECK(std::abs(static_cast<double>(plain[row * 5 + i]) - normal) <= tolerance);
      const double want = normal * static_cast<double>(scale[i]) + static_cast<double>(bias[i]);
      CHECK(std::abs(static_cast<double>(y[row * 5 + i]) - want) <= tolerance);
    }
    CHECK(std::abs(static_cast<double>(mean[row]) - sum / 5) <= tolerance);
    CHECK(std::abs(static_cast<double>(inverse[row]) * deviation - 1) <= tolerance);
  }
}

TEST_CASE("gradients of layer_norm are those of finite differences") {
  const LayerNormShape shape{3, 5};
  test::Random random(2);
  List x = random.tensor<double>(15), scale = random.tensor<double>(5), bias = random.tensor<double>(5);
  const List dy = random.tensor<double>(15);
  List mean(3), inverse(3), dx(15), dscale(5), dbias(5);
  const auto forward = [&] {
    List y(15);
    layer_norm(shape, 1e-5, x.data(), scale.data(), bias.data(), y.data(), mean.data(), inverse.data());
    return y;
  };
  forward();
  layer_norm_grad(shape, x.data(), scale.data(), mean.data(), inverse.data(), dy.data(), dx.data());
  layer_norm_scale_grad(shape, x.data(), mean.data(), inverse.data(), dy.data(),
                        StoreGradient<double>{dscale.data()});
  bias_grad(ChannelShape{3, 5, 1}, dy.data(), StoreGradient<double>{dbias.data()});
  check_numeric(x, dx, forward, dy);
  check_numeric(scale, dscale, forward, dy);
  check_numeric(bias, dbias, forward, dy);
}

TEST_CASE("batch_norm applies given statistics, and its gradients hold them fixed") {
  for (const ChannelShape& shape : channel_shapes) {
    test::Random random(3);
    const std::size_t count = static_cast<std::size_t>(elements(shape));
    List x = random.tensor<double>(elements(shape)), scale = random.tensor<double>(shape.channels);
    List bias = random.tensor<double>(shape.channels);
    const List mean = random.tensor<double>(shape.channels), dy = random.tensor<double>(elements(shape));
    List variance = random.tensor<double>(shape.channels);
    for (double& v : variance) v = 1.5 + v;
    List scratch(static_cast<std::size_t>(batch_norm_scratch(shape)));
    const auto forward = [&] {
      List y(count);
      batch_norm(shape, 1e-5, x.data(), scale.data(), bias.data(), mean.data(), variance.data(), y.data(),
                 scratch.data());
      return y;
    };
    const List y = forward();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t c = channel_of(shape, i);
      CHECK(y[i] == Approx((x[i] - mean[c]) / std::sqrt(variance[c] + 1e-5) * scale[c] + bias[c])
                        .epsilon(1e-13)
                        .margin(1e-13));
    }
    List inverse(mean.size()), dx(count), dscale(mean.size()), dbias(mean.size());
    inverse_deviation(ElementwiseShape{shape.channels}, 1e-5, variance.data(), inverse.data());
    batch_norm_frozen_grad(shape, scale.data(), inverse.data(), dy.data(), dx.data());
    batch_norm_scale_grad(shape, x.data(), mean.data(), inverse.data(), dy.data(),
                          StoreGradient<double>{dscale.data()});
    bias_grad(shape, dy.data(), StoreGradient<double>{dbias.data()});
    check_numeric(x, dx, forward, dy);
    check_numeric(scale, dscale, forward, dy);
    check_numeric(bias, dbias, forward, dy);
  }
}

TEST_CASE("batch_norm for training uses and differentiates the batch's statistics") {
  for (const ChannelShape& shape : channel_shapes) {
    test::Random random(4);
    const std::size_t count = static_cast<std::size_t>(elements(shape)),
                      channels = static_cast<std::size_t>(shape.channels);
    List x = random.tensor<double>(elements(shape)), scale = random.tensor<double>(shape.channels);
    List bias = random.tensor<double>(shape.channels);
    const List dy = random.tensor<double>(elements(shape));
    List mean(channels), variance(channels), inverse(channels), dx(count), dscale(channels), scratch(2 * channels);
    const auto forward = [&] {
      List y(count);
      batch_statistics(shape, 1e-5, x.data(), mean.data(), variance.data(), inverse.data());
      batch_norm_train(shape, x.data(), scale.data(), bias.data(), mean.data(), inverse.data(), y.data());
      return y;
    };
    const List y = forward();
    for (std::size_t c = 0; c < channels; ++c) {
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < count; ++i) {
        if (channel_of(shape, i) != c) continue;
        sum += (y[i] - bias[c]) / scale[c];
        squares += std::pow((y[i] - bias[c]) / scale[c], 2);
      }
      CHECK(sum == Approx(0).margin(1e-11));  // rounding divided by the smallest scale
      CHECK(
          squares ==
          Approx(shape.outer * shape.inner).epsilon(1e-3));  // epsilon 1e-5 against a variance of 0.1 or more
    }
    batch_norm_train_grad(shape, x.data(), scale.data(), mean.data(), inverse.data(), dy.data(), dx.data(),
                          scratch.data());
    batch_norm_scale_grad(shape, x.data(), mean.data(), inverse.data(), dy.data(),
                          StoreGradient<double>{dscale.data()});
    check_numeric(x, dx, forward, dy);
    forward();
    check_numeric(scale, dscale, forward, dy);
  }
}

TEST_CASE("running statistics move like ONNX's, the variance unbiased like PyTorch's") {
  const float x[] = {1, 2, 3, 6};
  float running_mean = 10, running_variance = 4, mean = 0, variance = 0, inverse = 0;
  batch_statistics(ChannelShape{4, 1, 1}, 0.0f, x, &mean, &variance, &inverse);
  CHECK(mean == 3);
  CHECK(variance == 3.5f);
  CHECK(inverse == Approx(1 / std::sqrt(3.5)));
  running_statistics(ElementwiseShape{1}, RunningStep<float>{0.75f, 4.0f / 3}, &mean, &variance, &running_mean, &running_variance);
  CHECK(running_mean == 0.75f * 10 + 0.25f * 3);
  CHECK(running_variance == Approx(0.75 * 4 + 0.25 * 14 / 3));
  running_variance = 4;
  running_statistics(ElementwiseShape{1}, RunningStep<float>{0.75f, 1.0f}, &mean, &variance, &running_mean, &running_variance);
  CHECK(running_variance == 0.75f * 4 + 0.25f * 3.5f);
}

TEST_CASE("a loss passes while the running statistics would stay finite, and else is NaN") {
  const float largest = std::numeric_limits<float>::max(), loss = 0.5f;
  const RunningStep<float> step{0.9f, 1.25f};
  const auto passes = [&](float mean, float variance, float running_mean, float running_variance) {
    // The second of three channels; the others are harmless.
    const float m[3] = {1, mean, 2}, v[3] = {1, variance, 2}, rm[3] = {0, running_mean, 0}, rv[3] = {1, running_variance, 1};
    float checked = loss;
    check_statistics(ElementwiseShape{3}, step, m, v, rm, rv, &checked, &checked);
    float moved_mean[3] = {0, running_mean, 0}, moved_variance[3] = {1, running_variance, 1};
    running_statistics(ElementwiseShape{3}, step, m, v, moved_mean, moved_variance);
    CHECK((checked == loss) == (std::isfinite(moved_mean[1]) && std::isfinite(moved_variance[1])));
    return checked == loss;
  };
  CHECK(passes(1, 2, 3, 4));
  CHECK(passes(largest, 0.75f * largest, -largest, 0));
  CHECK_FALSE(passes(1, std::numeric_limits<float>::infinity(), 3, 4));
  CHECK_FALSE(passes(std::numeric_limits<float>::quiet_NaN(), 2, 3, 4));
  CHECK_FALSE(passes(1, largest, 3, 4));  // finite, but not with the correction
}

TEST_CASE("normalisations overlap exactly as their traits say") {
  test::Random random(5);
  const LayerNormShape rows{3, 5};
  const std::vector<float> x = random.tensor<float>(15), other = random.tensor<float>(15);
  const std::vector<float> p = random.tensor<float>(5), ones(5, 1.25f);
  std::vector<float> scratch(16);
  float* nowhere = nullptr;
  CHECK(test::lead_is_exact(x, 15, layer_norm_lead_x(rows), [&](const float* a, float* y) {
    layer_norm(rows, 1e-5f, a, p.data(), p.data(), y, nowhere, nowhere);
  }));
  CHECK(test::lead_is_exact(x, 15, layer_norm_grad_lead_x(rows), [&](const float* a, float* dx) {
    layer_norm_grad(rows, a, p.data(), p.data(), ones.data(), other.data(), dx);
  }));
  CHECK(test::lead_is_exact(x, 15, layer_norm_grad_lead_dy(rows), [&](const float* a, float* dx) {
    layer_norm_grad(rows, other.data(), p.data(), p.data(), ones.data(), a, dx);
  }));
  for (const ChannelShape& s : {ChannelShape{5, 3, 1}, ChannelShape{1, 3, 5}}) {
    const auto exact = [&](int lead, auto kernel) { CHECK(test::lead_is_exact(x, 15, lead, kernel)); };
    exact(batch_norm_lead_x(s), [&](const float* a, float* y) {
      batch_norm(s, 1e-5f, a, p.data(), p.data(), p.data(), ones.data(), y, scratch.data());
    });
    exact(batch_norm_frozen_grad_lead_dy(s),
          [&](const float* a, float* dx) { batch_norm_frozen_grad(s, ones.data(), ones.data(), a, dx); });
    exact(batch_norm_train_lead_x(s), [&](const float* a, float* y) {
      batch_norm_train(s, a, p.data(), p.data(), p.data(), ones.data(), y);
    });
    exact(batch_norm_train_grad_lead_x(s), [&](const float* a, float* dx) {
      batch_norm_train_grad(s, a, p.data(), p.data(), ones.data(), other.data(), dx, scratch.data());
    });
    exact(batch_norm_train_grad_lead_dy(s), [&](const float* a, float* dx) {
      batch_norm_train_grad(s, other.data(), p.data(), p.data(), ones.data(), a, dx, scratch.data());
    });
  }
}

}  // namespace tinytc
