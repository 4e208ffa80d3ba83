// Depthwise int8 convolution with any kernel but those of the ring (q_depthwise_ring.h): one output channel
// for each input channel, results as q_depthwise_conv2d.
//
// Four channels of a pixel are computed at once, tap by tap: a word of inputs times a word of weights. Where
// all taps lie inside the image, a list of their offsets, made once, takes the place of the loops over rows
// and columns. Pixels near the border have lists of their own, of the taps inside; the others are zero, as
// the input is taken minus its zero point there, with a bias in which that is not folded. Pixels of a row
// with the same taps are taken together. Biases, weights and multipliers are one stream, as small kernels
// spend much of their time on what an output costs. The one to three channels behind the last four stand in
// the upper lanes of a block: the last four channels' inputs meet it, and no byte beside a pixel is read.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_TAPS_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_TAPS_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_depthwise_pixels.h"
#include "runtime/q_depthwise_shape.h"

namespace tinytc {

TINYTC_INLINE constexpr int q_depthwise_taps_count(const QDepthwiseConv2dShape& s) {
  return s.kernel_h * s.kernel_w;
}

constexpr long long q_depthwise_taps_macs(const QDepthwiseConv2dShape& s) {
  return q_depthwise_conv2d_macs(s);
}

/// Whether pixels lie near the border.
TINYTC_INLINE constexpr bool q_depthwise_taps_padded(const QDepthwiseConv2dShape& s) {
  const Range rows = interior_range(s.out_h, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
  return rows.last - rows.first < s.out_h || columns.last - columns.first < s.out_w;
}

/// Words of a block's stream.
TINYTC_INLINE constexpr int q_depthwise_taps_block(const QDepthwiseConv2dShape& s) {
  return 12 + q_depthwise_taps_count(s);
}

/// Lane of a block in which channel c stands.
TINYTC_INLINE constexpr int q_depthwise_tap_lane(const QDepthwiseConv2dShape& s, int c) {
  const bool is_rest = s.channels >= 4 && c >= s.channels / 4 * 4;
  return c % 4 + (is_rest ? 4 - s.channels % 4 : 0);
}

/// Words of the stream that holds everything of a layer's channels, for each block of four: biases for border
/// pixels, biases for the others, [taps][4] weights of a byte, multipliers.
constexpr int q_depthwise_taps_words(const QDepthwiseConv2dShape& s) {
  return (s.channels + 3) / 4 * q_depthwise_taps_block(s);
}

/// Writes the stream. w: plain ONNX [channels][1][kernel_h][kernel_w]; bias: with -x_zero_point * (sum of the
/// channel's weights) folded in; multiplier: of a QScale without shifts. Channels that fill up a block get 0.
constexpr void q_depthwise_taps_pack(const QDepthwiseConv2dShape& s, const std::int8_t* w,
                                     const std::int32_t* bias, const std::int32_t* multiplier,
                                     std::uint32_t* packed) {
  const int taps = q_depthwise_taps_count(s);
  for (int k = 0; k < q_depthwise_taps_words(s); ++k) packed[k] = 0;
  for (int c = 0; c < s.channels; ++c) {
    const int lane = q_depthwise_tap_lane(s, c);
    std::uint32_t* to = packed + c / 4 * q_depthwise_taps_block(s);
    std::uint32_t sum = 0;
    for (int k = 0; k < taps; ++k) {
      const std::uint32_t weight = static_cast<std::uint32_t>(w[c * taps + k]);
      to[8 + k] |= (weight & 0xFFU) << (8 * lane);
      sum += weight;
    }
    to[lane] = static_cast<std::uint32_t>(bias[c]) + static_cast<std::uint32_t>(s.x_zero_point) * sum;
    to[4 + lane] = static_cast<std::uint32_t>(bias[c]);
    to[8 + taps + lane] = static_cast<std::uint32_t>(multiplier[c]);
  }
}

/// Scratch in words: the list of offsets, and a border pixel's list.
constexpr int q_depthwise_taps_scratch(const QDepthwiseConv2dShape& s) {
  return q_depthwise_taps_count(s) * (q_depthwise_taps_padded(s) ? 3 : 1);
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: pixel by pixel,
/// four channels at a time.
constexpr int q_depthwise_taps_lead_x(const QDepthwiseConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    if (rows.first == rows.last || columns.first == columns.last) continue;
    const int y = pixel / (s.out_w * s.out_h) * s.in_h + iy + rows.first * s.dilation_h;
    const int first = y * s.in_w + ix + columns.first * s.dilation_w;
    if (pixel > 0 || s.channels > 4) lead = max_of(lead, (pixel - first) * s.channels);
  }
  return lead;
}

/// Adds one tap of up to four channels; the pointers advance. weights: those of the first of them.
TINYTC_INLINE void q_depthwise_tap_step(const std::int8_t* x, const std::int32_t*& offset,
                                        const std::int8_t*& weights, int width, std::int32_t (&sum)[4]) {
  x += *offset++;
  sum[0] += x[0] * weights[0];
  if (width > 1) sum[1] += x[1] * weights[1];
  if (width > 2) sum[2] += x[2] * weights[2];
  if (width > 3) sum[3] += x[3] * weights[3];
  weights += 4;
}

/// Adds all taps of up to four channels.
TINYTC_INLINE void q_depthwise_tap_steps(int taps, const std::int8_t* x, const std::int32_t* offset,
                                         const std::int8_t* weights, int width, std::int32_t (&sum)[4]) {
  for (int k = 0; k < taps / 2; ++k) {
    q_depthwise_tap_step(x, offset, weights, width, sum);
    q_depthwise_tap_step(x, offset, weights, width, sum);
  }
  if (taps % 2 != 0) q_depthwise_tap_step(x, offset, weights, width, sum);
}

/// The same of a border pixel. x: the image; weights: the block's stream; both at the first of the channels.
TINYTC_INLINE void q_depthwise_tap_border(int taps, const QDepthwiseTap* list, const std::int8_t* x,
                                          const std::int8_t* weights, int width, int zero_point,
                                          std::int32_t (&sum)[4]) {
  for (int k = 0; k < taps; ++k) {
    const std::int8_t* from = x + list[k].x;
    const std::int8_t* w = weights + list[k].w;
    sum[0] += (from[0] - zero_point) * w[0];
    if (width > 1) sum[1] += (from[1] - zero_point) * w[1];
    if (width > 2) sum[2] += (from[2] - zero_point) * w[2];
    if (width > 3) sum[3] += (from[3] - zero_point) * w[3];
  }
}

/// Pixels of a row with the same taps. list: of QDepthwiseTap from the image on, if they lie near the border;
/// else offsets: of all taps, from the first pixel's tap (0, 0) on. x: what they count from.
struct QDepthwiseRun {
  bool border;
  int taps;
  const QDepthwiseTap* list;
  const std::int32_t* offsets;
  const std::int8_t* x;
  int pixels;
};

/// Up to four channels become outputs.
TINYTC_INLINE void q_depthwise_tap_store(const std::uint32_t* multiplier, const QOutput& out, int width,
                                         const std::int32_t (&sum)[4], std::int8_t* y) {
  // All loads before the stores, which might write what is loaded as far as a compiler knows.
  const std::int32_t first = static_cast<std::int32_t>(multiplier[0]);
  const std::int32_t second = width > 1 ? static_cast<std::int32_t>(multiplier[1]) : 0;
  const std::int32_t third = width > 2 ? static_cast<std::int32_t>(multiplier[2]) : 0;
  const std::int32_t fourth = width > 3 ? static_cast<std::int32_t>(multiplier[3]) : 0;
  y[0] = q_clamp(q_multiply_high(out.zero_point, sum[0], first), out);
  if (width > 1) y[1] = q_clamp(q_multiply_high(out.zero_point, sum[1], second), out);
  if (width > 2) y[2] = q_clamp(q_multiply_high(out.zero_point, sum[2], third), out);
  if (width > 3) y[3] = q_clamp(q_multiply_high(out.zero_point, sum[3], fourth), out);
}

/// Up to four channels of a pixel, which stand from `lane` on. x, y: at the first of them; block: their
/// stream.
TINYTC_INLINE void q_depthwise_tap_block(const QDepthwiseConv2dShape& s, const QDepthwiseRun& run,
                                         const std::int8_t* x, int width, int lane,
                                         const std::uint32_t* block, const QOutput& out, std::int8_t* y) {
  const std::uint32_t* bias = block + (run.border ? 0 : 4) + lane;
  const std::uint32_t* multiplier = block + 8 + q_depthwise_taps_count(s) + lane;
  std::int32_t sum[4] = {
      static_cast<std::int32_t>(bias[0]), width > 1 ? static_cast<std::int32_t>(bias[1]) : 0,
      width > 2 ? static_cast<std::int32_t>(bias[2]) : 0, width > 3 ? static_cast<std::int32_t>(bias[3]) : 0};
  if (run.border) {
    q_depthwise_tap_border(run.taps, run.list, x, reinterpret_cast<const std::int8_t*>(block) + lane, width,
                           s.x_zero_point, sum);
  } else {
    q_depthwise_tap_steps(q_depthwise_taps_count(s), x, run.offsets,
                          reinterpret_cast<const std::int8_t*>(block + 8) + lane, width, sum);
  }
  q_depthwise_tap_store(multiplier, out, width, sum, y);
}

/// All channels of a pixel. x: what the run's taps count from.
TINYTC_INLINE void q_depthwise_tap_pixel(const QDepthwiseConv2dShape& s, const QDepthwiseRun& run,
                                         const std::int8_t* x, const std::uint32_t* w, const QOutput& out,
                                         std::int8_t* y) {
  const int fours = s.channels / 4 * 4;
  for (int c = 0; c < fours; c += 4) {
    q_depthwise_tap_block(s, run, x + c, 4, 0, w, out, y + c);
    w += q_depthwise_taps_block(s);
  }
  if (fours == s.channels) return;
  q_depthwise_tap_block(s, run, x + fours, s.channels - fours, q_depthwise_tap_lane(s, fours), w, out,
                        y + fours);
}

#if defined(TINYTC_DSP)
/// All channels, four at least, of a run.
TINYTC_INLINE void q_depthwise_tap_pixels(const QDepthwiseConv2dShape& s, const QDepthwiseRun& run,
                                          const std::uint32_t* w, const QOutput& out, std::int8_t* y) {
  const int whole = s.channels / 4 * 4;
  const int rest = s.channels - whole;
  const int apart = s.stride_w * s.channels;
  const int taps = q_depthwise_taps_count(s);
  if (run.border) {
    const std::uint32_t minus_zero = q_lanes(-s.x_zero_point, -s.x_zero_point);
    q_depthwise_border_pixels(QPixelsArguments{run.list, run.taps * 8, run.x, w, y, whole, apart, s.channels,
                                               run.pixels, out.zero_point, (8 + taps) * 4, minus_zero, rest,
                                               q_border_start(run.taps)});
  } else {
    q_depthwise_inner_pixels(QPixelsArguments{run.offsets, taps * 4, run.x, w + 4, y, whole, apart,
                                              s.channels, run.pixels, out.zero_point, 0, 0, rest,
                                              q_inner_start(taps)});
  }
  if (out.lo == -128 && out.hi == 127) return;
  for (int k = 0; k < run.pixels * s.channels; ++k) y[k] = q_clamp(y[k], out);
}
#endif

/// All channels of a run.
TINYTC_INLINE void q_depthwise_tap_run(const QDepthwiseConv2dShape& s, const QDepthwiseRun& run,
                                       const std::uint32_t* w, const QOutput& out, std::int8_t* y) {
#if defined(TINYTC_DSP)
  if (s.channels >= 4) return q_depthwise_tap_pixels(s, run, w, out, y);
#endif
  for (int p = 0; p < run.pixels; ++p) {
    q_depthwise_tap_pixel(s, run, run.x + p * s.stride_w * s.channels, w, out, y + p * s.channels);
  }
}

/// Lists the taps of a border pixel that lie inside the image; returns how many do. (iy, ix): input position
/// of tap (0, 0).
TINYTC_INLINE int q_depthwise_tap_list(const QDepthwiseConv2dShape& s, int iy, int ix, QDepthwiseTap* list) {
  const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
  const int width = columns.last - columns.first;
  for (int ky = rows.first; ky < rows.last; ++ky) {
    for (int kx = columns.first; kx < columns.last; ++kx) {
      const int pixel = (iy + ky * s.dilation_h) * s.in_w + ix + kx * s.dilation_w;
      QDepthwiseTap& tap = list[(ky - rows.first) * width + kx - columns.first];
      tap.x = pixel * s.channels;
      tap.w = (8 + ky * s.kernel_w + kx) * 4;
    }
  }
  return (rows.last - rows.first) * width;
}

/// `pixels` pixels of a row from column ox on that have the same taps. image: the inputs; iy: input row of
/// tap (0, 0); inner: all taps lie inside the image; y: of the first pixel; scratch: see q_depthwise_taps.
TINYTC_INLINE void q_depthwise_tap_part(const QDepthwiseConv2dShape& s, const std::int8_t* image, int iy,
                                        int ox, int pixels, bool inner, const std::uint32_t* w,
                                        const QOutput& out, std::int8_t* y, std::int32_t* scratch) {
  const int ix = ox * s.stride_w - s.pad_left;
  if (inner) {
    const std::int8_t* x = image + (iy * s.in_w + ix) * s.channels;
    q_depthwise_tap_run(s, QDepthwiseRun{false, 0, nullptr, scratch, x, pixels}, w, out, y);
    return;
  }
  QDepthwiseTap* list = reinterpret_cast<QDepthwiseTap*>(scratch + q_depthwise_taps_count(s));
  const int taps = q_depthwise_tap_list(s, iy, ix, list);
  q_depthwise_tap_run(s, QDepthwiseRun{true, taps, list, nullptr, image, pixels}, w, out, y);
}

/// y = clamp(zero point + round(scale * (bias + depthwise(x, w)))) for multiplier 1. w: from
/// q_depthwise_taps_pack; y: [batch][out_h][out_w][channels], may overlap x from q_depthwise_taps_lead_x on;
/// scratch: q_depthwise_taps_scratch words.
TINYTC_INLINE void q_depthwise_taps(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                    const std::uint32_t* w, const QOutput& out, std::int8_t* y,
                                    std::int32_t* scratch) {
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      scratch[ky * s.kernel_w + kx] = (ky * s.dilation_h * s.in_w + kx * s.dilation_w) * s.channels;
    }
  }
  const Range rows = interior_range(s.out_h, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const int oy = row % s.out_h;
    const int iy = oy * s.stride_h - s.pad_top;
    const std::int8_t* image = x + row / s.out_h * s.in_h * s.in_w * s.channels;
    std::int8_t* to = y + row * s.out_w * s.channels;
    const bool inside = oy >= rows.first && oy < rows.last;
    for (int side = 0; side < 2; ++side) {
      const int end = side == 0 ? columns.first : s.out_w;
      for (int ox = side == 0 ? 0 : columns.last; ox < end; ++ox) {
        q_depthwise_tap_part(s, image, iy, ox, 1, false, w, out, to + ox * s.channels, scratch);
      }
      const int pixels = side == 0 ? columns.last - columns.first : 0;
      if (pixels > 0) {
        q_depthwise_tap_part(s, image, iy, columns.first, pixels, inside, w, out,
                             to + columns.first * s.channels, scratch);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_TAPS_H
