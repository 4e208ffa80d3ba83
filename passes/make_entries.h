// From the imported model to one graph an entry point of the emitted code.
#pragma once

#include "compiler/op.h"
#include "passes/add_update.h"

namespace tinytc {

struct TrainingOptions {
  OptimizerOptions optimizer;
  bool accumulate = false;
  bool batch_norm_trains = false;  // statistics of each call instead of the running ones
};

/// The graphs of predict, and, with a loss, evaluate, and, with `training`, train_step or accumulate and apply. In training,
/// operators that behave differently then (Dropout, BatchNormalization with batch_norm_trains) take their training form. UserError: an
/// input or output of a prediction has no elements.
std::map<Entry, Graph> make_entries(const Graph& model, const TrainingOptions* training);

/// For randomize(): parameter name -> bound of the uniform distribution that PyTorch draws initial weights and biases of that layer from,
/// 1 / sqrt(fan in) (torch.nn.Linear, torch.nn.Conv2d). Other parameters are absent and keep their factory values.
std::map<std::string, double> initial_bounds(const Graph& model);

}  // namespace tinytc
