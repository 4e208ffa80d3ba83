// Lowering of every operator: small cases against numbers worked out by hand, and that no operator is left
// without a case.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <set>

#include "codegen/execute.h"
#include "test/codegen/ops_cases.h"

namespace tinytc {

struct NumberModel::State {
  Graph graph;
  HostModel model;
};

NumberModel::NumberModel(const Graph& graph) : state_(new State{graph, HostModel(graph)}) {}
NumberModel::~NumberModel() { delete state_; }

std::vector<std::vector<double>> NumberModel::run(const std::vector<std::vector<double>>& inputs) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    tensors.push_back(encode(state_->graph.type(state_->graph.inputs[i]).dtype, inputs[i]));
  const std::vector<Tensor> results = state_->model.run(tensors);
  std::vector<std::vector<double>> numbers;
  for (std::size_t i = 0; i < results.size(); ++i)
    numbers.push_back(
        numbers_of({"", state_->graph.type(state_->graph.outputs[i]), Role::constant, results[i]}));
  return numbers;
}

ValueId add_operand(Graph& graph, const Operand& operand, const std::vector<double>& numbers,
                    const std::string& name, std::vector<std::vector<double>>& feeds) {
  if (operand.is_absent) return no_value;
  Value value{name, {operand.dtype, operand.shape}, operand.role};
  if (operand.role != Role::input) value.data = encode(operand.dtype, numbers);
  const ValueId id = add_value(graph, std::move(value));
  if (operand.role == Role::input) {
    graph.inputs.push_back(id);
    feeds.push_back(numbers);
  }
  return id;
}

TEST_CASE("operators compute what ONNX defines") {
  Graph graph;
  std::vector<std::vector<double>> feeds;
  int names = 0;
  for (const ValueCase& test : value_cases()) {
    std::vector<ValueId> inputs;
    for (const Operand& operand : test.inputs)
      inputs.push_back(add_operand(graph, operand, operand.numbers, "v" + std::to_string(names++), feeds));
    const auto outputs = add_node(graph, test.op, inputs, static_cast<int>(test.outputs.size()),
                                  test.attributes, {test.op, test.op, 0}, "y" + std::to_string(names++));
    graph.outputs.insert(graph.outputs.end(), outputs.begin(), outputs.end());
  }
  const auto results = NumberModel(graph).run(feeds);
  std::size_t next = 0;
  for (const ValueCase& test : value_cases())
    for (const std::vector<double>& expected : test.outputs) {
      const std::vector<double>& actual = results[next++];
      INFO(test.op << ", result " << next - 1);
      REQUIRE(actual.size() == expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO("element " << i << " is " << actual[i] << ", should be " << expected[i]);
        // Expected numbers are exact or written with 12 digits.
        if (!std::isnan(expected[i]))
          CHECK((actual[i] == expected[i] || std::fabs(actual[i] - expected[i]) < 1e-11));
        if (std::isnan(expected[i])) CHECK(std::isnan(actual[i]));
      }
    }
}

TEST_CASE("every operator with a gradient has a gradient case") {
  // Flat or discrete operators: their rule sets no gradient, and a difference quotient would be zero. Straight-through ones: their
  // gradient is not that of what they compute.
  const std::set<std::string> flat = {
      "Sign", "Floor",   "Ceil",        "Round",          "Not",    "And",   "Or", "Xor", "Equal",
      "QuantizeLinear", "DequantizeLinear", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "ArgMax", "ArgMin"};
  std::set<std::string> covered;
  for (const GradientCase& test : gradient_cases()) covered.insert(test.op);
  for (const OpDef* row : all_ops()) {
    INFO(row->name);
    CHECK((row->gradient == nullptr || covered.count(row->name) != 0 || flat.count(row->name) != 0));
  }
}

TEST_CASE("every lowering runs in a case") {
  std::set<std::string> run;
  std::vector<std::vector<double>> feeds;
  for (const Node& node : gradient_graph(feeds).nodes) run.insert(node.op->name);
  for (const ValueCase& test : value_cases()) run.insert(test.op);
  for (const OpDef* row : all_ops()) {
    INFO(row->name);
    CHECK((row->lower == nullptr || run.count(row->name) != 0));
  }
}

}  // namespace tinytc
