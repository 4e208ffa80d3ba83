// One graph an entry point; see make_entries.h.
#include "passes/make_entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "passes/fuse.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

Graph prediction_graph(Graph graph) {
  graph.loss = no_value;
  std::erase_if(graph.inputs, [&](ValueId id) { return graph.value(id).role == Role::label; });
  remove_dead(graph);
  for (const auto* list : {&graph.inputs, &graph.outputs})
    for (ValueId id : *list)
      if (element_count(graph.shape(id)) == 0)
        throw UserError(fmt::format("'{}' is {}: an input or output without elements", printable(graph.value(id).name), describe(graph.type(id))));
  return graph;
}

Graph loss_graph(Graph graph) {
  graph.outputs.clear();
  remove_dead(graph);
  return graph;
}

/// Puts nodes into their training form; new nodes that check what will be stored stand behind the loss. Returns nodes that change states:
/// they belong behind everything else, so that they run once the loss is known to be finite and every reader has read.
std::vector<Node> enter_training(Graph& graph, const TrainingOptions& training) {
  const auto keeps_statistics = [](const Node& node) { return node.op->enter_training != nullptr && !node.op->statistic_inputs.empty(); };
  if (training.batch_norm_trains && std::none_of(graph.nodes.begin(), graph.nodes.end(), keeps_statistics))
    throw UserError(
        "--batch-norm train: nothing before the loss has running statistics\n  hint: exporters fold batch normalization into convolutions; "
        "torch.onnx.export keeps it with optimize=False, the older one with training=torch.onnx.TrainingMode.PRESERVE");
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (Node& node : nodes)
    if (node.op->enter_training != nullptr) node.op->enter_training(graph, node, training.batch_norm_trains);
  std::swap(nodes, graph.nodes);
  const auto updates = std::stable_partition(nodes.begin(), nodes.end(), [](const Node& node) { return updates_of(node).empty(); });
  std::move(nodes.begin(), updates, std::back_inserter(graph.nodes));
  nodes.erase(nodes.begin(), updates);
  return nodes;
}

}  // namespace

std::map<Entry, Graph> make_entries(const Graph& model, const TrainingOptions* training) {
  std::map<Entry, Graph> entries;
  entries[Entry::predict] = prediction_graph(model);
  if (model.loss != no_value) entries[Entry::evaluate] = loss_graph(model);
  if (training == nullptr) return entries;
  Graph step = loss_graph(model);
  const ValueId loss = step.loss;
  std::vector<Node> last = enter_training(step, *training);
  const ValueId checked = std::exchange(step.loss, loss);  // the same number, or NaN: gradients are those of the loss itself
  delay_clamps(step);
  const std::vector<ParameterGradient> gradients = add_backward(step);
  step.loss = checked;
  const auto finish = [&] { std::move(last.begin(), last.end(), std::back_inserter(step.nodes)); };
  if (training->accumulate) {
    add_accumulation(step, gradients);
    finish();
    entries[Entry::apply] = make_apply_graph(step, training->optimizer);
    remove_dead(entries[Entry::apply]);
    entries[Entry::accumulate] = std::move(step);
  } else {
    add_update(step, gradients, training->optimizer);
    finish();
    entries[Entry::train_step] = std::move(step);
  }
  remove_dead(entries[training->accumulate ? Entry::accumulate : Entry::train_step]);
  return entries;
}

std::map<std::string, double> initial_bounds(const Graph& model) {
  std::map<std::string, double> bounds;
  for (const Node& node : model.nodes) {
    if (node.op->fan_in == nullptr) continue;
    const std::int64_t fan_in = node.op->fan_in(model, node);
    for (std::size_t i = 1; i < std::min<std::size_t>(node.inputs.size(), 3); ++i) {
      const ValueId id = node.inputs[i];
      if (id != no_value && model.value(id).role == Role::parameter && fan_in > 0)
        bounds[model.value(id).name] = 1 / std::sqrt(static_cast<double>(fan_in));
    }
  }
  return bounds;
}

}  // namespace tinytc
