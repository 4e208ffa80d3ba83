// Pairs of conversions for each reader of a tensor.
#include "passes/merge_conversions.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "passes/fuse_quantized.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

struct Stored : GraphBuilder {
  ValueId scale = constant("scale", {}, {0.5}), other_scale = constant("other", {}, {0.25});
  ValueId zero = add_constant(graph, "zero", DType::i8, {}, {3.0}), unsigned_zero = add_constant(graph, "zero", DType::u8, {}, {3.0});

  ValueId through(ValueId x, ValueId by, ValueId at) { return node("DequantizeLinear", {node("QuantizeLinear", {x, by, at}), by, at}); }
  ValueId through(ValueId x) { return through(x, scale, zero); }
  std::size_t quantizations() const {
    const Names ops = ops_of(graph);
    return static_cast<std::size_t>(std::count(ops.begin(), ops.end(), "QuantizeLinear"));
  }
};

}  // namespace

TEST_CASE("A sum whose readers have conversions of their own is stored once, and computed on stored numbers") {
  Stored b;
  const ValueId sum = b.node("Add", {b.through(b.input("x", {4})), b.through(b.input("y", {4}))});
  b.output(b.node("Add", {b.through(sum), b.node("Sin", {b.through(sum)})}));
  merge_conversions(b.graph);
  CHECK(b.quantizations() == 3);
  fuse_quantized(b.graph);
  CHECK_THAT(ops_of(b.graph), Catch::VectorContains(std::string("Int8Sum")));
}

TEST_CASE("Conversions that differ in scale, zero point or type stay, and so do outputs") {
  Stored b;
  const ValueId x = b.input("x", {4});
  const auto use = [&](ValueId y) { b.output(b.node("Sin", {y})); };
  use(b.through(x));
  use(b.through(x, b.other_scale, b.zero));
  use(b.through(x, b.scale, b.unsigned_zero));
  use(b.through(x));
  b.output(b.node("QuantizeLinear", {x, b.scale, b.zero}));
  merge_conversions(b.graph);
  CHECK(b.quantizations() == 4);
  CHECK(b.graph.outputs.size() == 5);
}

}  // namespace tinytc
