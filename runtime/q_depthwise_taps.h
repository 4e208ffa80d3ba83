// Depthwise int8 convolution with any kernel but those of the ring (q_depthwise_ring.h): one output channel
// for each input channel, results as q_depthwise_conv2d.
//
// Four channels of a pixel are computed at once, tap by tap: a word of inputs times a word of weights. Where
// all taps lie inside the image, a list of their offsets, made once, takes the place of the loops over rows
// and columns. A pixel near the border has a list of its own, of the taps inside; the others are zero, as the
// input is taken minus its zero point there, with a bias in which that is not folded. Biases, weights and
// multipliers are one stream, as small kernels spend much of their time on what an output costs.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_TAPS_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_TAPS_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
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

/// Words before a block's weights: the biases, then, where there is a border, those for it.
TINYTC_INLINE constexpr int q_depthwise_taps_biases(const QDepthwiseConv2dShape& s) {
  return q_depthwise_taps_padded(s) ? 8 : 4;
}

/// Words of the stream that holds everything of a layer's channels in the order of its use, for each block of
/// four: biases, [taps][4] weights of a byte, multipliers.
constexpr int q_depthwise_taps_words(const QDepthwiseConv2dShape& s) {
  return (s.channels + 3) / 4 * (q_depthwise_taps_biases(s) + q_depthwise_taps_count(s) + 4);
}

/// Writes the stream. w: plain ONNX [channels][1][kernel_h][kernel_w]; bias: with -x_zero_point * (sum of the
/// channel's weights) folded in; multiplier: of a QScale without shifts. Channels that fill up a block get 0.
constexpr void q_depthwise_taps_pack(const QDepthwiseConv2dShape& s, const std::int8_t* w,
                                     const std::int32_t* bias, const std::int32_t* multiplier,
                                     std::uint32_t* packed) {
  const int taps = q_depthwise_taps_count(s);
  const int block = q_depthwise_taps_words(s) / ((s.channels + 3) / 4);
  for (int k = 0; k < q_depthwise_taps_words(s); ++k) packed[k] = 0;
  for (int c = 0; c < s.channels; ++c) {
    std::uint32_t* to = packed + c / 4 * block;
    std::uint32_t sum = 0;
    for (int k = 0; k < taps; ++k) {
      const std::uint32_t weight = static_cast<std::uint32_t>(w[c * taps + k]);
      to[q_depthwise_taps_biases(s) + k] |= (weight & 0xFFU) << (8 * (c % 4));
      sum += weight;
    }
    to[c % 4] = static_cast<std::uint32_t>(bias[c]);
    if (q_depthwise_taps_padded(s)) {
      to[4 + c % 4] = static_cast<std::uint32_t>(bias[c]) + static_cast<std::uint32_t>(s.x_zero_point) * sum;
    }
    to[block - 4 + c % 4] = static_cast<std::uint32_t>(multiplier[c]);
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

/// Channel k of a word.
TINYTC_INLINE int q_depthwise_byte(std::uint32_t word, int k) {
  return static_cast<std::int8_t>((word >> (8 * k)) & 0xFFU);
}

/// Adds one tap of four channels; the pointers advance. x: the channels in the pixel's first tap.
TINYTC_INLINE void q_depthwise_tap_step(const std::int8_t* x, const std::int32_t*& offset,
                                        const std::uint32_t*& w, std::int32_t (&sum)[4]) {
#if defined(TINYTC_DSP)
  std::uint32_t a, b, c, d;
  asm volatile(
      "ldr %[d], [%[offset]], #4\n"
      "ldr %[a], [%[w]], #4\n"
      "ldr %[c], [%[x], %[d]]\n"
      "sxtb16 %[b], %[a], ror #8\n"
      "sxtb16 %[a], %[a]\n"
      "sxtb16 %[d], %[c], ror #8\n"
      "sxtb16 %[c], %[c]\n"
      "smlabb %[sum0], %[c], %[a], %[sum0]\n"
      "smlatt %[sum2], %[c], %[a], %[sum2]\n"
      "smlabb %[sum1], %[d], %[b], %[sum1]\n"
      "smlatt %[sum3], %[d], %[b], %[sum3]\n"
      : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [offset] "+&r"(offset), [w] "+&r"(w),
        [sum0] "+&r"(sum[0]), [sum1] "+&r"(sum[1]), [sum2] "+&r"(sum[2]), [sum3] "+&r"(sum[3])
      : [x] "r"(x)
      : "memory");
#else
  x += *offset++;
  const std::uint32_t weights = *w++;
  sum[0] += x[0] * q_depthwise_byte(weights, 0);
  sum[1] += x[1] * q_depthwise_byte(weights, 1);
  sum[2] += x[2] * q_depthwise_byte(weights, 2);
  sum[3] += x[3] * q_depthwise_byte(weights, 3);
#endif
}

/// Adds all taps of four channels.
TINYTC_INLINE void q_depthwise_tap_steps(int taps, const std::int8_t* x, const std::int32_t* offset,
                                         const std::uint32_t*& w, std::int32_t (&sum)[4]) {
  for (int k = 0; k < taps / 4; ++k) {
    q_depthwise_tap_step(x, offset, w, sum);
    q_depthwise_tap_step(x, offset, w, sum);
    q_depthwise_tap_step(x, offset, w, sum);
    q_depthwise_tap_step(x, offset, w, sum);
  }
  if (taps / 2 % 2 != 0) {
    q_depthwise_tap_step(x, offset, w, sum);
    q_depthwise_tap_step(x, offset, w, sum);
  }
  if (taps % 2 != 0) q_depthwise_tap_step(x, offset, w, sum);
}

/// The same of one to three channels.
TINYTC_INLINE void q_depthwise_tap_rest(int taps, const std::int8_t* x, const std::int32_t* offset,
                                        const std::uint32_t*& w, int width, std::int32_t (&sum)[4]) {
  for (int k = 0; k < taps; ++k) {
    const std::int8_t* from = x + *offset++;
    const std::int8_t* weights = reinterpret_cast<const std::int8_t*>(w++);
    sum[0] += from[0] * weights[0];
    if (width > 1) sum[1] += from[1] * weights[1];
    if (width > 2) sum[2] += from[2] * weights[2];
  }
}

/// A tap of a border pixel: offsets in elements of its input, from the image on, and of its weights.
struct QDepthwiseTap {
  std::int32_t x;
  std::int32_t w;
};

/// Adds one tap of a border pixel, four channels. zero: the zero point twice, as lanes.
TINYTC_INLINE void q_depthwise_border_step(const QDepthwiseTap& tap, const std::int8_t* x,
                                           const std::int8_t* w, std::uint32_t zero, std::int32_t (&sum)[4]) {
#if defined(TINYTC_DSP)
  std::int32_t a = tap.x;
  std::int32_t b = tap.w;
  std::uint32_t c, d;
  asm volatile(
      "ldr %[c], [%[x], %[a]]\n"
      "ldr %[a], [%[w], %[b]]\n"
      "sxtb16 %[d], %[c], ror #8\n"
      "sxtb16 %[c], %[c]\n"
      "sxtb16 %[b], %[a], ror #8\n"
      "sxtb16 %[a], %[a]\n"
      "ssub16 %[c], %[c], %[zero]\n"
      "ssub16 %[d], %[d], %[zero]\n"
      "smlabb %[sum0], %[c], %[a], %[sum0]\n"
      "smlatt %[sum2], %[c], %[a], %[sum2]\n"
      "smlabb %[sum1], %[d], %[b], %[sum1]\n"
      "smlatt %[sum3], %[d], %[b], %[sum3]\n"
      : [a] "+&r"(a), [b] "+&r"(b), [c] "=&r"(c), [d] "=&r"(d), [sum0] "+&r"(sum[0]), [sum1] "+&r"(sum[1]),
        [sum2] "+&r"(sum[2]), [sum3] "+&r"(sum[3])
      : [x] "r"(x), [w] "r"(w), [zero] "r"(zero)
      : "memory");
#else
  for (int k = 0; k < 4; ++k) sum[k] += (x[tap.x + k] - q_low(zero)) * w[tap.w + k];
#endif
}

/// Adds the taps of a border pixel, `width` channels. x: the image, w: the weights, at the first of them.
TINYTC_INLINE void q_depthwise_tap_border(int taps, const QDepthwiseTap* list, const std::int8_t* x,
                                          const std::int8_t* w, int width, int zero_point,
                                          std::int32_t (&sum)[4]) {
  if (width == 4) {
    const std::uint32_t zero = q_lanes(zero_point, zero_point);
    for (int k = 0; k < taps; ++k) q_depthwise_border_step(list[k], x, w, zero, sum);
    return;
  }
  for (int k = 0; k < taps; ++k) {
    const std::int8_t* from = x + list[k].x;
    const std::int8_t* weights = w + list[k].w;
    sum[0] += (from[0] - zero_point) * weights[0];
    if (width > 1) sum[1] += (from[1] - zero_point) * weights[1];
    if (width > 2) sum[2] += (from[2] - zero_point) * weights[2];
  }
}

/// Up to four channels become outputs; w advances over their multipliers.
TINYTC_INLINE void q_depthwise_tap_store(const std::uint32_t*& w, const QOutput& out, int width,
                                         const std::int32_t (&sum)[4], std::int8_t* y) {
  const std::int32_t first = static_cast<std::int32_t>(w[0]);
  const std::int32_t second = static_cast<std::int32_t>(w[1]);
  const std::int32_t third = static_cast<std::int32_t>(w[2]);
  const std::int32_t fourth = static_cast<std::int32_t>(w[3]);
  w += 4;
  y[0] = q_clamp(q_multiply_high(out.zero_point, sum[0], first), out);
  if (width > 1) y[1] = q_clamp(q_multiply_high(out.zero_point, sum[1], second), out);
  if (width > 2) y[2] = q_clamp(q_multiply_high(out.zero_point, sum[2], third), out);
  if (width > 3) y[3] = q_clamp(q_multiply_high(out.zero_point, sum[3], fourth), out);
}

/// Up to four channels of a pixel. border: whether `list` holds its `taps`, x being the image; else offsets
/// do, from the pixel's first tap on. w advances to the next block.
TINYTC_INLINE void q_depthwise_tap_block(const QDepthwiseConv2dShape& s, bool border, int taps,
                                         const QDepthwiseTap* list, const std::int32_t* offsets,
                                         const std::int8_t* x, int width, const std::uint32_t*& w,
                                         const QOutput& out, std::int8_t* y) {
  const int skipped = border ? 4 : 0;
  std::int32_t sum[4] = {static_cast<std::int32_t>(w[skipped]), static_cast<std::int32_t>(w[skipped + 1]),
                         static_cast<std::int32_t>(w[skipped + 2]),
                         static_cast<std::int32_t>(w[skipped + 3])};
  w += q_depthwise_taps_biases(s);
  if (border) {
    q_depthwise_tap_border(taps, list, x, reinterpret_cast<const std::int8_t*>(w), width, s.x_zero_point,
                           sum);
    w += q_depthwise_taps_count(s);
  } else if (width == 4) {
    q_depthwise_tap_steps(q_depthwise_taps_count(s), x, offsets, w, sum);
  } else {
    q_depthwise_tap_rest(q_depthwise_taps_count(s), x, offsets, w, width, sum);
  }
  q_depthwise_tap_store(w, out, width, sum, y);
}

/// All channels of a pixel; arguments as of q_depthwise_tap_block.
TINYTC_INLINE void q_depthwise_tap_pixel(const QDepthwiseConv2dShape& s, bool border, int taps,
                                         const QDepthwiseTap* list, const std::int32_t* offsets,
                                         const std::int8_t* x, const std::uint32_t* w, const QOutput& out,
                                         std::int8_t* y) {
  const int fours = s.channels / 4 * 4;
  for (int c = 0; c < fours; c += 4) {
    q_depthwise_tap_block(s, border, taps, list, offsets, x + c, 4, w, out, y + c);
  }
  if (fours == s.channels) return;
  q_depthwise_tap_block(s, border, taps, list, offsets, x + fours, s.channels - fours, w, out, y + fours);
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
      tap.w = (ky * s.kernel_w + kx) * 4;
    }
  }
  return (rows.last - rows.first) * width;
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
  QDepthwiseTap* list = reinterpret_cast<QDepthwiseTap*>(scratch + q_depthwise_taps_count(s));
  const Range rows = interior_range(s.out_h, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = interior_range(s.out_w, s.stride_w, s.pad_left, s.dilation_w, s.kernel_w, s.in_w);
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const int oy = row % s.out_h;
    const int iy = oy * s.stride_h - s.pad_top;
    const std::int8_t* image = x + row / s.out_h * s.in_h * s.in_w * s.channels;
    const bool inside = oy >= rows.first && oy < rows.last;
    for (int ox = 0; ox < s.out_w; ++ox) {
      const int ix = ox * s.stride_w - s.pad_left;
      std::int8_t* pixel = y + (row * s.out_w + ox) * s.channels;
      if (!q_depthwise_taps_padded(s) || (inside && ox >= columns.first && ox < columns.last)) {
        q_depthwise_tap_pixel(s, false, 0, list, scratch, image + (iy * s.in_w + ix) * s.channels, w, out,
                              pixel);
      } else {
        const int taps = q_depthwise_tap_list(s, iy, ix, list);
        q_depthwise_tap_pixel(s, true, taps, list, scratch, image, w, out, pixel);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_TAPS_H
