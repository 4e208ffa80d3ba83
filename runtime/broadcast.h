// For the compiler and tests, not for firmware: builds the shapes of the broadcasting kernels from ONNX
// shapes.
//
// Dimensions are aligned at their ends, those of size 1 are dropped, and neighbours that every operand treats
// alike are merged, so that most layers become one or two loops.
#ifndef TINYTC_RUNTIME_BROADCAST_H
#define TINYTC_RUNTIME_BROADCAST_H

#include "runtime/elementwise.h"

namespace tinytc {

/// An operand's ONNX shape: `dims[0, rank)`, rank at most 8.
struct OperandDims {
  int rank;
  int dims[8];
};

/// The size of an operand along dimension d of an output of `rank` dimensions.
constexpr int aligned_dim(const OperandDims& operand, int rank, int d) {
  return d < rank - operand.rank ? 1 : operand.dims[d - (rank - operand.rank)];
}

/// Row-major strides of up to four operands, broadcast together.
struct CollapsedBroadcast {
  int rank;
  int dims[8];
  int strides[4][8];
};

/// Broadcasts `count` operands (at most 4) together. The caller has checked that their shapes are compatible.
constexpr CollapsedBroadcast collapse_broadcast(const OperandDims* operands, int count) {
  int rank = 1;
  for (int k = 0; k < count; ++k) rank = max_of(rank, operands[k].rank);
  CollapsedBroadcast result{};
  bool present[4][8] = {};
  for (int d = 0; d < rank; ++d) {
    int size = 1;
    for (int k = 0; k < count; ++k) {
      const int dim = aligned_dim(operands[k], rank, d);
      size = dim == 1 ? size : dim;
    }
    if (size == 1) continue;
    bool same = result.rank > 0;
    for (int k = 0; k < count; ++k) {
      const bool has = aligned_dim(operands[k], rank, d) != 1;
      same = same && has == present[k][result.rank - 1];
    }
    if (!same) result.dims[result.rank++] = 1;
    result.dims[result.rank - 1] *= size;
    for (int k = 0; k < count; ++k) present[k][result.rank - 1] = aligned_dim(operands[k], rank, d) != 1;
  }
  if (result.rank == 0) result.dims[result.rank++] = 1;
  for (int k = 0; k < count; ++k) {
    int stride = 1;
    for (int d = result.rank - 1; d >= 0; --d) {
      result.strides[k][d] = present[k][d] ? stride : 0;
      stride *= present[k][d] ? result.dims[d] : 1;
    }
  }
  return result;
}

/// The shape of `binary` and `binary_grad`.
constexpr BroadcastShape make_broadcast_shape(const OperandDims& a, const OperandDims& b) {
  const OperandDims operands[2] = {a, b};
  const CollapsedBroadcast collapsed = collapse_broadcast(operands, 2);
  BroadcastShape shape{};
  shape.rank = collapsed.rank;
  for (int d = 0; d < 8; ++d) {
    shape.dims[d] = collapsed.dims[d];
    shape.a_strides[d] = collapsed.strides[0][d];
    shape.b_strides[d] = collapsed.strides[1][d];
  }
  return shape;
}

/// The shape of `select`.
constexpr SelectShape make_select_shape(const OperandDims& condition, const OperandDims& a,
                                        const OperandDims& b) {
  const OperandDims operands[3] = {condition, a, b};
  const CollapsedBroadcast collapsed = collapse_broadcast(operands, 3);
  SelectShape shape{};
  shape.rank = collapsed.rank;
  for (int d = 0; d < 8; ++d) {
    shape.dims[d] = collapsed.dims[d];
    shape.condition_strides[d] = collapsed.strides[0][d];
    shape.a_strides[d] = collapsed.strides[1][d];
    shape.b_strides[d] = collapsed.strides[2][d];
  }
  return shape;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_BROADCAST_H
