// Lowering; see lower.h. Buffers first (shared ones are looked up), then each node's own rule.
#include "compiler/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace tinytc {

namespace {

Storage storage_of(Role role) {
  switch (role) {
    case Role::constant: return Storage::flash;
    case Role::parameter:
    case Role::state: return Storage::persistent;
    default: return Storage::arena;
  }
}

/// Buffers that entry points share: persistent ones by name, constants by type and content.
class SharedBuffers {
 public:
  explicit SharedBuffers(Program& program) : program_(program) {
    for (std::size_t i = 0; i < program.buffers.size(); ++i)
      if (program.buffers[i].storage != Storage::arena) map_.emplace(key_of(program.buffers[i]), static_cast<BufferId>(i));
  }

  BufferId add(Buffer buffer) {
    const auto id = static_cast<BufferId>(program_.buffers.size());
    if (buffer.storage != Storage::arena) {
      const auto [it, is_new] = map_.emplace(key_of(buffer), id);
      if (!is_new) return it->second;
    }
    program_.buffers.push_back(std::move(buffer));
    return id;
  }
  /// The first buffer with the same elements.
  BufferId find(BufferId id) const { return map_.at(key_of(program_.buffer(id))); }

 private:
  static std::string key_of(const Buffer& buffer) {
    if (buffer.storage == Storage::persistent) return "p:" + buffer.name;
    const auto* bytes = reinterpret_cast<const char*>(buffer.data.data());
    return fmt::format("f:{}:", name_of(buffer.type.dtype)) + std::string(bytes, buffer.data.size());
  }
  Program& program_;
  std::unordered_map<std::string, BufferId> map_;
};

Buffer buffer_for(const Value& value) {
  return {.name = value.name,
          .type = value.type,
          .storage = storage_of(value.role),
          .alignment = std::max(4, size_of(value.type.dtype)),
          .role = value.role,
          .data = value.data};
}

/// Tables that lowering made (packed weights) and that another entry point has too become one.
void share_tables(Program& program, Entry entry) {
  SharedBuffers shared(program);
  const std::function<void(Argument&)> visit = [&](Argument& argument) {
    if (argument.buffer != no_buffer && program.buffer(argument.buffer).parent == no_buffer &&
        program.buffer(argument.buffer).storage == Storage::flash)
      argument.buffer = shared.find(argument.buffer);
    for (Argument& part : argument.parts) visit(part);
  };
  for (KernelCall& call : program.calls[entry])
    for (Argument& argument : call.arguments) visit(argument);
}

/// A buffer for each value that a node or the interface touches; updated values share their input's.
std::vector<BufferId> make_buffers(const Graph& graph, Program& program) {
  SharedBuffers shared(program);
  std::vector<BufferId> buffer_of(graph.values.size(), no_buffer);
  const auto make = [&](ValueId id) {
    if (id == no_value) return;
    BufferId& buffer = buffer_of[static_cast<std::size_t>(id)];
    if (buffer == no_buffer) buffer = shared.add(buffer_for(graph.value(id)));
  };
  for (ValueId id : graph.inputs) make(id);
  if (graph.learning_rate != no_value) make(graph.learning_rate);
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs) make(id);
    for (const Update& update : updates_of(node)) {
      const ValueId output = node.outputs[static_cast<std::size_t>(update.output)];
      if (output != no_value)
        buffer_of[static_cast<std::size_t>(output)] =
            buffer_of[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(update.input)])];
    }
    for (ValueId id : node.outputs) make(id);
  }
  for (ValueId id : graph.outputs) make(id);
  if (graph.loss != no_value) make(graph.loss);
  return buffer_of;
}

/// Classes and ignored index of an integer label: the loss that reads it, perhaps in another shape, has them in its scores' shape and its
/// attributes. A label that becomes a real number on the way is no index.
void add_label_facts(const Graph& graph, ValueId label, Interface& interface) {
  std::int64_t classes = 0, ignored = 0;
  for (const Node& node : graph.nodes) {
    const auto at = std::find(node.inputs.begin(), node.inputs.end(), label);
    if (at == node.inputs.end() || is_float(graph.type(label).dtype)) continue;
    if (node.op->may_view && at == node.inputs.begin()) {
      label = node.outputs[0];
    } else if (at == node.inputs.begin() + 1 && is_float(graph.type(node.inputs[0]).dtype)) {
      const Shape& scores = graph.shape(node.inputs[0]);
      require(!scores.empty(), describe(node.location) + ": class labels need scores");
      classes = scores[scores.size() > 1 ? 1 : 0];
      ignored = node.attributes.get_int("ignore_index", 0);
      break;
    }
  }
  interface.label_classes.push_back(classes);
  interface.label_ignored.push_back(ignored);
}

Interface interface_of(const Graph& graph, const std::vector<BufferId>& buffer_of) {
  Interface interface;
  const auto buffer = [&](ValueId id) { return id == no_value ? no_buffer : buffer_of[static_cast<std::size_t>(id)]; };
  for (ValueId id : graph.inputs) {
    const bool is_label = graph.value(id).role == Role::label;
    (is_label ? interface.labels : interface.inputs).push_back(buffer(id));
    if (is_label) add_label_facts(graph, id, interface);
    interface.arguments.push_back(buffer(id));
  }
  if (graph.learning_rate != no_value) interface.arguments.push_back(buffer(graph.learning_rate));
  for (ValueId id : graph.outputs) interface.outputs.push_back(buffer(id));
  interface.loss = buffer(graph.loss);
  interface.learning_rate = buffer(graph.learning_rate);
  return interface;
}

}  // namespace

void lower(const Graph& graph, Entry entry, Program& program) {
  require(program.calls.count(entry) == 0, fmt::format("entry point {} lowered twice", name_of(entry)));
  std::vector<BufferId> buffer_of = make_buffers(graph, program);
  std::vector<KernelCall>& calls = program.calls[entry];
  for (const Node& node : graph.nodes) {
    require(node.op->lower != nullptr, fmt::format("{}: no pass removed this {}", describe(node.location), node.op->name));
    LowerContext context(graph, node, program, calls, buffer_of);
    const std::size_t first = calls.size();
    node.op->lower(context);
    for (std::size_t k = first; k < calls.size(); ++k) calls[k].node = static_cast<std::size_t>(&node - graph.nodes.data());
    if (first == calls.size()) continue;
    calls[first].traits.saved_scratch = node.attributes.get_int(saved_scratch, 0);
    calls[first].traits.given_up_cycles = node.attributes.get_float(given_up_cycles, 0);
  }
  share_tables(program, entry);
  program.interfaces[entry] = interface_of(graph, buffer_of);
}

}  // namespace tinytc
