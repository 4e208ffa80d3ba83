// From a float graph and samples to a quantized graph: runs the graph for the statistics that the passes need, and the passes.
#pragma once

#include "compiler/samples.h"
#include "passes/quantize.h"

namespace tinytc {

struct QuantizeOptions {
  Calibration calibration = Calibration::minmax;
  QuantizationNames names;
  bool equalize = false;  // passes/equalize
};

/// Adds constants to biases, equalizes, chooses ranges, corrects biases, and rewrites `graph` (simplified, constants folded, nothing trained)
/// with QuantizeLinear and DequantizeLinear. UserError when the graph is
/// quantized already, when there are no samples, or when nothing in it has an int8 form.
QuantizeFacts quantize_model(Graph& graph, const Samples& samples, const QuantizeOptions& options);

}  // namespace tinytc
