// Running samples; see observe.h.
#include "codegen/observe.h"

#include <fmt/format.h>

#include <cmath>

#include "passes/find_masks.h"

namespace tinytc {

namespace {

constexpr int optimisation = 1;  // compiling takes longer than at 0, but each sample a fifth

Graph with_outputs(Graph graph, const std::vector<ValueId>& wanted) {
  graph.outputs = wanted;
  graph.loss = no_value;
  return graph;
}

}  // namespace

Observer::Observer(const Graph& graph, const std::vector<ValueId>& wanted, std::optional<std::size_t> own_inputs)
    : model_(with_outputs(graph, wanted), optimisation) {
  for (std::size_t i = 0; i < own_inputs.value_or(graph.inputs.size()); ++i)
    interface_.inputs.push_back(add_value(interface_, graph.value(graph.inputs[i])));
  const std::vector<bool> masks = find_masks(graph);
  for (ValueId id : wanted) {
    names_.push_back(graph.value(id).name);
    may_be_infinite_.push_back(masks[static_cast<std::size_t>(id)]);
  }
}

void Observer::run(const Samples& samples, const Visit& visit, int step) {
  for (int sample = 0; sample < samples.count; sample += step) {
    std::vector<Tensor> arguments = sample_arguments(samples, interface_, sample);
    arguments.insert(arguments.end(), others_.begin(), others_.end());
    const std::vector<Tensor> results = model_.run(arguments);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::span<const float> elements(reinterpret_cast<const float*>(results[i].data()), results[i].size() / sizeof(float));
      for (float element : elements)
        if (std::isnan(element) || (std::isinf(element) && !may_be_infinite_[i]))
          throw UserError(fmt::format("--calibrate: tensor '{}' is not finite for sample {}\n  hint: are the inputs scaled as the model expects?",
                                      printable(names_[i]), sample));
      visit(i, elements);
    }
  }
}

}  // namespace tinytc
