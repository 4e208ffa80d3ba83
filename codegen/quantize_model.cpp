// Quantizing a float graph from samples; see quantize_model.h.
#include "codegen/quantize_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/observe.h"
#include "compiler/op.h"
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
    const auto [lo, hi] = std::minmax_element(elements.begin(), elements.end());
    if (elements.empty()) return;
    result[which].lo = std::min(result[which].lo, double{*lo});
    result[which].hi = std::max(result[which].hi, double{*hi});
  });
  observer.run(samples, [&](std::size_t which, std::span<const float> elements) { result[which].add(elements); });
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

}  // namespace

QuantizeFacts quantize_model(Graph& graph, const Samples& samples, const QuantizeOptions& options) {
  const auto is_conversion = [](const Node& node) { return node.op->quantizes || node.op->dequantizes; };
  if (std::any_of(graph.nodes.begin(), graph.nodes.end(), is_conversion))
    throw UserError("--quantize: the model is quantized already\n  hint: its own scales are used without --quantize");
  if (samples.count < 1) throw UserError("--calibrate: there is no sample in it");
  absorb_biases(graph);
  const Ranges ranges = observe_ranges(graph, samples, options.calibration);
  const QuantizationPlan plan = plan_quantization(graph, ranges, options.keep_float);
  QuantizeFacts facts{std::string(name_of(options.calibration)), samples.count, {}};
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (!plan.is_stored[n]) facts.float_nodes.push_back(graph.nodes[n].location);
  if (facts.float_nodes.size() == graph.nodes.size()) throw UserError("--quantize: no operator of the model has an int8 form");
  insert_quantization(graph, plan, ranges);
  return facts;
}

}  // namespace tinytc
