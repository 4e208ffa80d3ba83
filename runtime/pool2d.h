// 2-D pooling (1-D with height 1; global pooling with the kernel as large as the input) and its gradients.
//
// Activations are channels-last. Ceil mode is whatever out_h and out_w say: windows may hang over the bottom
// and right edge.
#ifndef TINYTC_RUNTIME_POOL2D_H
#define TINYTC_RUNTIME_POOL2D_H

#include "runtime/base.h"
#include "runtime/correlate.h"

namespace tinytc {

/// Shape of a pooling; its gradient uses the same.
struct Pool2dShape {
  int batch;
  int in_h;
  int in_w;
  int channels;
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
  int pad_bottom;         ///< used by average pooling with count_include_pad only
  int pad_right;          ///< likewise
  int count_include_pad;  ///< average pooling: 1 divides by the window clipped to the padded input, 0 by the
                          ///< elements inside the input
};

template <typename V>
constexpr void visit(const Pool2dShape& s, V&& v) {
  v("batch", s.batch);
  v("in_h", s.in_h);
  v("in_w", s.in_w);
  v("channels", s.channels);
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
  v("pad_bottom", s.pad_bottom);
  v("pad_right", s.pad_right);
  v("count_include_pad", s.count_include_pad);
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x. Pixels are
/// finished in blocks of `block` channels, then channel by channel.
constexpr int pool2d_lead_x(const Pool2dShape& s, int block) {
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    if (rows.first < rows.last && columns.first < columns.last) {
      const int y = pixel / (s.out_w * s.out_h) * s.in_h + iy + rows.first * s.dilation_h;
      const int x = ix + columns.first * s.dilation_w;
      // Channels are finished in blocks of four, then one by one: those below are written before a block
      // reads.
      const bool written = pixel > 0 || (s.channels > 1 && s.channels != block);
      lead = written ? max_of(lead, (pixel - y * s.in_w - x) * s.channels) : lead;
    }
  }
  return lead;
}
constexpr int max_pool2d_lead_x(const Pool2dShape& s) { return pool2d_lead_x(s, 1); }
constexpr int average_pool2d_lead_x(const Pool2dShape& s) { return pool2d_lead_x(s, 4); }

/// y = maximum of each window; argmax (or null): its position ky * kernel_w + kx in the window, the first of
/// equals. A NaN wins (the last one, as in PyTorch). x: [batch][in_h][in_w][channels]; y, argmax:
/// [batch][out_h][out_w][channels]. Index: an integer type that holds kernel_h * kernel_w - 1. y may overlap
/// x from max_pool2d_lead_x on; argmax overlaps nothing. Every window must hold an element of the input.
template <typename T, typename Index>
TINYTC_INLINE void max_pool2d(const Pool2dShape& s, const T* x, T* y, Index* argmax) {
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    const T* window = x + ((pixel / (s.out_w * s.out_h) * s.in_h + iy) * s.in_w + ix) * s.channels;
    for (int c = 0; c < s.channels; ++c) {
      int best = rows.first * s.kernel_w + columns.first;
      T value = window[(rows.first * s.dilation_h * s.in_w + columns.first * s.dilation_w) * s.channels + c];
      for (int ky = rows.first; ky < rows.last; ++ky) {
        for (int kx = columns.first; kx < columns.last; ++kx) {
          const T candidate = window[(ky * s.dilation_h * s.in_w + kx * s.dilation_w) * s.channels + c];
          const bool better = candidate > value || candidate != candidate;
          value = better ? candidate : value;
          best = better ? ky * s.kernel_w + kx : best;
        }
      }
      y[pixel * s.channels + c] = value;
      if (argmax != nullptr) {
        argmax[pixel * s.channels + c] = static_cast<Index>(best);
      }
    }
  }
}

/// Gradient of max_pool2d: dx is cleared, then every dy is added at the position that argmax names. dy,
/// argmax: [batch][out_h][out_w] [channels]; dx: [batch][in_h][in_w][channels], must overlap neither.
/// Overlapping windows add in order of output pixels.
template <typename T, typename Index>
TINYTC_INLINE void max_pool2d_grad(const Pool2dShape& s, const T* dy, const Index* argmax, T* dx) {
  for (int i = 0; i < s.batch * s.in_h * s.in_w * s.channels; ++i) {
    dx[i] = T(0);
  }
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    const int window = ((pixel / (s.out_w * s.out_h) * s.in_h + iy) * s.in_w + ix) * s.channels;
    for (int c = 0; c < s.channels; ++c) {
      const int tap = static_cast<int>(argmax[pixel * s.channels + c]);
      const int ky = tap / s.kernel_w;
      const int kx = tap - ky * s.kernel_w;
      dx[window + (ky * s.dilation_h * s.in_w + kx * s.dilation_w) * s.channels + c] +=
          dy[pixel * s.channels + c];
    }
  }
}

/// What the sum of a window is divided by.
TINYTC_INLINE constexpr int average_pool2d_divisor(const Pool2dShape& s, int iy, int ix) {
  Range rows = s.count_include_pad
                   ? tap_range(iy + s.pad_top, s.dilation_h, s.kernel_h, s.in_h + s.pad_top + s.pad_bottom)
                   : tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
  Range columns = s.count_include_pad ? tap_range(ix + s.pad_left, s.dilation_w, s.kernel_w,
                                                  s.in_w + s.pad_left + s.pad_right)
                                      : tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
  return (rows.last - rows.first) * (columns.last - columns.first);
}

/// C neighbouring channels of one window.
template <int C, typename T>
TINYTC_INLINE void average_pool2d_block(const Pool2dShape& s, const T* window, Range rows, Range columns,
                                        T scale, T* y) {
  T s0 = T(0);
  T s1 = T(0);
  T s2 = T(0);
  T s3 = T(0);
  for (int ky = rows.first; ky < rows.last; ++ky) {
    const T* x = window + (ky * s.dilation_h * s.in_w + columns.first * s.dilation_w) * s.channels;
    for (int kx = columns.first; kx < columns.last; ++kx) {
      s0 += x[0];
      if (C > 1) s1 += x[1];
      if (C > 2) s2 += x[2];
      if (C > 3) s3 += x[3];
      x += s.dilation_w * s.channels;
    }
  }
  y[0] = s0 * scale;
  if (C > 1) y[1] = s1 * scale;
  if (C > 2) y[2] = s2 * scale;
  if (C > 3) y[3] = s3 * scale;
}

/// y = average of each window. x: [batch][in_h][in_w][channels]; y: [batch][out_h][out_w][channels], may
/// overlap x from average_pool2d_lead_x on. Sums run over ky, kx and are multiplied by the rounded reciprocal
/// of the count.
template <typename T>
TINYTC_INLINE void average_pool2d(const Pool2dShape& s, const T* x, T* y) {
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    const T scale = T(1) / static_cast<T>(average_pool2d_divisor(s, iy, ix));
    const T* window = x + ((pixel / (s.out_w * s.out_h) * s.in_h + iy) * s.in_w + ix) * s.channels;
    const int full = s.channels / 4 * 4;
    for (int c = 0; c < full; c += 4) {
      average_pool2d_block<4>(s, window + c, rows, columns, scale, y + pixel * s.channels + c);
    }
    for (int c = full; c < s.channels; ++c) {
      average_pool2d_block<1>(s, window + c, rows, columns, scale, y + pixel * s.channels + c);
    }
  }
}

/// Gradient of average_pool2d: dx is cleared, then every dy / count is added to its window. dy:
/// [batch][out_h][out_w][channels]; dx: [batch][in_h][in_w][channels], must not overlap dy. Overlapping
/// windows add in order of output pixels.
template <typename T>
TINYTC_INLINE void average_pool2d_grad(const Pool2dShape& s, const T* dy, T* dx) {
  for (int i = 0; i < s.batch * s.in_h * s.in_w * s.channels; ++i) {
    dx[i] = T(0);
  }
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    const T scale = T(1) / static_cast<T>(average_pool2d_divisor(s, iy, ix));
    const int window = ((pixel / (s.out_w * s.out_h) * s.in_h + iy) * s.in_w + ix) * s.channels;
    for (int c = 0; c < s.channels; ++c) {
      const T share = rounded(dy[pixel * s.channels + c] * scale);
      for (int ky = rows.first; ky < rows.last; ++ky) {
        for (int kx = columns.first; kx < columns.last; ++kx) {
          dx[window + (ky * s.dilation_h * s.in_w + kx * s.dilation_w) * s.channels + c] += share;
        }
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_POOL2D_H
