// Each invariant of a Graph, broken once.
#include "compiler/verify.h"

#include <catch2/catch.hpp>

#include "passes/add_update.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

GraphBuilder sound() {
  GraphBuilder b;
  const ValueId y = b.node("MatMul", {b.input("x", {2, 3}), b.parameter("w", {3, 4})});
  b.output(b.node("Relu", {y}));
  b.graph.loss = b.node("ReduceSumSquare", {b.graph.outputs[0]}, {{"keepdims", std::int64_t{0}}});
  return b;
}

void check_message(const Graph& graph, const std::string& message) {
  CHECK_THROWS_AS(verify(graph, "stage"), InternalError);
  CHECK_THROWS_WITH(verify(graph, "stage"), Catch::Contains("after stage") && Catch::Contains(message));
}

}  // namespace

TEST_CASE("a sound graph passes, before and after its updates") {
  GraphBuilder b = sound();
  CHECK_NOTHROW(verify(b.graph, "stage"));
  add_update(b.graph, add_backward(b.graph), {});
  CHECK_NOTHROW(verify(b.graph, "stage"));
}

TEST_CASE("every broken invariant is found") {
  Graph graph = sound().graph;
  SECTION("id") {
    graph.nodes[1].inputs[0] = 99;
    check_message(graph, "out of range");
  }
  SECTION("order") {
    std::swap(graph.nodes[0], graph.nodes[1]);
    check_message(graph, "before it is computed");
  }
  SECTION("computed twice") {
    graph.nodes.push_back(graph.nodes[1]);
    check_message(graph, "exists already");
  }
  SECTION("never computed") {
    graph.nodes.resize(1);
    check_message(graph, "a graph output is not computed");
  }
  SECTION("type") {
    graph.value(graph.outputs[0]).type.shape = {4, 2};
    check_message(graph, "its rule says f32[2,4]");
  }
  SECTION("data of a constant") {
    graph.value(graph.nodes[0].inputs[1]).data.pop_back();
    check_message(graph, "47 bytes of data, not 48");
  }
  SECTION("data of a computed value") {
    graph.value(graph.outputs[0]).data.resize(4);
    check_message(graph, "4 bytes of data, not 0");
  }
  SECTION("role of an input") {
    graph.inputs.push_back(graph.outputs[0]);
    check_message(graph, "neither input nor label");
  }
  SECTION("loss") {
    graph.loss = graph.outputs[0];
    check_message(graph, "not a scalar");
  }
}

TEST_CASE("nothing reads a trained tensor after its update, and only trained tensors are updated") {
  GraphBuilder b = sound();
  add_update(b.graph, add_backward(b.graph), {});
  SECTION("a late reader") {
    b.node("Neg", {b.graph.nodes[0].inputs[1]});
    check_message(b.graph, "after its update");
  }
  SECTION("a constant") {
    Value& w = b.graph.value(b.graph.nodes[0].inputs[1]);
    w.role = Role::constant;
    check_message(b.graph, "neither parameter nor state");
  }
}

}  // namespace tinytc
