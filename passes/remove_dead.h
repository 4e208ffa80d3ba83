// Removes nodes whose results nobody uses, and values that no node, input or output names.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Keeps what the outputs, the loss and the updates of parameters and states need. Inputs and labels stay. Value ids change.
void remove_dead(Graph& graph);

}  // namespace tinytc
