// Cross-layer equalization: channels of very different size share one int8 scale badly. Between two layers a channel can be made smaller and
// the next layer's weights for it larger, which a float network does not notice (Nagel et al., "Data-Free Quantization Through Weight
// Equalization and Bias Correction", 2019).
//
// Weights have a scale for each output channel here, so the first layer's weights gain nothing; what is weighed against the second layer's
// weights is the range of the activations, as SmoothQuant does (Xiao et al., 2023). Factors are powers of two, so every result of the
// float network keeps its bits.
#pragma once

#include <map>

#include "passes/choose_range.h"

namespace tinytc {

/// Two layers with nothing between them that could not be scaled channel by channel (OpDef::scales_with_channels, and views that keep
/// channels together).
struct EqualizedPair {
  std::size_t first, second;  // nodes
  ValueId between;            // input 0 of the second; channels lie as the second layer has them
  std::int64_t block;         // so many consecutive input channels of the second layer come from one of the first
};

/// All pairs whose weights and biases are constant and whose tensors nobody else reads, in topological order.
std::vector<EqualizedPair> find_pairs(const Graph& graph);

/// Rescales the channels of the pair if that promises a fourth of the error or less: the noise that int8 activations and int8 weights bring into the
/// second layer's sums, estimated from `largest`, the largest magnitude that each of the first layer's channels has in front of the second layer.
/// Whether anything changed.
bool equalize(Graph& graph, const EqualizedPair& pair, std::vector<double> largest);

}  // namespace tinytc
