// The cost model; see cost.h. The table is read from the top: the first row whose kernel and marker match counts.
#include "compiler/cost.h"

#include <algorithm>
#include <string_view>

namespace tinytc {

namespace {

struct KernelCost {
  std::string_view kernel;  // empty: any
  std::string_view marker;  // occurs in the text of one argument; empty: any
  double per_mac, per_element, call;
};

constexpr KernelCost costs[] = {
    {"conv2d", "", 3.2, 5, 200},
    {"", "", 3, 10, 100},
};

bool mentions(const Argument& argument, std::string_view marker) {
  if (argument.text.find(marker) != std::string::npos) return true;
  return std::any_of(argument.parts.begin(), argument.parts.end(), [&](const Argument& part) { return mentions(part, marker); });
}

const KernelCost& cost_of(const KernelCall& call) {
  const std::string_view kernel = std::string_view(call.kernel).substr(0, call.kernel.find('<'));
  for (const KernelCost& cost : costs) {
    if (!cost.kernel.empty() && cost.kernel != kernel) continue;
    if (cost.marker.empty() || call.kernel.find(cost.marker) != std::string::npos) return cost;
    for (const Argument& argument : call.arguments)
      if (mentions(argument, cost.marker)) return cost;
  }
  throw InternalError("no cost for kernel " + call.kernel);
}

}  // namespace

std::int64_t cost_elements(const Program& program, const KernelCall& call) {
  std::int64_t written = 0, largest = 0;
  for (const Argument& argument : call.arguments)
    for_each_buffer(argument, [&](BufferId id, bool writes, bool) {
      const std::int64_t count = element_count(program.buffer(id).type.shape);
      if (writes) written = std::max(written, count);
      largest = std::max(largest, count);
    });
  return call.traits.macs > 0 ? written : largest;
}

double m4f_cycles(const Program& program, const KernelCall& call) {
  const KernelCost& cost = cost_of(call);
  return cost.call + cost.per_mac * static_cast<double>(call.traits.macs) + cost.per_element * static_cast<double>(cost_elements(program, call));
}

std::optional<CoreFactor> core_factor(const Target& target) {
  struct Row {
    std::string_view core;
    double factor;
    const char* source;
  };
  static constexpr Row rows[] = {
      {"cortex-m4f", 1, "model of the Cortex-M4F at zero wait states"},
  };
  for (const Row& row : rows)
    if (row.core == target.core) return CoreFactor{row.factor, row.source};
  return std::nullopt;
}

}  // namespace tinytc
