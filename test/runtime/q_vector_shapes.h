// Random shapes for int8 kernels, for the host's tests and for firmware: windows, and layers for the kernels on
// vectors of 16 int8.
#ifndef TINYTC_TEST_RUNTIME_Q_VECTOR_SHAPES_H
#define TINYTC_TEST_RUNTIME_Q_VECTOR_SHAPES_H

#include "runtime/q_conv2d.h"
#include "runtime/q_depthwise_shape.h"

namespace tinytc {
namespace test {

/// Whether a window that fits the padded image was drawn. integer(low, high): a random number.
template <typename Shape, typename Integer>
bool random_window(Integer integer, Shape& s) {
  const bool three = integer(0, 1) == 0;
  const bool pointwise = !three && integer(0, 1) == 0;
  s.batch = integer(1, 2);
  s.in_h = integer(1, 7);
  s.in_w = integer(1, 8);
  s.kernel_h = three ? 3 : pointwise ? 1 : integer(1, 4);
  s.kernel_w = three ? 3 : pointwise ? 1 : integer(1, 5);
  s.stride_h = integer(1, 2);
  s.stride_w = integer(0, 2) == 0 ? integer(1, 3) : s.stride_h;
  s.dilation_h = three ? 1 : integer(1, 2);
  s.dilation_w = three ? 1 : integer(1, 2);
  s.pad_top = integer(0, s.kernel_h - 1);
  s.pad_left = integer(0, s.kernel_w - 1);
  s.x_zero_point = integer(-128, 127);
  const int vertical = s.in_h + s.pad_top + integer(0, 2) - (s.kernel_h - 1) * s.dilation_h - 1;
  const int horizontal = s.in_w + s.pad_left + integer(0, 2) - (s.kernel_w - 1) * s.dilation_w - 1;
  s.out_h = vertical / s.stride_h + 1;
  s.out_w = horizontal / s.stride_w + 1;
  return vertical >= 0 && horizontal >= 0;
}

/// A convolution of up to 2 x 7 x 8 x 40 inputs, 20 channels of output.
template <typename Integer>
QConv2dShape random_vector_conv(Integer integer) {
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
QDepthwiseConv2dShape random_vector_depthwise(Integer integer) {
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

}  // namespace test
}  // namespace tinytc

#endif  // TINYTC_TEST_RUNTIME_Q_VECTOR_SHAPES_H
