// An int8 convolution and the sum of its result with another tensor in one pass: y = clamp(a + b) with a the
// convolution's own int8 result, rounded and clamped as if it were stored, and b the residual.
//
// The convolution's kernel runs on a few output rows at a time, as on an image of its own, into scratch;
// q_add then takes them from there. So the bits are those of the two kernels one after the other, and y may
// replace the residual while the convolution's input is still needed: its result never needs a buffer.
//
// One function serves all kernels: a layer is a struct of what the kernel takes beside shape, x, y and
// scratch, and q_layer calls it.
#ifndef TINYTC_RUNTIME_Q_CONV2D_SUM_H
#define TINYTC_RUNTIME_Q_CONV2D_SUM_H

#include "runtime/q_conv2d.h"
#include "runtime/q_conv2d_bare.h"
#include "runtime/q_conv2d_plain.h"
#include "runtime/q_elementwise.h"
#include "runtime/q_grouped_conv2d.h"
#include "runtime/q_grouped_narrow.h"
#include "runtime/q_narrow_conv2d.h"
#include "runtime/q_scalar_conv2d.h"
#include "runtime/q_vector_conv2d.h"
#include "runtime/q_widened_conv2d.h"
#include "runtime/q_winograd.h"

namespace tinytc {

/// A kernel whose weights hold its biases and multipliers: q_conv2d, q_grouped_conv2d, q_widened_conv2d.
using QPackedKernel = void(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                           const std::int8_t* shift, const QOutput& out, std::int8_t* y,
                           std::uint32_t* scratch);
/// A kernel with biases and scales apart: q_conv2d_plain, q_narrow_conv2d, q_grouped_narrow, q_scalar_conv2d.
template <typename Weight>
using QScaledKernel = void(const QConv2dShape& s, const std::int8_t* x, const Weight* w,
                           const std::int32_t* bias, const QScale& scale, const QOutput& out, std::int8_t* y,
                           std::uint32_t* scratch);

/// What a QPackedKernel takes.
template <QPackedKernel& kernel>
struct QPackedConv {
  const std::uint32_t* w;
  const std::int8_t* shift;
  QOutput out;
};
/// What a QScaledKernel takes.
template <typename Weight, QScaledKernel<Weight>& kernel>
struct QScaledConv {
  const Weight* w;
  const std::int32_t* bias;
  QScale scale;
  QOutput out;
};
/// What q_conv2d_bare takes.
struct QBareConv {
  const std::int8_t* w;
  const std::int32_t* bias;
  QScale scale;
  QOutput out;
};
/// What q_vector_conv2d takes.
struct QVectorConv {
  const std::uint32_t* w;
  QOutput out;
};
/// What q_winograd_conv2d takes; it needs four rows at a time.
struct QWinogradConv {
  const std::uint32_t* w;
  QScale scale;
  QOutput out;
};

template <QPackedKernel& kernel>
TINYTC_INLINE void q_layer(const QConv2dShape& s, const QPackedConv<kernel>& layer, const std::int8_t* x,
                           std::int8_t* y, std::uint32_t* scratch) {
  kernel(s, x, layer.w, layer.shift, layer.out, y, scratch);
}
template <typename Weight, QScaledKernel<Weight>& kernel>
TINYTC_INLINE void q_layer(const QConv2dShape& s, const QScaledConv<Weight, kernel>& layer,
                           const std::int8_t* x, std::int8_t* y, std::uint32_t* scratch) {
  kernel(s, x, layer.w, layer.bias, layer.scale, layer.out, y, scratch);
}
TINYTC_INLINE void q_layer(const QConv2dShape& s, const QBareConv& layer, const std::int8_t* x,
                           std::int8_t* y, std::uint32_t*) {
  q_conv2d_bare(s, x, layer.w, layer.bias, layer.scale, layer.out, y);
}
TINYTC_INLINE void q_layer(const QConv2dShape& s, const QVectorConv& layer, const std::int8_t* x,
                           std::int8_t* y, std::uint32_t* scratch) {
  q_vector_conv2d(s, x, layer.w, layer.out, y, scratch);
}
TINYTC_INLINE void q_layer(const QConv2dShape& s, const QWinogradConv& layer, const std::int8_t* x,
                           std::int8_t* y, std::uint32_t* scratch) {
  q_winograd_conv2d(s, x, layer.w, layer.scale, layer.out, y, scratch);
}

/// Words of `rows` rows of the convolution's result.
TINYTC_INLINE constexpr int q_conv2d_sum_words(const QConv2dShape& s, int rows) {
  return (rows * s.out_w * s.out_c + 3) / 4;
}

/// Scratch in words: the rows, then what the layer's kernel needs.
constexpr int q_conv2d_sum_scratch(const QConv2dShape& s, int rows, int layer_words) {
  return q_conv2d_sum_words(s, rows) + layer_words;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: `rows` output
/// rows are written after all that they read.
constexpr int q_conv2d_sum_lead_x(const QConv2dShape& s, int rows) {
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int first = q_conv2d_first_read(s, pixel);
    const int row = pixel / s.out_w;
    const int start = (row - row % s.out_h % rows) * s.out_w * s.out_c;
    if (first >= 0 && start > 0) lead = max_of(lead, start - first * s.in_c);
  }
  return lead;
}

/// The same for the residual.
constexpr int q_conv2d_sum_lead_residual(const QConv2dShape&) { return 0; }

constexpr long long q_conv2d_sum_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// `count` output rows of one image, from row `first` on, as a convolution of the input rows from
/// q_conv2d_part_skip on.
TINYTC_INLINE constexpr int q_conv2d_part_skip(const QConv2dShape& s, int first) {
  return max_of(first * s.stride_h - s.pad_top, 0);
}
TINYTC_INLINE constexpr QConv2dShape q_conv2d_part(QConv2dShape s, int first, int count) {
  const bool is_pointwise = q_conv2d_is_pointwise(s);
  const int top = first * s.stride_h - s.pad_top;
  s.batch = 1;
  s.in_h = is_pointwise ? count : s.in_h - max_of(top, 0);
  s.out_h = count;
  s.pad_top = is_pointwise ? 0 : max_of(-top, 0);
  return s;
}

/// y = clamp(a + residual), rescaled by f, with a what the layer's kernel gives for x. residual, y:
/// [batch][out_h][out_w][out_c]; y may be the residual, and overlap x from q_conv2d_sum_lead_x on. `out`: the
/// sum's bounds (its zero point is in f). scratch: q_conv2d_sum_scratch words. `rows`: 4 with QWinogradConv.
template <int rows, typename Layer>
TINYTC_INLINE void q_conv2d_sum(const QConv2dShape& s, const std::int8_t* x, const Layer& layer,
                                const QSum& f, const QOutput& out, const std::int8_t* residual,
                                std::int8_t* y, std::uint32_t* scratch) {
  std::int8_t* result = reinterpret_cast<std::int8_t*>(scratch);
  std::uint32_t* rest = scratch + q_conv2d_sum_words(s, rows);
  for (int image = 0; image < s.batch; ++image) {
    for (int first = 0; first < s.out_h; first += rows) {
      const int count = rows == 1 ? 1 : min_of(rows, s.out_h - first);
      const std::int8_t* from = x + (image * s.in_h + q_conv2d_part_skip(s, first)) * s.in_w * s.in_c;
      q_layer(q_conv2d_part(s, first, count), layer, from, result, rest);
      const int at = (image * s.out_h + first) * s.out_w * s.out_c;
      q_add_row(count * s.out_w * s.out_c, f, out, result, residual + at, y + at);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_CONV2D_SUM_H
