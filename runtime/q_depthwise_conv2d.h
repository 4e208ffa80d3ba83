// Depthwise 2-D convolution (1-D with height 1) in int8: output channel o reads input channel o / multiplier.
//
// Activations are channels-last. The input's zero point is folded into the bias; padding reads as the zero
// point. 3x3 kernels go through a ring of widened rows (q_depthwise_ring.h), others read the image directly.
// Weights are packed by the compiler, or, where they are trained, into scratch at every call: each is used
// for all pixels, so that costs little.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_CONV2D_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_CONV2D_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_depthwise_ring.h"
#include "runtime/q_depthwise_shape.h"

namespace tinytc {

/// Weights in bytes.
constexpr int q_depthwise_conv2d_packed_bytes(const QDepthwiseConv2dShape& s) {
  const int channels = s.channels * s.multiplier;
  return q_depthwise_has_ring(s) ? channels * 12 : channels * s.kernel_h * s.kernel_w;
}

/// Position of weight (o, ky, kx) in packed order: for the ring [channels][kernel_w][kernel rows 0, 1, 1, 2];
/// else [kernel_h][kernel_w][channels * multiplier]. Plain ONNX order where `packed` is 0.
constexpr int q_depthwise_conv2d_pack_index(const QDepthwiseConv2dShape& s, int o, int ky, int kx) {
  if (s.packed == 0) return (o * s.kernel_h + ky) * s.kernel_w + kx;
  if (q_depthwise_has_ring(s)) return o * 12 + kx * 4 + (ky == 2 ? 3 : ky);
  return (ky * s.kernel_w + kx) * s.channels * s.multiplier + o;
}

/// Packs plain ONNX weights [channels * multiplier][1][kernel_h][kernel_w].
constexpr void q_depthwise_conv2d_pack(const QDepthwiseConv2dShape& s, const std::int8_t* w,
                                       std::int8_t* packed) {
  for (int o = 0; o < s.channels * s.multiplier; ++o) {
    for (int tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
      const int index = q_depthwise_conv2d_pack_index(s, o, tap / s.kernel_w, tap % s.kernel_w);
      packed[index] = w[o * s.kernel_h * s.kernel_w + tap];
      if (q_depthwise_has_ring(s) && tap / s.kernel_w == 1) packed[index + 1] = packed[index];
    }
  }
}

/// Whether the kernel packs plain weights itself. With a multiplier it would gain nothing by that.
TINYTC_INLINE constexpr bool q_depthwise_packs(const QDepthwiseConv2dShape& s) {
  return s.packed == 0 && s.multiplier == 1;
}

/// The shape with packed weights.
TINYTC_INLINE constexpr QDepthwiseConv2dShape q_depthwise_packed(QDepthwiseConv2dShape s) {
  s.packed = 1;
  return s;
}

/// Scratch in words: the ring, then the weights that the kernel packs.
constexpr int q_depthwise_conv2d_scratch(const QDepthwiseConv2dShape& s) {
  const int ring = q_depthwise_has_ring(s) ? q_depthwise_ring_words(s) : 0;
  return ring + (q_depthwise_packs(s) ? (q_depthwise_conv2d_packed_bytes(s) + 3) / 4 : 0);
}

/// q_depthwise_conv2d_pack for multiplier 1 in fewer steps.
TINYTC_INLINE void q_depthwise_repack(const QDepthwiseConv2dShape& s, const std::int8_t* w,
                                      std::int8_t* packed) {
  const int taps = s.kernel_h * s.kernel_w;
  if (!q_depthwise_has_ring(s)) {
    for (int c = 0; c < s.channels; ++c) {
      for (int tap = 0; tap < taps; ++tap) packed[tap * s.channels + c] = w[c * taps + tap];
    }
    return;
  }
  for (int c = 0; c < s.channels; ++c) {
    for (int kx = 0; kx < 3; ++kx) {
      packed[0] = w[kx];
      packed[1] = w[3 + kx];
      packed[2] = w[3 + kx];
      packed[3] = w[6 + kx];
      packed += 4;
    }
    w += 9;
  }
}

/// Lead of the direct kernel: pixel by pixel, channel by channel.
constexpr int q_depthwise_direct_lead(const QDepthwiseConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  const int out_c = s.channels * s.multiplier;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    if (rows.first == rows.last || columns.first == columns.last) continue;
    const int y = pixel / (s.out_w * s.out_h) * s.in_h + iy + rows.first * s.dilation_h;
    const int first = y * s.in_w + ix + columns.first * s.dilation_w;
    for (int o = 0; o < out_c; ++o) {
      const int written = pixel * out_c + o;
      if (written > 0) lead = max_of(lead, written - (first * s.channels + o / s.multiplier));
    }
  }
  return lead;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x.
constexpr int q_depthwise_conv2d_lead_x(const QDepthwiseConv2dShape& s) {
  return q_depthwise_has_ring(s) ? q_depthwise_ring_lead(s) : q_depthwise_direct_lead(s);
}

/// bias + the products of one output element of the direct kernel. x: the input channel in the image.
TINYTC_INLINE std::int32_t q_depthwise_sum(const QDepthwiseConv2dShape& s, const std::int8_t* x, int iy,
                                           int ix, const std::int8_t* w, int w_tap, std::int32_t bias) {
  int sum = static_cast<int>(bias);
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int row = iy + ky * s.dilation_h;
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int column = ix + kx * s.dilation_w;
      const bool inside = row >= 0 && row < s.in_h && column >= 0 && column < s.in_w;
      const int value = inside ? x[(row * s.in_w + column) * s.channels] : s.x_zero_point;
      sum += value * w[(ky * s.kernel_w + kx) * w_tap];
    }
  }
  return sum;
}

/// Adds one tap of four channels. x, w: four neighbouring channels each.
TINYTC_INLINE void q_depthwise_tap(std::uint32_t x, std::uint32_t w, std::int32_t (&sum)[4]) {
  const std::uint32_t x_even = q_even_bytes(x);
  const std::uint32_t x_odd = q_odd_bytes(x);
  const std::uint32_t w_even = q_even_bytes(w);
  const std::uint32_t w_odd = q_odd_bytes(w);
  sum[0] += q_low(x_even) * q_low(w_even);
  sum[1] += q_low(x_odd) * q_low(w_odd);
  sum[2] += q_high(x_even) * q_high(w_even);
  sum[3] += q_high(x_odd) * q_high(w_odd);
}

/// Four channels of a pixel all of whose taps lie inside the image. x: tap (0, 0); w: packed weights.
TINYTC_INLINE void q_depthwise_inner_four(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                          const std::int8_t* w, std::int32_t (&sum)[4]) {
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const std::int8_t* row = x + ky * s.dilation_h * s.in_w * s.channels;
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      q_depthwise_tap(q_load(row), q_load(w), sum);
      row += s.dilation_w * s.channels;
      w += s.channels;
    }
  }
}

/// Four channels of a pixel near the border. x: the image.
TINYTC_INLINE void q_depthwise_edge_four(const QDepthwiseConv2dShape& s, const std::int8_t* x, int iy, int ix,
                                         const std::int8_t* w, std::int32_t (&sum)[4]) {
  const std::uint32_t zero = static_cast<std::uint32_t>(s.x_zero_point & 0xFF) * 0x01010101U;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int row = iy + ky * s.dilation_h;
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int column = ix + kx * s.dilation_w;
      const bool inside = row >= 0 && row < s.in_h && column >= 0 && column < s.in_w;
      q_depthwise_tap(inside ? q_load(x + (row * s.in_w + column) * s.channels) : zero, q_load(w), sum);
      w += s.channels;
    }
  }
}

/// The first `fours` channels of one pixel, a multiple of four, with packed weights and multiplier 1.
TINYTC_INLINE void q_depthwise_fours(const QDepthwiseConv2dShape& s, int fours, const std::int8_t* x, int iy,
                                     int ix, const std::int8_t* w, const std::int32_t* bias,
                                     const QScale& scale, const QOutput& out, std::int8_t* y) {
  const bool inside = iy >= 0 && ix >= 0 && iy + (s.kernel_h - 1) * s.dilation_h < s.in_h &&
                      ix + (s.kernel_w - 1) * s.dilation_w < s.in_w;
  const std::int8_t* first = x + (iy * s.in_w + ix) * s.channels;
  for (int c = 0; c < fours; c += 4) {
    std::int32_t sum[4] = {bias[c], bias[c + 1], bias[c + 2], bias[c + 3]};
    if (inside) {
      q_depthwise_inner_four(s, first + c, w + c, sum);
    } else {
      q_depthwise_edge_four(s, x + c, iy, ix, w + c, sum);
    }
    for (int k = 0; k < 4; ++k) y[c + k] = q_requantized(sum[k], scale, c + k, out);
  }
}

/// q_depthwise_conv2d where it does not pack.
TINYTC_INLINE void q_depthwise_run(const QDepthwiseConv2dShape& s, const std::int8_t* x, const std::int8_t* w,
                                   const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                   std::int8_t* y, std::uint32_t* scratch) {
  if (q_depthwise_has_ring(s)) {
    q_depthwise_ring(s, x, w, bias, scale, out, y, scratch);
    return;
  }
  const int out_c = s.channels * s.multiplier;
  const int w_tap = s.packed != 0 ? out_c : 1;
  const int w_channel = s.packed != 0 ? 1 : s.kernel_h * s.kernel_w;
  const int fours = s.packed != 0 && s.multiplier == 1 ? s.channels / 4 * 4 : 0;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    const std::int8_t* image = x + pixel / (s.out_w * s.out_h) * s.in_h * s.in_w * s.channels;
    q_depthwise_fours(s, fours, image, iy, ix, w, bias, scale, out, y + pixel * out_c);
    for (int o = fours; o < out_c; ++o) {
      const std::int32_t sum =
          q_depthwise_sum(s, image + o / s.multiplier, iy, ix, w + o * w_channel, w_tap, bias[o]);
      y[pixel * out_c + o] = q_requantized(sum, scale, o, out);
    }
  }
}

/// y = clamp(zero point + round(scale * (bias + depthwise(x, w)))). x: [batch][in_h][in_w][channels]; w: at
/// q_depthwise_conv2d_pack_index; bias: [channels * multiplier], with -x_zero_point * (sum of the channel's
/// weights) folded in; y: [batch][out_h][out_w][channels * multiplier], may overlap x from
/// q_depthwise_conv2d_lead_x on; scratch: q_depthwise_conv2d_scratch words.
TINYTC_INLINE void q_depthwise_conv2d(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                      const std::int8_t* w, const std::int32_t* bias, const QScale& scale,
                                      const QOutput& out, std::int8_t* y, std::uint32_t* scratch) {
  if (!q_depthwise_packs(s)) return q_depthwise_run(s, x, w, bias, scale, out, y, scratch);
  const int ring = q_depthwise_has_ring(s) ? q_depthwise_ring_words(s) : 0;
  std::int8_t* packed = reinterpret_cast<std::int8_t*>(scratch + ring);
  q_depthwise_repack(s, w, packed);
  q_depthwise_run(q_depthwise_packed(s), x, packed, bias, scale, out, y, scratch);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_CONV2D_H
