// What identifies a model and its checkpoints: hashes over names, types, elements and options, never over text or time.
#pragma once

#include "compiler/graph.h"
#include "passes/add_update.h"

namespace tinytc {

/// FNV-1a, 64 bits, over the structure and all elements of a graph.
std::uint64_t hash_of(const Graph& graph);

struct CheckpointFacts {
  std::uint64_t hash = 0;          // of the trained tensors' names and types, the optimizer's kind, and the frozen weights
  std::vector<std::string> order;  // names of parameters in graph order, then of states
};

/// `training`: the graph of train_step or accumulate, which owns the states; `model`: the imported graph with the roles chosen.
CheckpointFacts checkpoint_facts(const Graph& model, const std::vector<const Graph*>& training, const OptimizerOptions& optimizer);

}  // namespace tinytc
