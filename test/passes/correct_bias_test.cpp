// Bias correction: what is measured and what follows from it.
#include "passes/correct_bias.h"

#include <catch2/catch.hpp>

#include "test/compiler/graph_builder.h"

namespace tinytc {

TEST_CASE("Means are those of the channels, wherever they lie") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 1, 2, 2}), rows = b.input("rows", {3, 1});
  b.node("Conv", {x, b.constant("w", {2, 1, 1, 1})});
  b.node("MatMul", {rows, b.constant("v", {1, 2})});
  const std::vector<float> image{1, 2, 3, 6, -1, -1, -1, -1}, matrix{1, 10, 2, 20, 6, 60};
  CHECK(channel_means(b.graph, b.graph.nodes[0], image) == std::vector<double>{3, -1});
  CHECK(channel_means(b.graph, b.graph.nodes[1], matrix) == std::vector<double>{3, 30});
}

TEST_CASE("A shift counts as far as chance does not explain it") {
  CHECK(significant_shift({{2.0}, {2.0}, {2.0}})[0] == 2);
  CHECK(significant_shift({{1.0}, {-1.0}})[0] == 0);
  CHECK(significant_shift({{5.0}})[0] == 0);
  CHECK(significant_shift({{3.0}, {-1.0}})[0] == 0);  // mean 1, standard error 2
  // Mean 4, standard error 1: a sixteenth is taken off.
  CHECK(significant_shift({{3.0, 0}, {5.0, 0}})[0] == Approx(4 * (1 - 1.0 / 16)));
}

TEST_CASE("A layer without a bias gets one, one number becomes one for each channel") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2});
  b.node("Gemm", {x, b.constant("w", {2, 3})});
  b.node("Gemm", {x, b.constant("v", {2, 3}), b.constant("c", {1}, {7})});
  CHECK(bias_of(b.graph, b.graph.nodes[0]) == std::vector<double>{0, 0, 0});
  CHECK(bias_of(b.graph, b.graph.nodes[1]) == std::vector<double>{7, 7, 7});
  for (std::size_t n : {0, 1}) {
    set_bias(b.graph, b.graph.nodes[n], {1, 2, 3});
    CHECK(bias_of(b.graph, b.graph.nodes[n]) == std::vector<double>{1, 2, 3});
  }
}

}  // namespace tinytc
