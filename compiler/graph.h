// Graph: what to compute. Values (tensors) and nodes (operators) in plain vectors; a node refers to values by index.
//
// A Graph is copied by value. Nodes stand in topological order. Every node keeps the location of the ONNX node that it came from, so
// that every message and every comment in the emitted code can name it. Passes are free functions on a Graph (see passes/).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/diagnostics.h"

namespace tinytc {

enum class DType : std::uint8_t { f32, f64, i8, u8, i16, u16, i32, u32, i64, u64, boolean };

/// Bytes of one element (boolean: 1).
int size_of(DType dtype);
/// "f32", "i8", "bool": as printed in messages and comments.
std::string_view name_of(DType dtype);
/// The C++ type of an element in emitted code: "float", "std::int8_t", ...
std::string_view cpp_type_of(DType dtype);
bool is_float(DType dtype);

/// Affine quantization: real = scale * (stored - zero_point); one scale, or one per index of `axis`.
struct Quantization {
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;
  int axis = -1;  // -1: per tensor
  bool operator==(const Quantization&) const = default;
};

using Shape = std::vector<std::int64_t>;

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;  // all extents >= 0; rank 0 is a scalar
  std::optional<Quantization> quantization = std::nullopt;
  bool operator==(const TensorType&) const = default;
};

std::int64_t element_count(const Shape& shape);
std::int64_t byte_count(const TensorType& type);
/// "f32[1,6,100]".
std::string describe(const TensorType& type);

/// What a value is to the compiled model.
///   input      an argument of the call, in the arena        label      the target of a loss, in the arena
///   constant   known while compiling, in flash              parameter  a trained tensor: initial value in flash, copy in persistent RAM
///   state      persistent RAM, not trained (optimizer moments, running statistics); `data` is its initial value
///   computed   the output of a node
enum class Role : std::uint8_t { input, label, constant, parameter, state, computed };
std::string_view name_of(Role role);

using ValueId = std::int32_t;
constexpr ValueId no_value = -1;  // an optional input or output that is absent

struct Value {
  std::string name;
  TensorType type;
  Role role = Role::computed;
  std::vector<std::byte> data = {};  // elements in row-major order; constant, parameter and state only
};

using Attribute =
    std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;

/// Attributes of a node by name. Getters return `fallback` when the attribute is absent; a wrong kind is a UserError.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> list) : map_(list) {}
  bool has(const std::string& name) const { return map_.count(name) != 0; }
  void set(const std::string& name, Attribute value) { map_[name] = std::move(value); }
  void erase(const std::string& name) { map_.erase(name); }
  std::int64_t get_int(const std::string& name, std::int64_t fallback) const;
  double get_float(const std::string& name, double fallback) const;
  std::string get_string(const std::string& name, const std::string& fallback) const;
  std::vector<std::int64_t> get_ints(const std::string& name, const std::vector<std::int64_t>& fallback) const;
  std::vector<double> get_floats(const std::string& name, const std::vector<double>& fallback) const;
  const std::map<std::string, Attribute>& all() const { return map_; }

 private:
  std::map<std::string, Attribute> map_;
};

struct OpDef;

struct Node {
  const OpDef* op = nullptr;
  std::vector<ValueId> inputs;   // no_value for an absent optional input
  std::vector<ValueId> outputs;  // no_value for an output that nobody wants
  Attributes attributes = {};
  Location location = {};
};

struct Graph {
  std::string name;  // file name of the model, for messages
  std::vector<Value> values;
  std::vector<Node> nodes;           // topological order
  std::vector<ValueId> inputs;       // role input or label, in the order of the call's arguments
  std::vector<ValueId> outputs;      // in ONNX order
  ValueId loss = no_value;           // scalar; no_value when there is none
  ValueId learning_rate = no_value;  // scalar input of a training step; no_value when there is none

  Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  const TensorType& type(ValueId id) const { return value(id).type; }
  const Shape& shape(ValueId id) const { return value(id).type.shape; }
};

ValueId add_value(Graph& graph, Value value);
/// A constant from its elements' bytes; an InternalError if they do not fit the type.
ValueId add_constant(Graph& graph, std::string name, TensorType type, std::vector<std::byte> data);
/// A constant of any dtype from numbers.
ValueId add_constant(Graph& graph, std::string name, DType dtype, const Shape& shape, const std::vector<double>& numbers);

/// Elements of a value with data, as double or int64 (exact for every dtype that fits).
std::vector<double> numbers_of(const Value& value);
std::vector<std::int64_t> integers_of(const Value& value);
/// Encodes numbers as elements of `dtype`, row-major.
std::vector<std::byte> encode(DType dtype, const std::vector<double>& numbers);

/// Index of the node that computes each value; -1: none.
std::vector<int> producers(const Graph& graph);
/// The nodes that read each value, a node once per use.
std::vector<std::vector<int>> consumers(const Graph& graph);
/// Number of reads of each value by nodes, plus one for each time it is a graph output or the loss.
std::vector<int> use_counts(const Graph& graph);

}  // namespace tinytc
