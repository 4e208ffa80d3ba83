// The emitted model; see emit_model.h. Calls become statements and functions first; then the header, the methods, the slice of the kernel
// headers that they reach, and the whole source.
#include "codegen/emit_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/slice.h"
#include "compiler/library_names.h"

namespace tinytc {

namespace {

/// Makes the identifiers of arguments and results. The same value of another entry point keeps its name; a result that is an argument or
/// another result too gets a second one.
class PortNames {
 public:
  PortNames() {
    for (const char* word : taken) identifiers_.make(word, "");
  }
  void enter() { seen_.clear(); }  // the next entry point

  std::string name(const std::string& kind, const std::string& value) {
    const std::string key = fmt::format("{} {} {}", kind, ++seen_[kind + value], value);
    const auto [it, is_new] = name_of_.emplace(key, "");
    if (!is_new) return it->second;
    const bool stands = is_identifier(value) && !value.starts_with("call_") && !value.starts_with("w_") && !is_library_macro(value) &&
                        std::find(std::begin(taken), std::end(taken), value) == std::end(taken);
    const std::string base = stands ? value : "x_" + value;
    return it->second = identifiers_.make(base.substr(0, 1), base.substr(1));
  }

 private:
  // Other parameters of the methods, and functions that their bodies call.
  static constexpr const char* taken[] = {"learning_rate", "loss", "seed", "out", "in", "capacity", "size", "model", "at", "copy_bytes",
                                          "is_finite", "all_finite", "labels_in_range", "predict"};
  Identifiers identifiers_;
  std::map<std::string, std::string> name_of_;
  std::map<std::string, int> seen_;
};

Ports make_ports(const Program& program, const Interface& interface, PortNames& names) {
  const auto port = [&](const char* kind, BufferId id) {
    const Buffer& buffer = program.buffer(id);
    return PortText{names.name(kind, buffer.name), std::string(cpp_type_of(buffer.type.dtype)), element_count(buffer.type.shape), id};
  };
  names.enter();
  Ports ports;
  for (BufferId id : interface.inputs) ports.inputs.push_back(port("argument", id));
  for (std::size_t i = 0; i < interface.labels.size(); ++i) {
    PortText label = port("argument", interface.labels[i]);
    label.classes = interface.label_classes[i];
    label.ignored = interface.label_ignored[i];
    label.by_value = label.classes > 0 && label.elements == 1;
    ports.labels.push_back(label);
  }
  for (BufferId id : interface.outputs) ports.outputs.push_back(port("result", id));
  return ports;
}

std::map<Entry, Ports> name_ports(const Program& program) {
  PortNames names;
  std::map<Entry, Ports> ports;
  for (const auto& [entry, interface] : program.interfaces) ports[entry] = make_ports(program, interface, names);
  return ports;
}

std::string banner(const EmitOptions& options) {
  return fmt::format("{}\n// Generated; changes are lost. The kernels below are tinytc's own, copied with their comments.\n",
                     comment(fmt::format("{}: compiled from {} for {} by tinytc {}.", options.name, options.model_file, options.target,
                                         options.version)));
}

/// What kernels have to know of the target beyond its compiler's own macros. The same names come from the command line while slicing and
/// auditing; elsewhere only this is left.
std::string defines_of(const TargetConfig& target) {
  std::string text;
  for (std::string define : target.defines) {
    const std::size_t equals = define.find('=');
    const std::string name = define.substr(0, equals);
    text += fmt::format("#ifndef {0}\n#define {0}{1}\n#endif\n", name, equals == define.npos ? "" : " " + define.substr(equals + 1));
  }
  return text;
}

/// Without optimisation GCC finds no registers for the assembly of int8 kernels.
std::string optimization_of(const Program& program) {
  const auto is_int8 = [](const KernelCall& call) { return call.kernel.starts_with("q_"); };
  const bool has_int8 = std::any_of(program.calls.begin(), program.calls.end(),
                                    [&](const auto& entry) { return std::any_of(entry.second.begin(), entry.second.end(), is_int8); });
  if (!has_int8) return "";
  return "// GCC needs registers for the assembly below, which it does not find at -O0.\n"
         "#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__) && defined(__NO_INLINE__)\n"
         "#pragma GCC optimize(\"O1\")\n#endif\n";
}

std::vector<std::string> headers_of(const EmitContext& context) {
  std::vector<std::string> headers = context.calls.headers();
  headers.insert(headers.begin(), {"runtime/base.h", "runtime/entry.h"});
  if (has_entry(context, Entry::train_step) || has_entry(context, Entry::accumulate))
    headers.insert(headers.end(), {"runtime/checkpoint.h", "runtime/random.h"});
  return headers;
}

}  // namespace

EmittedModel emit_model(const Program& program, const EmitOptions& options) {
  CallWriter calls(program, CallWriter::Tables::named);
  EmitContext context{program, options, calls, name_ports(program), {}};
  EmittedModel model;
  for (const auto& [entry, list] : program.calls) {
    const std::size_t first = calls.call_names().size();
    for (const KernelCall& call : list) context.statements[entry].push_back(calls.statement(call));
    context.statements[entry];  // an entry point without calls has no statements
    model.call_names[entry].assign(calls.call_names().begin() + static_cast<std::ptrdiff_t>(first), calls.call_names().end());
  }
  model.header = emit_header(context);
  model.checkpoint_bytes = checkpoint_bytes(program, options);
  const std::string methods = emit_methods(context), wrappers = emit_c_wrappers(context);
  const std::string opening = "\nnamespace " + options.name + " {\nnamespace {\n\n";
  const std::string rest = "using namespace tinytc;\n\n" + calls.functions() + "}  // namespace\n\n" + methods + "}  // namespace " +
                           options.name + "\n\n" + wrappers;
  const std::string include = fmt::format("#include \"{}.h\"\n", options.name);

  SliceRequest request;
  request.headers = headers_of(context);
  request.program = include + opening + calls.table_declarations() + rest;
  request.arms = {options.arms.front()};
  request.own_headers[options.name + ".h"] = model.header;
  const std::string before = banner(options) + include + defines_of(options.arms.front()) + optimization_of(program) + "\n";
  const auto with_kernels = [before, opening](const SliceResult& kernels) {
    std::string head = before;
    for (const std::string& standard : kernels.includes) head += "#include " + standard + "\n";
    return head + opening + kernels.text + "\n";
  };
  model.source_for_measuring = with_kernels(slice(request)) + calls.short_table_definitions() + "\n" + rest;
  request.arms = options.arms;
  for (BufferId id : calls.table_buffers()) model.table_bytes += byte_count(program.buffer(id).type);
  model.finished = std::async(std::launch::async, [=, calls = std::move(calls)] {
    const std::string head = with_kernels(slice(request));
    return FinishedSource{head + calls.table_definitions() + "\n" + rest, head + calls.table_declarations() + "\n" + rest};
  });
  return model;
}

}  // namespace tinytc
