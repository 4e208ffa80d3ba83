// Reductions, their gradients, the gradient of broadcasting, and ArgMax: against references written out with
// indices and finite differences.
#include "runtime/reduce.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <numeric>

#include "runtime/reduce_shapes.h"
#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"

namespace tinytc {
namespace {

struct ReduceCase {
  OperandDims x;
  bool reduced[8];
};
const ReduceCase cases[] = {
    {{1, {7}}, {true}},
    {{1, {7}}, {false}},
    {{2, {3, 5}}, {false, true}},
    {{2, {3, 5}}, {true, false}},
    {{3, {3, 4, 5}}, {true, false, true}},
    {{3, {3, 4, 5}}, {false, true, false}},
    {{4, {2, 3, 1, 5}}, {false, true, true, false}},
    {{4, {2, 3, 4, 5}}, {true, true, true, true}},
};

/// The row-major position in the output of each input.
std::vector<int> output_positions(const ReduceCase& c) {
  std::vector<int> positions;
  const int count = element_count(c.x.rank, c.x.dims);
  for (int i = 0; i < count; ++i) {
    int rest = i, position = 0, stride = 1;
    for (int d = c.x.rank - 1; d >= 0; --d) {
      if (!c.reduced[d]) {
        position += rest % c.x.dims[d] * stride;
        stride *= c.x.dims[d];
      }
      rest /= c.x.dims[d];
    }
    positions.push_back(position);
  }
  return positions;
}

/// Each output's inputs.
std::vector<std::vector<double>> groups(const ReduceCase& c, const std::vector<double>& x) {
  const std::vector<int> positions = output_positions(c);
  std::vector<std::vector<double>> result(
      static_cast<std::size_t>(*std::max_element(positions.begin(), positions.end()) + 1));
  for (std::size_t i = 0; i < x.size(); ++i) result[static_cast<std::size_t>(positions[i])].push_back(x[i]);
  return result;
}

using Reference = std::function<double(const std::vector<double>&)>;

double sum_of(const std::vector<double>& v, const std::function<double(double)>& f) {
  double sum = 0;
  for (const double x : v) sum += f(x);
  return sum;
}

/// 1e-13: sums of up to 120 numbers of size 1.
template <typename F>
void check_values(F f, const Reference& reference, double shift = 0) {
  test::Random random(1);
  for (const ReduceCase& c : cases) {
    std::vector<double> x = random.tensor<double>(element_count(c.x.rank, c.x.dims));
    for (double& value : x) value += shift;
    const auto expected = groups(c, x);
    std::vector<double> y(expected.size());
    reduce(make_reduce_shape(c.x, c.reduced), f, x.data(), y.data());
    for (std::size_t i = 0; i < y.size(); ++i)
      CHECK(y[i] == Approx(reference(expected[i])).epsilon(1e-13).margin(1e-13));
  }
}

/// The gradient kernel against central differences of sum(dy * f(x)); step 1e-6 leaves about 1e-9 (rounding).
void check_gradient(const std::function<void(const ReduceShape&, const double*, double*)>& forward,
                    const std::function<void(const ReduceShape&, const double*, const double*, const double*,
                                             double*)>& backward,
                    double shift = 0) {
  test::Random random(2);
  const ReduceCase& c = cases[4];
  const ReduceShape shape = make_reduce_shape(c.x, c.reduced);
  std::vector<double> x = random.tensor<double>(60);
  for (double& value : x) value += shift;
  const std::vector<double> dy = random.tensor<double>(4);
  std::vector<double> y(4), dx(60);
  forward(shape, x.data(), y.data());
  backward(shape, x.data(), y.data(), dy.data(), dx.data());
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

template <typename F>
void check_functor_gradient(F f, double shift = 0) {
  check_gradient([&](const ReduceShape& s, const double* x, double* y) { reduce(s, f, x, y); },
                 [&](const ReduceShape& s, const double* x, const double* y, const double* dy, double* dx) {
                   reduce_grad(s, f, x, y, dy, dx);
                 },
                 shift);
}

}  // namespace

TEST_CASE("reductions over any axes have the right values") {
  using List = std::vector<double>;
  const auto sum = [](const List& v) { return sum_of(v, [](double x) { return x; }); };
  const auto squares = [](const List& v) { return sum_of(v, [](double x) { return x * x; }); };
  check_values(SumOf<double>{}, sum);
  check_values(MeanOf<double>{}, [&](const List& v) { return sum(v) / static_cast<double>(v.size()); });
  check_values(MaxOf<double>{}, [](const List& v) { return *std::max_element(v.begin(), v.end()); });
  check_values(MinOf<double>{}, [](const List& v) { return *std::min_element(v.begin(), v.end()); });
  check_values(ProdOf<double>{},
               [](const List& v) { return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>()); });
  check_values(L1Of<double>{}, [](const List& v) { return sum_of(v, [](double x) { return std::abs(x); }); });
  check_values(L2Of<double>{}, [&](const List& v) { return std::sqrt(squares(v)); });
  check_values(SumSquareOf<double>{}, squares);
  check_values(LogSumOf<double>{}, [&](const List& v) { return std::log(sum(v)); }, 1.5);
}

TEST_CASE("log-sum-exp does not overflow") {
  const bool reduced[] = {false, true};
  const ReduceShape shape = make_reduce_shape({2, {2, 3}}, reduced);
  const float x[] = {1000, 1001, 1002, -1000, -1001, -1002};
  float y[2];
  reduce_log_sum_exp(shape, x, y);
  const double rest = std::log(1 + std::exp(-1.0) + std::exp(-2.0));
  CHECK(y[0] == Approx(1002 + rest));
  CHECK(y[1] == Approx(-1000 + rest));
  const float infinite[] = {-INFINITY, -INFINITY, -INFINITY, INFINITY, 0, 0};
  reduce_log_sum_exp(shape, infinite, y);
  CHECK(y[0] == -INFINITY);
  CHECK(y[1] == INFINITY);
}

TEST_CASE("gradients of reductions are those of finite differences") {
  check_functor_gradient(SumOf<double>{});
  check_functor_gradient(MeanOf<double>{});
  check_functor_gradient(L1Of<double>{});
  check_functor_gradient(L2Of<double>{});
  check_functor_gradient(SumSquareOf<double>{});
  check_functor_gradient(LogSumOf<double>{}, 1.5);
  const auto log_sum_exp = [](const ReduceShape& s, const double* x, double* y) {
    reduce_log_sum_exp(s, x, y);
  };
  check_gradient(log_sum_exp, [](const ReduceShape& s, const double* x, const double* y, const double* dy,
                                 double* dx) { reduce_grad(s, LogSumExpOf<double>{0}, x, y, dy, dx); });
  const auto extreme = [](const ReduceShape& s, const double* x, const double* y, const double* dy,
                          double* dx) { reduce_extreme_grad(s, x, y, dy, dx); };
  check_gradient([](const ReduceShape& s, const double* x, double* y) { reduce(s, MaxOf<double>{}, x, y); },
                 extreme);
  check_gradient([](const ReduceShape& s, const double* x, double* y) { reduce(s, MinOf<double>{}, x, y); },
                 extreme);
}

TEST_CASE("equal maxima share the gradient") {
  const bool reduced[] = {true};
  const double x[] = {1, 3, 3, 2}, y = 3, dy = 1;
  double dx[4];
  reduce_extreme_grad(make_reduce_shape({1, {4}}, reduced), x, &y, &dy, dx);
  CHECK(std::vector<double>(dx, dx + 4) == std::vector<double>{0, 0.5, 0.5, 0});
}

TEST_CASE("sum_to undoes broadcasting into a sink") {
  const ReduceShape bias = make_sum_to_shape({3, {2, 3, 2}}, {2, {3, 1}});
  const float dy[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  float gradient[3];
  int calls[3] = {};
  sum_to(bias, dy, test::CountingSink<float>{gradient, calls});
  CHECK(std::vector<float>(gradient, gradient + 3) ==
        std::vector<float>{1 + 2 + 7 + 8, 3 + 4 + 9 + 10, 5 + 6 + 11 + 12});
  CHECK(std::vector<int>(calls, calls + 3) == std::vector<int>{1, 1, 1});
  sum_to(make_sum_to_shape({2, {3, 4}}, {0, {}}), dy, StoreGradient<float>{gradient});
  CHECK(gradient[0] == 78);
}

TEST_CASE("reductions overlap exactly as their traits say") {
  test::Random random(3);
  for (const ReduceCase& c : cases) {
    const ReduceShape shape = make_reduce_shape(c.x, c.reduced);
    const int outputs = element_count(shape.kept_rank, shape.kept_dims);
    if (outputs == 1) continue;
    const std::vector<float> x = random.tensor<float>(element_count(c.x.rank, c.x.dims));
    const auto kernel = [&](const float* from, float* to) { reduce(shape, SumOf<float>{}, from, to); };
    CHECK(test::lead_is_exact(x, outputs, reduce_lead_x(shape), kernel));
    const std::vector<float> y(static_cast<std::size_t>(outputs), 1.0f);
    const auto backward = [&](const float* from, float* to) {
      reduce_grad(shape, L1Of<float>{}, from, y.data(), y.data(), to);
    };
    const int inputs = static_cast<int>(x.size());
    const auto alone = test::apart(x, inputs, backward);
    CHECK(test::same_bits(test::overlapped(x, inputs, reduce_grad_lead_x(shape), backward), alone));
  }
}

TEST_CASE("argmax finds the first or the last extreme") {
  const float x[] = {1, 3, 3, 2, 0, 0, NAN, 1, 5};
  std::int32_t first[3];
  std::int64_t last[3];
  arg_extreme(AxisShape{3, 3, 1}, false, false, x, first);
  CHECK(std::vector<int>(first, first + 3) == std::vector<int>{1, 0, 2});
  arg_extreme(AxisShape{2, 3, 1}, true, true, x, last);
  CHECK(last[0] == 0);
  CHECK(last[1] == 2);
  arg_extreme(AxisShape{1, 3, 2}, false, true, x, last);
  CHECK(last[0] == 1);
  CHECK(last[1] == 0);
}

}  // namespace tinytc
