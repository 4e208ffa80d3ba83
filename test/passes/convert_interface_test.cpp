// --input-type and --output-type.
#include "passes/convert_interface.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

struct Converted : GraphBuilder {
  ValueId scale = constant("scale", {}, {0.5});
  ValueId zero = add_constant(graph, "zero", DType::i8, {}, {3.0});
};

}  // namespace

TEST_CASE("int8 takes the outermost conversions away") {
  Converted b;
  const ValueId x = b.input("x", {1, 4});
  const ValueId y = b.node("Relu", {b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, b.scale, b.zero}), b.scale, b.zero})});
  b.output(b.node("DequantizeLinear", {b.node("QuantizeLinear", {y, b.scale, b.zero}), b.scale, b.zero}));
  const std::string name = b.graph.value(b.graph.outputs[0]).name;
  convert_interface(b.graph, {DType::i8, DType::i8});
  verify(b.graph, "convert_interface");
  CHECK(ops_of(b.graph) == Names{"DequantizeLinear", "Relu", "QuantizeLinear"});
  for (ValueId id : {b.graph.inputs[0], b.graph.outputs[0]}) {
    CHECK(b.graph.type(id).dtype == DType::i8);
    CHECK(b.graph.type(id).quantization == Quantization{{0.5F}, {3}, -1});
  }
  CHECK(b.graph.value(b.graph.outputs[0]).name == name);
  SECTION("and float32 puts them back") {
    convert_interface(b.graph, {DType::f32, DType::f32});
    verify(b.graph, "convert_interface");
    CHECK(ops_of(b.graph) == Names{"QuantizeLinear", "DequantizeLinear", "Relu", "QuantizeLinear", "DequantizeLinear"});
    CHECK(b.graph.type(b.graph.inputs[0]).dtype == DType::f32);
    CHECK(b.graph.value(b.graph.outputs[0]).name == name);
  }
}

TEST_CASE("Conversions may stand beyond what only moves elements") {
  Converted b;
  const ValueId x = b.input("x", {1, 4}, DType::i8);
  const ValueId real = b.node("DequantizeLinear", {b.node("Transpose", {x}, {{"perm", Shape{1, 0}}}), b.scale, b.zero});
  b.output(b.node("Transpose", {b.node("QuantizeLinear", {b.node("Sin", {real}), b.scale, b.zero})}, {{"perm", Shape{1, 0}}}));
  for (Node& node : b.graph.nodes) b.graph.value(node.outputs[0]).type = infer_types(b.graph, node)[0];
  convert_interface(b.graph, {DType::f32, DType::f32});
  verify(b.graph, "convert_interface");
  CHECK(ops_of(b.graph) == Names{"QuantizeLinear", "Transpose", "DequantizeLinear", "Sin", "QuantizeLinear", "Transpose", "DequantizeLinear"});
  CHECK(b.graph.type(b.graph.inputs[0]) == TensorType{DType::f32, {1, 4}});
  CHECK(b.graph.type(b.graph.outputs[0]) == TensorType{DType::f32, {1, 4}});
}

TEST_CASE("uint8 becomes int8 by 128 less") {
  Converted b;
  const ValueId x = b.input("x", {1, 4}), zero = add_constant(b.graph, "unsigned", DType::u8, {}, {130.0});
  const ValueId moved = b.node("Transpose", {x}, {{"perm", Shape{1, 0}}});
  const ValueId real = b.node("DequantizeLinear", {b.node("QuantizeLinear", {moved, b.scale, zero}), b.scale, zero});
  b.output(b.node("DequantizeLinear", {b.node("QuantizeLinear", {b.node("Sin", {real}), b.scale, zero}), b.scale, zero}));
  convert_interface(b.graph, {DType::i8, DType::i8});
  verify(b.graph, "convert_interface");
  CHECK(ops_of(b.graph) == Names{"FlipSign", "DequantizeLinear", "Transpose", "QuantizeLinear", "DequantizeLinear", "Sin", "QuantizeLinear", "FlipSign"});
  for (ValueId id : {b.graph.inputs[0], b.graph.outputs[0]}) {
    CHECK(b.graph.type(id).dtype == DType::i8);
    CHECK(b.graph.type(id).quantization == Quantization{{0.5F}, {2}, -1});
  }
}

TEST_CASE("A refusal says what is in the way") {
  Converted b;
  const ValueId x = b.input("x", {1, 4});
  const ValueId real = b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, b.scale, b.zero}), b.scale, b.zero});
  b.output(b.node("Add", {x, real}));
  CHECK_THROWS_WITH(convert_interface(b.graph, {DType::i8, {}}),
                    Catch::Contains("node 'Add2' (Add, #2) reads it in float32") && Catch::Contains("leave the option out"));
  CHECK_THROWS_WITH(convert_interface(b.graph, {{}, DType::i8}), Catch::Contains("node 'Add2' (Add, #2) computes it in float32"));
  SECTION("int16") {
    Converted wide;
    const ValueId none = add_constant(wide.graph, "none", DType::i16, {}, {0.0});
    wide.output(wide.node("DequantizeLinear", {wide.node("QuantizeLinear", {wide.input("x", {4}), wide.scale, none}), wide.scale, none}));
    CHECK_THROWS_WITH(convert_interface(wide.graph, {DType::i8, {}}), Catch::Contains("stored as i16, not as int8"));
  }
}

TEST_CASE("An input that is an output as well, moved or not, is refused") {
  Converted b;
  const ValueId moved = b.node("Transpose", {b.input("x", {1, 4})}, {{"perm", Shape{1, 0}}});
  b.output(moved);
  b.output(b.node("DequantizeLinear", {b.node("QuantizeLinear", {moved, b.scale, b.zero}), b.scale, b.zero}));
  CHECK_THROWS_WITH(convert_interface(b.graph, {DType::i8, {}}), Catch::Contains("an output as well"));
}

TEST_CASE("Moves that fork and join are followed once") {
  Converted b;
  ValueId x = b.input("x", {1, 4});
  for (int i = 0; i < 60; ++i) x = b.node("Slice", {b.node("Concat", {x, x}, {{"axis", std::int64_t{0}}})}, {{"starts", Shape{0}}, {"ends", Shape{1}}});
  b.output(b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, b.scale, b.zero}), b.scale, b.zero}));
  convert_interface(b.graph, {DType::i8, DType::i8});  // 2^60 ways, in either direction
  CHECK(b.graph.type(b.graph.inputs[0]).dtype == DType::i8);
}

TEST_CASE("What has no scale is refused, with the name") {
  Converted b;
  const ValueId x = b.input("sound", {1, 4});
  b.output(b.node("Relu", {x}));
  CHECK_THROWS_WITH(convert_interface(b.graph, {DType::i8, {}}), Catch::Contains("--input-type int8: input 'sound' is f32, and not computed with as int8"));
  CHECK_THROWS_WITH(convert_interface(b.graph, {{}, DType::i8}), Catch::Contains("--output-type int8"));
  convert_interface(b.graph, {DType::f32, DType::f32});  // as they are
  CHECK(ops_of(b.graph) == Names{"Relu"});
}

}  // namespace tinytc
