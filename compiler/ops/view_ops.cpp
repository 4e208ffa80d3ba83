// Operators that change a tensor's shape but not its elements: Reshape, Flatten, Squeeze, Unsqueeze. All are
// views; the gradient of each is a Reshape back.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"

namespace tinytc {

namespace {

using namespace rules;

/// `shape` as written: 0 keeps the input's extent (unless `allowzero`), one -1 takes what is left.
std::vector<TensorType> infer_reshape(const TypeContext& context) {
  if (!context.attributes().has("shape")) context.fail("the shape is not known at compile time");
  const Shape& x = context.shape(0);
  Shape shape = context.attributes().get_ints("shape", {});
  const bool allow_zero = context.attributes().get_int("allowzero", 0) != 0;
  std::int64_t known = 1;
  int unknown = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && !allow_zero) {
      if (d >= x.size())
        context.fail(fmt::format("extent {} of the shape is 0 (copy), but the input has no such axis", d));
      shape[d] = x[d];
    }
    if (shape[d] < -1) context.fail(fmt::format("extent {} of the shape is {}", d, shape[d]));
    if (shape[d] == -1)
      ++unknown;
    else
      known *= shape[d];
  }
  if (unknown > 1) context.fail("more than one extent of the shape is -1");
  const std::int64_t count = element_count(x);
  if (unknown == 1 && known > 0 && count % known == 0)
    std::replace(shape.begin(), shape.end(), std::int64_t{-1}, count / known);
  if (element_count(shape) != count)
    context.fail(fmt::format("{} elements cannot take the shape [{}]", count, fmt::join(shape, ",")));
  return {{context.input(0).dtype, shape}};
}

std::vector<TensorType> infer_flatten(const TypeContext& context) {
  const Shape& x = context.shape(0);
  const auto rank = static_cast<std::int64_t>(x.size());
  std::int64_t axis = context.attributes().get_int("axis", 1);
  if (axis < -rank || axis > rank)
    context.fail(fmt::format("axis {} is out of range for rank {}", axis, rank));
  const auto split = static_cast<std::size_t>(from_front(axis, rank));
  return {{context.input(0).dtype, {extent_product(x, 0, split), extent_product(x, split, x.size())}}};
}

std::vector<TensorType> infer_squeeze(const TypeContext& context) {
  const Shape& x = context.shape(0);
  const bool all = !context.attributes().has("axes");
  const std::vector<std::int64_t> axes =
      axes_attribute(context, "axes", static_cast<std::int64_t>(x.size()), false);
  for (std::int64_t axis : axes)
    if (x[static_cast<std::size_t>(axis)] != 1)
      context.fail(fmt::format("axis {} has extent {}, must be 1", axis, x[static_cast<std::size_t>(axis)]));
  Shape shape;
  for (std::size_t d = 0; d < x.size(); ++d) {
    const bool listed = std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(d));
    if (all ? x[d] != 1 : !listed) shape.push_back(x[d]);
  }
  return {{context.input(0).dtype, shape}};
}

std::vector<TensorType> infer_unsqueeze(const TypeContext& context) {
  if (!context.attributes().has("axes")) context.fail("the axes are not known at compile time");
  Shape shape = context.shape(0);
  const auto added = context.attributes().get_ints("axes", {}).size();
  const auto rank = static_cast<std::int64_t>(shape.size() + added);
  for (std::int64_t axis : axes_attribute(context, "axes", rank, false))
    shape.insert(shape.begin() + axis, 1);
  return {{context.input(0).dtype, shape}};
}

void reshape_back(GradientContext& context) {
  context.set_gradient(
      0, context.emit("Reshape", {context.output_gradient()},
                      {{"shape", context.graph.shape(context.input(0))}, {"allowzero", std::int64_t{1}}}));
}

/// [N,C,1,...] and [N,C] have the same channels.
std::vector<ValueRange> ranges_of_reshape(const Graph& graph, const Node& node, const std::vector<ValueRange>& input) {
  const Shape &x = graph.shape(node.inputs[0]), &y = graph.shape(node.outputs[0]);
  const bool keeps = x.size() >= 2 && y.size() >= 2 && x[0] == y[0] && x[1] == y[1] && element_count(x) == x[0] * x[1];
  return keeps ? input : std::vector<ValueRange>{};
}

ChannelRule channels_of_reshape() {
  return {ranges_of_reshape, [](const Graph&, const Node&) { return true; }, nullptr, [](Graph& graph, Node& node, const KeptChannels& kept) {
            Shape shape = graph.shape(node.outputs[0]);
            shape[1] = std::count(kept.outputs.begin(), kept.outputs.end(), true);
            if (node.attributes.has("shape")) node.attributes.set("shape", shape);
          }};
}

OpDef view_row(const std::string& name, std::vector<TensorType> (*infer)(const TypeContext&)) {
  OpDef row{.name = name};
  row.infer = infer;
  row.gradient = reshape_back;
  row.lower = [](LowerContext& context) { context.view(0, 0); };
  row.may_view = true;
  row.move.moves = true;
  row.channels = channels_of_reshape();
  return row;
}

}  // namespace

OpRows view_ops() {
  OpRows rows = {view_row("Reshape", infer_reshape), view_row("Flatten", infer_flatten),
                 view_row("Squeeze", infer_squeeze), view_row("Unsqueeze", infer_unsqueeze)};
  rows[0].constant_operands = {{1, "shape"}};
  rows[2].constant_operands = {{1, "axes"}};
  rows[3].constant_operands = {{1, "axes"}};
  return rows;
}

}  // namespace tinytc
