// Lowering: Graph -> kernel calls of one entry point of a Program.
#pragma once

#include "compiler/op.h"

namespace tinytc {

/// Appends entry point `entry` to the program: buffers for the graph's values and the kernel calls of its nodes, in order.
/// Persistent buffers are shared with other entry points by name, flash buffers by content.
void lower(const Graph& graph, Entry entry, Program& program);

}  // namespace tinytc
