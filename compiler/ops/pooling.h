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

/// Whether each window is one element and all elements have one.
inline bool is_single_element(const Window& w) {
  return w.kernel_h * w.kernel_w == 1 && w.in_h == w.out_h && w.in_w == w.out_w && w.pad_top + w.pad_left + w.pad_bottom + w.pad_right == 0;
}

/// OpDef::absorb_padding of pools. An average counts padding that `value` stands for; a maximum never selects its least number, `value`.
inline bool absorb_into_pool(const Graph& graph, Node& node, const Padding& padding, double value, bool averages) {
  const Shape& input = graph.shape(node.inputs[0]);
  if (is_channels_last(node.attributes) || node.attributes.get_int("is_global", 0) != 0 || node.attributes.get_int("ceil_mode", 0) != 0) return false;
  if (padding.value != value || !is_spatial(padding)) return false;
  const Window w = pool_window(node.attributes, input);
  if (w.dilation_h * w.dilation_w != 1) return false;
  const bool has_own = w.pad_top + w.pad_left + w.pad_bottom + w.pad_right != 0;
  if (averages && has_own && node.attributes.get_int("count_include_pad", 0) == 0) return false;
  Node wider = node;
  add_padding(wider.attributes, w, padding);
  const std::vector<std::int64_t> pads = wider.attributes.get_ints("pads", {}), kernel = node.attributes.get_ints("kernel_shape", {});
  for (std::size_t i = 0; i < pads.size(); ++i)
    if (pads[i] >= kernel[i % kernel.size()]) return false;  // a window might lie in the padding
  if (averages) wider.attributes.set("count_include_pad", std::int64_t{1});
  node = std::move(wider);
  return true;
}

}  // namespace tinytc
