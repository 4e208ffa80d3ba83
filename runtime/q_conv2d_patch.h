// Gathering of the patches of int8 convolutions: what one or two output pixels read, widened (q_patch.h).
#ifndef TINYTC_RUNTIME_Q_CONV2D_PATCH_H
#define TINYTC_RUNTIME_Q_CONV2D_PATCH_H

#include "runtime/q_conv2d_shape.h"

namespace tinytc {

/// The element that run `run` leaves over, into a lane of the words behind the last run of the patch. Runs
/// are taken in order, so a word's high lane is written before its low one.
TINYTC_INLINE void q_conv2d_rest(const QConv2dShape& s, int value, int run, std::uint32_t* words) {
  const int runs = q_conv2d_runs(s).runs;
  const int lane = q_rest_lane(runs, run);
  std::uint32_t& word = words[2 * (runs * q_conv2d_run_words(s) + lane / 2)];
  word = lane % 2 == 0 ? q_low_halves(static_cast<std::uint32_t>(value), word >> 16)
                       : static_cast<std::uint32_t>(value) << 16;
}

/// A run that lies inside the image, into every second word. words: the patch.
TINYTC_INLINE void q_conv2d_run(const QConv2dShape& s, const std::int8_t* from, int run,
                                std::uint32_t* words) {
  const int elements = q_conv2d_runs(s).elements;
  const int rest = q_conv2d_joins_rests(s) ? 1 : 0;
  q_widen_run(from, elements - rest, 2, words + 2 * run * q_conv2d_run_words(s));
  if (rest > 0) q_conv2d_rest(s, from[elements - 1], run, words);
}

/// A run of which only the taps in `inside` lie in the image. from: tap 0; room: for a run.
TINYTC_INLINE void q_conv2d_edge(const QConv2dShape& s, const std::int8_t* from, Range inside, int run,
                                 std::int8_t* room, std::uint32_t* words) {
  const int channels = s.in_c / s.groups;
  const int elements = q_conv2d_runs(s).elements;
  const int first = inside.first * channels;
  const int last = inside.last * channels;
  if (channels % 4 == 0) {
    words += 2 * run * q_conv2d_run_words(s);
    q_fill_run(s.x_zero_point, first, 2, words);
    q_widen_run(from + first, last - first, 2, words + first);
    q_fill_run(s.x_zero_point, elements - last, 2, words + last);
    return;
  }
  if (last - first < elements) {
    const std::int8_t zero = static_cast<std::int8_t>(s.x_zero_point);
    for (int k = 0; k < elements; ++k) room[k] = zero;
    for (int k = first; k < last; ++k) room[k] = from[k];
    from = room;
  }
  q_conv2d_run(s, from, run, words);
}

/// A run of padding.
TINYTC_INLINE void q_conv2d_padding(const QConv2dShape& s, int run, std::uint32_t* words) {
  const int run_words = q_conv2d_run_words(s);
  q_fill_run(s.x_zero_point, 2 * run_words, 2, words + 2 * run * run_words);
  if (q_conv2d_joins_rests(s)) q_conv2d_rest(s, s.x_zero_point, run, words);
}

/// One patch of which parts may lie outside the image, into every second word. x: the image, at the group's
/// first channel; (iy, ix): input position of tap (0, 0); room: for a run's elements.
TINYTC_INLINE void q_conv2d_patch(const QConv2dShape& s, const std::int8_t* x, int iy, int ix,
                                  std::int8_t* room, std::uint32_t* words) {
  const int runs = q_conv2d_runs(s).runs;
  const int elements = q_conv2d_runs(s).elements;
  const int run_taps = elements / (s.in_c / s.groups);
  const int row_runs = runs / s.kernel_h;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int y = iy + ky * s.dilation_h;
    for (int kx = 0; kx < row_runs; ++kx) {
      const int run = ky * row_runs + kx;
      const int column = ix + kx * s.dilation_w;
      const Range inside = y >= 0 && y < s.in_h ? tap_range(column, 1, run_taps, s.in_w) : Range{0, 0};
      if (inside.first == inside.last) {
        q_conv2d_padding(s, run, words);
      } else {
        q_conv2d_edge(s, x + (y * s.in_w + column) * s.in_c, inside, run, room, words);
      }
    }
  }
}

/// Both patches where all of them lies inside the image.
TINYTC_INLINE void q_conv2d_patches(const QConv2dShape& s, const std::int8_t* x0, const std::int8_t* x1,
                                    std::uint32_t* words) {
  const int runs = q_conv2d_runs(s).runs;
  const int elements = q_conv2d_runs(s).elements;
  const int row_runs = runs / s.kernel_h;
  for (int run = 0; run < runs; ++run) {
    const int offset = (run / row_runs * s.dilation_h * s.in_w + run % row_runs * s.dilation_w) * s.in_c;
    if (q_conv2d_joins_rests(s)) {
      q_conv2d_run(s, x0 + offset, run, words);
      q_conv2d_run(s, x1 + offset, run, words + 1);
    } else {
      q_widen_runs(x0 + offset, x1 + offset, elements, words + 2 * run * q_conv2d_run_words(s));
    }
  }
}

/// One patch that lies inside the image, into every second word.
TINYTC_INLINE void q_conv2d_inner_patch(const QConv2dShape& s, const std::int8_t* x, std::uint32_t* words) {
  const int runs = q_conv2d_runs(s).runs;
  const int row_runs = runs / s.kernel_h;
  for (int run = 0; run < runs; ++run) {
    const int offset = (run / row_runs * s.dilation_h * s.in_w + run % row_runs * s.dilation_w) * s.in_c;
    q_conv2d_run(s, x + offset, run, words);
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
                                       std::int8_t* room, std::uint32_t* words) {
  if (at.inside) {
    q_conv2d_inner_patch(s, x + at.image + (at.y * s.in_w + at.x) * s.in_c, words);
  } else {
    q_conv2d_patch(s, x + at.image, at.y, at.x, room, words);
  }
}

/// The patches of two output pixels for one group. x: at the group's first channel; rare: few pairs come here,
/// so that shorter code is worth more than faster.
TINYTC_INLINE void q_conv2d_gather(const QConv2dShape& s, const std::int8_t* x, const QPatchPlace& a,
                                   const QPatchPlace& b, bool rare, std::uint32_t* words) {
  if (a.inside && b.inside) {
    q_conv2d_patches(s, x + a.image + (a.y * s.in_w + a.x) * s.in_c,
                     x + b.image + (b.y * s.in_w + b.x) * s.in_c, words);
    return;
  }
  std::int8_t* room = reinterpret_cast<std::int8_t*>(words + 2 * q_conv2d_words(s));
  if (!rare) {
    q_conv2d_gather_one(s, x, a, room, words);
    q_conv2d_gather_one(s, x, b, room, words + 1);
    return;
  }
  for (int k = 0; k < 2; ++k) {
    const QPatchPlace& at = k == 0 ? a : b;
#if defined(TINYTC_SMALL)
    q_conv2d_patch(s, x + at.image, at.y, at.x, room, words + k);
#else
    q_conv2d_gather_one(s, x, at, room, words + k);
#endif
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_CONV2D_PATCH_H
