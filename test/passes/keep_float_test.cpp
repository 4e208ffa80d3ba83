// Nodes of a quantized model that stay on real numbers, and weights with a zero point.
#include "passes/keep_float.h"

#include <catch2/catch.hpp>

#include "passes/find_float.h"
#include "passes/fuse_quantized.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

struct Stored : GraphBuilder {
  ValueId scale = constant("scale", {}, {0.5});
  ValueId zero = zero_point({}, {3}), none = zero_point({}, {0});

  ValueId zero_point(Shape shape, const std::vector<double>& numbers, DType dtype = DType::i8) { return add_constant(graph, "zero", dtype, std::move(shape), numbers); }
  ValueId through(ValueId x) { return node("DequantizeLinear", {node("QuantizeLinear", {x, scale, none}), scale, none}); }
  /// A weight of small numbers that stay bytes whatever is taken off them.
  ValueId weight(Shape shape, ValueId zeros, DType dtype = DType::i8) {
    const auto count = static_cast<std::size_t>(element_count(shape));
    return node("DequantizeLinear", {add_constant(graph, "w", dtype, std::move(shape), std::vector<double>(count, 7)), scale, zeros});
  }
  std::string refused() {
    try {
      check_weights(graph);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  }
};

}  // namespace

TEST_CASE("An int8 weight with a zero point is refused with its layer, its number and two remedies") {
  Stored b;
  const ValueId x = b.input("x", {1, 4}), image = b.input("image", {1, 4, 5, 5});
  SECTION("of a Gemm") {
    b.output(b.node("Gemm", {b.through(x), b.weight({4, 4}, b.zero)}));
    CHECK(b.refused() == "node 'Gemm3' (Gemm, #3): its int8 weight 'w' has the zero point 3, and int8 layers take symmetric weights, whose zero point is 0\n"
                         "  hint: quantize weights symmetrically (onnxruntime's quantizer: weight_type=QuantType.QInt8, extra_options={\"WeightSymmetric\": True}), "
                         "or compute it in float32: --keep-float 'Gemm3'");
  }
  SECTION("of a MatMul, a Conv and a Gemm, all at once") {
    b.output(b.node("MatMul", {b.through(x), b.weight({4, 2}, b.zero)}));
    b.output(b.node("Conv", {b.through(image), b.weight({2, 4, 1, 1}, b.zero)}));
    b.output(b.node("Gemm", {b.through(x), b.weight({4, 2}, b.zero)}));
    for (const char* name : {"'MatMul3'", "'Conv7'", "'Gemm11'"}) CHECK_THAT(b.refused(), Catch::Contains(name));
    CHECK_THAT(b.refused(), Catch::EndsWith("or compute these 3 in float32: --keep-float 'MatMul3,Conv7,Gemm11'"));
  }
  SECTION("of one channel") {
    const ValueId scales = b.constant("scales", {2}, {0.5, 0.25}), zeros = b.zero_point({2}, {0, -9});
    const ValueId w = b.node("DequantizeLinear", {add_constant(b.graph, "w", DType::i8, {4, 2}, std::vector<double>(8, 7)), scales, zeros}, {{"axis", std::int64_t{1}}});
    b.output(b.node("MatMul", {b.through(x), w}));
    CHECK_THAT(b.refused(), Catch::Contains("has the zero point -9 in channel 1,"));
  }
  SECTION("moved") {
    b.output(b.node("MatMul", {b.through(x), b.node("Transpose", {b.weight({2, 4}, b.zero)})}));
    CHECK_THAT(b.refused(), Catch::Contains("int8 weight 'w'"));
  }
  SECTION("that the model itself stores") {
    b.output(b.node("MatMul", {b.through(x), b.node("DequantizeLinear", {b.node("QuantizeLinear", {b.constant("real", {4, 2}), b.scale, b.zero}), b.scale, b.zero})}));
    CHECK_THAT(b.refused(), Catch::Contains("int8 weight 'real'"));
  }
  SECTION("of a node with a long name, which the remedy has whole") {
    b.output(b.node("Gemm", {b.through(x), b.weight({4, 4}, b.zero)}));
    const std::string name = std::string(200, 'n') + "/Gemm";
    b.graph.nodes.back().location.node = name;
    CHECK_THAT(b.refused(), Catch::EndsWith("--keep-float '" + name + "'"));
  }
  SECTION("of a node without a name") {
    b.output(b.node("Gemm", {b.through(x), b.weight({4, 4}, b.zero)}));
    b.graph.nodes.back().location.node.clear();
    CHECK_THAT(b.refused(), Catch::Contains("or compute it in float32: name the node, then --keep-float NAME"));
  }
}

TEST_CASE("What is not refused: uint8 weights, operands that are no weights, and operators without an int8 form") {
  Stored b;
  const ValueId x = b.input("x", {1, 4});
  SECTION("symmetric") { b.output(b.node("Gemm", {b.through(x), b.weight({4, 4}, b.none)})); }
  SECTION("uint8") { b.output(b.node("Gemm", {b.through(x), b.weight({4, 4}, b.zero_point({}, {128}, DType::u8), DType::u8)})); }
  SECTION("not known") {
    const ValueId y = b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, b.scale, b.zero}), b.scale, b.zero});
    b.output(b.node("MatMul", {y, b.node("Transpose", {y})}));
  }
  SECTION("on the left") { b.output(b.node("MatMul", {b.weight({4, 1}, b.zero), b.through(x)})); }
  SECTION("one for each of a batch") { b.output(b.node("MatMul", {b.through(x), b.weight({3, 4, 2}, b.zero)})); }
  SECTION("of a ConvTranspose, which has no int8 form") { b.output(b.node("ConvTranspose", {b.through(b.input("image", {1, 4, 5, 5})), b.weight({4, 2, 1, 1}, b.zero)})); }
  SECTION("known itself") { b.output(b.node("Add", {b.through(x), b.node("MatMul", {b.constant("one", {1, 4}), b.weight({4, 4}, b.zero)})})); }
  SECTION("of a layer that --keep-float names") {
    b.output(b.node("Gemm", {b.through(x), b.weight({4, 4}, b.zero)}));
    keep_float(b.graph, {"Gemm*"});
  }
  CHECK(b.refused().empty());
}

TEST_CASE("keep_float leaves layers, functions and moves of a quantized model on real numbers") {
  Stored b;
  const ValueId x = b.input("x", {2, 2});
  const ValueId product = b.through(b.node("Relu", {b.node("MatMul", {b.through(x), b.weight({2, 2}, b.none)})}));
  b.output(b.through(b.node("Transpose", {b.through(b.node("Sin", {product}))})));
  const auto kept = [&](const std::vector<std::string>& patterns) {
    keep_float(b.graph, patterns);
    fuse_quantized(b.graph);
    Names real;
    for (const FloatNode& node : find_float(b.graph)) real.push_back(node.location.op + " because " + node.reason);
    return real;
  };
  const std::string reason = " because --keep-float names it";
  SECTION("none") { CHECK(kept({}).empty()); }
  SECTION("a layer; the clamp behind it has no stored operand then") {
    CHECK(kept({"MatMul*"}) == Names{"MatMul" + reason, "Relu because an operand of it is computed in float32"});
  }
  SECTION("a function") { CHECK(kept({"Sin*"}) == Names{"Sin" + reason}); }
  SECTION("a move") {
    kept({"Transpose*"});
    for (const Node& node : b.graph.nodes)
      if (node.op->name == "Transpose") CHECK(b.graph.type(node.outputs[0]).dtype == DType::f32);
  }
}

TEST_CASE("keep_float refuses names that nothing has, or conversions and products of integers only, and models that are not quantized") {
  Stored b;
  const ValueId x = b.input("x", {2, 2});
  b.output(b.node("Sin", {b.through(x)}));
  CHECK_THROWS_WITH(keep_float(b.graph, {"Sin*", "Cos*"}), Catch::Contains("--keep-float Cos*: no node has such a name"));
  CHECK_THROWS_WITH(keep_float(b.graph, {"*Linear*"}), Catch::Contains("no node has such a name"));
  b.output(b.node("MatMulInteger", {b.input("a", {2, 2}, DType::u8), b.input("b", {2, 2}, DType::i8)}));
  CHECK_THROWS_WITH(keep_float(b.graph, {"MatMulInteger*"}), Catch::Contains("no node has such a name, conversions and products of integers left aside"));
  GraphBuilder real;
  real.output(real.node("Sin", {real.input("x", {2})}));
  CHECK_THROWS_WITH(keep_float(real.graph, {"*"}), Catch::Contains("the model is not quantized"));
  keep_float(real.graph, {});
}

}  // namespace tinytc
