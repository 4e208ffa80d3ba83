// Shape arithmetic that moves elements: for each position of the output, where in which input it comes from.
// See import_onnx_fold.cpp.
#include <algorithm>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using Integers = std::vector<std::int64_t>;
using Folded = std::optional<Integers>;

std::int64_t axis_of(const onnx::NodeProto& node, std::int64_t rank) {
  std::int64_t axis = 0;
  for (const auto& attribute : node.attribute())
    if (attribute.name() == "axis") axis = attribute.i();
  return axis < 0 ? axis + rank : axis;
}

/// Coordinates of position `i`, row-major.
Integers coordinates(std::int64_t i, const Integers& shape) {
  Integers at(shape.size());
  for (std::size_t k = shape.size(); k-- > 0; i /= shape[k]) at[k] = i % shape[k];
  return at;
}

/// The element at `at`; nullopt outside.
std::optional<std::int64_t> element(const SmallTensor& tensor, const Integers& at) {
  std::int64_t i = 0;
  for (std::size_t k = 0; k < tensor.shape.size(); ++k) {
    if (at[k] < 0 || at[k] >= tensor.shape[k]) return std::nullopt;
    i = i * tensor.shape[k] + at[k];
  }
  return tensor.elements[static_cast<std::size_t>(i)];
}

/// Collects element(source(coordinates)) over all positions of the output.
template <typename Source>
Folded collect(const Integers& shape, std::int64_t count, const Source& source) {
  Integers out;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::optional<std::int64_t> number = source(coordinates(i, shape));
    if (!number) return std::nullopt;
    out.push_back(*number);
  }
  return out;
}

Folded fold_gather(const onnx::NodeProto& node, const std::vector<SmallTensor>& operands,
                   const Integers& shape, std::int64_t count) {
  const SmallTensor& data = operands[0];
  const SmallTensor& indices = operands[1];
  const auto axis = axis_of(node, static_cast<std::int64_t>(data.shape.size()));
  const auto inner = static_cast<std::ptrdiff_t>(indices.shape.size());
  return collect(shape, count, [&](const Integers& at) -> std::optional<std::int64_t> {
    auto index = element(indices, {at.begin() + axis, at.begin() + axis + inner});
    if (!index) return std::nullopt;
    Integers from(at.begin(), at.begin() + axis);
    from.push_back(*index < 0 ? *index + data.shape[static_cast<std::size_t>(axis)] : *index);
    from.insert(from.end(), at.begin() + axis + inner, at.end());
    return element(data, from);
  });
}

Folded fold_slice(const std::vector<SmallTensor>& operands, const Integers& shape, std::int64_t count) {
  const SmallTensor& data = operands[0];
  const auto rank = static_cast<std::int64_t>(data.shape.size());
  Integers first(data.shape.size(), 0), step(data.shape.size(), 1);
  const Integers& starts = operands[1].elements;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    std::int64_t axis = operands.size() > 3 ? operands[3].elements[k] : static_cast<std::int64_t>(k);
    axis = axis < 0 ? axis + rank : axis;
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t extent = data.shape[a];
    step[a] = operands.size() > 4 ? operands[4].elements[k] : 1;
    const std::int64_t start = starts[k] < 0 ? starts[k] + extent : starts[k];
    first[a] = step[a] > 0 ? std::clamp<std::int64_t>(start, 0, extent)
                           : std::clamp<std::int64_t>(start, -1, extent - 1);
  }
  return collect(shape, count, [&](const Integers& at) {
    Integers from(at);
    for (std::size_t k = 0; k < from.size(); ++k) from[k] = first[k] + at[k] * step[k];
    return element(data, from);
  });
}

Folded fold_transpose(const onnx::NodeProto& node, const SmallTensor& data, const Integers& shape,
                      std::int64_t count) {
  Integers order;
  for (const auto& attribute : node.attribute())
    if (attribute.name() == "perm") order.assign(attribute.ints().begin(), attribute.ints().end());
  for (std::size_t k = order.size(); k < data.shape.size(); ++k)
    order.push_back(static_cast<std::int64_t>(data.shape.size() - 1 - k));
  return collect(shape, count, [&](const Integers& at) {
    Integers from(at);
    for (std::size_t k = 0; k < order.size(); ++k) from[static_cast<std::size_t>(order[k])] = at[k];
    return element(data, from);
  });
}

Folded fold_concat(const onnx::NodeProto& node, const std::vector<SmallTensor>& operands,
                   const Integers& shape, std::int64_t count) {
  const auto axis = static_cast<std::size_t>(axis_of(node, static_cast<std::int64_t>(shape.size())));
  return collect(shape, count, [&](Integers at) -> std::optional<std::int64_t> {
    for (const SmallTensor& operand : operands) {
      if (at[axis] < operand.shape[axis]) return element(operand, at);
      at[axis] -= operand.shape[axis];
    }
    return std::nullopt;
  });
}

}  // namespace

Folded fold_move(const onnx::NodeProto& node, const std::vector<SmallTensor>& operands, const Integers& shape,
                 std::int64_t count) {
  const std::string& op = node.op_type();
  if (op == "Gather") return fold_gather(node, operands, shape, count);
  if (op == "Slice") return fold_slice(operands, shape, count);
  if (op == "Transpose") return fold_transpose(node, operands[0], shape, count);
  if (op == "Concat") return fold_concat(node, operands, shape, count);
  return std::nullopt;
}

}  // namespace tinytc::importer
