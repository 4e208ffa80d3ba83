// Reductions over any axes and their gradients, the gradient of broadcasting, and ArgMax/ArgMin.
//
// What is reduced is a functor (SumOf, MaxOf, ...): `start(first)`, `step(sum, x)`, `finish(sum, count)`, and
// for the gradient `gradient(x, y, count)`. For each output, in row-major order, its inputs are taken in
// row-major order: that order fixes the bits.
#ifndef TINYTC_RUNTIME_REDUCE_H
#define TINYTC_RUNTIME_REDUCE_H

#include "runtime/base.h"
#include "runtime/indexing.h"
#include "runtime/integers.h"
#include "runtime/math.h"
#include "runtime/sinks.h"

namespace tinytc {

/// The kept and the reduced dimensions of a row-major input, each with its strides in it (elements). Both
/// ranks are at least 1 (a dimension of size 1 stands for none). Made by make_reduce_shape and
/// make_sum_to_shape.
struct ReduceShape {
  int kept_rank;
  int kept_dims[8];
  int kept_strides[8];
  int reduced_rank;
  int reduced_dims[8];
  int reduced_strides[8];
};
template <typename V>
constexpr void visit(const ReduceShape& s, V&& v) {
  v("kept_rank", s.kept_rank);
  v("kept_dims", s.kept_dims);
  v("kept_strides", s.kept_strides);
  v("reduced_rank", s.reduced_rank);
  v("reduced_dims", s.reduced_dims);
  v("reduced_strides", s.reduced_strides);
}

/// The sum; also of integers.
template <typename T>
struct SumOf {
  TINYTC_INLINE T start(T) const { return static_cast<T>(0); }
  TINYTC_INLINE T step(T sum, T x) const { return wrapping_sum(sum, x); }
  TINYTC_INLINE T finish(T sum, int) const { return sum; }
  TINYTC_INLINE T gradient(T, T, int) const { return static_cast<T>(1); }
};

/// The mean.
template <typename T>
struct MeanOf {
  TINYTC_INLINE T start(T) const { return static_cast<T>(0); }
  TINYTC_INLINE T step(T sum, T x) const { return wrapping_sum(sum, x); }
  TINYTC_INLINE T finish(T sum, int count) const { return static_cast<T>(sum / static_cast<T>(count)); }
  TINYTC_INLINE T gradient(T, T, int count) const { return static_cast<T>(1) / static_cast<T>(count); }
};

/// The largest and the smallest; NaN if one is. Their gradient is reduce_extreme_grad.
template <typename T>
struct MaxOf {
  TINYTC_INLINE T start(T first) const { return first; }
  TINYTC_INLINE T step(T best, T x) const { return x > best || x != x ? x : best; }
  TINYTC_INLINE T finish(T best, int) const { return best; }
};
template <typename T>
struct MinOf {
  TINYTC_INLINE T start(T first) const { return first; }
  TINYTC_INLINE T step(T best, T x) const { return x < best || x != x ? x : best; }
  TINYTC_INLINE T finish(T best, int) const { return best; }
};

/// The product; no gradient.
template <typename T>
struct ProdOf {
  TINYTC_INLINE T start(T) const { return static_cast<T>(1); }
  TINYTC_INLINE T step(T product, T x) const { return wrapping_product(product, x); }
  TINYTC_INLINE T finish(T product, int) const { return product; }
};

/// The sum of absolute values.
template <typename T>
struct L1Of {
  TINYTC_INLINE T start(T) const { return static_cast<T>(0); }
  TINYTC_INLINE T step(T sum, T x) const { return static_cast<T>(x < 0 ? sum - x : sum + x); }
  TINYTC_INLINE T finish(T sum, int) const { return sum; }
  TINYTC_INLINE T gradient(T x, T, int) const { return static_cast<T>(x > 0 ? 1 : (x < 0 ? -1 : 0)); }
};

/// The square root of the sum of squares; its gradient at 0 is 0.
template <typename T>
struct L2Of {
  TINYTC_INLINE T start(T) const { return static_cast<T>(0); }
  TINYTC_INLINE T step(T sum, T x) const { return mul_add(sum, x, x); }
  TINYTC_INLINE T finish(T sum, int) const { return math_sqrt(sum); }
  TINYTC_INLINE T gradient(T x, T y, int) const { return y == 0 ? static_cast<T>(0) : x / y; }
};

/// The sum of squares.
template <typename T>
struct SumSquareOf {
  TINYTC_INLINE T start(T) const { return static_cast<T>(0); }
  TINYTC_INLINE T step(T sum, T x) const { return mul_add(sum, x, x); }
  TINYTC_INLINE T finish(T sum, int) const { return sum; }
  TINYTC_INLINE T gradient(T x, T, int) const { return x + x; }
};

/// The logarithm of the sum.
template <typename T>
struct LogSumOf {
  TINYTC_INLINE T start(T) const { return static_cast<T>(0); }
  TINYTC_INLINE T step(T sum, T x) const { return sum + x; }
  TINYTC_INLINE T finish(T sum, int) const { return math_log(sum); }
  TINYTC_INLINE T gradient(T, T y, int) const { return math_exp(-y); }
};

/// A sum of exponentials relative to their largest exponent, which reduce_log_sum_exp finds first; its
/// gradient.
template <typename T>
struct LogSumExpOf {
  T largest;
  TINYTC_INLINE T start(T) const { return static_cast<T>(0); }
  TINYTC_INLINE T step(T sum, T x) const { return sum + math_exp(x - largest); }
  TINYTC_INLINE T finish(T sum, int) const { return largest + math_log(sum); }
  TINYTC_INLINE T gradient(T x, T y, int) const { return math_exp(x - y); }
};

/// The reduction of the inputs of one output; `x` points at the first of them.
template <typename T, typename F>
TINYTC_INLINE T reduce_one(const ReduceShape& shape, F f, const T* x) {
  const int outer = shape.reduced_rank - 1;
  const int inner = shape.reduced_dims[outer];
  const int stride = shape.reduced_strides[outer];
  const int rows = element_count(outer, shape.reduced_dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  T sum = f.start(x[0]);
  for (int row = 0; row < rows; ++row) {
    const T* x_row = x + offset_of(outer, index, shape.reduced_strides);
    for (int i = 0; i < inner; ++i) sum = f.step(sum, x_row[i * stride]);
    next_index(outer, shape.reduced_dims, index);
  }
  return f.finish(sum, rows * inner);
}

/// Reduces x and hands each result with its row-major position to a sink: the gradient of a broadcast bias
/// goes straight into its update.
template <typename T, typename F, typename Sink>
TINYTC_INLINE void reduce_into(const ReduceShape& shape, F f, const T* x, Sink sink) {
  const int outputs = element_count(shape.kept_rank, shape.kept_dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < outputs; ++i) {
    sink(i, reduce_one(shape, f, x + offset_of(shape.kept_rank, index, shape.kept_strides)));
    next_index(shape.kept_rank, shape.kept_dims, index);
  }
}

/// y = f over the reduced dimensions of x. x: the input; y: the kept dimensions, row-major.
template <typename T, typename F>
TINYTC_INLINE void reduce(const ReduceShape& shape, F f, const T* x, T* y) {
  reduce_into(shape, f, x, StoreGradient<T>{y});
}

/// Output i is written after its inputs are read, and the first input of a later output j lies at or above j:
/// the output may even run ahead of the input by the smallest such gap.
constexpr int reduce_lead_x(const ReduceShape& s) {
  int gap = element_count(s.kept_rank, s.kept_dims) * element_count(s.reduced_rank, s.reduced_dims);
  int output_stride = 1;
  for (int d = s.kept_rank - 1; d >= 0; --d) {
    if (s.kept_dims[d] > 1) gap = min_of(gap, s.kept_strides[d] - output_stride);
    output_stride *= s.kept_dims[d];
  }
  return -gap;
}

/// y = log of the sum of e^x over the reduced dimensions, without overflow.
template <typename T>
TINYTC_INLINE void reduce_log_sum_exp(const ReduceShape& shape, const T* x, T* y) {
  const int outputs = element_count(shape.kept_rank, shape.kept_dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < outputs; ++i) {
    const T* first = x + offset_of(shape.kept_rank, index, shape.kept_strides);
    const T largest = reduce_one(shape, MaxOf<T>{}, first);
    const bool finite = math_abs(largest) < infinity<T>();
    y[i] = finite ? reduce_one(shape, LogSumExpOf<T>{largest}, first) : largest;
    next_index(shape.kept_rank, shape.kept_dims, index);
  }
}
constexpr int reduce_log_sum_exp_lead_x(const ReduceShape& s) { return reduce_lead_x(s); }

/// dx = dy * df/dx of a reduction; y is its output, x its input. y, dy: the kept dimensions; x, dx: the
/// input's.
template <typename T, typename F>
TINYTC_INLINE void reduce_grad(const ReduceShape& shape, F f, const T* x, const T* y, const T* dy, T* dx) {
  const int outputs = element_count(shape.kept_rank, shape.kept_dims);
  const int inputs = element_count(shape.reduced_rank, shape.reduced_dims);
  int kept[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < outputs; ++i) {
    const int first = offset_of(shape.kept_rank, kept, shape.kept_strides);
    int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int j = 0; j < inputs; ++j) {
      const int position = first + offset_of(shape.reduced_rank, index, shape.reduced_strides);
      dx[position] = dy[i] * f.gradient(x[position], y[i], inputs);
      next_index(shape.reduced_rank, shape.reduced_dims, index);
    }
    next_index(shape.kept_rank, shape.kept_dims, kept);
  }
}

/// In place if the inputs of each output follow each other, so that the gradient is written in ascending
/// order.
constexpr int reduce_grad_lead_x(const ReduceShape& s) {
  const int outputs = element_count(s.kept_rank, s.kept_dims);
  const int inputs = element_count(s.reduced_rank, s.reduced_dims);
  const bool ascending =
      s.kept_rank == 1 && s.reduced_rank == 1 && (outputs == 1 || s.kept_strides[0] == inputs);
  return ascending ? 0 : outputs * inputs;
}

/// dx of MaxOf and MinOf: dy is shared evenly among the inputs that equal y (as PyTorch's amax). Arguments as
/// reduce_grad.
template <typename T>
TINYTC_INLINE void reduce_extreme_grad(const ReduceShape& shape, const T* x, const T* y, const T* dy, T* dx) {
  const int outputs = element_count(shape.kept_rank, shape.kept_dims);
  const int inputs = element_count(shape.reduced_rank, shape.reduced_dims);
  int kept[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < outputs; ++i) {
    const int first = offset_of(shape.kept_rank, kept, shape.kept_strides);
    int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    int ties = 0;
    for (int j = 0; j < inputs; ++j) {
      ties += x[first + offset_of(shape.reduced_rank, index, shape.reduced_strides)] == y[i] ? 1 : 0;
      next_index(shape.reduced_rank, shape.reduced_dims, index);
    }
    const T share = dy[i] / static_cast<T>(max_of(ties, 1));
    for (int j = 0; j < inputs; ++j) {
      const int position = first + offset_of(shape.reduced_rank, index, shape.reduced_strides);
      dx[position] = x[position] == y[i] ? share : static_cast<T>(0);
      next_index(shape.reduced_rank, shape.reduced_dims, index);
    }
    next_index(shape.kept_rank, shape.kept_dims, kept);
  }
}

/// The gradient of broadcasting: dy summed over the dimensions along which the operand was repeated, into a
/// sink at the operand's row-major positions.
template <typename T, typename Sink>
TINYTC_INLINE void sum_to(const ReduceShape& shape, const T* dy, Sink sink) {
  reduce_into(shape, SumOf<T>{}, dy, sink);
}
constexpr int sum_to_lead_dy(const ReduceShape& s) { return reduce_lead_x(s); }

/// An axis between the dimensions before it and those after it, each merged into one.
struct AxisShape {
  int outer;
  int axis;
  int inner;
};
template <typename V>
constexpr void visit(const AxisShape& s, V&& v) {
  v("outer", s.outer);
  v("axis", s.axis);
  v("inner", s.inner);
}

/// y = position of the largest (`smallest`: the smallest) along the axis, of equal ones the first
/// (`select_last`: the last). NaN never wins over a number. x: [outer][axis][inner]; y: [outer][inner],
/// std::int32_t or std::int64_t.
template <typename T, typename Index>
TINYTC_INLINE void arg_extreme(const AxisShape& shape, bool smallest, bool select_last, const T* x,
                               Index* y) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int i = 0; i < shape.inner; ++i) {
      const T* line = x + o * shape.axis * shape.inner + i;
      int best = 0;
      for (int k = 1; k < shape.axis; ++k) {
        const T value = line[k * shape.inner];
        const T leader = line[best * shape.inner];
        const bool better = smallest ? value < leader : leader < value;
        best = better || leader != leader || (select_last && value == leader) ? k : best;
      }
      y[o * shape.inner + i] = static_cast<Index>(best);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_REDUCE_H
