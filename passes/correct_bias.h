// Bias correction: rounding weights and clipping activations moves the mean of a layer's channels, which the layer's bias can take back
// (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, the empirical form).
//
// The evaluator measures, these functions say what and compute what follows.
#pragma once

#include <span>

#include "passes/quantize.h"

namespace tinytc {

/// Nodes of the float graph that are layers on stored numbers, in order.
std::vector<std::size_t> corrected_layers(const Graph& graph, const QuantizationPlan& plan);

/// Multiply-accumulates of these layers in one run.
std::int64_t layer_macs(const Graph& graph, const std::vector<std::size_t>& layers);

/// The bias of a layer by output channel; zeros when it has none.
std::vector<double> bias_of(const Graph& graph, const Node& layer);
void set_bias(Graph& graph, Node& layer, const std::vector<double>& bias);

/// The graph with the biases of the nodes that compute `results` as further inputs, one [channels] each, behind its own.
Graph with_bias_inputs(Graph graph, const std::vector<ValueId>& results);

/// Mean of each channel of a layer's result.
std::vector<double> channel_means(const Graph& graph, const Node& layer, std::span<const float> elements);

/// By how much to correct each channel, from how far its mean is off in each sample ([sample][channel]). Their mean, less what chance makes of
/// it: with d the mean and e its standard error, d (1 - e^2 / d^2), and nothing where e exceeds d. One sample tells nothing.
std::vector<double> significant_shift(const std::vector<std::vector<double>>& off);

}  // namespace tinytc
