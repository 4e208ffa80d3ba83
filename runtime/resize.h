// Resize along one axis by linear interpolation; OneHot and CumSum.
//
// ONNX's linear Resize is separable: one call an axis. Nearest mode is `gather` (runtime/move.h). The
// positions and weights of the interpolation are tables that the compiler computes (runtime/resize_tables.h)
// and puts in flash, so that none of ONNX's coordinate transforms exists in the firmware.
#ifndef TINYTC_RUNTIME_RESIZE_H
#define TINYTC_RUNTIME_RESIZE_H

#include <cstdint>

#include "runtime/move.h"
#include "runtime/reduce.h"

namespace tinytc {

/// y[o][k] = (1 - weight[k]) x[o][low[k]] + weight[k] x[o][low[k] + 1]. x: [outer][axis][inner]; y:
/// [outer][count][inner]; low: `count` positions in [0, axis - 1]; at the last position the weight is 0 and
/// no element beyond is read.
template <typename T>
TINYTC_INLINE void resize_linear(const GatherShape& shape, const std::int32_t* low, const T* weight,
                                 const T* x, T* y) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int k = 0; k < shape.count; ++k) {
      const int position = static_cast<int>(low[k]);
      const T* first = x + (o * shape.axis + position) * shape.inner;
      const T* second = first + (position + 1 < shape.axis ? shape.inner : 0);
      T* to = y + (o * shape.count + k) * shape.inner;
      const T share = weight[k];
      const T rest = static_cast<T>(1) - share;
      for (int i = 0; i < shape.inner; ++i) to[i] = mul_add(rounded(rest * first[i]), share, second[i]);
    }
  }
}
constexpr int resize_linear_macs(const GatherShape& s) { return 2 * s.outer * s.count * s.inner; }

/// dx of resize_linear. dy: [outer][count][inner]; dx: [outer][axis][inner].
template <typename T>
TINYTC_INLINE void resize_linear_grad(const GatherShape& shape, const std::int32_t* low, const T* weight,
                                      const T* dy, T* dx) {
  fill(ElementwiseShape{shape.outer * shape.axis * shape.inner}, static_cast<T>(0), dx);
  for (int o = 0; o < shape.outer; ++o) {
    for (int k = 0; k < shape.count; ++k) {
      const int position = static_cast<int>(low[k]);
      T* first = dx + (o * shape.axis + position) * shape.inner;
      T* second = first + (position + 1 < shape.axis ? shape.inner : 0);
      const T* from = dy + (o * shape.count + k) * shape.inner;
      const T share = weight[k];
      const T rest = static_cast<T>(1) - share;
      for (int i = 0; i < shape.inner; ++i) {
        first[i] = mul_add(first[i], rest, from[i]);
        second[i] = mul_add(second[i], share, from[i]);
      }
    }
  }
}

/// ONNX OneHot: y[o][k][i] = index[o][i] is k ? on : off; an index outside [-axis, axis) gives off
/// everywhere. index: [outer][inner]; y: [outer][axis][inner].
template <typename T, typename Index>
TINYTC_INLINE void one_hot(const AxisShape& shape, T off, T on, const Index* index, T* y) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int k = 0; k < shape.axis; ++k) {
      for (int i = 0; i < shape.inner; ++i) {
        const Index wanted = index[o * shape.inner + i];
        y[(o * shape.axis + k) * shape.inner + i] = wanted == k || wanted == k - shape.axis ? on : off;
      }
    }
  }
}

/// ONNX CumSum along the axis; `exclusive` leaves out the element itself, `reverse` starts at the end. x, y:
/// [outer][axis][inner]. Its gradient is itself with `reverse` inverted.
template <typename T>
TINYTC_INLINE void cumulative_sum(const AxisShape& shape, bool exclusive, bool reverse, const T* x, T* y) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int i = 0; i < shape.inner; ++i) {
      T sum = 0;
      for (int k = 0; k < shape.axis; ++k) {
        const int at = (o * shape.axis + (reverse ? shape.axis - 1 - k : k)) * shape.inner + i;
        const T next = wrapping_sum(sum, x[at]);
        y[at] = exclusive ? sum : next;
        sum = next;
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_RESIZE_H
