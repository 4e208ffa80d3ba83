// The shape of int8 convolutions, their packed weights (q_patch.h, q_dot_pairs.h) and traits.
#ifndef TINYTC_RUNTIME_Q_CONV2D_SHAPE_H
#define TINYTC_RUNTIME_Q_CONV2D_SHAPE_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_dot_pairs.h"
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

/// Whether the runs' elements behind the last fours stand behind the last run (q_rest_lane).
TINYTC_INLINE constexpr bool q_conv2d_joins_rests(const QConv2dShape& s) {
  return q_conv2d_runs(s).elements % 4 == 1;
}

/// Words from a run of a patch to the next.
TINYTC_INLINE constexpr int q_conv2d_run_words(const QConv2dShape& s) {
  return q_run_words(q_conv2d_runs(s).elements) - (q_conv2d_joins_rests(s) ? 1 : 0);
}

/// Words of one patch.
TINYTC_INLINE constexpr int q_conv2d_words(const QConv2dShape& s) {
  const int runs = q_conv2d_runs(s).runs;
  return runs * q_conv2d_run_words(s) + (q_conv2d_joins_rests(s) ? (runs + 1) / 2 : 0);
}

/// Four-channel blocks of a group's output channels; the last one is filled up with zero weights.
TINYTC_INLINE constexpr int q_conv2d_blocks(const QConv2dShape& s) { return (s.out_c / s.groups + 3) / 4; }

/// Words of a group's packed weights.
TINYTC_INLINE constexpr int q_conv2d_group_words(const QConv2dShape& s) {
  return q_conv2d_blocks(s) * q_pair_block_words(q_conv2d_words(s));
}

/// Words of the packed weights: [groups][blocks], blocks as in q_dot_pairs.h.
constexpr int q_conv2d_packed_words(const QConv2dShape& s) { return s.groups * q_conv2d_group_words(s); }

/// Index of output channel o's block in the packed words.
constexpr int q_conv2d_block_start(const QConv2dShape& s, int o) {
  const int group_out = s.out_c / s.groups;
  return (o / group_out * q_conv2d_blocks(s) + o % group_out / 4) * q_pair_block_words(q_conv2d_words(s));
}

/// Position of weight (o, i, ky, kx) in the packed words, in lanes of 16 bits; a lane holds it as 256 * w
/// for every second output channel.
constexpr int q_conv2d_pack_lane(const QConv2dShape& s, int o, int i, int ky, int kx) {
  const QRuns cut = q_conv2d_runs(s);
  const int channels = s.in_c / s.groups;
  const int tap = ky * s.kernel_w + kx;
  const int run = cut.runs == s.kernel_h ? ky : tap;
  const int element = (cut.runs == s.kernel_h ? kx * channels : 0) + i;
  const int run_lanes = q_conv2d_run_words(s) * 2;
  const bool is_rest = q_conv2d_joins_rests(s) && element == cut.elements - 1;
  const int lane = is_rest ? cut.runs * run_lanes + q_rest_lane(cut.runs, run)
                           : run * run_lanes + q_run_lane(cut.elements, element);
  return (q_conv2d_block_start(s, o) + 4 + lane / 2 * 2 + o % (s.out_c / s.groups) % 4 / 2) * 2 + lane % 2;
}

/// Pairs the weights of output channel o.
constexpr void q_conv2d_pack_weights(const QConv2dShape& s, int o, const std::int8_t* w,
                                     std::uint32_t* packed) {
  for (int k = 0; k < q_conv2d_taps(s); ++k) {
    const int i = k / (s.kernel_h * s.kernel_w);
    const int ky = k / s.kernel_w % s.kernel_h;
    const int lane = q_conv2d_pack_lane(s, o, i, ky, k % s.kernel_w);
    const bool second = o % (s.out_c / s.groups) % 2 == 1;
    const std::uint32_t word = packed[lane / 2];
    const int old = lane % 2 == 0 ? q_low(word) : q_high(word);
    const int value = old + (second ? 256 : 1) * w[o * q_conv2d_taps(s) + k];
    packed[lane / 2] = lane % 2 == 0 ? q_lanes(value, q_high(word)) : q_lanes(q_low(word), value);
  }
}

/// Packs a layer. w: plain ONNX [out_c][in_c / groups][kernel_h][kernel_w], which q_pairable has accepted
/// with the biases; bias: with -x_zero_point * (sum of the channel's weights) folded in; multiplier: of
/// QScale; packed: q_conv2d_packed_words words.
constexpr void q_conv2d_pack(const QConv2dShape& s, const std::int8_t* w, const std::int32_t* bias,
                             const std::int32_t* multiplier, std::uint32_t* packed) {
  for (int k = 0; k < q_conv2d_packed_words(s); ++k) packed[k] = 0;
  for (int o = 0; o < s.out_c; ++o) {
    const int c = o % (s.out_c / s.groups) % 4;
    std::uint32_t* block = packed + q_conv2d_block_start(s, o);
    const std::uint32_t start = static_cast<std::uint32_t>(bias[o]);
    block[c / 2 * 2] += c % 2 == 0 ? start : start << 8;
    if (c % 2 == 0) block[c / 2 * 2 + 1] = start;
    block[4 + 2 * q_conv2d_words(s) + c] = static_cast<std::uint32_t>(multiplier[o]);
    q_conv2d_pack_weights(s, o, w, packed);
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

/// Smallest distance in elements, address of x minus address of y, at which y may run over x. `pixels`
/// neighbours are read together before they are written, group by group.
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

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_CONV2D_SHAPE_H
