// Pooling in int8, channels-last; shapes are those of the float kernels (runtime/pool2d.h). Global pooling
// has the kernel as large as the input.
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
    for (int c = 0; c < s.channels; ++c) {
      int largest = -128;
      for (int ky = 0; ky < window.rows; ++ky) {
        const std::int8_t* row = x + window.first + ky * s.dilation_h * s.in_w * s.channels + c;
        for (int kx = 0; kx < window.columns; ++kx) {
          largest = max_of<int>(largest, row[kx * s.dilation_w * s.channels]);
        }
      }
      y[pixel * s.channels + c] = static_cast<std::int8_t>(largest);
    }
#endif
  }
}
constexpr int q_max_pool2d_lead_x(const Pool2dShape& s) { return pool2d_lead_x(s, 1); }

/// Rows or columns of a window clipped to the padded image, for count_include_pad.
TINYTC_INLINE int q_pool2d_padded(int start, int dilation, int taps, int size, int pad_before,
                                  int pad_after) {
  const Range range = tap_range(start + pad_before, dilation, taps, size + pad_before + pad_after);
  return range.last - range.first;
}

/// By how many elements a window's sum is divided.
TINYTC_INLINE int q_pool2d_divisor(const Pool2dShape& s, int pixel, const QWindow& window) {
  if (s.count_include_pad == 0) return window.rows * window.columns;
  const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
  const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
  return q_pool2d_padded(iy, s.dilation_h, s.kernel_h, s.in_h, s.pad_top, s.pad_bottom) *
         q_pool2d_padded(ix, s.dilation_w, s.kernel_w, s.in_w, s.pad_left, s.pad_right);
}

/// addend + sum multiplier / 2^shift, ties to even: where input and output have one scale, averages lie
/// halfway between two numbers so often that the direction matters (halves upwards would drift). From shift
/// 33 on, which is scales below 1/4, the product's high word says all but whether the rest is nothing.
TINYTC_INLINE int q_multiply_even(int addend, std::int32_t sum, std::int32_t multiplier, int shift) {
  const std::int64_t product = static_cast<std::int64_t>(sum) * multiplier;
  if (shift > 32) {
    const int rest = shift - 32;
    const int lifted = static_cast<int>(product >> 32) + (1 << (rest - 1));
    const bool is_tie = static_cast<std::uint32_t>(product) == 0 && (lifted & ((1 << rest) - 1)) == 0;
    return addend + ((lifted >> rest) & (is_tie ? ~1 : ~0));
  }
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  const std::int64_t nearest = (product + half) >> shift;
  const std::int64_t rest = product - nearest * half * 2;
  const std::int64_t value = rest == -half ? nearest & ~std::int64_t{1} : nearest;
  const std::int64_t limit = std::int64_t{1} << 30;
  return addend + static_cast<int>(min_of(max_of(value, -limit), limit));
}

/// Adds four neighbouring channels of a window. x: the window's first element of the first of them. Sums
/// of up to 128 elements are kept in 16-bit lanes.
TINYTC_INLINE void q_pool2d_sum_four(const Pool2dShape& s, const QWindow& window, const std::int8_t* x,
                                     int (&sum)[4]) {
  const int step = s.dilation_w * s.channels;
  const bool joined =
      window.columns == s.in_w && s.dilation_h == 1 && s.dilation_w == 1;  // rows follow each other
  const int rows = joined ? 1 : window.rows;
  const int length = joined ? window.rows * window.columns : window.columns;
  for (int ky = 0; ky < rows; ++ky) {
    const std::int8_t* row = x + ky * s.dilation_h * s.in_w * s.channels;
    for (int first = 0; first < length; first += 128) {
      const int columns = min_of(128, length - first);
      std::uint32_t even = 0;
      std::uint32_t odd = 0;
      for (int kx = 0; kx < columns; ++kx) {
        const std::uint32_t four = q_load(row);
        row += step;
        even = q_add_even_bytes(even, four);
        odd = q_add_odd_bytes(odd, four);
      }
      sum[0] += q_low(even);
      sum[1] += q_low(odd);
      sum[2] += q_high(even);
      sum[3] += q_high(odd);
    }
  }
}

/// y = clamp(zero point + round(scale * sum of (x - x_zero_point))), ties to even; the scale has shifts:
/// entry n - 1 is for windows that are divided by n (x scale / y scale / n), kernel_h * kernel_w entries. x:
/// [batch][in_h][in_w][channels]; y: [batch][out_h][out_w][channels], may overlap x from
/// q_average_pool2d_lead_x on. Every window holds an element of the input.
TINYTC_INLINE void q_average_pool2d(const Pool2dShape& s, int x_zero_point, const QScale& scale,
                                    const QOutput& out, const std::int8_t* x, std::int8_t* y) {
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const QWindow window = q_pool2d_window(s, pixel);
    const int entry = q_pool2d_divisor(s, pixel, window) - 1;
    const int start = -window.rows * window.columns * x_zero_point;
    const int fours = s.channels / 4 * 4;
    for (int c = 0; c < fours; c += 4) {
      int sum[4] = {start, start, start, start};
      q_pool2d_sum_four(s, window, x + window.first + c, sum);
      for (int k = 0; k < 4; ++k) {
        const int mean = q_multiply_even(out.zero_point, sum[k], scale.multiplier[entry], scale.shift[entry]);
        y[pixel * s.channels + c + k] = q_clamp(mean, out);
      }
    }
    for (int c = fours; c < s.channels; ++c) {
      int sum = start;
      for (int ky = 0; ky < window.rows; ++ky) {
        const std::int8_t* row = x + window.first + ky * s.dilation_h * s.in_w * s.channels + c;
        for (int kx = 0; kx < window.columns; ++kx) sum += row[kx * s.dilation_w * s.channels];
      }
      y[pixel * s.channels + c] =
          q_clamp(q_multiply_even(out.zero_point, sum, scale.multiplier[entry], scale.shift[entry]), out);
    }
  }
}
constexpr int q_average_pool2d_lead_x(const Pool2dShape& s) { return pool2d_lead_x(s, 4); }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_POOL2D_H
