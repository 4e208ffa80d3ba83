// Convolution where every output pixel reads the input pixel at its own place: a matrix product over all
// pixels, with the tiles and the bits of conv2d.h.
//
// A compiler that gets conv2d's kernel rows, edges and groups to throw them away takes several times as long,
// and networks have many of these layers.
#ifndef TINYTC_RUNTIME_CONV2D_POINTWISE_H
#define TINYTC_RUNTIME_CONV2D_POINTWISE_H

#include "runtime/conv2d.h"

namespace tinytc {

/// Whether conv2d_pointwise computes this convolution: 1x1, packed, without stride, padding or groups.
constexpr bool conv2d_pointwise_serves(const Conv2dShape& s) {
  return s.kernel_h == 1 && s.kernel_w == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
         s.pad_left == 0 && s.in_h == s.out_h && s.in_w == s.out_w && s.groups == 1 && s.packed == 1;
}

/// All channels of P neighbouring pixels: blocks of four channels, then the rest one by one.
template <int P, typename T>
TINYTC_INLINE void pointwise_pixels(const Conv2dShape& s, const T* x, const T* w, const T* bias,
                                    const T* residual, const Activation<T>& activation, T* y) {
  const int full = s.out_c / 4 * 4;
  for (int c = 0; c < s.out_c; c += c < full ? 4 : 1) {
    const T* b = bias != nullptr ? bias + c : nullptr;
    const T* r = residual != nullptr ? residual + c : nullptr;
    T sum[16];
    if (c < full) {
      if (P == 4) {
        tile_block(sum, x, s.in_c, 0, w, 0, 1, s.in_c, b);
      } else {
        pixel_block(sum, x, 0, w, 0, 1, s.in_c, b);
      }
      tile_finish<P, 4>(sum, r, activation, y + c, s.out_c);
      w += 4 * s.in_c;
    } else {
      tile_start<P, 1>(sum, b);
      tile_dot<P>(sum, x, s.in_c, w, s.in_c);
      tile_finish<P, 1>(sum, r, activation, y + c, s.out_c);
      w += s.in_c;
    }
  }
}

/// conv2d for the shapes that conv2d_pointwise_serves, bit for bit. Takes what conv2d takes; scratch is not
/// used.
template <typename T>
TINYTC_INLINE void conv2d_pointwise(const Conv2dShape& s, const T* x, const T* w, const T* bias,
                                    const T* residual, const Activation<T>& activation, T* y, T*) {
  const int pixels = s.batch * s.out_h * s.out_w;
  const int full = pixels / 4 * 4;
  for (int p = 0; p < full; p += 4) {
    pointwise_pixels<4>(s, x + p * s.in_c, w, bias, residual != nullptr ? residual + p * s.out_c : nullptr,
                        activation, y + p * s.out_c);
  }
  for (int p = full; p < pixels; ++p) {
    pointwise_pixels<1>(s, x + p * s.in_c, w, bias, residual != nullptr ? residual + p * s.out_c : nullptr,
                        activation, y + p * s.out_c);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_CONV2D_POINTWISE_H
