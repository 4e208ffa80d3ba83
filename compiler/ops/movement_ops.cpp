// Operators that move elements, each to one place: Transpose, Concat, Split, DepthToSpace, SpaceToDepth.
//
// Each is one strided copy (runtime/move.h) or a view when that copy would not move anything. Gradients are
// moves too.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "compiler/op_table.h"
#include "compiler/ops/movement.h"

namespace tinytc {

namespace {

using namespace rules;
using namespace movement;

// --- Transpose ---

Shape permutation(const Attributes& attributes, std::size_t rank) {
  Shape reversed(rank);
  for (std::size_t d = 0; d < rank; ++d) reversed[d] = static_cast<std::int64_t>(rank - 1 - d);
  return attributes.get_ints("perm", reversed);
}

std::vector<TensorType> infer_transpose(const TypeContext& context) {
  require_rank(context, 0, 0);
  const Shape& x = context.shape(0);
  const Shape perm = permutation(context.attributes(), x.size());
  Shape sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool valid = sorted.size() == x.size();
  for (std::size_t d = 0; valid && d < sorted.size(); ++d) valid = sorted[d] == static_cast<std::int64_t>(d);
  if (!valid)
    context.fail(fmt::format("perm [{}] is not a permutation of {} axes", fmt::join(perm, ","), x.size()));
  Shape y;
  for (std::int64_t axis : perm) y.push_back(x[static_cast<std::size_t>(axis)]);
  return {{context.input(0).dtype, y}};
}

void gradient_of_transpose(GradientContext& context) {
  const Shape perm = permutation(context.node.attributes, context.graph.shape(context.input(0)).size());
  Shape inverse(perm.size());
  for (std::size_t d = 0; d < perm.size(); ++d)
    inverse[static_cast<std::size_t>(perm[d])] = static_cast<std::int64_t>(d);
  context.set_gradient(0, context.emit("Transpose", {context.output_gradient()}, {{"perm", inverse}}));
}

void lower_transpose(LowerContext& context) {
  const Shape& x = context.input_shape(0);
  move(context, 0, 0, transpose_shape(x, permutation(context.attributes(), x.size())));
}

OpDef transpose_row() {
  OpDef row{.name = "Transpose"};
  row.infer = infer_transpose;
  row.gradient = gradient_of_transpose;
  row.lower = lower_transpose;
  row.move.moves = true;
  row.move.moved_axis = [](const Node& node, std::int64_t axis) {
    const Shape perm = node.attributes.get_ints("perm", {});
    return static_cast<std::int64_t>(std::find(perm.begin(), perm.end(), axis) - perm.begin());
  };
  row.may_view = true;
  return row;
}

// --- Concat ---

std::vector<TensorType> infer_concat(const TypeContext& context) {
  require_rank(context, 0, 1);
  Shape shape = context.shape(0);
  const auto axis = static_cast<std::size_t>(
      context.axis(context.attributes().get_int("axis", 0), static_cast<std::int64_t>(shape.size())));
  for (int i = 1; i < context.input_count(); ++i) {
    require_same_dtype(context, 0, i);
    Shape other = context.shape(i);
    if (other.size() != shape.size())
      context.fail(fmt::format("input {} has {} dimensions, input 0 has {}", i, other.size(), shape.size()));
    const std::int64_t more = other[axis];
    other[axis] = shape[axis];
    if (other != shape)
      context.fail(fmt::format("input {} differs from input 0 along another axis than {}", i, axis));
    shape[axis] += more;
  }
  return {{context.input(0).dtype, shape}};
}

void gradient_of_concat(GradientContext& context) {
  const auto rank = static_cast<std::int64_t>(context.graph.shape(context.output()).size());
  const std::int64_t axis = from_front(context.node.attributes.get_int("axis", 0), rank);
  std::int64_t start = 0;
  for (int i = 0; i < static_cast<int>(context.node.inputs.size()); ++i) {
    const std::int64_t end = start + context.graph.shape(context.input(i))[static_cast<std::size_t>(axis)];
    if (context.needs(i))
      context.set_gradient(
          i, context.emit("Slice", {context.output_gradient()},
                          {{"starts", Shape{start}}, {"ends", Shape{end}}, {"axes", Shape{axis}}}));
    start = end;
  }
}

void lower_concat(LowerContext& context) {
  const AxisShape whole = axis_shape(context.output_shape(), context.attributes().get_int("axis", 0));
  int position = 0;
  for (int i = 0; i < static_cast<int>(context.node.inputs.size()); ++i) {
    const AxisShape part = axis_shape(context.input_shape(i), context.attributes().get_int("axis", 0));
    const int piece = part.axis * part.inner;
    // Pieces that lie one behind the other are computed in place.
    if (piece != 0 && whole.outer == 1 && context.place_inside(i, 0, position)) {
      position += piece;
      continue;
    }
    // Later inputs are still read when the first call has written, so only the first may share bytes with the
    // output.
    if (piece != 0)
      call_copy(context, make_concat_shape(whole.outer, piece, whole.axis * whole.inner, position), i, 0,
                position == 0 && whole.outer != 1);
    position += piece;
  }
}

OpDef concat_row() {
  OpDef row{.name = "Concat", .min_inputs = 1, .max_inputs = -1};
  row.infer = infer_concat;
  row.gradient = gradient_of_concat;
  row.lower = lower_concat;
  row.move = {.moves = true, .all_inputs = true};
  row.layout.permute = permute_axis(0);
  return row;
}

// --- Split ---

/// Extents of the parts along the axis.
Shape split_extents(const Attributes& attributes, std::int64_t extent, int outputs) {
  if (attributes.has("split")) return attributes.get_ints("split", {});
  const std::int64_t count = attributes.get_int("num_outputs", outputs);
  const std::int64_t part = count > 0 ? (extent + count - 1) / count : 0;
  Shape parts;
  for (std::int64_t i = 0; i < count; ++i)
    parts.push_back(std::max<std::int64_t>(0, std::min(part, extent - i * part)));
  return parts;
}

std::vector<TensorType> infer_split(const TypeContext& context) {
  require_rank(context, 0, 1);
  const Shape& x = context.shape(0);
  const auto axis = static_cast<std::size_t>(
      context.axis(context.attributes().get_int("axis", 0), static_cast<std::int64_t>(x.size())));
  const Shape parts = split_extents(context.attributes(), x[axis], context.output_count());
  const bool negative = std::any_of(parts.begin(), parts.end(), [](std::int64_t part) { return part < 0; });
  if (negative || std::accumulate(parts.begin(), parts.end(), std::int64_t{0}) != x[axis])
    context.fail(fmt::format("parts [{}] do not add up to extent {} of axis {}", fmt::join(parts, ","),
                             x[axis], axis));
  std::vector<TensorType> types;
  for (std::int64_t part : parts) {
    types.push_back({context.input(0).dtype, x});
    types.back().shape[axis] = part;
  }
  return types;
}

void gradient_of_split(GradientContext& context) {
  std::vector<ValueId> parts;
  const DType dtype = context.type(context.input(0)).dtype;
  Shape x = context.graph.shape(context.input(0));
  const auto axis = static_cast<std::size_t>(
      from_front(context.node.attributes.get_int("axis", 0), static_cast<std::int64_t>(x.size())));
  const Shape extents =
      split_extents(context.node.attributes, x[axis], static_cast<int>(context.node.outputs.size()));
  for (std::size_t i = 0; i < extents.size(); ++i) {
    x[axis] = extents[i];
    const bool wanted =
        i < context.node.outputs.size() && context.output_gradient(static_cast<int>(i)) != no_value;
    const auto zeros = static_cast<std::size_t>(element_count(x));
    parts.push_back(wanted ? context.output_gradient(static_cast<int>(i))
                           : add_constant(context.graph, "zeros", dtype, x, std::vector<double>(zeros, 0.0)));
  }
  context.set_gradient(0, context.emit("Concat", parts, {{"axis", static_cast<std::int64_t>(axis)}}));
}

void lower_split(LowerContext& context) {
  const AxisShape whole = axis_shape(context.input_shape(0), context.attributes().get_int("axis", 0));
  const Shape extents =
      split_extents(context.attributes(), whole.axis, static_cast<int>(context.node.outputs.size()));
  int position = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const int piece = to_int(extents[i]) * whole.inner;
    const int o = static_cast<int>(i);
    if (context.has_output(o) && piece != 0)
      move(context, 0, o, make_split_shape(whole.outer, piece, whole.axis * whole.inner, position), false);
    position += piece;
  }
}

OpDef split_row() {
  OpDef row{.name = "Split", .max_outputs = -1};
  row.constant_operands = {{1, "split"}};
  row.infer = infer_split;
  row.gradient = gradient_of_split;
  row.lower = lower_split;
  row.move.moves = true;
  row.layout.permute = permute_axis(0);
  row.may_view = true;
  return row;
}

// --- DepthToSpace, SpaceToDepth: a Transpose of six axes ---

struct Blocks {
  Shape split;  // the input seen with six axes
  Shape perm;
};

Blocks blocks_of(const Node& node, const Shape& x) {
  const std::int64_t b = node.attributes.get_int("blocksize", 1);
  if (node.op->name == "SpaceToDepth") return {{x[0], x[1], x[2] / b, b, x[3] / b, b}, {0, 3, 5, 1, 2, 4}};
  if (node.attributes.get_string("mode", "DCR") == "CRD")
    return {{x[0], x[1] / (b * b), b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3}};
  return {{x[0], b, b, x[1] / (b * b), x[2], x[3]}, {0, 3, 4, 1, 5, 2}};
}

std::vector<TensorType> infer_blocks(const TypeContext& context) {
  require_rank(context, 0, 4, 4);
  const Shape& x = context.shape(0);
  const std::int64_t b = context.attributes().get_int("blocksize", 0);
  if (b < 1) context.fail(fmt::format("blocksize is {}", b));
  const bool to_depth = context.node.op->name == "SpaceToDepth";
  if (to_depth ? x[2] % b != 0 || x[3] % b != 0 : x[1] % (b * b) != 0)
    context.fail(fmt::format("blocksize {} does not divide the input", b));
  if (to_depth) return {{context.input(0).dtype, {x[0], x[1] * b * b, x[2] / b, x[3] / b}}};
  return {{context.input(0).dtype, {x[0], x[1] / (b * b), x[2] * b, x[3] * b}}};
}

void gradient_of_blocks(GradientContext& context) {
  const Shape x = context.graph.shape(context.input(0));
  const Blocks blocks = blocks_of(context.node, x);
  Shape permuted, inverse(6);
  for (std::size_t d = 0; d < 6; ++d) {
    permuted.push_back(blocks.split[static_cast<std::size_t>(blocks.perm[d])]);
    inverse[static_cast<std::size_t>(blocks.perm[d])] = static_cast<std::int64_t>(d);
  }
  const ValueId split = context.emit("Reshape", {context.output_gradient()}, {{"shape", permuted}});
  const ValueId moved = context.emit("Transpose", {split}, {{"perm", inverse}});
  context.set_gradient(0, context.emit("Reshape", {moved}, {{"shape", x}}));
}

OpDef blocks_row(const std::string& name) {
  OpDef row{.name = name};
  row.infer = infer_blocks;
  row.gradient = gradient_of_blocks;
  row.lower = [](LowerContext& context) {
    const Blocks blocks = blocks_of(context.node, context.input_shape(0));
    move(context, 0, 0, transpose_shape(blocks.split, blocks.perm));
  };
  row.move.moves = true;
  row.may_view = true;
  return row;
}

}  // namespace

namespace movement {

CopyShape transpose_shape(const Shape& x, const Shape& perm) {
  int axes[8] = {};
  for (std::size_t d = 0; d < perm.size(); ++d) axes[d] = static_cast<int>(perm[d]);
  return make_transpose_shape(operand_dims(x), axes);
}

void call_copy(LowerContext& context, const CopyShape& shape, int i, int o, bool may_overlap) {
  std::vector<LowerContext::Lead> leads;
  if (may_overlap) leads.push_back({o, i, copy_lead_x(shape)});
  context.call("runtime/move.h", "copy", {shape_argument("CopyShape", shape), context.in(i), context.out(o)},
               0, leads);
}

void move(LowerContext& context, int i, int o, const CopyShape& shape, bool may_overlap) {
  const bool contiguous =
      shape.rank == 1 && (shape.dims[0] == 1 || (shape.x_strides[0] == 1 && shape.y_strides[0] == 1));
  if (contiguous && shape.y_offset == 0) return context.view(o, i, shape.x_offset);
  call_copy(context, shape, i, o, may_overlap);
}

void call_fill(LowerContext& context, double value, int o) {
  const ElementwiseShape shape{to_int(element_count(context.output_shape(o)))};
  context.call("runtime/move.h", "fill",
               {shape_argument("ElementwiseShape", shape),
                context.number(value, context.output_type(o).dtype), context.out(o)});
}

}  // namespace movement

OpRows movement_ops() {
  return {transpose_row(), concat_row(), split_row(), blocks_row("DepthToSpace"), blocks_row("SpaceToDepth")};
}

}  // namespace tinytc
