// Marks running statistics; see keep_statistics.h.
#include "passes/keep_statistics.h"

#include "compiler/op.h"

namespace tinytc {

void keep_statistics(Graph& graph) {
  const std::vector<int> uses = use_counts(graph);
  for (Node& node : graph.nodes)
    for (int i : node.op->statistic_inputs) {
      ValueId& id = node.inputs[static_cast<std::size_t>(i)];
      if (id == no_value) continue;
      const Role role = graph.value(id).role;
      if (role != Role::constant && role != Role::parameter) continue;
      if (uses[static_cast<std::size_t>(id)] > 1) {
        Value copy = graph.value(id);
        copy.name += "/" + graph.value(node.outputs[0]).name;
        id = add_value(graph, std::move(copy));
      }
      graph.value(id).role = Role::state;
    }
}

}  // namespace tinytc
