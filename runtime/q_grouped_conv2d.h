// 2-D int8 convolution with groups: the shapes, results and sums of q_conv2d.
//
// A group has few channels, so what q_conv2d does for each pair of pixels and group (find the patches, set up
// arguments) costs more than the products. Here a group of up to sixteen neighbouring pixels of a row is
// taken at once. Its inputs are copied, with the padding, to where they stand as those of a convolution
// without groups whose patches all lie inside: rows of pixels, or one patch after the other where patches
// share little. One call of the assembly takes all pairs. Its results, whole blocks of four channels, stand
// beside the inputs before the wanted ones are copied into place.
#ifndef TINYTC_RUNTIME_Q_GROUPED_CONV2D_H
#define TINYTC_RUNTIME_Q_GROUPED_CONV2D_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_conv2d.h"
#include "runtime/q_narrow_conv2d.h"

namespace tinytc {

constexpr long long q_grouped_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Whether the channels of a group are so few that they are taken one by one (q_grouped_narrow.h).
TINYTC_INLINE constexpr bool q_grouped_is_narrow(const QConv2dShape& s) { return s.out_c / s.groups <= 3; }

/// Pixels that are taken at once: a row in equal parts, whole pairs or fours. The last part may have fewer.
TINYTC_INLINE constexpr int q_grouped_pixels(const QConv2dShape& s) {
  const int parts = (s.out_w + 15) / 16;
  const int unit = q_grouped_is_narrow(s) ? 4 : 2;
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
constexpr int q_grouped_conv2d_packed_words(const QConv2dShape& s) {
  return q_conv2d_packed_words(q_grouped_packing(s));
}

/// Puts ONNX weights into the order of a copy's runs, with zeros for what runs are filled up with. What comes
/// out goes into q_conv2d_pack with q_grouped_packing.
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
  if (q_grouped_is_narrow(s)) return q_grouped_copy_words(s);
  return q_grouped_words(s) + q_grouped_copy_words(s) + q_grouped_pixels(s) * q_conv2d_blocks(s);
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

/// Copies the channels of two pixels, `step` apart, to places `apart` apart. Up to eight channels are loaded
/// before any is stored: a compiler may not change that order.
TINYTC_INLINE void q_grouped_two(const std::int8_t* from, int step, int channels, int apart,
                                 std::int8_t* to) {
  if (channels == 2 || channels == 3) {
    std::int16_t first, second;
    __builtin_memcpy(&first, from, 2);
    const std::int8_t third = from[channels - 1];
    __builtin_memcpy(&second, from + step, 2);
    const std::int8_t last = from[step + channels - 1];
    __builtin_memcpy(to, &first, 2);
    if (channels == 3) to[2] = third;
    __builtin_memcpy(to + apart, &second, 2);
    if (channels == 3) to[apart + 2] = last;
  } else if (channels >= 4 && channels <= 8) {
    const std::uint32_t words[4] = {q_load(from), q_load(from + channels - 4), q_load(from + step),
                                    q_load(from + step + channels - 4)};
    __builtin_memcpy(to, words, 4);
    if (channels > 4) __builtin_memcpy(to + channels - 4, words + 1, 4);
    __builtin_memcpy(to + apart, words + 2, 4);
    if (channels > 4) __builtin_memcpy(to + apart + channels - 4, words + 3, 4);
  } else {
    q_narrow_copy(from, channels, to);
    q_narrow_copy(from + step, channels, to + apart);
  }
}

/// Copies the channels of `count` pixels, `step` elements apart, to places `apart` apart.
TINYTC_INLINE void q_grouped_strip(const std::int8_t* from, int step, int count, int channels, int apart,
                                   std::int8_t* to) {
  int left = count;
  for (; left >= 4; left -= 4) {
    q_grouped_two(from, step, channels, apart, to);
    q_grouped_two(from + 2 * step, step, channels, apart, to + 2 * apart);
    from += 4 * step;
    to += 4 * apart;
  }
  if (left >= 2) {
    q_grouped_two(from, step, channels, apart, to);
    from += 2 * step;
    to += 2 * apart;
  }
  if (left % 2 != 0) q_narrow_copy(from, channels, to);
}

/// The same of `count` pixels of a row of the image of which those in `inside` exist; step in columns.
TINYTC_INLINE void q_grouped_line(const QConv2dShape& s, const std::int8_t* from, Range inside, int step,
                                  int count, int apart, std::int8_t* to) {
  const int channels = s.in_c / s.groups;
  const std::int8_t zero = static_cast<std::int8_t>(s.x_zero_point);
  for (int k = 0; k < inside.first; ++k) q_narrow_fill(zero, channels, to + k * apart);
  for (int k = inside.last; k < count; ++k) q_narrow_fill(zero, channels, to + k * apart);
  q_grouped_strip(from + inside.first * step * s.in_c, step * s.in_c, inside.last - inside.first, channels,
                  apart, to + inside.first * apart);
}

/// Copies a kernel row of `pixels` pixels, one patch after the other. from: the row's first tap of the first
/// pixel, in column ix; inside: all of them lie in the image.
TINYTC_INLINE void q_grouped_patches(const QConv2dShape& s, const std::int8_t* from, int ix, int pixels,
                                     bool inside, std::int8_t* to) {
  const int channels = s.in_c / s.groups;
  const int last = (s.kernel_w - 1) * s.dilation_w;
  for (int p = 0; p < pixels; ++p) {
    if (inside || (ix >= 0 && ix + last < s.in_w)) {
      q_grouped_strip(from, s.dilation_w * s.in_c, s.kernel_w, channels, channels, to);
    } else {
      q_grouped_line(s, from, tap_range(ix, s.dilation_w, s.kernel_w, s.in_w), s.dilation_w, s.kernel_w,
                     channels, to);
    }
    from += s.stride_w * s.in_c;
    ix += s.stride_w;
    to += q_conv2d_taps(s);
  }
}

/// Copies one group's inputs of `pixels` pixels. x: the image at the group's first channel; (iy, ix): input
/// position of tap (0, 0) of the first; inside: all of them lie in the image.
TINYTC_INLINE void q_grouped_copy(const QConv2dShape& s, const std::int8_t* x, int iy, int ix, int pixels,
                                  bool inside, std::int8_t* bytes) {
  const int channels = s.in_c / s.groups;
  const bool rows = q_grouped_has_rows(s);
  const int lines = rows ? 1 : s.kernel_w;
  const int step = rows ? 1 : s.stride_w;
  const int count = rows ? (pixels - 1) * s.stride_w + s.kernel_w : pixels;
  const int apart = rows ? channels : q_conv2d_taps(s);
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int y = iy + ky * s.dilation_h;
    const bool exists = inside || (y >= 0 && y < s.in_h);
    const std::int8_t* from = x + (y * s.in_w + ix) * s.in_c;
    std::int8_t* to = bytes + (rows ? ky * q_grouped_row(s) : ky * s.kernel_w * channels);
    if (!rows && s.kernel_w > 2 && exists) {
      q_grouped_patches(s, from, ix, pixels, inside, to);
      continue;
    }
    for (int kx = 0; kx < lines; ++kx) {
      const int offset = kx * s.dilation_w;
      Range range{0, count};
      if (!inside) range = exists ? tap_range(ix + offset, step, count, s.in_w) : Range{0, 0};
      q_grouped_line(s, from + offset * s.in_c, range, step, count, apart, to + kx * channels);
    }
  }
}

/// Whether all that `pixels` pixels read lies in the image.
TINYTC_INLINE bool q_grouped_inside(const QConv2dShape& s, int iy, int ix, int pixels) {
  return iy >= 0 && ix >= 0 && iy + (s.kernel_h - 1) * s.dilation_h < s.in_h &&
         ix + q_narrow_columns(s, pixels) <= s.in_w;
}

/// One group's results of `pairs` pairs of pixels, whole blocks of four channels. bytes: the copy.
TINYTC_INLINE void q_grouped_pairs(const QConv2dShape& s, const std::int8_t* bytes, const std::uint32_t* w,
                                   const std::int8_t* shift, const QOutput& out, int o, int pairs,
                                   std::uint32_t* words, std::int8_t* results) {
  const int runs = q_grouped_runs(s);
  const int run = q_grouped_run(s);
  const int count = runs * run / 2;
  const int row = q_grouped_row(s);
  const int apart = q_grouped_apart(s);
  const int width = 4 * q_conv2d_blocks(s);
#if defined(TINYTC_DSP)
#if defined(TINYTC_SMALL)
  const bool has_runs = false;
#else
  const bool has_runs = true;
#endif
  if (shift == nullptr && out.lo == -128 && out.hi == 127 && (has_runs || runs == 1)) {
    q_bytes_2x4(QPairArguments{words, words + 2 * count, q_skip_2x4(count), w, 256 * out.zero_point + 128,
                               out.zero_point, results, width, results + width, bytes, pairs, apart, run / 4,
                               row - run, q_pair_runs(runs > 1 ? runs : 0, count), 0, 0});
    return;
  }
#endif
  const int channels = s.out_c / s.groups;
  for (int pair = 0; pair < pairs; ++pair) {
    for (int k = 0; k < runs; ++k) {
      const std::int8_t* from = bytes + 2 * pair * apart + k * row;
      q_widen_runs(from, from + apart, run, words + k * run);
    }
    std::int8_t* y = results + 2 * pair * width;
    for (int c = 0; c < channels; c += 4) {
      q_conv2d_block(count, words, w + c / 4 * q_pair_block_words(count),
                     shift != nullptr ? shift + o : nullptr, out, c, min_of(4, channels - c), y, y + width);
    }
  }
}

/// q_conv2d with groups. w: what q_conv2d_pack makes of q_grouped_conv2d_spread's weights for
/// q_grouped_packing; y may overlap x from q_grouped_conv2d_lead_x on; scratch: q_grouped_conv2d_scratch
/// words.
TINYTC_INLINE void q_grouped_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                    const std::int8_t* shift, const QOutput& out, std::int8_t* y,
                                    std::uint32_t* scratch) {
  const int channels = s.out_c / s.groups;
  const int taken = q_grouped_pixels(s);
  const int group_words = q_conv2d_blocks(s) * q_pair_block_words(q_grouped_words(s) / 2);
  std::int8_t* bytes = reinterpret_cast<std::int8_t*>(scratch + q_grouped_words(s));
  std::int8_t* results = bytes + 4 * q_grouped_copy_words(s);
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const std::int8_t* image = x + row / s.out_h * s.in_h * s.in_w * s.in_c;
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    for (int ox = 0; ox < s.out_w; ox += taken) {
      const int pixels = min_of(taken, s.out_w - ox);
      const int ix = ox * s.stride_w - s.pad_left;
      const bool inside = q_grouped_inside(s, iy, ix, pixels);
      std::int8_t* to = y + (row * s.out_w + ox) * s.out_c;
      for (int g = 0; g < s.groups; ++g) {
        q_grouped_copy(s, image + g * (s.in_c / s.groups), iy, ix, pixels, inside, bytes);
        q_grouped_pairs(s, bytes, w + g * group_words, shift, out, g * channels, (pixels + 1) / 2, scratch,
                        results);
        for (int p = 0; p < pixels; ++p) {
          q_narrow_copy(results + p * 4 * q_conv2d_blocks(s), channels, to + p * s.out_c + g * channels);
        }
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_GROUPED_CONV2D_H
