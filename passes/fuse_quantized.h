// Quantized models: DequantizeLinear - operator - QuantizeLinear becomes one int8 operator, by the operators' own rules (OpDef::move,
// OpDef::quantized). What has no rule stays an operator on real numbers between its conversions.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Moves DequantizeLinear behind operators that only move elements (Transpose, Reshape, Concat of equal scales, MaxPool, ...), so that
/// these work on stored numbers, and stored constants stay constants. Exact: the conversion treats each element by itself.
void move_dequantization(Graph& graph);

/// Makes int8 operators. Results differ from the conversions in single precision at most where those round twice.
///   * uint8 tensors between operators become int8 (x - 128); inputs and outputs of the graph keep their type.
///   * clamps between operator and QuantizeLinear become bounds of the stored result.
///   * QuantizeLinear moves in front of operators that only move elements.
///   * a chain of element-wise operators with one stored operand becomes a table of 256 entries, which folding computes.
/// Nodes with the attribute keeps_float (passes/keep_float) stay as they are.
void fuse_quantized(Graph& graph);

}  // namespace tinytc
