// Losses against PyTorch's values (torch 2.13, double) and finite differences; labels that must not count;
// overlap.
#include "runtime/loss.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"

namespace tinytc {
namespace {

using List = std::vector<double>;

const List logits = {0.5, -1.0, 2.0, 1.5, 0.25, -0.75, 0.0, 3.0, -2.0, 1.0, 1.0, 1.0};
const std::int32_t labels[] = {2, 0, 1, -1};
const List weights = {0.5, 2.0, 1.5};
const AxisShape shape{4, 3, 1};

void check_close(const List& a, const List& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).epsilon(tolerance).margin(tolerance));
}

/// Losses and gradients of both label losses agree with central differences of the loss (step 1e-6: about
/// 1e-9).
void check_label_gradients(const AxisShape& s, const LossReduction& how, const double* weight) {
  test::Random random(1);
  const int count = s.outer * s.axis * s.inner, positions = s.outer * s.inner;
  const std::size_t outputs = how.reduction == 0 ? static_cast<std::size_t>(positions) : 1;
  List x = random.tensor<double>(count);
  List dloss(outputs);
  for (double& d : dloss) d = random.real() + 2;
  std::vector<std::int32_t> label(static_cast<std::size_t>(positions));
  for (std::int32_t& l : label) l = random.integer(0, s.axis - 1);
  label[1] = how.ignore_index;
  List loss(outputs), likelihood(outputs), dx(x.size()), dlog(x.size()), scratch(64);
  softmax_cross_entropy_grad(s, how, x.data(), label.data(), weight, dloss.data(), dx.data(), scratch.data());
  negative_log_likelihood_grad(s, how, label.data(), weight, dloss.data(), dlog.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double h = 1e-6, kept = x[i];
    double cross[2], negative[2];
    for (int side = 0; side < 2; ++side) {
      x[i] = kept + (side == 0 ? h : -h);
      softmax_cross_entropy(s, how, x.data(), label.data(), weight, loss.data());
      negative_log_likelihood(s, how, x.data(), label.data(), weight, likelihood.data());
      cross[side] = test::dot(loss, dloss);
      negative[side] = test::dot(likelihood, dloss);
    }
    x[i] = kept;
    CHECK(dx[i] == Approx((cross[0] - cross[1]) / (2 * h)).epsilon(1e-7).margin(1e-7));
    CHECK(dlog[i] == Approx((negative[0] - negative[1]) / (2 * h)).epsilon(1e-7).margin(1e-7));
  }
  CHECK(test::dot(dx, dx) > 0);
}

template <typename F>
void check_pointwise(F f, const List& x, const List& t, const List& values, const List& gradients,
                     double tolerance) {
  const ElementwiseShape s{static_cast<int>(x.size())};
  List loss(x.size()), dx(x.size());
  const List ones(x.size(), 1.0);
  pointwise_loss(s, 0, f, x.data(), t.data(), loss.data());
  pointwise_loss_grad(s, 0, f, x.data(), t.data(), ones.data(), dx.data());
  check_close(loss, values, tolerance);
  check_close(dx, gradients, tolerance);
  double sum = 0, mean = 0;
  pointwise_loss(s, 2, f, x.data(), t.data(), &sum);
  pointwise_loss(s, 1, f, x.data(), t.data(), &mean);
  CHECK(mean == Approx(sum / static_cast<double>(x.size())));
  const double dloss = 3;
  pointwise_loss_grad(s, 1, f, x.data(), t.data(), &dloss, dx.data());
  CHECK(dx[1] == Approx(gradients[1] * 3 / static_cast<double>(x.size())).epsilon(tolerance));
}

}  // namespace

// 1e-14: PyTorch's doubles, computed in another order.
TEST_CASE("cross-entropy with weights and ignored labels is PyTorch's") {
  List loss(4), gradient(12);
  softmax_cross_entropy(shape, LossReduction{0, -1}, logits.data(), labels, weights.data(), loss.data());
  check_close(loss, {0.36196694498573556, 0.16533630470361205, 0.10997047075429446, 0.0}, 1e-14);
  double total = 0;
  softmax_cross_entropy(shape, LossReduction{1, -1}, logits.data(), labels, weights.data(), &total);
  CHECK(total == Approx(0.1593184301109105).epsilon(1e-14));
  softmax_cross_entropy(shape, LossReduction{2, -1}, logits.data(), labels, weights.data(), &total);
  CHECK(total == Approx(0.637273720443642).epsilon(1e-14));
  const double one = 1;
  double* none = nullptr;
  softmax_cross_entropy_grad(shape, LossReduction{1, -1}, logits.data(), labels, weights.data(), &one,
                             gradient.data(), none);
  check_close(gradient,
              {0.06573389705251376, 0.014667214976507793, -0.08040111202902155, -0.035194957356116885,
               0.025729575499706444, 0.00946538185641044, 0.023561708262332073, -0.02675043872355315,
               0.0031887304612211484, 0.0, 0.0, 0.0},
              1e-14);
}

TEST_CASE("gradients of label losses are those of finite differences") {
  for (int reduction = 0; reduction < 3; ++reduction) {
    for (const AxisShape& s : {AxisShape{4, 3, 1}, AxisShape{2, 3, 4}}) {
      check_label_gradients(s, LossReduction{reduction, -100}, nullptr);
      check_label_gradients(s, LossReduction{reduction, 1}, weights.data());
    }
  }
}

TEST_CASE("labels are checked, and those outside never reach memory") {
  CHECK(labels_valid(ElementwiseShape{4}, 3, -1, labels));
  CHECK_FALSE(labels_valid(ElementwiseShape{4}, 3, -100, labels));
  CHECK_FALSE(labels_valid(ElementwiseShape{1}, 2, -1, labels));
  const std::int32_t wild[] = {2000000000, -2000000000, 0, 3};
  double loss[4];
  softmax_cross_entropy(shape, LossReduction{0, -1}, logits.data(), wild, weights.data(), loss);
  CHECK(loss[0] == 0);
  CHECK(loss[1] == 0);
  CHECK(loss[2] > 0);
  CHECK(loss[3] == 0);
  const std::int32_t ignored[] = {-1, -1, -1, -1};
  softmax_cross_entropy(shape, LossReduction{1, -1}, logits.data(), ignored, weights.data(), loss);
  CHECK(std::isnan(loss[0]));
}

// Values and gradients from PyTorch; 1e-8: its limit of the BCE denominator is 1e-12 in float.
TEST_CASE("losses between two tensors are PyTorch's") {
  const List x = {0.2, 0.9, 0.0, 1.0}, t = {0, 1, 1, 0.5};
  check_pointwise(SquaredError<double>{}, x, t, {0.04, 0.01, 1.0, 0.25}, {0.4, -0.2, -2.0, 1.0}, 1e-14);
  check_pointwise(AbsoluteError<double>{}, x, t, {0.2, 0.1, 1.0, 0.5}, {1, -1, -1, 1}, 1e-14);
  check_pointwise(Huber<double>{0.5}, x, t, {0.02, 0.005, 0.375, 0.125}, {0.2, -0.1, -0.5, 0.5}, 1e-14);
  check_pointwise(BinaryCrossEntropy<double>{}, x, t, {0.22314355131420976, 0.10536051565782628, 100.0, 50.0},
                  {1.25, -1.1111111111111112, -1000000003995.8029, 500000001997.9014}, 1e-8);
  check_pointwise(BinaryCrossEntropyWithLogits<double>{}, {-2, 3, 50, -60}, t,
                  {0.1269280110429727, 0.04858735157374206, 1.9287498479639178e-22, 30.0},
                  {0.11920292202211755, -0.047425873177566635, 0.0, -0.5}, 1e-14);
}

TEST_CASE("loss gradients overlap exactly as their traits say") {
  test::Random random(2);
  const float one = 1;
  for (const AxisShape& s : {AxisShape{4, 3, 1}, AxisShape{2, 3, 2}}) {
    const std::vector<float> x = random.tensor<float>(12);
    std::vector<float> scratch(8);
    const std::int32_t label[] = {2, 0, 1, 1};
    const float* unweighted = nullptr;
    CHECK(
        test::lead_is_exact(x, 12, softmax_cross_entropy_grad_lead_logits(s), [&](const float* a, float* dx) {
          softmax_cross_entropy_grad(s, LossReduction{1, -1}, a, label, unweighted, &one, dx, scratch.data());
        }));
    const ElementwiseShape flat{12};
    const std::vector<float> other = random.tensor<float>(12);
    CHECK(test::lead_is_exact(x, 12, pointwise_loss_grad_lead_x(flat), [&](const float* a, float* dx) {
      pointwise_loss_grad(flat, 1, SquaredError<float>{}, a, other.data(), &one, dx);
    }));
    CHECK(test::lead_is_exact(x, 12, pointwise_loss_grad_lead_target(flat), [&](const float* a, float* dx) {
      pointwise_loss_grad(flat, 1, SquaredError<float>{}, other.data(), a, &one, dx);
    }));
  }
}

}  // namespace tinytc
