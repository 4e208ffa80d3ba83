// Equal conversions; see merge_conversions.h.
#include "passes/merge_conversions.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "compiler/op.h"
#include "compiler/quantization.h"
#include "passes/remove_dead.h"

namespace tinytc {

void merge_conversions(Graph& graph) {
  std::unordered_map<ValueId, ValueId> replaced;
  std::unordered_map<ValueId, std::vector<Node>> stored_by;  // QuantizeLinear nodes of a tensor
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs)
      if (const auto known = replaced.find(id); known != replaced.end()) id = known->second;
    if (node.op->quantizes) {
      std::vector<Node>& others = stored_by[node.inputs[0]];
      const auto same = std::find_if(others.begin(), others.end(), [&](const Node& other) {
        return graph.type(other.outputs[0]).dtype == graph.type(node.outputs[0]).dtype && quantization_of(graph, other) == quantization_of(graph, node);
      });
      const bool is_output = std::find(graph.outputs.begin(), graph.outputs.end(), node.outputs[0]) != graph.outputs.end();
      if (same != others.end() && !is_output) {
        replaced[node.outputs[0]] = same->outputs[0];
        continue;
      }
      others.push_back(node);
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  remove_dead(graph);
}

}  // namespace tinytc
