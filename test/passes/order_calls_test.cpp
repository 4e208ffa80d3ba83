// The order of kernel calls: what must stay in order does.
#include "passes/order_calls.h"

#include <catch2/catch.hpp>

#include "compiler/lower.h"
#include "passes/add_update.h"
#include "passes/choose_layout.h"
#include "passes/plan_memory.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

Program ordered(Graph graph, std::int64_t effort) {
  choose_layout(graph);
  Program program;
  lower(graph, Entry::run, program);
  order_calls(program, effort);
  plan_memory(program, effort);
  return program;
}

std::size_t position(const Program& program, const std::string& node) {
  const std::vector<KernelCall>& calls = program.calls.at(Entry::run);
  for (std::size_t k = 0; k < calls.size(); ++k)
    if (calls[k].location.node == node) return k;
  FAIL("no call of " << node);
  return 0;
}

}  // namespace

TEST_CASE("a piece of a Concat may be read before the next piece is written") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 8});
  ValueId grown =
      b.node("Sigmoid", {x});  // as DenseNet: each layer reads all before it and is appended to them
  for (int layer = 0; layer < 3; ++layer)
    grown = b.node("Concat", {grown, b.node("Tanh", {grown})}, {{"axis", std::int64_t{1}}});
  b.output(grown);
  const Program program = ordered(b.graph, 1000);
  CHECK(position(program, "Sigmoid0") < position(program, "Tanh1"));
  CHECK(position(program, "Tanh1") < position(program, "Tanh3"));
  CHECK(program.calls.at(Entry::run).size() == 4);  // no copy
}

TEST_CASE("updates run behind every reader of the old value, and behind the loss") {
  GraphBuilder b;
  const ValueId w = b.parameter("w", {4, 4});
  const ValueId hidden = b.node("Tanh", {b.node("MatMul", {b.input("x", {1, 4}), w})});
  b.graph.loss = b.node("ReduceSumSquare", {b.node("MatMul", {hidden, w})}, {{"keepdims", std::int64_t{0}}});
  add_update(b.graph, add_backward(b.graph), {});
  const Program program = ordered(b.graph, 1000);
  CHECK(program.calls.at(Entry::run).back().kernel == "apply_sink");
}

TEST_CASE("thousands of writers of one buffer take linear room") {
  GraphBuilder b;
  const ValueId x = b.input("x", {4});
  std::vector<ValueId> pieces;
  for (int i = 0; i < 5000; ++i) pieces.push_back(b.node("Neg", {x}));
  b.output(b.node("Concat", pieces, {{"axis", std::int64_t{0}}}));
  CHECK(ordered(b.graph, 0).arena_bytes >= 5000 * 16);
}

}  // namespace tinytc
