// Optimizer steps: what happens to a tensor once its gradient is known.
#pragma once

#include "passes/add_backward.h"

namespace tinytc {

/// Hyperparameters, with PyTorch's defaults and meanings (torch.optim.SGD, Adam, AdamW).
struct OptimizerOptions {
  std::string kind = "sgd";  // sgd | adam | adamw
  double momentum = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;  // adamw: 0.01 unless the user says otherwise
  bool nesterov = false;
};

/// Appends one update a parameter, with the states that it needs, and the input graph.learning_rate. An update whose gradient comes from
/// a kernel that takes a Sink, and goes nowhere else, is fused into that kernel, so that the gradient is never stored.
void add_update(Graph& graph, const std::vector<ParameterGradient>& gradients, const OptimizerOptions& options);

/// Appends the sums that --accumulate keeps: one state a parameter, and the number of calls.
void add_accumulation(Graph& graph, const std::vector<ParameterGradient>& gradients);

/// Whether a state of that name is one of those sums: they belong to the weights of the moment, no checkpoint has them.
bool is_accumulated(const std::string& state);

/// The graph of apply(): the update from the mean of the gradients that the states of `accumulating` (a graph after
/// add_accumulation) hold; it clears them.
Graph make_apply_graph(const Graph& accumulating, const OptimizerOptions& options);

}  // namespace tinytc
