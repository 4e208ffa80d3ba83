// Which entry points there are, what each takes and gives, and which nodes it holds.
#include "passes/make_entries.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compiler/verify.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

/// y = x w, loss = sum of (y - label)^2.
GraphBuilder regression() {
  GraphBuilder b;
  const ValueId y = b.node("MatMul", {b.input("x", {1, 3}), b.parameter("w", {3, 4})});
  b.output(y);
  const ValueId label = b.input("label", {1, 4}, DType::f32, Role::label);
  b.graph.loss = b.node("ReduceSumSquare", {b.node("Sub", {y, label})}, {{"keepdims", std::int64_t{0}}});
  return b;
}

std::map<Entry, Graph> checked_entries(const Graph& model, const TrainingOptions* training) {
  std::map<Entry, Graph> entries = make_entries(model, training);
  for (const auto& [entry, graph] : entries) verify(graph, "entries");
  return entries;
}

std::vector<Entry> keys(const std::map<Entry, Graph>& entries) {
  std::vector<Entry> list;
  for (const auto& [entry, graph] : entries) list.push_back(entry);
  return list;
}

Names inputs_of(const Graph& graph) {
  Names names;
  for (ValueId id : graph.inputs) names.push_back(graph.value(id).name);
  return names;
}

}  // namespace

TEST_CASE("without a loss there is only a prediction") {
  GraphBuilder b;
  b.output(b.node("Neg", {b.input("x", {2})}));
  const auto entries = checked_entries(b.graph, nullptr);
  CHECK(keys(entries) == std::vector<Entry>{Entry::predict});
  CHECK(ops_of(entries.at(Entry::predict)) == Names{"Neg"});
}

TEST_CASE("a prediction knows neither label nor loss, an evaluation gives no outputs") {
  const auto entries = checked_entries(regression().graph, nullptr);
  CHECK(keys(entries) == std::vector<Entry>{Entry::predict, Entry::evaluate});
  const Graph& predict = entries.at(Entry::predict);
  CHECK(ops_of(predict) == Names{"MatMul"});
  CHECK(inputs_of(predict) == Names{"x"});
  CHECK(predict.outputs.size() == 1);
  CHECK(predict.loss == no_value);
  const Graph& evaluate = entries.at(Entry::evaluate);
  CHECK(ops_of(evaluate) == Names{"MatMul", "Sub", "ReduceSumSquare"});
  CHECK(inputs_of(evaluate) == Names{"x", "label"});
  CHECK(evaluate.outputs.empty());
  CHECK(evaluate.loss != no_value);
}

TEST_CASE("a training step ends in the updates, and takes a learning rate") {
  const TrainingOptions training;
  const auto entries = checked_entries(regression().graph, &training);
  CHECK(keys(entries) == std::vector<Entry>{Entry::predict, Entry::evaluate, Entry::train_step});
  const Graph& step = entries.at(Entry::train_step);
  CHECK(step.learning_rate != no_value);
  CHECK(step.loss != no_value);
  CHECK(step.outputs.empty());
  CHECK(inputs_of(step) == Names{"x", "label"});
  const Node& last = step.nodes.back();
  CHECK(last.attributes.get_string(fused_update, "") == "Sgd");
  CHECK(step.value(last.inputs[static_cast<std::size_t>(last.attributes.get_int(fused_inputs, 0))]).name == "w");
}

TEST_CASE("with accumulation the learning rate belongs to apply, which takes no example") {
  TrainingOptions training;
  training.accumulate = true;
  const auto entries = checked_entries(regression().graph, &training);
  CHECK(keys(entries) == std::vector<Entry>{Entry::predict, Entry::evaluate, Entry::accumulate, Entry::apply});
  const Graph &accumulate = entries.at(Entry::accumulate), &apply = entries.at(Entry::apply);
  CHECK(accumulate.learning_rate == no_value);
  CHECK(accumulate.loss != no_value);
  CHECK(inputs_of(accumulate) == Names{"x", "label"});
  CHECK(apply.learning_rate != no_value);
  CHECK(apply.inputs.empty());
  CHECK(apply.loss == no_value);
  // Both know the sum of the gradients by one name: that is how they share its buffer.
  Names shared;
  for (const Value& value : apply.values)
    for (const Value& other : accumulate.values)
      if (value.role == Role::state && value.name == other.name) shared.push_back(value.name);
  CHECK(shared == Names{"tinytc/gradient_sum/w", "tinytc/gradient_count"});
}

TEST_CASE("a seed moves on behind everything that reads it") {
  GraphBuilder b;
  const ValueId y = b.node("MatMul", {b.input("x", {1, 3}), b.parameter("w", {3, 4})});
  const ValueId dropped = b.node("Dropout", {y});
  b.output(dropped);
  b.graph.loss = b.node("ReduceSumSquare", {dropped}, {{"keepdims", std::int64_t{0}}});
  const TrainingOptions training;
  const auto entries = checked_entries(b.graph, &training);
  CHECK(ops_of(entries.at(Entry::predict)) == Names{"MatMul", "Dropout"});
  const Names step = ops_of(entries.at(Entry::train_step));
  CHECK(step.back() == "NextSeed");
  CHECK(std::count(step.begin(), step.end(), "DropoutTraining") == 2);  // forward and backward
}

TEST_CASE("statistics of each call are refused where nothing has statistics") {
  TrainingOptions training;
  training.batch_norm_trains = true;
  CHECK_THROWS_WITH(make_entries(regression().graph, &training), Catch::Contains("--batch-norm train: nothing before the loss has running statistics"));
}

TEST_CASE("an input or output without elements is refused") {
  GraphBuilder b;
  b.output(b.node("Neg", {b.input("nothing", {2, 0})}));
  CHECK_THROWS_WITH(make_entries(b.graph, nullptr), Catch::Contains("'nothing' is f32[2,0]"));
}

TEST_CASE("initial weights are bounded by the layer's fan in") {
  GraphBuilder b;
  ValueId y = b.node("MatMul", {b.input("x", {1, 16}), b.parameter("w", {16, 4})});
  y = b.node("Gemm", {y, b.parameter("v", {9, 4}), b.parameter("bias", {9})}, {{"transB", std::int64_t{1}}});
  y = b.node("Gemm", {y, b.constant("frozen", {9, 2})});
  b.output(b.node("Mul", {y, b.parameter("scale", {2})}));
  CHECK(initial_bounds(b.graph) == std::map<std::string, double>{{"w", 0.25}, {"v", 0.5}, {"bias", 0.5}});
}

}  // namespace tinytc
