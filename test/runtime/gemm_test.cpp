// gemm, gemm_row and gemm_grad against plain loops over the definition, on seeded random shapes, strides and batches.
#include "runtime/gemm.h"

#include <catch2/catch.hpp>

#include "test/runtime/kernel_test.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

// At most 70 products below 1 in size: rounding stays under 70 * 70 * 2^-53 = 6e-13 (double), 70 * 70 * 2^-24
// = 3e-4 at worst and near 1e-5 in practice (float).
constexpr double double_tolerance = 1e-12;
constexpr double float_tolerance = 3e-5;

struct Case {
  GemmShape s;
  int a_size, b_size;
};

Case random_case(Random& random) {
  GemmShape s{};
  s.m = random.integer(0, 2) == 0 ? 1 : random.integer(1, 9);
  s.n = random.integer(1, 40);
  s.k = random.integer(0, 3) == 0 ? 1 : random.integer(1, 70);
  const bool a_transposed = random.integer(0, 1), b_transposed = random.integer(0, 1);
  s.a_row = a_transposed ? 1 : s.k;
  s.a_column = a_transposed ? s.m : 1;
  s.b_row = b_transposed ? 1 : s.n;
  s.b_column = b_transposed ? s.k : 1;
  s.c_row = random.integer(0, 1) * s.n;
  s.c_column = random.integer(0, 1);
  s.batch_rank = random.integer(0, 3);
  int a_size = s.m * s.k, b_size = s.k * s.n;
  for (int d = s.batch_rank - 1; d >= 0; --d) {
    s.batch_dims[d] = random.integer(1, 3);
    const bool a_broadcast = random.integer(0, 2) == 0, b_broadcast = random.integer(0, 2) == 0;
    s.a_batch[d] = a_broadcast ? 0 : a_size;
    s.b_batch[d] = b_broadcast ? 0 : b_size;
    a_size *= a_broadcast ? 1 : s.batch_dims[d];
    b_size *= b_broadcast ? 1 : s.batch_dims[d];
  }
  return Case{s, a_size, b_size};
}

/// The products in the definition's terms, batch indices as a counter in base batch_dims.
template <typename T>
std::vector<double> products(const GemmShape& s, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<double> y;
  std::vector<int> counter(6);
  for (int index = 0; index < gemm_batches(s); ++index) {
    int a_at = 0, b_at = 0;
    for (int d = 0; d < s.batch_rank; ++d) {
      a_at += counter[d] * s.a_batch[d];
      b_at += counter[d] * s.b_batch[d];
    }
    for (int row = 0; row < s.m; ++row)
      for (int column = 0; column < s.n; ++column) {
        double sum = 0;
        for (int k = 0; k < s.k; ++k)
          sum += static_cast<double>(a[a_at + row * s.a_row + k * s.a_column]) *
                 b[b_at + k * s.b_row + column * s.b_column];
        y.push_back(sum);
      }
    for (int d = s.batch_rank - 1; d >= 0 && ++counter[d] == s.batch_dims[d]; --d) counter[d] = 0;
  }
  return y;
}

template <typename T>
void check(const Case& c, Random& random, double tolerance) {
  const GemmShape& s = c.s;
  const auto a = random.tensor<T>(c.a_size), b = random.tensor<T>(c.b_size),
             addend = random.tensor<T>(s.m * s.n);
  const auto sums = products(s, a, b);
  std::vector<T> gradient(sums.size()), y(sums.size());
  std::vector<int> calls(sums.size());
  gemm_grad(s, a.data(), b.data(), CountingSink<T>{gradient.data(), calls.data()});
  REQUIRE(all_ones(calls));
  REQUIRE(largest_difference(gradient, sums) < tolerance);

  const T alpha = random.integer(0, 1) ? T(1) : T(0.75), beta = random.integer(0, 1) ? T(1) : T(-0.5);
  const bool has_addend = random.integer(0, 2) > 0;
  const Activation<T> activation{T(-0.5), T(0.75), random.integer(0, 1) == 0};
  std::vector<double> expected = sums;
  for (int i = 0; i < static_cast<int>(expected.size()); ++i) {
    const int row = i / s.n % s.m, column = i % s.n;
    expected[i] = alpha * expected[i] +
                  (has_addend ? beta * static_cast<double>(addend[row * s.c_row + column * s.c_column]) : 0);
    if (!activation.none)
      expected[i] = std::min<double>(std::max<double>(expected[i], activation.lo), activation.hi);
  }
  gemm(s, alpha, a.data(), b.data(), beta, has_addend ? addend.data() : nullptr, activation, y.data());
  REQUIRE(largest_difference(y, expected) < tolerance);
  if (s.m == 1 && s.batch_rank == 0) {
    std::vector<T> row(y.size());
    gemm_row(s, alpha, a.data(), b.data(), beta, has_addend ? addend.data() : nullptr, activation, row.data());
    REQUIRE(row == y);  // the same bits: the compiler may choose either
  }
}

}  // namespace

TEST_CASE("gemm and gemm_grad equal their definition on random shapes") {
  Random random(1);
  for (int i = 0; i < 400; ++i) {
    const Case c = random_case(random);
    CAPTURE(i, c.s.m, c.s.n, c.s.k, c.s.a_row, c.s.a_column, c.s.b_row, c.s.b_column, c.s.c_row, c.s.c_column,
            c.s.batch_rank);
    check<double>(c, random, double_tolerance);
    check<float>(c, random, float_tolerance);
  }
}

TEST_CASE("an outer product updates weights at once by SGD") {
  const GemmShape s{7, 9, 1, 1, 1, 9, 1, 0, 0, 0, {}, {}, {}};
  Random random(3);
  const auto a = random.tensor<double>(7), b = random.tensor<double>(9), start = random.tensor<double>(63);
  for (const double decay : {0.0, 0.25}) {
    auto w = start;
    gemm_grad(s, a.data(), b.data(), Sgd<double>{w.data(), 0.5, decay});
    for (int i = 0; i < 63; ++i) {
      // Three roundings of values below 2.
      REQUIRE(w[i] == Approx(start[i] - 0.5 * (a[i / 9] * b[i % 9] + decay * start[i])).margin(1e-15));
    }
  }
}

TEST_CASE("gemm writes over its own addend") {
  const GemmShape s{3, 5, 2, 2, 1, 5, 1, 5, 1, 0, {}, {}, {}};
  Random random(2);
  const auto a = random.tensor<double>(6), b = random.tensor<double>(10);
  auto y = random.tensor<double>(15);
  std::vector<double> expected(15);
  gemm<double>(s, 1.0, a.data(), b.data(), 1.0, y.data(), no_activation<double>(), expected.data());
  gemm<double>(s, 1.0, a.data(), b.data(), 1.0, y.data(), no_activation<double>(), y.data());
  REQUIRE(y == expected);
}

TEST_CASE("an activation keeps NaN and ignores infinite bounds") {
  const Activation<float> relu{0.0F, INFINITY, false};
  REQUIRE(std::isnan(activate(relu, NAN)));
  REQUIRE(activate(relu, INFINITY) == INFINITY);
  REQUIRE(activate(relu, -3.0F) == 0.0F);
  REQUIRE(activate(Activation<float>{-INFINITY, 6.0F, false}, -INFINITY) == -INFINITY);
  REQUIRE(activate(Activation<float>{-INFINITY, 6.0F, false}, 7.0F) == 6.0F);
  REQUIRE(activate(no_activation<float>(), -7.0F) == -7.0F);
}
