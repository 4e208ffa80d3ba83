// For the compiler and tests, not for firmware: the tables of positions and weights of ONNX Resize for one
// axis.
#ifndef TINYTC_RUNTIME_RESIZE_TABLES_H
#define TINYTC_RUNTIME_RESIZE_TABLES_H

#include <cstdint>

#include "runtime/math_bits.h"

namespace tinytc {

enum class ResizeCoordinates {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  tf_crop_and_resize
};
enum class ResizeNearest { round_prefer_floor, round_prefer_ceil, floor, ceil };

/// One axis: `in` and `out` elements; `scale` as ONNX gives it (or out / in when sizes are given); roi only
/// for tf_crop_and_resize.
struct ResizeAxis {
  int in;
  int out;
  double scale;
  ResizeCoordinates coordinates;
  double roi_start = 0;
  double roi_end = 1;
};

/// Where output element i lies on the input's axis (ONNX Resize, coordinate_transformation_mode).
inline double resize_coordinate(const ResizeAxis& axis, int i) {
  const double last = axis.in - 1;
  switch (axis.coordinates) {
    case ResizeCoordinates::half_pixel:
      return (i + 0.5) / axis.scale - 0.5;
    case ResizeCoordinates::half_pixel_symmetric: {
      const double adjustment = axis.out / (axis.scale * axis.in);
      return axis.in / 2.0 * (1 - adjustment) + (i + 0.5) / axis.scale - 0.5;
    }
    case ResizeCoordinates::pytorch_half_pixel:
      return axis.out > 1 ? (i + 0.5) / axis.scale - 0.5 : 0;
    case ResizeCoordinates::align_corners:
      return axis.out > 1 ? i * last / (axis.out - 1) : 0;
    case ResizeCoordinates::asymmetric:
      return i / axis.scale;
    case ResizeCoordinates::tf_crop_and_resize:
      break;
  }
  if (axis.out == 1) return 0.5 * (axis.roi_start + axis.roi_end) * last;
  return axis.roi_start * last + i * (axis.roi_end - axis.roi_start) * last / (axis.out - 1);
}

/// Fills `position` (axis.out elements, within [0, axis.in)) for nearest mode: the index table of `gather`.
inline void resize_nearest_table(const ResizeAxis& axis, ResizeNearest mode, std::int32_t* position) {
  for (int i = 0; i < axis.out; ++i) {
    const double x = resize_coordinate(axis, i);
    double nearest = 0;
    switch (mode) {
      case ResizeNearest::round_prefer_floor:
        nearest = math_ceil(x - 0.5);
        break;
      case ResizeNearest::round_prefer_ceil:
        nearest = math_floor(x + 0.5);
        break;
      case ResizeNearest::floor:
        nearest = math_floor(x);
        break;
      case ResizeNearest::ceil:
        nearest = math_ceil(x);
        break;
    }
    position[i] = static_cast<std::int32_t>(min_of(max_of(nearest, 0.0), axis.in - 1.0));
  }
}

/// Fills `low` and `weight` (axis.out elements each) for resize_linear.
template <typename T>
inline void resize_linear_table(const ResizeAxis& axis, std::int32_t* low, T* weight) {
  for (int i = 0; i < axis.out; ++i) {
    const double x = min_of(max_of(resize_coordinate(axis, i), 0.0), axis.in - 1.0);
    low[i] = static_cast<std::int32_t>(math_floor(x));
    weight[i] = static_cast<T>(x - math_floor(x));
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_RESIZE_TABLES_H
