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

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_dot.h"
#include "runtime/q_patch.h"

namespace tinytc {

/// Shape of a convolution. Sizes in pixels, channels, taps. Padding at the bottom and right is whatever out_h
/// and out_w imply.
struct QConv2dShape {
  int batch;
  int in_h;
  int in_w;
  int in_c;
  int out_h;
  int out_w;
  int out_c;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int dilation_h;
  int dilation_w;
  int pad_top;
  int pad_left;
  int groups;
  int x_zero_point;  ///< what padding reads as
};

template <typename V>
constexpr void visit(const QConv2dShape& s, V&& v) {
  v("batch", s.batch);
  v("in_h", s.in_h);
  v("in_w", s.in_w);
  v("in_c", s.in_c);
  v("out_h", s.out_h);
  v("out_w", s.out_w);
  v("out_c", s.out_c);
  v("kernel_h", s.kernel_h);
  v("kernel_w", s.kernel_w);
  v("stride_h", s.stride_h);
  v("stride_w", s.stride_w);
  v("dilation_h", s.dilation_h);
  v("dilation_w", s.dilation_w);
  v("pad_top", s.pad_top);
  v("pad_left", s.pad_left);
  v("groups", s.groups);
  v("x_zero_point", s.x_zero_point);
}

/// Weights of one output channel.
TINYTC_INLINE constexpr int q_conv2d_taps(const QConv2dShape& s) {
  return s.kernel_h * s.kernel_w * (s.in_c / s.groups);
}

/// Nominal multiply-accumulates.
constexpr long long q_conv2d_macs(const QConv2dShape& s) {
  return static_cast<long long>(s.batch) * s.out_h * s.out_w * s.out_c * q_conv2d_taps(s);
}

/// How a patch is cut: `runs` of `elements` neighbouring input elements each.
struct QRuns {
  int runs;
  int elements;
};
TINYTC_INLINE constexpr QRuns q_conv2d_runs(const QConv2dShape& s) {
  const int channels = s.in_c / s.groups;
  const bool rows = s.groups == 1 && s.dilation_w == 1;
  return rows ? QRuns{s.kernel_h, s.kernel_w * channels} : QRuns{s.kernel_h * s.kernel_w, channels};
}

/// Words of one patch.
TINYTC_INLINE constexpr int q_conv2d_words(const QConv2dShape& s) {
  return q_conv2d_runs(s).runs * q_run_words(q_conv2d_runs(s).elements);
}

/// Four-channel blocks of a group's output channels; the last one is filled up with zero weights.
TINYTC_INLINE constexpr int q_conv2d_blocks(const QConv2dShape& s) { return (s.out_c / s.groups + 3) / 4; }

/// Words of the paired weights: [groups][blocks][words of a patch][2].
constexpr int q_conv2d_packed_words(const QConv2dShape& s) {
  return s.groups * q_conv2d_blocks(s) * q_conv2d_words(s) * 2;
}

/// Position of weight (o, i, ky, kx) in the paired weights, in lanes of 16 bits; a lane holds it as 256 * w
/// for every second output channel.
constexpr int q_conv2d_pack_lane(const QConv2dShape& s, int o, int i, int ky, int kx) {
  const QRuns cut = q_conv2d_runs(s);
  const int group_out = s.out_c / s.groups;
  const int channels = s.in_c / s.groups;
  const int block = o / group_out * q_conv2d_blocks(s) + o % group_out / 4;
  const int tap = ky * s.kernel_w + kx;
  const int run = cut.runs == s.kernel_h ? ky : tap;
  const int element = (cut.runs == s.kernel_h ? kx * channels : 0) + i;
  const int lane = run * q_run_words(cut.elements) * 2 + q_run_lane(cut.elements, element);
  return ((block * q_conv2d_words(s) + lane / 2) * 2 + o % group_out % 4 / 2) * 2 + lane % 2;
}

/// Pairs weights. w: plain ONNX [out_c][in_c / groups][kernel_h][kernel_w], which q_pairable has accepted;
/// packed: q_conv2d_packed_words words.
constexpr void q_conv2d_pack(const QConv2dShape& s, const std::int8_t* w, std::uint32_t* packed) {
  for (int k = 0; k < q_conv2d_packed_words(s); ++k) packed[k] = 0;
  const int channels = s.in_c / s.groups;
  for (int o = 0; o < s.out_c; ++o) {
    for (int k = 0; k < q_conv2d_taps(s); ++k) {
      const int i = k / (s.kernel_h * s.kernel_w);
      const int ky = k / s.kernel_w % s.kernel_h;
      const int lane = q_conv2d_pack_lane(s, o, i, ky, k % s.kernel_w);
      const int weight = w[(o * channels + i) * s.kernel_h * s.kernel_w + k % (s.kernel_h * s.kernel_w)];
      const bool second = o % (s.out_c / s.groups) % 2 == 1;
      const std::uint32_t word = packed[lane / 2];
      const int old = lane % 2 == 0 ? q_low(word) : q_high(word);
      const int value = old + (second ? 256 * weight : weight);
      packed[lane / 2] = lane % 2 == 0 ? q_lanes(value, q_high(word)) : q_lanes(q_low(word), value);
    }
  }
}

/// Scratch in words: the patches of two pixels, and the bytes of a run.
constexpr int q_conv2d_scratch(const QConv2dShape& s) {
  return 2 * q_conv2d_words(s) + (q_conv2d_runs(s).elements + 3) / 4;
}

/// Index of the first input pixel that an output pixel reads, or -1.
constexpr int q_conv2d_first_read(const QConv2dShape& s, int pixel) {
  const int image = pixel / (s.out_w * s.out_h);
  const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
  const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
  const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
  if (rows.first == rows.last || columns.first == columns.last) return -1;
  return (image * s.in_h + iy + rows.first * s.dilation_h) * s.in_w + ix + columns.first * s.dilation_w;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x. `pixels` (1 or
/// 2) are read together before they are written, group by group.
constexpr int q_conv2d_lead(const QConv2dShape& s, int pixels) {
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  const int count = s.batch * s.out_h * s.out_w;
  for (int pixel = 0; pixel < count; ++pixel) {
    const int first = q_conv2d_first_read(s, pixel);
    if (first < 0) continue;
    const int start = pixel / pixels * pixels;
    if (start > 0) lead = max_of(lead, start * s.out_c - first * s.in_c);
    const int last = min_of(start + pixels, count) - 1;
    if (s.groups > 1) {
      const int rest = s.groups - 1;
      const int gap = s.out_c / s.groups - s.in_c / s.groups;
      lead = max_of(lead, last * s.out_c - first * s.in_c + max_of(gap, rest * gap));
    }
  }
  return lead;
}
constexpr int q_conv2d_lead_x(const QConv2dShape& s) { return q_conv2d_lead(s, 2); }

/// A run of which only the taps in `inside` lie in the image, into every second word. from: tap 0; bytes:
/// room for a run.
TINYTC_INLINE void q_conv2d_edge(const QConv2dShape& s, const std::int8_t* from, Range inside, int elements,
                                 std::int8_t* bytes, std::uint32_t* words) {
  const int channels = s.in_c / s.groups;
  const int first = inside.first * channels;
  const int last = inside.last * channels;
  if (channels % 4 == 0) {
    q_fill_run(s.x_zero_point, first, 2, words);
    q_widen_run(from + first, last - first, 2, words + first);
    q_fill_run(s.x_zero_point, elements - last, 2, words + last);
    return;
  }
  const std::int8_t zero = static_cast<std::int8_t>(s.x_zero_point);
  for (int k = 0; k < first; ++k) bytes[k] = zero;
  for (int k = first; k < last; ++k) bytes[k] = from[k];
  for (int k = last; k < elements; ++k) bytes[k] = zero;
  q_widen_run(bytes, elements, 2, words);
}

/// One patch of which parts may lie outside the image, into every second word. x: the image, at the group's
/// first channel; (iy, ix): input position of tap (0, 0); bytes: room for a run.
TINYTC_INLINE void q_conv2d_patch(const QConv2dShape& s, const std::int8_t* x, int iy, int ix,
                                  std::int8_t* bytes, std::uint32_t* words) {
  const QRuns cut = q_conv2d_runs(s);
  const int run_taps = cut.elements / (s.in_c / s.groups);
  const int row_runs = cut.runs / s.kernel_h;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int y = iy + ky * s.dilation_h;
    for (int kx = 0; kx < row_runs; ++kx) {
      const int column = ix + kx * s.dilation_w;
      const Range inside = y >= 0 && y < s.in_h ? tap_range(column, 1, run_taps, s.in_w) : Range{0, 0};
      if (inside.first == inside.last) {
        q_fill_run(s.x_zero_point, cut.elements, 2, words);
      } else {
        q_conv2d_edge(s, x + (y * s.in_w + column) * s.in_c, inside, cut.elements, bytes, words);
      }
      words += 2 * q_run_words(cut.elements);
    }
  }
}

/// Both patches where all of them lies inside the image.
TINYTC_INLINE void q_conv2d_patches(const QConv2dShape& s, const std::int8_t* x0, const std::int8_t* x1,
                                    std::uint32_t* words) {
  const QRuns cut = q_conv2d_runs(s);
  const int row_runs = cut.runs / s.kernel_h;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < row_runs; ++kx) {
      const int offset = (ky * s.dilation_h * s.in_w + kx * s.dilation_w) * s.in_c;
      q_widen_runs(x0 + offset, x1 + offset, cut.elements, words);
      words += 2 * q_run_words(cut.elements);
    }
  }
}

/// One patch that lies inside the image, into every second word.
TINYTC_INLINE void q_conv2d_inner_patch(const QConv2dShape& s, const std::int8_t* x, std::uint32_t* words) {
  const QRuns cut = q_conv2d_runs(s);
  const int row_runs = cut.runs / s.kernel_h;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < row_runs; ++kx) {
      const int offset = (ky * s.dilation_h * s.in_w + kx * s.dilation_w) * s.in_c;
      q_widen_run(x + offset, cut.elements, 2, words);
      words += 2 * q_run_words(cut.elements);
    }
  }
}

/// Where an output pixel's patch starts.
struct QPatchPlace {
  int image;  ///< offset in elements
  int y;
  int x;
  bool inside;
};
TINYTC_INLINE QPatchPlace q_conv2d_place(const QConv2dShape& s, int pixel) {
  const int row = pixel / s.out_w;
  const int y = row % s.out_h * s.stride_h - s.pad_top;
  const int x = pixel % s.out_w * s.stride_w - s.pad_left;
  const bool inside = y >= 0 && x >= 0 && y + (s.kernel_h - 1) * s.dilation_h < s.in_h &&
                      x + (s.kernel_w - 1) * s.dilation_w < s.in_w;
  return QPatchPlace{row / s.out_h * s.in_h * s.in_w * s.in_c, y, x, inside};
}

/// One patch for one group, into every second word. x: at the group's first channel.
TINYTC_INLINE void q_conv2d_gather_one(const QConv2dShape& s, const std::int8_t* x, const QPatchPlace& at,
                                       std::int8_t* bytes, std::uint32_t* words) {
  if (at.inside) {
    q_conv2d_inner_patch(s, x + at.image + (at.y * s.in_w + at.x) * s.in_c, words);
  } else {
    q_conv2d_patch(s, x + at.image, at.y, at.x, bytes, words);
  }
}

/// The patches of two output pixels for one group. x: at the group's first channel.
TINYTC_INLINE void q_conv2d_gather(const QConv2dShape& s, const std::int8_t* x, const QPatchPlace& a,
                                   const QPatchPlace& b, std::uint32_t* words) {
  if (a.inside && b.inside) {
    q_conv2d_patches(s, x + a.image + (a.y * s.in_w + a.x) * s.in_c,
                     x + b.image + (b.y * s.in_w + b.x) * s.in_c, words);
    return;
  }
  std::int8_t* bytes = reinterpret_cast<std::int8_t*>(words + 2 * q_conv2d_words(s));
#if defined(TINYTC_SMALL)
  for (int k = 0; k < 2; ++k) {
    const QPatchPlace& at = k == 0 ? a : b;
    q_conv2d_patch(s, x + at.image, at.y, at.x, bytes, words + k);
  }
#else
  q_conv2d_gather_one(s, x, a, bytes, words);
  q_conv2d_gather_one(s, x, b, bytes, words + 1);
#endif
}

/// One block of up to four output channels of two pixels, from channel o on; `width` of them exist.
TINYTC_INLINE void q_conv2d_block(int words, const std::uint32_t* x, const std::uint32_t* w,
                                  const std::int32_t* bias, const QScale& scale, const QOutput& out, int o,
                                  int width, std::int8_t* y0, std::int8_t* y1) {
  std::int32_t start[4] = {0, 0, 0, 0};
  std::int32_t sum[8];
  for (int c = 0; c < width; ++c) start[c] = bias[o + c];
  q_block_2x4(words, x, w, start, sum);
  for (int c = 0; c < width; ++c) {
    y0[o + c] = q_requantized(sum[c], scale, o + c, out);
    y1[o + c] = q_requantized(sum[4 + c], scale, o + c, out);
  }
}

#if defined(TINYTC_DSP)
/// `channels` output channels of two pixels: whole blocks of four into place, the rest by
/// way of a block of its own.
TINYTC_INLINE void q_conv2d_bytes(int count, int channels, const std::uint32_t* words, const std::uint32_t* w,
                                  const std::int32_t* bias, const std::int32_t* multiplier, int zero_point,
                                  std::int8_t* y0, std::int8_t* y1) {
  const std::uint32_t* end = words + 2 * count;
  const int skip = q_skip_2x4(count);
  const int rounding = 256 * zero_point + 128;
  const int whole = channels / 4 * 4;
  if (whole > 0) {
    q_bytes_2x4(q_widened_pair({words, end, skip, w, bias, multiplier, zero_point, y0, y0 + whole,
                                static_cast<int>(y1 - y0), rounding}));
  }
  if (whole == channels) return;
  std::int32_t last_bias[4] = {0, 0, 0, 0};
  std::int32_t last_multiplier[4] = {0, 0, 0, 0};
  std::int8_t y[8];
  for (int c = whole; c < channels; ++c) {
    last_bias[c - whole] = bias[c];
    last_multiplier[c - whole] = multiplier[c];
  }
  q_bytes_2x4(q_widened_pair({words, end, skip, w + whole / 2 * count, last_bias, last_multiplier, zero_point,
                              y, y + 4, 4, rounding}));
  for (int c = whole; c < channels; ++c) {
    y0[c] = y[c - whole];
    y1[c] = y[4 + c - whole];
  }
}
#endif

/// One group's output channels of two pixels, from channel o on. y1 may be y0 (the second pixel, equal to the
/// first, then writes the same).
TINYTC_INLINE void q_conv2d_channels(const QConv2dShape& s, const std::uint32_t* words,
                                     const std::uint32_t* w, const std::int32_t* bias, const QScale& scale,
                                     const QOutput& out, int o, std::int8_t* y0, std::int8_t* y1) {
  const int channels = s.out_c / s.groups;
  const int count = q_conv2d_words(s);
#if defined(TINYTC_DSP)
  if (scale.shift == nullptr && out.lo == -128 && out.hi == 127) {
    q_conv2d_bytes(count, channels, words, w, bias + o, scale.multiplier + o, out.zero_point, y0 + o, y1 + o);
    return;
  }
#endif
  for (int first = 0; first < channels; first += 4) {
    q_conv2d_block(count, words, w + first / 2 * count, bias, scale, out, o + first,
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
                                  const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                  int pixel, int pairs, std::int8_t* y, std::uint32_t* scratch) {
  const QPatchPlace at = q_conv2d_place(s, pixel);
  const int count = q_conv2d_words(s);
  const int elements = s.kernel_w * s.in_c;
  std::int8_t* to = y + pixel * s.out_c;
  q_bytes_2x4(QPairArguments{{scratch, scratch + 2 * count, q_skip_2x4(count), w, bias, scale.multiplier,
                              out.zero_point, to, to + s.out_c, s.out_c, 256 * out.zero_point + 128},
                             x + at.image + (at.y * s.in_w + at.x) * s.in_c,
                             pairs,
                             s.stride_w * s.in_c,
                             elements / 4,
                             s.dilation_h * s.in_w * s.in_c - elements / 4 * 4,
                             s.kernel_h * s.kernel_w > 1 ? s.kernel_h : 0,
                             elements % 4});
}
#endif

/// A pair of pixels, wherever their patches lie. next: pixel + 1, or pixel.
TINYTC_INLINE void q_conv2d_pair(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                 const std::int32_t* bias, const QScale& scale, const QOutput& out, int pixel,
                                 int next, std::int8_t* y, std::uint32_t* scratch) {
  const int in_c = s.in_c / s.groups;
  const int out_c = s.out_c / s.groups;
  const int group_words = q_conv2d_blocks(s) * q_conv2d_words(s) * 2;
  const QPatchPlace a = q_conv2d_place(s, pixel);
  const QPatchPlace b = q_conv2d_place(s, next);
  for (int g = 0; g < s.groups; ++g) {
    q_conv2d_gather(s, x + g * in_c, a, b, scratch);
    q_conv2d_channels(s, scratch, w + g * group_words, bias, scale, out, g * out_c, y + pixel * s.out_c,
                      y + next * s.out_c);
  }
}

/// y = clamp(zero point + round(scale * (bias + conv(x, w)))). x: [batch][in_h][in_w][in_c]; w: paired by
/// q_conv2d_pack; bias: [out_c], with -x_zero_point * (sum of the channel's weights) folded in; y:
/// [batch][out_h][out_w][out_c], may overlap x from q_conv2d_lead_x on; scratch: q_conv2d_scratch words.
TINYTC_INLINE void q_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                            const std::int32_t* bias, const QScale& scale, const QOutput& out, std::int8_t* y,
                            std::uint32_t* scratch) {
  const int pixels = s.batch * s.out_h * s.out_w;
  const int width = q_conv2d_row_pixels(s);
  for (int row = 0; row < pixels / width; ++row) {
    Range inner{0, 0};
#if defined(TINYTC_DSP)
    if (scale.shift == nullptr && out.lo == -128 && out.hi == 127) inner = q_conv2d_inner(s, row);
#endif
    for (int side = 0; side < 2; ++side) {
      const int end = side == 0 ? inner.first : width;
      for (int column = side == 0 ? 0 : inner.last; column < end; column += 2) {
        const int pixel = row * width + column;
        q_conv2d_pair(s, x, w, bias, scale, out, pixel, min_of(pixel + 1, pixels - 1), y, scratch);
      }
#if defined(TINYTC_DSP)
      const int pairs = side == 0 ? (inner.last - inner.first) / 2 : 0;
      if (pairs > 0) {
        q_conv2d_pairs(s, x, w, bias, scale, out, row * width + inner.first, pairs, y, scratch);
      }
#endif
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_CONV2D_H
