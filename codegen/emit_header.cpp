// NAME.h: the class that a firmware uses. See emit_model.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "codegen/emit_model.h"
#include "compiler/literal.h"

namespace tinytc {

namespace {

bool has_training(const EmitContext& context) { return has_entry(context, Entry::train_step) || has_entry(context, Entry::accumulate); }

const Ports& model_ports(const EmitContext& context) { return context.ports.at(Entry::predict); }

std::string shape_list(const Program& program, BufferId id) {
  return fmt::format("{{{}}}", fmt::join(program.buffer(id).type.shape, ", "));
}

/// One static constexpr member of Info; `before`: a comment line above it.
struct InfoConstant {
  std::string type, name, extent, value, before;
};

std::vector<InfoConstant> info_constants(const EmitContext& context) {
  const EmitOptions& options = context.options;
  const Ports& ports = model_ports(context);
  std::vector<InfoConstant> list;
  const auto bytes = [&](const std::string& name, std::int64_t value) { list.push_back({"std::size_t", name, "", std::to_string(value), ""}); };
  for (const auto& [kind, ports_of_kind] : {std::pair{"input", &ports.inputs}, std::pair{"output", &ports.outputs}})
    for (const PortText& port : *ports_of_kind) {
      const Buffer& buffer = context.program.buffer(port.buffer);
      const std::string base = accessor_name(kind, *ports_of_kind, port);
      bytes(base + "_elements", port.elements);
      list.back().before = comment(fmt::format("{} '{}': {}, in the layout of the ONNX graph", kind, buffer.name, describe(buffer.type)));
      bytes(base + "_rank", static_cast<std::int64_t>(buffer.type.shape.size()));
      if (!buffer.type.shape.empty())
        list.push_back({"std::int32_t", base + "_shape", fmt::format("[{}]", buffer.type.shape.size()), shape_list(context.program, port.buffer), ""});
      if (!buffer.type.quantization || buffer.type.quantization->axis >= 0) continue;
      list.push_back({"float", base + "_scale", "", number_literal(double{buffer.type.quantization->scales[0]}, DType::f32),
                      comment("real number = scale * (stored number - zero point)")});
      list.push_back({"std::int32_t", base + "_zero_point", "", std::to_string(buffer.type.quantization->zero_points[0]), ""});
    }
  bytes("arena_bytes", context.program.arena_bytes);
  bytes("persistent_bytes", context.program.persistent_bytes);
  bytes("checkpoint_bytes", checkpoint_bytes(context.program, options));
  list.push_back({"std::uint64_t", "model_hash", "", fmt::format("0x{:016X}ULL", options.model_hash), ""});
  list.push_back({"const char*", "name", "", string_literal(options.name), ""});
  list.push_back({"const char*", "target", "", string_literal(options.target), ""});
  list.push_back({"const char*", "tinytc_version", "", string_literal(options.version), ""});
  return list;
}

std::string info_struct(const EmitContext& context) {
  std::string text =
      "/// Facts about the model; sizes in bytes unless they say elements.\n"
      "struct Info {\n";
  for (const InfoConstant& constant : info_constants(context)) {
    if (!constant.before.empty()) text += "  " + constant.before + "\n";
    text += fmt::format("  static constexpr {} {}{} = {};\n", constant.type, constant.name, constant.extent, constant.value);
  }
  return text + "};\n";
}

std::string status_enum() {
  return "enum class Status : std::uint8_t { ok, bad_magic, wrong_model, wrong_version, crc_mismatch, truncated, bad_argument };\n";
}

std::string accessors(const EmitContext& context) {
  const Ports& ports = model_ports(context);
  std::string text;
  for (const PortText& port : ports.inputs)
    text += fmt::format("  /// {} elements, to be written before predict().\n  {}* {}() noexcept;\n", port.elements, port.type,
                        accessor_name("input", ports.inputs, port));
  for (const PortText& port : ports.outputs)
    text += fmt::format("  /// {} elements, valid until the next call or write to an input.\n  const {}* {}() const noexcept;\n",
                        port.elements, port.type, accessor_name("output", ports.outputs, port));
  return text;
}

/// Whether a caller may pass what input() gives: one argument is moved as a whole, but the first of several may land on the second.
std::string own_region_text(const Ports& ports) {
  const auto pointers = static_cast<std::size_t>(std::count_if(ports.labels.begin(), ports.labels.end(), [](const PortText& p) { return !p.by_value; }));
  return ports.inputs.size() + pointers == 1 ? "The input may be the model's own region, input()."
                                             : "The arguments must not be the model's own regions.";
}

std::string training_methods(const EmitContext& context) {
  std::string text;
  const bool has_loss = has_entry(context, Entry::evaluate);
  if (has_loss)
    text += fmt::format("  /// The loss, without learning.\n  float evaluate({}) noexcept;\n", parameters_of(context, Entry::evaluate));
  if (has_entry(context, Entry::train_step))
    text += fmt::format(
        "  /// One step of training on one example or batch: forward, backward, update. Returns the loss before the update. {}\n"
        "  /// A label out of range, a non-finite input or learning rate: nothing changes, NaN comes back. A non-finite loss comes back\n"
        "  /// before anything is learned from it.\n"
        "  float train_step({}) noexcept;\n",
        own_region_text(context.ports.at(Entry::train_step)), parameters_of(context, Entry::train_step));
  if (has_entry(context, Entry::accumulate))
    text += fmt::format(
        "  /// Adds the gradients of one example to the sums that apply() uses; returns its loss. The same checks as train_step().\n"
        "  float accumulate({}) noexcept;\n"
        "  /// Updates from the mean of the gradients accumulated since the last apply(), then clears them; does nothing if there are none.\n"
        "  void apply(float learning_rate) noexcept;\n",
        parameters_of(context, Entry::accumulate));
  if (!has_training(context)) return text;
  return text +
         "  /// Draws new initial values for the trained weights, uniform in PyTorch's default range, for training from scratch; the same\n"
         "  /// seed gives the same values on every machine. Other trained tensors get their factory values.\n"
         "  void randomize(std::uint32_t seed) noexcept;\n"
         "  /// Writes a checkpoint of all that was learned; the bytes written, 0 if `capacity` is short of Info::checkpoint_bytes.\n"
         "  std::size_t save(std::uint8_t* out, std::size_t capacity) const noexcept;\n"
         "  /// Reads a checkpoint. Everything is validated before anything is written: on any status but ok the model is as it was.\n"
         "  Status load(const std::uint8_t* in, std::size_t size) noexcept;\n";
}

std::string model_class(const EmitContext& context) {
  std::string text =
      "/// The model and all its memory: sizeof(Model) plus the stack is all the RAM it takes. Objects with static storage lie in .bss.\n"
      "/// No call may interrupt or run beside another call on the same object; different objects are independent.\n"
      "class Model {\n public:\n"
      "  constexpr Model() noexcept = default;\n"
      "  /// Puts the factory weights in place. Call once before anything else.\n"
      "  void init() noexcept;\n"
      "  /// The same, later: forgets what was learned.\n"
      "  void reset() noexcept { init(); }\n";
  text += accessors(context);
  text +=
      "  /// Computes the outputs from the inputs, whose regions hold nothing useful afterwards.\n"
      "  void predict() noexcept;\n";
  text += fmt::format("  /// The same on the caller's buffers.\n  void predict({}) noexcept;\n", parameters_of(context, Entry::predict));
  text += training_methods(context);
  if (!context.options.self_tests.empty())
    text += "  /// Runs the model on built-in inputs and compares with what the host computed, bit for bit. Ends with init().\n"
            "  bool self_test() noexcept;\n";
  text += "\n private:\n";
  if (context.program.arena_bytes > 0) text += fmt::format("  alignas(8) unsigned char arena_[{}] = {{}};\n", context.program.arena_bytes);
  if (context.program.persistent_bytes > 0)
    text += fmt::format("  alignas(8) unsigned char persistent_[{}] = {{}};\n", context.program.persistent_bytes);
  if (has_entry(context, Entry::accumulate)) text += "  std::uint32_t accumulated_ = 0;\n";
  return text + "};\n";
}

}  // namespace

std::string parameters_of(const EmitContext& context, Entry entry) {
  const Ports& ports = context.ports.at(entry);
  std::vector<std::string> list;
  for (const PortText& port : ports.inputs) list.push_back(fmt::format("const {}* {}", port.type, port.name));
  if (entry == Entry::predict)
    for (const PortText& port : ports.outputs) list.push_back(fmt::format("{}* {}", port.type, port.name));
  for (const PortText& port : ports.labels)
    list.push_back(port.by_value ? fmt::format("{} {}", port.type, port.name) : fmt::format("const {}* {}", port.type, port.name));
  if (context.program.interfaces.at(entry).learning_rate != no_buffer) list.push_back("float learning_rate");
  return fmt::format("{}", fmt::join(list, ", "));
}

std::string accessor_name(const std::string& kind, const std::vector<PortText>& ports, const PortText& port) {
  return ports.size() == 1 ? kind : kind + "_" + port.name;
}

std::string emit_info_definitions(const EmitContext& context) {
  std::string text = "#if __cplusplus < 201703L  // later standards make them inline\n";
  for (const InfoConstant& constant : info_constants(context))
    text += fmt::format("constexpr {} Info::{}{};\n", constant.type, constant.name, constant.extent);
  return text + "#endif\n\n";
}

bool has_entry(const EmitContext& context, Entry entry) { return context.program.calls.count(entry) != 0; }

std::string emit_header(const EmitContext& context) {
  const EmitOptions& options = context.options;
  std::string guard = options.name + "_TINYTC_H";
  for (char& c : guard) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string text = fmt::format("{}\n{}\n//\n// C++14 or later; C code uses the functions at the end.\n#ifndef {}\n#define {}\n\n",
                                 comment(fmt::format("{}: compiled from {} for {} by tinytc {}.", options.name, options.model_file,
                                                     options.target, options.version)),
                                 "// Generated; changes are lost. Add this header and its .cpp to a firmware; nothing else is needed.", guard, guard);
  text += "#ifdef __cplusplus\n#include <cstddef>\n#include <cstdint>\n\n";
  if (options.calls_yield)
    text += fmt::format("/// Defined by the firmware; called between kernels, e.g. to feed a watchdog. Must not call the model.\n"
                        "extern \"C\" void {}_yield(void);\n\n", options.name);
  text += fmt::format("namespace {} {{\n\n{}\n{}\n{}\n}}  // namespace {}\n#endif  // __cplusplus\n", options.name, status_enum(),
                      info_struct(context), model_class(context), options.name);
  return text + c_declarations(context) + fmt::format("\n#endif  // {}\n", guard);
}

}  // namespace tinytc
