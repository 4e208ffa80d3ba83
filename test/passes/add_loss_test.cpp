// The loss that --loss adds: where it reads, what its label is, what is refused.
#include "passes/add_loss.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

Graph with_loss(GraphBuilder b, ValueId y, const std::string& kind) {
  b.output(y);
  add_loss(b.graph, kind);
  verify(b.graph, "loss");
  return b.graph;
}

const Value& label_of(const Graph& graph) { return graph.value(graph.inputs.back()); }

}  // namespace

TEST_CASE("cross entropy reads what a final softmax reads") {
  GraphBuilder b;
  const ValueId logits = b.node("Neg", {b.input("x", {2, 5})});
  const ValueId y = b.node("Softmax", {logits}, {{"axis", std::int64_t{1}}});
  const Graph graph = with_loss(b, y, "cross-entropy");
  CHECK(graph.nodes.back().op->name == "SoftmaxCrossEntropyLoss");
  CHECK(graph.nodes.back().inputs[0] == logits);
  CHECK(graph.outputs == std::vector<ValueId>{y});
  CHECK(describe(label_of(graph).type) == "i32[2]");
  CHECK(label_of(graph).role == Role::label);
}

TEST_CASE("binary cross entropy reads what a final sigmoid reads; other losses read the output") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 5});
  const ValueId y = b.node("Sigmoid", {x});
  CHECK(with_loss(b, y, "binary-cross-entropy").nodes.back().op->name == "BinaryCrossEntropyWithLogitsLoss");
  const Graph graph = with_loss(b, y, "mse");
  CHECK(graph.nodes.back().inputs[0] == y);
  CHECK(describe(label_of(graph).type) == "f32[2,5]");
}

TEST_CASE("labels of sequences lack the class axis") {
  GraphBuilder b;
  CHECK(describe(label_of(with_loss(b, b.node("Neg", {b.input("x", {2, 5, 7})}), "cross-entropy")).type) ==
        "i32[2,7]");
  GraphBuilder vector;
  CHECK(describe(label_of(with_loss(vector, vector.node("Neg", {vector.input("x", {5})}), "cross-entropy"))
                     .type) == "i32[]");
}

TEST_CASE("a model's own 'label' keeps its name") {
  GraphBuilder b;
  const Graph graph = with_loss(b, b.node("Neg", {b.input("label", {2, 5})}), "mse");
  CHECK(label_of(graph).name != "label");
}

TEST_CASE("a softmax over another axis than the classes is refused") {
  GraphBuilder b;
  const ValueId y = b.node("Softmax", {b.input("x", {2, 5, 7})}, {{"axis", std::int64_t{-1}}});
  CHECK_THROWS_WITH(with_loss(b, y, "cross-entropy"), Catch::Contains("classes are on axis 2, not 1"));
}

TEST_CASE("a second loss, several outputs and unknown kinds are refused") {
  GraphBuilder b;
  const ValueId y = b.node("Neg", {b.input("x", {2, 5})});
  CHECK_THROWS_AS(with_loss(b, y, "hinge"), UsageError);
  Graph graph = with_loss(b, y, "l1");
  CHECK_THROWS_AS(add_loss(graph, "l1"), UserError);
  b.output(y);
  CHECK_THROWS_WITH(with_loss(b, y, "l1"), Catch::Contains("2 outputs"));
}

}  // namespace tinytc
