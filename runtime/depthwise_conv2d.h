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
#include "runtime/depthwise_block.h"
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

/// First output channel of the last block of a tile; see depthwise_pixels.
constexpr int depthwise_last_block(const DepthwiseConv2dShape& s, bool four) {
  const int block = s.multiplier == 1 ? s.channels : s.multiplier;
  const int width = block % 4 != 0 ? 1 : !four && s.multiplier == 1 && block % 16 == 0 ? 16 : 4;
  return s.channels * s.multiplier - width;
}

/// How the output is cut into tiles.
TINYTC_INLINE constexpr ImageTiling depthwise_tiling(const DepthwiseConv2dShape& s) {
  return make_image_tiling(
      s.out_h, interior_range(s.out_h, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.in_h), s.out_w,
      interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w));
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: every element
/// that is written before a later read must lie below it.
constexpr int depthwise_conv2d_lead_x(const DepthwiseConv2dShape& s) {
  const int out_c = s.channels * s.multiplier;
  ImageTiling tiling = depthwise_tiling(s);
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  int written = 0;  // elements of y up to the last one written
  for (int line = 0; line < s.batch * tiling.rows.tiles; ++line) {
    const int image = line / tiling.rows.tiles;
    const int oy = tile_begin(tiling.rows, line % tiling.rows.tiles);
    const bool upright = tile_is_four(tiling.rows, line % tiling.rows.tiles);
    const int iy = oy * s.stride_h - s.pad_top;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    for (int tile = 0; tile < tiling.columns.tiles; ++tile) {
      const int ox = tile_begin(tiling.columns, tile);
      const bool across = tile_is_four(tiling.columns, tile);
      const int ix = ox * s.stride_w - s.pad_left;
      Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
      const int y =
          (image * s.in_h + iy + rows.first * s.dilation_h) * s.in_w + ix + columns.first * s.dilation_w;
      const bool reads = rows.first < rows.last && columns.first < columns.last;
      const int pixel = (image * s.out_h + oy + (upright ? 3 : 0)) * s.out_w + ox + (across ? 3 : 0);
      const int last = depthwise_last_block(s, upright || across);
      if (reads && written > 0) {
        lead = max_of(lead, written - y * s.channels);
      }
      if (reads && last > 0) {
        lead = max_of(lead, pixel * out_c + last - y * s.channels - last / s.multiplier);
      }
      written = max_of(written, (pixel + 1) * out_c);
    }
  }
  return lead;
}

/// How a depthwise tile's sums belong together.
enum class DepthwiseTile {
  channels,  ///< 4 pixels x 4 channels, each with its own input channel
  wide,      ///< 1 pixel x 16 channels, each with its own input channel
  shared     ///< P pixels x C output channels of one input channel
};

/// One tile; x at the pixel of the first tap and the tile's first channel, likewise w; x_pixel, y_pixel:
/// elements from pixel to pixel.
template <DepthwiseTile kind, int P, int C, typename T>
TINYTC_INLINE void depthwise_tile(const DepthwiseConv2dShape& s, const DepthwiseTaps& taps, const T* x,
                                  int x_pixel, const T* w, const T* bias, const T* residual,
                                  const Activation<T>& activation, T* y, int y_pixel) {
  const int channel = depthwise_channel_stride(s);
  T sum[16];
  if (kind == DepthwiseTile::wide && channel == 1) {
    depthwise_block_wide(sum, taps, x, w, bias);
  } else if (kind == DepthwiseTile::channels && P == 4 && channel == 1) {
    depthwise_block(sum, taps, x, x_pixel, w, bias);
  } else {
    if (kind == DepthwiseTile::wide) {
      tile_start_row(sum, bias);
    } else {
      tile_start<P, C>(sum, bias);
    }
    for (int ky = 0; ky < taps.rows; ++ky) {
      for (int kx = 0; kx < taps.columns; ++kx) {
        if (kind == DepthwiseTile::wide) {
          depthwise_step_wide(sum, x, w, channel);
        } else if (kind == DepthwiseTile::channels) {
          depthwise_step<P>(sum, x, x_pixel, w, channel);
        } else {
          tile_step<P, C>(sum, x, x_pixel, w, channel);
        }
        x += taps.x_tap;
        w += taps.w_tap;
      }
      x += taps.x_row;
      w += taps.w_row;
    }
  }
  if (kind == DepthwiseTile::wide) {
    tile_finish<4, 4>(sum, residual, activation, y, 4);
  } else {
    tile_finish<P, C>(sum, residual, activation, y, y_pixel);
  }
}

/// Output channels first .. last - 1 of P pixels, C at a time; the other arguments as of depthwise_tile, at
/// channel 0.
template <DepthwiseTile kind, int P, int C, typename T>
TINYTC_INLINE void depthwise_blocks(const DepthwiseConv2dShape& s, int first, int last,
                                    const DepthwiseTaps& taps, const T* x, int x_pixel, const T* w,
                                    const T* bias, const T* residual, const Activation<T>& activation, T* y,
                                    int y_pixel) {
  for (int o = first; o < last; o += C) {
    depthwise_tile<kind, P, C>(s, taps, x + o / s.multiplier, x_pixel, w + o * depthwise_channel_stride(s),
                               bias != nullptr ? bias + o : nullptr,
                               residual != nullptr ? residual + o : nullptr, activation, y + o, y_pixel);
  }
}

/// All channels of P pixels.
template <int P, typename T>
TINYTC_INLINE void depthwise_pixels(const DepthwiseConv2dShape& s, const DepthwiseTaps& taps, const T* x,
                                    int x_pixel, const T* w, const T* bias, const T* residual,
                                    const Activation<T>& activation, T* y, int y_pixel) {
  if (s.multiplier == 1) {
    const int wide = P == 1 ? s.channels / 16 * 16 : 0;
    const int full = s.channels / 4 * 4;
    if (P == 1) {
      depthwise_blocks<DepthwiseTile::wide, 1, 16>(s, 0, wide, taps, x, x_pixel, w, bias, residual,
                                                   activation, y, y_pixel);
    }
    depthwise_blocks<DepthwiseTile::channels, P, 4>(s, wide, full, taps, x, x_pixel, w, bias, residual,
                                                    activation, y, y_pixel);
    depthwise_blocks<DepthwiseTile::shared, P, 1>(s, full, s.channels, taps, x, x_pixel, w, bias, residual,
                                                  activation, y, y_pixel);
    return;
  }
  for (int c = 0; c < s.channels; ++c) {
    const int first = c * s.multiplier;
    const int full = first + s.multiplier / 4 * 4;
    depthwise_blocks<DepthwiseTile::shared, P, 4>(s, first, full, taps, x, x_pixel, w, bias, residual,
                                                  activation, y, y_pixel);
    depthwise_blocks<DepthwiseTile::shared, P, 1>(s, full, first + s.multiplier, taps, x, x_pixel, w, bias,
                                                  residual, activation, y, y_pixel);
  }
}

/// y = activation(depthwise(x, w) + bias + residual). x: [batch][in_h][in_w][channels]; bias: [channels *
/// multiplier] or null; residual: as y or null, may be y itself; y: [batch][out_h][out_w][channels *
/// multiplier], may overlap x from depthwise_conv2d_lead_x on. Sums run over ky, then kx, starting at the
/// bias.
template <typename T>
TINYTC_INLINE void depthwise_conv2d(const DepthwiseConv2dShape& s, const T* x, const T* w, const T* bias,
                                    const T* residual, const Activation<T>& activation, T* y) {
  const int out_c = s.channels * s.multiplier;
  const int tap = depthwise_tap_stride(s);
  ImageTiling tiling = depthwise_tiling(s);
  const bool upright = tiling.rows.quads > 0;
  const int x_pixel = (upright ? s.stride_h * s.in_w : s.stride_w) * s.channels;
  const int y_pixel = (upright ? s.out_w : 1) * out_c;
  for (int line = 0; line < s.batch * tiling.rows.tiles; ++line) {
    const int image = line / tiling.rows.tiles;
    const int oy = tile_begin(tiling.rows, line % tiling.rows.tiles);
    const int iy = oy * s.stride_h - s.pad_top;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    for (int tile = 0; tile < tiling.columns.tiles; ++tile) {
      const int ox = tile_begin(tiling.columns, tile);
      const int ix = ox * s.stride_w - s.pad_left;
      Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
      const int width = columns.last - columns.first;
      DepthwiseTaps taps{rows.last - rows.first,
                         width,
                         s.dilation_w * s.channels,
                         tap,
                         (s.dilation_h * s.in_w - width * s.dilation_w) * s.channels,
                         (s.kernel_w - width) * tap};
      const int at = ((image * s.out_h + oy) * s.out_w + ox) * out_c;
      const T* r = residual != nullptr ? residual + at : nullptr;
      const T* from = x + ((image * s.in_h + iy + rows.first * s.dilation_h) * s.in_w + ix +
                           columns.first * s.dilation_w) *
                              s.channels;
      const T* weights = w + (rows.first * s.kernel_w + columns.first) * tap;
      if (tile_is_four(upright ? tiling.rows : tiling.columns, upright ? line % tiling.rows.tiles : tile)) {
        depthwise_pixels<4>(s, taps, from, x_pixel, weights, bias, r, activation, y + at, y_pixel);
      } else {
        depthwise_pixels<1>(s, taps, from, x_pixel, weights, bias, r, activation, y + at, y_pixel);
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
