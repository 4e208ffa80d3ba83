// What fuse_quantized and choose_layout take out of int8 graphs changes no bit: pairs of conversions around what moves elements or
// selects them, conversions to the same scale, and transpositions around channels-last layers.
#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "passes/fuse_quantized.h"
#include "test/codegen/int8_graphs.h"

namespace tinytc {

namespace {

struct Scale {
  double scale;
  int zero_point;
};

ValueId convert(Int8Builder& b, const char* op, ValueId x, Scale scale) {
  return b.node(op, {x, b.stored("scale", DType::f32, {}, {scale.scale}), b.stored("zero", DType::i8, {}, {static_cast<double>(scale.zero_point)})});
}
ValueId quantize(Int8Builder& b, ValueId x, Scale scale) { return convert(b, "QuantizeLinear", x, scale); }
ValueId dequantize(Int8Builder& b, ValueId x, Scale scale) { return convert(b, "DequantizeLinear", x, scale); }

/// All 256 numbers, often, and the same with other neighbours.
std::vector<Tensor> all_bytes(const Graph& graph, int step) {
  Tensor feed(static_cast<std::size_t>(byte_count(graph.type(graph.inputs[0]))));
  for (std::size_t i = 0; i < feed.size(); ++i) feed[i] = static_cast<std::byte>(static_cast<int>(i) * step);
  return {feed};
}

/// Checks that the pass leaves these operators and the results' bits.
void check_fused(const Graph& graph, const Names& left) {
  Graph fused = graph;
  fuse_quantized(fused);
  verify(fused, "fuse_quantized");
  CHECK(ops_of(fused) == left);
  for (const int step : {1, 37, 128}) CHECK(execute(fused, all_bytes(graph, step)) == execute(graph, all_bytes(graph, step)));
}

}  // namespace

TEST_CASE("conversions around what moves or selects elements cancel, bit for bit") {
  for (const Scale s : {Scale{0.1, -3}, Scale{0.0371, 127}, Scale{1, -128}}) {
    Int8Builder b(1);
    ValueId x = dequantize(b, b.bytes("x", {1, 4, 16, 8}), s);
    SECTION("a transposition") {
      b.output(quantize(b, b.node("Transpose", {x}, {{"perm", Shape{0, 3, 1, 2}}}), s));
      check_fused(b.graph, {"Transpose"});
    }
    SECTION("a maximum") {
      b.output(quantize(b, b.node("MaxPool", {x}, {{"kernel_shape", Shape{2, 3}}, {"pads", Shape{1, 1, 0, 1}}}), s));
      check_fused(b.graph, {"MaxPool"});
    }
    SECTION("the extremes of a row") {
      x = b.node("ReduceMax", {x}, {{"axes", Shape{1, 2}}, {"keepdims", std::int64_t{0}}});
      b.output(quantize(b, b.node("ReduceMin", {x}, {{"axes", Shape{1}}}), s));
      check_fused(b.graph, {"ReduceMax", "ReduceMin"});
    }
    SECTION("pairs between moves") {
      x = dequantize(b, quantize(b, b.node("Reshape", {x}, {{"shape", Shape{4, 128}}}), s), s);
      b.output(quantize(b, b.node("Slice", {x}, {{"starts", Shape{1}}, {"ends", Shape{4}}}), s));
      check_fused(b.graph, {"Reshape", "Slice"});
    }
    SECTION("a padding with a number that has a stored form") {
      b.output(quantize(b, b.node("Pad", {x}, {{"pads", Shape{0, 0, 1, 1, 0, 0, 1, 0}}}), s));
      check_fused(b.graph, {"Pad"});
    }
  }
}

TEST_CASE("an output that is an input, or another output, keeps an operator of its own") {
  const Scale s{0.1, -3};
  Int8Builder b(3);
  const ValueId x = dequantize(b, b.bytes("x", {2, 256}), s);
  SECTION("an input") {
    b.output(quantize(b, x, s));
    check_fused(b.graph, {"DequantizeLinear", "QuantizeLinear"});
  }
  SECTION("another output") {
    const ValueId y = b.node("Transpose", {x}, {{"perm", Shape{1, 0}}});
    b.output(quantize(b, y, s)), b.output(quantize(b, y, s));
    check_fused(b.graph, {"Transpose", "DequantizeLinear", "QuantizeLinear"});
  }
}

TEST_CASE("a conversion to the same scale is none, one to another scale a table") {
  const Scale s{0.05, 4};
  Int8Builder b(2);
  const ValueId x = b.node("Transpose", {b.bytes("x", {16, 32})}, {{"perm", Shape{1, 0}}});
  const auto finish = [&](ValueId stored) { b.output(b.node("Reshape", {stored}, {{"shape", Shape{512}}})); };
  SECTION("the same") {
    finish(quantize(b, dequantize(b, x, s), s));
    check_fused(b.graph, {"Transpose", "Reshape"});
  }
  SECTION("another zero point") {
    finish(quantize(b, dequantize(b, x, s), {0.05, 5}));
    Graph fused = b.graph;
    fuse_quantized(fused);
    CHECK_THAT(ops_of(fused), Catch::VectorContains(std::string("Int8Table")));
    CHECK(execute(fused, all_bytes(b.graph, 1)) == execute(b.graph, all_bytes(b.graph, 1)));
  }
}

TEST_CASE("transpositions around int8 layers go, bit for bit") {
  // As a model with channels-last activations has it: every layer between two transpositions.
  for (unsigned seed = 0; seed < 4; ++seed) {
    Int8Builder b(seed);
    const auto inside = [&](ValueId id) { return b.node("Transpose", {id}, {{"perm", Shape{0, 3, 1, 2}}}); };
    const auto outside = [&](ValueId id) { return b.node("Transpose", {id}, {{"perm", Shape{0, 2, 3, 1}}}); };
    const ValueId x = outside(b.conv(inside(b.bytes("x", {1, 7, 9, 3})), 6, 3));
    const ValueId y = outside(b.conv(inside(x), 6, 1));
    b.output(outside(b.node("MaxPool", {inside(b.sum(x, y))}, {{"kernel_shape", Shape{2, 2}}})));
    Graph graph = b.graph;
    choose_layout(graph);
    CHECK(ops_of(graph) == Names{"Int8Conv", "Int8Conv", "Int8Sum", "MaxPool"});
    // The same layers one by one, each result read from its own graph: no transposition can meet another.
    const std::vector<Tensor> feeds = b.feeds();
    std::vector<std::vector<Tensor>> known(b.graph.values.size());
    known[static_cast<std::size_t>(b.graph.inputs[0])] = feeds;
    for (const Node& node : b.graph.nodes) {
      Graph single;
      single.values = b.graph.values;
      std::vector<Tensor> operands;
      for (ValueId id : node.inputs) {
        if (b.graph.value(id).role == Role::constant) continue;
        single.value(id).role = Role::input;
        single.inputs.push_back(id);
        operands.push_back(known[static_cast<std::size_t>(id)][0]);
      }
      single.nodes = {node};
      single.outputs = {node.outputs[0]};
      known[static_cast<std::size_t>(node.outputs[0])] = execute(single, operands);
    }
    CHECK(run_on({}, graph, feeds) == known[static_cast<std::size_t>(b.graph.outputs[0])]);
  }
}

}  // namespace tinytc
