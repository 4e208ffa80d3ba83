// The engine under depthwise convolution and its input gradient: one small filter a channel slides over a
// channels-last image.
//
// Pixels are cut as in correlate.h; a tile is four pixels x four channels, or one pixel x sixteen, four or
// one. Weights are addressed through strides, which may be negative (a flipped filter). Every output is bias
// + sum over ky, kx in this order, taps outside the image left out, then residual, then activation.
#ifndef TINYTC_RUNTIME_SLIDE_H
#define TINYTC_RUNTIME_SLIDE_H

#include "runtime/activation.h"
#include "runtime/base.h"
#include "runtime/correlate.h"
#include "runtime/depthwise_block.h"
#include "runtime/tile.h"

namespace tinytc {

/// Geometry of one sliding. Sizes in pixels or taps, strides in elements; paddings may be negative. Output
/// channel o reads input channel o / multiplier.
struct Sliding {
  int batch;
  int x_height;
  int x_width;
  int channels;  ///< of x
  int multiplier;
  int y_height;
  int y_width;
  int y_pixel;
  int y_row;
  int y_image;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int dilation_h;
  int dilation_w;
  int pad_top;
  int pad_left;
  int w_line;     ///< from ky to ky + 1
  int w_tap;      ///< from kx to kx + 1
  int w_channel;  ///< from output channel to output channel
};

/// How a tile's sums belong together.
enum class SlideTile {
  channels,  ///< P pixels x 4 channels, each with its own input channel
  wide,      ///< 1 pixel x 16 channels, each with its own input channel
  shared     ///< P pixels x C output channels of one input channel
};

/// The sums of one tile, unfinished; x, w at the first tap inside the image and the tile's first channel.
template <SlideTile kind, int P, int C, typename T>
TINYTC_INLINE void slide_sums(T (&sum)[16], const Sliding& g, const DepthwiseTaps& taps, int x_pixel,
                              const T* x, const T* w, const T* bias) {
  if (kind == SlideTile::wide && g.w_channel == 1) {
    depthwise_block_wide(sum, taps, x, w, bias);
    return;
  }
  if (kind == SlideTile::channels && P == 4 && g.w_channel == 1) {
    depthwise_block(sum, taps, x, x_pixel, w, bias);
    return;
  }
  if (kind == SlideTile::wide) {
    tile_start_row(sum, bias);
  } else {
    tile_start<P, C>(sum, bias);
  }
  for (int ky = 0; ky < taps.rows; ++ky) {
    for (int kx = 0; kx < taps.columns; ++kx) {
      if (kind == SlideTile::wide) {
        depthwise_step_wide(sum, x, w, g.w_channel);
      } else if (kind == SlideTile::channels) {
        depthwise_step<P>(sum, x, x_pixel, w, g.w_channel);
      } else {
        tile_step<P, C>(sum, x, x_pixel, w, g.w_channel);
      }
      x += taps.x_tap;
      w += taps.w_tap;
    }
    x += taps.x_row;
    w += taps.w_row;
  }
}

/// Output channels first .. last - 1 of P pixels, C at a time. x, w at the first tap inside the image; these,
/// bias, residual, y at channel 0.
template <SlideTile kind, int P, int C, typename T>
TINYTC_INLINE void slide_blocks(const Sliding& g, int first, int last, const DepthwiseTaps& taps,
                                PixelStrides pixel, const T* x, const T* w, const T* bias, const T* residual,
                                const Activation<T>& activation, T* y) {
  for (int o = first; o < last; o += C) {
    T sum[16];
    slide_sums<kind, P, C>(sum, g, taps, pixel.x, x + o / g.multiplier, w + o * g.w_channel,
                           bias != nullptr ? bias + o : nullptr);
    const T* r = residual != nullptr ? residual + o : nullptr;
    if (kind == SlideTile::wide) {
      tile_finish<4, 4>(sum, r, activation, y + o, 4);
    } else {
      tile_finish<P, C>(sum, r, activation, y + o, pixel.y);
    }
  }
}

/// Finishes the channels skip .. 3 of one pixel of a tile, skip in 1 .. 3.
template <typename T>
TINYTC_INLINE void slide_store_tail(T s1, T s2, T s3, int skip, const T* residual,
                                    const Activation<T>& activation, T* y) {
  if (skip <= 1)
    tile_store<1>(s1, s1, s1, s1, residual != nullptr ? residual + 1 : nullptr, activation, y + 1);
  if (skip <= 2)
    tile_store<1>(s2, s2, s2, s2, residual != nullptr ? residual + 2 : nullptr, activation, y + 2);
  tile_store<1>(s3, s3, s3, s3, residual != nullptr ? residual + 3 : nullptr, activation, y + 3);
}

/// Finishes the channels skip .. 3 of a tile of P pixels x 4 channels.
template <int P, typename T>
TINYTC_INLINE void slide_finish(const T (&sum)[16], int skip, PixelStrides pixel, const T* residual,
                                const Activation<T>& activation, T* y) {
  if (skip == 0) {
    tile_finish<P, 4>(sum, residual, activation, y, pixel.y);
    return;
  }
  const int step = residual != nullptr ? pixel.y : 0;
  slide_store_tail(sum[1], sum[2], sum[3], skip, residual, activation, y);
  if (P > 1) {
    slide_store_tail(sum[5], sum[6], sum[7], skip, residual + step, activation, y + pixel.y);
    slide_store_tail(sum[9], sum[10], sum[11], skip, residual + 2 * step, activation, y + 2 * pixel.y);
    slide_store_tail(sum[13], sum[14], sum[15], skip, residual + 3 * step, activation, y + 3 * pixel.y);
  }
}

/// Channels first .. of P pixels in blocks of four. Where they fill no block, the last block is the last four
/// channels, of which only the new ones are stored.
template <int P, typename T>
TINYTC_INLINE void slide_fours(const Sliding& g, int first, const DepthwiseTaps& taps, PixelStrides pixel,
                               const T* x, const T* w, const T* bias, const T* residual,
                               const Activation<T>& activation, T* y) {
  const bool tail = g.channels % 4 != 0;
  for (int c = first; c < g.channels; c += 4) {
    const int o = tail ? min_of(c, g.channels - 4) : c;
    T sum[16];
    slide_sums<SlideTile::channels, P, 4>(sum, g, taps, pixel.x, x + o, w + o * g.w_channel,
                                          bias != nullptr ? bias + o : nullptr);
    slide_finish<P>(sum, tail ? c - o : 0, pixel, residual != nullptr ? residual + o : nullptr, activation,
                    y + o);
  }
}

/// All channels of P pixels; `one`: the multiplier is known to be 1.
template <bool one, int P, typename T>
TINYTC_INLINE void slide_pixels(const Sliding& g, const DepthwiseTaps& taps, PixelStrides pixel, const T* x,
                                const T* w, const T* bias, const T* residual, const Activation<T>& activation,
                                T* y) {
  if (!one && g.multiplier != 1) {
    for (int c = 0; c < g.channels; ++c) {
      const int first = c * g.multiplier;
      const int full = first + g.multiplier / 4 * 4;
      slide_blocks<SlideTile::shared, P, 4>(g, first, full, taps, pixel, x, w, bias, residual, activation, y);
      slide_blocks<SlideTile::shared, P, 1>(g, full, first + g.multiplier, taps, pixel, x, w, bias, residual,
                                            activation, y);
    }
    return;
  }
  if (g.channels < 4) {
    slide_blocks<SlideTile::shared, P, 1>(g, 0, g.channels, taps, pixel, x, w, bias, residual, activation, y);
    return;
  }
  const int wide = P == 1 ? g.channels / 16 * 16 : 0;
  if (P == 1) {
    slide_blocks<SlideTile::wide, 1, 16>(g, 0, wide, taps, pixel, x, w, bias, residual, activation, y);
  }
  slide_fours<P>(g, wide, taps, pixel, x, w, bias, residual, activation, y);
}

/// The whole sliding, tile by tile in order of image, row, column; `one` as above.
template <bool one, typename T>
TINYTC_INLINE void slide(const Sliding& g, const T* x, const T* w, const T* bias, const T* residual,
                         const Activation<T>& activation, T* y) {
  ImageTiling tiling = make_image_tiling(
      g.y_height, interior_range(g.y_height, g.stride_h, g.pad_top, g.dilation_h, g.kernel_h, g.x_height),
      g.y_width, interior_range(g.y_width, g.stride_w, g.pad_left, g.dilation_w, g.kernel_w, g.x_width));
  const bool upright = tiling.rows.quads > 0;
  PixelStrides pixel{(upright ? g.stride_h * g.x_width : g.stride_w) * g.channels,
                     upright ? g.y_row : g.y_pixel};
  for (int line = 0; line < g.batch * tiling.rows.tiles; ++line) {
    const int image = line / tiling.rows.tiles;
    const int row_tile = line - image * tiling.rows.tiles;
    const int oy = tile_begin(tiling.rows, row_tile);
    const int iy = oy * g.stride_h - g.pad_top;
    Range rows = tap_range(iy, g.dilation_h, g.kernel_h, g.x_height);
    for (int tile = 0; tile < tiling.columns.tiles; ++tile) {
      const int ox = tile_begin(tiling.columns, tile);
      const int ix = ox * g.stride_w - g.pad_left;
      Range columns = tap_range(ix, g.dilation_w, g.kernel_w, g.x_width);
      const int width = columns.last - columns.first;
      DepthwiseTaps taps{rows.last - rows.first,
                         width,
                         g.dilation_w * g.channels,
                         g.w_tap,
                         (g.dilation_h * g.x_width - width * g.dilation_w) * g.channels,
                         g.w_line - width * g.w_tap};
      const int at = image * g.y_image + oy * g.y_row + ox * g.y_pixel;
      const T* r = residual != nullptr ? residual + at : nullptr;
      const int y_tap = image * g.x_height + iy + rows.first * g.dilation_h;
      const T* from = x + (y_tap * g.x_width + ix + columns.first * g.dilation_w) * g.channels;
      const T* weights = w + rows.first * g.w_line + columns.first * g.w_tap;
      if (upright ? tile_is_four(tiling.rows, row_tile) : tile_is_four(tiling.columns, tile)) {
        slide_pixels<one, 4>(g, taps, pixel, from, weights, bias, r, activation, y + at);
      } else {
        slide_pixels<one, 1>(g, taps, pixel, from, weights, bias, r, activation, y + at);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_SLIDE_H
