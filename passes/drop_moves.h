// Nodes that cost a pass over a tensor and compute nothing: paddings that the next window reads by itself, and results that are their
// operand, bit for bit.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// * A padding (OpDef::as_padding) whose only reader is a window that can have it as its own (OpDef::absorb_padding) goes into that.
/// * Readers of an identity (OpDef::is_identity) read its operand. One that is an output of the graph stays.
/// The other results keep every bit, but for the sign of a zero of floats: a sum that starts at -0 stays -0 without its zeros.
void drop_moves(Graph& graph);

}  // namespace tinytc
