// Removing what only moves or changes nothing; see drop_moves.h.
#include "passes/drop_moves.h"

#include <algorithm>

#include "compiler/op.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

bool has_first_input(const Node& node) { return !node.inputs.empty() && node.inputs[0] != no_value; }

/// The node that reads the operand of padding `pad` through its own, if it can and its results are of the same type.
std::optional<Node> with_padding(const Graph& graph, Node node, const Node& pad) {
  const std::optional<Padding> padding = pad.op->as_padding(graph, pad);
  if (!padding || !node.op->absorb_padding(graph, node, *padding)) return std::nullopt;
  node.inputs[0] = pad.inputs[0];
  const std::vector<TensorType> types = infer_types(graph, node);
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i] != no_value && types[i].shape != graph.shape(node.outputs[i])) return std::nullopt;
  return node;
}

void absorb_paddings(Graph& graph) {
  const std::vector<int> producer = producers(graph), uses = use_counts(graph);
  for (Node& node : graph.nodes) {
    if (node.op->absorb_padding == nullptr || !has_first_input(node)) continue;
    const auto operand = static_cast<std::size_t>(node.inputs[0]);
    if (producer[operand] < 0 || uses[operand] != 1) continue;
    const Node& pad = graph.nodes[static_cast<std::size_t>(producer[operand])];
    if (pad.op->as_padding == nullptr) continue;
    if (std::optional<Node> wider = with_padding(graph, node, pad)) node = std::move(*wider);
  }
}

void skip_identities(Graph& graph) {
  std::vector<ValueId> same(graph.values.size());
  for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<ValueId>(i);
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs)
      if (id != no_value) id = same[static_cast<std::size_t>(id)];
    if (node.op->is_identity == nullptr || !has_first_input(node) || node.outputs.size() != 1 || !node.op->is_identity(graph, node)) continue;
    const bool is_output = std::find(graph.outputs.begin(), graph.outputs.end(), node.outputs[0]) != graph.outputs.end();
    if (!is_output && graph.loss != node.outputs[0]) same[static_cast<std::size_t>(node.outputs[0])] = node.inputs[0];
  }
}

}  // namespace

void drop_moves(Graph& graph) {
  skip_identities(graph);
  absorb_paddings(graph);
  remove_dead(graph);
}

}  // namespace tinytc
