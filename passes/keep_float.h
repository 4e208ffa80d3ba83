// What of a quantized model has to compute on real numbers: nodes that the user names (--keep-float). What must not silently: layers whose
// int8 weights have a zero point.
#pragma once

#include <string>
#include <vector>

#include "compiler/graph.h"

namespace tinytc {

/// Attribute of a node, 1 where it stays on real numbers whatever passes/fuse_quantized could make of it.
inline const std::string keeps_float = "tinytc_keeps_float";

/// Whether each node computes on real numbers (does not only convert, and is no product of integers: MatMulInteger, ConvInteger) and its name fits one of
/// the patterns of `option`, which messages name. Throws UserError when a pattern fits no such node.
std::vector<bool> named_nodes(const Graph& graph, const std::vector<std::string>& patterns, const std::string& option);

/// Gives named_nodes() of --keep-float the attribute keeps_float.
void mark_kept(Graph& graph, const std::vector<std::string>& patterns);

/// The same for a model that came quantized; throws UserError when it did not. Nothing happens without patterns.
void keep_float(Graph& graph, const std::vector<std::string>& patterns);

/// Throws UserError when a layer that has an int8 form (Conv, Gemm, MatMul with a matrix) has a known weight that is stored as int8 with a zero point
/// other than 0, and does not have the attribute keeps_float. All such layers are named. (ConvTranspose computes in float32 anyway. uint8 weights always
/// have a zero point: theirs is the quantizer's choice of type, and 128 is int8's 0.)
void check_weights(const Graph& graph);

}  // namespace tinytc
