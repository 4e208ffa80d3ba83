// Builds the Graph from the flattened model: values from names, bytes from tensors, attributes, roles.
#include <fmt/format.h>
#include <onnx/defs/tensor_proto_util.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "compiler/import_onnx_steps.h"
#include "compiler/op.h"

namespace tinytc::importer {

namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

struct TypeName {
  int onnx;
  const char* name;            // as in messages
  std::optional<DType> dtype;  // nullopt: known, but no type of a microcontroller's arithmetic
};

const std::vector<TypeName>& type_names() {
  static const std::vector<TypeName> table = {
      {TensorProto::FLOAT, "f32", DType::f32},
      {TensorProto::DOUBLE, "f64", DType::f64},
      {TensorProto::INT8, "i8", DType::i8},
      {TensorProto::UINT8, "u8", DType::u8},
      {TensorProto::INT16, "i16", DType::i16},
      {TensorProto::UINT16, "u16", DType::u16},
      {TensorProto::INT32, "i32", DType::i32},
      {TensorProto::UINT32, "u32", DType::u32},
      {TensorProto::INT64, "i64", DType::i64},
      {TensorProto::UINT64, "u64", DType::u64},
      {TensorProto::BOOL, "bool", DType::boolean},
      {TensorProto::FLOAT16, "float16", std::nullopt},
      {TensorProto::BFLOAT16, "bfloat16", std::nullopt},
      {TensorProto::STRING, "string", std::nullopt},
      {TensorProto::COMPLEX64, "complex64", std::nullopt},
      {TensorProto::COMPLEX128, "complex128", std::nullopt},
  };
  return table;
}

const TypeName* find_type(int onnx) {
  for (const auto& row : type_names())
    if (row.onnx == onnx) return &row;
  return nullptr;
}

std::string type_name(int onnx) {
  const TypeName* row = find_type(onnx);
  if (row != nullptr) return row->name;
  const std::string name =
      onnx::TensorProto_DataType_IsValid(onnx)
          ? onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(onnx))
          : fmt::format("type {}", onnx);
  return name;
}

template <typename T, typename Source>
std::vector<std::byte> pack(const Source& elements) {
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<std::size_t>(elements.size()) * sizeof(T));
  for (const auto element : elements) {
    const T number = static_cast<T>(element);
    const auto* first = reinterpret_cast<const std::byte*>(&number);
    bytes.insert(bytes.end(), first, first + sizeof(T));
  }
  return bytes;
}

/// Elements in row-major order. The checker saw that the tensor holds as many as its shape says.
std::vector<std::byte> bytes_of(const TensorProto& tensor, DType dtype) {
  if (tensor.has_raw_data()) {
    const auto* first = reinterpret_cast<const std::byte*>(tensor.raw_data().data());
    return {first, first + tensor.raw_data().size()};
  }
  switch (dtype) {
    case DType::f32:
      return pack<float>(tensor.float_data());
    case DType::f64:
      return pack<double>(tensor.double_data());
    case DType::i8:
      return pack<std::int8_t>(tensor.int32_data());
    case DType::u8:
      return pack<std::uint8_t>(tensor.int32_data());
    case DType::i16:
      return pack<std::int16_t>(tensor.int32_data());
    case DType::u16:
      return pack<std::uint16_t>(tensor.int32_data());
    case DType::i32:
      return pack<std::int32_t>(tensor.int32_data());
    case DType::u32:
      return pack<std::uint32_t>(tensor.uint64_data());
    case DType::i64:
      return pack<std::int64_t>(tensor.int64_data());
    case DType::u64:
      return pack<std::uint64_t>(tensor.uint64_data());
    case DType::boolean:
      return pack<std::uint8_t>(tensor.int32_data());
  }
  throw InternalError("unknown element type");
}

struct Builder {
  const FlatModel& flat;
  Graph graph = {};
  std::unordered_map<std::string, ValueId> ids = {};
  std::unordered_set<std::string> wanted = {};  // names that a node reads or that are outputs
  ErrorList errors = {};
  const FlatNode* only = nullptr;  // the one node at hand, which `flat` does not have yet
  bool is_sound = true;  // every value so far has its type and every node its operands: type rules can run
};

/// Where a name stands: the first node that reads it, or else the one that computes it.
std::string place_of(const Builder& builder, const std::string& name) {
  if (builder.only != nullptr) return "\n  read by " + tinytc::describe(builder.only->location);
  const auto line = [&](const char* what, const auto& names_of) -> std::string {
    for (const FlatNode& node : builder.flat.nodes) {
      const auto& names = names_of(node.proto);
      if (std::find(names.begin(), names.end(), name) != names.end()) return fmt::format("\n  {} by {}", what, tinytc::describe(node.location));
    }
    return {};
  };
  const std::string read = line("read", [](const auto& proto) -> const auto& { return proto.input(); });
  return read.empty() ? line("computed", [](const auto& proto) -> const auto& { return proto.output(); }) : read;
}

/// What to do about a type that nothing computes with.
std::string hint_for(int type) {
  if (type == TensorProto::FLOAT16 || type == TensorProto::BFLOAT16) return "\n  hint: export the model in float32";
  const std::string name = type_name(type);
  const bool is_quantized = name.starts_with("INT") || name.starts_with("UINT") || name.starts_with("FLOAT");  // other widths have a row
  return is_quantized ? "\n  hint: quantize to int8 or uint8" : "";
}

/// The Graph's type of a name; adds an error, and answers f32, where there is none.
TensorType type_of(Builder& builder, const std::string& name) {
  const auto& tensor = builder.flat.types.at(name)->tensor_type();
  TensorType type;
  const TypeName* row = find_type(tensor.elem_type());
  if (row != nullptr && row->dtype) {
    type.dtype = *row->dtype;
  } else {
    builder.is_sound = false;
    builder.errors.add(fmt::format("'{}' is of type {}, which is not supported{}{}", printable(name), type_name(tensor.elem_type()),
                                   place_of(builder, name), hint_for(tensor.elem_type())));
  }
  for (const auto& dim : tensor.shape().dim()) type.shape.push_back(dim.dim_value());
  return type;
}

ValueId value_of(Builder& builder, const std::string& name) {
  if (name.empty()) return no_value;
  const auto found = builder.ids.find(name);
  if (found != builder.ids.end()) return found->second;
  const auto renamed = builder.flat.names.find(name);
  Value value{.name = renamed == builder.flat.names.end() ? name : renamed->second,
              .type = type_of(builder, name)};
  const auto constant = builder.flat.constants.find(name);
  if (constant != builder.flat.constants.end()) {
    const bool is_parameter = builder.flat.initializers.count(name) != 0 && is_float(value.type.dtype);
    value.role = is_parameter ? Role::parameter : Role::constant;
    value.data = bytes_of(*constant->second, value.type.dtype);
    const auto expected = static_cast<std::size_t>(byte_count(value.type));
    if (value.data.size() != expected && builder.is_sound)
      builder.errors.add(fmt::format("initializer '{}' holds {} bytes, but {} has {}", printable(name),
                                     value.data.size(), describe(value.type), expected));
  }
  const ValueId id = add_value(builder.graph, std::move(value));
  builder.ids.emplace(name, id);
  return id;
}

std::optional<Attribute> attribute_value(const AttributeProto& attribute) {
  switch (attribute.type()) {
    case AttributeProto::INT:
      return attribute.i();
    case AttributeProto::FLOAT:
      return static_cast<double>(attribute.f());
    case AttributeProto::STRING:
      return attribute.s();
    case AttributeProto::INTS:
      return std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end());
    case AttributeProto::FLOATS:
      return std::vector<double>(attribute.floats().begin(), attribute.floats().end());
    case AttributeProto::STRINGS:
      return std::vector<std::string>(attribute.strings().begin(), attribute.strings().end());
    default:
      return std::nullopt;
  }
}

Attributes attributes_of(Builder& builder, const FlatNode& node) {
  Attributes attributes;
  for (const auto& attribute : node.proto.attribute()) {
    auto value = attribute_value(attribute);
    if (value)
      attributes.set(attribute.name(), std::move(*value));
    else
      builder.errors.add(node_message(
          node.location,
          fmt::format("its attribute '{}' is of a kind that is not supported", printable(attribute.name()))));
  }
  return attributes;
}

/// A known operand as attribute: a list or a scalar, of integers or floats.
Attribute operand_attribute(const Value& value, const ConstantOperand& operand) {
  if (operand.is_float) {
    const std::vector<double> numbers = numbers_of(value);
    if (operand.is_list) return numbers;
    return numbers.empty() ? 0.0 : numbers[0];
  }
  const std::vector<std::int64_t> numbers = tinytc::integers_of(value);
  if (operand.is_list) return numbers;
  return numbers.empty() ? 0 : numbers[0];
}

/// Turns operands that newer opsets take as inputs into attributes. The target shape of Reshape and Expand is
/// that of the output, which is known even where the operand is computed.
void take_operands(Builder& builder, const FlatNode& flat, Node& node) {
  for (const ConstantOperand& operand : node.op->constant_operands) {
    const auto i = static_cast<std::size_t>(operand.input);
    if (i >= static_cast<std::size_t>(flat.proto.input_size()) || flat.proto.input(operand.input).empty())
      continue;
    const std::string& name = flat.proto.input(operand.input);
    node.inputs[i] = no_value;
    if (operand.attribute == "shape" && builder.flat.types.count(flat.proto.output(0)) != 0) {
      node.attributes.set("shape", type_of(builder, flat.proto.output(0)).shape);
      continue;
    }
    const auto constant = builder.flat.constants.find(name);
    if (constant == builder.flat.constants.end()) {
      builder.is_sound = false;
      builder.errors.add(
          node_message(flat.location, fmt::format("its operand '{}' ({}) must be known at compile time",
                                                  printable(name), operand.attribute)));
      continue;
    }
    Value value{.name = name, .type = type_of(builder, name)};
    value.data = bytes_of(*constant->second, value.type.dtype);
    if (value.data.size() != static_cast<std::size_t>(byte_count(value.type))) {
      builder.is_sound = false;
      builder.errors.add(
          node_message(flat.location, fmt::format("its operand '{}' is damaged", printable(name))));
      continue;
    }
    node.attributes.set(operand.attribute, operand_attribute(value, operand));
  }
}

bool is_operand(const OpDef& op, int input) {
  return std::any_of(op.constant_operands.begin(), op.constant_operands.end(),
                     [&](const ConstantOperand& operand) { return operand.input == input; });
}

/// The node without its outputs.
Node make_node(Builder& builder, const FlatNode& flat) {
  Node node;
  node.op = find_op(flat.proto.op_type());
  node.location = flat.location;
  for (int i = 0; i < flat.proto.input_size(); ++i)
    node.inputs.push_back(is_operand(*node.op, i) ? no_value : value_of(builder, flat.proto.input(i)));
  node.attributes = attributes_of(builder, flat);
  take_operands(builder, flat, node);
  while (!node.inputs.empty() && node.inputs.back() == no_value) node.inputs.pop_back();
  const int inputs = static_cast<int>(node.inputs.size());
  if (inputs < node.op->min_inputs || (node.op->max_inputs >= 0 && inputs > node.op->max_inputs)) {
    builder.is_sound = false;
    builder.errors.add(
        node_message(flat.location, fmt::format("has {} inputs, which tinytc does not support", inputs)));
  }
  return node;
}

/// Our own rule must see what ONNX's saw. Faults that ONNX lets pass are the model's, and so is a node for which there are two answers: its
/// attributes and inputs contradict one another.
void check_types(Builder& builder, const Node& node) {
  std::vector<TensorType> types;
  try {
    types = infer_types(builder.graph, node);
  } catch (const UserError& error) {
    builder.errors.add(error.what());
    return;
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == no_value) continue;
    TensorType& expected = builder.graph.value(node.outputs[i]).type;
    require(i < types.size(), node_message(node.location, fmt::format("output {} has no type", i)));
    if (types[i].dtype != expected.dtype || types[i].shape != expected.shape) {
      builder.errors.add(node_message(
          node.location,
          fmt::format("output {} is {} by ONNX's shape inference and {} by tinytc's: the node's attributes and inputs do not fit together", i,
                      tinytc::describe(expected), tinytc::describe(types[i])),
          {}, "check the node with onnx.checker.check_model(model, full_check=True); if it is right, this is a fault of tinytc"));
      return;
    }
    expected.quantization = types[i].quantization;  // ONNX's types know nothing of it
  }
}

void add_graph_node(Builder& builder, const FlatNode& flat) {
  Node node = make_node(builder, flat);
  for (int i = 0; i < flat.proto.output_size(); ++i) {
    const std::string& name = flat.proto.output(i);
    node.outputs.push_back(i > 0 && builder.wanted.count(name) == 0 ? no_value : value_of(builder, name));
  }
  if (builder.is_sound) check_types(builder, node);
  builder.graph.nodes.push_back(std::move(node));
}

/// An output that an Identity names takes that name, unless another that the user sees stands in its way.
void add_output(Builder& builder, ValueId id, const std::string& name) {
  std::vector<ValueId>& outputs = builder.graph.outputs;
  Value& value = builder.graph.value(id);
  if (value.role == Role::computed && std::find(outputs.begin(), outputs.end(), id) == outputs.end()) value.name = name;
  outputs.push_back(id);
}

/// Names that something reads. An output that nobody reads gets no value.
void find_wanted(Builder& builder) {
  for (const auto& node : builder.flat.nodes)
    for (const auto& name : node.proto.input()) builder.wanted.insert(name);
  for (const auto& name : builder.flat.outputs) builder.wanted.insert(builder.flat.resolve(name));
}

}  // namespace

std::string describe(const onnx::TypeProto& type) {
  if (!type.has_tensor_type()) return "no tensor";
  std::string text = type_name(type.tensor_type().elem_type());
  if (!type.tensor_type().has_shape()) return text + "[rank ?]";
  text += "[";
  for (int i = 0; i < type.tensor_type().shape().dim_size(); ++i) {
    const auto& dim = type.tensor_type().shape().dim(i);
    if (i > 0) text += ",";
    text += dim.has_dim_value() ? std::to_string(dim.dim_value()) : "?";
  }
  return text + "]";
}

std::string rule_message(const FlatModel& flat, const FlatNode& node) {
  Builder builder{flat};
  builder.only = &node;
  const std::unordered_set<std::string> inputs(node.proto.input().begin(), node.proto.input().end());
  const std::unordered_set<std::string> arguments(flat.inputs.begin(), flat.inputs.end());
  for (const auto& name : inputs)
    if (arguments.count(name) != 0) builder.graph.value(value_of(builder, name)).role = Role::input;
  for (const FlatNode& other : flat.nodes)
    for (const auto& name : other.proto.output()) {
      if (name.empty() || inputs.count(name) == 0) continue;
      Node origin;
      origin.op = find_op(other.proto.op_type());
      origin.location = other.location;
      origin.outputs = {value_of(builder, name)};
      builder.graph.nodes.push_back(std::move(origin));
    }
  const Node faulty = make_node(builder, node);
  try {
    builder.errors.throw_if_any();
    infer_types(builder.graph, faulty);
  } catch (const UserError& error) {
    return error.what();
  }
  return {};
}

Graph build_graph(const FlatModel& flat, std::string name) {
  Builder builder{flat};
  builder.graph.name = std::move(name);
  find_wanted(builder);
  for (const auto& input : flat.inputs) {
    const ValueId id = value_of(builder, input);
    builder.graph.value(id).role = Role::input;
    builder.graph.inputs.push_back(id);
  }
  for (const auto& node : flat.nodes) add_graph_node(builder, node);
  for (const auto& output : flat.outputs) {
    const std::string& source = flat.resolve(output);
    if (flat.types.count(source) == 0)
      throw UserError(fmt::format("output '{}': no node computes it", printable(output)));
    add_output(builder, value_of(builder, source), output);
  }
  builder.errors.throw_if_any();
  return std::move(builder.graph);
}

}  // namespace tinytc::importer
