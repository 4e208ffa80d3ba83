// Helpers of the Graph data type; see graph.h.
#include "compiler/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>

namespace tinytc {

namespace {

struct DTypeFacts {
  int bytes;
  std::string_view name, cpp_type;
};
// In the order of enum DType.
constexpr std::array<DTypeFacts, 11> dtype_facts{{{4, "f32", "float"},
                                                  {8, "f64", "double"},
                                                  {1, "i8", "std::int8_t"},
                                                  {1, "u8", "std::uint8_t"},
                                                  {2, "i16", "std::int16_t"},
                                                  {2, "u16", "std::uint16_t"},
                                                  {4, "i32", "std::int32_t"},
                                                  {4, "u32", "std::uint32_t"},
                                                  {8, "i64", "std::int64_t"},
                                                  {8, "u64", "std::uint64_t"},
                                                  {1, "bool", "std::uint8_t"}}};

const DTypeFacts& facts(DType dtype) { return dtype_facts[static_cast<std::size_t>(dtype)]; }

/// Calls f with a null pointer to the host type that holds an element of `dtype`.
template <typename F>
auto with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f(static_cast<float*>(nullptr));
    case DType::f64: return f(static_cast<double*>(nullptr));
    case DType::i8: return f(static_cast<std::int8_t*>(nullptr));
    case DType::u8:
    case DType::boolean: return f(static_cast<std::uint8_t*>(nullptr));
    case DType::i16: return f(static_cast<std::int16_t*>(nullptr));
    case DType::u16: return f(static_cast<std::uint16_t*>(nullptr));
    case DType::i32: return f(static_cast<std::int32_t*>(nullptr));
    case DType::u32: return f(static_cast<std::uint32_t*>(nullptr));
    case DType::i64: return f(static_cast<std::int64_t*>(nullptr));
    case DType::u64: return f(static_cast<std::uint64_t*>(nullptr));
  }
  throw InternalError("unknown dtype");
}

template <typename Out>
std::vector<Out> decode(const Value& value) {
  return with_type(value.type.dtype, [&](auto* tag) {
    using T = std::remove_pointer_t<decltype(tag)>;
    const std::size_t count = value.data.size() / sizeof(T);
    std::vector<T> raw(count);
    if (count != 0) std::memcpy(raw.data(), value.data.data(), count * sizeof(T));
    std::vector<Out> out;
    out.reserve(count);
    for (T element : raw) out.push_back(static_cast<Out>(element));
    return out;
  });
}

template <typename T>
T get(const std::map<std::string, Attribute>& map, const std::string& name, const T& fallback) {
  const auto it = map.find(name);
  if (it == map.end()) return fallback;
  if (const T* value = std::get_if<T>(&it->second)) return *value;
  throw UserError(fmt::format("attribute '{}' has the wrong kind", printable(name)));
}

}  // namespace

int size_of(DType dtype) { return facts(dtype).bytes; }
std::string_view name_of(DType dtype) { return facts(dtype).name; }
std::string_view cpp_type_of(DType dtype) { return facts(dtype).cpp_type; }
bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (std::int64_t extent : shape) count *= extent;
  return count;
}
std::int64_t byte_count(const TensorType& type) { return element_count(type.shape) * size_of(type.dtype); }
std::string describe(const TensorType& type) { return fmt::format("{}[{}]", name_of(type.dtype), fmt::join(type.shape, ",")); }

std::string_view name_of(Role role) {
  constexpr std::array<std::string_view, 6> names{"input", "label", "constant", "parameter", "state", "computed"};
  return names[static_cast<std::size_t>(role)];
}

std::int64_t Attributes::get_int(const std::string& name, std::int64_t fallback) const { return get(map_, name, fallback); }
double Attributes::get_float(const std::string& name, double fallback) const { return get(map_, name, fallback); }
std::string Attributes::get_string(const std::string& name, const std::string& fallback) const {
  return get(map_, name, fallback);
}
std::vector<std::int64_t> Attributes::get_ints(const std::string& name, const std::vector<std::int64_t>& fallback) const {
  return get(map_, name, fallback);
}
std::vector<double> Attributes::get_floats(const std::string& name, const std::vector<double>& fallback) const {
  return get(map_, name, fallback);
}

ValueId add_value(Graph& graph, Value value) {
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size() - 1);
}

ValueId add_constant(Graph& graph, std::string name, TensorType type, std::vector<std::byte> data) {
  require(static_cast<std::int64_t>(data.size()) == byte_count(type), "constant '" + name + "': data does not fit its type");
  return add_value(graph, {std::move(name), std::move(type), Role::constant, std::move(data)});
}

ValueId add_constant(Graph& graph, std::string name, DType dtype, const Shape& shape, const std::vector<double>& numbers) {
  return add_constant(graph, std::move(name), {dtype, shape}, encode(dtype, numbers));
}

std::vector<double> numbers_of(const Value& value) { return decode<double>(value); }
std::vector<std::int64_t> integers_of(const Value& value) { return decode<std::int64_t>(value); }

std::vector<std::byte> encode(DType dtype, const std::vector<double>& numbers) {
  return with_type(dtype, [&](auto* tag) {
    using T = std::remove_pointer_t<decltype(tag)>;
    std::vector<T> raw;
    raw.reserve(numbers.size());
    for (double number : numbers) raw.push_back(static_cast<T>(number));
    std::vector<std::byte> bytes(raw.size() * sizeof(T));
    if (!raw.empty()) std::memcpy(bytes.data(), raw.data(), bytes.size());
    return bytes;
  });
}

std::vector<int> producers(const Graph& graph) {
  std::vector<int> result(graph.values.size(), -1);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (ValueId output : graph.nodes[n].outputs)
      if (output != no_value) result[static_cast<std::size_t>(output)] = static_cast<int>(n);
  return result;
}

std::vector<std::vector<int>> consumers(const Graph& graph) {
  std::vector<std::vector<int>> result(graph.values.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (ValueId input : graph.nodes[n].inputs)
      if (input != no_value) result[static_cast<std::size_t>(input)].push_back(static_cast<int>(n));
  return result;
}

std::vector<int> use_counts(const Graph& graph) {
  std::vector<int> result(graph.values.size(), 0);
  for (const Node& node : graph.nodes)
    for (ValueId input : node.inputs)
      if (input != no_value) ++result[static_cast<std::size_t>(input)];
  for (ValueId output : graph.outputs) ++result[static_cast<std::size_t>(output)];
  if (graph.loss != no_value) ++result[static_cast<std::size_t>(graph.loss)];
  return result;
}

}  // namespace tinytc
