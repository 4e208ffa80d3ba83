// For the compiler and tests, not for firmware: builds the shapes of `copy` from ONNX shapes and attributes.
//
// Each builder lists the dimensions in y's row-major order; merge_copy then joins neighbours that both sides
// walk in one stride, so that most copies end in one or two loops.
#ifndef TINYTC_RUNTIME_MOVE_SHAPES_H
#define TINYTC_RUNTIME_MOVE_SHAPES_H

#include "runtime/broadcast.h"
#include "runtime/move.h"

namespace tinytc {

/// The same copy with dimensions of size 1 dropped and neighbours joined.
constexpr CopyShape merge_copy(const CopyShape& s) {
  CopyShape merged{};
  merged.x_offset = s.x_offset;
  merged.y_offset = s.y_offset;
  for (int d = 0; d < s.rank; ++d) {
    if (s.dims[d] == 1) continue;
    const int last = merged.rank - 1;
    const bool joined = merged.rank > 0 && merged.x_strides[last] == s.x_strides[d] * s.dims[d] &&
                        merged.y_strides[last] == s.y_strides[d] * s.dims[d];
    const int at = joined ? last : merged.rank++;
    merged.dims[at] = joined ? merged.dims[at] * s.dims[d] : s.dims[d];
    merged.x_strides[at] = s.x_strides[d];
    merged.y_strides[at] = s.y_strides[d];
  }
  if (merged.rank == 0) {
    merged.dims[0] = 1;
    merged.rank = 1;
  }
  return merged;
}

/// Row-major stride (elements) of dimension d.
constexpr int row_major_stride(const OperandDims& x, int d) {
  int stride = 1;
  for (int k = d + 1; k < x.rank; ++k) stride *= x.dims[k];
  return stride;
}

/// ONNX Transpose: y's dimension d is x's dimension perm[d].
constexpr CopyShape make_transpose_shape(const OperandDims& x, const int* perm) {
  CopyShape s{};
  s.rank = x.rank;
  int stride = 1;
  for (int d = x.rank - 1; d >= 0; --d) {
    s.dims[d] = x.dims[perm[d]];
    s.x_strides[d] = row_major_stride(x, perm[d]);
    s.y_strides[d] = stride;
    stride *= s.dims[d];
  }
  return merge_copy(s);
}

/// ONNX Slice: y has `sizes` and begins at x's `starts` (0-based, clamped) with `steps`, which may be
/// negative.
constexpr CopyShape make_slice_shape(const OperandDims& x, const int* starts, const int* steps,
                                     const int* sizes) {
  CopyShape s{};
  s.rank = x.rank;
  int stride = 1;
  for (int d = x.rank - 1; d >= 0; --d) {
    s.dims[d] = sizes[d];
    s.x_strides[d] = row_major_stride(x, d) * steps[d];
    s.x_offset += row_major_stride(x, d) * starts[d];
    s.y_strides[d] = stride;
    stride *= sizes[d];
  }
  return merge_copy(s);
}

/// The gradient's copy: from y's positions back to x's (dx is filled with 0 before, if elements of x were
/// dropped). Not for Expand. The dimensions are put in the order of dx, and walked forwards there.
constexpr CopyShape make_reversed_copy(const CopyShape& forward) {
  CopyShape s{};
  s.rank = forward.rank;
  s.x_offset = forward.y_offset;
  s.y_offset = forward.x_offset;
  bool used[8] = {};
  for (int d = 0; d < s.rank; ++d) {
    int widest = -1;
    int widest_stride = -1;
    for (int k = 0; k < s.rank; ++k) {
      const int stride = forward.x_strides[k] < 0 ? -forward.x_strides[k] : forward.x_strides[k];
      if (used[k] || stride <= widest_stride) continue;
      widest = k;
      widest_stride = stride;
    }
    used[widest] = true;
    const bool backwards = forward.x_strides[widest] < 0;
    const int last = forward.dims[widest] - 1;
    s.dims[d] = forward.dims[widest];
    s.y_strides[d] = widest_stride;
    s.x_strides[d] = backwards ? -forward.y_strides[widest] : forward.y_strides[widest];
    s.y_offset += backwards ? last * forward.x_strides[widest] : 0;
    s.x_offset += backwards ? last * forward.y_strides[widest] : 0;
  }
  return merge_copy(s);
}

/// One input of Concat, or backwards one output of Split: x is [outer][piece], y [outer][whole]; x goes to
/// `position` of each row. Elements along the axis are multiplied by what follows it.
constexpr CopyShape make_concat_shape(int outer, int piece, int whole, int position) {
  return merge_copy(CopyShape{2, {outer, piece}, {piece, 1}, {whole, 1}, 0, position});
}
constexpr CopyShape make_split_shape(int outer, int piece, int whole, int position) {
  return merge_copy(CopyShape{2, {outer, piece}, {whole, 1}, {piece, 1}, position, 0});
}

/// ONNX Expand to y's dimensions.
constexpr CopyShape make_expand_shape(const OperandDims& x, const OperandDims& y) {
  const OperandDims operands[2] = {x, y};
  const CollapsedBroadcast collapsed = collapse_broadcast(operands, 2);
  CopyShape s{};
  s.rank = collapsed.rank;
  int stride = 1;
  for (int d = collapsed.rank - 1; d >= 0; --d) {
    s.dims[d] = collapsed.dims[d];
    s.x_strides[d] = collapsed.strides[0][d];
    s.y_strides[d] = stride;
    stride *= collapsed.dims[d];
  }
  return s;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_MOVE_SHAPES_H
