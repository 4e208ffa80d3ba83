// What of a quantized model is left on real numbers.
#include "passes/find_float.h"

#include <catch2/catch.hpp>

#include "passes/fuse_quantized.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

struct Stored : GraphBuilder {
  ValueId scale = constant("scale", {}, {0.5});
  ValueId zero = add_constant(graph, "zero", DType::i8, {}, {3.0});
  ValueId none = add_constant(graph, "none", DType::i8, {}, {0.0});

  ValueId stored(ValueId x) { return node("QuantizeLinear", {x, scale, zero}); }
  ValueId through(ValueId x) { return node("DequantizeLinear", {stored(x), scale, zero}); }
  ValueId weight(ValueId zero_point) {
    const ValueId numbers = add_constant(graph, "w", DType::i8, {4, 4}, std::vector<double>(16, -126.0));
    return node("DequantizeLinear", {numbers, scale, zero_point});
  }
  /// "operator because reason".
  Names found() {
    fuse_quantized(graph);
    Names result;
    for (const FloatNode& node : find_float(graph)) result.push_back(node.location.op + " because " + node.reason);
    return result;
  }
};

}  // namespace

TEST_CASE("Nothing of a model with int8 forms is left in float32") {
  Stored b;
  const ValueId x = b.input("x", {1, 4});
  CHECK_FALSE(is_quantized(b.graph));
  const ValueId y = b.through(b.node("Sin", {b.through(b.node("MatMul", {b.through(x), b.weight(b.none)}))}));
  // A function of one tensor as PyTorch writes softplus.
  b.output(b.through(b.node("Where", {b.node("Greater", {y, b.constant("threshold", {}, {20.0})}), y, b.node("Softplus", {y})})));
  CHECK(is_quantized(b.graph));
  CHECK(b.found().empty());
}

TEST_CASE("A cast to bytes does not make a model a quantized one") {
  Stored b;
  b.output(b.node("Cast", {b.input("x", {1, 4})}, {{"to", std::int64_t{2}}}));
  CHECK_FALSE(is_quantized(b.graph));
}

TEST_CASE("Elementwise operators that fork and join are followed once") {
  Stored b;
  ValueId y = b.node("MatMul", {b.through(b.input("x", {1, 4})), b.weight(b.none)});
  for (int i = 0; i < 60; ++i) y = b.node("Add", {b.node("Sin", {y}), b.node("Cos", {y})});
  b.output(y);
  CHECK(b.found().front() == "MatMul because its result is not quantized");
}

TEST_CASE("What is left in float32 says why") {
  Stored b;
  const ValueId x = b.input("x", {1, 4});
  SECTION("zero points of weights") {
    b.output(b.through(b.node("Gemm", {b.through(x), b.weight(b.zero)})));
    CHECK(b.found() == Names{"Gemm because its weights less their zero point exceed 8 bits"});
  }
  SECTION("an operand") {
    b.output(b.through(b.node("MatMul", {x, b.weight(b.none)})));
    CHECK(b.found() == Names{"MatMul because its operand 'x' is not quantized"});
  }
  SECTION("the result") {
    b.output(b.node("MatMul", {b.through(x), b.weight(b.none)}));
    CHECK(b.found() == Names{"MatMul because its result is not quantized"});
  }
  SECTION("an ONNX node that became several is named once, by its layer") {
    const ValueId y = b.node("MatMul", {b.node("Sin", {x}), b.weight(b.none)});
    b.output(b.node("Relu", {y}));
    for (Node& node : b.graph.nodes) node.location = {"n", node.op->name, 7};
    CHECK(b.found() == Names{"MatMul because an operand of it is computed in float32"});
  }
  SECTION("no form") {
    b.output(b.through(b.node("ReduceSum", {b.through(x)})));
    CHECK(b.found() == Names{"ReduceSum because it has no int8 form"});
  }
}

}  // namespace tinytc
