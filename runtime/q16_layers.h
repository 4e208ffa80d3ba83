// Convolutions and dense layers with int16 activations, at the input, at the output, or both, and int8 weights.
//
// Activations are channels-last [batch][height][width][channels]. The input's zero point, if it is int8, is
// folded into the bias by the compiler; padding reads as the zero point (0 for int16). Every output element is
// one exact sum and one rounding. Shapes are those of the int8 kernels.
#ifndef TINYTC_RUNTIME_Q16_LAYERS_H
#define TINYTC_RUNTIME_Q16_LAYERS_H

#include "runtime/correlate.h"
#include "runtime/q16_base.h"
#include "runtime/q_conv2d.h"
#include "runtime/q_dense.h"
#include "runtime/q_depthwise_shape.h"

namespace tinytc {

constexpr long long q16_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }
constexpr long long q16_depthwise_conv2d_macs(const QDepthwiseConv2dShape& s) { return q_depthwise_conv2d_macs(s); }
constexpr long long q16_dense_macs(const QDenseShape& s) { return q_dense_macs(s); }

/// Position of weight (o, i, ky, kx) in the packed order [out_c][kernel_h][kernel_w][in_c / groups].
constexpr int q16_conv2d_pack_index(const QConv2dShape& s, int o, int i, int ky, int kx) {
  return ((o * s.kernel_h + ky) * s.kernel_w + kx) * (s.in_c / s.groups) + i;
}

/// sum + the weights of the taps outside the image times what padding reads as, of one output channel.
/// rows, columns: the taps inside.
template <typename Acc>
TINYTC_INLINE Acc q16_conv2d_padding(const QConv2dShape& s, Acc sum, const Range& rows, const Range& columns,
                                     const std::int8_t* w) {
  const int channels = s.in_c / s.groups;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const bool inside = ky >= rows.first && ky < rows.last && kx >= columns.first && kx < columns.last;
      for (int i = 0; i < channels && !inside; ++i) sum += static_cast<Acc>(s.x_zero_point * w[(ky * s.kernel_w + kx) * channels + i]);
    }
  }
  return sum;
}

/// One output element before rounding. x: the image at the group's first channel; iy, ix: where the kernel's
/// first tap lies; w: the output channel's packed weights.
template <typename Acc, typename X>
TINYTC_INLINE Acc q16_conv2d_sum(const QConv2dShape& s, const X* x, int iy, int ix, const std::int8_t* w, Acc sum) {
  const int channels = s.in_c / s.groups;
  const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
  if (s.x_zero_point != 0) sum = q16_conv2d_padding<Acc>(s, sum, rows, columns, w);
  const bool joined = s.dilation_w == 1 && s.groups == 1;  // taps of a row follow each other
  for (int ky = rows.first; ky < rows.last; ++ky) {
    const X* row = x + ((iy + ky * s.dilation_h) * s.in_w + ix) * s.in_c;
    const std::int8_t* weights = w + ky * s.kernel_w * channels;
    if (joined) {
      sum = q16_dot<Acc>(sum, row + columns.first * channels, weights + columns.first * channels, (columns.last - columns.first) * channels);
    } else {
      for (int kx = columns.first; kx < columns.last; ++kx) sum = q16_dot<Acc>(sum, row + kx * s.dilation_w * s.in_c, weights + kx * channels, channels);
    }
  }
  return sum;
}

/// y = clamp(zero point + round(scale * (bias + sum of x * w))). x: [batch][in_h][in_w][in_c]; w: packed by
/// q16_conv2d_pack_index; bias: [out_c], with the input's zero point folded in; y: [batch][out_h][out_w][out_c],
/// must not overlap x. Acc holds every sum of a part of the products.
template <typename Acc, typename X, typename Y>
TINYTC_INLINE void q16_conv2d(const QConv2dShape& s, const X* x, const std::int8_t* w, const std::int32_t* bias,
                              const QScale& scale, const QOutput& out, Y* y) {
  const int group_out = s.out_c / s.groups;
  const int taps = q_conv2d_taps(s);
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const X* image = x + pixel / (s.out_w * s.out_h) * s.in_h * s.in_w * s.in_c;
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    for (int o = 0; o < s.out_c; ++o) {
      const X* group = image + o / group_out * (s.in_c / s.groups);
      const Acc sum = q16_conv2d_sum<Acc>(s, group, iy, ix, w + o * taps, static_cast<Acc>(bias[o]));
      y[pixel * s.out_c + o] = q16_requantized<Y>(sum, scale, o, out);
    }
  }
}

/// q16_conv2d of one output channel for every `multiplier`-th: output channel o reads input channel o /
/// multiplier. w: plain ONNX [channels * multiplier][kernel_h][kernel_w]; y: [batch][out_h][out_w][channels *
/// multiplier], must not overlap x.
template <typename Acc, typename X, typename Y>
TINYTC_INLINE void q16_depthwise_conv2d(const QDepthwiseConv2dShape& s, const X* x, const std::int8_t* w, const std::int32_t* bias,
                                        const QScale& scale, const QOutput& out, Y* y) {
  const int out_c = s.channels * s.multiplier;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const X* image = x + pixel / (s.out_w * s.out_h) * s.in_h * s.in_w * s.channels;
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    for (int o = 0; o < out_c; ++o) {
      Acc sum = static_cast<Acc>(bias[o]);
      for (int tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
        const int ky = tap / s.kernel_w;
        const int kx = tap % s.kernel_w;
        const bool inside = ky >= rows.first && ky < rows.last && kx >= columns.first && kx < columns.last;
        const int column = (iy + ky * s.dilation_h) * s.in_w + ix + kx * s.dilation_w;
        const int value = inside ? image[column * s.channels + o / s.multiplier] : s.x_zero_point;
        sum += static_cast<Acc>(value * w[o * s.kernel_h * s.kernel_w + tap]);
      }
      y[pixel * out_c + o] = q16_requantized<Y>(sum, scale, o, out);
    }
  }
}

/// y = clamp(zero point + round(scale * (bias + x W^T))). x: [rows][in]; w: [out][in]; bias: [out], with the
/// input's zero point folded in; y: [rows][out], must not overlap x.
template <typename Acc, typename X, typename Y>
TINYTC_INLINE void q16_dense(const QDenseShape& s, const X* x, const std::int8_t* w, const std::int32_t* bias,
                             const QScale& scale, const QOutput& out, Y* y) {
  for (int row = 0; row < s.rows; ++row) {
    for (int o = 0; o < s.out; ++o) {
      const Acc sum = q16_dot<Acc>(static_cast<Acc>(bias[o]), x + row * s.in, w + o * s.in, s.in);
      y[row * s.out + o] = q16_requantized<Y>(sum, scale, o, out);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q16_LAYERS_H
