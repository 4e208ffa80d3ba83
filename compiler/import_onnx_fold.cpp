// Shape arithmetic: the few integer operators with which exporters compute the operands of Reshape, Slice, Expand and Resize from a
// tensor's shape. They must be known before the model has types, which is before the evaluator of the compiler (execute) can run; ONNX's
// own data propagation, tried first, covers Shape, Gather, Slice, Concat, Squeeze, Unsqueeze, Cast, Add, Sub and Mul only.
// Everything here is integers of at most kFoldLimit elements. Nothing of a model's arithmetic on data is done here.
#include <onnx/defs/tensor_proto_util.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using Integers = std::vector<std::int64_t>;
using onnx::TensorProto;

bool is_integer(int elem_type) {
  return elem_type == TensorProto::INT64 || elem_type == TensorProto::INT32 || elem_type == TensorProto::BOOL;
}

/// Operands of one node.
struct Operands {
  std::vector<Integers> elements;
};

using Result = std::optional<Integers>;

// Wrapping arithmetic through unsigned: hostile files must not overflow.
std::int64_t wrap(std::uint64_t number) { return static_cast<std::int64_t>(number); }

/// Element-wise operators: nullopt where the result is not defined.
using Scalar = std::optional<std::int64_t>;
const std::map<std::string, std::function<Scalar(std::int64_t, std::int64_t)>>& binary_operators() {
  static const std::map<std::string, std::function<Scalar(std::int64_t, std::int64_t)>> table = {
      {"Add", [](auto a, auto b) { return wrap(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b)); }},
      {"Sub", [](auto a, auto b) { return wrap(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)); }},
      {"Mul", [](auto a, auto b) { return wrap(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b)); }},
      {"Div", [](auto a, auto b) { return b == 0 || b == -1 ? (b == 0 ? Scalar() : Scalar(wrap(0 - static_cast<std::uint64_t>(a)))) : Scalar(a / b); }},
      {"Mod", [](auto a, auto b) { return b == 0 || b == -1 ? (b == 0 ? Scalar() : Scalar(0)) : Scalar((a % b + b) % b); }},
      {"Min", [](auto a, auto b) { return std::min(a, b); }},
      {"Max", [](auto a, auto b) { return std::max(a, b); }},
      {"Equal", [](auto a, auto b) { return a == b; }},
      {"Less", [](auto a, auto b) { return a < b; }},
      {"LessOrEqual", [](auto a, auto b) { return a <= b; }},
      {"Greater", [](auto a, auto b) { return a > b; }},
      {"GreaterOrEqual", [](auto a, auto b) { return a >= b; }},
      {"And", [](auto a, auto b) { return a != 0 && b != 0; }},
      {"Or", [](auto a, auto b) { return a != 0 || b != 0; }},
      {"Xor", [](auto a, auto b) { return (a != 0) != (b != 0); }},
  };
  return table;
}

/// Only operands that need no real broadcasting: one element, or all of the output's.
const std::int64_t* at(const Integers& operand, std::size_t i, std::size_t count) {
  if (operand.size() == count) return &operand[i];
  return operand.size() == 1 ? &operand[0] : nullptr;
}

Result fold_binary(const std::string& op, const Operands& operands, std::size_t count) {
  const auto& rule = binary_operators().at(op);
  Integers out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto* first = at(operands.elements[0], i, count);
    if (first == nullptr) return std::nullopt;
    Scalar sum = *first;
    for (std::size_t k = 1; k < operands.elements.size() && sum; ++k) {
      const auto* next = at(operands.elements[k], i, count);
      sum = next == nullptr ? Scalar() : rule(*sum, *next);
    }
    if (!sum) return std::nullopt;
    out[i] = *sum;
  }
  return out;
}

Result fold_where(const Operands& operands, std::size_t count) {
  if (operands.elements.size() != 3) return std::nullopt;
  Integers out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto* condition = at(operands.elements[0], i, count);
    const auto* yes = at(operands.elements[1], i, count);
    const auto* no = at(operands.elements[2], i, count);
    if (condition == nullptr || yes == nullptr || no == nullptr) return std::nullopt;
    out[i] = *condition != 0 ? *yes : *no;
  }
  return out;
}

/// Reductions to one element; the axes do not matter then.
Result fold_reduce(const std::string& op, const Integers& all, std::size_t count) {
  if (count != 1 || all.empty()) return std::nullopt;
  const std::string name = op == "ReduceProd" ? "Mul" : op == "ReduceSum" ? "Add" : op == "ReduceMax" ? "Max" : "Min";
  const auto& rule = binary_operators().at(name);
  std::int64_t sum = all[0];
  for (std::size_t i = 1; i < all.size(); ++i) sum = *rule(sum, all[i]);
  return Integers{sum};
}

Result fold_range(const Operands& operands, std::size_t count) {
  if (operands.elements.size() != 3 || operands.elements[0].size() != 1 || operands.elements[2].size() != 1) return std::nullopt;
  Integers out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = wrap(static_cast<std::uint64_t>(operands.elements[0][0]) + i * static_cast<std::uint64_t>(operands.elements[2][0]));
  return out;
}

/// Operators that keep the elements and change the shape.
bool keeps_elements(const std::string& op) {
  static const std::unordered_set<std::string> names = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast"};
  return names.count(op) != 0;
}

bool is_reduction(const std::string& op) {
  return op == "ReduceProd" || op == "ReduceSum" || op == "ReduceMax" || op == "ReduceMin";
}

Result fold_elements(const onnx::NodeProto& node, const Operands& operands, std::size_t count) {
  const std::string& op = node.op_type();
  if (operands.elements.empty()) return std::nullopt;
  const Integers& first = operands.elements[0];
  if (keeps_elements(op)) return first.size() == count ? Result(first) : std::nullopt;
  if (op == "Mod" && node.attribute_size() > 0 && node.attribute(0).i() != 0) return std::nullopt;  // fmod: another sign rule
  if (binary_operators().count(op) != 0) return fold_binary(op, operands, count);
  if (is_reduction(op)) return fold_reduce(op, first, count);
  if (op == "Where") return fold_where(operands, count);
  if (op == "Range") return fold_range(operands, count);
  if (op == "Expand" && first.size() == 1) return Integers(count, first[0]);
  if (op == "Not" || op == "Neg") {
    Integers out(first);
    for (auto& number : out) number = op == "Not" ? static_cast<std::int64_t>(number == 0) : wrap(0 - static_cast<std::uint64_t>(number));
    return out;
  }
  return std::nullopt;
}

/// Shape and Size need the type of their input only.
Result fold_shape(const onnx::NodeProto& node, const FlatModel& known) {
  if (node.op_type() != "Shape" && node.op_type() != "Size") return std::nullopt;
  const onnx::TypeProto& type = *known.types.at(node.input(0));
  const std::int64_t count = element_count(type);
  if (count < 0) return std::nullopt;
  if (node.op_type() == "Size") return Integers{count};
  Integers extents;
  for (const auto& dim : type.tensor_type().shape().dim()) extents.push_back(dim.dim_value());
  const auto rank = static_cast<std::int64_t>(extents.size());
  std::int64_t start = 0, end = rank;
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == "start") start = attribute.i();
    if (attribute.name() == "end") end = attribute.i();
  }
  start = std::clamp<std::int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<std::int64_t>(end < 0 ? end + rank : end, start, rank);
  return Integers(extents.begin() + start, extents.begin() + end);
}

/// ConstantOfShape of any element type; its value is one element that is repeated.
std::optional<TensorProto> fold_constant_of_shape(const onnx::NodeProto& node, const onnx::TypeProto& output, std::int64_t count) {
  if (node.op_type() != "ConstantOfShape" || count > (1 << 16)) return std::nullopt;
  TensorProto value;
  value.set_data_type(TensorProto::FLOAT);
  value.add_float_data(0.0F);
  for (const auto& attribute : node.attribute())
    if (attribute.name() == "value") value = attribute.t();
  TensorProto result;
  result.set_data_type(value.data_type());
  for (const auto& dim : output.tensor_type().shape().dim()) result.add_dims(dim.dim_value());
  for (std::int64_t i = 0; i < count; ++i) {
    if (value.has_raw_data()) result.mutable_raw_data()->append(value.raw_data());
    result.mutable_float_data()->MergeFrom(value.float_data());
    result.mutable_int32_data()->MergeFrom(value.int32_data());
    result.mutable_int64_data()->MergeFrom(value.int64_data());
    result.mutable_double_data()->MergeFrom(value.double_data());
    result.mutable_uint64_data()->MergeFrom(value.uint64_data());
  }
  return result;
}

}  // namespace

std::vector<std::int64_t> integers_of(const TensorProto& tensor) {
  Integers out;
  if (tensor.data_type() == TensorProto::INT64) {
    out = onnx::ParseData<std::int64_t>(&tensor);
  } else if (tensor.data_type() == TensorProto::INT32) {
    for (const auto number : onnx::ParseData<std::int32_t>(&tensor)) out.push_back(number);
  } else if (tensor.has_raw_data()) {
    for (const char c : tensor.raw_data()) out.push_back(c != 0 ? 1 : 0);
  } else {
    for (const auto number : tensor.int32_data()) out.push_back(number != 0 ? 1 : 0);
  }
  return out;
}

TensorProto make_tensor(int elem_type, const Integers& shape, const Integers& elements) {
  TensorProto tensor;
  tensor.set_data_type(elem_type);
  for (const auto extent : shape) tensor.add_dims(extent);
  for (const auto number : elements) {
    if (elem_type == TensorProto::INT64)
      tensor.add_int64_data(number);
    else
      tensor.add_int32_data(elem_type == TensorProto::BOOL ? static_cast<int>(number != 0) : static_cast<std::int32_t>(number));
  }
  return tensor;
}

std::optional<TensorProto> fold_shape_arithmetic(const onnx::NodeProto& node, const FlatModel& known, const onnx::TypeProto& output) {
  const std::int64_t count = element_count(output);
  if (!node.domain().empty() || count < 0) return std::nullopt;
  if (const auto tensor = fold_constant_of_shape(node, output, count)) return tensor;
  const int elem_type = output.tensor_type().elem_type();
  if (count > kFoldLimit || !is_integer(elem_type)) return std::nullopt;
  Integers shape;
  for (const auto& dim : output.tensor_type().shape().dim()) shape.push_back(dim.dim_value());
  if (const auto extents = fold_shape(node, known)) return make_tensor(elem_type, shape, *extents);
  Operands operands;
  for (const auto& name : node.input()) {
    if (name.empty()) continue;
    const auto constant = known.constants.find(name);
    if (constant == known.constants.end() || !is_integer(constant->second->data_type())) return std::nullopt;
    if (element_count(*known.types.at(name)) > kFoldLimit) return std::nullopt;
    operands.elements.push_back(integers_of(*constant->second));
  }
  const Result elements = fold_elements(node, operands, static_cast<std::size_t>(count));
  if (!elements || static_cast<std::int64_t>(elements->size()) != count) return std::nullopt;
  return make_tensor(elem_type, shape, *elements);
}

}  // namespace tinytc::importer
