// Average pooling in int8, channels-last; shapes are those of the float kernels (runtime/pool2d.h). Global
// pooling has the kernel as large as the input.
//
// Sums of up to 128 elements are kept in 16-bit lanes, four channels in two words. Pools with many small
// windows spend their time on what an output costs, not on elements: their windows are taken row by row, all
// those inside the image with one multiplier, and means are computed in 32 bits (QMean). Others take window
// by window.
#ifndef TINYTC_RUNTIME_Q_AVERAGE_POOL2D_H
#define TINYTC_RUNTIME_Q_AVERAGE_POOL2D_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_pool2d.h"

namespace tinytc {

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

/// addend + sum multiplier / 2^shift, ties to even, for a multiplier that is off by up to a half, as a scale
/// divided by n has none that is exact unless n is a power of two: what lies within half a sum of halfway is
/// halfway. Where input and output have one scale, averages do so often that the direction matters (halves
/// upwards would drift).
TINYTC_INLINE int q_mean_even(int addend, std::int32_t sum, std::int32_t multiplier, int shift) {
  const std::int64_t product = static_cast<std::int64_t>(sum) * multiplier;
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  const int slack = (sum < 0 ? -sum : sum) / 2;
  const std::int64_t least = (product + half - 1 - slack) >> shift;
  const std::int64_t most = (product + half + slack) >> shift;
  const std::int64_t value = least + ((most - least) & least);  // they differ by one at most: the even one
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

/// q_average_pool2d window by window.
TINYTC_INLINE void q_average_pool2d_windows(const Pool2dShape& s, int x_zero_point, const QScale& scale,
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
        const int mean = q_mean_even(out.zero_point, sum[k], scale.multiplier[entry], scale.shift[entry]);
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
          q_clamp(q_mean_even(out.zero_point, sum, scale.multiplier[entry], scale.shift[entry]), out);
    }
  }
}

/// Whether some sum of n elements, n at most 128, is a tie of q_mean_even. Beyond 255 steps every result is
/// clamped; from shift 47 on none reaches a half.
///
/// If one is, the products of all other sums stay 2^20 and more away from halfway: with a ratio p / 2^k of
/// the scales in lowest terms, and g what p and n have in common, a tie below 255 steps needs p / g <= 511,
/// and results are multiples of g / (n 2^k), which is multiplier g / p as a product. So QMean may look at
/// multiples of 2^16 only.
constexpr bool q_average_has_ties(int n, std::int32_t multiplier, int shift) {
  if (multiplier < 1 || shift > 46) return false;
  for (int odd = 1; odd < 512; odd += 2) {
    const std::int64_t halfway = static_cast<std::int64_t>(odd) << (shift - 1);
    const std::int64_t sum = (halfway + multiplier / 2) / multiplier;
    if (sum > 255 * n) return false;
    const std::int64_t distance = sum * multiplier - halfway;
    if ((distance < 0 ? -distance : distance) <= sum / 2) return true;
  }
  return false;
}

/// What the multipliers of a pool's windows allow: means of small windows in 32 bits, without ties (0) or
/// with them (1), or not (2). n: entries of the scale, which is in its second encoding.
constexpr int q_average_rounding(int n, const std::int32_t* multiplier, const std::int8_t* shift) {
  if (n > 128) return 2;
  int rounding = 0;
  for (int k = 0; k < n; ++k) {
    if (shift[k] < 17) return 2;
    if (q_average_has_ties(k + 1, multiplier[k], shift[k])) rounding = 1;
  }
  return rounding;
}

/// How sums of less than 2^15 in size become means: with q = 2^lift sum multiplier / 2^32, rounded down, it
/// is (q + half) / 2^shift + zero point, rounded down.
struct QMean {
  std::int32_t multiplier;
  int lift;
  int half;
  int ties;  ///< 1: q is rounded to nearest, and q / 2^shift too, with ties to even; half is one less than a
             ///< half
  int shift;
  int zero_point;
};

/// The same as q_mean_even, where q_average_rounding is 0 or 1.
TINYTC_INLINE QMean q_mean(std::int32_t multiplier, int shift, int rounding, int zero_point) {
  const int ties = rounding == 1 && shift <= 46 ? 1 : 0;
  const int used = ties == 0 ? min_of(shift, 54) : shift;  // from 2^54 on everything becomes 0
  const int lift = ties == 1 ? 16 : max_of(0, 33 - used);
  const int rest = used + lift - 32;
  const int half = (1 << (rest - 1)) - ties;
  // Without ties the zero point takes no addition of its own: rest is at most 22.
  if (rounding == 0) return QMean{multiplier, lift, half + zero_point * (1 << rest), 0, rest, 0};
  return QMean{multiplier, lift, half, ties, rest, zero_point};
}

TINYTC_INLINE int q_mean_of(const QMean& f, int sum) {
  const std::int32_t lifted = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) << f.lift);
  if (f.ties == 0) return (q_high_product(f.half, lifted, f.multiplier) >> f.shift) + f.zero_point;
  const int product = q_multiply_high(0, lifted, f.multiplier);
  return ((product + f.half + ((product >> f.shift) & 1)) >> f.shift) + f.zero_point;
}

/// One to four neighbouring int8 as a word, the first in the lowest byte.
TINYTC_INLINE std::uint32_t q_load_some(const std::int8_t* x, int width) {
  if (width == 4) return q_load(x);
  std::uint32_t word = static_cast<std::uint8_t>(x[0]);
  if (width > 1) word |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(x[1])) << 8;
  if (width > 2) word |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(x[2])) << 16;
  return word;
}

/// What is added to every element in QLaneSums, so that cores without lanes need not extend signs.
TINYTC_INLINE constexpr int q_lane_offset() {
#if defined(TINYTC_DSP)
  return 0;
#else
  return 128;
#endif
}

/// Sums of four channels in 16-bit lanes: bytes 0 and 2, bytes 1 and 3.
struct QLaneSums {
  std::uint32_t even;
  std::uint32_t odd;
};
TINYTC_INLINE void q_lanes_add(QLaneSums& sums, std::uint32_t four) {
#if defined(TINYTC_DSP)
  sums.even = q_add_even_bytes(sums.even, four);
  sums.odd = q_add_odd_bytes(sums.odd, four);
#else
  const std::uint32_t offset = four ^ 0x80808080U;
  sums.even += offset & 0x00FF00FFU;
  sums.odd += (offset >> 8) & 0x00FF00FFU;
#endif
}

/// Windows side by side in a row of outputs.
struct QWindowRow {
  int rows;     ///< taps of a window
  int columns;  ///< taps of a window
  int pixels;
  int start;  ///< of the sums
};

/// The means of `width` neighbouring channels of a window of at most 128 elements. x: its first element.
TINYTC_INLINE void q_average_some(const Pool2dShape& s, const QWindowRow& windows, const QMean& f,
                                  const QOutput& out, int width, const std::int8_t* x, std::int8_t* y) {
  const int step = s.dilation_w * s.channels;
  QLaneSums sums{0, 0};
  for (int ky = 0; ky < windows.rows; ++ky) {
    const std::int8_t* from = x;
    if (windows.columns % 2 != 0) {
      q_lanes_add(sums, q_load_some(from, width));
      from += step;
    }
    for (int kx = 0; kx < windows.columns / 2; ++kx) {
      q_lanes_add(sums, q_load_some(from, width));
      q_lanes_add(sums, q_load_some(from + step, width));
      from += 2 * step;
    }
    x += s.dilation_h * s.in_w * s.channels;
  }
  y[0] = q_clamp(q_mean_of(f, windows.start + q_low(sums.even)), out);
  if (width > 1) y[1] = q_clamp(q_mean_of(f, windows.start + q_low(sums.odd)), out);
  if (width > 2) y[2] = q_clamp(q_mean_of(f, windows.start + q_high(sums.even)), out);
  if (width > 3) y[3] = q_clamp(q_mean_of(f, windows.start + q_high(sums.odd)), out);
}

/// All channels of windows side by side. x: the first one's first element; y: its output.
TINYTC_INLINE void q_average_windows(const Pool2dShape& s, const QWindowRow& windows, const QMean& f,
                                     const QOutput& out, const std::int8_t* x, std::int8_t* y) {
  const int fours = s.channels / 4 * 4;
  for (int pixel = 0; pixel < windows.pixels; ++pixel) {
    for (int c = 0; c < fours; c += 4) q_average_some(s, windows, f, out, 4, x + c, y + c);
    if (fours < s.channels) {
      q_average_some(s, windows, f, out, s.channels - fours, x + fours, y + fours);
    }
    x += s.stride_w * s.channels;
    y += s.channels;
  }
}

/// What the windows of one row of outputs share.
struct QAverageRow {
  Range rows;   ///< taps inside the image
  int divisor;  ///< rows that a window's sum is divided by
  int iy;       ///< input row of tap 0
};

/// `pixels` windows from output column ox on, of which `columns` lie inside. image, y: the image's first
/// element, the row's first output.
TINYTC_INLINE void q_average_part(const Pool2dShape& s, const QAverageRow& row, Range columns, int ox,
                                  int pixels, int x_zero_point, const QScale& scale, int rounding,
                                  const QOutput& out, const std::int8_t* image, std::int8_t* y) {
  const int ix = ox * s.stride_w - s.pad_left;
  const int across = s.count_include_pad == 0
                         ? columns.last - columns.first
                         : q_pool2d_padded(ix, s.dilation_w, s.kernel_w, s.in_w, s.pad_left, s.pad_right);
  const int entry = row.divisor * across - 1;
  const int height = row.rows.last - row.rows.first;
  const int width = columns.last - columns.first;
  const int start = -height * width * (x_zero_point + q_lane_offset());
  const int first_y = row.iy + row.rows.first * s.dilation_h;
  const int first_x = ix + columns.first * s.dilation_w;
  q_average_windows(s, QWindowRow{height, width, pixels, start},
                    q_mean(scale.multiplier[entry], scale.shift[entry], rounding, out.zero_point), out,
                    image + (first_y * s.in_w + first_x) * s.channels, y + ox * s.channels);
}

/// One row of outputs: windows at the sides one by one, those inside the image at once.
TINYTC_INLINE void q_average_row(const Pool2dShape& s, const QAverageRow& row, int x_zero_point,
                                 const QScale& scale, int rounding, const QOutput& out,
                                 const std::int8_t* image, std::int8_t* y) {
  const Range inner = interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
  for (int side = 0; side < 2; ++side) {
    const int end = side == 0 ? inner.first : s.out_w;
    for (int ox = side == 0 ? 0 : inner.last; ox < end; ++ox) {
      const Range columns = tap_range(ox * s.stride_w - s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
      q_average_part(s, row, columns, ox, 1, x_zero_point, scale, rounding, out, image, y);
    }
    if (side == 0 && inner.first < inner.last) {
      q_average_part(s, row, Range{0, s.kernel_w}, inner.first, inner.last - inner.first, x_zero_point, scale,
                     rounding, out, image, y);
    }
  }
}

/// q_average_pool2d row by row.
TINYTC_INLINE void q_average_pool2d_rows(const Pool2dShape& s, int x_zero_point, const QScale& scale,
                                         int rounding, const QOutput& out, const std::int8_t* x,
                                         std::int8_t* y) {
  const Range inner = interior_range(s.out_h, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.in_h);
  for (int n = 0; n < s.batch; ++n) {
    for (int oy = 0; oy < s.out_h; ++oy) {
      const int iy = oy * s.stride_h - s.pad_top;
      const Range rows = inside_taps(inner, s.out_h, iy, s.dilation_h, s.kernel_h, s.in_h);
      const int divisor = s.count_include_pad == 0 ? rows.last - rows.first
                                                   : q_pool2d_padded(iy, s.dilation_h, s.kernel_h, s.in_h,
                                                                     s.pad_top, s.pad_bottom);
      q_average_row(s, QAverageRow{rows, divisor, iy}, x_zero_point, scale, rounding, out,
                    x + n * s.in_h * s.in_w * s.channels, y + (n * s.out_h + oy) * s.out_w * s.channels);
    }
  }
}

/// y = clamp(zero point + round(scale * sum of (x - x_zero_point))), ties to even; the scale has shifts:
/// entry n - 1 is for windows that are divided by n (x scale / y scale / n), kernel_h * kernel_w entries.
/// rounding: q_average_rounding of them. x: [batch][in_h][in_w][channels]; y:
/// [batch][out_h][out_w][channels], may overlap x from q_average_pool2d_lead_x on. Every window holds an
/// element of the input.
TINYTC_INLINE void q_average_pool2d(const Pool2dShape& s, int x_zero_point, const QScale& scale, int rounding,
                                    const QOutput& out, const std::int8_t* x, std::int8_t* y) {
#if defined(TINYTC_SMALL)
  static_cast<void>(rounding);
  const bool by_rows = false;
#else
  const bool by_rows = rounding != 2 && s.out_h * s.out_w > 1;
#endif
  if (by_rows) {
    q_average_pool2d_rows(s, x_zero_point, scale, rounding, out, x, y);
  } else {
    q_average_pool2d_windows(s, x_zero_point, scale, out, x, y);
  }
}
constexpr int q_average_pool2d_lead_x(const Pool2dShape& s) { return pool2d_lead_x(s, 4); }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_AVERAGE_POOL2D_H
