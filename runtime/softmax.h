// Softmax and LogSoftmax along one axis, and their gradients.
//
// The axis lies between the merged dimensions before and after it (AxisShape, runtime/reduce.h): tensors are
// [outer][axis][inner], row-major. Each line is shifted by its largest element, so nothing overflows.
// Everything runs through memory in ascending order: the `inner` interleaved lines side by side, with one
// running maximum and sum each in `scratch`, which inner = 1 does without. So x may lie on y. Sums run along
// the axis in ascending order.
#ifndef TINYTC_RUNTIME_SOFTMAX_H
#define TINYTC_RUNTIME_SOFTMAX_H

#include "runtime/math.h"
#include "runtime/reduce.h"

namespace tinytc {

/// Elements for `values` running values a line.
constexpr int line_scratch(const AxisShape& s, int values) { return s.inner == 1 ? 0 : values * s.inner; }

/// largest[i] = the maximum of line i; x: [axis][inner].
template <typename T>
TINYTC_INLINE void line_maxima(const AxisShape& shape, const T* x, T* largest) {
  for (int i = 0; i < shape.inner; ++i) largest[i] = x[i];
  for (int k = 1; k < shape.axis; ++k) {
    for (int i = 0; i < shape.inner; ++i) largest[i] = max_of(largest[i], x[k * shape.inner + i]);
  }
}

/// y = e^x / sum of e^x along the axis; ONNX Softmax. scratch: softmax_scratch elements, null if 0.
template <typename T>
TINYTC_INLINE void softmax(const AxisShape& shape, const T* x, T* y, T* scratch) {
  T local[2];
  T* largest = shape.inner == 1 ? local : scratch;
  T* sum = shape.inner == 1 ? local + 1 : scratch + shape.inner;
  const int block = shape.axis * shape.inner;
  for (int o = 0; o < shape.outer; ++o) {
    const T* from = x + o * block;
    T* to = y + o * block;
    line_maxima(shape, from, largest);
    for (int i = 0; i < shape.inner; ++i) sum[i] = 0;
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) {
        const T grown = math_exp(from[k * shape.inner + i] - largest[i]);
        to[k * shape.inner + i] = grown;
        sum[i] += grown;
      }
    }
    for (int i = 0; i < shape.inner; ++i) sum[i] = static_cast<T>(1) / sum[i];
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) to[k * shape.inner + i] = to[k * shape.inner + i] * sum[i];
    }
  }
}
constexpr int softmax_scratch(const AxisShape& s) { return line_scratch(s, 2); }
constexpr int softmax_lead_x(const AxisShape&) { return 0; }

/// y = x - log of the sum of e^x along the axis; ONNX LogSoftmax. scratch: log_softmax_scratch elements, null
/// if 0.
template <typename T>
TINYTC_INLINE void log_softmax(const AxisShape& shape, const T* x, T* y, T* scratch) {
  T local[2];
  T* largest = shape.inner == 1 ? local : scratch;
  T* sum = shape.inner == 1 ? local + 1 : scratch + shape.inner;
  const int block = shape.axis * shape.inner;
  for (int o = 0; o < shape.outer; ++o) {
    const T* from = x + o * block;
    T* to = y + o * block;
    line_maxima(shape, from, largest);
    for (int i = 0; i < shape.inner; ++i) sum[i] = 0;
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) sum[i] += math_exp(from[k * shape.inner + i] - largest[i]);
    }
    for (int i = 0; i < shape.inner; ++i) sum[i] = math_log(sum[i]);
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i)
        to[k * shape.inner + i] = from[k * shape.inner + i] - largest[i] - sum[i];
    }
  }
}
constexpr int log_softmax_scratch(const AxisShape& s) { return line_scratch(s, 2); }
constexpr int log_softmax_lead_x(const AxisShape&) { return 0; }

/// dx = y (dy - sum of dy y). y: softmax's output. scratch: softmax_grad_scratch elements, null if 0.
template <typename T>
TINYTC_INLINE void softmax_grad(const AxisShape& shape, const T* y, const T* dy, T* dx, T* scratch) {
  T local[1];
  T* sum = shape.inner == 1 ? local : scratch;
  const int block = shape.axis * shape.inner;
  for (int o = 0; o < shape.outer; ++o) {
    const int start = o * block;
    for (int i = 0; i < shape.inner; ++i) sum[i] = 0;
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) {
        const int at = start + k * shape.inner + i;
        sum[i] = mul_add(sum[i], dy[at], y[at]);
      }
    }
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) {
        const int at = start + k * shape.inner + i;
        dx[at] = y[at] * (dy[at] - sum[i]);
      }
    }
  }
}
constexpr int softmax_grad_scratch(const AxisShape& s) { return line_scratch(s, 1); }
constexpr int softmax_grad_lead_y(const AxisShape&) { return 0; }
constexpr int softmax_grad_lead_dy(const AxisShape&) { return 0; }

/// dx = dy - e^y sum of dy. y: log_softmax's output. scratch: log_softmax_grad_scratch elements, null if 0.
template <typename T>
TINYTC_INLINE void log_softmax_grad(const AxisShape& shape, const T* y, const T* dy, T* dx, T* scratch) {
  T local[1];
  T* sum = shape.inner == 1 ? local : scratch;
  const int block = shape.axis * shape.inner;
  for (int o = 0; o < shape.outer; ++o) {
    const int start = o * block;
    for (int i = 0; i < shape.inner; ++i) sum[i] = 0;
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) sum[i] += dy[start + k * shape.inner + i];
    }
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) {
        const int at = start + k * shape.inner + i;
        dx[at] = mul_add(dy[at], -math_exp(y[at]), sum[i]);
      }
    }
  }
}
constexpr int log_softmax_grad_scratch(const AxisShape& s) { return line_scratch(s, 1); }
constexpr int log_softmax_grad_lead_y(const AxisShape&) { return 0; }
constexpr int log_softmax_grad_lead_dy(const AxisShape&) { return 0; }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_SOFTMAX_H
