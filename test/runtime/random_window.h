// Random windows of convolutions, for the host's tests and for firmware. `integer(low, high)` draws a number.
#ifndef TINYTC_TEST_RUNTIME_RANDOM_WINDOW_H
#define TINYTC_TEST_RUNTIME_RANDOM_WINDOW_H

namespace tinytc {
namespace test {

/// Sets the size of a window's output, with up to two elements of padding behind the image; whether the
/// window fits the padded image.
template <typename Integer, typename Shape>
bool random_output_size(Integer&& integer, Shape& s) {
  const int vertical = s.in_h + s.pad_top + integer(0, 2) - (s.kernel_h - 1) * s.dilation_h - 1;
  const int horizontal = s.in_w + s.pad_left + integer(0, 2) - (s.kernel_w - 1) * s.dilation_w - 1;
  s.out_h = vertical / s.stride_h + 1;
  s.out_w = horizontal / s.stride_w + 1;
  return vertical >= 0 && horizontal >= 0;
}

/// Whether a window that fits the padded image was drawn, with the zero point of an int8 layer.
template <typename Integer, typename Shape>
bool random_window(Integer&& integer, Shape& s) {
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
  return random_output_size(integer, s);
}

}  // namespace test
}  // namespace tinytc

#endif  // TINYTC_TEST_RUNTIME_RANDOM_WINDOW_H
