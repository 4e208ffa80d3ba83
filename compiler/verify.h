// The invariants of a Graph, checked after every stage; this is also their documentation.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Throws InternalError, naming `stage` and the node, unless
///  - every value id is in range, every value is computed by at most one node, and exactly the computed ones are;
///  - nodes stand in topological order;
///  - the number and types of a node's outputs are what its type rule says;
///  - constants, parameters and states have data of their type's size; others have none;
///  - an update shares its buffer with a parameter or state, and every reader of the old value stands before it.
void verify(const Graph& graph, const std::string& stage);

}  // namespace tinytc
