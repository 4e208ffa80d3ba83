// NAME.cpp: the methods of the class. See emit_model.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "codegen/emit_model.h"

namespace tinytc {

namespace {

const Buffer& buffer_of(const EmitContext& context, const PortText& port) { return context.program.buffer(port.buffer); }

std::int64_t bytes_of(const EmitContext& context, const PortText& port) { return byte_count(buffer_of(context, port).type); }

std::string copy_in(const EmitContext& context, const PortText& port) {
  return fmt::format("  copy_bytes({}, {}{}, {});\n", context.calls.pointer(port.buffer, false), port.by_value ? "&" : "", port.name,
                     bytes_of(context, port));
}

/// The test that refuses bad arguments, as the start of a training call.
std::string argument_checks(const EmitContext& context, Entry entry) {
  const Ports& ports = context.ports.at(entry);
  std::vector<std::string> tests;
  if (context.program.interfaces.at(entry).learning_rate != no_buffer) tests.push_back("!is_finite(learning_rate)");
  for (const PortText& port : ports.labels) {
    if (port.classes > 0)
      tests.push_back(fmt::format("!labels_in_range({}{}, {}, {}, {})", port.by_value ? "&" : "", port.name, port.elements, port.classes,
                                  port.ignored));
    else if (is_float(buffer_of(context, port).type.dtype))
      tests.push_back(fmt::format("!all_finite({}, {})", port.name, port.elements));
  }
  for (const PortText& port : ports.inputs)
    if (is_float(buffer_of(context, port).type.dtype)) tests.push_back(fmt::format("!all_finite({}, {})", port.name, port.elements));
  if (tests.empty()) return "";
  return fmt::format("  if ({}) return __builtin_nanf(\"\");\n", fmt::join(tests, " || "));
}

/// Calls first..last of an entry point, with the yields between them.
std::string calls_text(const EmitContext& context, Entry entry, std::size_t first, std::size_t last) {
  std::string text;
  for (std::size_t k = first; k < last; ++k) {
    text += "  " + context.statements.at(entry)[k] + "\n";
    if (context.options.calls_yield) text += fmt::format("  ::{}_yield();\n", context.options.name);
  }
  return text;
}

/// Number of leading calls up to and including the last one that writes the loss.
std::size_t calls_to_loss(const EmitContext& context, Entry entry) {
  const std::vector<KernelCall>& calls = context.program.calls.at(entry);
  const BufferId loss = place_of(context.program, context.program.interfaces.at(entry).loss).root;
  std::size_t count = 0;
  for (std::size_t k = 0; k < calls.size(); ++k)
    for (const Argument& argument : calls[k].arguments)
      for_each_buffer(argument, [&](BufferId id, bool written, bool) {
        if (written && place_of(context.program, id).root == loss) count = k + 1;
      });
  return count;
}

std::string loss_call(const EmitContext& context, Entry entry) {
  const Interface& interface = context.program.interfaces.at(entry);
  std::string text = fmt::format("float Model::{}({}) noexcept {{\n", name_of(entry), parameters_of(context, entry));
  text += argument_checks(context, entry);
  for (const PortText& port : context.ports.at(entry).inputs) text += copy_in(context, port);
  for (const PortText& port : context.ports.at(entry).labels) text += copy_in(context, port);
  if (interface.learning_rate != no_buffer)
    text += fmt::format("  *{} = learning_rate;\n", context.calls.pointer(interface.learning_rate, false));
  const std::size_t forward = calls_to_loss(context, entry), all = context.statements.at(entry).size();
  text += calls_text(context, entry, 0, forward);
  text += fmt::format("  const float loss = *{};\n", context.calls.pointer(interface.loss, true));
  if (forward < all) {
    text += "  if (!is_finite(loss)) return loss;\n";
    text += calls_text(context, entry, forward, all);
  }
  if (entry == Entry::accumulate) text += "  accumulated_ += 1U;\n";
  return text + "  return loss;\n}\n\n";
}

std::string apply_call(const EmitContext& context) {
  const Interface& interface = context.program.interfaces.at(Entry::apply);
  return "void Model::apply(float learning_rate) noexcept {\n"
         "  if (accumulated_ == 0U || !is_finite(learning_rate)) return;\n" +
         fmt::format("  *{} = learning_rate;\n", context.calls.pointer(interface.learning_rate, false)) +
         calls_text(context, Entry::apply, 0, context.statements.at(Entry::apply).size()) + "  accumulated_ = 0;\n}\n\n";
}

std::string accessors(const EmitContext& context) {
  const Ports& ports = context.ports.at(Entry::predict);
  std::string text;
  for (const PortText& port : ports.inputs)
    text += fmt::format("{}* Model::{}() noexcept {{ return {}; }}\n", port.type, accessor_name("input", ports.inputs, port),
                        context.calls.pointer(port.buffer, false));
  for (const PortText& port : ports.outputs)
    text += fmt::format("const {}* Model::{}() const noexcept {{ return {}; }}\n", port.type, accessor_name("output", ports.outputs, port),
                        context.calls.pointer(port.buffer, true));
  return text + "\n";
}

std::string predict_methods(const EmitContext& context) {
  const Ports& ports = context.ports.at(Entry::predict);
  std::string text = "void Model::predict() noexcept {\n";
  text += calls_text(context, Entry::predict, 0, context.statements.at(Entry::predict).size());
  text += fmt::format("}}\n\nvoid Model::predict({}) noexcept {{\n", parameters_of(context, Entry::predict));
  for (const PortText& port : ports.inputs) text += copy_in(context, port);
  text += "  predict();\n";
  for (const PortText& port : ports.outputs)
    text += fmt::format("  copy_bytes({}, {}, {});\n", port.name, context.calls.pointer(port.buffer, true), bytes_of(context, port));
  return text + "}\n\n";
}

bool is_zero(const Buffer& buffer) {
  return std::all_of(buffer.data.begin(), buffer.data.end(), [](std::byte b) { return b == std::byte{0}; });
}

/// init(): initial values of all persistent buffers. Zeros that lie side by side are cleared at once.
std::string init_method(const EmitContext& context) {
  const Program& program = context.program;
  std::string copies;
  std::map<std::int64_t, std::int64_t> zeros;  // offset -> bytes
  for (std::size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    if (buffer.storage != Storage::persistent || buffer.parent != no_buffer) continue;
    const auto bytes = static_cast<std::int64_t>(buffer.data.size());
    if (is_zero(buffer)) zeros[buffer.offset] = bytes;
    else copies += fmt::format("  copy_bytes(persistent_ + {}, {}, {});\n", buffer.offset, context.calls.initial_table(static_cast<BufferId>(i)), bytes);
  }
  std::string clears;
  for (auto it = zeros.begin(); it != zeros.end();) {
    const std::int64_t begin = it->first;
    std::int64_t end = begin;
    for (; it != zeros.end() && it->first == end; ++it) end += it->second;
    clears += fmt::format("  __builtin_memset(persistent_ + {}, 0, {});\n", begin, end - begin);
  }
  const char* const count = has_entry(context, Entry::accumulate) ? "  accumulated_ = 0;\n" : "";
  return "void Model::init() noexcept {\n" + copies + clears + count + "}\n\n";
}

/// randomize(): factory values, then uniform draws for the weights with a bound.
std::string randomize_method(const EmitContext& context) {
  std::string text = "void Model::randomize(std::uint32_t seed) noexcept {\n  init();\n";
  std::uint32_t stream = 0;
  for (const std::string& name : context.options.checkpoint_order) {
    const auto bound = context.options.initial_bounds.find(name);
    ++stream;
    if (bound == context.options.initial_bounds.end()) continue;
    for (const Buffer& buffer : context.program.buffers)
      if (buffer.storage == Storage::persistent && buffer.name == name)
        text += fmt::format("  fill_uniform(ElementwiseShape{{{}}}, random_bits(seed, std::uint32_t{{{}U}}), -{}, {}, at<float>(persistent_, {}));\n",
                            element_count(buffer.type.shape), stream, number_literal(bound->second, DType::f32),
                            number_literal(bound->second, DType::f32), buffer.offset);
  }
  return text + (context.options.initial_bounds.empty() ? "  static_cast<void>(seed);\n}\n\n" : "}\n\n");
}

}  // namespace

std::string emit_methods(const EmitContext& context) {
  std::string text = emit_info_definitions(context) + init_method(context) + accessors(context) + predict_methods(context);
  for (Entry entry : {Entry::evaluate, Entry::train_step, Entry::accumulate})
    if (has_entry(context, entry)) text += loss_call(context, entry);
  if (has_entry(context, Entry::apply)) text += apply_call(context);
  if (has_entry(context, Entry::train_step) || has_entry(context, Entry::accumulate)) text += randomize_method(context) + emit_checkpoint(context);
  if (!context.options.self_tests.empty()) text += emit_self_test(context);
  return text;
}

}  // namespace tinytc
