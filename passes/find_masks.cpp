// Numbers that mask; see find_masks.h.
#include "passes/find_masks.h"

#include <algorithm>
#include <cmath>

#include "compiler/op.h"

namespace tinytc {

std::vector<bool> find_masks(const Graph& graph) {
  std::vector<bool> masks(graph.values.size(), false);
  for (std::size_t v = 0; v < masks.size(); ++v) {
    const Value& value = graph.values[v];
    if (value.role != Role::constant || value.type.dtype != DType::f32) continue;
    const std::vector<double> numbers = numbers_of(value);
    masks[v] = std::any_of(numbers.begin(), numbers.end(), [](double x) { return std::abs(x) >= mask_size; });
  }
  for (const Node& node : graph.nodes) {
    const bool is_masked = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return id != no_value && masks[static_cast<std::size_t>(id)]; });
    for (ValueId id : node.outputs)
      if (id != no_value && is_masked) masks[static_cast<std::size_t>(id)] = true;
  }
  return masks;
}

}  // namespace tinytc
