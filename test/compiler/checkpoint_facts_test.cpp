// What tells models and checkpoints apart.
#include "compiler/checkpoint_facts.h"

#include <catch2/catch.hpp>

#include "passes/make_entries.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

Graph model(double slope = 0.1, double frozen = 1, const std::string& name = "w", Shape shape = {3, 4}) {
  GraphBuilder b;
  const ValueId y =
      b.node("LeakyRelu", {b.node("MatMul", {b.input("x", {2, shape[0]}), b.parameter(name, shape)})},
             {{"alpha", slope}});
  b.output(b.node("Mul", {y, b.constant("frozen", {1}, {frozen})}));
  b.graph.loss = b.node("ReduceSumSquare", {b.graph.outputs[0]}, {{"keepdims", std::int64_t{0}}});
  return b.graph;
}

CheckpointFacts facts(const Graph& graph, TrainingOptions training = {}) {
  const auto entries = make_entries(graph, &training);
  std::vector<const Graph*> graphs;
  for (const auto& [entry, entry_graph] : entries) graphs.push_back(&entry_graph);
  return checkpoint_facts(graph, graphs, training.optimizer);
}

TrainingOptions with(const std::string& optimizer, double momentum = 0, bool accumulate = false) {
  TrainingOptions training;
  training.optimizer.kind = optimizer;
  training.optimizer.momentum = momentum;
  training.accumulate = accumulate;
  return training;
}

}  // namespace

TEST_CASE("the hash of a model covers elements and attributes") {
  CHECK(hash_of(model()) == hash_of(model()));
  CHECK(hash_of(model()) != hash_of(model(0.2)));
  CHECK(hash_of(model()) != hash_of(model(0.1, 2)));
}

TEST_CASE("a checkpoint belongs to trained tensors, the optimizer and the frozen weights") {
  const std::uint64_t own = facts(model()).hash;
  CHECK(own == facts(model()).hash);
  CHECK(own != facts(model(0.1, 2)).hash);
  CHECK(own != facts(model(0.1, 1, "v")).hash);
  CHECK(own != facts(model(0.1, 1, "w", {4, 3})).hash);
  CHECK(own != facts(model(), with("adam")).hash);
  CHECK(own != facts(model(), with("sgd", 0.9)).hash);
  CHECK(own == facts(model(), with("sgd", 0, true)).hash);  // sums of gradients are not saved
}

TEST_CASE("a checkpoint holds parameters, then the optimizer's states") {
  CHECK(facts(model()).order == Names{"w"});
  CHECK(facts(model(), with("sgd", 0.9, true)).order == Names{"w", "velocity/w"});
  CHECK(facts(model(), with("adam")).order ==
        Names{"w", "first_moment/w", "optimizer/corrections", "second_moment/w"});
}

}  // namespace tinytc
