// Operators that repeat elements: Expand, Tile. Each is one strided copy (runtime/move.h) with a stride of 0; their gradients are sums.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/movement.h"

namespace tinytc {

namespace {

using namespace rules;
using namespace movement;

std::vector<TensorType> infer_expand(const TypeContext& context) {
  if (!context.attributes().has("shape")) context.fail("the shape is not known at compile time");
  require_rank(context, 0, 0);
  const Shape& x = context.shape(0);
  Shape y = context.attributes().get_ints("shape", {});
  if (y.size() < x.size()) y.insert(y.begin(), x.size() - y.size(), 1);
  if (y.size() > static_cast<std::size_t>(max_rank))
    context.fail(fmt::format("more than {} dimensions", max_rank));
  for (std::size_t d = 0; d < x.size(); ++d) {
    std::int64_t& extent = y[y.size() - x.size() + d];
    if (extent == 1) extent = x[d];
    if (x[d] != 1 && x[d] != extent)
      context.fail(fmt::format("[{}] cannot be broadcast to [{}]", fmt::join(x, ","), fmt::join(y, ",")));
  }
  return {{context.input(0).dtype, y}};
}

OpDef expand_row() {
  OpDef row{.name = "Expand"};
  row.constant_operands = {{1, "shape"}};
  row.infer = infer_expand;
  row.gradient = [](GradientContext& context) {
    context.set_gradient(0, context.reduce_to(context.output_gradient(), context.input(0)));
  };
  row.lower = [](LowerContext& context) {
    move(context, 0, 0,
         make_expand_shape(operand_dims(context.input_shape(0)), operand_dims(context.output_shape())));
  };
  row.move.moves = true;
  row.layout.permute = [](Node& node, std::span<const std::int64_t> perm) {
    return node.attributes.get_ints("shape", {}).size() == perm.size() && permute_list(node, "shape", perm);
  };
  row.may_view = true;
  return row;
}

/// The output's shape with each repeated axis as two: (repeats, extent). Axes of extent 1 and repeats of 1
/// are left out.
Shape tile_dims(const Shape& x, const Shape& repeats, std::vector<std::int64_t>* repeat_axes) {
  Shape dims;
  for (std::size_t d = 0; d < x.size(); ++d) {
    if (repeats[d] != 1) {
      if (repeat_axes != nullptr) repeat_axes->push_back(static_cast<std::int64_t>(dims.size()));
      dims.push_back(repeats[d]);
    }
    if (x[d] != 1) dims.push_back(x[d]);
  }
  return dims;
}

std::vector<TensorType> infer_tile(const TypeContext& context) {
  if (!context.attributes().has("repeats")) context.fail("the repeats are not known at compile time");
  require_rank(context, 0, 0);
  Shape shape = context.shape(0);
  const Shape repeats = context.attributes().get_ints("repeats", {});
  if (repeats.size() != shape.size())
    context.fail(fmt::format("{} repeats for {} axes", repeats.size(), shape.size()));
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (repeats[d] < 0) context.fail(fmt::format("repeats of axis {} are negative", d));
    shape[d] *= repeats[d];
  }
  if (tile_dims(context.shape(0), repeats, nullptr).size() > static_cast<std::size_t>(max_rank))
    context.fail("too many axes are repeated");
  return {{context.input(0).dtype, shape}};
}

void gradient_of_tile(GradientContext& context) {
  const Shape x = context.graph.shape(context.input(0));
  std::vector<std::int64_t> axes;
  const Shape dims = tile_dims(x, context.node.attributes.get_ints("repeats", {}), &axes);
  ValueId dy = context.emit("Reshape", {context.output_gradient()}, {{"shape", dims}});
  if (!axes.empty()) dy = context.emit("ReduceSum", {dy}, {{"axes", axes}, {"keepdims", std::int64_t{0}}});
  context.set_gradient(0, context.emit("Reshape", {dy}, {{"shape", x}}));
}

void lower_tile(LowerContext& context) {
  const Shape& x = context.input_shape(0);
  std::vector<std::int64_t> repeat_axes;
  const Shape dims = tile_dims(x, context.attributes().get_ints("repeats", {}), &repeat_axes);
  CopyShape shape{};
  shape.rank = static_cast<int>(dims.size());
  int x_stride = 1, y_stride = 1;
  for (int d = shape.rank - 1; d >= 0; --d) {
    const bool repeated = std::binary_search(repeat_axes.begin(), repeat_axes.end(), d);
    shape.dims[d] = to_int(dims[static_cast<std::size_t>(d)]);
    shape.x_strides[d] = repeated ? 0 : x_stride;
    shape.y_strides[d] = y_stride;
    y_stride *= shape.dims[d];
    if (!repeated) x_stride *= shape.dims[d];
  }
  move(context, 0, 0, merge_copy(shape));
}

OpDef tile_row() {
  OpDef row{.name = "Tile"};
  row.constant_operands = {{1, "repeats"}};
  row.infer = infer_tile;
  row.gradient = gradient_of_tile;
  row.lower = lower_tile;
  row.move.moves = true;
  row.layout.permute = [](Node& node, std::span<const std::int64_t> perm) {
    return permute_list(node, "repeats", perm);
  };
  row.may_view = true;
  return row;
}

}  // namespace

OpRows repeat_ops() { return {expand_row(), tile_row()}; }

}  // namespace tinytc
