// Optimizer steps; see add_update.h.
//
// Nodes: Sgd(gradient, tensor, learning_rate), Momentum(gradient, tensor, learning_rate, velocity), AdamStep(learning_rate, corrections) once a
// step, Adam / AdamW(gradient, tensor, steps, first moment, second moment), Accumulate(gradient, sum), ScaleGradient(sum, factor).
#include "passes/add_update.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/op.h"

namespace tinytc {

namespace {

const Location optimizer_location{"optimizer", "", -1};

ValueId add_zero_state(Graph& graph, const std::string& name, const TensorType& type) {
  return add_value(graph, {name, type, Role::state, std::vector<std::byte>(static_cast<std::size_t>(byte_count(type)))});
}

/// Inputs and attributes of an optimizer's node, but for gradient and tensor.
class Optimizer {
 public:
  Optimizer(Graph& graph, const OptimizerOptions& options) : graph_(graph), options_(options) {
    graph_.learning_rate = add_value(graph_, {"learning_rate", {DType::f32, {}}, Role::input});
    if (options_.kind == "sgd") return;
    const ValueId corrections = add_zero_state(graph_, "optimizer/corrections", {DType::f32, {2}});
    const Attributes attributes{{"beta1", options_.beta1}, {"beta2", options_.beta2}, {"weight_decay", options_.weight_decay}};
    steps_ = add_node(graph_, "AdamStep", {graph_.learning_rate, corrections}, 2, attributes, optimizer_location, "optimizer").front();
  }

  void update(const ParameterGradient& pair) {
    const TensorType type = graph_.type(pair.parameter);
    const std::string name = graph_.value(pair.parameter).name;
    Attributes attributes{{"weight_decay", options_.weight_decay}};
    std::vector<ValueId> inputs{pair.gradient, pair.parameter};
    std::string op_name;
    if (options_.kind == "sgd") {
      op_name = options_.momentum == 0 ? "Sgd" : "Momentum";
      inputs.push_back(graph_.learning_rate);
      if (options_.momentum != 0) inputs.push_back(add_zero_state(graph_, "velocity/" + name, type));
      attributes.set("momentum", options_.momentum);
      attributes.set("nesterov", std::int64_t{options_.nesterov});
    } else {
      op_name = options_.kind == "adam" ? "Adam" : "AdamW";
      inputs.push_back(steps_);
      inputs.push_back(add_zero_state(graph_, "first_moment/" + name, type));
      inputs.push_back(add_zero_state(graph_, "second_moment/" + name, type));
      attributes.set("beta1", options_.beta1);
      attributes.set("beta2", options_.beta2);
      attributes.set("epsilon", options_.epsilon);
    }
    add_node(graph_, op_name, inputs, static_cast<int>(op(op_name).updates.size()), attributes, optimizer_location, "updated/" + name);
  }

 private:
  Graph& graph_;
  const OptimizerOptions& options_;
  ValueId steps_ = no_value;
};

/// By value: whether its elements are, or may be, those of a parameter. Updates run one after the other, so whoever reads a parameter must
/// stand before all of them.
std::vector<bool> shares_parameter(const Graph& graph) {
  std::vector<bool> shares;
  for (const Value& value : graph.values) shares.push_back(value.role == Role::parameter);
  for (const Node& node : graph.nodes)
    if (node.op->may_view && node.inputs[0] != no_value && shares[static_cast<std::size_t>(node.inputs[0])])
      for (ValueId id : node.outputs)
        if (id != no_value) shares[static_cast<std::size_t>(id)] = true;
  return shares;
}

/// Moves the update into the node that produces its gradient, where that node's kernel takes a Sink, reads no parameter, and the gradient
/// goes nowhere else.
void fuse_updates(Graph& graph) {
  const std::vector<int> producer = producers(graph);
  const std::vector<int> uses = use_counts(graph);
  const std::vector<bool> shares = shares_parameter(graph);
  const auto reads_parameter = [&](ValueId id) { return id != no_value && shares[static_cast<std::size_t>(id)]; };
  std::vector<bool> fused(graph.nodes.size(), false);
  for (Node& update : graph.nodes) {
    if (update.op->make_sink == nullptr) continue;
    const ValueId gradient = update.inputs[0];
    const int from = producer[static_cast<std::size_t>(gradient)];
    if (from < 0 || uses[static_cast<std::size_t>(gradient)] != 1) continue;
    Node& source = graph.nodes[static_cast<std::size_t>(from)];
    if (!source.op->takes_sink || source.outputs.size() != 1) continue;
    if (std::any_of(source.inputs.begin(), source.inputs.end(), reads_parameter)) continue;
    Node merged{source.op, source.inputs, update.outputs, source.attributes, source.location};
    merged.attributes.set(fused_update, update.op->name);
    merged.attributes.set(fused_inputs, static_cast<std::int64_t>(source.inputs.size()));
    for (const auto& [name, value] : update.attributes.all()) merged.attributes.set("tinytc_update_" + name, value);
    merged.inputs.insert(merged.inputs.end(), update.inputs.begin() + 1, update.inputs.end());
    update = std::move(merged);  // where the update stood: behind every state that it needs
    fused[static_cast<std::size_t>(from)] = true;
  }
  std::vector<Node> nodes;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (!fused[n]) nodes.push_back(std::move(graph.nodes[n]));
  graph.nodes = std::move(nodes);
}

constexpr const char* sum_prefix = "tinytc/gradient_sum/";
constexpr const char* count_name = "tinytc/gradient_count";

}  // namespace

void add_update(Graph& graph, const std::vector<ParameterGradient>& gradients, const OptimizerOptions& options) {
  Optimizer optimizer(graph, options);
  for (const ParameterGradient& pair : gradients) optimizer.update(pair);
  fuse_updates(graph);
}

void add_accumulation(Graph& graph, const std::vector<ParameterGradient>& gradients) {
  for (const ParameterGradient& pair : gradients) {
    const std::string& name = graph.value(pair.parameter).name;
    const ValueId sum = add_zero_state(graph, sum_prefix + name, graph.type(pair.parameter));
    add_node(graph, "Accumulate", {pair.gradient, sum}, 1, {}, optimizer_location, "accumulated/" + name);
  }
  const ValueId one = add_constant(graph, "one", DType::f32, {1}, {1.0});
  const ValueId count = add_zero_state(graph, count_name, {DType::f32, {1}});
  add_node(graph, "Accumulate", {one, count}, 1, {}, optimizer_location, "accumulated");
  fuse_updates(graph);
}

bool is_accumulated(const std::string& state) { return state.starts_with(sum_prefix) || state == count_name; }

Graph make_apply_graph(const Graph& accumulating, const OptimizerOptions& options) {
  Graph graph;
  graph.name = accumulating.name;
  std::map<std::string, ValueId> copies;
  for (const Value& value : accumulating.values)
    if (value.role == Role::parameter || value.role == Role::state) copies[value.name] = add_value(graph, value);
  const ValueId count = copies.at(count_name);
  const ValueId factor = add_node(graph, "Reciprocal", {count}, 1, {}, optimizer_location, "optimizer").front();
  std::vector<ParameterGradient> gradients;
  std::vector<ValueId> to_clear{count};
  for (const Value& value : accumulating.values) {
    if (value.role != Role::parameter || copies.count(sum_prefix + value.name) == 0) continue;
    const ValueId sum = copies.at(sum_prefix + value.name);
    const ValueId mean = add_node(graph, "ScaleGradient", {sum, factor}, 1, {}, optimizer_location, "mean/" + value.name).front();
    gradients.push_back({copies.at(value.name), mean});
    to_clear.push_back(sum);
  }
  add_update(graph, gradients, options);
  for (ValueId state : to_clear) add_node(graph, "Clear", {state}, 1, {}, optimizer_location, "cleared/" + graph.value(state).name);
  return graph;
}

}  // namespace tinytc
