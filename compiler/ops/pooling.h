// Geometry of pooling, shared by pool_ops.cpp and int8_pool_ops.cpp.
#pragma once

#include "compiler/ops/spatial.h"
#include "runtime/pool2d.h"

namespace tinytc {

/// The window of a pool over [N,C,spatial...]; with the attribute `is_global` it is as large as the input.
inline Window pool_window(const Attributes& attributes, const Shape& input) {
  if (input.size() != 3 && input.size() != 4) throw UserError("pooling needs an input of rank 3 or 4");
  if (attributes.get_int("is_global", 0) != 0) {
    Attributes plain;
    return window_of(plain, input, Shape(input.begin() + 2, input.end()));
  }
  Attributes window = attributes;
  window.erase("group");
  return window_of(window, input, attributes.get_ints("kernel_shape", {}));
}

/// The same for an input in the node's layout.
inline Window forward_window(const Attributes& attributes, const Shape& input) {
  return pool_window(attributes, channels_first(input, attributes));
}

inline Pool2dShape pool_shape(const Window& w, const Attributes& attributes) {
  Pool2dShape s{};
  s.batch = to_int(w.batch), s.in_h = to_int(w.in_h), s.in_w = to_int(w.in_w), s.channels = to_int(w.in_c);
  s.out_h = to_int(w.out_h), s.out_w = to_int(w.out_w), s.kernel_h = to_int(w.kernel_h), s.kernel_w = to_int(w.kernel_w);
  s.stride_h = to_int(w.stride_h), s.stride_w = to_int(w.stride_w), s.dilation_h = to_int(w.dilation_h), s.dilation_w = to_int(w.dilation_w);
  s.pad_top = to_int(w.pad_top), s.pad_left = to_int(w.pad_left), s.pad_bottom = to_int(w.pad_bottom), s.pad_right = to_int(w.pad_right);
  s.count_include_pad = attributes.get_int("count_include_pad", 0) != 0 ? 1 : 0;
  return s;
}

}  // namespace tinytc
