// Constant folding, in two halves: what can be computed now, and putting the results in. The evaluator (codegen/execute) does the
// computing between them; passes know nothing of it.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// A graph without inputs that computes everything in `graph` that depends on constants only and is read by the rest; its outputs are
/// named after nothing, but stand in the order of `replaced`.
struct Foldable {
  Graph graph;
  std::vector<ValueId> replaced;  // values of the original graph
};

/// What can be folded; `replaced` is empty when there is nothing. A node that makes its operands much larger (Expand) stays, so that
/// flash is not filled with repetitions; a dequantized constant does not, as RAM for it is dearer than flash.
///
/// `dequantize`: also what only a DequantizeLinear makes of a constant; else such constants stay stored, for quantization rules.
Foldable find_foldable(const Graph& graph, bool dequantize = true);

/// Turns the values `replaced` into constants with the given elements, and removes what is dead then.
void apply_folded(Graph& graph, const std::vector<ValueId>& replaced, const std::vector<std::vector<std::byte>>& elements);

}  // namespace tinytc
