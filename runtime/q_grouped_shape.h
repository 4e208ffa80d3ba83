// How q_grouped_conv2d.h and q_grouped_narrow.h cut a convolution: what they copy, their packed weights and
// traits.
#ifndef TINYTC_RUNTIME_Q_GROUPED_SHAPE_H
#define TINYTC_RUNTIME_Q_GROUPED_SHAPE_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_conv2d.h"

namespace tinytc {

/// Whether this kernel has the shape (its pairs do not cross rows, so rows of one and three pixels are
/// others'), and is the better one for it: without groups where an input has up to three channels and runs
/// are so short, or outputs so few, that gathering pair by pair costs more than a copy and filled up runs.
constexpr bool q_grouped_conv2d_serves(const QConv2dShape& s) {
  if (s.out_c / s.groups <= 3 || s.out_w == 1 || s.out_w == 3) return false;
  if (s.groups > 1) return true;
  if (s.in_c > 3 || q_conv2d_taps(s) < 4 || q_conv2d_has_rows(s)) return false;
  return s.out_c <= 17 || (q_conv2d_runs(s).elements < 4 && (s.dilation_w > 1 || s.out_c <= 40));
}

constexpr long long q_grouped_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Whether the channels of a group are so few that they are taken one by one (q_grouped_narrow.h).
TINYTC_INLINE constexpr bool q_grouped_is_narrow(const QConv2dShape& s) { return s.out_c / s.groups <= 3; }

/// Whether a group has one channel behind whole blocks of four. It is taken alone, four pixels at a time: a
/// block would cost twice as much.
TINYTC_INLINE constexpr bool q_grouped_has_single(const QConv2dShape& s) {
  return s.out_c / s.groups % 4 == 1 && !q_grouped_is_narrow(s);
}

/// Channels of a group in blocks of four, and these blocks.
TINYTC_INLINE constexpr int q_grouped_channels(const QConv2dShape& s) {
  return s.out_c / s.groups - (q_grouped_has_single(s) ? 1 : 0);
}
TINYTC_INLINE constexpr int q_grouped_blocks(const QConv2dShape& s) {
  return (q_grouped_channels(s) + 3) / 4;
}

/// Pixels that are taken at once: a row in equal parts, whole pairs or fours. The last part may have fewer.
TINYTC_INLINE constexpr int q_grouped_pixels(const QConv2dShape& s) {
  const int parts = (s.out_w + 15) / 16;
  const int unit = q_grouped_is_narrow(s) || q_grouped_has_single(s) ? 4 : 2;
  return ((s.out_w + parts - 1) / parts + unit - 1) / unit * unit;
}

/// Whether copies hold rows of pixels. A row's end in a patch is filled up to a multiple of four elements, as
/// a patch's is elsewhere.
TINYTC_INLINE constexpr bool q_grouped_has_rows(const QConv2dShape& s) {
  const int elements = s.kernel_w * (s.in_c / s.groups);
  const int filled = s.kernel_h * ((elements + 3) / 4);
  const bool fills_little = filled * 4 <= (s.kernel_h * elements + 3) / 4 * 5;
  return s.dilation_w == 1 && s.kernel_w > s.stride_w && elements >= 4 && fills_little;
}

/// Whether patches are copied tap by tap, from a list (q_listed_patches.h).
TINYTC_INLINE constexpr bool q_grouped_has_list(const QConv2dShape& s) {
  return !q_grouped_has_rows(s) && s.in_c == s.groups;
}

/// Elements of a run of the copy, filled up.
TINYTC_INLINE constexpr int q_grouped_run(const QConv2dShape& s) {
  const int elements = q_conv2d_taps(s) / (q_grouped_has_rows(s) ? s.kernel_h : 1);
  return q_grouped_is_narrow(s) ? elements : (elements + 3) / 4 * 4;
}

/// Runs of a patch in the copy, and bytes from one to the next; bytes from a pixel's patch to the next one's.
TINYTC_INLINE constexpr int q_grouped_runs(const QConv2dShape& s) {
  return q_grouped_has_rows(s) ? s.kernel_h : 1;
}
TINYTC_INLINE constexpr int q_grouped_row(const QConv2dShape& s) {
  return ((q_grouped_pixels(s) - 1) * s.stride_w + s.kernel_w) * (s.in_c / s.groups);
}
TINYTC_INLINE constexpr int q_grouped_apart(const QConv2dShape& s) {
  return q_grouped_has_rows(s) ? s.stride_w * (s.in_c / s.groups) : q_conv2d_taps(s);
}

/// The shape as which weights are packed: a run is a tap.
TINYTC_INLINE constexpr QConv2dShape q_grouped_packing(const QConv2dShape& s) {
  const int runs = q_grouped_runs(s);
  const int in_c = s.groups * q_grouped_run(s);
  return QConv2dShape{1, runs, 1, in_c, 1, 1, s.out_c, runs, 1, 1, 1, 1, 1, 0, 0, s.groups, 0};
}

/// Bytes of the weights as q_grouped_conv2d_spread leaves them.
constexpr int q_grouped_conv2d_spread_bytes(const QConv2dShape& s) {
  return s.out_c * q_conv2d_taps(q_grouped_packing(s));
}

/// The shape as which the blocks of a group are packed, and words of a group's weights: the blocks', then of
/// a single channel bias, multiplier and weights, four a word.
TINYTC_INLINE constexpr QConv2dShape q_grouped_block_packing(const QConv2dShape& s) {
  QConv2dShape packing = q_grouped_packing(s);
  packing.groups = 1;
  packing.in_c = q_grouped_run(s);
  packing.out_c = q_grouped_channels(s);
  return packing;
}
TINYTC_INLINE constexpr int q_grouped_group_words(const QConv2dShape& s) {
  const int words = q_grouped_runs(s) * q_grouped_run(s);
  return q_grouped_blocks(s) * q_pair_block_words(words / 2) + (q_grouped_has_single(s) ? 2 + words / 4 : 0);
}
constexpr int q_grouped_conv2d_packed_words(const QConv2dShape& s) {
  return s.groups * q_grouped_group_words(s);
}

/// Puts ONNX weights into the order of a copy's runs, with zeros for what runs are filled up with. What comes
/// out goes into q_grouped_conv2d_pack, or with few channels into q_narrow_conv2d_pack with
/// q_grouped_packing.
constexpr void q_grouped_conv2d_spread(const QConv2dShape& s, const std::int8_t* w, std::int8_t* spread) {
  const int channels = s.in_c / s.groups;
  const int runs = q_grouped_runs(s);
  for (int k = 0; k < q_grouped_conv2d_spread_bytes(s); ++k) spread[k] = 0;
  for (int k = 0; k < s.out_c * q_conv2d_taps(s); ++k) {
    const int tap = k % (s.kernel_h * s.kernel_w);
    const int element = tap * channels + k / (s.kernel_h * s.kernel_w) % channels;
    const int length = q_conv2d_taps(s) / runs;
    const int o = k / q_conv2d_taps(s);
    spread[(o * q_grouped_run(s) + element % length) * runs + element / length] = w[k];
  }
}

/// Packs a layer; arguments as of q_conv2d_pack, but the weights: from q_grouped_conv2d_spread.
constexpr void q_grouped_conv2d_pack(const QConv2dShape& s, const std::int8_t* spread,
                                     const std::int32_t* bias, const std::int32_t* multiplier,
                                     std::uint32_t* packed) {
  const int channels = s.out_c / s.groups;
  const int runs = q_grouped_runs(s);
  const int run = q_grouped_run(s);
  for (int g = 0; g < s.groups; ++g) {
    const int o = g * channels;
    q_conv2d_pack(q_grouped_block_packing(s), spread + o * run * runs, bias + o, multiplier + o, packed);
    packed += q_grouped_group_words(s);
    if (!q_grouped_has_single(s)) continue;
    const int last = o + channels - 1;
    std::uint32_t* to = packed - runs * run / 4;
    to[-2] = static_cast<std::uint32_t>(bias[last]);
    to[-1] = static_cast<std::uint32_t>(multiplier[last]);
    for (int k = 0; k < runs * run / 4; ++k) to[k] = 0;
    for (int k = 0; k < runs * run; ++k) {
      const std::uint32_t weight =
          static_cast<std::uint32_t>(spread[(last * run + k % run) * runs + k / run]);
      to[k / 4] |= (weight & 0xFFU) << (8 * (k % 4));
    }
  }
}

/// Words of the list, which stands first in scratch.
TINYTC_INLINE constexpr int q_grouped_list_words(const QConv2dShape& s) {
  return q_grouped_has_list(s) ? q_conv2d_taps(s) : 0;
}

/// Words of a pair's patches, of the copy (whose last run is filled up with what stands behind it), and of
/// the results.
TINYTC_INLINE constexpr int q_grouped_words(const QConv2dShape& s) {
  return q_grouped_runs(s) * q_grouped_run(s);
}
TINYTC_INLINE constexpr int q_grouped_copy_words(const QConv2dShape& s) {
  const int bytes =
      q_grouped_has_rows(s) ? s.kernel_h * q_grouped_row(s) : q_grouped_pixels(s) * q_conv2d_taps(s);
  return (bytes + 3) / 4 + 1;
}
constexpr int q_grouped_conv2d_scratch(const QConv2dShape& s) {
  const int list = q_grouped_list_words(s);
  if (q_grouped_is_narrow(s)) return list + q_grouped_copy_words(s);
  return list + q_grouped_words(s) + q_grouped_copy_words(s) + q_grouped_pixels(s) * q_grouped_blocks(s);
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x. The pixels that
/// are taken at once are read before they are written, group by group.
constexpr int q_grouped_conv2d_lead_x(const QConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  const int pixels = q_grouped_pixels(s);
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int first = q_conv2d_first_read(s, pixel);
    if (first < 0) continue;
    const int column = pixel % s.out_w;
    const int start = pixel - column % pixels;
    if (start > 0) lead = max_of(lead, start * s.out_c - first * s.in_c);
    const int last = pixel - column + min_of(column / pixels * pixels + pixels, s.out_w) - 1;
    const int gap = s.out_c / s.groups - s.in_c / s.groups;
    const int most = max_of(gap, (s.groups - 1) * gap);
    if (s.groups > 1) lead = max_of(lead, last * s.out_c - first * s.in_c + most);
  }
  return lead;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_GROUPED_SHAPE_H
