// The int8 product of two activations on dual multiplications against q_matmul: every bit must agree.
#include "runtime/q_paired_matmul.h"

#include <catch2/catch.hpp>

#include "test/runtime/overlap.h"
#include "test/runtime/q_test.h"

using namespace tinytc;
using namespace tinytc::test;

TEST_CASE("q_paired_matmul equals q_matmul bit for bit, with columns of either order and broadcast batches") {
  Random random(13);
  for (int i = 0; i < 600; ++i) {
    // One in four has so many columns, or such long ones, that not all of them fit the scratch at once.
    const bool large = random.integer(0, 3) == 0;
    const int m = random.integer(1, 5), n = random.integer(1, large ? 40 : 9),
              k = random.integer(1, large ? 300 : 40);
    const bool transposed = random.integer(0, 1) != 0, shared = random.integer(0, 1) != 0;
    const int a_zero = random.integer(0, 2) == 0 ? 0 : random.integer(-128, 127);
    const int b_zero = random.integer(0, 2) == 0 ? 0 : random.integer(-128, 127);
    const QMatmulShape s{m,      n,      k, k,   1,       transposed ? 1 : n,  transposed ? k : 1,
                         a_zero, b_zero, 1, {2}, {m * k}, {shared ? 0 : n * k}};
    CAPTURE(i, m, n, k, transposed, shared, a_zero, b_zero);
    const auto a = random_int8(random, 2 * m * k), b = random_int8(random, 2 * n * k);
    const Scales scales(random, 1, 0.0005 * random.integer(1, 5), random.integer(0, 1));
    const QOutput out = random_output(random);
    std::vector<std::int8_t> expected(static_cast<std::size_t>(2 * m * n)), y(expected.size());
    q_matmul(s, a.data(), b.data(), nullptr, scales.view(), false, out, expected.data());
    const auto words = static_cast<std::size_t>(q_paired_matmul_scratch(s));
    std::vector<std::uint32_t> scratch(words + 1, 0xDEADBEEFU);
    REQUIRE(q_paired_matmul_serves(s));
    q_paired_matmul(s, a.data(), b.data(), scales.view(), out, y.data(), scratch.data());
    REQUIRE(y == expected);
    REQUIRE(scratch[words] == 0xDEADBEEFU);
  }
}
