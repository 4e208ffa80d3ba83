// 2-D int8 convolution with groups: the shapes and results of q_conv2d.
//
// A group has few channels, so what q_conv2d does for each pair of pixels and group (find the patches, widen
// them, set up arguments) costs more than the products. Here up to 32 pixels are taken at once. A group's
// inputs are copied, widened and with the padding, to where they stand as those of a convolution without
// groups whose patches all lie inside (q_widened_copy.h). One call of the assembly (q_group_dot.h) then takes
// all pairs of pixels.
//
// A tap's elements stand in the order of q_run_lane, so that four bytes are widened by two instructions.
#ifndef TINYTC_RUNTIME_Q_WIDENED_CONV2D_H
#define TINYTC_RUNTIME_Q_WIDENED_CONV2D_H

#include "runtime/q_base.h"
#include "runtime/q_conv2d_shape.h"
#include "runtime/q_group_dot.h"
#include "runtime/q_widened_copy.h"

namespace tinytc {

constexpr long long q_widened_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// What the copy holds.
enum class QWidenedKind { patches, rows, columns };

/// Cycles of a Cortex-M4 for a word of a pair of pixels' patches: 16 for four channels, 9 for two, 6 for one.
TINYTC_INLINE constexpr int q_widened_word_cycles(const QConv2dShape& s) {
  const int rest = s.out_c / s.groups % 4;
  return 16 * (s.out_c / s.groups / 4) + (rest == 3 ? 16 : rest == 2 ? 9 : rest == 1 ? 6 : 0);
}

/// Cycles of one image and group with lines, along an axis: beside the words 12 for each further run, 3 to
/// copy an element, 100 for each sixteen pixels.
TINYTC_INLINE constexpr long long q_widened_line_cycles(const QConv2dShape& s, bool vertical) {
  const QWidenedAxis along = q_widened_axis(s, vertical);
  const QWidenedAxis across = q_widened_axis(s, !vertical);
  if (!q_widened_has_lines(along)) return 1LL << 60;
  const int channels = s.in_c / s.groups;
  const int run = (along.kernel * channels + 1) / 2 * q_widened_word_cycles(s);
  const int pair = across.kernel * run + 12 * (across.kernel - 1) * q_conv2d_blocks(s);
  const int copy = 3 * across.kernel * channels * q_widened_line(along, along.out);
  return static_cast<long long>(across.out) *
         ((along.out + 1LL) / 2 * pair + copy + 100 * ((along.out + 15) / 16));
}

/// The same with patches: 3 to copy an element and 20 for each kernel row.
TINYTC_INLINE constexpr long long q_widened_patch_cycles(const QConv2dShape& s) {
  const int taps = q_conv2d_taps(s);
  const int copy = 3 * taps + 20 * s.kernel_h + 20;
  return static_cast<long long>(s.out_h) * s.out_w * ((taps + 1) / 2 * q_widened_word_cycles(s) + 2 * copy) /
         2;
}

/// The cheapest.
TINYTC_INLINE constexpr QWidenedKind q_widened_kind(const QConv2dShape& s) {
  const long long patches = q_widened_patch_cycles(s);
  const long long rows = q_widened_line_cycles(s, false);
  const long long columns = q_widened_line_cycles(s, true);
  if (patches < rows && patches < columns) return QWidenedKind::patches;
  return rows <= columns ? QWidenedKind::rows : QWidenedKind::columns;
}
TINYTC_INLINE constexpr bool q_widened_is_vertical(const QConv2dShape& s) {
  return q_widened_kind(s) == QWidenedKind::columns;
}

/// Runs of a patch, and taps of one.
TINYTC_INLINE constexpr int q_widened_runs(const QConv2dShape& s) {
  const QWidenedKind kind = q_widened_kind(s);
  return kind == QWidenedKind::patches ? 1 : kind == QWidenedKind::rows ? s.kernel_h : s.kernel_w;
}
TINYTC_INLINE constexpr int q_widened_run_taps(const QConv2dShape& s) {
  return s.kernel_h * s.kernel_w / q_widened_runs(s);
}

/// Pixels that are taken at once, along the lines in equal parts; the last ones may be fewer. Pairs, at most
/// 32 pixels (16 patches), fewer where the copy would take more than 6 KB.
TINYTC_INLINE constexpr int q_widened_pixels(const QConv2dShape& s) {
  const bool patches = q_widened_kind(s) == QWidenedKind::patches;
  const QWidenedAxis along = q_widened_axis(s, q_widened_is_vertical(s));
  const int places = patches ? 3072 / q_conv2d_taps(s) : 3072 / (q_widened_runs(s) * (s.in_c / s.groups));
  const int fitting = patches ? places : (places - q_widened_places(along, 1)) / q_widened_stride(along);
  const int most = min_of(patches ? 16 : 32, max_of(2, fitting / 2 * 2));
  const int count = patches ? s.batch * s.out_h * s.out_w : along.out;
  const int parts = (count + most - 1) / most;
  return ((count + parts - 1) / parts + 1) / 2 * 2;
}

/// Elements of a line of the copy; of the copy.
TINYTC_INLINE constexpr int q_widened_row(const QConv2dShape& s) {
  const QWidenedAxis along = q_widened_axis(s, q_widened_is_vertical(s));
  return q_widened_line(along, q_widened_pixels(s)) * (s.in_c / s.groups);
}
TINYTC_INLINE constexpr int q_widened_elements(const QConv2dShape& s) {
  if (q_widened_kind(s) == QWidenedKind::patches) return q_widened_pixels(s) * q_conv2d_taps(s);
  return q_widened_runs(s) * q_widened_row(s);
}

/// Words of a run, of a patch, of a group's packed weights, and of all. A patch has two at least.
TINYTC_INLINE constexpr int q_widened_run_words(const QConv2dShape& s) {
  return max_of((q_widened_run_taps(s) * (s.in_c / s.groups) + 1) / 2, q_widened_runs(s) == 1 ? 2 : 1);
}
TINYTC_INLINE constexpr bool q_widened_is_small(const QConv2dShape& s) {
  return q_group_is_small(q_widened_runs(s), q_widened_run_words(s));
}
TINYTC_INLINE constexpr int q_widened_patch_words(const QConv2dShape& s) {
  return q_widened_runs(s) * q_widened_run_words(s);
}
TINYTC_INLINE constexpr int q_widened_group_words(const QConv2dShape& s) {
  return q_group_words(q_widened_is_small(s), s.out_c / s.groups, q_widened_patch_words(s));
}
constexpr int q_widened_conv2d_packed_words(const QConv2dShape& s) {
  return s.groups * q_widened_group_words(s);
}

/// Lane in a patch at which weight k of plain ONNX [in_c / groups][kernel_h][kernel_w] stands.
constexpr int q_widened_lane(const QConv2dShape& s, int k) {
  const int channels = s.in_c / s.groups;
  const int ky = k / s.kernel_w % s.kernel_h;
  const int kx = k % s.kernel_w;
  const int tap = q_widened_is_vertical(s) ? kx * s.kernel_h + ky : ky * s.kernel_w + kx;
  const int run = tap / q_widened_run_taps(s);
  return 2 * run * q_widened_run_words(s) + tap % q_widened_run_taps(s) * channels +
         q_run_lane(channels, k / (s.kernel_h * s.kernel_w));
}

/// Packs a layer: [groups][blocks], blocks as in q_group_dot.h. Arguments as of q_conv2d_pack.
constexpr void q_widened_conv2d_pack(const QConv2dShape& s, const std::int8_t* w, const std::int32_t* bias,
                                     const std::int32_t* multiplier, std::uint32_t* packed) {
  const int channels = s.out_c / s.groups;
  const int words = q_widened_patch_words(s);
  const int taps = q_conv2d_taps(s);
  const bool small = q_widened_is_small(s);
  const int most = q_group_most(small);
  for (int k = 0; k < q_widened_conv2d_packed_words(s); ++k) packed[k] = 0;
  for (int o = 0; o < s.out_c; ++o) {
    const int c = o % channels;
    const int width = q_group_width(small, channels, c);
    const int at = c % most;
    const int streams = q_group_streams(width);
    const int block = o / channels * q_widened_group_words(s) + c / most * q_group_block_words(most, words);
    const std::uint32_t start = static_cast<std::uint32_t>(bias[o]);
    packed[block + at / 2 * 2] += c % 2 == 0 ? start : start << 8;
    if (c % 2 == 0 && width > 1) packed[block + at / 2 * 2 + 1] = start;
    std::uint32_t* weights = packed + block + q_group_starts(width);
    weights[streams * words + at] = static_cast<std::uint32_t>(multiplier[o]);
    for (int k = 0; k < taps; ++k) {
      const int lane = q_widened_lane(s, k);
      std::uint32_t& word = weights[lane / 2 * streams + at / 2];
      const int more = (c % 2 == 0 ? 1 : 256) * w[o * taps + k];
      word = lane % 2 == 0 ? q_lanes(q_low(word) + more, q_high(word))
                           : q_lanes(q_low(word), q_high(word) + more);
    }
  }
}

/// Scratch in words: the copy, whose last run's last two words may end behind it.
constexpr int q_widened_conv2d_scratch(const QConv2dShape& s) { return q_widened_elements(s) / 2 + 2; }

/// Smallest distance in elements, address of x minus address of y, at which y may run over x. The pixels that
/// are taken at once are read before they are written, group by group; with columns, all rows of a part are
/// held to be.
constexpr int q_widened_conv2d_lead_x(const QConv2dShape& s) {
  const int pixels = q_widened_pixels(s);
  const QWidenedKind kind = q_widened_kind(s);
  if (kind == QWidenedKind::patches) return q_conv2d_lead(s, pixels);
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  const int gap = s.out_c / s.groups - s.in_c / s.groups;
  const int most = max_of(gap, (s.groups - 1) * gap);
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int first = q_conv2d_first_read(s, pixel);
    if (first < 0) continue;
    const int column = pixel % s.out_w;
    const int row = pixel / s.out_w % s.out_h;
    if (kind == QWidenedKind::columns) {
      const int last = min_of(row / pixels * pixels + pixels, s.out_h);
      lead =
          max_of(lead, (pixel / (s.out_h * s.out_w) * s.out_h + last) * s.out_w * s.out_c - first * s.in_c);
      continue;
    }
    const int start = pixel - column % pixels;
    if (start > 0) lead = max_of(lead, start * s.out_c - first * s.in_c);
    const int last = pixel - column + min_of(column / pixels * pixels + pixels, s.out_w) - 1;
    if (s.groups > 1) lead = max_of(lead, last * s.out_c - first * s.in_c + most);
  }
  return lead;
}

/// One group's outputs of `pixels` pixels, `next` apart. arguments: from q_group_arguments; y: of the first.
TINYTC_INLINE void q_widened_results(const QConv2dShape& s, const QGroupSource& source,
                                     const std::uint32_t* w, const std::int8_t* shift, const QOutput& out,
                                     QGroupArguments& arguments, int g, int pixels, int next,
                                     std::int8_t* y) {
  const int channels = s.out_c / s.groups;
  w += g * q_widened_group_words(s);
  y += g * channels;
#if defined(TINYTC_DSP)
  if (shift == nullptr && out.lo == -128 && out.hi == 127) {
    q_group_assembly(arguments, q_widened_is_small(s), w, channels, pixels, y);
    return;
  }
#else
  static_cast<void>(arguments);
#endif
  for (int p = 0; p < pixels; ++p) {
    q_group_pixel(source, source.x + p / 2 * source.step + p % 2 * source.apart, w,
                  shift != nullptr ? shift + g * channels : nullptr, out, channels, y + p * next);
  }
}

/// Where patches stand in a copy of lines.
TINYTC_INLINE QGroupSource q_widened_source(const QConv2dShape& s, const std::int16_t* copy) {
  const QWidenedAxis along = q_widened_axis(s, q_widened_is_vertical(s));
  const int channels = s.in_c / s.groups;
  const int stride = q_widened_stride(along) * channels;
  const int half = q_widened_row(s) / 2;
  const bool halves = q_widened_dilation(along) == 2;
  const int odd = half + q_widened_stride(along) / 2 * channels;
  return QGroupSource{copy,
                      halves ? odd : stride,
                      halves ? stride : 2 * stride,
                      q_widened_runs(s),
                      q_widened_run_words(s),
                      q_widened_row(s)};
}

/// q_widened_conv2d with a copy of lines. x, y: one image.
TINYTC_INLINE void q_widened_lines(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                   const std::int8_t* shift, const QOutput& out, std::int8_t* y,
                                   std::int16_t* copy) {
  const bool vertical = q_widened_is_vertical(s);
  const QWidenedAxis along = q_widened_axis(s, vertical);
  const QWidenedAxis across = q_widened_axis(s, !vertical);
  const int channels = s.in_c / s.groups;
  const int taken = q_widened_pixels(s);
  const int parts = (along.out + taken - 1) / taken;
  const QGroupSource source = q_widened_source(s, copy);
  QGroupArguments arguments = q_group_arguments(source, out.zero_point, s.out_c / s.groups, along.y_step);
  for (int k = 0; k < parts * across.out; ++k) {
    const int part = vertical ? k / across.out : k % parts;
    const int line = vertical ? k % across.out : k / parts;
    const int pixels = min_of(taken, along.out - part * taken);
    const int places = q_widened_places(along, pixels);
    const int at = part * taken * along.stride - along.pad;
    const int first = line * across.stride - across.pad;
    const bool inside = at >= 0 && at + (places - 1) * q_widened_spacing(along) < along.in && first >= 0 &&
                        first + (across.kernel - 1) * across.dilation < across.in;
    for (int g = 0; g < s.groups; ++g) {
      for (int run = 0; run < across.kernel; ++run) {
        const int place = first + run * across.dilation;
        const bool exists = place >= 0 && place < across.in;
        q_widened_copy_line(s, along, x + place * across.x_step + g * channels, at, places,
                            q_widened_line(along, taken) / 2, exists, inside, copy + run * source.row);
      }
      q_widened_results(s, source, w, shift, out, arguments, g, pixels, along.y_step,
                        y + part * taken * along.y_step + line * across.y_step);
    }
  }
}

/// q_widened_conv2d with a copy of patches.
TINYTC_INLINE void q_widened_patches(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                     const std::int8_t* shift, const QOutput& out, std::int8_t* y,
                                     std::int16_t* copy) {
  const int taps = q_conv2d_taps(s);
  const int taken = q_widened_pixels(s);
  const int count = s.batch * s.out_h * s.out_w;
  const QGroupSource source{copy, taps, 2 * taps, 1, q_widened_run_words(s), 0};
  QGroupArguments arguments = q_group_arguments(source, out.zero_point, s.out_c / s.groups, s.out_c);
  for (int first = 0; first < count; first += taken) {
    const int pixels = min_of(taken, count - first);
    QPatchPlace at[16];
    for (int p = 0; p < pixels; ++p) at[p] = q_conv2d_place(s, first + p);
    for (int g = 0; g < s.groups; ++g) {
      for (int p = 0; p < pixels; ++p) {
        q_widened_patch(s, x + g * (s.in_c / s.groups), at[p], copy + p * taps);
      }
      q_widened_results(s, source, w, shift, out, arguments, g, pixels, s.out_c, y + first * s.out_c);
    }
  }
}

/// q_conv2d with groups. w: from q_widened_conv2d_pack; y may overlap x from q_widened_conv2d_lead_x on;
/// scratch: q_widened_conv2d_scratch words.
TINYTC_INLINE void q_widened_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                    const std::int8_t* shift, const QOutput& out, std::int8_t* y,
                                    std::uint32_t* scratch) {
  std::int16_t* copy = reinterpret_cast<std::int16_t*>(scratch);
  if (q_widened_kind(s) == QWidenedKind::patches) {
    q_widened_patches(s, x, w, shift, out, y, copy);
    return;
  }
  for (int image = 0; image < s.batch; ++image) {
    q_widened_lines(s, x + image * s.in_h * s.in_w * s.in_c, w, shift, out,
                    y + image * s.out_h * s.out_w * s.out_c, copy);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_WIDENED_CONV2D_H
