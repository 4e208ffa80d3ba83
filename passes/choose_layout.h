// Chooses the layout of activations: operators with a channels-last form get it, and Transposes between them cancel.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Rewrites the graph so that every operator that needs channels-last activations reads and writes them. Transposes are put around such
/// operators and then moved down through whatever can work on permuted operands (LayoutRule), where they meet their inverses. Inputs and
/// outputs of the graph, and trained tensors, keep the layout of the ONNX graph. Ends with dead code removed.
void choose_layout(Graph& graph);

}  // namespace tinytc
