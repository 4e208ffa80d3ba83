// The engine under conv2d and conv2d_input_grad: sliding dot products over channels-last images with packed
// weights.
//
// Packed weights: blocks of four output channels, each [kernel_h][kernel_w][run][4], then the remaining
// channels one by one, each [kernel_h][kernel_w][run]. Every output is bias + sum over ky, kx, channel in
// this order, taps outside the image left out, then residual, then activation. An image of outputs is cut
// into tiles of four pixels where all their taps lie inside along the tile's direction, and single pixels
// elsewhere, so the inner loop tests nothing.
//
// Local aggregates are deliberately not const: GCC does not split a const one into registers, and then no
// longer folds the constants of a shape across an assembly block.
//
// The loops over tiles end by "!=": at -O3 GCC 12 cuts a loop that ends by "<" in two where its body compares
// the counter, even if the second part would never run (all tiles hold four), and then warns of 2^31 turns of
// that part.
#ifndef TINYTC_RUNTIME_CORRELATE_H
#define TINYTC_RUNTIME_CORRELATE_H

#include "runtime/activation.h"
#include "runtime/base.h"
#include "runtime/tile.h"
#include "runtime/tile_block.h"

namespace tinytc {

/// Geometry of one correlation. Sizes in pixels or taps, *_pixel/_row/_image strides in elements; paddings
/// may be negative.
struct Correlation {
  int batch;
  int x_height;
  int x_width;
  int x_pixel;
  int y_height;
  int y_width;
  int y_pixel;
  int y_row;
  int y_image;
  int run;       ///< channels summed per tap
  int channels;  ///< output channels
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int dilation_h;
  int dilation_w;
  int pad_top;
  int pad_left;
};

/// Half-open range of indices.
struct Range {
  int first;
  int last;
};

/// The taps k of `taps` for which start + k * dilation lies in [0, size); both ends at most `taps`, even
/// where padding is wider than all taps.
TINYTC_INLINE constexpr Range tap_range(int start, int dilation, int taps, int size) {
  const int first = start < 0 ? min_of(taps, (-start + dilation - 1) / dilation) : 0;
  const int end = size > start ? (size - start + dilation - 1) / dilation : 0;
  const int last = min_of(taps, end);
  return Range{first, max_of(first, last)};
}

/// The outputs o of `outputs` for which all taps of o * stride - pad + k * dilation lie in [0, size).
TINYTC_INLINE constexpr Range interior_range(int outputs, int stride, int pad, int dilation, int taps,
                                             int size) {
  const int first = pad > 0 ? (pad + stride - 1) / stride : 0;
  const int room = size - 1 - (taps - 1) * dilation + pad;
  const int end = room >= 0 ? room / stride + 1 : 0;
  const int clipped = min_of(first, outputs);
  return Range{clipped, max_of(clipped, min_of(outputs, end))};
}

/// The outputs o of `outputs` for which o * stride + offset lies in [0, size).
TINYTC_INLINE constexpr Range output_range(int outputs, int stride, int offset, int size) {
  return interior_range(outputs, stride, -offset, 1, 1, size);
}

/// How an axis of outputs is cut: single ones where taps fall outside, `quads` times four in between, then
/// single ones again.
struct Tiling {
  int first;  ///< tiles before the first four
  int quads;
  int tiles;
};

/// The taps of an axis that lie inside, given the axis' interior: all of them, a constant, where nothing is
/// padded.
TINYTC_INLINE constexpr Range inside_taps(Range interior, int outputs, int start, int dilation, int taps,
                                          int size) {
  return interior.last - interior.first == outputs ? Range{0, taps} : tap_range(start, dilation, taps, size);
}

/// Cuts `outputs` whose interior is given; without `fours` into single ones only.
TINYTC_INLINE constexpr Tiling make_tiling(int outputs, Range interior, bool fours) {
  const int quads = fours ? (interior.last - interior.first) / 4 : 0;
  return Tiling{interior.first, quads, outputs - 3 * quads};
}

/// Whether a tile holds four outputs.
TINYTC_INLINE constexpr bool tile_is_four(const Tiling& t, int tile) {
  return tile >= t.first && tile < t.first + t.quads;
}

/// The first output of a tile.
TINYTC_INLINE constexpr int tile_begin(const Tiling& t, int tile) {
  return tile < t.first ? tile : tile_is_four(t, tile) ? tile + 3 * (tile - t.first) : tile + 3 * t.quads;
}

/// How an image of outputs is cut into tiles: four neighbours in a row or, where that leaves fewer single
/// pixels (narrow images), in a column.
struct ImageTiling {
  Tiling rows;
  Tiling columns;
};

/// The tiling of height x width outputs whose interior rows and columns are given.
TINYTC_INLINE constexpr ImageTiling make_image_tiling(int height, Range rows, int width, Range columns) {
  const bool upright = (rows.last - rows.first) / 4 * width > (columns.last - columns.first) / 4 * height;
  return ImageTiling{make_tiling(height, rows, upright), make_tiling(width, columns, !upright)};
}

/// Elements from one of a tile's pixels to the next.
struct PixelStrides {
  int x;
  int y;
};

/// One tile: P pixels x C channels. x: the image; (iy, ix): input position of the first pixel's tap (0, 0);
/// w: the block's weights, w_step elements from tap channel to tap channel; rows, columns: taps inside the
/// image for all P pixels.
template <int P, int C, typename T>
TINYTC_INLINE void correlate_tile(const Correlation& g, PixelStrides pixel, const T* x, int iy, int ix,
                                  Range rows, Range columns, const T* w, int w_step, const T* bias,
                                  const T* residual, const Activation<T>& activation, T* y) {
  T sum[16];
  const int x_row = g.dilation_h * g.x_width * g.x_pixel;
  const int w_tap = g.run * w_step;
  // Neighbouring taps of neighbouring pixels are one long run where nothing lies between them.
  const bool merged = g.dilation_w == 1 && g.x_pixel == g.run;
  const int runs = merged ? 1 : columns.last - columns.first;
  const int length = merged ? (columns.last - columns.first) * g.run : g.run;
  x += (iy * g.x_width + ix + columns.first * g.dilation_w) * g.x_pixel + rows.first * x_row;
  w += (rows.first * g.kernel_w + columns.first) * w_tap;
  // Of a single kernel row, the taps take the part of the rows.
  const bool flat = merged || g.kernel_h == 1;
  const int line_x = merged ? x_row : g.dilation_w * g.x_pixel;
  const int line_w = merged ? g.kernel_w * w_tap : w_tap;
  const int lines = (rows.last - rows.first) * runs;
  if (flat && P == 4 && C == 4) {
    tile_block(sum, x, pixel.x, line_x, w, line_w, lines, length, bias);
  } else if (flat && P == 1 && C == 4) {
    pixel_block(sum, x, line_x, w, line_w, lines, length, bias);
  } else {
    tile_start<P, C>(sum, bias);
    for (int ky = rows.first; ky < rows.last; ++ky) {
      for (int r = 0; r < runs; ++r) {
        const T* x_run = x + r * g.dilation_w * g.x_pixel;
        if (C == 1) {
          tile_dot<P>(sum, x_run, pixel.x, w + r * w_tap, length);
        } else {
          tile_run<P, C>(sum, TileStrides{pixel.x, 1, 1, w_step}, x_run, w + r * w_tap, length);
        }
      }
      x += x_row;
      w += g.kernel_w * w_tap;
    }
  }
  tile_finish<P, C>(sum, residual, activation, y, pixel.y);
}

/// All channels of P neighbouring pixels: blocks of four channels, then the rest one by one.
template <int P, typename T>
TINYTC_INLINE void correlate_pixels(const Correlation& g, PixelStrides pixel, const T* x, int iy, int ix,
                                    Range rows, Range columns, const T* w, const T* bias, const T* residual,
                                    const Activation<T>& activation, T* y) {
  const int taps = g.kernel_h * g.kernel_w * g.run;
  const int full = g.channels / 4 * 4;
  for (int c = 0; c < full; c += 4) {
    correlate_tile<P, 4>(g, pixel, x, iy, ix, rows, columns, w + c * taps, 4,
                         bias != nullptr ? bias + c : nullptr, residual != nullptr ? residual + c : nullptr,
                         activation, y + c);
  }
  for (int c = full; c < g.channels; ++c) {
    correlate_tile<P, 1>(g, pixel, x, iy, ix, rows, columns, w + c * taps, 1,
                         bias != nullptr ? bias + c : nullptr, residual != nullptr ? residual + c : nullptr,
                         activation, y + c);
  }
}

/// The whole correlation, tile by tile in order of image, row, column. x, w, bias (or null), residual (or
/// null; laid out as y), y.
template <typename T>
TINYTC_INLINE void correlate(const Correlation& g, const T* x, const T* w, const T* bias, const T* residual,
                             const Activation<T>& activation, T* y) {
  Range inner_rows = interior_range(g.y_height, g.stride_h, g.pad_top, g.dilation_h, g.kernel_h, g.x_height);
  Range inner_columns =
      interior_range(g.y_width, g.stride_w, g.pad_left, g.dilation_w, g.kernel_w, g.x_width);
  ImageTiling tiling = make_image_tiling(g.y_height, inner_rows, g.y_width, inner_columns);
  const bool upright = tiling.rows.quads > 0;
  PixelStrides pixel{(upright ? g.stride_h * g.x_width : g.stride_w) * g.x_pixel,
                     upright ? g.y_row : g.y_pixel};
  for (int image = 0; image < g.batch; ++image) {
    const T* x_image = x + image * g.x_height * g.x_width * g.x_pixel;
    for (int line = 0; line != tiling.rows.tiles; ++line) {
      const int oy = tile_begin(tiling.rows, line);
      const int iy = oy * g.stride_h - g.pad_top;
      Range rows = inside_taps(inner_rows, g.y_height, iy, g.dilation_h, g.kernel_h, g.x_height);
      for (int tile = 0; tile != tiling.columns.tiles; ++tile) {
        const int ox = tile_begin(tiling.columns, tile);
        const int ix = ox * g.stride_w - g.pad_left;
        const int at = image * g.y_image + oy * g.y_row + ox * g.y_pixel;
        const T* r = residual != nullptr ? residual + at : nullptr;
        Range columns = inside_taps(inner_columns, g.y_width, ix, g.dilation_w, g.kernel_w, g.x_width);
        if (tile_is_four(upright ? tiling.rows : tiling.columns, upright ? line : tile)) {
          // Along the tile all taps lie inside; said so that the constant is seen.
          Range all_rows = upright ? Range{0, g.kernel_h} : rows;
          Range all_columns = upright ? columns : Range{0, g.kernel_w};
          correlate_pixels<4>(g, pixel, x_image, iy, ix, all_rows, all_columns, w, bias, r, activation,
                              y + at);
        } else {
          correlate_pixels<1>(g, pixel, x_image, iy, ix, rows, columns, w, bias, r, activation, y + at);
        }
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_CORRELATE_H
