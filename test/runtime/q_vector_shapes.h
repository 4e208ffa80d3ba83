// Random shapes for int8 kernels, for the host's tests and for firmware: layers for the kernels on vectors of
// 16 int8, and for Winograd's.
#ifndef TINYTC_TEST_RUNTIME_Q_VECTOR_SHAPES_H
#define TINYTC_TEST_RUNTIME_Q_VECTOR_SHAPES_H

#include "runtime/q_conv2d.h"
#include "runtime/q_depthwise_shape.h"
#include "test/runtime/random_window.h"

namespace tinytc {
namespace test {

inline int in_size(const QConv2dShape& s) { return s.batch * s.in_h * s.in_w * s.in_c; }
inline int out_size(const QConv2dShape& s) { return s.batch * s.out_h * s.out_w * s.out_c; }

/// A convolution of up to 2 x 7 x 8 x 40 inputs, 20 channels of output.
template <typename Integer>
QConv2dShape random_vector_conv(Integer&& integer) {
  QConv2dShape s{};
  for (int k = 0; k < 100 && !random_window(integer, s); ++k) {
  }
  s.groups = integer(0, 3) == 0 ? 2 : 1;
  s.in_c = s.groups * (integer(0, 1) == 0 ? integer(1, 6) : integer(1, 20));
  s.out_c = s.groups * integer(1, 10);
  return s;
}

/// A depthwise convolution 3x3 with stride 1 or 2 of up to 2 x 7 x 8 x 36 inputs.
template <typename Integer>
QDepthwiseConv2dShape random_vector_depthwise(Integer&& integer) {
  QDepthwiseConv2dShape s{};
  for (int k = 0; k < 1000; ++k) {
    if (random_window(integer, s) && s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == s.stride_w &&
        s.dilation_h == 1 && s.dilation_w == 1) {
      break;
    }
  }
  s.channels = integer(0, 1) == 0 ? integer(1, 36) : 8 * integer(1, 4);
  s.multiplier = 1;
  s.packed = 1;
  return s;
}

/// A convolution for Winograd's kernel of up to 2 x 14 x in_w x in_c inputs; in_c: a multiple of four.
template <typename Integer>
QConv2dShape random_winograd(Integer&& integer, int in_w, int in_c, int out_c) {
  QConv2dShape s{};
  s.batch = integer(1, 2);
  s.in_h = integer(3, 14);
  s.in_w = integer(3, in_w);
  s.in_c = 4 * integer(1, in_c / 4);
  s.out_c = integer(1, out_c);
  s.kernel_h = s.kernel_w = 3;
  s.stride_h = s.stride_w = s.dilation_h = s.dilation_w = s.groups = 1;
  s.pad_top = integer(0, 1);
  s.pad_left = integer(0, 1);
  random_output_size(integer, s);
  s.x_zero_point = integer(-128, 127);
  return s;
}

}  // namespace test
}  // namespace tinytc

#endif  // TINYTC_TEST_RUNTIME_Q_VECTOR_SHAPES_H
