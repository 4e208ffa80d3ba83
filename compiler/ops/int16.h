// Quantization rules of operators with int16 tensors among operands and result; the int8 rules hand over to them
// (QuantizeContext::is_wide). docs/quantization.md, "int16 activations", is the specification.
#pragma once

#include "compiler/op.h"

namespace tinytc::int16 {

ValueId quantized_conv(QuantizeContext& context);
/// Gemm and MatMul of an activation and a constant matrix with output channels on `channel_axis`.
ValueId quantized_dense(QuantizeContext& context, std::size_t channel_axis);
/// a + sign * b.
ValueId quantized_sum(QuantizeContext& context, double sign);
ValueId quantized_mul(QuantizeContext& context);

}  // namespace tinytc::int16
