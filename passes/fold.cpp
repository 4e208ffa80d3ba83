// Constant folding; see fold.h.
#include "passes/fold.h"

#include <algorithm>

#include "compiler/op.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

constexpr std::int64_t small_bytes = 1024;  // what may grow freely

/// Whether the node's results take at most about the room of its operands.
bool stays_small(const Graph& graph, const Node& node) {
  std::int64_t in = 0, out = 0;
  for (ValueId id : node.inputs) in += id == no_value ? 0 : byte_count(graph.type(id));
  for (ValueId id : node.outputs) out += id == no_value ? 0 : byte_count(graph.type(id));
  return out <= std::max(small_bytes, 2 * in);
}

/// The nodes that depend on constants only.
std::vector<bool> foldable_nodes(const Graph& graph, bool dequantize) {
  std::vector<bool> known(graph.values.size(), false), foldable(graph.nodes.size(), false);
  for (std::size_t i = 0; i < graph.values.size(); ++i) known[i] = graph.values[i].role == Role::constant;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    foldable[n] = (dequantize || !node.op->dequantizes) && !node.inputs.empty() && updates_of(node).empty() && (node.op->dequantizes || stays_small(graph, node)) &&
                  std::all_of(node.inputs.begin(), node.inputs.end(),
                              [&](ValueId id) { return id == no_value || known[static_cast<std::size_t>(id)]; });
    if (!foldable[n]) continue;
    for (ValueId id : node.outputs)
      if (id != no_value) known[static_cast<std::size_t>(id)] = true;
  }
  return foldable;
}

}  // namespace

Foldable find_foldable(const Graph& graph, bool dequantize) {
  const std::vector<bool> foldable = foldable_nodes(graph, dequantize);
  Foldable result;
  if (std::find(foldable.begin(), foldable.end(), true) == foldable.end()) return result;
  std::vector<bool> wanted(graph.values.size(), false);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (!foldable[n])
      for (ValueId id : graph.nodes[n].inputs)
        if (id != no_value) wanted[static_cast<std::size_t>(id)] = true;
  for (ValueId id : graph.outputs) wanted[static_cast<std::size_t>(id)] = true;
  if (graph.loss != no_value) wanted[static_cast<std::size_t>(graph.loss)] = true;

  std::vector<ValueId> copy_of(graph.values.size(), no_value);
  const auto copy = [&](ValueId id) {
    if (id == no_value) return no_value;
    ValueId& to = copy_of[static_cast<std::size_t>(id)];
    if (to == no_value) to = add_value(result.graph, graph.value(id));
    return to;
  };
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!foldable[n]) continue;
    Node node = graph.nodes[n];
    for (ValueId& id : node.inputs) id = copy(id);
    for (ValueId& id : node.outputs) {
      const ValueId original = id;
      id = copy(id);
      if (original == no_value || !wanted[static_cast<std::size_t>(original)]) continue;
      result.graph.outputs.push_back(id);
      result.replaced.push_back(original);
    }
    result.graph.nodes.push_back(std::move(node));
  }
  remove_dead(result.graph);
  return result;
}

void apply_folded(Graph& graph, const std::vector<ValueId>& replaced, const std::vector<std::vector<std::byte>>& elements) {
  for (std::size_t i = 0; i < replaced.size(); ++i) {
    Value& value = graph.value(replaced[i]);
    value.role = Role::constant;
    value.data = elements[i];
  }
  std::erase_if(graph.nodes, [&](Node& node) {
    bool any_left = false;
    for (ValueId& id : node.outputs) {
      if (id != no_value && graph.value(id).role == Role::constant) id = no_value;
      any_left = any_left || id != no_value;
    }
    return !any_left;
  });
  remove_dead(graph);
}

}  // namespace tinytc
