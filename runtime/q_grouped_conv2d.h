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
#include "runtime/q_grouped_shape.h"
#include "runtime/q_listed_patches.h"
#include "runtime/q_narrow_conv2d.h"

namespace tinytc {

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
  if (s.groups == 1 && step == 1 && apart == channels) {
    q_narrow_fill(zero, inside.first * channels, to);
    q_narrow_copy(from + inside.first * channels, (inside.last - inside.first) * channels,
                  to + inside.first * channels);
    q_narrow_fill(zero, (count - inside.last) * channels, to + inside.last * channels);
    return;
  }
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
/// position of tap (0, 0) of the first; inside: all of them lie in the image; list: of a patch's
/// elements, if there is one.
TINYTC_INLINE void q_grouped_copy(const QConv2dShape& s, const std::uint32_t* list, const std::int8_t* x,
                                  int iy, int ix, int pixels, bool inside, std::int8_t* bytes) {
  if (q_grouped_has_list(s)) {
    q_listed_copy(s, reinterpret_cast<const std::int32_t*>(list), x, iy, ix, pixels, bytes);
    return;
  }
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
  const int width = 4 * q_grouped_blocks(s);
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
  const int channels = q_grouped_channels(s);
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

/// One group's single channel of `pixels` pixels. bytes: the copy; w: its bias, multiplier and weights;
/// shift: the channel's; y: of the first pixel.
TINYTC_INLINE void q_grouped_single(const QConv2dShape& s, const std::int8_t* bytes, int pixels,
                                    const std::uint32_t* w, const std::int8_t* shift, const QOutput& out,
                                    std::int8_t* y) {
  const std::int32_t bias = static_cast<std::int32_t>(w[0]);
  const std::int32_t multiplier = static_cast<std::int32_t>(w[1]);
  const QScale scale{&multiplier, shift};
  const int apart = q_grouped_apart(s);
  for (int p = 0; p < pixels; p += 4) {
    std::int32_t sum[4] = {bias, bias, bias, bias};
    for (int k = 0; k < q_grouped_runs(s); ++k) {
      q_narrow_run(q_grouped_run(s), bytes + p * apart + k * q_grouped_row(s), apart,
                   w + 2 + k * (q_grouped_run(s) / 4), sum);
    }
    y[0] = q_requantized(sum[0], scale, 0, out);
    if (p + 4 <= pixels) {
      y[s.out_c] = q_requantized(sum[1], scale, 0, out);
      y[2 * s.out_c] = q_requantized(sum[2], scale, 0, out);
      y[3 * s.out_c] = q_requantized(sum[3], scale, 0, out);
    } else {
      if (p + 1 < pixels) y[s.out_c] = q_requantized(sum[1], scale, 0, out);
      if (p + 2 < pixels) y[2 * s.out_c] = q_requantized(sum[2], scale, 0, out);
    }
    y += 4 * s.out_c;
  }
}

/// Copies a pixel's results.
TINYTC_INLINE void q_grouped_result(const std::int8_t* from, int channels, std::int8_t* to) {
  if (channels < 4 || channels > 16) return q_narrow_copy(from, channels, to);
  const std::uint32_t words[4] = {q_load(from), channels > 8 ? q_load(from + 4) : 0,
                                  channels > 12 ? q_load(from + 8) : 0, q_load(from + channels - 4)};
  __builtin_memcpy(to, words, 4);
  if (channels > 8) __builtin_memcpy(to + 4, words + 1, 4);
  if (channels > 12) __builtin_memcpy(to + 8, words + 2, 4);
  if (channels > 4) __builtin_memcpy(to + channels - 4, words + 3, 4);
}

/// q_conv2d with groups. w: from q_grouped_conv2d_pack; y may overlap x from q_grouped_conv2d_lead_x on;
/// scratch: q_grouped_conv2d_scratch words.
TINYTC_INLINE void q_grouped_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                    const std::int8_t* shift, const QOutput& out, std::int8_t* y,
                                    std::uint32_t* scratch) {
  const int channels = s.out_c / s.groups;
  const int taken = q_grouped_pixels(s);
  const int group_words = q_grouped_group_words(s);
  const int block_words = q_grouped_blocks(s) * q_pair_block_words(q_grouped_words(s) / 2);
  std::uint32_t* words = scratch + q_grouped_list_words(s);
  std::int8_t* bytes = reinterpret_cast<std::int8_t*>(words + q_grouped_words(s));
  std::int8_t* results = bytes + 4 * q_grouped_copy_words(s);
  if (q_grouped_has_list(s)) q_listed_taps(s, reinterpret_cast<std::int32_t*>(scratch));
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const std::int8_t* image = x + row / s.out_h * s.in_h * s.in_w * s.in_c;
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    for (int ox = 0; ox < s.out_w; ox += taken) {
      const int pixels = min_of(taken, s.out_w - ox);
      const int ix = ox * s.stride_w - s.pad_left;
      const bool inside = q_grouped_inside(s, iy, ix, pixels);
      std::int8_t* to = y + (row * s.out_w + ox) * s.out_c;
      for (int g = 0; g < s.groups; ++g) {
        q_grouped_copy(s, scratch, image + g * (s.in_c / s.groups), iy, ix, pixels, inside, bytes);
        q_grouped_pairs(s, bytes, w + g * group_words, shift, out, g * channels, (pixels + 1) / 2, words,
                        results);
        for (int p = 0; p < pixels; ++p) {
          q_grouped_result(results + p * 4 * q_grouped_blocks(s), q_grouped_channels(s),
                           to + p * s.out_c + g * channels);
        }
        if (!q_grouped_has_single(s)) continue;
        const int o = g * channels + channels - 1;
        q_grouped_single(s, bytes, pixels, w + g * group_words + block_words,
                         shift != nullptr ? shift + o : nullptr, out, to + o);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_GROUPED_CONV2D_H
