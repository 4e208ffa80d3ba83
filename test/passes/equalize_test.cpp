// Cross-layer equalization: which layers are pairs, and what is done to their weights. That results keep their bits: test/codegen/quantize_model_test.
#include "passes/equalize.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

struct TwoLayers : GraphBuilder {
  ValueId x = input("x", {1, 2, 4, 4});
  ValueId first = node("Conv", {x, constant("w", {2, 2, 1, 1}), constant("b", {2})});
};

std::vector<double> weight(const Graph& graph, std::size_t node) { return numbers_of(graph.value(graph.nodes[node].inputs[1])); }

}  // namespace

TEST_CASE("Layers with clamps, pools and a flattening between them are pairs") {
  TwoLayers b;
  const ValueId pooled = b.node("MaxPool", {b.node("Relu", {b.first})}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}, {"strides", std::vector<std::int64_t>{2, 2}}});
  const ValueId flat = b.node("Flatten", {pooled});
  b.output(b.node("Gemm", {flat, b.constant("v", {8, 3})}));
  const std::vector<EqualizedPair> pairs = find_pairs(b.graph);
  REQUIRE(pairs.size() == 1);
  CHECK(pairs[0].first == 0);
  CHECK(pairs[0].second == 4);
  CHECK(pairs[0].between == flat);
  CHECK(pairs[0].block == 4);
}

TEST_CASE("No pair: another function, a second reader, an output, an operand that is no constant") {
  TwoLayers b;
  const ValueId w = b.constant("v", {2, 2, 1, 1});
  SECTION("sigmoid") { b.output(b.node("Conv", {b.node("Sigmoid", {b.first}), w})); }
  SECTION("a clamp at 6") { b.output(b.node("Conv", {b.node("Clip", {b.first}, {{"min", 0.0}, {"max", 6.0}}), w})); }
  SECTION("a second reader") {
    b.output(b.node("Conv", {b.first, w}));
    b.output(b.node("Neg", {b.first}));
  }
  SECTION("an output") {
    b.output(b.node("Conv", {b.first, w}));
    b.output(b.first);
  }
  SECTION("a trained weight") { b.output(b.node("Conv", {b.first, b.parameter("v", {2, 2, 1, 1})})); }
  CHECK(find_pairs(b.graph).empty());
}

TEST_CASE("A channel a hundred times as large as the other is made smaller by a power of two, its weights behind it larger") {
  TwoLayers b;
  b.output(b.node("Conv", {b.first, b.constant("v", {1, 2, 1, 1}, {0.01, 1})}));
  const std::vector<double> before = weight(b.graph, 0), after_it = weight(b.graph, 1);
  REQUIRE(equalize(b.graph, find_pairs(b.graph)[0], {100, 1}));
  const std::vector<double> first = weight(b.graph, 0), second = weight(b.graph, 1);
  const double factor[] = {before[0] / first[0], before[2] / first[2]};
  CHECK(factor[0] > factor[1]);
  for (std::size_t c = 0; c < 2; ++c) {
    CHECK(std::log2(factor[c]) == std::round(std::log2(factor[c])));
    CHECK(first[2 * c] * factor[c] == before[2 * c]);
    CHECK(second[c] == after_it[c] * factor[c]);
    CHECK(numbers_of(b.graph.value(b.graph.nodes[0].inputs[2]))[c] * factor[c] == static_cast<double>(c + 1));
  }
}

TEST_CASE("Channels of the same size stay as they are") {
  TwoLayers b;
  b.output(b.node("Conv", {b.first, b.constant("v", {1, 2, 1, 1}, {1, 1})}));
  const std::vector<double> before = weight(b.graph, 0);
  CHECK_FALSE(equalize(b.graph, find_pairs(b.graph)[0], {1, 1.5}));
  CHECK(weight(b.graph, 0) == before);
}

}  // namespace tinytc
