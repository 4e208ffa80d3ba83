// Kernel calls as C++ text; see emit_calls.h. A function's parameters are the buffers and scalars of its call, in order; everything else
// (shapes, functors, literals, absent pointers) stands in its body, where the compiler folds it.
#include "codegen/emit_calls.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tinytc {

struct CallWriter::Function {
  std::vector<std::string> parameters;  // "const float* p0"
  std::vector<std::string> arguments;   // the expressions for them at this call
  std::string constants;                // shapes, one statement each
  int shapes = 0;
  const std::vector<bool>* differing = nullptr;  // numbers of the shapes that are parameters; null: none
  std::size_t numbers = 0;                       // of the shapes so far
};

namespace {

/// "conv2d" of "tinytc::conv2d<float, Relu<float>>".
std::string base_name(const std::string& kernel) { return kernel.substr(0, kernel.find('<')); }

// Elements that compilers may read while they compile: loops that they unroll whole have far fewer turns.
constexpr std::size_t most_folded_elements = 256;

/// The first elements of a table, enough for the same code: those that may be folded, and where they are all the same, those up to the first
/// that differs, as every read of a table of equal elements is folded however long it is.
std::vector<std::byte> leading_elements(const std::vector<std::byte>& data, std::size_t element_bytes) {
  const auto repeats = [&](std::size_t at) { return data[at] == data[at - element_bytes]; };
  std::size_t equal = std::min(element_bytes, data.size());  // bytes
  while (equal < data.size() && repeats(equal)) ++equal;
  const std::size_t elements = std::max(most_folded_elements, equal / element_bytes + 1);
  return {data.begin(), data.begin() + static_cast<std::ptrdiff_t>(std::min(data.size(), elements * element_bytes))};
}

}  // namespace

std::string CallWriter::table_name(BufferId root) {
  const auto it = table_names_.find(root);
  if (it != table_names_.end()) return it->second;
  std::string name = identifiers_.make("w_", program_.buffer(root).name);
  if (tables_ == Tables::passed)
    name = fmt::format("static_cast<const {}*>(tables_[{}])", cpp_type_of(program_.buffer(root).type.dtype), table_buffers_.size());
  table_buffers_.push_back(root);
  table_names_.emplace(root, name);
  return name;
}

std::string CallWriter::pointer(BufferId id, bool is_const) {
  const Buffer& buffer = program_.buffer(id);
  const Place place = place_of(program_, id);
  const Buffer& root = program_.buffer(place.root);
  if (root.storage == Storage::flash) {
    require(is_const, "a constant is written");
    const std::int64_t element = place.offset / size_of(buffer.type.dtype);
    return element == 0 ? table_name(place.root) : fmt::format("{} + {}", table_name(place.root), element);
  }
  require(root.offset >= 0, "buffer '" + root.name + "' has no place");
  const std::string type = (is_const ? "const " : "") + std::string(cpp_type_of(buffer.type.dtype));
  return fmt::format("at<{}>({}, {})", type, root.storage == Storage::arena ? "arena_" : "persistent_", root.offset + place.offset);
}

std::string CallWriter::parameter(const Argument& argument, Function& function) {
  using Kind = Argument::Kind;
  const std::string name = fmt::format("p{}", function.parameters.size());
  const std::string_view type = cpp_type_of(program_.buffer(argument.buffer).type.dtype);
  const bool is_const = argument.kind == Kind::input || argument.kind == Kind::element;
  std::string expression = pointer(argument.buffer, is_const);
  if (argument.kind == Kind::element) {
    function.parameters.push_back(fmt::format("{} {}", type, name));
    function.arguments.push_back(fmt::format("({})[{}]", expression, argument.element));
  } else {
    function.parameters.push_back(fmt::format("{}{}* {}", is_const ? "const " : "", type, name));
    function.arguments.push_back(std::move(expression));
  }
  return name;
}

/// The number, or the parameter that it becomes where it differs between the calls of a shared function.
std::string CallWriter::number_text(int number, const std::string& name, Function& function) {
  const bool differs = function.differing != nullptr && (*function.differing)[function.numbers++];
  if (!differs) return std::to_string(number);
  function.arguments.push_back(std::to_string(number));
  function.parameters.push_back("int " + name);
  return name;
}

/// Declares the shape in the function's body; the numbers that differ between the calls of a shared function become its parameters.
std::string CallWriter::shape_text(const Argument& shape, Function& function) {
  const std::string name = function.shapes == 0 ? "shape" : fmt::format("shape{}", function.shapes + 1);
  ++function.shapes;
  bool is_constant = true;
  std::string text;
  for (const auto& [field, numbers] : shape.fields) {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::size_t before = function.parameters.size();
      values.push_back(number_text(numbers[i], numbers.size() == 1 ? fmt::format("{}_{}", name, field) : fmt::format("{}_{}_{}", name, field, i), function));
      is_constant = is_constant && function.parameters.size() == before;
    }
    const std::string list = fmt::format("{}", fmt::join(values, ", "));
    text += fmt::format("      {},  // {}\n", numbers.size() == 1 ? list : "{" + list + "}", field);
  }
  function.constants += fmt::format("  {} {} {}{{\n{}  }};\n", is_constant ? "static constexpr" : "const", shape.text, name, text);
  return name;
}

std::string CallWriter::argument_text(const Argument& argument, Function& function) {
  using Kind = Argument::Kind;
  switch (argument.kind) {
    case Kind::input:
    case Kind::output:
    case Kind::update:
    case Kind::element: return parameter(argument, function);
    case Kind::null: return fmt::format("static_cast<{}*>(nullptr)", argument.text);
    case Kind::literal: return argument.text;
    case Kind::integer: return number_text(argument.fields.front().second.front(), argument.fields.front().first, function);
    case Kind::shape: return shape_text(argument, function);
    case Kind::object:
    case Kind::call: {
      std::vector<std::string> parts;
      for (const Argument& part : argument.parts) parts.push_back(argument_text(part, function));
      const char* form = argument.kind == Kind::object ? "{}{{{}}}" : "{}({})";
      return fmt::format(fmt::runtime(form), argument.text, fmt::join(parts, ", "));
    }
  }
  throw InternalError("unknown kind of argument");
}

std::string CallWriter::statement(const KernelCall& call) {
  Function function;
  function.differing = sharing_.differing(call);
  std::vector<std::string> arguments;
  for (const Argument& argument : call.arguments) arguments.push_back(argument_text(argument, function));
  headers_[call.header] += 1;
  const std::string body = fmt::format("({}) noexcept {{\n{}  tinytc::{}({});\n}}\n", fmt::join(function.parameters, ", "), function.constants,
                                       call.kernel, fmt::join(arguments, ", "));
  const std::string key = call.kernel + body;
  auto it = name_of_body_.find(key);
  if (it == name_of_body_.end()) {
    it = name_of_body_.emplace(key, identifiers_.make("call_", base_name(call.kernel))).first;
    std::string head = describe(call.location) + ": " + call.comment;
    if (function.differing != nullptr) head += "; also for other shapes";
    else if (call.traits.macs > 0) head += fmt::format(", {} multiply-accumulates", with_commas(call.traits.macs));
    functions_ += fmt::format("{}\nTINYTC_NOINLINE void {}{}\n", comment(head), it->second, body);
  }
  call_names_.push_back(it->second);
  return fmt::format("{}({});", it->second, fmt::join(function.arguments, ", "));
}

std::string CallWriter::table_declarations() const {
  std::string text;
  for (BufferId id : table_buffers_) {
    const Buffer& buffer = program_.buffer(id);
    text += fmt::format("extern const {} {}[{}];\n", cpp_type_of(buffer.type.dtype), table_names_.at(id), element_count(buffer.type.shape));
  }
  return text;
}

std::string CallWriter::table_definition(BufferId id, const std::vector<std::byte>& data) const {
  const Buffer& buffer = program_.buffer(id);
  return fmt::format("{}\nalignas({}) constexpr {} {}[{}] = {};\n", comment(fmt::format("'{}' {}", buffer.name, describe(buffer.type))),
                     buffer.alignment, cpp_type_of(buffer.type.dtype), table_names_.at(id), element_count(buffer.type.shape),
                     table_initializer(buffer.type.dtype, data));
}

std::string CallWriter::table_definitions() const {
  std::string text;
  for (BufferId id : table_buffers_) text += table_definition(id, program_.buffer(id).data);
  return text;
}

std::string CallWriter::short_table_definitions() const {
  std::string text;
  for (BufferId id : table_buffers_) {
    const Buffer& buffer = program_.buffer(id);
    text += table_definition(id, leading_elements(buffer.data, static_cast<std::size_t>(size_of(buffer.type.dtype))));
  }
  return text;
}

std::vector<std::string> CallWriter::headers() const {
  std::vector<std::string> list;
  for (const auto& [header, uses] : headers_) list.push_back(header);
  return list;
}

}  // namespace tinytc
