// Which nodes the backward pass adds: only on paths from a parameter to the loss, summed where a value has several readers.
#include "passes/add_backward.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

ValueId sum_of_squares(GraphBuilder& b, ValueId y) { return b.node("ReduceSumSquare", {y}, {{"keepdims", std::int64_t{0}}}); }

/// The gradients by name of the parameter, and the nodes that were added.
struct Backward {
  std::map<std::string, ValueId> gradients;
  Names nodes;
  Graph graph;
};

Backward backward(GraphBuilder b, ValueId loss) {
  b.graph.loss = loss;
  const std::size_t forward = b.graph.nodes.size();
  Backward result;
  for (const ParameterGradient& pair : add_backward(b.graph)) result.gradients[b.graph.value(pair.parameter).name] = pair.gradient;
  verify(b.graph, "backward");
  const Names all = ops_of(b.graph);
  result.nodes.assign(all.begin() + static_cast<std::ptrdiff_t>(forward), all.end());
  result.graph = b.graph;
  return result;
}

std::size_t count(const Names& names, const std::string& name) { return static_cast<std::size_t>(std::count(names.begin(), names.end(), name)); }

}  // namespace

TEST_CASE("each parameter gets one gradient of its own type") {
  GraphBuilder b;
  const ValueId y = b.node("Add", {b.node("MatMul", {b.input("x", {2, 3}), b.parameter("w", {3, 4})}), b.parameter("bias", {4})});
  const Backward result = backward(b, sum_of_squares(b, y));
  REQUIRE(result.gradients.size() == 2);
  CHECK(describe(result.graph.type(result.gradients.at("w"))) == "f32[3,4]");
  CHECK(describe(result.graph.type(result.gradients.at("bias"))) == "f32[4]");
}

TEST_CASE("nothing is differentiated that depends on no parameter or that the loss does not need") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3}), w = b.parameter("w", {3, 3});
  const ValueId before = b.node("Tanh", {b.node("MatMul", {x, b.constant("frozen", {3, 3})})});
  const ValueId y = b.node("MatMul", {before, w});
  b.output(b.node("Exp", {y}));  // an output, and no part of the loss
  b.parameter("unused", {2});
  const Backward result = backward(b, sum_of_squares(b, y));
  CHECK(result.gradients.size() == 1);
  CHECK(count(result.nodes, "MatrixProductGrad") == 1);  // of w; neither of what stands before it nor of `frozen`
  for (const char* name : {"TanhGrad", "Exp", "Add"}) CHECK(count(result.nodes, name) == 0);
  const Node& last = result.graph.nodes.back();
  CHECK(last.outputs == std::vector<ValueId>{result.gradients.at("w")});
}

TEST_CASE("a value with several readers gets the sum of what they say, one addition less than readers") {
  GraphBuilder b;
  const ValueId w = b.parameter("w", {4});
  const ValueId y = b.node("Mul", {b.node("Exp", {w}), b.node("Tanh", {w})});
  const Backward result = backward(b, sum_of_squares(b, b.node("Mul", {y, w})));
  CHECK(count(result.nodes, "Add") == 2);
  const Node& last = result.graph.nodes.back();
  CHECK(last.op->name == "Add");
  CHECK(last.outputs[0] == result.gradients.at("w"));
}

TEST_CASE("a value that one node reads twice gets both parts") {
  GraphBuilder b;
  const ValueId w = b.parameter("w", {4});
  const Backward result = backward(b, sum_of_squares(b, b.node("Mul", {w, w})));
  CHECK(count(result.nodes, "Add") == 1);
  CHECK(result.graph.nodes.back().outputs[0] == result.gradients.at("w"));
}

TEST_CASE("gradients start from one, in the loss's shape") {
  GraphBuilder b;
  const ValueId w = b.parameter("w", {1});
  const Backward result = backward(b, w);  // the loss is the parameter
  CHECK(result.nodes.empty());
  CHECK(numbers_of(result.graph.value(result.gradients.at("w"))) == std::vector<double>{1});
  CHECK(result.graph.shape(result.gradients.at("w")) == Shape{1});
}

TEST_CASE("no loss, and a loss that no parameter influences, are refused") {
  GraphBuilder b;
  const ValueId y = b.node("Neg", {b.input("x", {2})});
  b.parameter("w", {2});
  CHECK_THROWS_WITH(add_backward(b.graph), Catch::Contains("training needs a loss"));
  b.graph.loss = sum_of_squares(b, y);
  CHECK_THROWS_WITH(add_backward(b.graph), Catch::Contains("no trained tensor influences the loss"));
}

TEST_CASE("all nodes without a gradient on the way are named, and none beside it") {
  GraphBuilder b;
  const ValueId w = b.parameter("w", {4}), x = b.input("x", {4});
  const ValueId beside = b.node("InverseDeviation", {x});
  const ValueId first = b.node("InverseDeviation", {w}), second = b.node("InverseDeviation", {b.node("Mul", {w, beside})});
  b.graph.loss = sum_of_squares(b, b.node("Add", {first, second}));
  CHECK_THROWS_WITH(add_backward(b.graph), Catch::Contains("'InverseDeviation1'") && Catch::Contains("'InverseDeviation3'") &&
                                               Catch::Contains("has no gradient") && !Catch::Contains("'InverseDeviation0'"));
}

}  // namespace tinytc
