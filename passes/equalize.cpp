// Equalization; see equalize.h.
#include "passes/equalize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/op.h"
#include "passes/find_stored.h"

namespace tinytc {

namespace {

constexpr double activation_share[] = {0, 0.25, 0.5, 0.75, 1};  // of the differences that goes into the weights
// A channel that was small in the samples may be larger on the device, where its new scale would clip it. So no channel counts as smaller
// than a 16th of the largest, and networks are left alone that have little to gain.
constexpr double smallest_channel = 1.0 / 16;
constexpr double worthwhile = 0.25;  // of the noise

bool is_layer(const Graph& graph, const Node& node) {
  return is_layer_constant(graph, node, 1) && graph.type(node.inputs[1]).dtype == DType::f32 && node.inputs.size() <= 3 &&
         (node.inputs.size() < 3 || node.inputs[2] == no_value || is_layer_constant(graph, node, 2));
}

/// The pair that begins with node `n`, if one does.
std::optional<EqualizedPair> pair_from(const Graph& graph, const std::vector<std::vector<int>>& readers, const std::vector<int>& uses, std::size_t n) {
  const Node& first = graph.nodes[n];
  const auto axis_of = [&](const Node& layer, ValueId id) { return layer.op->weight.channels_last ? graph.shape(id).size() - 1 : std::size_t{1}; };
  if (!is_layer(graph, first) || axis_of(first, first.outputs[0]) != 1) return std::nullopt;
  EqualizedPair pair{n, 0, first.outputs[0], 1};
  while (uses[static_cast<std::size_t>(pair.between)] == 1 && readers[static_cast<std::size_t>(pair.between)].size() == 1) {
    pair.second = static_cast<std::size_t>(readers[static_cast<std::size_t>(pair.between)][0]);
    const Node& next = graph.nodes[pair.second];
    if (next.inputs[0] != pair.between || next.outputs.size() != 1) return std::nullopt;
    const Shape &x = graph.shape(pair.between), &y = graph.shape(next.outputs[0]);
    if (is_layer(graph, next)) return axis_of(next, pair.between) == 1 ? std::optional(pair) : std::nullopt;
    const bool flattens = next.op->move.moves && next.op->may_view && y.size() == 2 && x.size() >= 2 && x[0] == y[0];
    if (flattens && x[1] != 0) pair.block *= y[1] / x[1];
    else if (!next.op->scales_with_channels) return std::nullopt;
    pair.between = next.outputs[0];
  }
  return std::nullopt;
}

std::int64_t output_channel(const Graph& graph, const Node& layer, std::int64_t index) {
  const Shape& shape = graph.shape(layer.inputs[1]);
  const auto axis = static_cast<std::size_t>(layer.op->weight.output_axis(graph, layer));
  std::int64_t inner = 1;
  for (std::size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  return index / inner % shape[axis];
}

/// The second layer's weights, by channel of the first and by output.
class SecondLayer {
 public:
  SecondLayer(const Graph& graph, const EqualizedPair& pair, std::size_t channels)
      : largest(channels, 0), squares(channels, 0), weights_(numbers_of(graph.value(graph.nodes[pair.second].inputs[1]))) {
    const Node& layer = graph.nodes[pair.second];
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      channel_.push_back(static_cast<std::size_t>(layer.op->weight.input_channel(graph, layer, index) / pair.block));
      output_.push_back(static_cast<std::size_t>(output_channel(graph, layer, index)));
      largest[channel_[i]] = std::max(largest[channel_[i]], std::abs(weights_[i]));
      squares[channel_[i]] += weights_[i] * weights_[i];
      outputs_ = std::max(outputs_, output_[i] + 1);
    }
  }

  std::vector<double> largest, squares;  // of the weights, by channel

  /// The noise in all sums when channel c is divided by factor[c]: a twelfth of the squared step for each product's two operands.
  double noise(const std::vector<double>& range, const std::vector<double>& factor) const {
    double x_range = 0, sum = 0;
    for (std::size_t c = 0; c < range.size(); ++c) x_range = std::max(x_range, range[c] / factor[c]);
    for (std::size_t c = 0; c < range.size(); ++c) sum += factor[c] * factor[c] * squares[c] * (x_range / 255) * (x_range / 255);
    std::vector<double> w_range(outputs_, 0), power(outputs_, 0);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const double x = range[channel_[i]] / factor[channel_[i]] / 3;  // three deviations are the range
      w_range[output_[i]] = std::max(w_range[output_[i]], std::abs(weights_[i]) * factor[channel_[i]]);
      power[output_[i]] += x * x;
    }
    for (std::size_t o = 0; o < outputs_; ++o) sum += power[o] * (w_range[o] / 127) * (w_range[o] / 127);
    return sum;
  }

  std::vector<double> scaled(const std::vector<double>& factor) const {
    std::vector<double> result = weights_;
    for (std::size_t i = 0; i < result.size(); ++i) result[i] *= factor[channel_[i]];
    return result;
  }

 private:
  std::vector<double> weights_;
  std::vector<std::size_t> channel_, output_;
  std::size_t outputs_ = 0;
};

/// Powers of two near range^share / weight^(1 - share), around 1; channels without range or weights keep 1.
std::vector<double> factors(const std::vector<double>& range, const std::vector<double>& weight, double share) {
  std::vector<double> exponents;
  double sum = 0, count = 0;
  for (std::size_t c = 0; c < range.size(); ++c) {
    const bool is_used = range[c] > 0 && weight[c] > 0;
    exponents.push_back(is_used ? share * std::log2(range[c]) - (1 - share) * std::log2(weight[c]) : std::numeric_limits<double>::quiet_NaN());
    if (is_used) sum += exponents.back(), ++count;
  }
  std::vector<double> result;
  for (double exponent : exponents)
    result.push_back(std::isnan(exponent) ? 1 : std::exp2(std::nearbyint(exponent - sum / count)));
  return result;
}

/// A layer's weight and bias with each output channel divided.
void divide_outputs(Graph& graph, Node& layer, const std::vector<double>& factor) {
  std::vector<double> weight = numbers_of(graph.value(layer.inputs[1]));
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] /= factor[static_cast<std::size_t>(output_channel(graph, layer, static_cast<std::int64_t>(i)))];
  const Value old = graph.value(layer.inputs[1]);
  layer.inputs[1] = add_constant(graph, old.name, DType::f32, old.type.shape, weight);
  if (layer.inputs.size() < 3 || layer.inputs[2] == no_value) return;
  const Value old_bias = graph.value(layer.inputs[2]);
  const std::vector<double> given = numbers_of(old_bias);
  std::vector<double> bias;
  for (std::size_t c = 0; c < factor.size(); ++c) bias.push_back(given[given.size() == 1 ? 0 : c] / factor[c]);
  layer.inputs[2] = add_constant(graph, old_bias.name, DType::f32, {static_cast<std::int64_t>(bias.size())}, bias);
}

}  // namespace

std::vector<EqualizedPair> find_pairs(const Graph& graph) {
  const std::vector<std::vector<int>> readers = consumers(graph);
  const std::vector<int> uses = use_counts(graph);
  std::vector<EqualizedPair> pairs;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (const std::optional<EqualizedPair> pair = pair_from(graph, readers, uses, n)) pairs.push_back(*pair);
  return pairs;
}

bool equalize(Graph& graph, const EqualizedPair& pair, std::vector<double> largest) {
  const SecondLayer second(graph, pair, largest.size());
  std::vector<double> best(largest.size(), 1);
  double least = worthwhile * second.noise(largest, best);
  bool changed = false;
  const double floor = smallest_channel * *std::max_element(largest.begin(), largest.end());
  for (double& range : largest) range = std::max(range, floor);
  for (double share : activation_share) {
    const std::vector<double> candidate = factors(largest, second.largest, share);
    const double noise = second.noise(largest, candidate);
    if (noise < least) least = noise, best = candidate, changed = true;
  }
  if (!changed) return false;
  divide_outputs(graph, graph.nodes[pair.first], best);
  const Value old = graph.value(graph.nodes[pair.second].inputs[1]);
  graph.nodes[pair.second].inputs[1] = add_constant(graph, old.name, DType::f32, old.type.shape, second.scaled(best));
  return true;
}

}  // namespace tinytc
