// Kernels that treat each element by itself: unary functions and their gradients, binary functions with
// numpy's broadcasting and their gradients, select (ONNX Where).
//
// What is computed is a functor: runtime/activations.h has the unary ones, runtime/arithmetic.h the binary
// ones. All tensors are row-major; elements are computed in ascending order, which is what the overlap traits
// rest on.
#ifndef TINYTC_RUNTIME_ELEMENTWISE_H
#define TINYTC_RUNTIME_ELEMENTWISE_H

#include <cstdint>

#include "runtime/base.h"
#include "runtime/indexing.h"

namespace tinytc {

/// `count` elements.
struct ElementwiseShape {
  int count;
};
template <typename V>
constexpr void visit(const ElementwiseShape& s, V&& v) {
  v("count", s.count);
}

/// y = f(x). `F` has `T forward(T x) const`.
template <typename T, typename F>
TINYTC_INLINE void unary(const ElementwiseShape& shape, F f, const T* x, T* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = f.forward(x[i]);
}
constexpr int unary_lead_x(const ElementwiseShape&) { return 0; }

/// dx = dy * f'(x). `F` has `T gradient(T x, T y) const` and the constants `needs_x`, `needs_y`; a tensor
/// that is not needed may be null. x, y, dy, dx: `count` elements.
template <typename T, typename F>
TINYTC_INLINE void unary_grad(const ElementwiseShape& shape, F f, const T* x, const T* y, const T* dy,
                              T* dx) {
  for (int i = 0; i < shape.count; ++i) {
    const T input = F::needs_x ? x[i] : static_cast<T>(0);
    const T output = F::needs_y ? y[i] : static_cast<T>(0);
    dx[i] = dy[i] * f.gradient(input, output);
  }
}
constexpr int unary_grad_lead_x(const ElementwiseShape&) { return 0; }
constexpr int unary_grad_lead_y(const ElementwiseShape&) { return 0; }
constexpr int unary_grad_lead_dy(const ElementwiseShape&) { return 0; }

/// Two operands broadcast to the output's `dims`; an operand's stride (elements) is 0 along the dimensions
/// that it lacks. Made by make_broadcast_shape; `rank` is at least 1.
struct BroadcastShape {
  int rank;
  int dims[8];
  int a_strides[8];
  int b_strides[8];
};
template <typename V>
constexpr void visit(const BroadcastShape& s, V&& v) {
  v("rank", s.rank);
  v("dims", s.dims);
  v("a_strides", s.a_strides);
  v("b_strides", s.b_strides);
}

/// Position of the output element minus position of the operand's element, largest over all outputs: how far
/// an operand with these strides must lie above the output.
constexpr int broadcast_lead(int rank, const int* dims, const int* strides) {
  int lead = 0;
  int output_stride = 1;
  for (int d = rank - 1; d >= 0; --d) {
    lead += (dims[d] - 1) * (output_stride - strides[d]);
    output_stride *= dims[d];
  }
  return lead;
}

/// y = f(a, b) with broadcasting. `F` has `forward(T a, T b) const`, whose result type is R (std::uint8_t for
/// comparisons). The overlap traits hold where R is not wider than T.
template <typename T, typename F, typename R>
TINYTC_INLINE void binary(const BroadcastShape& shape, F f, const T* a, const T* b, R* y) {
  const int outer = shape.rank - 1;
  const int inner = shape.dims[outer];
  const int a_stride = shape.a_strides[outer];
  const int b_stride = shape.b_strides[outer];
  const int rows = element_count(outer, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int row = 0; row < rows; ++row) {
    const T* a_row = a + offset_of(outer, index, shape.a_strides);
    const T* b_row = b + offset_of(outer, index, shape.b_strides);
    R* y_row = y + row * inner;
    for (int i = 0; i < inner; ++i) y_row[i] = f.forward(a_row[i * a_stride], b_row[i * b_stride]);
    next_index(outer, shape.dims, index);
  }
}
constexpr int binary_lead_a(const BroadcastShape& s) { return broadcast_lead(s.rank, s.dims, s.a_strides); }
constexpr int binary_lead_b(const BroadcastShape& s) { return broadcast_lead(s.rank, s.dims, s.b_strides); }

/// da = dy * df/da (or df/db for `wrt_b`), at the output's shape; sum_to (runtime/reduce.h) brings it back to
/// the operand's. `F` has `T gradient_a(T a, T b) const` and `gradient_b`. dy, gradient: as many elements as
/// the output.
template <typename T, typename F>
TINYTC_INLINE void binary_grad(const BroadcastShape& shape, F f, bool wrt_b, const T* a, const T* b,
                               const T* dy, T* gradient) {
  const int outer = shape.rank - 1;
  const int inner = shape.dims[outer];
  const int rows = element_count(outer, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int row = 0; row < rows; ++row) {
    const T* a_row = a + offset_of(outer, index, shape.a_strides);
    const T* b_row = b + offset_of(outer, index, shape.b_strides);
    for (int i = 0; i < inner; ++i) {
      const T a_value = a_row[i * shape.a_strides[outer]];
      const T b_value = b_row[i * shape.b_strides[outer]];
      const T slope = wrt_b ? f.gradient_b(a_value, b_value) : f.gradient_a(a_value, b_value);
      gradient[row * inner + i] = dy[row * inner + i] * slope;
    }
    next_index(outer, shape.dims, index);
  }
}
constexpr int binary_grad_lead_a(const BroadcastShape& s) {
  return broadcast_lead(s.rank, s.dims, s.a_strides);
}
constexpr int binary_grad_lead_b(const BroadcastShape& s) {
  return broadcast_lead(s.rank, s.dims, s.b_strides);
}
constexpr int binary_grad_lead_dy(const BroadcastShape&) { return 0; }

/// As BroadcastShape, with a condition. Made by make_select_shape.
struct SelectShape {
  int rank;
  int dims[8];
  int condition_strides[8];
  int a_strides[8];
  int b_strides[8];
};
template <typename V>
constexpr void visit(const SelectShape& s, V&& v) {
  v("rank", s.rank);
  v("dims", s.dims);
  v("condition_strides", s.condition_strides);
  v("a_strides", s.a_strides);
  v("b_strides", s.b_strides);
}

/// y = condition ? a : b with broadcasting; ONNX Where. condition: 0 or 1.
template <typename T>
TINYTC_INLINE void select(const SelectShape& shape, const std::uint8_t* condition, const T* a, const T* b,
                          T* y) {
  const int outer = shape.rank - 1;
  const int inner = shape.dims[outer];
  const int rows = element_count(outer, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int row = 0; row < rows; ++row) {
    const std::uint8_t* condition_row = condition + offset_of(outer, index, shape.condition_strides);
    const T* a_row = a + offset_of(outer, index, shape.a_strides);
    const T* b_row = b + offset_of(outer, index, shape.b_strides);
    for (int i = 0; i < inner; ++i) {
      const bool chosen = condition_row[i * shape.condition_strides[outer]] != 0;
      y[row * inner + i] = chosen ? a_row[i * shape.a_strides[outer]] : b_row[i * shape.b_strides[outer]];
    }
    next_index(outer, shape.dims, index);
  }
}
constexpr int select_lead_a(const SelectShape& s) { return broadcast_lead(s.rank, s.dims, s.a_strides); }
constexpr int select_lead_b(const SelectShape& s) { return broadcast_lead(s.rank, s.dims, s.b_strides); }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_ELEMENTWISE_H
