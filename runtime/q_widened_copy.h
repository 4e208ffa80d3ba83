// What int8 convolutions with groups read, copied and widened: where a group's patches stand in the copy, and
// the copying (q_widened_conv2d.h).
//
// The copy holds lines: what the pixels that are taken at once read of a row of the image (or of a column:
// along the axis on which windows overlap more), a run of a patch beside the next pixel's. Where taps are two
// apart and pixels are not, even and odd places stand apart. Or it holds one patch after the other.
#ifndef TINYTC_RUNTIME_Q_WIDENED_COPY_H
#define TINYTC_RUNTIME_Q_WIDENED_COPY_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_conv2d_patch.h"
#include "runtime/q_conv2d_shape.h"
#include "runtime/q_group_dot.h"

namespace tinytc {

/// A convolution on one axis. x_step, y_step: elements of the input and output from a place to the next.
struct QWidenedAxis {
  int in;
  int out;
  int kernel;
  int stride;
  int dilation;
  int pad;
  int x_step;
  int y_step;
};

TINYTC_INLINE constexpr QWidenedAxis q_widened_axis(const QConv2dShape& s, bool vertical) {
  return vertical ? QWidenedAxis{s.in_h,       s.out_h,   s.kernel_h,      s.stride_h,
                                 s.dilation_h, s.pad_top, s.in_w * s.in_c, s.out_w * s.out_c}
                  : QWidenedAxis{s.in_w,       s.out_w,    s.kernel_w, s.stride_w,
                                 s.dilation_w, s.pad_left, s.in_c,     s.out_c};
}

/// Places of the image from one that a line holds to the next.
TINYTC_INLINE constexpr int q_widened_spacing(const QWidenedAxis& a) {
  if (a.kernel == 1) return a.stride;
  if (a.stride % a.dilation == 0) return a.dilation;
  return a.stride % 2 == 0 && a.dilation % 2 == 0 ? 2 : 1;
}

/// Stride and dilation in a line's places. Lines serve dilations of 1 and, with an odd stride, 2.
TINYTC_INLINE constexpr int q_widened_stride(const QWidenedAxis& a) {
  return a.stride / q_widened_spacing(a);
}
TINYTC_INLINE constexpr int q_widened_dilation(const QWidenedAxis& a) {
  return a.kernel == 1 ? 1 : a.dilation / q_widened_spacing(a);
}
TINYTC_INLINE constexpr bool q_widened_has_lines(const QWidenedAxis& a) {
  return q_widened_dilation(a) == 1 || (q_widened_dilation(a) == 2 && q_widened_stride(a) % 2 == 1);
}

/// Places that `pixels` pixels read, and places of a line: two equal halves where even and odd ones stand
/// apart.
TINYTC_INLINE constexpr int q_widened_places(const QWidenedAxis& a, int pixels) {
  return (pixels - 1) * q_widened_stride(a) + (a.kernel - 1) * q_widened_dilation(a) + 1;
}
TINYTC_INLINE constexpr int q_widened_line(const QWidenedAxis& a, int pixels) {
  const int halves = q_widened_dilation(a);
  return (q_widened_places(a, pixels) + halves - 1) / halves * halves;
}

/// Widens four elements in the order of q_run_lane.
TINYTC_INLINE void q_widened_four(std::uint32_t word, std::int16_t* to) {
  const std::uint32_t even = q_even_bytes(word);
  const std::uint32_t odd = q_odd_bytes(word);
#if defined(TINYTC_DSP)
  __builtin_memcpy(to, &even, 4);
  __builtin_memcpy(to + 2, &odd, 4);
#else
  to[0] = static_cast<std::int16_t>(q_low(even));
  to[1] = static_cast<std::int16_t>(q_high(even));
  to[2] = static_cast<std::int16_t>(q_low(odd));
  to[3] = static_cast<std::int16_t>(q_high(odd));
#endif
}

/// Widens the one to three elements behind the last four of two taps, all loaded before any is stored.
TINYTC_INLINE void q_widened_rests(const std::int8_t* from, int step, int rest, int apart, std::int16_t* to) {
  const std::int16_t a = from[0];
  const std::int16_t b = rest > 1 ? from[1] : std::int16_t{0};
  const std::int16_t c = rest > 2 ? from[2] : std::int16_t{0};
  const std::int16_t d = from[step];
  const std::int16_t e = rest > 1 ? from[step + 1] : std::int16_t{0};
  const std::int16_t f = rest > 2 ? from[step + 2] : std::int16_t{0};
  to[0] = a;
  if (rest > 1) to[1] = b;
  if (rest > 2) to[2] = c;
  to[apart] = d;
  if (rest > 1) to[apart + 1] = e;
  if (rest > 2) to[apart + 2] = f;
}

/// Widens the channels of two taps, `step` elements apart, one behind the other; `step` 0: one tap. Words are
/// loaded before any is stored: a compiler may not change that order.
TINYTC_INLINE void q_widened_two(const std::int8_t* from, int step, int channels, std::int16_t* to) {
  const int apart = step != 0 ? channels : 0;
  for (int k = 0; k < channels / 4; ++k) {
    const std::uint32_t first = q_load(from + 4 * k);
    const std::uint32_t second = step != 0 ? q_load(from + step + 4 * k) : 0;
    q_widened_four(first, to + 4 * k);
    if (step != 0) q_widened_four(second, to + apart + 4 * k);
  }
  const int whole = channels / 4 * 4;
  if (whole < channels) q_widened_rests(from + whole, step, channels - whole, apart, to + whole);
}

/// Widens the channels of `count` taps, `step` elements apart, one behind the other.
TINYTC_INLINE void q_widened_taps(const std::int8_t* from, int step, int count, int channels,
                                  std::int16_t* to) {
  for (int k = 0; k < count / 2; ++k) {
    q_widened_two(from, step, channels, to);
    from += 2 * step;
    to += 2 * channels;
  }
  if (count % 2 != 0) q_widened_two(from, 0, channels, to);
}

/// Fills elements with the zero point.
TINYTC_INLINE void q_widened_fill(int zero, int count, std::int16_t* to) {
  const std::uint32_t word = q_lanes(zero, zero);
  for (int k = 0; k < count / 8; ++k) {
    __builtin_memcpy(to, &word, 4);
    __builtin_memcpy(to + 2, &word, 4);
    __builtin_memcpy(to + 4, &word, 4);
    __builtin_memcpy(to + 6, &word, 4);
    to += 8;
  }
  for (int k = 0; k < count % 8; ++k) to[k] = static_cast<std::int16_t>(zero);
}

/// Copies `count` taps, `step` places of the axis apart from place `at` on. x: of place 0; exists: whether
/// its row or column is in the image; inside: all taps are, too.
TINYTC_INLINE void q_widened_run(const QConv2dShape& s, const QWidenedAxis& a, const std::int8_t* x, int at,
                                 int step, int count, bool exists, bool inside, std::int16_t* to) {
  const int channels = s.in_c / s.groups;
  if (!exists) {
    q_widened_fill(s.x_zero_point, count * channels, to);
  } else if (inside || (at >= 0 && at + (count - 1) * step < a.in)) {
    q_widened_taps(x + at * a.x_step, step * a.x_step, count, channels, to);
  } else {
    const Range range = tap_range(at, step, count, a.in);
    q_widened_fill(s.x_zero_point, range.first * channels, to);
    q_widened_taps(x + (at + range.first * step) * a.x_step, step * a.x_step, range.last - range.first,
                   channels, to + range.first * channels);
    q_widened_fill(s.x_zero_point, (count - range.last) * channels, to + range.last * channels);
  }
}

/// Copies a line that the axis' places from `at` on fill, `half` places from even to odd ones. x: of place 0
/// of the image; exists, inside: as above.
TINYTC_INLINE void q_widened_copy_line(const QConv2dShape& s, const QWidenedAxis& a, const std::int8_t* x,
                                       int at, int places, int half, bool exists, bool inside,
                                       std::int16_t* to) {
  const int halves = q_widened_dilation(a);
  const int spacing = q_widened_spacing(a);
  for (int k = 0; k < halves; ++k) {
    q_widened_run(s, a, x, at + k * spacing, halves * spacing, (places + halves - 1 - k) / halves, exists,
                  inside, to + k * half * (s.in_c / s.groups));
  }
}

/// Copies one pixel's patch. x: at the group's first channel.
TINYTC_INLINE void q_widened_patch(const QConv2dShape& s, const std::int8_t* x, const QPatchPlace& at,
                                   std::int16_t* to) {
  const QWidenedAxis a = q_widened_axis(s, false);
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int y = at.y + ky * s.dilation_h;
    q_widened_run(s, a, x + at.image + y * s.in_w * s.in_c, at.x, s.dilation_w, s.kernel_w,
                  at.inside || (y >= 0 && y < s.in_h), at.inside, to);
    to += s.kernel_w * (s.in_c / s.groups);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_WIDENED_COPY_H
