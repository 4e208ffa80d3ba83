// For the compiler and tests, not for firmware: builds the shapes of the reductions from ONNX shapes.
#ifndef TINYTC_RUNTIME_REDUCE_SHAPES_H
#define TINYTC_RUNTIME_REDUCE_SHAPES_H

#include "runtime/broadcast.h"
#include "runtime/reduce.h"

namespace tinytc {

/// The shape of a reduction of x over the dimensions d with `reduced[d]`; neighbours of one kind are merged,
/// ones dropped.
constexpr ReduceShape make_reduce_shape(const OperandDims& x, const bool* reduced) {
  ReduceShape s{};
  int stride = 1;
  bool last_kept = false, last_reduced = false;  // what the dimension after this one is
  for (int d = x.rank - 1; d >= 0; --d) {
    const int size = x.dims[d];
    if (size == 1) continue;
    int& rank = reduced[d] ? s.reduced_rank : s.kept_rank;
    int* dims = reduced[d] ? s.reduced_dims : s.kept_dims;
    int* strides = reduced[d] ? s.reduced_strides : s.kept_strides;
    if (reduced[d] ? last_reduced : last_kept) {
      dims[0] *= size;
    } else {
      for (int k = rank; k > 0; --k) {
        dims[k] = dims[k - 1];
        strides[k] = strides[k - 1];
      }
      dims[0] = size;
      strides[0] = stride;
      ++rank;
    }
    last_reduced = reduced[d];
    last_kept = !reduced[d];
    stride *= size;
  }
  if (s.kept_rank == 0) s.kept_dims[s.kept_rank++] = 1;
  if (s.reduced_rank == 0) s.reduced_dims[s.reduced_rank++] = 1;
  return s;
}

/// The shape of sum_to: `y` is the broadcast shape, `operand` the one that was broadcast to it.
constexpr ReduceShape make_sum_to_shape(const OperandDims& y, const OperandDims& operand) {
  bool reduced[8] = {};
  for (int d = 0; d < y.rank; ++d) reduced[d] = aligned_dim(operand, y.rank, d) == 1 && y.dims[d] != 1;
  return make_reduce_shape(y, reduced);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_REDUCE_SHAPES_H
