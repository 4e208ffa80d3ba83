// Running statistics that training keeps up to date become states.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Turns known statistics (OpDef::statistic_inputs) into states, so that nothing folds them and every entry
/// point reads the running ones. For --batch-norm train, before folding. Statistics that several nodes share (exporters
/// write equal tensors once) become one state a node.
void keep_statistics(Graph& graph);

}  // namespace tinytc
