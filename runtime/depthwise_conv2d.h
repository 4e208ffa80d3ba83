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
#include "runtime/gradient_phase.h"
#include "runtime/slide.h"
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

/// How the output is cut into tiles.
TINYTC_INLINE constexpr ImageTiling depthwise_tiling(const DepthwiseConv2dShape& s) {
  return make_image_tiling(
      s.out_h, interior_range(s.out_h, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.in_h), s.out_w,
      interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w));
}

/// Output channels stored before a tile's last block reads, less the first input channel that this block's
/// results come from; negative if it is the tile's only block.
constexpr int depthwise_last_block(const DepthwiseConv2dShape& s, bool four) {
  const int tail = (s.multiplier == 1 ? s.channels : s.multiplier) % 4;
  const int width = s.multiplier == 1 && tail == 0 && !four && s.channels % 16 == 0 ? 16 : tail == 0 ? 4 : 1;
  const int first = s.channels * s.multiplier - width;
  return first > 0 ? first - first / s.multiplier : -1;
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
      if (reads && last >= 0) {
        lead = max_of(lead, pixel * out_c + last - y * s.channels);
      }
      written = max_of(written, (pixel + 1) * out_c);
    }
  }
  return lead;
}

/// The forward pass as a sliding.
TINYTC_INLINE constexpr Sliding depthwise_sliding(const DepthwiseConv2dShape& s) {
  const int out_c = s.channels * s.multiplier;
  const int tap = depthwise_tap_stride(s);
  return Sliding{s.batch,
                 s.in_h,
                 s.in_w,
                 s.channels,
                 s.multiplier,
                 s.out_h,
                 s.out_w,
                 out_c,
                 s.out_w * out_c,
                 s.out_h * s.out_w * out_c,
                 s.kernel_h,
                 s.kernel_w,
                 s.stride_h,
                 s.stride_w,
                 s.dilation_h,
                 s.dilation_w,
                 s.pad_top,
                 s.pad_left,
                 s.kernel_w * tap,
                 tap,
                 depthwise_channel_stride(s)};
}

/// y = activation(depthwise(x, w) + bias + residual). x: [batch][in_h][in_w][channels]; bias: [channels *
/// multiplier] or null; residual: as y or null, may be y itself; y: [batch][out_h][out_w][channels *
/// multiplier], may overlap x from depthwise_conv2d_lead_x on. Sums run over ky, then kx, starting at the
/// bias.
template <typename T>
TINYTC_INLINE void depthwise_conv2d(const DepthwiseConv2dShape& s, const T* x, const T* w, const T* bias,
                                    const T* residual, const Activation<T>& activation, T* y) {
  slide<false>(depthwise_sliding(s), x, w, bias, residual, activation, y);
}

/// depthwise_conv2d where the multiplier is 1, bit for bit: without the tiles of other multipliers, which a
/// compiler would take long to throw away.
template <typename T>
TINYTC_INLINE void depthwise_conv2d_one(const DepthwiseConv2dShape& s, const T* x, const T* w, const T* bias,
                                        const T* residual, const Activation<T>& activation, T* y) {
  slide<true>(depthwise_sliding(s), x, w, bias, residual, activation, y);
}

/// One element of the input gradient where several outputs share an input channel; sum starts at the bias.
template <typename T>
TINYTC_INLINE T depthwise_gather(const DepthwiseConv2dShape& s, T sum, const T* dy_image, const T* w, int iy,
                                 int ix, int c) {
  const int tap = depthwise_tap_stride(s);
  const int channel = depthwise_channel_stride(s);
  for (int ky = s.kernel_h - 1; ky >= 0; --ky) {
    const int down = iy + s.pad_top - ky * s.dilation_h;
    for (int kx = s.kernel_w - 1; kx >= 0; --kx) {
      const int across = ix + s.pad_left - kx * s.dilation_w;
      if (down >= 0 && down % s.stride_h == 0 && down / s.stride_h < s.out_h && across >= 0 &&
          across % s.stride_w == 0 && across / s.stride_w < s.out_w) {
        const T* dy =
            dy_image + ((down / s.stride_h * s.out_w + across / s.stride_w) * s.channels + c) * s.multiplier;
        const T* weight = w + (ky * s.kernel_w + kx) * tap + c * s.multiplier * channel;
        for (int m = 0; m < s.multiplier; ++m) {
          sum = mul_add(sum, dy[m], weight[m * channel]);
        }
      }
    }
  }
  return sum;
}

/// dx = activation(depthwise^T(dy, w) + bias + residual): the gradient by the input, or a depthwise
/// ConvTranspose forward. dy: [batch][out_h][out_w][channels * multiplier]; bias: [channels] or null;
/// residual: as dx or null, may be dx itself; dx: [batch][in_h][in_w][channels], must not overlap dy. Sums
/// run over ky and kx downwards, then the multiplier, from the bias. With multiplier 1, each phase of the
/// stride (see conv2d_input_grad) is a sliding of the flipped filter over dy.
template <typename T>
TINYTC_INLINE void depthwise_conv2d_input_grad(const DepthwiseConv2dShape& s, const T* dy, const T* w,
                                               const T* bias, const T* residual,
                                               const Activation<T>& activation, T* dx) {
  if (s.multiplier > 1) {
    for (int i = 0; i < s.batch * s.in_h * s.in_w * s.channels; ++i) {
      const int c = i % s.channels;
      const int pixel = i / s.channels;
      const int row = pixel / s.in_w;
      T sum = depthwise_gather(s, bias != nullptr ? bias[c] : T(0),
                               dy + row / s.in_h * s.out_h * s.out_w * s.channels * s.multiplier, w,
                               row % s.in_h, pixel % s.in_w, c);
      tile_store<1>(sum, sum, sum, sum, residual != nullptr ? residual + i : nullptr, activation, dx + i);
    }
    return;
  }
  const int tap = depthwise_tap_stride(s);
  for (int phase = 0; phase < s.stride_h * s.stride_w; ++phase) {
    const int py = phase / s.stride_w;
    const int px = phase % s.stride_w;
    GradientPhase v = gradient_phase(py, s.pad_top, s.stride_h, s.dilation_h, s.kernel_h);
    GradientPhase h = gradient_phase(px, s.pad_left, s.stride_w, s.dilation_w, s.kernel_w);
    const int rows = (s.in_h - py + s.stride_h - 1) / s.stride_h;
    const int columns = (s.in_w - px + s.stride_w - 1) / s.stride_w;
    const int at = (py * s.in_w + px) * s.channels;
    const int ky = v.first + (v.count - 1) * v.spacing;
    const int kx = h.first + (h.count - 1) * h.spacing;
    if (rows > 0 && columns > 0) {
      Sliding g{s.batch,
                s.out_h,
                s.out_w,
                s.channels,
                1,
                rows,
                columns,
                s.stride_w * s.channels,
                s.stride_h * s.in_w * s.channels,
                s.in_h * s.in_w * s.channels,
                v.count,
                h.count,
                1,
                1,
                v.dilation,
                h.dilation,
                v.pad,
                h.pad,
                -v.spacing * s.kernel_w * tap,
                -h.spacing * tap,
                depthwise_channel_stride(s)};
      slide<true>(g, dy, w + (v.count > 0 && h.count > 0 ? (ky * s.kernel_w + kx) * tap : 0), bias,
            residual != nullptr ? residual + at : nullptr, activation, dx + at);
    }
  }
}

/// One tap of the weight gradient of C neighbouring channels (multiplier 1) or of one (C = 1): sums over
/// image, row, column.
template <int C, typename T, typename Sink>
TINYTC_INLINE void depthwise_weight_grad_tap(const DepthwiseConv2dShape& s, const T* x, const T* dy, int o,
                                             int ky, int kx, const Sink& sink) {
  const int out_c = s.channels * s.multiplier;
  const int taps = s.kernel_h * s.kernel_w;
  Range rows = output_range(s.out_h, s.stride_h, ky * s.dilation_h - s.pad_top, s.in_h);
  Range columns = output_range(s.out_w, s.stride_w, kx * s.dilation_w - s.pad_left, s.in_w);
  T s0 = T(0);
  T s1 = T(0);
  T s2 = T(0);
  T s3 = T(0);
  for (int image = 0; image < s.batch; ++image) {
    for (int oy = rows.first; oy < rows.last; ++oy) {
      const int iy = oy * s.stride_h + ky * s.dilation_h - s.pad_top;
      const int ix = columns.first * s.stride_w + kx * s.dilation_w - s.pad_left;
      const T* from = x + ((image * s.in_h + iy) * s.in_w + ix) * s.channels + o / s.multiplier;
      const T* at = dy + ((image * s.out_h + oy) * s.out_w + columns.first) * out_c + o;
      for (int ox = columns.first; ox < columns.last; ++ox) {
        s0 = mul_add(s0, at[0], from[0]);
        if (C > 1) s1 = mul_add(s1, at[1], from[1]);
        if (C > 2) s2 = mul_add(s2, at[2], from[2]);
        if (C > 3) s3 = mul_add(s3, at[3], from[3]);
        at += out_c;
        from += s.stride_w * s.channels;
      }
    }
  }
  const int position = o * taps + ky * s.kernel_w + kx;
  sink(position, s0);
  if (C > 1) sink(position + taps, s1);
  if (C > 2) sink(position + 2 * taps, s2);
  if (C > 3) sink(position + 3 * taps, s3);
}

/// Gradient of depthwise_conv2d by its weights: sink(position in plain ONNX order, finished sum), once a
/// weight. x: [batch][in_h][in_w][channels]; dy: [batch][out_h][out_w][channels * multiplier]. Sums run over
/// image, row, column.
template <typename T, typename Sink>
TINYTC_INLINE void depthwise_conv2d_weight_grad(const DepthwiseConv2dShape& s, const T* x, const T* dy,
                                                Sink sink) {
  const int out_c = s.channels * s.multiplier;
  const int full = s.multiplier == 1 ? out_c / 4 * 4 : 0;
  for (int tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
    const int ky = tap / s.kernel_w;
    const int kx = tap % s.kernel_w;
    for (int o = 0; o < full; o += 4) {
      depthwise_weight_grad_tap<4>(s, x, dy, o, ky, kx, sink);
    }
    for (int o = full; o < out_c; ++o) {
      depthwise_weight_grad_tap<1>(s, x, dy, o, ky, kx, sink);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_DEPTHWISE_CONV2D_H
