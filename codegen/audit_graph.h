// Call graphs as plain numbers: cycles, orders, deepest paths. Internal to audit().
#pragma once

#include <cstdint>
#include <vector>

namespace tinytc {

/// Edge lists: callees of function i.
using CallGraph = std::vector<std::vector<int>>;

/// Tarjan's strongly connected components (SIAM J. Comput. 1(2), 1972), without recursion. Components come
/// callees first; one with several functions, or with one that calls itself, is a recursion.
std::vector<std::vector<int>> components(const CallGraph& graph);

/// Whether a component is a recursion.
bool is_recursion(const CallGraph& graph, const std::vector<int>& component);

/// The path with the largest sum of weights, outermost first, in a graph without recursion.
std::vector<int> heaviest_path(const CallGraph& graph, const std::vector<std::int64_t>& weights);

}  // namespace tinytc
