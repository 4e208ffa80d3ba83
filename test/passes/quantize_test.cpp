// Which tensors become int8, and what stands in the graph then.
#include "passes/quantize.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compiler/quantization.h"
#include "compiler/verify.h"
#include "passes/fuse_quantized.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

/// All computed values and inputs have the range [-1, 3], but for those given.
Graph quantized(const Graph& graph, Ranges ranges = {}, const std::vector<std::string>& keep_float = {}) {
  for (std::size_t i = 0; i < graph.values.size(); ++i) ranges.emplace(static_cast<ValueId>(i), Range{-1, 3});
  Graph result = graph;
  insert_quantization(result, plan_quantization(graph, ranges, {keep_float, {}}), ranges);
  verify(result, "quantize");
  return result;
}

Graph fused(Graph graph) {
  fuse_quantized(graph);
  return graph;
}

ValueId conv(GraphBuilder& b, ValueId x, std::int64_t outputs, const std::string& name) {
  return b.node("Conv", {x, b.constant(name + "_w", {outputs, b.graph.shape(x)[1], 1, 1}), b.constant(name + "_b", {outputs})});
}

const Node& only(const Graph& graph, const std::string& op_name) {
  const Node* found = nullptr;
  for (const Node& node : graph.nodes) {
    if (node.op->name != op_name) continue;
    REQUIRE(found == nullptr);
    found = &node;
  }
  REQUIRE(found != nullptr);
  return *found;
}

}  // namespace

TEST_CASE("A layer gets conversions around it and its clamp") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 3, 3});
  b.output(b.node("Relu", {conv(b, x, 3, "c")}));
  const Graph graph = quantized(b.graph);
  CHECK(ops_of(graph) == Names{"QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv", "Relu", "QuantizeLinear", "DequantizeLinear"});
  CHECK(graph.value(graph.outputs[0]).name == "Relu1");
  CHECK(graph.type(graph.outputs[0]).dtype == DType::f32);
  CHECK(ops_of(fused(graph)) == Names{"QuantizeLinear", "Int8Conv", "DequantizeLinear"});
}

TEST_CASE("Weights are symmetric per output channel, biases at the scale of the sum") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2});
  // One channel of ordinary weights, one of zeros, one whose bias would not fit 32 bits at the scale of its tiny weights.
  const ValueId w = b.constant("w", {3, 2}, {1, -2, 0, 0, 1e-12, 1e-13}), bias = b.constant("b", {3}, {0.5, 0, 100});
  b.output(b.node("Gemm", {x, w, bias}, {{"transB", std::int64_t{1}}}));
  const Graph graph = quantized(b.graph, {{x, {0, 255}}});
  const Node& gemm = only(graph, "Gemm");
  const std::vector<int> producer = producers(graph);
  const auto source = [&](std::size_t i) { return graph.nodes[static_cast<std::size_t>(producer[static_cast<std::size_t>(gemm.inputs[i])])]; };
  const Quantization of_weight = quantization_of(graph, source(1)), of_bias = quantization_of(graph, source(2));
  const std::vector<double> stored = numbers_of(graph.value(source(1).inputs[0])), stored_bias = numbers_of(graph.value(source(2).inputs[0]));
  CHECK(graph.type(source(1).inputs[0]).dtype == DType::i8);
  CHECK(graph.type(source(2).inputs[0]).dtype == DType::i32);
  CHECK(of_weight.axis == 0);
  CHECK(of_weight.scales[0] == Approx(2.0 / 127));
  CHECK(of_weight.zero_points == std::vector<std::int32_t>(3, 0));
  CHECK(std::vector<double>(stored.begin(), stored.begin() + 4) == std::vector<double>{64, -127, 0, 0});
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(of_bias.scales[c] == Approx(of_weight.scales[c]));  // x has scale 1
    const double wanted[] = {0.5, 0, 100};
    CHECK(stored_bias[c] * double{of_bias.scales[c]} == Approx(wanted[c]).margin(double{of_bias.scales[c]} / 2));
    CHECK(std::abs(stored_bias[c]) <= (1 << 30) + 64);  // single precision of the scale
  }
  CHECK(ops_of(fused(graph)) == Names{"QuantizeLinear", "Int8Dense", "DequantizeLinear"});
}

TEST_CASE("Moves keep the scale; a clamp behind a pooling still belongs to the layer") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 3, 2});
  const ValueId first = b.node("Transpose", {x}, {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}});
  const ValueId pooled = b.node("MaxPool", {conv(b, first, 3, "c")}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  b.output(b.node("Flatten", {b.node("Relu", {pooled})}));
  const Graph graph = fused(quantized(b.graph));
  CHECK(ops_of(graph) == Names{"QuantizeLinear", "Transpose", "Int8Conv", "MaxPool", "Flatten", "DequantizeLinear"});
}

TEST_CASE("Operands of a Concat share its scale unless somebody else reads them") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 3, 3});
  const ValueId first = conv(b, x, 2, "a"), second = conv(b, x, 2, "b");
  const ValueId joined = b.node("Concat", {first, second}, {{"axis", std::int64_t{1}}});
  b.output(conv(b, joined, 2, "c"));
  SECTION("shared") {
    const Graph graph = fused(quantized(b.graph, {{first, {0, 1}}, {second, {-2, 0}}}));
    CHECK(ops_of(graph) == Names{"QuantizeLinear", "Int8Conv", "Int8Conv", "Concat", "Int8Conv", "DequantizeLinear"});
    CHECK(graph.type(only(graph, "Concat").outputs[0]).quantization == quantization_for({-2, 3}));
  }
  SECTION("converted") {
    b.output(conv(b, second, 1, "d"));
    const Graph graph = fused(quantized(b.graph, {{first, {0, 1}}, {second, {-2, 0}}}));
    const Names names = ops_of(graph);
    CHECK(std::count(names.begin(), names.end(), "Int8Table") == 1);
    CHECK(std::count(names.begin(), names.end(), "Concat") == 1);
    CHECK(std::count(names.begin(), names.end(), "Conv") == 0);
    CHECK(graph.type(only(graph, "Concat").outputs[0]).quantization == quantization_for({-1, 3}));
  }
}

TEST_CASE("Operands of a Concat share the scale of its result behind moves, not behind a clamp") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 3, 3});
  const ValueId first = conv(b, x, 2, "a"), second = conv(b, x, 2, "b");
  const ValueId joined = b.node("Concat", {first, second}, {{"axis", std::int64_t{1}}}), flat = b.node("Flatten", {joined});
  const auto finish = [&](ValueId end) {
    b.output(b.node("Gemm", {end, b.constant("w", {36, 3})}));
    return fused(quantized(b.graph, {{first, {0, 1}}, {second, {-2, 0}}, {joined, {-2, 1}}, {flat, {-2, 1}}, {end, {-2, 5}}}));
  };
  SECTION("moves") {
    const Graph graph = finish(b.node("Transpose", {flat}, {{"perm", std::vector<std::int64_t>{0, 1}}}));
    CHECK(ops_of(graph) == Names{"QuantizeLinear", "Int8Conv", "Int8Conv", "Concat", "Flatten", "Transpose", "Int8Dense", "DequantizeLinear"});
    CHECK(graph.type(only(graph, "Concat").outputs[0]).quantization == quantization_for({-2, 5}));
  }
  SECTION("a clamp") {
    const Graph graph = finish(b.node("Relu", {flat}));
    CHECK(ops_of(graph) == Names{"QuantizeLinear", "Int8Conv", "Int8Conv", "Concat", "Flatten", "DequantizeLinear", "Relu", "QuantizeLinear", "Int8Table",
                                 "Int8Dense", "DequantizeLinear"});  // the table's own operators are folded later
    CHECK(graph.type(only(graph, "Concat").outputs[0]).quantization == quantization_for({-2, 1}));
  }
}

TEST_CASE("A chain of functions is stored at its end only") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 3, 3});
  const ValueId y = conv(b, x, 2, "a");
  const ValueId swish = b.node("Mul", {y, b.node("Sigmoid", {b.node("Mul", {y, b.constant("beta", {}, {1.5})})})});
  b.output(conv(b, swish, 2, "b"));
  const Graph graph = quantized(b.graph);
  const Names names = ops_of(graph);
  CHECK(std::count(names.begin(), names.end(), "QuantizeLinear") == 4);  // x, the first layer's result, the chain's, the second layer's
  const Names after = ops_of(fused(graph));
  CHECK(std::count(after.begin(), after.end(), "Int8Table") == 1);
  CHECK(std::count(after.begin(), after.end(), "Int8Product") == 0);
}

TEST_CASE("A value inside a chain that another operator needs is stored, and the chain goes on from it") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 3, 3});
  const ValueId y = conv(b, x, 2, "a"), gate = b.node("Sigmoid", {y});
  b.output(conv(b, gate, 2, "b"));
  b.output(b.node("Tanh", {gate}));
  b.output(b.node("Mul", {y, gate}));
  const Names names = ops_of(fused(quantized(b.graph)));
  CHECK(std::count(names.begin(), names.end(), "Int8Table") == 2);
  CHECK(std::count(names.begin(), names.end(), "Int8Product") == 1);
  CHECK(std::count(names.begin(), names.end(), "Mul") == 0);
}

TEST_CASE("What has no int8 form stays real, and only that") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  const ValueId y = conv(b, x, 2, "a");
  const ValueId slope = b.constant("slope", {2, 1, 1});
  b.output(conv(b, b.node("PRelu", {y, slope}), 2, "b"));
  const Graph graph = fused(quantized(b.graph));
  CHECK(ops_of(graph) == Names{"QuantizeLinear", "Int8Conv", "DequantizeLinear", "PRelu", "QuantizeLinear", "Int8Conv", "DequantizeLinear"});
}

TEST_CASE("A move without a stored form does not take its operator along") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  const ValueId padded = b.node("Pad", {conv(b, x, 2, "a")}, {{"pads", std::vector<std::int64_t>{0, 0, 1, 1, 0, 0, 1, 1}}, {"value", 77.0}});
  b.output(conv(b, padded, 2, "b"));
  const Graph graph = fused(quantized(b.graph));
  CHECK(ops_of(graph) == Names{"QuantizeLinear", "Int8Conv", "DequantizeLinear", "Pad", "QuantizeLinear", "Int8Conv", "DequantizeLinear"});
}

TEST_CASE("Nothing is stored between operators on real numbers") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4});
  const ValueId y = b.node("Flatten", {b.node("Sigmoid", {x})});
  b.output(y);
  b.output(b.node("LogSoftmax", {y}));
  CHECK(ops_of(quantized(b.graph)) == Names{"Sigmoid", "Flatten", "LogSoftmax"});
}

TEST_CASE("keep-float takes names and patterns") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  b.output(conv(b, b.node("Relu", {conv(b, x, 2, "a")}), 2, "b"));
  const Graph graph = fused(quantized(b.graph, {}, {"Conv2"}));
  CHECK(ops_of(graph) == Names{"QuantizeLinear", "Int8Conv", "DequantizeLinear", "Conv"});
  CHECK(ops_of(quantized(b.graph, {}, {"*"})) == Names{"Conv", "Relu", "Conv"});
  CHECK_THROWS_WITH(quantized(b.graph, {}, {"Conv?", "nothing"}), Catch::Contains("--keep-float nothing: no node has such a name"));
}

TEST_CASE("The probabilities of a Softmax have the range 0 to 1 whatever was seen") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4});
  b.output(b.node("Softmax", {x}));
  const Graph graph = quantized(b.graph);
  CHECK(quantization_of(graph, graph.nodes.back()) == quantization_for({0, 1}));
}

TEST_CASE("An Add of constants behind a layer becomes its bias") {
  GraphBuilder b;
  const ValueId x = b.input("x", {5, 2});
  const ValueId product = b.node("MatMul", {x, b.constant("w", {2, 3})});
  SECTION("for each column") {
    b.output(b.node("Add", {b.constant("b", {1, 3}), product}));
    absorb_biases(b.graph);
    CHECK(ops_of(b.graph) == Names{"MatMul"});
    CHECK(b.graph.shape(b.graph.nodes[0].inputs[2]) == Shape{3});
  }
  SECTION("but not one for each row") {
    b.output(b.node("Add", {product, b.constant("b", {5, 1})}));
    absorb_biases(b.graph);
    CHECK(ops_of(b.graph) == Names{"MatMul", "Add"});
  }
  SECTION("nor when the product is read elsewhere") {
    b.output(b.node("Add", {product, b.constant("b", {3})}));
    b.output(product);
    absorb_biases(b.graph);
    CHECK(ops_of(b.graph) == Names{"MatMul", "Add"});
  }
  SECTION("channels of a convolution lie on axis 1") {
    GraphBuilder c;
    const ValueId image = c.input("x", {1, 2, 3, 3});
    c.output(c.node("Add", {c.node("Conv", {image, c.constant("w", {3, 2, 1, 1})}), c.constant("b", {3, 1, 1})}));
    absorb_biases(c.graph);
    CHECK(ops_of(c.graph) == Names{"Conv"});
  }
}

}  // namespace tinytc
