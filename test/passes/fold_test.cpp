// What is computed while compiling, what is not, and what becomes of the graph then.
#include "passes/fold.h"

#include <catch2/catch.hpp>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

/// Folds with zeros instead of the true results.
Foldable folded(Graph& graph) {
  Foldable foldable = find_foldable(graph);
  if (foldable.replaced.empty()) return foldable;
  verify(foldable.graph, "foldable");
  std::vector<std::vector<std::byte>> elements;
  for (ValueId id : foldable.replaced)
    elements.emplace_back(static_cast<std::size_t>(byte_count(graph.type(id))));
  apply_folded(graph, foldable.replaced, elements);
  verify(graph, "fold");
  return foldable;
}

}  // namespace

TEST_CASE("a chain of constants becomes one constant") {
  GraphBuilder b;
  const ValueId c = b.node("Exp", {b.node("Neg", {b.constant("c", {3})})});
  b.output(b.node("Add", {b.input("x", {3}), c}));
  CHECK(folded(b.graph).graph.outputs.size() == 1);
  CHECK(ops_of(b.graph) == Names{"Add"});
  CHECK(b.graph.value(b.graph.nodes[0].inputs[1]).role == Role::constant);
  CHECK(folded(b.graph).replaced.empty());  // nothing is left to do
}

TEST_CASE("an output may become a constant, and so may one of two results") {
  GraphBuilder b;
  const ValueId first = b.node("Split", {b.constant("c", {4})}, {{"split", Shape{1, 3}}}, 2);
  b.output(first);
  b.output(first);
  CHECK(folded(b.graph).replaced == std::vector<ValueId>{first});
  CHECK(b.graph.nodes.empty());
  CHECK(b.graph.value(b.graph.outputs[0]).role == Role::constant);
}

TEST_CASE("trained tensors and states, and what is computed from them, stay") {
  GraphBuilder b;
  b.output(b.node("Neg", {b.node("Exp", {b.parameter("p", {3})})}));
  b.output(b.node("Add", {b.constant("c", {3}), b.constant("s", {3}, {}, Role::state)}));
  CHECK(folded(b.graph).replaced.empty());
  CHECK(ops_of(b.graph) == Names{"Exp", "Neg", "Add"});
}

TEST_CASE("flash is not filled with repetitions") {
  const auto is_folded = [](std::int64_t rows) {
    GraphBuilder b;
    b.output(b.node("Expand", {b.constant("c", {1, 4})}, {{"shape", Shape{rows, 4}}}));
    return !folded(b.graph).replaced.empty();
  };
  CHECK(is_folded(64));  // 1,024 bytes
  CHECK_FALSE(is_folded(65));
}

}  // namespace tinytc
