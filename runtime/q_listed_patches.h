// Patches of int8 convolutions with one input channel in a group, gathered from a list: the place of each
// tap, counted from the pixel's first one. The list takes the place of loops over rows and columns, which
// cost more than the single elements they copy.
#ifndef TINYTC_RUNTIME_Q_LISTED_PATCHES_H
#define TINYTC_RUNTIME_Q_LISTED_PATCHES_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_conv2d_shape.h"

namespace tinytc {

/// Lists the taps, row by row.
TINYTC_INLINE void q_listed_taps(const QConv2dShape& s, std::int32_t* list) {
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      list[ky * s.kernel_w + kx] = (ky * s.dilation_h * s.in_w + kx * s.dilation_w) * s.in_c;
    }
  }
}

/// Copies two taps of two pixels; list and targets advance.
TINYTC_INLINE void q_listed_step(const std::int32_t*& list, const std::int8_t* x0, const std::int8_t* x1,
                                 std::int8_t*& to0, std::int8_t*& to1) {
#if defined(TINYTC_DSP)
  // GCC loads the two places with one instruction, which takes longer.
  std::uint32_t a, b, c, d;
  asm volatile(
      "ldr %[a], [%[list]], #4\n"
      "ldr %[b], [%[list]], #4\n"
      "ldrb %[c], [%[x0], %[a]]\n"
      "ldrb %[d], [%[x0], %[b]]\n"
      "ldrb %[a], [%[x1], %[a]]\n"
      "ldrb %[b], [%[x1], %[b]]\n"
      "strb %[c], [%[to0]], #1\n"
      "strb %[d], [%[to0]], #1\n"
      "strb %[a], [%[to1]], #1\n"
      "strb %[b], [%[to1]], #1\n"
      : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [list] "+&r"(list), [to0] "+&r"(to0),
        [to1] "+&r"(to1)
      : [x0] "r"(x0), [x1] "r"(x1)
      : "memory");
#else
  for (int k = 0; k < 2; ++k) {
    to0[k] = x0[list[k]];
    to1[k] = x1[list[k]];
  }
  list += 2;
  to0 += 2;
  to1 += 2;
#endif
}

/// Copies the taps of two pixels. x0, x1: their first taps.
TINYTC_INLINE void q_listed_two(const std::int32_t* list, int taps, const std::int8_t* x0,
                                const std::int8_t* x1, std::int8_t* to0, std::int8_t* to1) {
  for (int k = 0; k < taps / 4; ++k) {
    q_listed_step(list, x0, x1, to0, to1);
    q_listed_step(list, x0, x1, to0, to1);
  }
  if (taps / 2 % 2 != 0) q_listed_step(list, x0, x1, to0, to1);
  if (taps % 2 == 0) return;
  const std::int8_t a = x0[*list];
  const std::int8_t b = x1[*list];
  *to0 = a;
  *to1 = b;
}

/// Copies the patch of a pixel near the border. x: the image at the group's channel; (iy, ix): input position
/// of tap (0, 0).
TINYTC_INLINE void q_listed_border(const QConv2dShape& s, const std::int8_t* x, int iy, int ix,
                                   std::int8_t* to) {
  const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
  const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
  const int step = s.dilation_w * s.in_c;
  for (int k = 0; k < q_conv2d_taps(s); ++k) to[k] = static_cast<std::int8_t>(s.x_zero_point);
  const std::int8_t* row =
      x + ((iy + rows.first * s.dilation_h) * s.in_w + ix) * s.in_c + columns.first * step;
  to += rows.first * s.kernel_w + columns.first;
  for (int ky = rows.first; ky < rows.last; ++ky) {
    const std::int8_t* from = row;
    for (int k = 0; k < columns.last - columns.first; ++k) {
      to[k] = *from;
      from += step;
    }
    row += s.dilation_h * s.in_w * s.in_c;
    to += s.kernel_w;
  }
}

/// Copies the patches of `pixels` neighbouring pixels of a row, one after the other. x, iy, ix: as above, of
/// the first.
TINYTC_INLINE void q_listed_copy(const QConv2dShape& s, const std::int32_t* list, const std::int8_t* x,
                                 int iy, int ix, int pixels, std::int8_t* to) {
  const int taps = q_conv2d_taps(s);
  const bool inside = iy >= 0 && iy + (s.kernel_h - 1) * s.dilation_h < s.in_h;
  const int starts = s.in_w - (s.kernel_w - 1) * s.dilation_w;
  const Range found = inside ? tap_range(ix, s.stride_w, pixels, starts) : Range{pixels, pixels};
  const Range inner = found.first < found.last ? found : Range{pixels, pixels};
  for (int p = 0; p < inner.first; ++p) q_listed_border(s, x, iy, ix + p * s.stride_w, to + p * taps);
  const int step = s.stride_w * s.in_c;
  const std::int8_t* from = x + (iy * s.in_w + ix + inner.first * s.stride_w) * s.in_c;
  std::int8_t* patch = to + inner.first * taps;
  for (int pair = 0; pair < (inner.last - inner.first) / 2; ++pair) {
    q_listed_two(list, taps, from, from + step, patch, patch + taps);
    from += 2 * step;
    patch += 2 * taps;
  }
  if ((inner.last - inner.first) % 2 != 0) q_listed_two(list, taps, from, from, patch, patch);
  for (int p = inner.last; p < pixels; ++p) q_listed_border(s, x, iy, ix + p * s.stride_w, to + p * taps);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_LISTED_PATCHES_H
