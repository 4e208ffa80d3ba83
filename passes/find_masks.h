// Attention adds numbers to its scores, or puts them there, that no score can reach: minus infinity, the lowest float32, -1e9.
#pragma once

#include <vector>

#include "compiler/graph.h"

namespace tinytc {

/// Numbers of this size and more are there to mask something.
constexpr double mask_size = 1e8;

/// Whether each value is, or is computed from, a constant of single precision that holds such a number. In 256 steps of a range with it nothing
/// else could be told apart.
std::vector<bool> find_masks(const Graph& graph);

}  // namespace tinytc
