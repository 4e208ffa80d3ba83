// Windows of pools, and maximum pooling in int8, channels-last; shapes are those of the float kernels
// (runtime/pool2d.h). Global pooling has the kernel as large as the input.
#ifndef TINYTC_RUNTIME_Q_POOL2D_H
#define TINYTC_RUNTIME_Q_POOL2D_H

#include "runtime/pool2d.h"
#include "runtime/q_base.h"

namespace tinytc {

/// The part of a window that lies inside the image.
struct QWindow {
  int first;    ///< offset of its first element's channel 0
  int rows;     ///< taps
  int columns;  ///< taps
};
TINYTC_INLINE QWindow q_pool2d_window(const Pool2dShape& s, int pixel) {
  const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
  const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
  const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
  const int y = pixel / (s.out_w * s.out_h) * s.in_h + iy + rows.first * s.dilation_h;
  const int x = ix + columns.first * s.dilation_w;
  return QWindow{(y * s.in_w + x) * s.channels, rows.last - rows.first, columns.last - columns.first};
}

#if defined(TINYTC_MVE)
/// The largest element of a window for up to 16 channels. from: the window's first element of the first of
/// them.
TINYTC_INLINE void q_max_pool2d_vector(const Pool2dShape& s, const QWindow& window, const std::int8_t* from,
                                       int channels, std::int8_t* y) {
  int rows = window.rows;
  asm volatile(
      "vctp.8 %[channels]\n"
      "vmov.i8 q0, #128\n"
      "1:\n"
      "mov r12, %[from]\n"
      "dls lr, %[columns]\n"
      "2:\n"
      "vpst\n"
      "vldrbt.u8 q1, [r12]\n"
      "add r12, r12, %[column]\n"
      "vmax.s8 q0, q0, q1\n"
      "le lr, 2b\n"
      "add %[from], %[from], %[row]\n"
      "subs %[rows], %[rows], #1\n"
      "bne 1b\n"
      "vpst\n"
      "vstrbt.8 q0, [%[y]]\n"
      : [from] "+r"(from), [rows] "+r"(rows)
      : [channels] "r"(channels), [columns] "r"(window.columns), [column] "r"(s.dilation_w * s.channels),
        [row] "r"(s.dilation_h * s.in_w * s.channels), [y] "r"(y)
      : "r12", "lr", "q0", "q1", "cc", "memory");
}
#endif

/// The largest of rows x columns elements of a channel.
TINYTC_INLINE int q_largest(const Pool2dShape& s, int rows, int columns, const std::int8_t* x) {
  int largest = -128;
  for (int ky = 0; ky < rows; ++ky) {
    const std::int8_t* row = x + ky * s.dilation_h * s.in_w * s.channels;
    for (int kx = 0; kx < columns; ++kx) {
      largest = max_of<int>(largest, row[kx * s.dilation_w * s.channels]);
    }
  }
  return largest;
}

/// y = the largest element of each window, scale and zero point unchanged. x: [batch][in_h][in_w][channels];
/// y: [batch][out_h][out_w][channels], may overlap x from q_max_pool2d_lead_x on. Every window holds an
/// element of the input.
TINYTC_INLINE void q_max_pool2d(const Pool2dShape& s, const std::int8_t* x, std::int8_t* y) {
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const QWindow window = q_pool2d_window(s, pixel);
#if defined(TINYTC_MVE)
    for (int c = 0; c < s.channels; c += 16) {
      q_max_pool2d_vector(s, window, x + window.first + c, s.channels - c, y + pixel * s.channels + c);
    }
#else
#if defined(TINYTC_SMALL)
    const bool is_whole = false;
#else
    const bool is_whole = window.rows == s.kernel_h && window.columns == s.kernel_w;
#endif
    for (int c = 0; c < s.channels; ++c) {
      const std::int8_t* from = x + window.first + c;
      // Known numbers of taps unroll.
      const int largest = is_whole ? q_largest(s, s.kernel_h, s.kernel_w, from)
                                   : q_largest(s, window.rows, window.columns, from);
      y[pixel * s.channels + c] = static_cast<std::int8_t>(largest);
    }
#endif
  }
}
constexpr int q_max_pool2d_lead_x(const Pool2dShape& s) { return pool2d_lead_x(s, 1); }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_POOL2D_H
