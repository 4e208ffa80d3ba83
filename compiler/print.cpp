// Graphs and programs as text; see print.h.
#include "compiler/print.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/op.h"

namespace tinytc {

namespace {

std::string attribute_text(const Attribute& attribute) {
  return std::visit(
      [](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) return '"' + printable(value) + '"';
        else if constexpr (std::is_same_v<T, std::vector<std::string>>) return fmt::format("[{} strings]", value.size());
        else if constexpr (std::is_arithmetic_v<T>) return fmt::format("{}", value);
        else return fmt::format("[{}]", fmt::join(value, ","));
      },
      attribute);
}

std::string value_text(const Graph& graph, ValueId id) {
  return id == no_value ? "-" : fmt::format("%{}", id) + (graph.value(id).role == Role::computed ? "" : "'" + printable(graph.value(id).name, 40) + "'");
}

std::string argument_text(const Program& program, const Argument& argument) {
  using Kind = Argument::Kind;
  if (argument.buffer != no_buffer) {
    constexpr std::string_view arrows[] = {"", "out ", "inout ", "[] "};
    return fmt::format("{}#{}", argument.kind <= Kind::element ? arrows[static_cast<std::size_t>(argument.kind)] : "", argument.buffer);
  }
  if (argument.kind == Kind::null) return "null";
  std::vector<std::string> parts;
  for (const auto& [name, numbers] : argument.fields) parts.push_back(fmt::format("{}={}", name, fmt::join(numbers, ":")));
  for (const Argument& part : argument.parts) parts.push_back(argument_text(program, part));
  return parts.empty() ? argument.text : fmt::format("{}{{{}}}", argument.text, fmt::join(parts, ", "));
}

}  // namespace

std::string print(const Graph& graph) {
  std::string text;
  for (ValueId id : graph.inputs) text += fmt::format("{} {} {}\n", name_of(graph.value(id).role), value_text(graph, id), describe(graph.type(id)));
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const Value& value = graph.values[i];
    if (value.role == Role::parameter || value.role == Role::state || value.role == Role::constant)
      text += fmt::format("{} {} {}\n", name_of(value.role), value_text(graph, static_cast<ValueId>(i)), describe(value.type));
  }
  for (const Node& node : graph.nodes) {
    std::vector<std::string> outputs, inputs, attributes;
    for (ValueId id : node.outputs) outputs.push_back(id == no_value ? "-" : fmt::format("%{} {}", id, describe(graph.type(id))));
    for (ValueId id : node.inputs) inputs.push_back(value_text(graph, id));
    for (const auto& [name, attribute] : node.attributes.all()) attributes.push_back(name + "=" + attribute_text(attribute));
    text += fmt::format("{} = {}({}) {{{}}}  // {}\n", fmt::join(outputs, ", "), node.op->name, fmt::join(inputs, ", "),
                        fmt::join(attributes, ", "), describe(node.location));
  }
  for (ValueId id : graph.outputs) text += fmt::format("output {}\n", value_text(graph, id));
  if (graph.loss != no_value) text += fmt::format("loss {}\n", value_text(graph, graph.loss));
  return text;
}

std::string print(const Program& program) {
  constexpr std::string_view storages[] = {"flash", "persistent", "arena"};
  std::string text;
  for (std::size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    text += fmt::format("#{} '{}' {} {}", i, printable(buffer.name, 40), describe(buffer.type), storages[static_cast<std::size_t>(buffer.storage)]);
    if (buffer.parent != no_buffer) text += fmt::format(" in #{} at {}", buffer.parent, buffer.parent_offset);
    else if (buffer.offset >= 0) text += fmt::format(" at {}", buffer.offset);
    text += "\n";
  }
  for (const auto& [entry, calls] : program.calls) {
    text += fmt::format("{}:\n", name_of(entry));
    for (const KernelCall& call : calls) {
      std::vector<std::string> arguments;
      for (const Argument& argument : call.arguments) arguments.push_back(argument_text(program, argument));
      text += fmt::format("  {}({})  // {}\n", call.kernel, fmt::join(arguments, ", "), describe(call.location));
    }
  }
  return text;
}

}  // namespace tinytc
