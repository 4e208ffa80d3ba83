// Shape arithmetic: the few integer operators with which exporters compute the operands of Reshape, Slice,
// Expand and Resize from a tensor's shape. They must be known before the model has types, which is before the
// evaluator of the compiler (execute) can run; ONNX's own data propagation covers about half of them, and
// vectors only. Everything here is integers of at most kFoldLimit elements, under static shapes that ONNX's
// type inference has checked, and lists of floats as long as Resize's scales, which are only moved. Nothing of a
// model's arithmetic on data is done here.
#include <onnx/defs/tensor_proto_util.h>

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <map>
#include <set>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using Integers = std::vector<std::int64_t>;
using onnx::TensorProto;
using Folded = std::optional<Integers>;

constexpr std::int64_t kMostScales = 8;  // Resize has one for each dimension

bool is_integer(int elem_type) {
  return elem_type == TensorProto::INT64 || elem_type == TensorProto::INT32 || elem_type == TensorProto::BOOL;
}

bool is_real(int elem_type) { return elem_type == TensorProto::FLOAT || elem_type == TensorProto::DOUBLE; }

/// Operators that move elements and do not look at them.
bool moves(const std::string& op) {
  static const std::set<std::string> movers = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Gather", "Slice", "Transpose"};
  return movers.count(op) != 0;
}

/// The bits of each float, to be moved like integers.
Integers bits_of(const TensorProto& tensor) {
  Integers out;
  for (const float number : onnx::ParseData<float>(&tensor)) out.push_back(std::bit_cast<std::int32_t>(number));
  return out;
}

/// Floats cast to integers, as older exporters do with shapes; none if one is out of range.
Integers truncated(const TensorProto& tensor) {
  std::vector<double> numbers;
  if (tensor.data_type() == TensorProto::DOUBLE) {
    numbers = onnx::ParseData<double>(&tensor);
  } else {
    const std::vector<float> narrow = onnx::ParseData<float>(&tensor);
    numbers.assign(narrow.begin(), narrow.end());
  }
  Integers out;
  for (const double number : numbers) {
    if (!(number > -9.0e15 && number < 9.0e15)) return {};
    out.push_back(static_cast<std::int64_t>(number));
  }
  return out;
}

// Wrapping arithmetic through unsigned: hostile files must not overflow.
std::int64_t wrap(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t bits(std::int64_t number) { return static_cast<std::uint64_t>(number); }

using Scalar = std::optional<std::int64_t>;
using Binary = Scalar (*)(std::int64_t, std::int64_t);

/// Element-wise operators: nullopt where the result is not defined. Integer division truncates; Mod has the
/// sign of the divisor.
Binary binary_operator(const std::string& op) {
  static const std::map<std::string, Binary> table = {
      {"Add", [](std::int64_t a, std::int64_t b) -> Scalar { return wrap(bits(a) + bits(b)); }},
      {"Sub", [](std::int64_t a, std::int64_t b) -> Scalar { return wrap(bits(a) - bits(b)); }},
      {"Mul", [](std::int64_t a, std::int64_t b) -> Scalar { return wrap(bits(a) * bits(b)); }},
      {"Div",
       [](std::int64_t a, std::int64_t b) -> Scalar {
         if (b == 0) return std::nullopt;
         return b == -1 ? wrap(0 - bits(a)) : a / b;
       }},
      {"Mod",
       [](std::int64_t a, std::int64_t b) -> Scalar {
         if (b == 0) return std::nullopt;
         const std::int64_t rest = b == -1 ? 0 : a % b;
         return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
       }},
      {"Min", [](std::int64_t a, std::int64_t b) -> Scalar { return std::min(a, b); }},
      {"Max", [](std::int64_t a, std::int64_t b) -> Scalar { return std::max(a, b); }},
      {"Equal", [](std::int64_t a, std::int64_t b) -> Scalar { return a == b; }},
      {"Less", [](std::int64_t a, std::int64_t b) -> Scalar { return a < b; }},
      {"LessOrEqual", [](std::int64_t a, std::int64_t b) -> Scalar { return a <= b; }},
      {"Greater", [](std::int64_t a, std::int64_t b) -> Scalar { return a > b; }},
      {"GreaterOrEqual", [](std::int64_t a, std::int64_t b) -> Scalar { return a >= b; }},
      {"And", [](std::int64_t a, std::int64_t b) -> Scalar { return a != 0 && b != 0; }},
      {"Or", [](std::int64_t a, std::int64_t b) -> Scalar { return a != 0 || b != 0; }},
      {"Xor", [](std::int64_t a, std::int64_t b) -> Scalar { return (a != 0) != (b != 0); }},
  };
  const auto found = table.find(op);
  return found == table.end() ? nullptr : found->second;
}

/// The element of `operand` that numpy's broadcasting puts at position `i` of a result of shape `shape`.
std::int64_t broadcast(const SmallTensor& operand, const Integers& shape, std::int64_t i) {
  std::int64_t position = 0, stride = 1;
  for (std::size_t back = 1; back <= shape.size(); ++back) {
    const std::int64_t extent = shape[shape.size() - back];
    const std::int64_t at = i % extent;
    i /= extent;
    if (back > operand.shape.size()) continue;
    const std::int64_t own = operand.shape[operand.shape.size() - back];
    if (own != 1) position += at * stride;
    stride *= own;
  }
  return operand.elements[static_cast<std::size_t>(position)];
}

Folded fold_binary(Binary rule, const std::vector<SmallTensor>& operands, const Integers& shape,
                   std::int64_t count) {
  Integers out;
  for (std::int64_t i = 0; i < count; ++i) {
    Scalar sum = broadcast(operands[0], shape, i);
    for (std::size_t k = 1; k < operands.size() && sum; ++k)
      sum = rule(*sum, broadcast(operands[k], shape, i));
    if (!sum) return std::nullopt;
    out.push_back(*sum);
  }
  return out;
}

Folded fold_where(const std::vector<SmallTensor>& operands, const Integers& shape, std::int64_t count) {
  Integers out;
  for (std::int64_t i = 0; i < count; ++i)
    out.push_back(broadcast(operands[broadcast(operands[0], shape, i) != 0 ? 1 : 2], shape, i));
  return out;
}

/// Reductions to one element; the axes do not matter then.
Folded fold_reduce(const std::string& op, const Integers& all, std::int64_t count) {
  if (count != 1 || all.empty()) return std::nullopt;
  const Binary rule = binary_operator(op == "ReduceProd"  ? "Mul"
                                      : op == "ReduceSum" ? "Add"
                                      : op == "ReduceMax" ? "Max"
                                                          : "Min");
  std::int64_t sum = all[0];
  for (std::size_t i = 1; i < all.size(); ++i) sum = *rule(sum, all[i]);
  return Integers{sum};
}

Folded fold_range(const std::vector<SmallTensor>& operands, std::int64_t count) {
  Integers out;
  for (std::int64_t i = 0; i < count; ++i)
    out.push_back(wrap(bits(operands[0].elements[0]) + bits(i) * bits(operands[2].elements[0])));
  return out;
}

Folded fold_unary(const std::string& op, Integers elements) {
  for (auto& number : elements)
    number = op == "Not" ? static_cast<std::int64_t>(number == 0) : wrap(0 - bits(number));
  return elements;
}

bool is_one_of(const std::string& op, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return op == name; });
}

/// The inputs that are data; the others say how to move it and were used by type inference already.
Folded fold_elements(const onnx::NodeProto& node, const std::vector<SmallTensor>& operands,
                     const Integers& shape, std::int64_t count) {
  const std::string& op = node.op_type();
  if (operands.empty()) return std::nullopt;
  if (count == 0) return Integers();
  const Integers& first = operands[0].elements;
  if (is_one_of(op, {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast"})) return first;
  if (op == "Mod" && node.attribute_size() > 0 && node.attribute(0).i() != 0)
    return std::nullopt;  // fmod: another sign rule
  if (const Binary rule = binary_operator(op)) return fold_binary(rule, operands, shape, count);
  if (is_one_of(op, {"ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin"}))
    return fold_reduce(op, first, count);
  if (op == "Where") return fold_where(operands, shape, count);
  if (op == "Range") return fold_range(operands, count);
  if (op == "Not" || op == "Neg") return fold_unary(op, first);
  if (op == "Expand") return fold_binary(binary_operator("Add"), {operands[0]}, shape, count);
  return fold_move(node, operands, shape, count);
}

/// Shape and Size need the type of their input only.
Folded fold_shape(const onnx::NodeProto& node, const FlatModel& known) {
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
std::optional<TensorProto> fold_constant_of_shape(const onnx::NodeProto& node, const onnx::TypeProto& output,
                                                  std::int64_t count) {
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
    else if (elem_type == TensorProto::FLOAT)
      tensor.add_float_data(std::bit_cast<float>(static_cast<std::int32_t>(number)));
    else
      tensor.add_int32_data(elem_type == TensorProto::BOOL ? static_cast<int>(number != 0)
                                                           : static_cast<std::int32_t>(number));
  }
  return tensor;
}

std::optional<TensorProto> fold_shape_arithmetic(const onnx::NodeProto& node, const FlatModel& known,
                                                 const onnx::TypeProto& output) {
  const std::int64_t count = element_count(output);
  if (!node.domain().empty() || count < 0) return std::nullopt;
  if (const auto tensor = fold_constant_of_shape(node, output, count)) return tensor;
  const int elem_type = output.tensor_type().elem_type();
  const bool is_list = elem_type == TensorProto::FLOAT && count <= kMostScales && moves(node.op_type());
  if (count > kFoldLimit || !(is_integer(elem_type) || is_list)) return std::nullopt;
  Integers shape;
  for (const auto& dim : output.tensor_type().shape().dim()) shape.push_back(dim.dim_value());
  if (const auto extents = fold_shape(node, known)) return make_tensor(elem_type, shape, *extents);
  std::vector<SmallTensor> operands;
  for (const auto& name : node.input()) {
    if (name.empty()) return std::nullopt;
    const auto constant = known.constants.find(name);
    if (constant == known.constants.end()) return std::nullopt;
    const bool is_cast = node.op_type() == "Cast" && is_real(constant->second->data_type());
    const bool is_moved = is_list && constant->second->data_type() == TensorProto::FLOAT;
    if (!is_cast && !is_moved && !is_integer(constant->second->data_type())) return std::nullopt;
    const std::int64_t elements = element_count(*known.types.at(name));
    if (elements < 0 || elements > kFoldLimit) return std::nullopt;
    operands.push_back({{constant->second->dims().begin(), constant->second->dims().end()},
                        is_cast    ? truncated(*constant->second)
                        : is_moved ? bits_of(*constant->second)
                                   : integers_of(*constant->second)});
    if (static_cast<std::int64_t>(operands.back().elements.size()) != elements) return std::nullopt;
  }
  const Folded elements = fold_elements(node, operands, shape, count);
  if (!elements || static_cast<std::int64_t>(elements->size()) != count) return std::nullopt;
  return make_tensor(elem_type, shape, *elements);
}

}  // namespace tinytc::importer
