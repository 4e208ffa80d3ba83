// Depthwise 3x3 in int8 through a ring of two widened rows of row pairs.
//
// Word row t of a channel holds (row 2t - pad, row 2t - pad + 1) of the padded image as int16 lanes, column
// after column, so that one dual multiply takes two taps of a kernel column. From word rows t (A) and t + 1
// (B) come output rows 2t and 2t + 1 with stride 1, output row t with stride 2:
//   row 0 += A (k0, k1) + B.low k2,   row 1 += A.high k0 + B (k1, k2).
// All channels' word row t + 1 is read before anything of step t is written, so y may replace x.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_RING_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_RING_H

#include "runtime/q_base.h"
#include "runtime/q_depthwise_block.h"
#include "runtime/q_depthwise_pairs.h"
#include "runtime/q_depthwise_shape.h"

namespace tinytc {

/// Whether the ring serves this shape.
TINYTC_INLINE constexpr bool q_depthwise_has_ring(const QDepthwiseConv2dShape& s) {
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h <= 2 && s.dilation_h == 1 && s.dilation_w == 1 &&
         s.multiplier == 1 && s.pad_top >= 0 && s.pad_left >= 0;
}

/// Columns of a word row.
TINYTC_INLINE constexpr int q_depthwise_ring_width(const QDepthwiseConv2dShape& s) {
  return (s.out_w - 1) * s.stride_w + 3;
}

/// Scratch in words: two word rows of all channels.
TINYTC_INLINE constexpr int q_depthwise_ring_words(const QDepthwiseConv2dShape& s) {
  return 2 * s.channels * q_depthwise_ring_width(s);
}

/// Output rows of a step.
TINYTC_INLINE constexpr int q_depthwise_ring_rows(const QDepthwiseConv2dShape& s) {
  return s.stride_h == 1 ? 2 : 1;
}

/// Smallest distance at which y may run over x: what is written before a word row is read lies below it.
constexpr int q_depthwise_ring_lead(const QDepthwiseConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  const int rows = q_depthwise_ring_rows(s);
  for (int image = 0; image < s.batch; ++image) {
    for (int t = 0; t < (s.out_h + rows - 1) / rows; ++t) {
      const int row = t == 0 ? 0 : max_of(0, 2 * (t + 1) - s.pad_top);
      const int written = (image * s.out_h + t * rows) * s.out_w * s.channels;
      const int read = (image * s.in_h + row) * s.in_w * s.channels;
      if (row < s.in_h && written > 0) lead = max_of(lead, written - read);
    }
  }
  return lead;
}

/// Word row t of all channels of an image. words: [channels][width].
TINYTC_INLINE void q_depthwise_fill(const QDepthwiseConv2dShape& s, const std::int8_t* x, int t,
                                    std::uint32_t* words) {
  const std::int8_t zero = static_cast<std::int8_t>(s.x_zero_point);
  const std::int8_t padding[4] = {zero, zero, zero, zero};
  const int width = q_depthwise_ring_width(s);
  const int row = 2 * t - s.pad_top;
  const int columns = min_of(s.in_w, width - s.pad_left);
  const bool has_low = row >= 0 && row < s.in_h;
  const bool has_high = row + 1 >= 0 && row + 1 < s.in_h;
  const std::int8_t* low = has_low ? x + row * s.in_w * s.channels : padding;
  const std::int8_t* high = has_high ? x + (row + 1) * s.in_w * s.channels : padding;
  const int low_step = has_low ? s.channels : 0;
  const int high_step = has_high ? s.channels : 0;
  const int fours = s.channels / 4 * 4;
  for (int c = 0; c < fours; c += 4) {
    q_depthwise_pairs(low + (has_low ? c : 0), low_step, high + (has_high ? c : 0), high_step, columns, width,
                      words + c * width + s.pad_left);
  }
  for (int c = fours; c < s.channels; ++c) {
    std::uint32_t* to = words + c * width + s.pad_left;
    const std::int8_t* a = low + (has_low ? c : 0);
    const std::int8_t* b = high + (has_high ? c : 0);
    for (int k = 0; k < columns; ++k) to[k] = q_lanes(a[k * low_step], b[k * high_step]);
  }
}

/// Fills the columns beside the image in both word rows, which keep them.
TINYTC_INLINE void q_depthwise_clear(const QDepthwiseConv2dShape& s, std::uint32_t* words) {
  const std::uint32_t word = q_lanes(s.x_zero_point, s.x_zero_point);
  const int width = q_depthwise_ring_width(s);
  const int before = min_of(s.pad_left, width);
  const int after = max_of(width - s.pad_left - s.in_w, 0);
  if (before == 1 && after == 1) {
    for (int c = 0; c < 2 * s.channels; ++c) {
      words[0] = word;
      words[width - 1] = word;
      words += width;
    }
    return;
  }
  for (int c = 0; c < 2 * s.channels; ++c) {
    for (int k = 0; k < before; ++k) words[k] = word;
    for (int k = width - after; k < width; ++k) words[k] = word;
    words += width;
  }
}

#if defined(TINYTC_DSP)
/// The arguments of one step. a, b: word rows; y: the first of its output rows.
TINYTC_INLINE QDepthwiseArguments q_depthwise_arguments(const QDepthwiseConv2dShape& s,
                                                        const std::uint32_t* a, const std::uint32_t* b,
                                                        const std::int8_t* w, const std::int32_t* bias,
                                                        const QScale& scale, const QOutput& out, bool two,
                                                        std::int8_t* y) {
  return QDepthwiseArguments{a,
                             b,
                             q_depthwise_columns(s.out_w, s.stride_w),
                             s.channels,
                             two ? s.out_w * s.channels : 0,
                             out.zero_point,
                             w,
                             bias,
                             scale.multiplier,
                             y,
                             a + s.channels * q_depthwise_ring_width(s)};
}
#endif

/// All channels of a step.
TINYTC_INLINE void q_depthwise_step_rows(const QDepthwiseConv2dShape& s, const std::uint32_t* a,
                                         const std::uint32_t* b, const std::int8_t* w,
                                         const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                         bool two, std::int8_t* y) {
#if defined(TINYTC_DSP)
  if (s.stride_h == s.stride_w && s.out_w >= 2 && scale.shift == nullptr && out.lo == -128 && out.hi == 127) {
    const QDepthwiseArguments arguments = q_depthwise_arguments(s, a, b, w, bias, scale, out, two, y);
    if (s.stride_h == 1) {
      q_depthwise_rows(arguments);
    } else {
      q_depthwise_row(arguments);
    }
    return;
  }
#endif
  const int width = q_depthwise_ring_width(s);
  for (int c = 0; c < s.channels; ++c) {
    q_depthwise_channel(s, a + c * width, b + c * width, q_depthwise_taps(w + 12 * c), bias[c], scale, c, out,
                        two, y + c);
  }
}

/// See q_depthwise_conv2d.
TINYTC_INLINE void q_depthwise_ring(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                    const std::int8_t* w, const std::int32_t* bias, const QScale& scale,
                                    const QOutput& out, std::int8_t* y, std::uint32_t* scratch) {
  const int width = q_depthwise_ring_width(s);
  const int rows = q_depthwise_ring_rows(s);
  q_depthwise_clear(s, scratch);
  for (int image = 0; image < s.batch; ++image) {
    const std::int8_t* from = x + image * s.in_h * s.in_w * s.channels;
    q_depthwise_fill(s, from, 0, scratch);
    for (int t = 0; t < (s.out_h + rows - 1) / rows; ++t) {
      const std::uint32_t* a = scratch + t % 2 * s.channels * width;
      std::uint32_t* b = scratch + (t + 1) % 2 * s.channels * width;
      std::int8_t* to = y + (image * s.out_h + t * rows) * s.out_w * s.channels;
      const bool two = rows == 2 && t * 2 + 1 < s.out_h;
      q_depthwise_fill(s, from, t + 1, b);
      q_depthwise_step_rows(s, a, b, w, bias, scale, out, two, to);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_RING_H
