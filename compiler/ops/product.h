// Shapes of MatMul, for real and for stored numbers.
#pragma once

#include "compiler/op.h"
#include "runtime/gemm.h"

namespace tinytc {

/// Output of MatMul of inputs 0 and 1, with the attributes transA and transB; fails with a message that names the node.
Shape matmul_output(const TypeContext& context);
/// Extents and strides of the same; batches that both operands walk through evenly are one dimension.
GemmShape matmul_shape(const LowerContext& context);

}  // namespace tinytc
