// Running statistics become states, scale and bias do not, computed statistics stay what they are.
#include "passes/keep_statistics.h"

#include <catch2/catch.hpp>

#include "compiler/op.h"
#include "compiler/verify.h"
#include "passes/make_entries.h"

namespace tinytc {

namespace {

/// x -> BatchNormalization -> Dropout -> sum of squares as the loss; scale and bias are trained.
Graph model_with_norm() {
  Graph graph;
  const ValueId x = add_value(graph, {"x", {DType::f32, {4, 2}}, Role::input});
  graph.inputs = {x};
  std::vector<ValueId> inputs = {x};
  for (const char* name : {"scale", "bias", "mean", "variance"}) {
    inputs.push_back(add_constant(graph, name, DType::f32, {2}, {1, 1}));
    if (inputs.size() < 4) graph.values.back().role = Role::parameter;
  }
  const ValueId y =
      add_node(graph, "BatchNormalization", inputs, 1, {}, {"norm", "BatchNormalization", 0}, "norm").front();
  const ValueId kept = add_node(graph, "Dropout", {y}, 1, {}, {"drop", "Dropout", 1}, "drop").front();
  graph.loss = add_node(graph, "ReduceSumSquare", {kept}, 1, {{"keepdims", std::int64_t{0}}},
                        {"loss", "ReduceSumSquare", 2}, "loss")
                   .front();
  graph.outputs = {kept};
  return graph;
}

Role role_of(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values)
    if (value.name == name) return value.role;
  FAIL("no value " << name);
  return Role::computed;
}

std::vector<std::string> names_of_nodes(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op->name);
  return names;
}

}  // namespace

TEST_CASE("running statistics become states and nothing else does") {
  Graph graph = model_with_norm();
  keep_statistics(graph);
  CHECK(role_of(graph, "mean") == Role::state);
  CHECK(role_of(graph, "variance") == Role::state);
  CHECK(role_of(graph, "scale") == Role::parameter);
  CHECK(role_of(graph, "x") == Role::input);
}

TEST_CASE("nodes that share statistics get states of their own") {
  Graph graph = model_with_norm();
  Node second = graph.nodes[0];
  second.inputs[0] = graph.nodes[0].outputs[0];
  second.outputs[0] = add_value(graph, {"second", {DType::f32, {4, 2}}, Role::computed});
  graph.nodes.insert(graph.nodes.begin() + 1, second);
  keep_statistics(graph);
  for (std::size_t input : {std::size_t{3}, std::size_t{4}}) {
    const Value& one = graph.value(graph.nodes[0].inputs[input]);
    const Value& other = graph.value(graph.nodes[1].inputs[input]);
    CHECK(one.role == Role::state);
    CHECK(other.role == Role::state);
    CHECK(one.name != other.name);
    CHECK(one.data == other.data);
  }
  CHECK(graph.nodes[0].inputs[1] == graph.nodes[1].inputs[1]);
}

TEST_CASE("a training step normalises by its own statistics and drops elements; a prediction does neither") {
  Graph graph = model_with_norm();
  keep_statistics(graph);
  TrainingOptions training;
  training.batch_norm_trains = true;
  const auto entries = make_entries(graph, &training);
  for (const auto& [entry, entry_graph] : entries) verify(entry_graph, "entries");
  CHECK(names_of_nodes(entries.at(Entry::predict)) ==
        std::vector<std::string>{"BatchNormalization", "Dropout"});
  const std::vector<std::string> step = names_of_nodes(entries.at(Entry::train_step));
  for (const char* name :
       {"BatchNormalizationTraining", "RunningStatistics", "NextSeed", "DropoutTraining", "BatchNormalizationScaleGrad"})
    CHECK_THAT(step, Catch::VectorContains(std::string(name)));
  CHECK_THAT(step, !Catch::VectorContains(std::string("Dropout")));
}

TEST_CASE("statistics of one value per channel are refused") {
  Graph graph = model_with_norm();
  for (Value& value : graph.values)
    if (value.type.shape.size() == 2) value.type.shape[0] = 1;
  keep_statistics(graph);
  TrainingOptions training;
  training.batch_norm_trains = true;
  CHECK_THROWS_WITH(make_entries(graph, &training),
                    Catch::Contains("node 'norm'") && Catch::Contains("single value per channel"));
}

}  // namespace tinytc
