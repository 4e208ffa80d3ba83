// What is left when nobody needs the rest, and that what is left still refers to the same values.
#include "passes/remove_dead.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

Names names_of(const Graph& graph, const std::vector<ValueId>& ids) {
  Names names;
  for (ValueId id : ids) names.push_back(id == no_value ? "(none)" : graph.value(id).name);
  return names;
}

Names all_values(const Graph& graph) {
  Names names;
  for (const Value& value : graph.values) names.push_back(value.name);
  return names;
}

Graph without_dead(GraphBuilder b) {
  remove_dead(b.graph);
  verify(b.graph, "dead");
  return b.graph;
}

}  // namespace

TEST_CASE("nodes that lead to no output go, with the values that only they name") {
  GraphBuilder b;
  const ValueId unused = b.constant("unused", {2}), x = b.input("x", {2});
  const ValueId dead = b.node("Neg", {b.node("Add", {x, unused})});
  const ValueId live = b.node("Exp", {x});
  b.node("Mul", {dead, live});  // reads what lives, and is not read
  b.output(b.node("Tanh", {live}));
  const Graph graph = without_dead(b);
  CHECK(ops_of(graph) == Names{"Exp", "Tanh"});
  CHECK(all_values(graph) == Names{"x", "Exp2", "Tanh4"});
  CHECK(names_of(graph, graph.nodes[0].inputs) == Names{"x"});
  CHECK(names_of(graph, graph.nodes[1].inputs) == Names{"Exp2"});
  CHECK(names_of(graph, graph.outputs) == Names{"Tanh4"});
}

TEST_CASE("inputs and labels stay, as callers pass them") {
  GraphBuilder b;
  b.input("first", {2});
  b.output(b.node("Neg", {b.input("second", {2})}));
  b.input("label", {1}, DType::i32, Role::label);
  const Graph graph = without_dead(b);
  CHECK(names_of(graph, graph.inputs) == Names{"first", "second", "label"});
}

TEST_CASE("an output that nobody reads leaves its node's list in place") {
  GraphBuilder b;
  const ValueId x = b.input("x", {4});
  b.node("Split", {x}, {{"axis", std::int64_t{0}}, {"split", Shape{2, 2}}}, 2);
  b.output(b.graph.nodes.back().outputs[1]);
  const Graph graph = without_dead(b);
  REQUIRE(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].outputs == std::vector<ValueId>{no_value, graph.outputs[0]});
  CHECK(graph.values.size() == 2);
}

TEST_CASE("the loss and the learning rate are needed without being outputs") {
  GraphBuilder b;
  b.constant("unused", {2});  // its place is taken: ids change
  const ValueId x = b.input("x", {4});
  b.graph.loss = b.node("ReduceSumSquare", {x}, {{"keepdims", std::int64_t{0}}});
  b.graph.learning_rate = add_value(b.graph, {"learning_rate", {DType::f32, {}}, Role::input});
  const Graph graph = without_dead(b);
  CHECK(ops_of(graph) == Names{"ReduceSumSquare"});
  CHECK(graph.loss == graph.nodes[0].outputs[0]);
  CHECK(graph.value(graph.learning_rate).name == "learning_rate");
}

TEST_CASE("updates stay, with what they read and the name of the buffer that they change") {
  GraphBuilder b;
  const ValueId gradient = b.node("Neg", {b.input("x", {4})});
  const ValueId sum = b.constant("sum", {4}, {}, Role::state);
  const ValueId updated = b.node("Accumulate", {gradient, sum});
  b.node("Exp", {updated});  // no update, and nobody reads it
  const Graph graph = without_dead(b);
  CHECK(ops_of(graph) == Names{"Neg", "Accumulate"});
  CHECK(names_of(graph, graph.nodes[1].inputs) == Names{"Neg0", "sum"});
  CHECK(names_of(graph, graph.nodes[1].outputs) == Names{"Accumulate1"});
}

}  // namespace tinytc
