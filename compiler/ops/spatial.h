// What convolutions and pools share: activations [N,C,spatial...] in either layout, and the window's geometry from ONNX attributes.
#pragma once

#include "compiler/op.h"

namespace tinytc {

/// Sizes of a 2-D window operator; 1-D ones have height 1.
struct Window {
  std::int64_t batch = 0, in_h = 0, in_w = 0, in_c = 0, out_h = 0, out_w = 0, out_c = 0;
  std::int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0, groups = 1;
};

/// Whether the node's activations are [N,spatial...,C].
bool is_channels_last(const Attributes& attributes);
/// The shape as [N,C,spatial...], whatever the layout.
Shape channels_first(const Shape& shape, const Attributes& attributes);
/// The inverse: an [N,C,spatial...] shape in the node's layout.
Shape in_layout(Shape channels_first_shape, const Attributes& attributes);

/// Geometry from attributes strides, dilations, pads, auto_pad, ceil_mode, groups. `input`: [N,C,spatial...]; `kernel`: spatial extents.
/// out_c is left to the caller. Throws UserError(message only) when something does not fit; 1-D and 2-D only.
Window window_of(const Attributes& attributes, const Shape& input, const Shape& kernel);
/// Geometry of the forward convolution with input [N,C,spatial...] and weight [O,I/g,kernel...].
Window convolution_window(const Attributes& attributes, const Shape& input, const Shape& weight);
/// Whether each output channel reads one input channel.
inline bool is_depthwise(const Window& w) { return w.groups == w.in_c && w.groups > 1; }
/// Copies the geometry into a shape struct of the runtime.
template <typename S>
void fill_window(S& s, const Window& w) {
  s.batch = to_int(w.batch), s.in_h = to_int(w.in_h), s.in_w = to_int(w.in_w);
  s.out_h = to_int(w.out_h), s.out_w = to_int(w.out_w);
  s.kernel_h = to_int(w.kernel_h), s.kernel_w = to_int(w.kernel_w), s.stride_h = to_int(w.stride_h), s.stride_w = to_int(w.stride_w);
  s.dilation_h = to_int(w.dilation_h), s.dilation_w = to_int(w.dilation_w), s.pad_top = to_int(w.pad_top), s.pad_left = to_int(w.pad_left);
}
/// The output [N,channels,spatial...] of such a window; `rank` is that of the input.
Shape window_output(const Window& window, std::int64_t channels, std::size_t rank);

/// Runs a rule and turns a UserError without a place into one that names the node.
template <typename F>
auto at_node(const TypeContext& context, F f) {
  try {
    return f();
  } catch (const UserError& error) {
    context.fail(error.what());
  }
}

/// Whether padding surrounds the spatial axes of [N,C,spatial...] only.
bool is_spatial(const Padding& padding);
/// Adds the padding to a window's own, as explicit `pads`. `window`: of the node over the padded input.
void add_padding(Attributes& attributes, const Window& window, const Padding& padding);
/// OpDef::absorb_padding of convolutions whose padding reads as `value`.
bool absorb_into_convolution(const Graph& graph, Node& node, const Padding& padding, double value);

/// A functor argument Activation<T>{lo, hi, none} from the attributes activation_lo and activation_hi, which the fusing pass sets.
Argument activation_argument(const LowerContext& context, DType dtype);

/// Elements of a constant in another order: element i of the result is element index_of[i] of the data.
std::vector<std::byte> gather_elements(const std::vector<std::byte>& data, int element_bytes, const std::vector<int>& index_of);

}  // namespace tinytc
