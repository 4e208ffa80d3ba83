// 2-D int8 convolution for cores without dual multiplications: the shapes, results and overlaps of q_conv2d,
// with the blocks of q_scalar_dot.h.
//
// Output pixels are taken two at a time: their patches go into scratch as 32-bit words, element by element
// alternating, and meet all output channels, four at a time. The sum of a patch comes along, for the offset
// of the stored weights. Any int8 weight and any sum below 2^31 will do.
#ifndef TINYTC_RUNTIME_Q_SCALAR_CONV2D_H
#define TINYTC_RUNTIME_Q_SCALAR_CONV2D_H

#include "runtime/q_conv2d.h"
#include "runtime/q_scalar_dot.h"

namespace tinytc {

constexpr long long q_scalar_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Bytes of the stored weights: [groups][blocks of 4 channels][taps of a channel][4].
constexpr int q_scalar_conv2d_packed_bytes(const QConv2dShape& s) {
  return s.groups * q_conv2d_blocks(s) * q_conv2d_taps(s) * 4;
}

/// Stores weights as w + 128. w: plain ONNX [out_c][in_c / groups][kernel_h][kernel_w]; packed:
/// q_scalar_conv2d_packed_bytes, taps in the order [kernel_h][kernel_w][in_c / groups]. Channels that fill up
/// a block get weight 0.
constexpr void q_scalar_conv2d_pack(const QConv2dShape& s, const std::int8_t* w, std::uint8_t* packed) {
  for (int k = 0; k < q_scalar_conv2d_packed_bytes(s); ++k) packed[k] = 128;
  const int channels = s.in_c / s.groups;
  const int group_out = s.out_c / s.groups;
  const int plane = s.kernel_h * s.kernel_w;
  for (int o = 0; o < s.out_c; ++o) {
    const int block = o / group_out * q_conv2d_blocks(s) + o % group_out / 4;
    for (int k = 0; k < q_conv2d_taps(s); ++k) {
      const int from = (o * channels + k % channels) * plane + k / channels;
      packed[(block * q_conv2d_taps(s) + k) * 4 + o % group_out % 4] =
          static_cast<std::uint8_t>(w[from] + 128);
    }
  }
}

/// Scratch in words: the patches of two pixels.
constexpr int q_scalar_conv2d_scratch(const QConv2dShape& s) { return 2 * q_conv2d_taps(s); }

constexpr int q_scalar_conv2d_lead_x(const QConv2dShape& s) { return q_conv2d_lead_x(s); }

/// Copies `elements` neighbouring inputs into every second word; returns their sum.
TINYTC_INLINE int q_scalar_copy(const std::int8_t* x, int elements, std::uint32_t* words) {
  int sum = 0;
  for (int k = 0; k < elements / 4; ++k) {
    const int a = x[0];
    const int b = x[1];
    const int c = x[2];
    const int d = x[3];
    words[0] = static_cast<std::uint32_t>(a);
    words[2] = static_cast<std::uint32_t>(b);
    words[4] = static_cast<std::uint32_t>(c);
    words[6] = static_cast<std::uint32_t>(d);
    sum += a + b + c + d;
    x += 4;
    words += 8;
  }
  for (int k = 0; k < elements % 4; ++k) {
    words[2 * k] = static_cast<std::uint32_t>(x[k]);
    sum += x[k];
  }
  return sum;
}

/// Writes `elements` times what padding reads as into every second word; returns their sum.
TINYTC_INLINE int q_scalar_fill(int value, int elements, std::uint32_t* words) {
  for (int k = 0; k < elements; ++k) words[2 * k] = static_cast<std::uint32_t>(value);
  return value * elements;
}

/// One patch for one group, into every second word; returns its sum. x: at the group's first channel.
TINYTC_INLINE int q_scalar_patch(const QConv2dShape& s, const std::int8_t* x, const QPatchPlace& at,
                                 std::uint32_t* words) {
  const QRuns cut = q_conv2d_runs(s);
  const int channels = s.in_c / s.groups;
  const int run_taps = cut.elements / channels;
  const int row_runs = cut.runs / s.kernel_h;
  int sum = 0;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int y = at.y + ky * s.dilation_h;
    for (int kx = 0; kx < row_runs; ++kx) {
      const int column = at.x + kx * s.dilation_w;
      const std::int8_t* from = x + at.image + (y * s.in_w + column) * s.in_c;
      if (at.inside) {
        sum += q_scalar_copy(from, cut.elements, words);
      } else {
        const Range taps = y >= 0 && y < s.in_h ? tap_range(column, 1, run_taps, s.in_w) : Range{0, 0};
        const int first = taps.first * channels;
        const int last = taps.last * channels;
        sum += q_scalar_fill(s.x_zero_point, first, words);
        sum += q_scalar_copy(from + first, last - first, words + 2 * first);
        sum += q_scalar_fill(s.x_zero_point, cut.elements - last, words + 2 * last);
      }
      words += 2 * cut.elements;
    }
  }
  return sum;
}

/// One group's output channels of two pixels. bias, y0 and y1: at the group's first channel, which is channel
/// o. y1 may be y0 (the second pixel, equal to the first, then writes the same).
TINYTC_INLINE void q_scalar_channels(const QConv2dShape& s, const std::uint32_t* words, const int (&sums)[2],
                                     const std::uint8_t* w, const std::int32_t* bias, const QScale& scale,
                                     const QOutput& out, int o, std::int8_t* y0, std::int8_t* y1) {
  const int channels = s.out_c / s.groups;
  const int count = q_conv2d_taps(s);
  std::int32_t sum[8];
  std::int32_t rest[4] = {0, 0, 0, 0};
  for (int c = channels / 4 * 4; c < channels; ++c) rest[c % 4] = bias[o + c];
  QScalarArguments arguments = q_scalar_arguments_2x4(count, words, sums[0], sums[1], w, bias + o, sum);
  for (int first = 0; first < channels; first += 4) {
    const int width = min_of(4, channels - first);
    if (width < 4) arguments.bias = rest;
    q_scalar_block_2x4(count, arguments);
    for (int c = 0; c < width; ++c) {
      y0[o + first + c] = q_requantized(sum[c], scale, o + first + c, out);
      y1[o + first + c] = q_requantized(sum[4 + c], scale, o + first + c, out);
    }
  }
}

/// q_conv2d with w stored by q_scalar_conv2d_pack and q_scalar_conv2d_scratch words of scratch; y may overlap
/// x from q_scalar_conv2d_lead_x on.
TINYTC_INLINE void q_scalar_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint8_t* w,
                                   const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                   std::int8_t* y, std::uint32_t* scratch) {
  const int pixels = s.batch * s.out_h * s.out_w;
  const int in_c = s.in_c / s.groups;
  const int out_c = s.out_c / s.groups;
  const int group_bytes = q_conv2d_blocks(s) * q_conv2d_taps(s) * 4;
  for (int pixel = 0; pixel < pixels; pixel += 2) {
    const int next = min_of(pixel + 1, pixels - 1);
    const QPatchPlace a = q_conv2d_place(s, pixel);
    const QPatchPlace b = q_conv2d_place(s, next);
    for (int g = 0; g < s.groups; ++g) {
      const int sums[2] = {q_scalar_patch(s, x + g * in_c, a, scratch),
                           q_scalar_patch(s, x + g * in_c, b, scratch + 1)};
      q_scalar_channels(s, scratch, sums, w + g * group_bytes, bias, scale, out, g * out_c,
                        y + pixel * s.out_c, y + next * s.out_c);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_SCALAR_CONV2D_H
