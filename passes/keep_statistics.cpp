// Marks running statistics; see keep_statistics.h.
#include "passes/keep_statistics.h"

#include "compiler/op.h"

namespace tinytc {

void keep_statistics(Graph& graph) {
  for (const Node& node : graph.nodes)
    for (int i : node.op->statistic_inputs) {
      const ValueId id = node.inputs[static_cast<std::size_t>(i)];
      if (id == no_value) continue;
      Value& value = graph.value(id);
      if (value.role == Role::constant || value.role == Role::parameter) value.role = Role::state;
    }
}

}  // namespace tinytc
