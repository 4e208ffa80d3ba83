// NAME.cpp: save(), load(), the C wrappers and the self-test. See emit_model.h; runtime/checkpoint.h describes the frame.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/emit_model.h"
#include "passes/add_update.h"

namespace tinytc {

namespace {

constexpr std::int64_t frame_bytes = 20 + 4;  // header and CRC of runtime/checkpoint.h

/// The persistent buffers in the order of a checkpoint.
std::vector<const Buffer*> checkpoint_buffers(const Program& program, const EmitOptions& options) {
  std::map<std::string, const Buffer*> by_name;
  for (const Buffer& buffer : program.buffers)
    if (buffer.storage == Storage::persistent && buffer.parent == no_buffer) by_name[buffer.name] = &buffer;
  std::vector<const Buffer*> list;
  for (const std::string& name : options.checkpoint_order)
    if (by_name.count(name) != 0) list.push_back(by_name.at(name));
  return list;
}

std::int64_t tensor_bytes(const Program& program, const EmitOptions& options) {
  std::int64_t bytes = 0;
  for (const Buffer* buffer : checkpoint_buffers(program, options)) bytes += byte_count(buffer->type);
  return bytes;
}

/// Tensors that lie one behind the other in the checkpoint and in memory: copied at once.
struct CopyRun {
  std::int64_t memory, file, bytes;  // offsets in persistent_ and in the checkpoint
  std::string names;
};

std::vector<CopyRun> copy_runs(const Program& program, const EmitOptions& options) {
  std::vector<CopyRun> runs;
  std::int64_t at = frame_bytes - 4;
  for (const Buffer* buffer : checkpoint_buffers(program, options)) {
    const std::int64_t bytes = byte_count(buffer->type);
    if (!runs.empty() && runs.back().memory + runs.back().bytes == buffer->offset) {
      CopyRun& run = runs.back();
      run.bytes += bytes;
      run.names = run.names.substr(0, run.names.find(" to ")) + " to '" + buffer->name + "'";
    } else {
      runs.push_back({buffer->offset, at, bytes, "'" + buffer->name + "'"});
    }
    at += bytes;
  }
  return runs;
}

/// Name and parameters of a C wrapper, and the call behind it.
struct Wrapper {
  std::string result, name, parameters, call;
};

/// The names of a parameter list: "const float* x, float rate" -> "x, rate".
std::string names_of(const std::string& parameters) {
  std::string names, word;
  for (std::size_t i = 0; i <= parameters.size(); ++i) {
    const char c = i < parameters.size() ? parameters[i] : ',';
    if (c == ',') names += (names.empty() ? "" : ", ") + word;
    word = c == ' ' || c == '*' || c == ',' ? "" : word + c;
  }
  return parameters.empty() ? "" : names;
}

std::string without_std(std::string text) {
  for (std::size_t at = text.find("std::"); at != std::string::npos; at = text.find("std::")) text.erase(at, 5);
  return text;
}

std::vector<Wrapper> wrappers(const EmitContext& context) {
  std::vector<Wrapper> list{{"void", "init", "", "init()"}, {"void", "reset", "", "reset()"}, {"void", "predict", "", "predict()"}};
  const Ports& ports = context.ports.at(Entry::predict);
  for (const PortText& port : ports.inputs) {
    const std::string name = accessor_name("input", ports.inputs, port);
    list.push_back({port.type + "*", name, "", name + "()"});
  }
  for (const PortText& port : ports.outputs) {
    const std::string name = accessor_name("output", ports.outputs, port);
    list.push_back({"const " + port.type + "*", name, "", name + "()"});
  }
  for (Entry entry : {Entry::evaluate, Entry::train_step, Entry::accumulate})
    if (has_entry(context, entry)) {
      const std::string parameters = parameters_of(context, entry);
      list.push_back({"float", std::string(name_of(entry)), parameters, fmt::format("{}({})", name_of(entry), names_of(parameters))});
    }
  if (has_entry(context, Entry::apply)) list.push_back({"void", "apply", "float learning_rate", "apply(learning_rate)"});
  if (has_entry(context, Entry::train_step) || has_entry(context, Entry::accumulate)) {
    list.push_back({"void", "randomize", "std::uint32_t seed", "randomize(seed)"});
    list.push_back({"std::size_t", "save", "std::uint8_t* out, std::size_t capacity", "save(out, capacity)"});
    list.push_back({"int", "load", "const std::uint8_t* in, std::size_t size", "load(in, size)"});
  }
  return list;
}

std::string signature(const EmitContext& context, const Wrapper& wrapper) {
  const std::string& name = context.options.name;
  return fmt::format("{} {}_{}({}_model* model{}{})", wrapper.result, name, wrapper.name, name, wrapper.parameters.empty() ? "" : ", ",
                     wrapper.parameters);
}

std::string byte_array(const std::vector<std::byte>& data, DType dtype) { return table_initializer(dtype, data); }

}  // namespace

std::int64_t checkpoint_bytes(const Program& program, const EmitOptions& options) {
  const std::int64_t tensors = tensor_bytes(program, options);
  return tensors == 0 ? 0 : tensors + frame_bytes;
}

std::string emit_checkpoint(const EmitContext& context) {
  const std::int64_t tensors = tensor_bytes(context.program, context.options), whole = tensors + frame_bytes;
  std::string save, load;
  for (const CopyRun& run : copy_runs(context.program, context.options)) {
    save += fmt::format("  copy_bytes(out + {}, persistent_ + {}, {});  {}\n", run.file, run.memory, run.bytes, comment(run.names));
    load += fmt::format("  copy_bytes(persistent_ + {}, in + {}, {});\n", run.memory, run.file, run.bytes);
  }
  if (has_entry(context, Entry::accumulate)) {
    for (const Buffer& buffer : context.program.buffers)  // sums of gradients belong to the old weights
      if (buffer.storage == Storage::persistent && buffer.parent == no_buffer && buffer.role == Role::state && is_accumulated(buffer.name))
        load += fmt::format("  __builtin_memset(persistent_ + {}, 0, {});\n", buffer.offset, byte_count(buffer.type));
    load += "  accumulated_ = 0;\n";
  }
  const std::string hash = fmt::format("std::uint64_t{{0x{:016X}ULL}}", context.options.checkpoint_hash);
  return fmt::format(
      "std::size_t Model::save(std::uint8_t* out, std::size_t capacity) const noexcept {{\n"
      "  if (out == nullptr || capacity < {}U) return 0;\n  put_checkpoint_header(out, {}, {});\n{}"
      "  put_checkpoint_crc(out, {});\n  return {}U;\n}}\n\n"
      "Status Model::load(const std::uint8_t* in, std::size_t size) noexcept {{\n"
      "  const int problem = check_checkpoint(in, size, {}, {});\n"
      "  if (problem != 0) return static_cast<Status>(problem);\n{}  return Status::ok;\n}}\n\n",
      whole, hash, tensors, save, tensors, whole, hash, tensors, load);
}

std::string emit_self_test(const EmitContext& context) {
  const Ports& ports = context.ports.at(Entry::predict);
  std::string text = "bool Model::self_test() noexcept {\n  init();\n  bool same = true;\n";
  for (const SelfTest& test : context.options.self_tests) {
    text += "  {\n";
    for (std::size_t i = 0; i < ports.inputs.size(); ++i) {
      const PortText& port = ports.inputs[i];
      text += fmt::format("    static constexpr {} in{}[{}] = {};\n    copy_bytes({}, in{}, {});\n", port.type, i, port.elements,
                          byte_array(test.inputs[i], context.program.buffer(port.buffer).type.dtype), context.calls.pointer(port.buffer, false), i,
                          test.inputs[i].size());
    }
    text += "    predict();\n";
    for (std::size_t i = 0; i < ports.outputs.size(); ++i) {
      const PortText& port = ports.outputs[i];
      text += fmt::format("    static constexpr {} out{}[{}] = {};\n    same = same && __builtin_memcmp({}, out{}, {}) == 0;\n", port.type, i,
                          port.elements, byte_array(test.outputs[i], context.program.buffer(port.buffer).type.dtype),
                          context.calls.pointer(port.buffer, true), i, test.outputs[i].size());
    }
    text += "  }\n";
  }
  return text + "  init();\n  return same;\n}\n\n";
}

/// What C code needs of Info, as an enumeration: array sizes.
std::string c_sizes(const EmitContext& context) {
  const Ports& ports = context.ports.at(Entry::predict);
  std::string text;
  for (const auto& [kind, list] : {std::pair{"input", &ports.inputs}, std::pair{"output", &ports.outputs}})
    for (const PortText& port : *list)
      text += fmt::format("  {}_{}_elements = {},\n", context.options.name, accessor_name(kind, *list, port), port.elements);
  return fmt::format("enum {{\n{}  {}_checkpoint_bytes = {}\n}};\n", text, context.options.name,
                     checkpoint_bytes(context.program, context.options));
}

std::string c_declarations(const EmitContext& context) {
  const std::string& name = context.options.name;
  std::int64_t bytes = context.program.arena_bytes + context.program.persistent_bytes;
  if (has_entry(context, Entry::accumulate)) bytes += 8;
  if (bytes == 0) bytes = 1;
  std::string text = fmt::format(
      "\n// The same for C. Pass the address of a zero-initialised {0}_model to every call; call {0}_init first. What {0}_load\n"
      "// returns is 0 for success, else the position of the problem in the list bad_magic, wrong_model, wrong_version, crc_mismatch,\n"
      "// truncated, bad_argument, from 1.\n"
      "#include <stddef.h>\n#include <stdint.h>\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n"
      "typedef struct {{\n  __attribute__((aligned(8))) unsigned char opaque[{1}];\n}} {0}_model;\n",
      name, bytes);
  text += c_sizes(context);
  for (const Wrapper& wrapper : wrappers(context)) text += without_std(signature(context, wrapper)) + ";\n";
  return text + "#ifdef __cplusplus\n}  // extern \"C\"\n#endif\n";
}

std::string emit_c_wrappers(const EmitContext& context) {
  const std::string& name = context.options.name;
  std::string text = fmt::format(
      "static_assert(sizeof({0}_model) >= sizeof({0}::Model) && alignof({0}_model) >= alignof({0}::Model),\n"
      "              \"the C type holds the model\");\n\nextern \"C\" {{\n",
      name);
  for (const Wrapper& wrapper : wrappers(context)) {
    std::string call = fmt::format("reinterpret_cast<{}::Model*>(model->opaque)->{}", name, wrapper.call);
    if (wrapper.name == "load") call = fmt::format("static_cast<int>({})", call);
    text += fmt::format("{} {{\n  {}{};\n}}\n", signature(context, wrapper), wrapper.result == "void" ? "" : "return ", call);
  }
  return text + "}  // extern \"C\"\n";
}

}  // namespace tinytc
