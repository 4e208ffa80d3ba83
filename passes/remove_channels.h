// Channels of int8 tensors that always hold one and the same number are not computed.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Finds by interval arithmetic which channels no input of the graph can change, takes them out of the operators that compute them, and
/// puts what they add into the constants of those that read them. Channels that then nobody reads go as well; where others of a tensor stay,
/// their number is kept at a multiple of four. Every other result keeps every bit. By OpDef::channels; a tensor keeps all its channels
/// where a reader has no such rule.
void remove_channels(Graph& graph);

}  // namespace tinytc
