// 2-D convolution (1-D with height 1) in int8: groups, strides, dilation, padding, per-channel scales.
//
// Activations are channels-last [batch][height][width][channels]. Output pixels are taken two at a time, in
// row-major order over the whole batch: their patches are widened into scratch once and meet all output
// channels, four at a time. The input's zero point is folded into the bias by the compiler; padding reads as
// the zero point. Where the patches of a row's pairs lie inside the image, assembly gathers them itself.
//
// q_conv2d takes weights that q_conv2d_pack has paired; q_conv2d_plain.h takes ONNX order and any weights.
#ifndef TINYTC_RUNTIME_Q_CONV2D_H
#define TINYTC_RUNTIME_Q_CONV2D_H

#include "runtime/q_base.h"
#include "runtime/q_conv2d_patch.h"
#include "runtime/q_conv2d_shape.h"
#include "runtime/q_dot_pairs.h"

namespace tinytc {

/// Up to four output channels of two pixels, from channel o on; `width` of them exist. block: their weights.
TINYTC_INLINE void q_conv2d_block(int words, const std::uint32_t* x, const std::uint32_t* block,
                                  const std::int8_t* shift, const QOutput& out, int o, int width,
                                  std::int8_t* y0, std::int8_t* y1) {
  std::int32_t sum[8];
  q_block_2x4(words, x, block, sum);
  std::int32_t multiplier[4];
  for (int c = 0; c < 4; ++c) multiplier[c] = static_cast<std::int32_t>(block[4 + 2 * words + c]);
  const QScale scale{multiplier, shift != nullptr ? shift + o : nullptr};
  for (int c = 0; c < width; ++c) {
    y0[o + c] = q_requantized(sum[c], scale, c, out);
    y1[o + c] = q_requantized(sum[4 + c], scale, c, out);
  }
}

#if defined(TINYTC_DSP)
/// The first blocks' channels of two widened pixels, up to y_end.
TINYTC_INLINE void q_conv2d_blocks_bytes(int count, const std::uint32_t* words, const std::uint32_t* w,
                                         int zero_point, std::int8_t* y, int next, const std::int8_t* y_end) {
  q_bytes_2x4(QPairArguments{words, words + 2 * count, q_skip_2x4(count), w, 256 * zero_point + 128,
                             zero_point, y, next, y_end, nullptr, 1, 0, 0, 0, q_pair_runs(0, count), 0, 0});
}

/// `channels` output channels of two pixels: whole blocks of four into place, the rest by way of four bytes.
TINYTC_INLINE void q_conv2d_bytes(int count, int channels, const std::uint32_t* words, const std::uint32_t* w,
                                  int zero_point, std::int8_t* y0, std::int8_t* y1) {
  const int whole = channels / 4 * 4;
  if (whole > 0) {
    q_conv2d_blocks_bytes(count, words, w, zero_point, y0, static_cast<int>(y1 - y0), y0 + whole);
  }
  if (whole == channels) return;
  std::uint32_t last[2];
  std::int8_t* y = reinterpret_cast<std::int8_t*>(last);
  q_conv2d_blocks_bytes(count, words, w + whole / 4 * q_pair_block_words(count), zero_point, y, 4, y + 4);
  for (int c = whole; c < channels; ++c) {
    y0[c] = y[c - whole];
    y1[c] = y[4 + c - whole];
  }
}
#endif

/// One group's output channels of two pixels, from channel o on. y1 may be y0 (the second pixel, equal to the
/// first, then writes the same).
TINYTC_INLINE void q_conv2d_channels(const QConv2dShape& s, const std::uint32_t* words,
                                     const std::uint32_t* w, const std::int8_t* shift, const QOutput& out,
                                     int o, std::int8_t* y0, std::int8_t* y1) {
  const int channels = s.out_c / s.groups;
  const int count = q_conv2d_words(s);
#if defined(TINYTC_DSP)
  if (shift == nullptr && out.lo == -128 && out.hi == 127) {
    q_conv2d_bytes(count, channels, words, w, out.zero_point, y0 + o, y1 + o);
    return;
  }
#endif
  for (int first = 0; first < channels; first += 4) {
    q_conv2d_block(count, words, w + first / 4 * q_pair_block_words(count), shift, out, o + first,
                   min_of(4, channels - first), y0, y1);
  }
}

/// Whether an output pixel reads the input pixel at its own place and nothing else, in words of four
/// elements.
TINYTC_INLINE constexpr bool q_conv2d_is_pointwise(const QConv2dShape& s) {
  return s.kernel_h == 1 && s.kernel_w == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
         s.pad_left == 0 && s.groups == 1 && s.in_h == s.out_h && s.in_w == s.out_w && s.in_c % 4 == 0 &&
         s.out_c % 4 == 0;
}

/// Whether the assembly takes the pairs of an output row whose patches lie inside the image. Not in small
/// code: the pairs at the edges need the other way too.
TINYTC_INLINE constexpr bool q_conv2d_has_rows(const QConv2dShape& s) {
#if defined(TINYTC_SMALL)
  const bool wanted = false;
#else
  const bool wanted = true;
#endif
  return wanted && s.kernel_h * s.kernel_w > 1 && s.groups == 1 && s.dilation_w == 1 && s.out_c % 4 == 0 &&
         s.out_w % 2 == 0 && s.kernel_w * s.in_c >= 4 && s.kernel_w * s.in_c % 4 <= 1;
}

/// Pixels of a row that pairs do not cross.
TINYTC_INLINE constexpr int q_conv2d_row_pixels(const QConv2dShape& s) {
  return q_conv2d_has_rows(s) ? s.out_w : s.batch * s.out_h * s.out_w;
}

/// The pixels of row `row` (of q_conv2d_row_pixels) that one call of q_conv2d_pairs takes: whole pairs.
TINYTC_INLINE Range q_conv2d_inner(const QConv2dShape& s, int row) {
  if (q_conv2d_is_pointwise(s)) return Range{0, s.batch * s.out_h * s.out_w / 2 * 2};
  const int y = row % s.out_h * s.stride_h - s.pad_top;
  const int room = s.in_w + s.pad_left - s.kernel_w;
  const bool inside = y >= 0 && y + (s.kernel_h - 1) * s.dilation_h < s.in_h && room >= 0;
  if (!q_conv2d_has_rows(s) || !inside) return Range{0, 0};
  const int first = (s.pad_left + s.stride_w - 1) / s.stride_w;
  const int last = min_of(s.out_w, room / s.stride_w + 1);
  return first < last ? Range{(first + 1) / 2 * 2, max_of(first + 1, last) / 2 * 2} : Range{0, 0};
}

#if defined(TINYTC_DSP)
/// Pixels whose patches lie inside the image, in pairs that follow one another from `pixel` on.
TINYTC_INLINE void q_conv2d_pairs(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                  const QOutput& out, int pixel, int pairs, std::int8_t* y,
                                  std::uint32_t* scratch) {
  const QPatchPlace at = q_conv2d_place(s, pixel);
  const int count = q_conv2d_words(s);
  const int elements = s.kernel_w * s.in_c;
  const int row = s.dilation_h * s.in_w * s.in_c;
  std::int8_t* to = y + pixel * s.out_c;
  q_bytes_2x4(QPairArguments{
      scratch, scratch + 2 * count, q_skip_2x4(count), w, 256 * out.zero_point + 128, out.zero_point, to,
      s.out_c, to + s.out_c, x + at.image + (at.y * s.in_w + at.x) * s.in_c, pairs, s.stride_w * s.in_c,
      elements / 4, row - elements / 4 * 4, q_pair_runs(s.kernel_h * s.kernel_w > 1 ? s.kernel_h : 0, count),
      elements % 4 * s.kernel_h, -row});
}
#endif

/// A pair of pixels, wherever their patches lie. next: pixel + 1, or pixel.
TINYTC_INLINE void q_conv2d_pair(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                 const std::int8_t* shift, const QOutput& out, int pixel, int next,
                                 std::int8_t* y, std::uint32_t* scratch) {
  const int in_c = s.in_c / s.groups;
  const int out_c = s.out_c / s.groups;
  const int group_words = q_conv2d_group_words(s);
  const QPatchPlace a = q_conv2d_place(s, pixel);
  const QPatchPlace b = q_conv2d_place(s, next);
  for (int g = 0; g < s.groups; ++g) {
#if defined(TINYTC_SMALL)
    const bool rare = true;
#else
    // The assembly takes all other pairs of these layers.
    const bool rare = q_conv2d_is_pointwise(s) || q_conv2d_has_rows(s);
#endif
    q_conv2d_gather(s, x + g * in_c, a, b, rare, scratch);
    q_conv2d_channels(s, scratch, w + g * group_words, shift, out, g * out_c, y + pixel * s.out_c,
                      y + next * s.out_c);
  }
}

/// y = clamp(zero point + round(scale * (bias + conv(x, w)))). x: [batch][in_h][in_w][in_c]; w: weights,
/// biases and multipliers as q_conv2d_pack packs them; shift: of QScale; y: [batch][out_h][out_w][out_c], may
/// overlap x from q_conv2d_lead_x on; scratch: q_conv2d_scratch words.
TINYTC_INLINE void q_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                            const std::int8_t* shift, const QOutput& out, std::int8_t* y,
                            std::uint32_t* scratch) {
  const int pixels = s.batch * s.out_h * s.out_w;
  const int width = q_conv2d_row_pixels(s);
  for (int row = 0; row < pixels / width; ++row) {
    Range inner{0, 0};
#if defined(TINYTC_DSP)
    if (shift == nullptr && out.lo == -128 && out.hi == 127) inner = q_conv2d_inner(s, row);
#endif
    for (int side = 0; side < 2; ++side) {
      const int end = side == 0 ? inner.first : width;
      for (int column = side == 0 ? 0 : inner.last; column < end; column += 2) {
        const int pixel = row * width + column;
        q_conv2d_pair(s, x, w, shift, out, pixel, min_of(pixel + 1, pixels - 1), y, scratch);
      }
#if defined(TINYTC_DSP)
      const int pairs = side == 0 ? (inner.last - inner.first) / 2 : 0;
      if (pairs > 0) {
        q_conv2d_pairs(s, x, w, out, row * width + inner.first, pairs, y, scratch);
      }
#endif
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_CONV2D_H
