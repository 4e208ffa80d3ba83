// Resize (nearest and linear, separable: one kernel call an axis) and the older Upsample, with the gradient
// ResizeGrad.
//
// Which elements each output element reads, and with which weights, are tables that lowering computes
// (runtime/resize_tables.h).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "runtime/resize.h"
#include "runtime/resize_tables.h"

namespace tinytc {

namespace {

using namespace rules;

// In the order of ResizeCoordinates and ResizeNearest. tf_crop_and_resize needs a region of interest and is
// refused.
constexpr std::array<const char*, 5> coordinate_modes = {"half_pixel", "half_pixel_symmetric",
                                                         "pytorch_half_pixel", "align_corners", "asymmetric"};
constexpr std::array<const char*, 4> nearest_modes = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                                      "ceil"};

template <std::size_t N>
std::size_t index_of(const std::array<const char*, N>& names, const std::string& name) {
  return static_cast<std::size_t>(
      std::find_if(names.begin(), names.end(), [&](const char* n) { return name == n; }) - names.begin());
}

std::string coordinate_mode(const Node& node) {
  const bool upsample = node.op->name == "Upsample";
  return node.attributes.get_string("coordinate_transformation_mode", upsample ? "asymmetric" : "half_pixel");
}
std::string nearest_mode(const Node& node) {
  const bool upsample = node.op->name == "Upsample";
  return node.attributes.get_string("nearest_mode", upsample ? "floor" : "round_prefer_floor");
}
bool is_linear(const Attributes& attributes) {
  const std::string mode = attributes.get_string("mode", "nearest");
  return mode == "linear" || mode == "bilinear";
}

/// Along every axis: the output's extent and the scale (1 where the axis is not resized).
struct Extents {
  Shape sizes;
  std::vector<double> scales;
};

Extents extents_of(const Attributes& attributes, const Shape& x) {
  Shape axes = attributes.get_ints("axes", {});
  if (axes.empty())
    for (std::size_t d = 0; d < x.size(); ++d) axes.push_back(static_cast<std::int64_t>(d));
  const std::vector<double> scales = attributes.get_floats("scales", {});
  const Shape sizes = attributes.get_ints("sizes", {});
  Extents extents{x, std::vector<double>(x.size(), 1.0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(from_front(axes[i], static_cast<std::int64_t>(x.size())));
    if (!scales.empty()) {
      extents.scales[axis] = scales[i];
      extents.sizes[axis] = static_cast<std::int64_t>(std::floor(static_cast<double>(x[axis]) * scales[i]));
    } else {
      extents.sizes[axis] = sizes[i];
      extents.scales[axis] = static_cast<double>(sizes[i]) / static_cast<double>(x[axis]);
    }
  }
  return extents;
}

void check_modes(const TypeContext& context) {
  const Attributes& attributes = context.attributes();
  const auto refuse = [&](const char* name, const std::string& value) {
    context.fail(fmt::format("{} '{}' is not supported", name, printable(value)));
  };
  const std::string mode = attributes.get_string("mode", "nearest");
  if (mode != "nearest" && !is_linear(attributes)) refuse("mode", mode);
  if (index_of(coordinate_modes, coordinate_mode(context.node)) == coordinate_modes.size())
    refuse("coordinate_transformation_mode", coordinate_mode(context.node));
  if (index_of(nearest_modes, nearest_mode(context.node)) == nearest_modes.size())
    refuse("nearest_mode", nearest_mode(context.node));
  if (attributes.get_int("antialias", 0) != 0) context.fail("antialias=1 is not supported");
  const std::string policy = attributes.get_string("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch") refuse("keep_aspect_ratio_policy", policy);
}

std::vector<TensorType> infer_resize(const TypeContext& context) {
  const Attributes& attributes = context.attributes();
  check_modes(context);
  if (is_linear(attributes)) require_float(context);
  const Shape& x = context.shape(0);
  const std::size_t axes = axes_attribute(context, "axes", static_cast<std::int64_t>(x.size()), true).size();
  const std::size_t scales = attributes.get_floats("scales", {}).size(),
                    sizes = attributes.get_ints("sizes", {}).size();
  if (scales == 0 && sizes == 0) context.fail("neither scales nor sizes are known at compile time");
  if ((scales != 0 ? scales : sizes) != axes)
    context.fail(fmt::format("{} scales or sizes for {} axes", scales != 0 ? scales : sizes, axes));
  const Extents extents = extents_of(attributes, x);
  for (std::size_t d = 0; d < x.size(); ++d)
    if (extents.sizes[d] < 1 || x[d] < 1 || !(extents.scales[d] > 0))
      context.fail(fmt::format("axis {} would have no elements", d));
  return {{context.input(0).dtype, extents.sizes}};
}

/// The kernel call that resizes one axis, or brings its gradient back.
struct Step {
  std::size_t axis;
  Shape before, after;  // shapes of the forward direction
};

/// The axes that change, in order, with the shapes between them.
std::vector<Step> steps_of(const Extents& extents, Shape x) {
  std::vector<Step> steps;
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    if (extents.sizes[axis] == x[axis] && extents.scales[axis] == 1.0) continue;
    Shape after = x;
    after[axis] = extents.sizes[axis];
    steps.push_back({axis, x, after});
    x = after;
  }
  return steps;
}

void call_step(LowerContext& context, const Step& step, double scale, bool backward, const Argument& from,
               const Argument& to) {
  const AxisShape around = axis_shape(step.before, static_cast<std::int64_t>(step.axis));
  const int count = to_int(step.after[step.axis]);
  const DType dtype = context.output_type().dtype;
  const GatherShape shape{around.outer, around.axis, around.inner, count};
  const ResizeAxis axis{
      around.axis, count, scale,
      static_cast<ResizeCoordinates>(index_of(coordinate_modes, coordinate_mode(context.node)))};
  std::vector<std::int32_t> positions(static_cast<std::size_t>(count));
  std::vector<double> weights(static_cast<std::size_t>(count));
  const bool linear = is_linear(context.attributes());
  if (linear)
    resize_linear_table(axis, positions.data(), weights.data());
  else
    resize_nearest_table(axis,
                         static_cast<ResizeNearest>(index_of(nearest_modes, nearest_mode(context.node))),
                         positions.data());
  const Argument index =
      context.table("positions", {DType::i32, {count}},
                    encode(DType::i32, std::vector<double>(positions.begin(), positions.end())));
  const Argument shape_text = shape_argument("GatherShape", shape);
  if (linear)
    return context.call(
        "runtime/resize.h", backward ? "resize_linear_grad" : "resize_linear",
        {shape_text, index, context.table("weights", {dtype, {count}}, encode(dtype, weights)), from, to},
        resize_linear_macs(shape));
  if (backward)
    context.call("runtime/move.h", "gather_grad", {shape_text, index, from, to});
  else
    context.call("runtime/move.h", "gather", {shape_text, from, index, to});
}

/// One call an axis, forwards or backwards, through scratch in between.
void lower_steps(LowerContext& context, const Extents& extents, const Shape& x, bool backward) {
  std::vector<Step> steps = steps_of(extents, x);
  if (steps.empty()) return context.view(0, 0);
  if (backward) std::reverse(steps.begin(), steps.end());
  Argument from = context.in(0);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Shape& reached = backward ? steps[i].before : steps[i].after;
    const bool last = i + 1 == steps.size();
    const Argument to =
        last ? context.out() : context.scratch(context.output_type().dtype, element_count(reached));
    call_step(context, steps[i], extents.scales[steps[i].axis], backward, from, to);
    from = as_input(to);
  }
}

void gradient_of_resize(GradientContext& context) {
  Attributes attributes = context.node.attributes;
  attributes.set("shape", context.graph.shape(context.input(0)));
  attributes.set("coordinate_transformation_mode", coordinate_mode(context.node));
  attributes.set("nearest_mode", nearest_mode(context.node));
  context.set_gradient(0, context.emit("ResizeGrad", {context.output_gradient()}, std::move(attributes)));
}

bool permute_resize(Node& node, std::span<const std::int64_t> perm) {
  if (node.attributes.has("shape") && !permute_list(node, "shape", perm)) return false;
  std::vector<std::int64_t> axes = node.attributes.get_ints("axes", {});
  if (axes.empty())
    for (std::size_t d = 0; d < perm.size(); ++d) axes.push_back(static_cast<std::int64_t>(d));
  for (std::int64_t& axis : axes) axis = permuted_axis(axis, perm);
  node.attributes.set("axes", axes);
  return true;
}

OpDef resize_row(const std::string& name) {
  OpDef row{.name = name};
  row.infer = infer_resize;
  row.gradient = gradient_of_resize;
  row.lower = [](LowerContext& context) {
    const Shape& x = context.input_shape(0);
    lower_steps(context, extents_of(context.attributes(), x), x, false);
  };
  row.layout.permute = permute_resize;
  row.may_view = true;
  row.move = {.moves = true, .store = [](Node& node, const TensorType&) { return !is_linear(node.attributes); }};
  return row;
}

OpDef resize_grad_row() {
  OpDef row{.name = "ResizeGrad"};
  row.infer = [](const TypeContext& context) {
    const Shape x = context.attributes().get_ints("shape", {});
    require_shape(context, 0, extents_of(context.attributes(), x).sizes, "the output's gradient");
    return std::vector<TensorType>{{context.input(0).dtype, x}};
  };
  row.lower = [](LowerContext& context) {
    const Shape& x = context.output_shape();
    lower_steps(context, extents_of(context.attributes(), x), x, true);
  };
  row.layout.permute = permute_resize;
  row.may_view = true;
  row.is_public = false;
  return row;
}

}  // namespace

OpRows resize_ops() {
  OpDef resize = resize_row("Resize"), upsample = resize_row("Upsample");
  resize.constant_operands = {{1, "roi", true}, {2, "scales", true}, {3, "sizes"}};
  upsample.constant_operands = {{1, "scales", true}};
  return {resize, upsample, resize_grad_row()};
}

}  // namespace tinytc
