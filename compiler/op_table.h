// The families of operators; each returns the rows of one file of compiler/ops/.
#pragma once

#include "compiler/op.h"

namespace tinytc {

using OpRows = std::vector<OpDef>;

OpRows batch_norm_ops();
OpRows binary_ops();
OpRows convolution_ops();
OpRows dropout_ops();
OpRows gemm_ops();
OpRows index_ops();
OpRows int16_ops();
OpRows int8_convolution_ops();
OpRows int8_dense_ops();
OpRows int8_elementwise_ops();
OpRows int8_matmul_ops();
OpRows int8_pool_ops();
OpRows int8_residual_ops();
OpRows integer_ops();
OpRows layer_norm_ops();
OpRows loss_ops();
OpRows movement_ops();
OpRows optimizer_ops();
OpRows pool_ops();
OpRows quantize_ops();
OpRows reduce_ops();
OpRows repeat_ops();
OpRows resize_ops();
OpRows slice_ops();
OpRows softmax_ops();
OpRows unary_ops();
OpRows view_ops();

}  // namespace tinytc
