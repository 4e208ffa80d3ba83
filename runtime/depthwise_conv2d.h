// Depthwise 2-D convolution (1-D with height 1) and its gradients in float: output channel o reads input
// channel o / multiplier.
//
// Activations are channels-last. Weights are plain ONNX [channels * multiplier][1][kernel_h][kernel_w]
// (trained tensors) or packed [kernel_h][kernel_w][channels * multiplier].
#ifndef TINYTC_RUNTIME_DEPTHWISE_CONV2D_H
#define TINYTC_RUNTIME_DEPTHWISE_CONV2D_H

#include "runtime/activation.h"
#include "runtime/base.h"
#include "runtime/correlate.h"
#include "runtime/tile.h"

namespace tinytc {

/// Shape of a depthwise convolution; its gradients use the same. Bottom and right padding is whatever out_h
/// and out_w imply.
struct DepthwiseConv2dShape {
  int batch;
  int in_h;
  int in_w;
  int channels;
  int multiplier;  ///< output channels per input channel
  int out_h;
  int out_w;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int dilation_h;
  int dilation_w;
  int pad_top;
  int pad_left;
  int packed;  ///< 1: weights in packed order, 0: plain ONNX order
};

template <typename V>
constexpr void visit(const DepthwiseConv2dShape& s, V&& v) {
  v("batch", s.batch);
  v("in_h", s.in_h);
  v("in_w", s.in_w);
  v("channels", s.channels);
  v("multiplier", s.multiplier);
  v("out_h", s.out_h);
  v("out_w", s.out_w);
  v("kernel_h", s.kernel_h);
  v("kernel_w", s.kernel_w);
  v("stride_h", s.stride_h);
  v("stride_w", s.stride_w);
  v("dilation_h", s.dilation_h);
  v("dilation_w", s.dilation_w);
  v("pad_top", s.pad_top);
  v("pad_left", s.pad_left);
  v("packed", s.packed);
}

/// Nominal multiply-accumulates of the forward pass and of either gradient.
constexpr long long depthwise_conv2d_macs(const DepthwiseConv2dShape& s) {
  return static_cast<long long>(s.batch) * s.out_h * s.out_w * s.channels * s.multiplier * s.kernel_h *
         s.kernel_w;
}
constexpr long long depthwise_conv2d_input_grad_macs(const DepthwiseConv2dShape& s) {
  return depthwise_conv2d_macs(s);
}
constexpr long long depthwise_conv2d_weight_grad_macs(const DepthwiseConv2dShape& s) {
  return depthwise_conv2d_macs(s);
}

/// Position of weight (o, ky, kx) in packed order; also valid for the input gradient.
constexpr int depthwise_conv2d_pack_index(const DepthwiseConv2dShape& s, int o, int ky, int kx) {
  return (ky * s.kernel_w + kx) * s.channels * s.multiplier + o;
}

/// Elements from a weight to that of the next tap (along kx) of the same channel, and to the same tap of the
/// next channel.
TINYTC_INLINE constexpr int depthwise_tap_stride(const DepthwiseConv2dShape& s) {
  return s.packed ? s.channels * s.multiplier : 1;
}
TINYTC_INLINE constexpr int depthwise_channel_stride(const DepthwiseConv2dShape& s) {
  return s.packed ? 1 : s.kernel_h * s.kernel_w;
}

/// First output channel of the last block of a pixel, or of four pixels; see depthwise_pixels.
constexpr int depthwise_last_block(const DepthwiseConv2dShape& s) {
  const int block = s.multiplier == 1 ? s.channels : s.multiplier;
  return s.channels * s.multiplier - (block % 4 != 0 ? 1 : 4);
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: every element
/// that is written before a later read must lie below it.
constexpr int depthwise_conv2d_lead_x(const DepthwiseConv2dShape& s) {
  const int out_c = s.channels * s.multiplier;
  Range inner = interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
  const int quads = (inner.last - inner.first) / 4;
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    for (int tile = 0; tile < s.out_w - 3 * quads; ++tile) {
      const bool four = tile >= inner.first && tile < inner.first + quads;
      const int ox = tile < inner.first ? tile : four ? tile + 3 * (tile - inner.first) : tile + 3 * quads;
      const int ix = ox * s.stride_w - s.pad_left;
      Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
      if (rows.first == rows.last || columns.first == columns.last) {
        continue;
      }
      const int y = row / s.out_h * s.in_h + iy + rows.first * s.dilation_h;
      const int read = (y * s.in_w + ix + columns.first * s.dilation_w) * s.channels;
      const int pixel = row * s.out_w + ox;
      const bool wide = !four && s.multiplier == 1 && s.channels <= 16 && s.channels % 16 == 0;
      const int last = wide ? 0 : depthwise_last_block(s);
      if (pixel > 0) {
        lead = max_of(lead, pixel * out_c - read);
      }
      if (last > 0) {
        lead = max_of(lead, (pixel + (four ? 3 : 0)) * out_c + last - read - last / s.multiplier);
      }
    }
  }
  return lead;
}

/// Adds one tap of P pixels x 4 channels: sum[4 * p + c] += x[p * x_pixel + c] * w[c * w_channel].
template <int P, typename T>
TINYTC_INLINE void depthwise_step(T (&sum)[16], const T* x, int x_pixel, const T* w, int w_channel) {
  const T w0 = w[0];
  const T w1 = w[w_channel];
  const T w2 = w[2 * w_channel];
  const T w3 = w[3 * w_channel];
  sum[0] = mul_add(sum[0], x[0], w0);
  sum[1] = mul_add(sum[1], x[1], w1);
  sum[2] = mul_add(sum[2], x[2], w2);
  sum[3] = mul_add(sum[3], x[3], w3);
  if (P > 1) {
    sum[4] = mul_add(sum[4], x[x_pixel], w0);
    sum[5] = mul_add(sum[5], x[x_pixel + 1], w1);
    sum[6] = mul_add(sum[6], x[x_pixel + 2], w2);
    sum[7] = mul_add(sum[7], x[x_pixel + 3], w3);
    sum[8] = mul_add(sum[8], x[2 * x_pixel], w0);
    sum[9] = mul_add(sum[9], x[2 * x_pixel + 1], w1);
    sum[10] = mul_add(sum[10], x[2 * x_pixel + 2], w2);
    sum[11] = mul_add(sum[11], x[2 * x_pixel + 3], w3);
    sum[12] = mul_add(sum[12], x[3 * x_pixel], w0);
    sum[13] = mul_add(sum[13], x[3 * x_pixel + 1], w1);
    sum[14] = mul_add(sum[14], x[3 * x_pixel + 2], w2);
    sum[15] = mul_add(sum[15], x[3 * x_pixel + 3], w3);
  }
}

/// Adds one tap of one pixel x 16 channels.
template <typename T>
TINYTC_INLINE void depthwise_step_wide(T (&sum)[16], const T* x, const T* w, int w_channel) {
  sum[0] = mul_add(sum[0], x[0], w[0]);
  sum[1] = mul_add(sum[1], x[1], w[w_channel]);
  sum[2] = mul_add(sum[2], x[2], w[2 * w_channel]);
  sum[3] = mul_add(sum[3], x[3], w[3 * w_channel]);
  sum[4] = mul_add(sum[4], x[4], w[4 * w_channel]);
  sum[5] = mul_add(sum[5], x[5], w[5 * w_channel]);
  sum[6] = mul_add(sum[6], x[6], w[6 * w_channel]);
  sum[7] = mul_add(sum[7], x[7], w[7 * w_channel]);
  sum[8] = mul_add(sum[8], x[8], w[8 * w_channel]);
  sum[9] = mul_add(sum[9], x[9], w[9 * w_channel]);
  sum[10] = mul_add(sum[10], x[10], w[10 * w_channel]);
  sum[11] = mul_add(sum[11], x[11], w[11 * w_channel]);
  sum[12] = mul_add(sum[12], x[12], w[12 * w_channel]);
  sum[13] = mul_add(sum[13], x[13], w[13 * w_channel]);
  sum[14] = mul_add(sum[14], x[14], w[14 * w_channel]);
  sum[15] = mul_add(sum[15], x[15], w[15 * w_channel]);
}

/// How a depthwise tile's sums belong together.
enum class DepthwiseTile {
  channels,  ///< P pixels x 4 channels, each with its own input channel
  wide,      ///< 1 pixel x 16 channels, each with its own input channel
  shared     ///< P pixels x C output channels of one input channel
};

/// One tile: x at the input pixel of tap (0, 0), the tile's first channel; w at the tile's first channel;
/// rows, columns: taps inside the image for all P pixels.
template <DepthwiseTile kind, int P, int C, typename T>
TINYTC_INLINE void depthwise_tile(const DepthwiseConv2dShape& s, const T* x, Range rows, Range columns,
                                  const T* w, const T* bias, const T* residual,
                                  const Activation<T>& activation, T* y) {
  const int tap = depthwise_tap_stride(s);
  const int channel = depthwise_channel_stride(s);
  const int x_pixel = s.stride_w * s.channels;
  T sum[16];
  if (kind == DepthwiseTile::wide) {
    tile_start_row(sum, bias);
  } else {
    tile_start<P, C>(sum, bias);
  }
  for (int ky = rows.first; ky < rows.last; ++ky) {
    const T* x_tap = x + (ky * s.dilation_h * s.in_w + columns.first * s.dilation_w) * s.channels;
    const T* w_tap = w + (ky * s.kernel_w + columns.first) * tap;
    for (int kx = columns.first; kx < columns.last; ++kx) {
      if (kind == DepthwiseTile::wide) {
        depthwise_step_wide(sum, x_tap, w_tap, channel);
      } else if (kind == DepthwiseTile::channels) {
        depthwise_step<P>(sum, x_tap, x_pixel, w_tap, channel);
      } else {
        tile_step<P, C>(sum, x_tap, x_pixel, w_tap, channel);
      }
      x_tap += s.dilation_w * s.channels;
      w_tap += tap;
    }
  }
  if (kind == DepthwiseTile::wide) {
    tile_finish<4, 4>(sum, residual, activation, y, 4);
  } else {
    tile_finish<P, C>(sum, residual, activation, y, s.channels * s.multiplier);
  }
}

/// Output channels first .. last - 1 of P pixels, C at a time; arguments as of depthwise_tile, at channel 0.
template <DepthwiseTile kind, int P, int C, typename T>
TINYTC_INLINE void depthwise_blocks(const DepthwiseConv2dShape& s, int first, int last, const T* x,
                                    Range rows, Range columns, const T* w, const T* bias, const T* residual,
                                    const Activation<T>& activation, T* y) {
  for (int o = first; o < last; o += C) {
    depthwise_tile<kind, P, C>(s, x + o / s.multiplier, rows, columns, w + o * depthwise_channel_stride(s),
                               bias != nullptr ? bias + o : nullptr,
                               residual != nullptr ? residual + o : nullptr, activation, y + o);
  }
}

/// All channels of P neighbouring pixels.
template <int P, typename T>
TINYTC_INLINE void depthwise_pixels(const DepthwiseConv2dShape& s, const T* x, Range rows, Range columns,
                                    const T* w, const T* bias, const T* residual,
                                    const Activation<T>& activation, T* y) {
  if (s.multiplier == 1) {
    const int wide = P == 1 ? s.channels / 16 * 16 : 0;
    const int full = s.channels / 4 * 4;
    if (P == 1) {
      depthwise_blocks<DepthwiseTile::wide, 1, 16>(s, 0, wide, x, rows, columns, w, bias, residual,
                                                   activation, y);
    }
    depthwise_blocks<DepthwiseTile::channels, P, 4>(s, wide, full, x, rows, columns, w, bias, residual,
                                                    activation, y);
    depthwise_blocks<DepthwiseTile::shared, P, 1>(s, full, s.channels, x, rows, columns, w, bias, residual,
                                                  activation, y);
    return;
  }
  for (int c = 0; c < s.channels; ++c) {
    const int first = c * s.multiplier;
    const int full = first + s.multiplier / 4 * 4;
    depthwise_blocks<DepthwiseTile::shared, P, 4>(s, first, full, x, rows, columns, w, bias, residual,
                                                  activation, y);
    depthwise_blocks<DepthwiseTile::shared, P, 1>(s, full, first + s.multiplier, x, rows, columns, w, bias,
                                                  residual, activation, y);
  }
}

/// y = activation(depthwise(x, w) + bias + residual). x: [batch][in_h][in_w][channels]; bias: [channels *
/// multiplier] or null; residual: as y or null, may be y itself; y: [batch][out_h][out_w][channels *
/// multiplier], may overlap x from depthwise_conv2d_lead_x on. Sums run over ky, then kx, starting at the
/// bias.
template <typename T>
TINYTC_INLINE void depthwise_conv2d(const DepthwiseConv2dShape& s, const T* x, const T* w, const T* bias,
                                    const T* residual, const Activation<T>& activation, T* y) {
  Range inner = interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
  const int quads = (inner.last - inner.first) / 4;
  const int tiles = s.out_w - 3 * quads;
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    for (int tile = 0; tile < tiles; ++tile) {
      const bool four = tile >= inner.first && tile < inner.first + quads;
      const int ox = tile < inner.first ? tile : four ? tile + 3 * (tile - inner.first) : tile + 3 * quads;
      const int ix = ox * s.stride_w - s.pad_left;
      const int at = (row * s.out_w + ox) * s.channels * s.multiplier;
      const T* x_at = x + ((row / s.out_h * s.in_h + iy) * s.in_w + ix) * s.channels;
      const T* r = residual != nullptr ? residual + at : nullptr;
      if (four) {
        depthwise_pixels<4>(s, x_at, rows, Range{0, s.kernel_w}, w, bias, r, activation, y + at);
      } else {
        Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
        depthwise_pixels<1>(s, x_at, rows, columns, w, bias, r, activation, y + at);
      }
    }
  }
}

/// dx = activation(depthwise^T(dy, w) + bias + residual): the gradient by the input, or a depthwise
/// ConvTranspose forward. dy: [batch][out_h][out_w][channels * multiplier]; bias: [channels] or null;
/// residual: as dx or null, may be dx itself; dx: [batch][in_h][in_w][channels], must not overlap dy. Sums
/// run over kx, then ky, then the multiplier, starting at the bias.
template <typename T>
TINYTC_INLINE void depthwise_conv2d_input_grad(const DepthwiseConv2dShape& s, const T* dy, const T* w,
                                               const T* bias, const T* residual,
                                               const Activation<T>& activation, T* dx) {
  const int out_c = s.channels * s.multiplier;
  const int tap = depthwise_tap_stride(s);
  const int channel = depthwise_channel_stride(s);
  for (int row = 0; row < s.batch * s.in_h; ++row) {
    const T* dy_image = dy + row / s.in_h * s.out_h * s.out_w * out_c;
    for (int c = 0; c < s.channels; ++c) {
      for (int ix = 0; ix < s.in_w; ++ix) {
        T sum = bias != nullptr ? bias[c] : T(0);
        for (int kx = 0; kx < s.kernel_w; ++kx) {
          const int across = ix + s.pad_left - kx * s.dilation_w;
          if (across < 0 || across % s.stride_w != 0 || across / s.stride_w >= s.out_w) {
            continue;
          }
          for (int ky = 0; ky < s.kernel_h; ++ky) {
            const int down = row % s.in_h + s.pad_top - ky * s.dilation_h;
            if (down < 0 || down % s.stride_h != 0 || down / s.stride_h >= s.out_h) {
              continue;
            }
            const T* at =
                dy_image + (down / s.stride_h * s.out_w + across / s.stride_w) * out_c + c * s.multiplier;
            const T* weight = w + (ky * s.kernel_w + kx) * tap + c * s.multiplier * channel;
            for (int m = 0; m < s.multiplier; ++m) {
              sum = mul_add(sum, at[m], weight[m * channel]);
            }
          }
        }
        const int at = (row * s.in_w + ix) * s.channels + c;
        if (residual != nullptr) {
          sum += residual[at];
        }
        dx[at] = activate(activation, sum);
      }
    }
  }
}

/// Gradient of depthwise_conv2d by its weights: sink(position in plain ONNX order, finished sum), once a
/// weight. x: [batch][in_h][in_w][channels]; dy: [batch][out_h][out_w][channels * multiplier]. Sums run over
/// image, row, column.
template <typename T, typename Sink>
TINYTC_INLINE void depthwise_conv2d_weight_grad(const DepthwiseConv2dShape& s, const T* x, const T* dy,
                                                Sink sink) {
  const int out_c = s.channels * s.multiplier;
  for (int o = 0; o < out_c; ++o) {
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      Range rows = output_range(s.out_h, s.stride_h, ky * s.dilation_h - s.pad_top, s.in_h);
      for (int kx = 0; kx < s.kernel_w; ++kx) {
        Range columns = output_range(s.out_w, s.stride_w, kx * s.dilation_w - s.pad_left, s.in_w);
        T sum = T(0);
        for (int image = 0; image < s.batch; ++image) {
          for (int oy = rows.first; oy < rows.last; ++oy) {
            const int iy = oy * s.stride_h + ky * s.dilation_h - s.pad_top;
            const T* x_row = x +
                             ((image * s.in_h + iy) * s.in_w + kx * s.dilation_w - s.pad_left) * s.channels +
                             o / s.multiplier;
            const T* dy_row = dy + (image * s.out_h + oy) * s.out_w * out_c + o;
            for (int ox = columns.first; ox < columns.last; ++ox) {
              sum = mul_add(sum, dy_row[ox * out_c], x_row[ox * s.stride_w * s.channels]);
            }
          }
        }
        sink((o * s.kernel_h + ky) * s.kernel_w + kx, sum);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_DEPTHWISE_CONV2D_H
