// Geometry of convolutions and pools; see spatial.h. ONNX operator specifications of Conv, MaxPool, AveragePool.
#include "compiler/ops/spatial.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <limits>

#include "compiler/ops/rules.h"

namespace tinytc {

namespace {

std::vector<std::int64_t> checked_list(const Attributes& attributes, const std::string& name, std::size_t count, std::int64_t fallback,
                                       std::int64_t least) {
  const std::vector<std::int64_t> list = attributes.get_ints(name, std::vector<std::int64_t>(count, fallback));
  if (list.size() != count) throw UserError(fmt::format("attribute '{}' has {} entries, {} are needed", name, list.size(), count));
  for (std::int64_t entry : list)
    if (entry < least || entry > std::numeric_limits<std::int32_t>::max())
      throw UserError(fmt::format("attribute '{}' is {}, out of range", name, entry));
  return list;
}

/// One spatial axis: padding before and after, and the output's extent.
struct Axis {
  std::int64_t before, after, out;
};

Axis solve_axis(const std::string& auto_pad, bool ceil_mode, std::int64_t in, std::int64_t kernel, std::int64_t stride,
                std::int64_t dilation, std::int64_t before, std::int64_t after) {
  const std::int64_t reach = (kernel - 1) * dilation + 1;
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    const std::int64_t out = (in + stride - 1) / stride;
    const std::int64_t total = std::max<std::int64_t>(0, (out - 1) * stride + reach - in);
    const std::int64_t low = total / 2, high = total - low;
    return auto_pad == "SAME_UPPER" ? Axis{low, high, out} : Axis{high, low, out};
  }
  if (auto_pad == "VALID") before = after = 0;
  else if (auto_pad != "NOTSET") throw UserError(fmt::format("auto_pad '{}' is unknown", printable(auto_pad)));
  const std::int64_t room = in + before + after - reach;
  if (room < 0)
    throw UserError(fmt::format("a window of {} (kernel {}, dilation {}) does not fit into {} padded by {} and {}", reach, kernel, dilation,
                                in, before, after));
  std::int64_t out = room / stride + 1;
  // A window that would start in the padding behind the input does not count (ONNX, ceil_mode).
  if (ceil_mode && room % stride != 0 && out * stride < in + before) ++out;
  return {before, after, out};
}

}  // namespace

bool is_channels_last(const Attributes& attributes) { return attributes.get_int("channels_last", 0) != 0; }

Shape channels_first(const Shape& shape, const Attributes& attributes) {
  if (!is_channels_last(attributes) || shape.size() < 3) return shape;
  Shape result{shape.front(), shape.back()};
  result.insert(result.end(), shape.begin() + 1, shape.end() - 1);
  return result;
}

Shape in_layout(Shape shape, const Attributes& attributes) {
  if (!is_channels_last(attributes) || shape.size() < 3) return shape;
  const std::int64_t channels = shape[1];
  shape.erase(shape.begin() + 1);
  shape.push_back(channels);
  return shape;
}

Window window_of(const Attributes& attributes, const Shape& input, const Shape& kernel) {
  const std::size_t rank = kernel.size();
  if (input.size() != rank + 2) throw UserError(fmt::format("a kernel of {} axes needs an input of rank {}, not {}", rank, rank + 2, input.size()));
  if (rank != 1 && rank != 2) throw UserError(fmt::format("{} spatial axes; 1 and 2 are supported", rank));
  for (std::int64_t extent : kernel)
    if (extent < 1) throw UserError(fmt::format("kernel [{}] has an empty axis", fmt::join(kernel, ",")));
  const auto strides = checked_list(attributes, "strides", rank, 1, 1), dilations = checked_list(attributes, "dilations", rank, 1, 1);
  const auto pads = checked_list(attributes, "pads", 2 * rank, 0, 0);
  const std::string auto_pad = attributes.get_string("auto_pad", "NOTSET");
  const bool ceil_mode = attributes.get_int("ceil_mode", 0) != 0;
  const auto axis = [&](std::size_t i) {
    return solve_axis(auto_pad, ceil_mode, input[2 + i], kernel[i], strides[i], dilations[i], pads[i], pads[rank + i]);
  };
  Window w{.batch = input[0], .in_h = 1, .in_c = input[1], .out_h = 1, .groups = attributes.get_int("group", 1)};
  const std::size_t x = rank - 1;
  const Axis across = axis(x);
  w.in_w = input[2 + x], w.kernel_w = kernel[x], w.stride_w = strides[x], w.dilation_w = dilations[x];
  w.pad_left = across.before, w.pad_right = across.after, w.out_w = across.out;
  if (rank == 2) {
    const Axis down = axis(0);
    w.in_h = input[2], w.kernel_h = kernel[0], w.stride_h = strides[0], w.dilation_h = dilations[0];
    w.pad_top = down.before, w.pad_bottom = down.after, w.out_h = down.out;
  }
  if (w.groups < 1 || w.in_c % w.groups != 0) throw UserError(fmt::format("group {} does not divide {} channels", w.groups, w.in_c));
  return w;
}

Shape window_output(const Window& window, std::int64_t channels, std::size_t rank) {
  Shape shape{window.batch, channels};
  if (rank == 4) shape.push_back(window.out_h);
  shape.push_back(window.out_w);
  return shape;
}

Window convolution_window(const Attributes& attributes, const Shape& input, const Shape& weight) {
  if (weight.size() < 3) throw UserError(fmt::format("the weight has rank {}, not 3 or 4", weight.size()));
  Window window = window_of(attributes, input, Shape(weight.begin() + 2, weight.end()));
  window.out_c = weight[0];
  if (weight[1] * window.groups != window.in_c)
    throw UserError(fmt::format("the weight takes {} channels in each of {} groups, the input has {}", weight[1], window.groups, window.in_c));
  if (window.out_c % window.groups != 0)
    throw UserError(fmt::format("group {} does not divide {} output channels", window.groups, window.out_c));
  return window;
}

bool is_spatial(const Padding& padding) {
  return padding.begins[0] == 0 && padding.ends[0] == 0 && padding.begins[1] == 0 && padding.ends[1] == 0;
}

void add_padding(Attributes& attributes, const Window& w, const Padding& padding) {
  const std::size_t rank = padding.begins.size() - 2;
  const std::vector<std::int64_t> before{w.pad_top, w.pad_left}, after{w.pad_bottom, w.pad_right};
  std::vector<std::int64_t> pads(2 * rank);
  for (std::size_t d = 0; d < rank; ++d) {
    pads[d] = before[2 - rank + d] + padding.begins[2 + d];
    pads[rank + d] = after[2 - rank + d] + padding.ends[2 + d];
  }
  attributes.erase("auto_pad");
  attributes.set("pads", pads);
}

bool absorb_into_convolution(const Graph& graph, Node& node, const Padding& padding, double value) {
  const Shape& input = graph.shape(node.inputs[0]);
  if (is_channels_last(node.attributes) || input.size() > 4 || padding.value != value || !is_spatial(padding)) return false;
  add_padding(node.attributes, convolution_window(node.attributes, input, graph.shape(node.inputs[1])), padding);
  return true;
}

Argument activation_argument(const LowerContext& context, DType dtype) {
  const Attributes& attributes = context.attributes();
  const bool none = !attributes.has("activation_lo");
  const double infinity = std::numeric_limits<double>::infinity();
  return object(rules::typed("Activation", dtype),
                {context.number(none ? 0 : attributes.get_float("activation_lo", -infinity), dtype),
                 context.number(none ? 0 : attributes.get_float("activation_hi", infinity), dtype), literal(none ? "true" : "false")});
}

std::vector<std::byte> gather_elements(const std::vector<std::byte>& data, int element_bytes, const std::vector<int>& index_of) {
  const auto bytes = static_cast<std::size_t>(element_bytes);
  std::vector<std::byte> result(index_of.size() * bytes);
  for (std::size_t i = 0; i < index_of.size(); ++i)
    std::memcpy(result.data() + i * bytes, data.data() + static_cast<std::size_t>(index_of[i]) * bytes, bytes);
  return result;
}

}  // namespace tinytc
