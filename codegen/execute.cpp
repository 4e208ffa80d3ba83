// The evaluator; see execute.h. The graph gets the layout that kernels need, becomes one entry point `run`, its calls the text of one
// function over three blocks of memory, and Clang + ORC its code.
#include "codegen/execute.h"

#include <fmt/format.h>

#include <cstring>

#include "codegen/emit_calls.h"
#include "codegen/jit.h"
#include "compiler/lower.h"
#include "passes/choose_layout.h"
#include "passes/fold.h"
#include "passes/plan_memory.h"

namespace tinytc {

namespace {

constexpr std::int64_t planning_effort = 0;  // host memory is plenty

/// Memory with the alignment that the plan assumes.
class Block {
 public:
  explicit Block(std::int64_t bytes) : words_(static_cast<std::size_t>(bytes / 8 + 1)) {}
  unsigned char* data() { return reinterpret_cast<unsigned char*>(words_.data()); }
  const unsigned char* data() const { return reinterpret_cast<const unsigned char*>(words_.data()); }

 private:
  std::vector<double> words_;
};

std::string source_of(const Program& program, CallWriter& writer) {
  std::string body;
  for (const KernelCall& call : program.calls.at(Entry::run)) body += "  " + writer.statement(call) + "\n";
  std::string text;
  for (const std::string& header : writer.headers()) text += fmt::format("#include \"{}\"\n", header);
  text += "#include \"runtime/base.h\"\n";
  return text + "namespace {\nusing namespace tinytc;\n" + writer.functions() +
         "}  // namespace\nextern \"C\" void tinytc_run(unsigned char* arena_, unsigned char* persistent_, const void* const* tables_) {\n"
         "  static_cast<void>(arena_), static_cast<void>(persistent_), static_cast<void>(tables_);\n" +
         body + "}\n";
}

Program program_of(const Graph& graph) {
  Graph laid_out = graph;
  choose_layout(laid_out);
  Program program;
  lower(laid_out, Entry::run, program);
  plan_memory(program, planning_effort);
  return program;
}

}  // namespace

struct HostModel::State {
  Program program;
  std::vector<const void*> tables;
  Block arena{0}, persistent{0};
  std::unique_ptr<CompiledProgram> code;

  State(Program planned, int optimisation) : program(std::move(planned)) {
    arena = Block(program.arena_bytes);
    persistent = Block(program.persistent_bytes);
    for (const Buffer& buffer : program.buffers)
      if (buffer.storage == Storage::persistent && buffer.parent == no_buffer && !buffer.data.empty())
        std::memcpy(persistent.data() + buffer.offset, buffer.data.data(), buffer.data.size());
    CallWriter writer(program, CallWriter::Tables::passed);
    code = std::make_unique<CompiledProgram>(source_of(program, writer), optimisation);
    for (BufferId id : writer.table_buffers()) tables.push_back(program.buffer(id).data.data());
  }

  const unsigned char* bytes_of(BufferId id) const {
    const Place place = place_of(program, id);
    const Buffer& root = program.buffer(place.root);
    if (root.storage == Storage::flash) return reinterpret_cast<const unsigned char*>(root.data.data()) + place.offset;
    return (root.storage == Storage::arena ? arena : persistent).data() + root.offset + place.offset;
  }

  Tensor read(BufferId id) const {
    Tensor tensor(static_cast<std::size_t>(byte_count(program.buffer(id).type)));
    if (!tensor.empty()) std::memcpy(tensor.data(), bytes_of(id), tensor.size());
    return tensor;
  }

  void write(BufferId id, const Tensor& tensor) {
    const Buffer& buffer = program.buffer(id);
    require(static_cast<std::int64_t>(tensor.size()) == byte_count(buffer.type),
            fmt::format("input '{}' is {} bytes, {} are needed", buffer.name, tensor.size(), byte_count(buffer.type)));
    if (!tensor.empty()) std::memcpy(arena.data() + buffer.offset, tensor.data(), tensor.size());
  }
};

HostModel::HostModel(const Graph& graph, int optimisation) : HostModel(program_of(graph), optimisation) {}
HostModel::HostModel(Program program, int optimisation) : state_(std::make_unique<State>(std::move(program), optimisation)) {}
HostModel::~HostModel() = default;
HostModel::HostModel(HostModel&&) noexcept = default;

std::vector<Tensor> HostModel::run(const std::vector<Tensor>& inputs) {
  const Interface& interface = state_->program.interfaces.at(Entry::run);
  require(inputs.size() == interface.arguments.size(),
          fmt::format("{} inputs were given, {} are needed", inputs.size(), interface.arguments.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) state_->write(interface.arguments[i], inputs[i]);
  state_->code->function<void(unsigned char*, unsigned char*, const void* const*)>("tinytc_run")(
      state_->arena.data(), state_->persistent.data(), state_->tables.data());
  std::vector<Tensor> results;
  for (BufferId id : interface.outputs) results.push_back(state_->read(id));
  if (interface.loss != no_buffer) results.push_back(state_->read(interface.loss));
  return results;
}

Tensor HostModel::persistent(const std::string& name) const {
  for (std::size_t i = 0; i < state_->program.buffers.size(); ++i) {
    const Buffer& buffer = state_->program.buffers[i];
    if (buffer.storage == Storage::persistent && buffer.name == name) return state_->read(static_cast<BufferId>(i));
  }
  throw InternalError("no persistent tensor '" + name + "'");
}

void fold_constants(Graph& graph, bool dequantize) {
  const Foldable foldable = find_foldable(graph, dequantize);
  if (!foldable.replaced.empty()) apply_folded(graph, foldable.replaced, execute(foldable.graph, {}));
}

std::vector<Tensor> execute(const Graph& graph, const std::vector<Tensor>& inputs, int optimisation) {
  return HostModel(graph, optimisation).run(inputs);
}

}  // namespace tinytc
