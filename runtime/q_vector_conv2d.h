// 2-D convolution (1-D with height 1) in int8 for cores with vectors of 16 int8 (q_vector.h).
//
// As q_conv2d: output pixels are taken two at a time, their patches are copied into scratch and meet all
// output channels, four at a time. A patch is the window's elements in the order kernel row, kernel column,
// channel.
#ifndef TINYTC_RUNTIME_Q_VECTOR_CONV2D_H
#define TINYTC_RUNTIME_Q_VECTOR_CONV2D_H

#include "runtime/q_conv2d.h"
#include "runtime/q_vector.h"

namespace tinytc {

/// Words of one group's packed weights.
TINYTC_INLINE constexpr int q_vector_conv2d_group_words(const QConv2dShape& s) {
  return q_conv2d_blocks(s) * q_vector_block_words(4, q_conv2d_taps(s));
}

/// Words of the packed weights, biases and multipliers: [groups][blocks].
constexpr int q_vector_conv2d_words(const QConv2dShape& s) {
  return s.groups * q_vector_conv2d_group_words(s);
}

/// Packs a layer. w: plain ONNX [out_c][in_c / groups][kernel_h][kernel_w]; bias, multiplier: [out_c]; words:
/// q_vector_conv2d_words.
constexpr void q_vector_conv2d_pack(const QConv2dShape& s, const std::int8_t* w, const std::int32_t* bias,
                                    const std::int32_t* multiplier, std::uint32_t* words) {
  const int taps = q_conv2d_taps(s);
  const int group_out = s.out_c / s.groups;
  const QVectorOrder order{s.in_c / s.groups, s.kernel_h * s.kernel_w};
  for (int block = 0; block < s.groups * q_conv2d_blocks(s); ++block) {
    const int first = block % q_conv2d_blocks(s) * 4;
    const int o = block / q_conv2d_blocks(s) * group_out + first;
    q_vector_pack(4, min_of(4, group_out - first), order, w + o * taps, bias + o, multiplier + o,
                  words + block * q_vector_block_words(4, taps));
  }
}

/// Bytes of a patch in scratch.
TINYTC_INLINE constexpr int q_vector_conv2d_patch_bytes(const QConv2dShape& s) {
  return q_vectors(q_conv2d_taps(s)) * q_vector;
}

/// Scratch in words: the patches of two pixels.
constexpr int q_vector_conv2d_scratch(const QConv2dShape& s) {
  return 2 * q_vector_conv2d_patch_bytes(s) / 4;
}

constexpr long long q_vector_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Smallest distance in elements, address of x minus address of y, at which y may run over x.
constexpr int q_vector_conv2d_lead_x(const QConv2dShape& s) { return q_conv2d_lead(s, 2); }

/// A kernel row of a patch that is read from the image. from: its first tap; columns: taps inside.
TINYTC_INLINE void q_vector_conv2d_row(const QConv2dShape& s, const std::int8_t* from, Range columns,
                                       std::int8_t* to) {
  const int channels = s.in_c / s.groups;
  q_vector_fill(s.x_zero_point, columns.first * channels, to);
  if (s.groups == 1 && s.dilation_w == 1) {
    q_vector_copy(from + columns.first * channels, (columns.last - columns.first) * channels,
                  to + columns.first * channels);
  } else {
    for (int kx = columns.first; kx < columns.last; ++kx) {
      q_vector_copy(from + kx * s.dilation_w * s.in_c, channels, to + kx * channels);
    }
  }
  q_vector_fill(s.x_zero_point, (s.kernel_w - columns.last) * channels, to + columns.last * channels);
}

/// Whether each patch is one input pixel.
TINYTC_INLINE constexpr bool q_vector_conv2d_is_pointwise(const QConv2dShape& s) {
  return s.kernel_h == 1 && s.kernel_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
         (s.out_h - 1) * s.stride_h < s.in_h && (s.out_w - 1) * s.stride_w < s.in_w;
}

/// The patch of one output pixel for one group. x: the image at the group's first channel.
TINYTC_INLINE void q_vector_conv2d_patch(const QConv2dShape& s, const std::int8_t* x, int iy, int ix,
                                         std::int8_t* to) {
  const int length = s.kernel_w * (s.in_c / s.groups);
  if (q_vector_conv2d_is_pointwise(s)) {
    q_vector_copy(x + (iy * s.in_w + ix) * s.in_c, length, to);
    return;
  }
  const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
  const bool whole = columns.first == 0 && columns.last == s.kernel_w && s.groups == 1 && s.dilation_w == 1;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int row = iy + ky * s.dilation_h;
    const std::int8_t* from = x + (row * s.in_w + ix) * s.in_c;
    if (row < 0 || row >= s.in_h) {
      q_vector_fill(s.x_zero_point, length, to);
    } else if (whole) {
      q_vector_copy(from, length, to);
    } else {
      q_vector_conv2d_row(s, from, columns, to);
    }
    to += length;
  }
}

/// Walks over output pixels in row-major order.
struct QVectorPlace {
  const std::int8_t* image;
  int oy;
  int ox;
};
TINYTC_INLINE void q_vector_advance(const QConv2dShape& s, QVectorPlace& at) {
  if (++at.ox < s.out_w) return;
  at.ox = 0;
  if (++at.oy < s.out_h) return;
  at.oy = 0;
  at.image += s.in_h * s.in_w * s.in_c;
}

/// y = clamp(zero point + round(scale * (bias + conv(x, w)))) with scales below 0.5. x:
/// [batch][in_h][in_w][in_c]; w: made by q_vector_conv2d_pack; y: [batch][out_h][out_w][out_c], may overlap x
/// from q_vector_conv2d_lead_x on; scratch: q_vector_conv2d_scratch words.
TINYTC_INLINE void q_vector_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                   const QOutput& out, std::int8_t* y, std::uint32_t* scratch) {
  const int pixels = s.batch * s.out_h * s.out_w;
  const int in_c = s.in_c / s.groups;
  const int out_c = s.out_c / s.groups;
  std::int8_t* patch0 = reinterpret_cast<std::int8_t*>(scratch);
  std::int8_t* patch1 = patch0 + q_vector_conv2d_patch_bytes(s);
  QVectorPlace b{x, 0, 0};
  for (int pixel = 0; pixel < pixels; pixel += 2) {
    const QVectorPlace a = b;
    if (pixel + 1 < pixels) q_vector_advance(s, b);
    const int next = min_of(pixel + 1, pixels - 1);
    for (int g = 0; g < s.groups; ++g) {
      q_vector_conv2d_patch(s, a.image + g * in_c, a.oy * s.stride_h - s.pad_top,
                            a.ox * s.stride_w - s.pad_left, patch0);
      q_vector_conv2d_patch(s, b.image + g * in_c, b.oy * s.stride_h - s.pad_top,
                            b.ox * s.stride_w - s.pad_left, patch1);
      std::int8_t* y0 = y + pixel * s.out_c + g * out_c;
      std::int8_t* y1 = y + next * s.out_c + g * out_c;
      q_vector_two(q_conv2d_taps(s), out_c, patch0, patch1, w + g * q_vector_conv2d_group_words(s),
                   out.zero_point, y0, y1);
      q_vector_clamp(out, out_c, y0);
      q_vector_clamp(out, out_c, y1);
    }
    q_vector_advance(s, b);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_VECTOR_CONV2D_H
