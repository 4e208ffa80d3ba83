// Residual sums; see fuse_residual.h.
#include "passes/fuse_residual.h"

#include <array>

#include "compiler/op.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

/// The node in place of sum `index` and one of the layers before it: of two that can, the later one, whose residual is there by then.
std::optional<Node> fused_sum(const Graph& graph, const std::vector<int>& producer, const std::vector<int>& uses, std::size_t index) {
  const Node& sum = graph.nodes[index];
  if (!sum.op->adds_stored || sum.inputs[0] == sum.inputs[1]) return std::nullopt;
  const auto from = [&](int operand) { return producer[static_cast<std::size_t>(sum.inputs[static_cast<std::size_t>(operand)])]; };
  const int later = from(0) > from(1) ? 0 : 1;
  for (const int operand : {later, 1 - later}) {
    if (from(operand) < 0) continue;
    const Node& layer = graph.nodes[static_cast<std::size_t>(from(operand))];
    if (layer.op->with_sum == nullptr || uses[static_cast<std::size_t>(layer.outputs[0])] != 1) continue;
    if (std::optional<Node> node = layer.op->with_sum(graph, layer, sum, operand)) return node;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::size_t> residual_sums(const Graph& graph) {
  const std::vector<int> producer = producers(graph), uses = use_counts(graph);
  std::vector<std::size_t> sums;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (fused_sum(graph, producer, uses, n)) sums.push_back(n);
  return sums;
}

void fuse_residuals(Graph& graph, const std::function<bool(std::size_t node)>& wanted) {
  const std::vector<int> producer = producers(graph), uses = use_counts(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    std::optional<Node> node = fused_sum(graph, producer, uses, n);
    if (node && wanted(n)) graph.nodes[n] = std::move(*node);
  }
  remove_dead(graph);
}

}  // namespace tinytc
