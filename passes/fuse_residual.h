// Layers that add a residual themselves: an int8 layer and the sum of its result with another tensor become one node (OpDef::with_sum).
// That saves no cycles worth mentioning, but the buffer of the layer's result, so it is for plans that get smaller by it (fit_memory).
#pragma once

#include <functional>

#include "compiler/graph.h"

namespace tinytc {

/// The sums (OpDef::adds_stored) one of whose operands is the result of a layer that can add the other, and nobody else's: indices into
/// graph.nodes.
std::vector<std::size_t> residual_sums(const Graph& graph);

/// Fuses those of the sums for which `wanted` says so into their layers; the results keep every bit.
void fuse_residuals(Graph& graph, const std::function<bool(std::size_t node)>& wanted);

}  // namespace tinytc
