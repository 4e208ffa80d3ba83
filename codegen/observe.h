// What a graph computes from samples, tensor by tensor: statistics for quantization come from here.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "codegen/execute.h"
#include "compiler/samples.h"

namespace tinytc {

/// A graph compiled so that it hands out some of its float tensors.
class Observer {
 public:
  /// `wanted`: values of the graph, float32. `own_inputs`: so many of the graph's inputs take samples, all when it is absent.
  Observer(const Graph& graph, const std::vector<ValueId>& wanted, std::optional<std::size_t> own_inputs = std::nullopt);

  using Visit = std::function<void(std::size_t which, std::span<const float> elements)>;
  /// Runs every `step`-th sample from the first on, and shows each wanted tensor of each sample, in the order of `wanted`. Memory does not
  /// grow with the number of samples. UserError when a tensor holds NaN, or infinity that comes from no mask (passes/find_masks).
  void run(const Samples& samples, const Visit& visit, int step = 1);
  /// What the inputs behind those of samples hold from now on.
  void set_other_inputs(std::vector<Tensor> tensors) { others_ = std::move(tensors); }

 private:
  Graph interface_;  // the inputs that take samples
  std::vector<Tensor> others_;
  std::vector<std::string> names_;
  std::vector<bool> may_be_infinite_;
  HostModel model_;
};

}  // namespace tinytc
