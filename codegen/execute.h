// The evaluator: runs a Graph on the host through the same lowering, planning and kernels as the firmware.
#pragma once

#include <memory>

#include "compiler/program.h"

namespace tinytc {

using Tensor = std::vector<std::byte>;  // elements in row-major order

/// A graph compiled for the host. States and parameters start at their initial values and are kept from run to run.
class HostModel {
 public:
  /// `optimisation`: as for CompiledProgram; 0 suits one run over little data.
  explicit HostModel(const Graph& graph, int optimisation = 0);
  /// The same for a planned program with the entry point `run`.
  explicit HostModel(Program program, int optimisation = 0);
  ~HostModel();
  HostModel(HostModel&&) noexcept;

  /// Runs the graph once. `inputs`: one tensor for each of graph.inputs, then one for graph.learning_rate if there is one. Returns the
  /// graph's outputs, then the loss if there is one. InternalError when a tensor's size does not fit.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs);
  /// The present elements of a parameter or state.
  Tensor persistent(const std::string& name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Computes what depends on constants only (passes/fold says what, `dequantize` as there) and puts it in.
void fold_constants(Graph& graph, bool dequantize);

/// One run of a graph: lowered, planned, compiled and called.
std::vector<Tensor> execute(const Graph& graph, const std::vector<Tensor>& inputs, int optimisation = 0);

}  // namespace tinytc
