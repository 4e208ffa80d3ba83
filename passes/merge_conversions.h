// Quantizers may write a pair of conversions for each reader of a tensor (onnxruntime: DedicatedQDQPair).
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// QuantizeLinear nodes that store one tensor in the same way become one, so that what computes it has one reader, for which it can compute
/// the stored numbers itself (passes/fuse_quantized). Those that give outputs of the graph stay.
void merge_conversions(Graph& graph);

}  // namespace tinytc
