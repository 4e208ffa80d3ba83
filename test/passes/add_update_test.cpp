// Updates: which are fused into the gradient's kernel, and that no update comes before a reader of the old
// value.
#include "passes/add_update.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "passes/remove_dead.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

/// The sum of squares of `y` as the loss, its backward pass and SGD updates.
Graph trained(GraphBuilder b, ValueId y) {
  b.graph.loss = b.node("ReduceSumSquare", {y}, {{"keepdims", std::int64_t{0}}});
  add_update(b.graph, add_backward(b.graph), {});
  remove_dead(b.graph);
  verify(b.graph, "update");
  return b.graph;
}

bool is_fused(const Graph& graph, const std::string& op_name) {
  for (const Node& node : graph.nodes)
    if (node.op->name == op_name && node.attributes.has(fused_update)) return true;
  return false;
}

}  // namespace

TEST_CASE("an update is fused into the kernel that computes its gradient") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  const Graph graph = trained(b, b.node("MatMul", {x, b.parameter("w", {3, 4})}));
  CHECK(is_fused(graph, "MatrixProductGrad"));
  CHECK_THAT(ops_of(graph), !Catch::VectorContains(std::string("Sgd")));
}

TEST_CASE("the gradient of tied weights is summed before its update") {
  GraphBuilder b;
  const ValueId w = b.parameter("w", {3, 3});
  const Graph graph =
      trained(b, b.node("MatMul", {b.node("Relu", {b.node("MatMul", {b.input("x", {2, 3}), w})}), w}));
  CHECK(ops_of(graph).back() == "Sgd");
}

TEST_CASE("where two trained tensors are multiplied, each gradient reads the other's old value") {
  GraphBuilder b;
  ValueId left = b.parameter("left", {2, 2}), right = b.parameter("right", {2, 2});
  SECTION("directly") {}
  SECTION("through views") {
    left = b.node("Reshape", {left}, {{"shape", Shape{1, 2, 2}}}),
    right = b.node("Squeeze", {b.node("Unsqueeze", {right}, {{"axes", Shape{0}}})});
  }
  const Graph graph = trained(
      b, b.node("MatMul", {b.input("x", {3, 2}), b.node("Squeeze", {b.node("MatMul", {left, right})})}));
  // The only reader of `left` in the backward pass is the gradient of `right`: it must stand before all
  // updates.
  std::size_t last_read = 0, first_update = graph.nodes.size();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!updates_of(graph.nodes[n]).empty())
      first_update = std::min(first_update, n);
    else
      last_read = n;
  }
  CHECK(last_read < first_update);
  CHECK_FALSE(is_fused(graph, "MatrixProductGrad"));
}

TEST_CASE("accumulated sums have names of their own, whatever the parameters are called") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  b.graph.loss = b.node("ReduceSumSquare", {b.node("MatMul", {x, b.parameter("gradient_w", {3, 4})})},
                        {{"keepdims", std::int64_t{0}}});
  add_accumulation(b.graph, add_backward(b.graph));
  verify(b.graph, "accumulation");
  int sums = 0;
  for (const Value& value : b.graph.values) {
    if (value.role == Role::parameter) CHECK_FALSE(is_accumulated(value.name));
    if (value.role == Role::state) CHECK(is_accumulated(value.name));
    sums += value.role == Role::state ? 1 : 0;
  }
  CHECK(sums == 2);  // of the gradient, and the count
  const Graph apply = make_apply_graph(b.graph, {});
  verify(apply, "apply");
  CHECK(ops_of(apply) == Names{"Reciprocal", "ScaleGradient", "Clear", "Clear"});
}

}  // namespace tinytc
