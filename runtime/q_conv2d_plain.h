// q_conv2d with weights in ONNX's order and of any value: tensors that are trained, weights of -128, sums too
// large for pairs.
//
// As q_conv2d, two output pixels are taken at a time. Their patches are put into the order of the weights'
// rows, [in_c / groups][kernel_h][kernel_w], and widened into scratch, where they meet all output channels,
// two at a time (q_plain_dot.h). So nothing needs to know when weights change.
#ifndef TINYTC_RUNTIME_Q_CONV2D_PLAIN_H
#define TINYTC_RUNTIME_Q_CONV2D_PLAIN_H

#include "runtime/q_base.h"
#include "runtime/q_conv2d.h"
#include "runtime/q_plain_dot.h"

namespace tinytc {

constexpr long long q_conv2d_plain_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Scratch in words: the patches of two pixels, and the bytes of one.
constexpr int q_conv2d_plain_scratch(const QConv2dShape& s) {
  return 2 * q_plain_words(q_conv2d_taps(s)) + (q_conv2d_taps(s) + 3) / 4;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x.
constexpr int q_conv2d_plain_lead_x(const QConv2dShape& s) { return q_conv2d_lead(s, 2); }

/// Copies a tap's channels, `plane` bytes apart.
TINYTC_INLINE void q_conv2d_spread(const std::int8_t* x, int channels, int plane, std::int8_t* to) {
  for (int i = 0; i < channels / 4; ++i) {
    const std::uint32_t four = q_load(x);
    to[0] = static_cast<std::int8_t>(four & 0xFFU);
    to[plane] = static_cast<std::int8_t>((four >> 8) & 0xFFU);
    to[2 * plane] = static_cast<std::int8_t>((four >> 16) & 0xFFU);
    to[3 * plane] = static_cast<std::int8_t>(four >> 24);
    x += 4;
    to += 4 * plane;
  }
  // All loads before the stores, which might write what is loaded as far as a compiler knows.
  const int rest = channels % 4;
  const std::int8_t first = rest > 0 ? x[0] : std::int8_t{0};
  const std::int8_t second = rest > 1 ? x[1] : std::int8_t{0};
  const std::int8_t third = rest > 2 ? x[2] : std::int8_t{0};
  if (rest > 0) to[0] = first;
  if (rest > 1) to[plane] = second;
  if (rest > 2) to[2 * plane] = third;
}

/// One patch that lies inside the image, in the order of the weights. x: tap (0, 0) at the group's first
/// channel; bytes: q_conv2d_taps.
TINYTC_INLINE void q_conv2d_plain_inner(const QConv2dShape& s, const std::int8_t* x, std::int8_t* bytes) {
  const int channels = s.in_c / s.groups;
  const int plane = s.kernel_h * s.kernel_w;
  const int step = s.dilation_w * s.in_c;
  const int paired =
      channels < 4 ? s.kernel_w / 2 * 2 : 0;  // with few channels the loop costs as much as they
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const std::int8_t* from = x + ky * s.dilation_h * s.in_w * s.in_c;
    for (int kx = 0; kx < paired; kx += 2) {
      q_conv2d_spread(from + kx * step, channels, plane, bytes + kx);
      q_conv2d_spread(from + (kx + 1) * step, channels, plane, bytes + kx + 1);
    }
    for (int kx = paired; kx < s.kernel_w; ++kx) {
      q_conv2d_spread(from + kx * step, channels, plane, bytes + kx);
    }
    bytes += s.kernel_w;
  }
}

/// The same of a patch of which parts may lie outside. x: the image; (iy, ix): input position of tap (0, 0).
TINYTC_INLINE void q_conv2d_plain_edge(const QConv2dShape& s, const std::int8_t* x, int iy, int ix,
                                       std::int8_t* bytes) {
  const int channels = s.in_c / s.groups;
  const int plane = s.kernel_h * s.kernel_w;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int y = iy + ky * s.dilation_h;
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int column = ix + kx * s.dilation_w;
      std::int8_t* to = bytes + ky * s.kernel_w + kx;
      if (y >= 0 && y < s.in_h && column >= 0 && column < s.in_w) {
        q_conv2d_spread(x + (y * s.in_w + column) * s.in_c, channels, plane, to);
      } else {
        for (int i = 0; i < channels; ++i) to[i * plane] = static_cast<std::int8_t>(s.x_zero_point);
      }
    }
  }
}

/// The patches of two output pixels for one group, widened. x: at the group's first channel.
TINYTC_INLINE void q_conv2d_plain_gather(const QConv2dShape& s, const std::int8_t* x, const QPatchPlace& a,
                                         const QPatchPlace& b, std::uint32_t* words) {
  const int taps = q_conv2d_taps(s);
  if (s.kernel_h * s.kernel_w == 1 && a.inside && b.inside) {
    q_plain_widen_two(x + a.image + (a.y * s.in_w + a.x) * s.in_c,
                      x + b.image + (b.y * s.in_w + b.x) * s.in_c, taps, words);
    return;
  }
  std::int8_t* bytes = reinterpret_cast<std::int8_t*>(words + 2 * q_plain_words(taps));
  for (int p = 0; p < 2; ++p) {
    const QPatchPlace& at = p == 0 ? a : b;
    if (at.inside) {
      q_conv2d_plain_inner(s, x + at.image + (at.y * s.in_w + at.x) * s.in_c, bytes);
    } else {
      q_conv2d_plain_edge(s, x + at.image, at.y, at.x, bytes);
    }
    q_plain_widen(bytes, taps, 2, words + p);
  }
}

/// One group's output channels of two pixels, from channel o on. y1 may be y0 (the second pixel, equal to the
/// first, then writes the same); so may the second channel of the last pair be its first.
TINYTC_INLINE void q_conv2d_plain_channels(const QConv2dShape& s, const std::uint32_t* words,
                                           const std::int8_t* w, const std::int32_t* bias,
                                           const QScale& scale, const QOutput& out, int o, std::int8_t* y0,
                                           std::int8_t* y1) {
  const int taps = q_conv2d_taps(s);
  const int end = o + s.out_c / s.groups;
  for (int c = o; c < end; c += 2) {
    const int next = min_of(c + 1, end - 1);
    std::int32_t sum[4] = {bias[c], bias[next], bias[c], bias[next]};
    q_plain_2x2(taps, words, w + c * taps, w + next * taps, sum);
    y0[c] = q_requantized(sum[0], scale, c, out);
    y0[next] = q_requantized(sum[1], scale, next, out);
    y1[c] = q_requantized(sum[2], scale, c, out);
    y1[next] = q_requantized(sum[3], scale, next, out);
  }
}

/// q_conv2d with weights in ONNX's order [out_c][in_c / groups][kernel_h][kernel_w], of any value, where sums
/// fit 32 bits. y may overlap x from q_conv2d_plain_lead_x on; scratch: q_conv2d_plain_scratch words.
TINYTC_INLINE void q_conv2d_plain(const QConv2dShape& s, const std::int8_t* x, const std::int8_t* w,
                                  const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                  std::int8_t* y, std::uint32_t* scratch) {
  const int pixels = s.batch * s.out_h * s.out_w;
  for (int pixel = 0; pixel < pixels; pixel += 2) {
    const int next = min_of(pixel + 1, pixels - 1);
    const QPatchPlace a = q_conv2d_place(s, pixel);
    const QPatchPlace b = q_conv2d_place(s, next);
    for (int g = 0; g < s.groups; ++g) {
      q_conv2d_plain_gather(s, x + g * (s.in_c / s.groups), a, b, scratch);
      q_conv2d_plain_channels(s, scratch, w, bias, scale, out, g * (s.out_c / s.groups), y + pixel * s.out_c,
                              y + next * s.out_c);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_CONV2D_PLAIN_H
