// Numbers of layers that become int8.
#include "passes/fuse_quantized.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>

#include "test/compiler/graph_builder.h"

namespace tinytc {

TEST_CASE("A real bias is rounded so that inputs that stand for 0 give the right result") {
  // The result 28.5 belongs to the sum 3500.15: 3500.1 lies below it, 3500.3 above, and both are nearest to 3500.
  const double unit = 1.0 / 4096, result_scale = unit * 3500.15 / 28.5;
  GraphBuilder b;
  const ValueId scale = b.constant("scale", {}, {1.0 / 64}), y_scale = b.constant("y_scale", {}, {result_scale});
  const ValueId zero = add_constant(b.graph, "zero", DType::i8, {}, {0.0});
  const ValueId x = b.node("DequantizeLinear", {b.node("QuantizeLinear", {b.input("x", {1, 2}), scale, zero}), scale, zero});
  const ValueId weight = b.node("DequantizeLinear", {add_constant(b.graph, "w", DType::i8, {4, 2}, {1, 2, 3, 4, 5, 6, 7, 127}), scale, zero});
  const ValueId bias = b.constant("bias", {4}, {3500.1 * unit, 3500.3 * unit, -3500.3 * unit, 7 * unit});
  const ValueId y = b.node("Gemm", {x, weight, bias}, {{"transB", std::int64_t{1}}});
  b.output(b.node("DequantizeLinear", {b.node("QuantizeLinear", {y, y_scale, zero}), y_scale, zero}));
  fuse_quantized(b.graph);
  const auto layer = std::find_if(b.graph.nodes.begin(), b.graph.nodes.end(), [](const Node& node) { return node.op->name == "Int8Dense"; });
  REQUIRE(layer != b.graph.nodes.end());
  CHECK(numbers_of(b.graph.value(layer->inputs[2])) == std::vector<double>{3500, 3501, -3501, 7});
}

TEST_CASE("A layer whose real bias is beyond all integers stays on real numbers") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double number : {1e20, -1e20, infinity, -infinity, std::numeric_limits<double>::quiet_NaN()}) {
    INFO(number);
    GraphBuilder b;
    const ValueId scale = b.constant("scale", {}, {1.0 / 64}), zero = add_constant(b.graph, "zero", DType::i8, {}, {0.0});
    const auto through = [&](ValueId x) { return b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, scale, zero}), scale, zero}); };
    const ValueId weight = b.node("DequantizeLinear", {add_constant(b.graph, "w", DType::i8, {2, 2}, {1, 2, 3, 4}), scale, zero});
    b.output(through(b.node("Gemm", {through(b.input("x", {1, 2})), weight, b.constant("bias", {2}, {1.0, number})})));
    fuse_quantized(b.graph);
    CHECK_THAT(ops_of(b.graph), Catch::VectorContains(std::string("Gemm")));
  }
}

}  // namespace tinytc
