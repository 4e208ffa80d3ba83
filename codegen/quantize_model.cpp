// Quantizing a float graph from samples; see quantize_model.h.
#include "codegen/quantize_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codegen/observe.h"
#include "compiler/op.h"
#include "passes/correct_bias.h"
#include "passes/equalize.h"
#include "passes/keep_float.h"
#include "passes/quantize.h"

namespace tinytc {

namespace {

/// All float tensors that depend on the inputs.
std::vector<ValueId> real_values(const Graph& graph) {
  std::vector<ValueId> values;
  for (ValueId id : graph.inputs)
    if (graph.type(id).dtype == DType::f32) values.push_back(id);
  for (const Node& node : graph.nodes)
    for (ValueId id : node.outputs)
      if (id != no_value && graph.type(id).dtype == DType::f32) values.push_back(id);
  return values;
}

std::vector<Histogram> histograms(Observer& observer, const Samples& samples, std::size_t count) {
  std::vector<Histogram> result(count);
  observer.run(samples, [&](std::size_t which, std::span<const float> elements) {
    if (elements.empty()) return;
    const auto [lo, hi] = std::minmax_element(elements.begin(), elements.end());
    result[which].lo = std::min(result[which].lo, double{*lo});
    result[which].hi = std::max(result[which].hi, double{*hi});
  });
  observer.run(samples, [&](std::size_t which, std::span<const float> elements) {
    if (std::isfinite(result[which].hi - result[which].lo)) result[which].add(elements);  // a mask is not stored
  });
  return result;
}

Ranges observe_ranges(const Graph& graph, const Samples& samples, Calibration method) {
  const std::vector<ValueId> values = real_values(graph);
  Observer observer(graph, values);
  const std::vector<Histogram> seen = histograms(observer, samples, values.size());
  Ranges ranges;
  for (std::size_t i = 0; i < values.size(); ++i) ranges[values[i]] = choose_range(seen[i], method);
  return ranges;
}

/// Equalizes pair after pair; what a pair changes in front of the next one is known without another run.
void equalize_layers(Graph& graph, const Samples& samples) {
  const std::vector<EqualizedPair> pairs = find_pairs(graph);
  if (pairs.empty()) return;
  std::vector<ValueId> between;
  std::vector<std::vector<double>> largest;
  for (const EqualizedPair& pair : pairs) {
    between.push_back(pair.between);
    largest.emplace_back(static_cast<std::size_t>(graph.shape(pair.between)[1] / pair.block), 0.0);
  }
  Observer(graph, between).run(samples, [&](std::size_t which, std::span<const float> elements) {
    const std::size_t rows = static_cast<std::size_t>(graph.shape(between[which])[0]) * largest[which].size();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      double& so_far = largest[which][i * rows / elements.size() % largest[which].size()];
      so_far = std::max(so_far, std::abs(double{elements[i]}));
    }
  });
  for (std::size_t p = 0; p < pairs.size(); ++p) equalize(graph, pairs[p], largest[p]);
}

constexpr double correction_macs = 4e9;  // that measuring biases may take; samples are left out evenly beyond that
constexpr int fewest_samples = 8;

std::vector<Tensor> bias_tensors(const Graph& graph, const std::vector<std::size_t>& layers) {
  std::vector<Tensor> tensors;
  for (std::size_t n : layers) tensors.push_back(encode(DType::f32, bias_of(graph, graph.nodes[n])));
  return tensors;
}

using Means = std::vector<std::vector<std::vector<double>>>;  // [layer][sample][channel]

Means observe_means(Observer& observer, const Graph& graph, const std::vector<std::size_t>& layers, const Samples& samples, int step) {
  Means means(layers.size());
  observer.run(samples, [&](std::size_t which, std::span<const float> elements) {
    means[which].push_back(channel_means(graph, graph.nodes[layers[which]], elements));
  }, step);
  return means;
}

/// Layer after layer, each measured with all before it corrected.
void correct_biases(Graph& graph, const QuantizationPlan& plan, const Ranges& ranges, const Samples& samples) {
  const std::vector<std::size_t> layers = corrected_layers(graph, plan);
  std::vector<ValueId> results;
  for (std::size_t n : layers) results.push_back(graph.nodes[n].outputs[0]);
  const double runs = correction_macs / (static_cast<double>(layer_macs(graph, layers)) * static_cast<double>(layers.size()) + 1);
  const int wanted = std::max(fewest_samples, static_cast<int>(std::min(runs, static_cast<double>(samples.count))));
  const int step = std::max(1, samples.count / wanted);
  Observer real(graph, results);
  const Means goal = observe_means(real, graph, layers, samples, step);
  Graph quantized = graph;
  insert_quantization(quantized, plan, ranges);
  Observer stored(with_bias_inputs(std::move(quantized), results), results, graph.inputs.size());
  for (std::size_t k = 0; k < layers.size(); ++k) {
    stored.set_other_inputs(bias_tensors(graph, layers));
    Means off = observe_means(stored, graph, layers, samples, step);
    for (std::size_t s = 0; s < off[k].size(); ++s)
      for (std::size_t c = 0; c < off[k][s].size(); ++c) off[k][s][c] -= goal[k][s][c];
    Node& layer = graph.nodes[layers[k]];
    const std::vector<double> shift = significant_shift(off[k]);
    std::vector<double> bias = bias_of(graph, layer);
    for (std::size_t c = 0; c < bias.size(); ++c) bias[c] -= shift[c];
    set_bias(graph, layer, bias);
  }
}

/// Inputs of which all samples hold one and the same number: nothing can be learned from them.
std::vector<std::string> find_constant_inputs(const Graph& graph, const Samples& samples) {
  std::vector<std::string> warnings;
  std::size_t which = 0;
  for (ValueId id : graph.inputs) {
    if (graph.value(id).role != Role::input) continue;
    const std::vector<float>& elements = samples.inputs.at(which++);
    if (elements.size() < 2 || std::any_of(elements.begin(), elements.end(), [&](float x) { return x != elements[0]; })) continue;
    warnings.push_back(fmt::format("{}: all elements of '{}' are {} in all samples; the ranges found with it are likely wrong", printable(samples.file),
                                   printable(graph.value(id).name), elements[0]));
  }
  return warnings;
}

[[noreturn]] void refuse_all_float(const std::vector<std::string>& keep_float) {
  throw UserError(keep_float.empty() ? "--quantize int8: no operator of the model has an int8 form\n  hint: leave --quantize out"
                                     : "--quantize int8: with --keep-float no operator becomes int8\n  hint: keep fewer nodes in float32; --dump import lists them");
}

}  // namespace

QuantizeFacts quantize_model(Graph& graph, const Samples& samples, const QuantizeOptions& options) {
  const auto is_conversion = [](const Node& node) { return node.op->quantizes || node.op->dequantizes; };
  if (std::any_of(graph.nodes.begin(), graph.nodes.end(), is_conversion))
    throw UserError("--quantize: the model is quantized already\n  hint: its own scales are used without --quantize");
  if (samples.count < 1) throw UserError("--calibrate: there is no sample in it");
  absorb_biases(graph);
  if (options.equalize) equalize_layers(graph, samples);
  const Ranges ranges = observe_ranges(graph, samples, options.calibration);
  const QuantizationPlan plan = plan_quantization(graph, ranges, options.names);
  QuantizeFacts facts{std::string(name_of(options.calibration)), samples.count, {}, graph, find_constant_inputs(graph, samples)};
  if (std::none_of(plan.is_stored.begin(), plan.is_stored.end(), [](bool is_stored) { return is_stored; })) refuse_all_float(options.names.keep_float);
  mark_kept(graph, options.names.keep_float);
  correct_biases(graph, plan, ranges, samples);
  insert_quantization(graph, plan, ranges);
  return facts;
}

}  // namespace tinytc
