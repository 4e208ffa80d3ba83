// Runs a float model and the int8 model that was made from it on the same samples, and compares them tensor by tensor.
#pragma once

#include "compiler/samples.h"
#include "compiler/validation.h"

namespace tinytc {

/// `real`: the float model. `quantized`: the same with QuantizeLinear and DequantizeLinear nodes (QDQ), before fuse_quantized; its tensors
/// have the names of the float model's. Both without loss and labels, with the same inputs and outputs, trained or untrained.
///
/// The int8 model runs as it is compiled: fused, by the kernels of the firmware, to the same bits. A stored tensor is compared, made
/// real again, with the float model's tensor of the same name. An output that is stored is compared by the scale of its QuantizeLinear.
///
/// UserError: labels for a model whose first output is no list of two classes or more, or a label that is none of them; a float model
/// whose tensors are not finite.
Validation validate(const Graph& real, const Graph& quantized, const Samples& samples);

}  // namespace tinytc
