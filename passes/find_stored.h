// Where tensors have to be stored as int8 so that given nodes can compute on stored numbers; a part of passes/quantize.
#pragma once

#include <map>

#include "compiler/graph.h"

namespace tinytc {

struct StoredTensors {
  std::map<ValueId, ValueId> points;  // values to convert, each with the first one of its group, which has one scale
  std::vector<std::size_t> refused;   // nodes of which the rules say at once that they have no int8 form
};

/// `is_stored`: by node. Values in front of these nodes and behind them are in the result, except for what lies inside an operator with the
/// clamps and moves behind it, inside a chain of functions, or behind a move whose operand is stored.
StoredTensors find_stored(const Graph& graph, const std::vector<bool>& is_stored);

/// Whether input `i` is the constant weight or bias of a layer (OpDef::weight).
bool is_layer_constant(const Graph& graph, const Node& node, std::size_t i);

}  // namespace tinytc
