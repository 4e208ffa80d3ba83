// Elementwise kernels and pooling with int16 tensors among operands and results, beside int8 ones: sums, products,
// requantization, average pooling. (Maximum pooling
// is runtime/pool2d.h's, for any type.)
//
// How scales become integers stands in docs/quantization.md and in runtime/q_scale.h.
#ifndef TINYTC_RUNTIME_Q16_ELEMENTWISE_H
#define TINYTC_RUNTIME_Q16_ELEMENTWISE_H

#include "runtime/elementwise.h"
#include "runtime/q16_base.h"
#include "runtime/q_average_pool2d.h"
#include "runtime/q_elementwise.h"

namespace tinytc {

/// (a a_multiplier + b b_multiplier + offset) / 2^shift, rounded with ties to even, and the output's zero point
/// after it. Multipliers lie within +-2^30, shift in [1, 45]: sums stay below 2^62.
struct Q16Sum {
  std::int32_t a_multiplier;
  std::int32_t b_multiplier;
  std::int64_t offset;
  int shift;
};

template <typename Y>
TINYTC_INLINE Y q16_sum_element(const Q16Sum& f, int a, int b, const QOutput& out) {
  const std::int64_t sum = f.offset + static_cast<std::int64_t>(f.a_multiplier) * a + static_cast<std::int64_t>(f.b_multiplier) * b;
  return q16_clamp<Y>(q_shift_even(sum, f.shift) + out.zero_point, out);
}

/// The product of (a - a_zero_point) and (b - b_zero_point), below 2^31, times multiplier / 2^shift.
template <typename Y>
TINYTC_INLINE Y q16_product_element(const QProduct& f, int a, int b, const QOutput& out) {
  const std::int64_t product = static_cast<std::int64_t>((a - f.a_zero_point) * (b - f.b_zero_point)) * f.multiplier;
  return q16_clamp<Y>(q_shift_even(product, f.shift) + out.zero_point, out);
}

/// y = clamp(a + b), rescaled; also a - b. Each of a, b, y is int8 or int16; y may lie on an operand of its own
/// shape whose elements are as large.
template <typename A, typename B, typename Y>
TINYTC_INLINE void q16_add(const BroadcastShape& shape, const Q16Sum& f, const QOutput& out, const A* a, const B* b, Y* y) {
  const int count = element_count(shape.rank, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < count; ++i) {
    y[i] = q16_sum_element<Y>(f, a[offset_of(shape.rank, index, shape.a_strides)], b[offset_of(shape.rank, index, shape.b_strides)], out);
    next_index(shape.rank, shape.dims, index);
  }
}

/// y = clamp(zero point + round(scale (a - za)(b - zb))); f.shift is at least 1. Types and aliasing as q16_add.
template <typename A, typename B, typename Y>
TINYTC_INLINE void q16_mul(const BroadcastShape& shape, const QProduct& f, const QOutput& out, const A* a, const B* b, Y* y) {
  const int count = element_count(shape.rank, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < count; ++i) {
    y[i] = q16_product_element<Y>(f, a[offset_of(shape.rank, index, shape.a_strides)], b[offset_of(shape.rank, index, shape.b_strides)], out);
    next_index(shape.rank, shape.dims, index);
  }
}

/// y = x at another scale, zero point and width; b_multiplier is not used. y may lie on x if its elements are as
/// large.
template <typename X, typename Y>
TINYTC_INLINE void q16_requantize(const ElementwiseShape& shape, const Q16Sum& f, const QOutput& out, const X* x, Y* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = q16_sum_element<Y>(f, x[i], 0, out);
}

/// y = clamp(zero point + round(scale * sum of (x - x_zero_point))), ties to even: q_average_pool2d for int16 at
/// the input, the output or both. Windows have at most 2^15 elements. y must not overlap x.
template <typename X, typename Y>
TINYTC_INLINE void q16_average_pool2d(const Pool2dShape& s, int x_zero_point, const QScale& scale, const QOutput& out, const X* x, Y* y) {
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const QWindow window = q_pool2d_window(s, pixel);
    const int entry = q_pool2d_divisor(s, pixel, window) - 1;
    for (int c = 0; c < s.channels; ++c) {
      int sum = -window.rows * window.columns * x_zero_point;
      for (int ky = 0; ky < window.rows; ++ky) {
        const X* row = x + window.first + ky * s.dilation_h * s.in_w * s.channels + c;
        for (int kx = 0; kx < window.columns; ++kx) sum += row[kx * s.dilation_w * s.channels];
      }
      y[pixel * s.channels + c] = q16_clamp<Y>(q_mean_even(out.zero_point, sum, scale.multiplier[entry], scale.shift[entry]), out);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q16_ELEMENTWISE_H
