// What is taken into a kernel and what must not be. That results stay is tested on random graphs, with the
// evaluator (test/codegen/passes_random_test.cpp).
#include "passes/fuse.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

Graph fused(Graph graph) {
  fuse(graph);
  verify(graph, "fuse");
  return graph;
}

}  // namespace

TEST_CASE("a bias, a residual and a clamp go into the kernel before them") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3}), r = b.input("r", {1, 4, 4, 2});
  b.output(b.node("Relu",
                  {b.node("Add", {b.node("MatMul", {x, b.constant("w", {3, 4})}), b.constant("c", {4})})}));
  const ValueId image = b.input("image", {1, 4, 4, 2});
  const ValueId y =
      b.node("Conv", {image, b.constant("k", {2, 2, 1, 1})}, {{"channels_last", std::int64_t{1}}});
  b.output(b.node("Clip", {b.node("Add", {r, y})}, {{"min", 0.0}, {"max", 6.0}}));
  const Graph graph = fused(b.graph);
  CHECK(ops_of(graph) == Names{"MatMul", "Conv"});
  CHECK(graph.nodes[0].inputs.size() == 3);
  CHECK(graph.nodes[0].attributes.get_float("activation_lo", -1) == 0.0);
  CHECK(graph.value(graph.nodes[1].inputs[3]).name == "r");
  CHECK(graph.nodes[1].attributes.get_float("activation_hi", -1) == 6.0);
}

TEST_CASE("a product of integers gives float32 itself where nothing else is read") {
  const std::int64_t f32 = 1, f64 = 11;
  for (const bool single : {true, false}) {
    for (const std::int64_t to : {f32, f64}) {
      GraphBuilder b;
      const ValueId y = b.node("MatMulInteger", {b.input("a", {2, 3}, DType::u8), b.input("b", {3, 4}, DType::i8)});
      b.output(b.node("Cast", {y}, {{"to", to}}));
      if (!single) b.output(y);
      const Graph graph = fused(b.graph);
      CHECK(ops_of(graph) == (single && to == f32 ? Names{"MatMulInteger"} : Names{"MatMulInteger", "Cast"}));
      CHECK(graph.type(graph.outputs[0]).dtype == (to == f32 ? DType::f32 : DType::f64));
    }
  }
}

TEST_CASE("a result that something else sees stays") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  const ValueId y = b.node("MatMul", {x, b.constant("w", {3, 4})});
  b.output(b.node("Relu", {y}));
  SECTION("an output") { b.output(y); }
  SECTION("an operand of another node") { b.output(b.node("Neg", {y})); }
  SECTION("the loss") {
    b.graph.loss = y;
    b.graph.value(y).type.shape = {2, 4};
  }
  fuse(b.graph);
  CHECK_THAT(ops_of(b.graph), Catch::VectorContains(std::string("Relu")));
}

TEST_CASE("beta scales the bias that a Gemm had, not one that it takes in") {
  GraphBuilder b;
  const ValueId y = b.node("Gemm", {b.input("x", {2, 3}), b.constant("w", {3, 4})}, {{"beta", 0.5}});
  b.output(b.node("Add", {y, b.constant("c", {4})}));
  const Graph graph = fused(b.graph);
  REQUIRE(ops_of(graph) == Names{"Gemm"});
  CHECK(graph.nodes[0].attributes.get_float("beta", 1) == 1.0);
}

TEST_CASE("the product with a vector has no columns that a bias could belong to") {
  GraphBuilder b;
  b.output(
      b.node("Add", {b.node("MatMul", {b.input("x", {4, 3}), b.constant("v", {3})}), b.constant("c", {4})}));
  CHECK(ops_of(fused(b.graph)) == Names{"MatMul", "Add"});
}

TEST_CASE("a vector that is not along the channels is no bias") {
  GraphBuilder b;
  const ValueId x = b.input("x", {4, 3}), w = b.constant("w", {3, 4});
  b.output(b.node("Add", {b.node("MatMul", {x, w}), b.constant("rows", {4, 1})}));
  b.output(b.node(
      "Add", {b.node("MatMul", {b.node("Neg", {x}), w}), b.constant("more", {2, 4, 4})}));  // makes it larger
  CHECK(ops_of(fused(b.graph)) == Names{"MatMul", "Add", "Neg", "MatMul", "Add"});
}

TEST_CASE("a second clamp and an addition behind a clamp stay outside") {
  GraphBuilder b;
  const ValueId y = b.node("Relu", {b.node("MatMul", {b.input("x", {2, 3}), b.constant("w", {3, 4})})});
  b.output(b.node("Add", {y, b.constant("c", {4})}));
  CHECK(ops_of(fused(b.graph)) == Names{"MatMul", "Add"});
}

TEST_CASE("a batch norm is folded into the constant weights before it, where channels are columns") {
  const auto ops_after = [](Shape x, Role weight, bool is_output) {
    GraphBuilder b;
    const ValueId y = b.node("MatMul", {b.input("x", std::move(x)), b.constant("w", {3, 4}, {}, weight)});
    std::vector<ValueId> inputs{y};
    for (const char* name : {"scale", "bias", "mean", "variance"}) inputs.push_back(b.constant(name, {4}));
    b.output(b.node("BatchNormalization", inputs));
    if (is_output) b.output(y);
    simplify(b.graph);
    verify(b.graph, "simplify");
    return ops_of(b.graph);
  };
  const std::string norm = "BatchNormalization";
  CHECK_THAT(ops_after({2, 3}, Role::constant, false), !Catch::VectorContains(norm));
  CHECK_THAT(ops_after({2, 3}, Role::parameter, false), Catch::VectorContains(norm));
  CHECK_THAT(ops_after({2, 3}, Role::constant, true), Catch::VectorContains(norm));
  CHECK_THAT(ops_after({2, 4, 3}, Role::constant, false),
             Catch::VectorContains(norm));  // channels are axis 1, columns axis 2
}

TEST_CASE("a ReLU moves behind max pooling, a clamp from above does not") {
  const auto ops_after = [](const std::string& clamp, Attributes attributes) {
    GraphBuilder b;
    const ValueId y = b.node(clamp, {b.input("x", {1, 2, 8})}, std::move(attributes));
    const Attributes window{{"kernel_shape", Shape{2}}, {"strides", Shape{2}}};
    b.output(b.node("MaxPool", {b.node("MaxPool", {y}, window)}, window));
    delay_clamps(b.graph);
    verify(b.graph, "delay");
    return ops_of(b.graph);
  };
  CHECK(ops_after("Relu", {}) == Names{"MaxPool", "MaxPool", "Relu"});
  CHECK(ops_after("Clip", {{"min", 0.0}, {"max", 6.0}}) == Names{"Clip", "MaxPool", "MaxPool"});
}

TEST_CASE("factors that are known to be ones vanish") {
  const auto factors_of = [](std::vector<double> numbers, Role role) {
    GraphBuilder b;
    const ValueId x = b.input("x", {3, 2});
    const ValueId scale = add_constant(b.graph, "scale", DType::f32, {2}, numbers);
    b.graph.value(scale).role = role;
    b.output(b.node("LayerNormalization", {x, scale, b.constant("bias", {2})}));
    simplify(b.graph);
    verify(b.graph, "simplify");
    return b.graph.nodes[0].inputs[1];
  };
  CHECK(factors_of({1, 1}, Role::constant) == no_value);
  CHECK(factors_of({1, 2}, Role::constant) != no_value);
  CHECK(factors_of({1, 1}, Role::parameter) != no_value);
}

}  // namespace tinytc
