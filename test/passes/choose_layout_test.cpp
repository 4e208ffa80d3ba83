// Where Transposes end up. That results stay is tested on random graphs
// (test/codegen/passes_random_test.cpp).
#include "passes/choose_layout.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

Names laid_out(Graph& graph) {
  choose_layout(graph);
  verify(graph, "layout");
  return ops_of(graph);
}

}  // namespace

TEST_CASE("between convolutions no Transpose is left, around them one each") {
  GraphBuilder b;
  const ValueId w = b.constant("w", {2, 2, 3, 3});
  const Attributes same{{"auto_pad", std::string("SAME_UPPER")}};
  const ValueId x = b.node("Conv", {b.input("x", {1, 2, 6, 5}), w}, same);
  const ValueId y = b.node("Mul", {b.node("Relu", {x}), b.constant("scale", {2, 1, 1})});
  const ValueId z = b.node("Concat", {b.node("Conv", {y, w}, same), x}, {{"axis", std::int64_t{1}}});
  b.output(b.node("Softmax", {z}, {{"axis", std::int64_t{-3}}}));
  CHECK(laid_out(b.graph) ==
        Names{"Transpose", "Conv", "Relu", "Mul", "Conv", "Concat", "Softmax", "Transpose"});
  CHECK(b.graph.nodes[5].attributes.get_int("axis", 9) == 3);
  CHECK(b.graph.nodes[6].attributes.get_int("axis", 9) == 3);
  CHECK(describe(b.graph.type(b.graph.outputs[0])) == "f32[1,4,6,5]");
}

TEST_CASE("a convolution's input that both layouts need is transposed once") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 6}), w = b.constant("w", {2, 2, 1});
  const ValueId y = b.node("Conv", {x, w}), z = b.node("Conv", {x, w});
  b.output(b.node("Reshape", {y}, {{"shape", Shape{12}}}));
  b.output(b.node("Add", {y, z}));
  CHECK(laid_out(b.graph) == Names{"Transpose", "Conv", "Transpose", "Conv", "Reshape", "Add", "Transpose"});
}

TEST_CASE("what measures a tensor takes it in any layout") {
  GraphBuilder b;
  const ValueId x = b.node("Conv", {b.input("x", {1, 2, 6}), b.constant("w", {2, 2, 1})});
  const ValueId stored = b.node("DynamicQuantizeLinear", {x}, {}, 3);
  const ValueId scale = b.graph.nodes.back().outputs[1], zero = b.graph.nodes.back().outputs[2];
  b.output(b.node("ConvInteger", {stored, b.input("k", {3, 2, 1}, DType::i8), zero}));
  b.output(scale);
  CHECK(laid_out(b.graph) == Names{"Transpose", "Conv", "DynamicQuantizeLinear", "ConvInteger", "Transpose"});
}

TEST_CASE("trained operands keep their layout; a copy is transposed") {
  GraphBuilder b;
  const ValueId p = b.parameter("p", {1, 2, 6});
  b.output(b.node("Add", {b.node("Conv", {b.input("x", {1, 2, 6}), b.constant("w", {2, 2, 1})}), p}));
  laid_out(b.graph);
  CHECK(b.graph.value(p).role == Role::parameter);
  CHECK(b.graph.shape(p) == Shape{1, 2, 6});
}

TEST_CASE("an output whose Transposes cancel keeps its name") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  const ValueId y =
      b.node("Transpose", {b.node("Transpose", {b.node("Relu", {x})}, {{"perm", Shape{1, 0}}})}, {});
  b.graph.value(y).name = "y";
  b.output(y);
  SECTION("an inner value takes it") {
    CHECK(laid_out(b.graph) == Names{"Relu"});
    CHECK(b.graph.value(b.graph.outputs[0]).name == "y");
  }
  SECTION("another output does not") {
    b.output(b.graph.nodes[0].outputs[0]);
    CHECK(laid_out(b.graph) == Names{"Relu"});
    CHECK(b.graph.outputs[0] == b.graph.outputs[1]);
    CHECK(b.graph.value(b.graph.outputs[0]).name == "Relu0");
  }
  SECTION("nor an input") {
    b.output(b.node("Transpose", {b.node("Transpose", {x})}));
    laid_out(b.graph);
    CHECK(b.graph.value(b.graph.outputs[1]).name == "x");
  }
}

}  // namespace tinytc
