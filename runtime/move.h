// Kernels that move elements without computing: strided copies (Transpose, Slice, Split, Concat, Expand),
// padding, gathering along an axis, and their gradients.
//
// A copy's shape says how far to step in x and y for each dimension; runtime/move_shapes.h builds it for each
// operator. Gradients of moves are moves too: Transpose, Slice, Split, Concat take `copy` with the strides
// exchanged (into zeros where elements were dropped), Expand takes sum_to (runtime/reduce.h).
#ifndef TINYTC_RUNTIME_MOVE_H
#define TINYTC_RUNTIME_MOVE_H

#include <cstdint>

#include "runtime/base.h"
#include "runtime/elementwise.h"
#include "runtime/indexing.h"
#include "runtime/reduce.h"

namespace tinytc {

/// y = value everywhere.
template <typename T>
TINYTC_INLINE void fill(const ElementwiseShape& shape, T value, T* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = value;
}

/// For each index below `dims`: the element of x at `x_offset` + index * x_strides goes to y at `y_offset` +
/// index * y_strides. The strides of y are such that y's positions ascend; those of x may be 0 (Expand) or
/// negative (Slice). In elements.
struct CopyShape {
  int rank;
  int dims[8];
  int x_strides[8];
  int y_strides[8];
  int x_offset;
  int y_offset;
};
template <typename V>
constexpr void visit(const CopyShape& s, V&& v) {
  v("rank", s.rank);
  v("dims", s.dims);
  v("x_strides", s.x_strides);
  v("y_strides", s.y_strides);
  v("x_offset", s.x_offset);
  v("y_offset", s.y_offset);
}

/// Copies elements of x to y; the elements of y between them stay.
template <typename T>
TINYTC_INLINE void copy(const CopyShape& shape, const T* x, T* y) {
  const int outer = shape.rank - 1;
  const int inner = shape.dims[outer];
  const int x_stride = shape.x_strides[outer];
  const int y_stride = shape.y_strides[outer];
  const int rows = element_count(outer, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int row = 0; row < rows; ++row) {
    const T* x_row = x + shape.x_offset + offset_of(outer, index, shape.x_strides);
    T* y_row = y + shape.y_offset + offset_of(outer, index, shape.y_strides);
    for (int i = 0; i < inner; ++i) y_row[i * y_stride] = x_row[i * x_stride];
    next_index(outer, shape.dims, index);
  }
}

/// One more than the largest distance by which a written position runs ahead of a position that is read
/// later. The step before one whose index in dimension d is not 0 and in all later dimensions is 0 has one
/// less there and the last index in the later ones. A step within trailing dimensions that repeat one element
/// of x (Expand) may overwrite it: with its own value.
constexpr int copy_lead_x(const CopyShape& s) {
  int lead = -(1 << 28);  // a single element: any distance
  int before = 0;         // largest y - x of the earlier dimensions
  for (int d = 0; d < s.rank; ++d) {
    int rest = 0;  // y's position at the last index of the later dimensions
    bool moves = s.x_strides[d] != 0;
    for (int e = d + 1; e < s.rank; ++e) {
      rest += (s.dims[e] - 1) * s.y_strides[e];
      moves = moves || s.x_strides[e] != 0;
    }
    const int gap = s.y_strides[d] - s.x_strides[d];
    const int reach = max_of(gap, (s.dims[d] - 1) * gap) - s.y_strides[d] + rest;
    if (s.dims[d] > 1 && moves) lead = max_of(lead, before + reach);
    before += max_of(0, (s.dims[d] - 1) * gap);
  }
  return lead + s.y_offset - s.x_offset + 1;
}

/// As copy, but adds to y.
template <typename T>
TINYTC_INLINE void copy_add(const CopyShape& shape, const T* x, T* y) {
  const int outer = shape.rank - 1;
  const int rows = element_count(outer, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int row = 0; row < rows; ++row) {
    const T* x_row = x + shape.x_offset + offset_of(outer, index, shape.x_strides);
    T* y_row = y + shape.y_offset + offset_of(outer, index, shape.y_strides);
    for (int i = 0; i < shape.dims[outer]; ++i)
      y_row[i * shape.y_strides[outer]] += x_row[i * shape.x_strides[outer]];
    next_index(outer, shape.dims, index);
  }
}

/// ONNX Pad: `before` elements are put before x in each dimension (negative: cut off), as many after it as
/// fill y's `dims`. `mode`: 0 constant, 1 edge, 2 reflect (pads are smaller than x), 3 wrap.
struct PadShape {
  int rank;
  int dims[8];
  int x_dims[8];
  int before[8];
  int mode;
};
template <typename V>
constexpr void visit(const PadShape& s, V&& v) {
  v("rank", s.rank);
  v("dims", s.dims);
  v("x_dims", s.x_dims);
  v("before", s.before);
  v("mode", s.mode);
}

/// The index in x that padding puts at `i` of y, or -1 for the constant.
TINYTC_INLINE int pad_source(const PadShape& shape, int d, int i) {
  const int size = shape.x_dims[d];
  const int at = i - shape.before[d];
  if (at >= 0 && at < size) return at;
  if (shape.mode == 1) return at < 0 ? 0 : size - 1;
  if (shape.mode == 2) return at < 0 ? -at : 2 * (size - 1) - at;
  if (shape.mode == 3) return (at % size + size) % size;
  return -1;
}

/// The position in x of what stands at `index` of y, or -1.
TINYTC_INLINE int pad_position(const PadShape& shape, const int* index) {
  int position = 0;
  bool inside = true;
  for (int d = 0; d < shape.rank; ++d) {
    const int source = pad_source(shape, d, index[d]);
    inside = inside && source >= 0;
    position = position * shape.x_dims[d] + source;
  }
  return inside ? position : -1;
}

/// y = x with padding. x: `x_dims`; y: `dims`, row-major.
template <typename T>
TINYTC_INLINE void pad(const PadShape& shape, T value, const T* x, T* y) {
  const int count = element_count(shape.rank, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < count; ++i) {
    const int position = pad_position(shape, index);
    y[i] = position < 0 ? value : x[position];
    next_index(shape.rank, shape.dims, index);
  }
}

/// dx = for each input the sum of the gradients of its copies, in y's order. dy: `dims`; dx: `x_dims`.
template <typename T>
TINYTC_INLINE void pad_grad(const PadShape& shape, const T* dy, T* dx) {
  fill(ElementwiseShape{element_count(shape.rank, shape.x_dims)}, static_cast<T>(0), dx);
  const int count = element_count(shape.rank, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < count; ++i) {
    const int position = pad_position(shape, index);
    if (position >= 0) dx[position] += dy[i];
    next_index(shape.rank, shape.dims, index);
  }
}

/// x is [outer][axis][inner]; `count` positions along the axis are taken.
struct GatherShape {
  int outer;
  int axis;
  int inner;
  int count;
};
template <typename V>
constexpr void visit(const GatherShape& s, V&& v) {
  v("outer", s.outer);
  v("axis", s.axis);
  v("inner", s.inner);
  v("count", s.count);
}

/// An index of ONNX as a position in [0, size): negative ones count from the end; others are cut off, so that
/// no index reads or writes outside the tensor.
template <typename Index>
TINYTC_INLINE int position_of(Index index, int size) {
  const Index from_start = index < 0 ? static_cast<Index>(index + size) : index;
  if (from_start < 0) return 0;
  return from_start < static_cast<Index>(size) ? static_cast<int>(from_start) : size - 1;
}

/// y[o][k] = x[o][index[k]]; ONNX Gather, and Resize in nearest mode with a table of positions. index:
/// `count` std::int32_t or std::int64_t; y: [outer][count][inner].
template <typename T, typename Index>
TINYTC_INLINE void gather(const GatherShape& shape, const T* x, const Index* index, T* y) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int k = 0; k < shape.count; ++k) {
      const T* from = x + (o * shape.axis + position_of(index[k], shape.axis)) * shape.inner;
      T* to = y + (o * shape.count + k) * shape.inner;
      for (int i = 0; i < shape.inner; ++i) to[i] = from[i];
    }
  }
}

/// dx = for each position of x the sum of the gradients of the places that it was gathered to. dy:
/// [outer][count][inner].
template <typename T, typename Index>
TINYTC_INLINE void gather_grad(const GatherShape& shape, const Index* index, const T* dy, T* dx) {
  fill(ElementwiseShape{shape.outer * shape.axis * shape.inner}, static_cast<T>(0), dx);
  for (int o = 0; o < shape.outer; ++o) {
    for (int k = 0; k < shape.count; ++k) {
      T* to = dx + (o * shape.axis + position_of(index[k], shape.axis)) * shape.inner;
      const T* from = dy + (o * shape.count + k) * shape.inner;
      for (int i = 0; i < shape.inner; ++i) to[i] += from[i];
    }
  }
}

/// gather_grad for a trained x (an embedding table): each finished sum goes to a sink. No buffer, but `axis`
/// passes over the indices.
template <typename T, typename Index, typename Sink>
TINYTC_INLINE void gather_weight_grad(const GatherShape& shape, const Index* index, const T* dy, Sink sink) {
  for (int row = 0; row < shape.outer * shape.axis; ++row) {
    const int o = row / shape.axis;
    for (int i = 0; i < shape.inner; ++i) {
      T sum = 0;
      for (int k = 0; k < shape.count; ++k) {
        const bool taken = position_of(index[k], shape.axis) == row - o * shape.axis;
        sum += taken ? dy[(o * shape.count + k) * shape.inner + i] : static_cast<T>(0);
      }
      sink(row * shape.inner + i, sum);
    }
  }
}

/// y[o][k][i] = x[o][index[o][k][i]][i]; ONNX GatherElements where only the axis differs. index, y:
/// [outer][count][inner].
template <typename T, typename Index>
TINYTC_INLINE void gather_elements(const GatherShape& shape, const T* x, const Index* index, T* y) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int j = 0; j < shape.count * shape.inner; ++j) {
      const int at = o * shape.count * shape.inner + j;
      y[at] = x[(o * shape.axis + position_of(index[at], shape.axis)) * shape.inner + j % shape.inner];
    }
  }
}

/// dx of gather_elements.
template <typename T, typename Index>
TINYTC_INLINE void gather_elements_grad(const GatherShape& shape, const Index* index, const T* dy, T* dx) {
  fill(ElementwiseShape{shape.outer * shape.axis * shape.inner}, static_cast<T>(0), dx);
  for (int o = 0; o < shape.outer; ++o) {
    for (int j = 0; j < shape.count * shape.inner; ++j) {
      const int at = o * shape.count * shape.inner + j;
      dx[(o * shape.axis + position_of(index[at], shape.axis)) * shape.inner + j % shape.inner] += dy[at];
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_MOVE_H
