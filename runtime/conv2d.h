// 2-D convolution (1-D with height 1) in float: groups, strides, dilation, padding, fused bias, residual and
// activation.
//
// Activations are channels-last [batch][height][width][channels]. Weights are either plain ONNX [out_c][in_c
// / groups][kernel_h] [kernel_w] (trained tensors; each block of four output channels is packed into scratch
// when its turn comes) or packed by the compiler at the positions that conv2d_pack_index gives. Source of the
// algorithm: direct convolution, register-blocked.
#ifndef TINYTC_RUNTIME_CONV2D_H
#define TINYTC_RUNTIME_CONV2D_H

#include "runtime/activation.h"
#include "runtime/base.h"
#include "runtime/correlate.h"

namespace tinytc {

/// Shape of a convolution; the gradients use the shape of the convolution that they differentiate. Sizes in
/// pixels, channels, taps. Padding at the bottom and right is whatever out_h and out_w imply.
struct Conv2dShape {
  int batch;
  int in_h;
  int in_w;
  int in_c;
  int out_h;
  int out_w;
  int out_c;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int dilation_h;
  int dilation_w;
  int pad_top;
  int pad_left;
  int groups;
  int packed;  ///< 1: weights in packed order, 0: plain ONNX order
};

template <typename V>
constexpr void visit(const Conv2dShape& s, V&& v) {
  v("batch", s.batch);
  v("in_h", s.in_h);
  v("in_w", s.in_w);
  v("in_c", s.in_c);
  v("out_h", s.out_h);
  v("out_w", s.out_w);
  v("out_c", s.out_c);
  v("kernel_h", s.kernel_h);
  v("kernel_w", s.kernel_w);
  v("stride_h", s.stride_h);
  v("stride_w", s.stride_w);
  v("dilation_h", s.dilation_h);
  v("dilation_w", s.dilation_w);
  v("pad_top", s.pad_top);
  v("pad_left", s.pad_left);
  v("groups", s.groups);
  v("packed", s.packed);
}

/// Weights of one output channel.
TINYTC_INLINE constexpr int conv2d_taps(const Conv2dShape& s) {
  return s.kernel_h * s.kernel_w * (s.in_c / s.groups);
}

/// Nominal multiply-accumulates.
constexpr long long conv2d_macs(const Conv2dShape& s) {
  return static_cast<long long>(s.batch) * s.out_h * s.out_w * s.out_c * conv2d_taps(s);
}

/// Position of weight (o, i, ky, kx) of ONNX's [out_c][in_c / groups][kernel_h][kernel_w] in packed order: a
/// group's output channels in blocks of four, each [kernel_h][kernel_w][in_c / groups][4], then the rest one
/// by one. As many elements as plain order.
constexpr int conv2d_pack_index(const Conv2dShape& s, int o, int i, int ky, int kx) {
  const int group_out = s.out_c / s.groups;
  const int in_group = o % group_out;
  const int width = in_group < group_out / 4 * 4 ? 4 : 1;
  return (o - in_group % width) * conv2d_taps(s) +
         ((ky * s.kernel_w + kx) * (s.in_c / s.groups) + i) * width + in_group % width;
}

/// Scratch in elements: one block of four output channels when the weights are plain.
constexpr int conv2d_scratch(const Conv2dShape& s) {
  return s.packed ? 0 : min_of(4, s.out_c / s.groups) * conv2d_taps(s);
}

/// A 1x1 convolution without padding and strides is a list of pixels: one long row wastes no partial tile.
/// (Written field by field: compilers fold constants through that, not through a changed copy.)
TINYTC_INLINE constexpr Conv2dShape conv2d_flat(const Conv2dShape& s) {
  const bool flat = s.kernel_h == 1 && s.kernel_w == 1 && s.stride_h == 1 && s.stride_w == 1 &&
                    s.pad_top == 0 && s.pad_left == 0 && s.in_h == s.out_h && s.in_w == s.out_w;
  const int pixels = s.batch * s.in_h * s.in_w;
  return Conv2dShape{flat ? 1 : s.batch,
                     flat ? 1 : s.in_h,
                     flat ? pixels : s.in_w,
                     s.in_c,
                     flat ? 1 : s.out_h,
                     flat ? pixels : s.out_w,
                     s.out_c,
                     s.kernel_h,
                     s.kernel_w,
                     s.stride_h,
                     s.stride_w,
                     s.dilation_h,
                     s.dilation_w,
                     s.pad_top,
                     s.pad_left,
                     s.groups,
                     s.packed};
}

/// Smallest distance in elements, address of x minus address of y, at which the output may run over the
/// input: every element that is written before a later read must lie below it. With plain weights or groups
/// the whole input is read again for each block.
constexpr int conv2d_lead_x(const Conv2dShape& shape) {
  Conv2dShape s = conv2d_flat(shape);
  if (!s.packed || s.groups > 1) {
    return s.batch * s.out_h * s.out_w * s.out_c;
  }
  ImageTiling tiling = make_image_tiling(
      s.out_h, interior_range(s.out_h, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.in_h), s.out_w,
      interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w));
  const int last = s.out_c - (s.out_c % 4 != 0 ? 1 : 4);  // channels of a tile written before its last read
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  int written = 0;  // elements of y up to the last one written
  for (int line = 0; line < s.batch * tiling.rows.tiles; ++line) {
    const int image = line / tiling.rows.tiles;
    const int oy = tile_begin(tiling.rows, line % tiling.rows.tiles);
    const int iy = oy * s.stride_h - s.pad_top;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    for (int tile = 0; tile < tiling.columns.tiles; ++tile) {
      const int ox = tile_begin(tiling.columns, tile);
      const int ix = ox * s.stride_w - s.pad_left;
      Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
      const int y = image * s.in_h + iy + rows.first * s.dilation_h;
      const int read = (y * s.in_w + ix + columns.first * s.dilation_w) * s.in_c;
      const int down = tile_is_four(tiling.rows, line % tiling.rows.tiles) ? 3 : 0;
      const int across = tile_is_four(tiling.columns, tile) ? 3 : 0;
      const int pixel = (image * s.out_h + oy + down) * s.out_w + ox + across;
      const int before = max_of(written, last > 0 ? pixel * s.out_c + last : 0);
      if (before > 0 && rows.first < rows.last && columns.first < columns.last) {
        lead = max_of(lead, before - read);
      }
      written = max_of(written, (pixel + 1) * s.out_c);
    }
  }
  return lead;
}

/// Copies `count` output channels, at most four, from plain into packed order.
template <typename T>
TINYTC_INLINE void conv2d_pack_block(const Conv2dShape& s, const T* w, int count, T* packed) {
  const int taps = s.kernel_h * s.kernel_w;
  const int channels = s.in_c / s.groups;
  const int width = count == 4 ? 4 : 1;
  for (int c = 0; c < count; ++c) {
    T* to = packed + (width == 4 ? c : c * taps * channels);
    for (int i = 0; i < channels; ++i) {
      for (int tap = 0; tap < taps; ++tap) {
        to[(tap * channels + i) * width] = w[(c * channels + i) * taps + tap];
      }
    }
  }
}

/// y = activation(conv(x, w) + bias + residual). x: [batch][in_h][in_w][in_c]; w: see the head of this file;
/// bias: [out_c] or null; residual: as y or null, may be y itself; y: [batch][out_h][out_w][out_c], may
/// overlap x from conv2d_lead_x on; scratch: conv2d_scratch elements. Sums run over ky, kx, input channel,
/// starting at the bias.
template <typename T>
TINYTC_INLINE void conv2d(const Conv2dShape& shape, const T* x, const T* w, const T* bias, const T* residual,
                          const Activation<T>& activation, T* y, T* scratch) {
  Conv2dShape s = conv2d_flat(shape);
  const int in_c = s.in_c / s.groups;
  const int out_c = s.out_c / s.groups;
  const int width = s.packed ? out_c : 4;
  const int taps = conv2d_taps(s);
  for (int first = 0; first < s.out_c; first += out_c) {
    for (int block = 0; block < out_c; block += width) {
      const int o = first + block;
      const int channels = out_c % width == 0 ? width : min_of(width, out_c - block);
      const T* weights = w + o * taps;
      if (!s.packed) {
        conv2d_pack_block(s, weights, channels, scratch);
        weights = scratch;
      }
      Correlation g{s.batch,
                    s.in_h,
                    s.in_w,
                    s.in_c,
                    s.out_h,
                    s.out_w,
                    s.out_c,
                    s.out_w * s.out_c,
                    s.out_h * s.out_w * s.out_c,
                    in_c,
                    channels,
                    s.kernel_h,
                    s.kernel_w,
                    s.stride_h,
                    s.stride_w,
                    s.dilation_h,
                    s.dilation_w,
                    s.pad_top,
                    s.pad_left};
      correlate(g, x + first / out_c * in_c, weights, bias != nullptr ? bias + o : nullptr,
                residual != nullptr ? residual + o : nullptr, activation, y + o);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_CONV2D_H
