// Bias correction; see correct_bias.h.
#include "passes/correct_bias.h"

#include <algorithm>

#include "compiler/op.h"
#include "passes/find_stored.h"

namespace tinytc {

namespace {

std::size_t channel_count(const Graph& graph, const Node& layer) {
  return static_cast<std::size_t>(graph.shape(layer.inputs[1])[static_cast<std::size_t>(layer.op->weight.output_axis(graph, layer))]);
}

void set_input(Node& node, std::size_t i, ValueId id) {
  node.inputs.resize(std::max(node.inputs.size(), i + 1), no_value);
  node.inputs[i] = id;
}

}  // namespace

std::vector<std::size_t> corrected_layers(const Graph& graph, const QuantizationPlan& plan) {
  std::vector<std::size_t> layers;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (plan.is_stored[n] && is_layer_constant(graph, graph.nodes[n], 1)) layers.push_back(n);
  return layers;
}

std::int64_t layer_macs(const Graph& graph, const std::vector<std::size_t>& layers) {
  std::int64_t macs = 0;
  for (std::size_t n : layers) {
    const Node& layer = graph.nodes[n];
    macs += element_count(graph.shape(layer.inputs[1])) / static_cast<std::int64_t>(channel_count(graph, layer)) * element_count(graph.shape(layer.outputs[0]));
  }
  return macs;
}

std::vector<double> bias_of(const Graph& graph, const Node& layer) {
  std::vector<double> bias(channel_count(graph, layer), 0);
  if (!is_layer_constant(graph, layer, 2)) return bias;
  const std::vector<double> given = numbers_of(graph.value(layer.inputs[2]));
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = given[given.size() == 1 ? 0 : c];
  return bias;
}

void set_bias(Graph& graph, Node& layer, const std::vector<double>& bias) {
  const std::string name = is_layer_constant(graph, layer, 2) ? graph.value(layer.inputs[2]).name : layer.location.node + "/bias";
  set_input(layer, 2, add_constant(graph, name, DType::f32, {static_cast<std::int64_t>(bias.size())}, bias));
  if (layer.attributes.has("beta")) layer.attributes.set("beta", 1.0);  // layers with another factor have no int8 form
}

Graph with_bias_inputs(Graph graph, const std::vector<ValueId>& results) {
  const std::vector<int> producer = producers(graph);
  for (ValueId result : results) {
    Node& layer = graph.nodes[static_cast<std::size_t>(producer[static_cast<std::size_t>(result)])];
    const auto axis = layer.op->weight.channels_last ? graph.shape(result).size() - 1 : std::size_t{1};
    const ValueId bias = add_value(graph, {"bias of " + layer.location.node, {DType::f32, {graph.shape(result)[axis]}}, Role::input});
    graph.inputs.push_back(bias);
    set_input(layer, 2, bias);
  }
  return graph;
}

std::vector<double> channel_means(const Graph& graph, const Node& layer, std::span<const float> elements) {
  const std::size_t channels = channel_count(graph, layer);
  const Shape& shape = graph.shape(layer.outputs[0]);
  std::size_t inner = 1;
  for (std::size_t d = 2; d < shape.size() && !layer.op->weight.channels_last; ++d) inner *= static_cast<std::size_t>(shape[d]);
  std::vector<double> sums(channels, 0);
  for (std::size_t i = 0; i < elements.size(); ++i) sums[i / inner % channels] += double{elements[i]};
  for (double& sum : sums) sum *= static_cast<double>(channels) / static_cast<double>(elements.size());
  return sums;
}

std::vector<double> significant_shift(const std::vector<std::vector<double>>& off) {
  const auto count = static_cast<double>(off.size());
  if (off.size() < 2) return std::vector<double>(off.empty() ? 0 : off[0].size(), 0);
  std::vector<double> result;
  for (std::size_t c = 0; c < off[0].size(); ++c) {
    double sum = 0, squares = 0;
    for (const std::vector<double>& sample : off) sum += sample[c];
    const double mean = sum / count;
    for (const std::vector<double>& sample : off) squares += (sample[c] - mean) * (sample[c] - mean);
    const double squared_error = squares / (count - 1) / count;
    result.push_back(mean == 0 ? 0 : mean * std::max(0.0, 1 - squared_error / (mean * mean)));
  }
  return result;
}

}  // namespace tinytc
