// Reverse-mode differentiation of a Graph.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

struct ParameterGradient {
  ValueId parameter, gradient;
};

/// Appends the nodes that compute the gradient of graph.loss with respect to every parameter on which it depends. Only values on a
/// path from a parameter to the loss get a gradient. Fan-out sums in graph order. UserError: there is no loss, no parameter influences
/// it, or a node on the path has no gradient rule (all such nodes are named).
std::vector<ParameterGradient> add_backward(Graph& graph);

}  // namespace tinytc
