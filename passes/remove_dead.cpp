// Dead code; see remove_dead.h. One backward sweep marks, one forward sweep compacts.
#include "passes/remove_dead.h"

#include "compiler/op.h"

namespace tinytc {

namespace {

std::vector<bool> live_values(const Graph& graph, std::vector<bool>& live_nodes) {
  std::vector<bool> live(graph.values.size(), false);
  const auto mark = [&](ValueId id) {
    if (id != no_value) live[static_cast<std::size_t>(id)] = true;
  };
  for (ValueId id : graph.outputs) mark(id);
  for (ValueId id : graph.inputs) mark(id);
  mark(graph.loss);
  mark(graph.learning_rate);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    bool is_live = !updates_of(node).empty();
    for (ValueId id : node.outputs) is_live = is_live || (id != no_value && live[static_cast<std::size_t>(id)]);
    live_nodes[n] = is_live;
    if (!is_live) continue;
    for (ValueId id : node.inputs) mark(id);
  }
  return live;
}

}  // namespace

void remove_dead(Graph& graph) {
  std::vector<bool> live_nodes(graph.nodes.size(), false);
  std::vector<bool> live = live_values(graph, live_nodes);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {  // outputs of updates stay: they name the shared buffer
    if (!live_nodes[n]) continue;
    for (const Update& update : updates_of(graph.nodes[n])) {
      const ValueId id = graph.nodes[n].outputs[static_cast<std::size_t>(update.output)];
      if (id != no_value) live[static_cast<std::size_t>(id)] = true;
    }
  }
  std::vector<ValueId> renamed(graph.values.size(), no_value);
  std::vector<Value> values;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (!live[i]) continue;
    renamed[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[i]));
  }
  const auto rename = [&](ValueId& id) {
    if (id != no_value) id = renamed[static_cast<std::size_t>(id)];
  };
  std::vector<Node> nodes;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!live_nodes[n]) continue;
    for (ValueId& id : graph.nodes[n].inputs) rename(id);
    for (ValueId& id : graph.nodes[n].outputs) rename(id);
    nodes.push_back(std::move(graph.nodes[n]));
  }
  graph.values = std::move(values);
  graph.nodes = std::move(nodes);
  for (ValueId& id : graph.inputs) rename(id);
  for (ValueId& id : graph.outputs) rename(id);
  rename(graph.loss);
  rename(graph.learning_rate);
}

}  // namespace tinytc
