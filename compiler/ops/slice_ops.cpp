// Slice and Pad with their gradients SliceGrad and PadGrad.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/movement.h"

namespace tinytc {

namespace {

using namespace rules;
using namespace movement;

// --- Slice ---

/// Start (0-based), step and size along every axis.
struct Region {
  Shape starts, steps, sizes;
};

/// numpy's rule: negative positions count from the end, then positions are cut off at the ends.
Region region_of(const Attributes& attributes, const Shape& x) {
  const Shape starts = attributes.get_ints("starts", {}), ends = attributes.get_ints("ends", {});
  Shape axes = attributes.get_ints("axes", {});
  const Shape steps = attributes.get_ints("steps", Shape(starts.size(), 1));
  if (axes.empty())
    for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  Region region{Shape(x.size(), 0), Shape(x.size(), 1), x};
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto axis = static_cast<std::size_t>(from_front(axes[i], static_cast<std::int64_t>(x.size())));
    const std::int64_t extent = x[axis], step = steps[i];
    const std::int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? extent : extent - 1;
    const auto position = [&](std::int64_t p) { return std::clamp(p < 0 ? p + extent : p, lowest, highest); };
    const std::int64_t start = position(starts[i]), end = position(ends[i]);
    const std::int64_t way = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    region.steps[axis] = step;
    region.sizes[axis] = std::max<std::int64_t>(0, (way + stride - 1) / stride);
    region.starts[axis] = region.sizes[axis] == 0 ? 0 : start;
  }
  return region;
}

std::vector<TensorType> infer_slice(const TypeContext& context) {
  const Attributes& attributes = context.attributes();
  if (!attributes.has("starts") || !attributes.has("ends"))
    context.fail("starts or ends are not known at compile time");
  require_rank(context, 0, 1);
  const std::size_t count = attributes.get_ints("starts", {}).size();
  const auto rank = static_cast<std::int64_t>(context.shape(0).size());
  const auto sized = [&](const char* name) {
    return !attributes.has(name) || attributes.get_ints(name, {}).size() == count;
  };
  if (!sized("ends") || !sized("axes") || !sized("steps") || count > static_cast<std::size_t>(rank))
    context.fail("starts, ends, axes and steps differ in length");
  axes_attribute(context, "axes", rank, false);
  for (std::int64_t step : attributes.get_ints("steps", {}))
    if (step == 0 || step < -(std::int64_t{1} << 30) || step > (std::int64_t{1} << 30))
      context.fail(fmt::format("step {} is out of range", step));
  return {{context.input(0).dtype, region_of(attributes, context.shape(0)).sizes}};
}

CopyShape slice_copy(const Region& region, const Shape& x) {
  int starts[8] = {}, steps[8] = {}, sizes[8] = {};
  for (std::size_t d = 0; d < x.size(); ++d) {
    starts[d] = to_int(region.starts[d]);
    steps[d] = to_int(region.steps[d]);
    sizes[d] = to_int(region.sizes[d]);
  }
  return make_slice_shape(operand_dims(x), starts, steps, sizes);
}

void lower_slice(LowerContext& context) {
  if (element_count(context.output_shape()) == 0) return;
  const Shape& x = context.input_shape(0);
  move(context, 0, 0, slice_copy(region_of(context.attributes(), x), x));
}

void gradient_of_slice(GradientContext& context) {
  Attributes attributes = context.node.attributes;
  attributes.set("shape", context.graph.shape(context.input(0)));
  context.set_gradient(0, context.emit("SliceGrad", {context.output_gradient()}, std::move(attributes)));
}

std::vector<TensorType> infer_slice_grad(const TypeContext& context) {
  const Shape x = context.attributes().get_ints("shape", {});
  require_shape(context, 0, region_of(context.attributes(), x).sizes, "the output's gradient");
  return {{context.input(0).dtype, x}};
}

void lower_slice_grad(LowerContext& context) {
  const Shape& x = context.output_shape();
  const bool all_covered = element_count(context.input_shape(0)) == element_count(x);
  if (!all_covered) call_fill(context, 0.0);
  if (element_count(context.input_shape(0)) == 0) return;
  call_copy(context, make_reversed_copy(slice_copy(region_of(context.attributes(), x), x)), 0, 0,
            all_covered);
}

bool permute_slice(Node& node, std::span<const std::int64_t> perm) {
  std::vector<std::int64_t> axes = node.attributes.get_ints("axes", {});
  if (axes.empty())
    for (std::size_t i = 0; i < node.attributes.get_ints("starts", {}).size(); ++i)
      axes.push_back(static_cast<std::int64_t>(i));
  for (std::int64_t& axis : axes) axis = permuted_axis(axis, perm);
  node.attributes.set("axes", axes);
  return !node.attributes.has("shape") || permute_list(node, "shape", perm);
}

OpRows slice_rows() {
  OpDef slice{.name = "Slice"};
  slice.constant_operands = {{1, "starts"}, {2, "ends"}, {3, "axes"}, {4, "steps"}};
  slice.infer = infer_slice;
  slice.gradient = gradient_of_slice;
  slice.lower = lower_slice;
  slice.move.moves = true;
  slice.layout.permute = permute_slice;
  slice.may_view = true;
  OpDef grad{.name = "SliceGrad"};
  grad.infer = infer_slice_grad;
  grad.lower = lower_slice_grad;
  grad.layout.permute = permute_slice;
  grad.is_public = false;
  return {slice, grad};
}

// --- Pad ---

/// Elements added before and after each axis; negative: cut off.
struct Margins {
  Shape before, after;
};

Margins margins_of(const Attributes& attributes, std::size_t rank) {
  const Shape pads = attributes.get_ints("pads", {});
  Shape axes = attributes.get_ints("axes", {});
  if (axes.empty())
    for (std::size_t d = 0; d < rank; ++d) axes.push_back(static_cast<std::int64_t>(d));
  Margins margins{Shape(rank, 0), Shape(rank, 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(from_front(axes[i], static_cast<std::int64_t>(rank)));
    margins.before[axis] = pads[i];
    margins.after[axis] = pads[i + axes.size()];
  }
  return margins;
}

const std::vector<std::string> pad_modes = {"constant", "edge", "reflect", "wrap"};

int mode_of(const Attributes& attributes) {
  const std::string mode = attributes.get_string("mode", "constant");
  return static_cast<int>(std::find(pad_modes.begin(), pad_modes.end(), mode) - pad_modes.begin());
}

double pad_value(const Attributes& attributes) {
  return attributes.get_float("constant_value", attributes.get_float("value", 0.0));
}

void check_margins(const TypeContext& context, const Margins& margins, std::size_t axis) {
  const std::int64_t extent = context.shape(0)[axis];
  const std::int64_t before = margins.before[axis], after = margins.after[axis];
  if (extent + before + after < 0 || -before > extent || -after > extent)
    context.fail(
        fmt::format("pads {} and {} cut more off axis {} than its extent {}", before, after, axis, extent));
  const int mode = mode_of(context.attributes());
  if (mode == 0 || (before <= 0 && after <= 0)) return;
  if (extent == 0) context.fail(fmt::format("axis {} is empty", axis));
  if (mode == 2 && std::max(before, after) >= extent)
    context.fail(
        fmt::format("pads {} and {} are not smaller than extent {} of axis {}, as mode reflect needs", before,
                    after, extent, axis));
}

std::vector<TensorType> infer_pad(const TypeContext& context) {
  const Attributes& attributes = context.attributes();
  if (!attributes.has("pads")) context.fail("the pads are not known at compile time");
  require_rank(context, 0, 1);
  if (mode_of(attributes) == static_cast<int>(pad_modes.size()))
    context.fail(fmt::format("mode '{}' is not supported", printable(attributes.get_string("mode", ""))));
  Shape shape = context.shape(0);
  const std::size_t axes =
      axes_attribute(context, "axes", static_cast<std::int64_t>(shape.size()), true).size();
  if (attributes.get_ints("pads", {}).size() != 2 * axes)
    context.fail(fmt::format("{} pads for {} axes", attributes.get_ints("pads", {}).size(), axes));
  const Margins margins = margins_of(attributes, shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d) {
    check_margins(context, margins, d);
    shape[d] += margins.before[d] + margins.after[d];
  }
  return {{context.input(0).dtype, shape}};
}

PadShape pad_shape(const Attributes& attributes, const Shape& x, const Shape& y) {
  const Margins margins = margins_of(attributes, x.size());
  PadShape shape{};
  shape.rank = static_cast<int>(x.size());
  for (std::size_t d = 0; d < x.size(); ++d) {
    shape.dims[d] = to_int(y[d]);
    shape.x_dims[d] = to_int(x[d]);
    shape.before[d] = to_int(margins.before[d]);
  }
  shape.mode = mode_of(attributes);
  return shape;
}

/// The copy of what stays, from x into the interior of y.
CopyShape interior_copy(const PadShape& pad) {
  CopyShape shape{};
  shape.rank = pad.rank;
  int x_stride = 1, y_stride = 1;
  for (int d = pad.rank - 1; d >= 0; --d) {
    const int first = std::max(0, -pad.before[d]);
    const int last = std::min(pad.x_dims[d], pad.dims[d] - pad.before[d]);
    shape.dims[d] = std::max(0, last - first);
    shape.x_strides[d] = x_stride;
    shape.y_strides[d] = y_stride;
    shape.x_offset += first * x_stride;
    shape.y_offset += (first + pad.before[d]) * y_stride;
    x_stride *= pad.x_dims[d];
    y_stride *= pad.dims[d];
  }
  return merge_copy(shape);
}

void lower_pad(LowerContext& context) {
  const PadShape shape = pad_shape(context.attributes(), context.input_shape(0), context.output_shape());
  const double value = pad_value(context.attributes());
  if (shape.mode != 0)
    return context.call("runtime/move.h", "pad",
                        {shape_argument("PadShape", shape),
                         context.number(value, context.output_type().dtype), context.in(0), context.out()});
  const CopyShape interior = interior_copy(shape);
  const std::int64_t kept = element_count(interior.rank, interior.dims);
  const bool all_covered = kept == element_count(context.output_shape());
  if (!all_covered) call_fill(context, value);
  if (kept != 0) call_copy(context, interior, 0, 0, all_covered);
}

void gradient_of_pad(GradientContext& context) {
  const Attributes& attributes = context.node.attributes;
  const Shape x = context.graph.shape(context.input(0));
  const Margins margins = margins_of(attributes, x.size());
  const bool only_adds =
      std::all_of(margins.before.begin(), margins.before.end(), [](std::int64_t pad) { return pad >= 0; }) &&
      std::all_of(margins.after.begin(), margins.after.end(), [](std::int64_t pad) { return pad >= 0; });
  if (mode_of(attributes) == 0 && only_adds) {
    Shape ends = x;
    for (std::size_t d = 0; d < x.size(); ++d) ends[d] += margins.before[d];
    return context.set_gradient(
        0, context.emit("Slice", {context.output_gradient()}, {{"starts", margins.before}, {"ends", ends}}));
  }
  Attributes copied = attributes;
  copied.set("shape", x);
  context.set_gradient(0, context.emit("PadGrad", {context.output_gradient()}, std::move(copied)));
}

bool permute_pad(Node& node, std::span<const std::int64_t> perm) {
  std::vector<std::int64_t> axes = node.attributes.get_ints("axes", {});
  if (axes.empty())
    for (std::size_t d = 0; d < perm.size(); ++d) axes.push_back(static_cast<std::int64_t>(d));
  for (std::int64_t& axis : axes) axis = permuted_axis(axis, perm);
  node.attributes.set("axes", axes);
  return !node.attributes.has("shape") || permute_list(node, "shape", perm);
}

std::vector<TensorType> infer_pad_grad(const TypeContext& context) {
  return {{context.input(0).dtype, context.attributes().get_ints("shape", {})}};
}

void lower_pad_grad(LowerContext& context) {
  const PadShape shape = pad_shape(context.attributes(), context.output_shape(), context.input_shape(0));
  context.call("runtime/move.h", "pad_grad",
               {shape_argument("PadShape", shape), context.in(0), context.out()});
}

/// The constant that is put around the stored tensor: one that stands for the very number, or none.
bool store_constant(Node& node, const TensorType& stored) {
  if (mode_of(node.attributes) != 0) return true;
  const float scale = stored.quantization->scales[0], value = static_cast<float>(pad_value(node.attributes));
  const float steps = std::nearbyint(value / scale);
  const double number = double{steps} + stored.quantization->zero_points[0];
  if (!(steps * scale == value) || number < -128 || number > 127) return false;
  node.attributes.set("constant_value", number);
  return true;
}

std::optional<Padding> as_padding(const Graph& graph, const Node& node) {
  const Margins margins = margins_of(node.attributes, graph.shape(node.inputs[0]).size());
  const auto adds = [](const Shape& pads) {
    return pads.size() >= 3 && std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad >= 0; });
  };
  if (mode_of(node.attributes) != 0 || !adds(margins.before) || !adds(margins.after)) return std::nullopt;
  return Padding{margins.before, margins.after, pad_value(node.attributes)};
}

OpRows pad_rows() {
  OpDef pad{.name = "Pad"};
  pad.as_padding = as_padding;
  pad.constant_operands = {{1, "pads"}, {2, "constant_value", true, false}, {3, "axes"}};
  pad.infer = infer_pad;
  pad.gradient = gradient_of_pad;
  pad.lower = lower_pad;
  pad.move = {.moves = true, .store = store_constant};
  pad.layout.permute = permute_pad;
  OpDef grad{.name = "PadGrad"};
  grad.infer = infer_pad_grad;
  grad.lower = lower_pad_grad;
  grad.layout.permute = permute_pad;
  grad.is_public = false;
  return {pad, grad};
}

}  // namespace

OpRows slice_ops() {
  OpRows rows = slice_rows();
  for (OpDef& row : pad_rows()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace tinytc
