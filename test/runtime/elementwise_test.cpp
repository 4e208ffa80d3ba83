// Unary functions with their gradients, binary functions with broadcasting, select and cast: against the C
// library, finite differences, PyTorch's conventions at kinks, and references written out with indices.
#include "runtime/elementwise.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "runtime/activations.h"
#include "runtime/arithmetic.h"
#include "runtime/broadcast.h"
#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"

namespace tinytc {
namespace {

/// Values: 1e-14 is what the double functions give, absolutely so where Gelu's terms of size 4 cancel.
/// Compares forward with `reference` and gradient with the central difference at points away from kinks. A
/// step of 1e-6 leaves an error of about 1e-12 (third derivative) + 1e-15 / 1e-6 (rounding): 1e-7 is loose
/// only for double, and far too tight for a wrong formula.
template <typename F, typename G>
void check_unary(F f, G reference, double low, double high) {
  const double h = 1e-6;
  bool any = false;
  for (int i = 0; i < 41; ++i) {
    const double x = low + (high - low) * (i + 0.37) / 41;
    CAPTURE(x);
    CHECK(f.forward(x) == Approx(reference(x)).epsilon(1e-14).margin(3e-14));
    const double numeric = (f.forward(x + h) - f.forward(x - h)) / (2 * h);
    const double y = f.forward(x);
    double gradient = 0;
    const double one = 1;
    unary_grad(ElementwiseShape{1}, f, F::needs_x ? &x : nullptr, F::needs_y ? &y : nullptr, &one, &gradient);
    CHECK(gradient == Approx(numeric).epsilon(1e-7).margin(1e-7));
    any = any || numeric != 0;
  }
  CHECK(any);
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

template <typename F>
std::vector<double> gradients_at(F f, const std::vector<double>& x) {
  std::vector<double> y(x.size());
  std::vector<double> ones(x.size(), 1.0);
  std::vector<double> dx(x.size());
  const ElementwiseShape shape{static_cast<int>(x.size())};
  unary(shape, f, x.data(), y.data());
  unary_grad(shape, f, x.data(), y.data(), ones.data(), dx.data());
  return dx;
}

/// The elements of an operand repeated to the output's shape, written out with indices.
template <typename T>
std::vector<T> repeated(const std::vector<T>& x, const OperandDims& operand, const OperandDims& out) {
  const int count = element_count(out.rank, out.dims);
  std::vector<T> result;
  for (int i = 0; i < count; ++i) {
    int rest = i;
    int position = 0;
    int stride = 1;
    for (int d = out.rank - 1; d >= 0; --d) {
      const int size = aligned_dim(operand, out.rank, d);
      position += size == 1 ? 0 : (rest % out.dims[d]) * stride;
      stride *= size;
      rest /= out.dims[d];
    }
    result.push_back(x[static_cast<std::size_t>(position)]);
  }
  return result;
}

struct BroadcastCase {
  OperandDims a, b, y;
};
const BroadcastCase broadcast_cases[] = {
    {{2, {3, 4}}, {2, {3, 4}}, {2, {3, 4}}},
    {{2, {3, 4}}, {0, {}}, {2, {3, 4}}},
    {{1, {1}}, {2, {3, 4}}, {2, {3, 4}}},
    {{2, {3, 4}}, {1, {4}}, {2, {3, 4}}},
    {{2, {3, 1}}, {2, {3, 4}}, {2, {3, 4}}},
    {{2, {3, 1}}, {2, {1, 4}}, {2, {3, 4}}},
    {{4, {2, 3, 1, 5}}, {3, {3, 4, 1}}, {4, {2, 3, 4, 5}}},
    {{4, {2, 1, 4, 1}}, {4, {1, 3, 1, 5}}, {4, {2, 3, 4, 5}}},
    {{0, {}}, {0, {}}, {1, {1}}},
};

}  // namespace

TEST_CASE("smooth functions have the right values and gradients") {
  check_unary(Sigmoid<double>{}, sigmoid, -6, 6);
  check_unary(Tanh<double>{}, [](double x) { return std::tanh(x); }, -4, 4);
  check_unary(Softplus<double>{}, [](double x) { return std::log1p(std::exp(x)); }, -8, 8);
  check_unary(Gelu<double>{}, [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }, -4, 4);
  const auto gelu_tanh = [](double x) {
    return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  };
  check_unary(GeluTanh<double>{}, gelu_tanh, -4, 4);
  check_unary(Swish<double>{1.3}, [](double x) { return x * sigmoid(1.3 * x); }, -5, 5);
  check_unary(Mish<double>{}, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, -5, 5);
  check_unary(Exp<double>{}, [](double x) { return std::exp(x); }, -3, 3);
  check_unary(Log<double>{}, [](double x) { return std::log(x); }, 0.1, 9);
  check_unary(Sqrt<double>{}, [](double x) { return std::sqrt(x); }, 0.1, 9);
  check_unary(Sin<double>{}, [](double x) { return std::sin(x); }, -9, 9);
  check_unary(Cos<double>{}, [](double x) { return std::cos(x); }, -9, 9);
  check_unary(Erf<double>{}, [](double x) { return std::erf(x); }, -3, 3);
  check_unary(Reciprocal<double>{}, [](double x) { return 1 / x; }, 0.2, 3);
  check_unary(Neg<double>{}, [](double x) { return -x; }, -3, 3);
  check_unary(Identity<double>{}, [](double x) { return x; }, -3, 3);
}

TEST_CASE("functions with kinks have the right values and gradients beside them") {
  check_unary(Relu<double>{}, [](double x) { return std::fmax(x, 0); }, -3, 3);
  check_unary(LeakyRelu<double>{0.1}, [](double x) { return x < 0 ? 0.1 * x : x; }, -3, 3);
  check_unary(LeakyReluAnySlope<double>{-0.1}, [](double x) { return x < 0 ? -0.1 * x : x; }, -3, 3);
  check_unary(Elu<double>{0.7}, [](double x) { return x < 0 ? 0.7 * std::expm1(x) : x; }, -3, 3);
  check_unary(
      Selu<double>{1.6, 1.05}, [](double x) { return 1.05 * (x < 0 ? 1.6 * std::expm1(x) : x); }, -3, 3);
  check_unary(Celu<double>{1.4}, [](double x) { return x < 0 ? 1.4 * std::expm1(x / 1.4) : x; }, -3, 3);
  check_unary(
      HardSigmoid<double>{0.2, 0.5}, [](double x) { return std::fmin(std::fmax(0.2 * x + 0.5, 0), 1); }, -4,
      4);
  check_unary(
      HardSwish<double>{}, [](double x) { return x * std::fmin(std::fmax(x / 6 + 0.5, 0), 1); }, -5, 5);
  check_unary(Softsign<double>{}, [](double x) { return x / (1 + std::abs(x)); }, -5, 5);
  check_unary(Clip<double>{-1, 2}, [](double x) { return std::fmin(std::fmax(x, -1), 2); }, -4, 4);
  check_unary(ThresholdedRelu<double>{0.6}, [](double x) { return x > 0.6 ? x : 0; }, -3, 3);
  check_unary(Abs<double>{}, [](double x) { return std::abs(x); }, -3, 3);
}

// The expected numbers are what torch.autograd gives at these points.
TEST_CASE("gradients at kinks are PyTorch's") {
  using List = std::vector<double>;
  const List zero = {0};
  CHECK(gradients_at(Relu<double>{}, zero) == List{0});
  CHECK(gradients_at(LeakyRelu<double>{0.1}, zero) == List{0.1});
  CHECK(gradients_at(Elu<double>{0.7}, zero) == List{0.7});
  CHECK(gradients_at(Celu<double>{1.4}, zero) == List{1});
  CHECK(gradients_at(HardSigmoid<double>{0.25, 0.5}, {-2, 2}) == List{0, 0});
  CHECK(gradients_at(HardSwish<double>{}, {-3, 3}) == List{0, 1});
  CHECK(gradients_at(Clip<double>{0, 6}, {0, 6}) == List{0, 0});
  CHECK(gradients_at(Abs<double>{}, zero) == List{0});
  CHECK(gradients_at(ThresholdedRelu<double>{1}, {1}) == List{0});
  CHECK(gradients_at(Floor<double>{}, {0.5}) == List{0});
}

TEST_CASE("functions of integers and special values are defined") {
  CHECK(Abs<std::int32_t>{}.forward(-7) == 7);
  CHECK(Abs<std::int32_t>{}.forward(std::numeric_limits<std::int32_t>::min()) ==
        std::numeric_limits<std::int32_t>::min());
  CHECK(Neg<std::int64_t>{}.forward(5) == -5);
  CHECK(Sign<std::int8_t>{}.forward(-5) == -1);
  CHECK(Not<std::uint8_t>{}.forward(1) == 0);
  CHECK(std::isnan(Relu<float>{}.forward(NAN)));
  CHECK(std::isnan(Clip<float>{0, 6}.forward(NAN)));
  CHECK(Round<float>{}.forward(2.5f) == 2);
  CHECK(Div<std::int32_t>{}.forward(7, 0) == 0);
  CHECK(Div<std::int32_t>{}.forward(-7, 2) == -3);
  CHECK(Div<std::int32_t>{}.forward(std::numeric_limits<std::int32_t>::min(), -1) ==
        std::numeric_limits<std::int32_t>::min());
  CHECK(Mod<std::int32_t>{}.forward(-7, 3) == 2);
  CHECK(Mod<std::int32_t>{}.forward(7, -3) == -2);
  CHECK(Mod<std::int64_t>{}.forward(7, 0) == 0);
  CHECK(Add<std::int8_t>{}.forward(127, 1) == -128);
  CHECK(Mul<std::int32_t>{}.forward(65536, 65536) == 0);
  CHECK(IntegerPow<std::int32_t>{}.forward(-3, 3) == -27);
  CHECK(IntegerPow<std::int32_t>{}.forward(2, 0) == 1);
  CHECK(IntegerPow<std::int32_t>{}.forward(2, -1) == 0);
  CHECK(Max<float>{}.forward(1, 2) == 2);
  CHECK(std::isnan(Max<float>{}.forward(1, NAN)));
  CHECK(std::isnan(Min<float>{}.forward(NAN, 1)));
}

TEMPLATE_TEST_CASE("binary kernels broadcast like numpy", "", float, double) {
  test::Random random(1);
  for (const BroadcastCase& c : broadcast_cases) {
    const std::vector<TestType> a = random.tensor<TestType>(element_count(c.a.rank, c.a.dims));
    const std::vector<TestType> b = random.tensor<TestType>(element_count(c.b.rank, c.b.dims));
    const std::vector<TestType> wide_a = repeated(a, c.a, c.y);
    const std::vector<TestType> wide_b = repeated(b, c.b, c.y);
    const BroadcastShape shape = make_broadcast_shape(c.a, c.b);
    std::vector<TestType> y(wide_a.size());
    std::vector<std::uint8_t> less(wide_a.size());
    binary(shape, Sub<TestType>{}, a.data(), b.data(), y.data());
    binary(shape, Less<TestType>{}, a.data(), b.data(), less.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
      CHECK(y[i] == wide_a[i] - wide_b[i]);
      CHECK(less[i] == (wide_a[i] < wide_b[i] ? 1 : 0));
    }
  }
  CHECK(make_broadcast_shape({4, {2, 3, 4, 5}}, {4, {2, 3, 4, 5}}).rank == 1);
  CHECK(make_broadcast_shape({4, {2, 3, 4, 5}}, {2, {4, 5}}).rank == 2);
}

TEST_CASE("binary kernels overlap exactly as their traits say") {
  test::Random random(2);
  for (const BroadcastCase& c : broadcast_cases) {
    const BroadcastShape shape = make_broadcast_shape(c.a, c.b);
    const int outputs = element_count(c.y.rank, c.y.dims);
    if (outputs == 1) continue;
    const std::vector<float> a = random.tensor<float>(element_count(c.a.rank, c.a.dims));
    const std::vector<float> b = random.tensor<float>(element_count(c.b.rank, c.b.dims));
    const auto over_a = [&](const float* x, float* y) { binary(shape, Sub<float>{}, x, b.data(), y); };
    const auto over_b = [&](const float* x, float* y) { binary(shape, Sub<float>{}, a.data(), x, y); };
    CHECK(test::lead_is_exact(a, outputs, binary_lead_a(shape), over_a));
    CHECK(test::lead_is_exact(b, outputs, binary_lead_b(shape), over_b));
  }
  const std::vector<float> x = random.tensor<float>(9);
  const ElementwiseShape shape{9};
  const auto in_place = [&](const float* from, float* to) { unary(shape, Tanh<float>{}, from, to); };
  CHECK(test::lead_is_exact(x, 9, unary_lead_x(shape), in_place));
  const auto gradient = [&](const float* y, float* dx) {
    unary_grad(shape, Tanh<float>{}, x.data(), y, x.data(), dx);
  };
  CHECK(test::lead_is_exact(x, 9, unary_grad_lead_y(shape), gradient));
  const auto of_dy = [&](const float* dy, float* dx) {
    unary_grad(shape, Tanh<float>{}, x.data(), x.data(), dy, dx);
  };
  CHECK(test::lead_is_exact(x, 9, unary_grad_lead_dy(shape), of_dy));
}

namespace {

/// Gradients of a binary functor against central differences; the tolerance as in check_unary.
template <typename F>
void check_binary(F f, double low) {
  test::Random random(4);
  for (int i = 0; i < 30; ++i) {
    const double a = low + 1.5 + 1.4 * random.real();
    const double b = low + 1.5 + 1.4 * random.real();
    const double h = 1e-6;
    CHECK(f.gradient_a(a, b) ==
          Approx((f.forward(a + h, b) - f.forward(a - h, b)) / (2 * h)).epsilon(1e-7).margin(1e-7));
    CHECK(f.gradient_b(a, b) ==
          Approx((f.forward(a, b + h) - f.forward(a, b - h)) / (2 * h)).epsilon(1e-7).margin(1e-7));
  }
}

}  // namespace

TEST_CASE("binary functors have the right gradients") {
  check_binary(Add<double>{}, -1);
  check_binary(Sub<double>{}, -1);
  check_binary(Mul<double>{}, -1);
  check_binary(Div<double>{}, 0.2);
  check_binary(Pow<double>{}, 0.2);
  check_binary(Min<double>{}, -1);
  check_binary(Max<double>{}, -1);
  check_binary(PRelu<double>{}, -1);
  CHECK(Max<double>{}.gradient_a(2, 2) == 0.5);
  CHECK(Pow<double>{}.gradient_a(0, 0) == 0);
  CHECK(Pow<double>{}.gradient_b(0, 2) == 0);
  CHECK(PRelu<double>{}.gradient_a(0, 0.2) == 0.2);
}

TEST_CASE("binary_grad multiplies with the output's gradient") {
  const BroadcastShape shape = make_broadcast_shape({2, {2, 2}}, {1, {2}});
  const double a[] = {1, 2, 3, 4}, b[] = {5, 6}, dy[] = {1, 10, 100, 1000};
  double da[4], db[4];
  binary_grad(shape, Mul<double>{}, false, a, b, dy, da);
  binary_grad(shape, Mul<double>{}, true, a, b, dy, db);
  CHECK(std::vector<double>(da, da + 4) == std::vector<double>{5, 60, 500, 6000});
  CHECK(std::vector<double>(db, db + 4) == std::vector<double>{1, 20, 300, 4000});
}

TEST_CASE("select broadcasts three operands") {
  const OperandDims condition{2, {2, 1}}, a{1, {3}}, b{0, {}};
  const std::uint8_t c[] = {1, 0};
  const std::vector<float> x = {1, 2, 3};
  const float other = 9;
  const SelectShape shape = make_select_shape(condition, a, b);
  std::vector<float> result(6);
  select(shape, c, x.data(), &other, result.data());
  CHECK(result == std::vector<float>{1, 2, 3, 9, 9, 9});
  const auto over_a = [&](const float* from, float* to) { select(shape, c, from, &other, to); };
  CHECK(test::same_bits(test::overlapped(x, 6, select_lead_a(shape), over_a), result));
}

TEST_CASE("cast follows ONNX and is defined everywhere") {
  const float x[] = {-1.7f, 1.7f, 300.0f, -300.0f, 1e20f, -1e20f, NAN};
  std::int8_t bytes[7];
  std::int64_t wide[7];
  std::uint8_t flags[7], unsigned_bytes[7];
  cast(ElementwiseShape{7}, x, bytes);
  cast(ElementwiseShape{7}, x, wide);
  cast(ElementwiseShape{7}, x, unsigned_bytes);
  cast_to_bool(ElementwiseShape{7}, x, flags);
  CHECK(std::vector<int>(bytes, bytes + 7) == std::vector<int>{-1, 1, 127, -128, 127, -128, 0});
  CHECK(std::vector<int>(unsigned_bytes, unsigned_bytes + 7) == std::vector<int>{0, 1, 255, 0, 255, 0, 0});
  CHECK(wide[4] == std::numeric_limits<std::int64_t>::max());
  CHECK(wide[5] == std::numeric_limits<std::int64_t>::min());
  CHECK(wide[3] == -300);
  CHECK(std::vector<int>(flags, flags + 7) == std::vector<int>{1, 1, 1, 1, 1, 1, 1});
  const std::int32_t whole[] = {-5, 0, 16777217};
  float numbers[3];
  cast(ElementwiseShape{3}, whole, numbers);
  CHECK(numbers[0] == -5);
  CHECK(numbers[2] == 16777216);
}

}  // namespace tinytc
