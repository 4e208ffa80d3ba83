// tinytc: the pipeline, one line a stage. Read compile() first.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "codegen/emit_model.h"
#include "codegen/execute.h"
#include "codegen/self_test.h"
#include "compiler/checkpoint_facts.h"
#include "compiler/lower.h"
#include "compiler/options.h"
#include "compiler/tracer.h"
#include "passes/add_loss.h"
#include "passes/choose_layout.h"
#include "passes/fold.h"
#include "passes/fuse.h"
#include "passes/make_entries.h"
#include "passes/order_calls.h"
#include "passes/plan_memory.h"
#include "passes/select_trained.h"
#include "targets/target.h"

namespace tinytc {

namespace {

/// Computes what depends on constants only: the pass says what, the evaluator computes, the pass puts it in.
void fold(Graph& graph) {
  const Foldable foldable = find_foldable(graph);
  if (!foldable.replaced.empty()) apply_folded(graph, foldable.replaced, execute(foldable.graph, {}));
}

TargetConfig clang_config(const Target& target) {
  TargetConfig config;
  config.triple = target.clang.triple;
  config.cpu = target.clang.cpu;
  config.features = target.clang.features;
  config.float_abi = target.clang.triple.starts_with("thumb") ? (target.clang.hard_float ? "hard" : "soft") : "";
  config.abi = target.clang.triple.starts_with("riscv32") ? (target.clang.hard_float ? "ilp32f" : "ilp32") : "";
  config.int32_type = target.int32;
  return config;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw UserError(fmt::format("{}: cannot be written", path.string()));
}

void compile(const Options& options) {
  const Target target = load_target(options.target);
  Tracer tracer(options.dump);

  Graph model = import_onnx(options.model, options.import);
  tracer.stage("import", model);
  select_trained(model, options.train.value_or("none"));
  if (!options.loss.empty()) add_loss(model, options.loss);
  tracer.stage("loss", model);
  const std::uint64_t model_hash = hash_of(model);
  simplify(model);
  tracer.stage("simplify", model);
  fold(model);
  tracer.stage("fold", model);

  const TrainingOptions training{options.optimizer, options.accumulate, options.batch_norm == BatchNormMode::train};
  std::map<Entry, Graph> entries = make_entries(model, options.train ? &training : nullptr);
  std::vector<const Graph*> training_graphs;
  for (auto& [entry, graph] : entries) training_graphs.push_back(&graph);
  const CheckpointFacts checkpoint = checkpoint_facts(model, training_graphs, options.optimizer);
  tracer.stage("entries", entries);

  Program program;
  program.name = options.name;
  for (auto& [entry, graph] : entries) {
    choose_layout(graph);
    tracer.stage("layout", graph, entry);
    fuse(graph);
    tracer.stage("fuse", graph, entry);
    fold(graph);
    lower(graph, entry, program);
  }
  tracer.stage("lower", program);
  order_calls(program, options.planner_effort);
  const MemoryPlan plan = plan_memory(program, options.planner_effort);
  tracer.stage("plan", program);

  EmitOptions emit;
  emit.name = options.name;
  emit.version = version;
  emit.model_file = options.model.filename().string();
  emit.target = target.name;
  emit.model_hash = model_hash;
  emit.checkpoint_hash = checkpoint.hash;
  emit.checkpoint_order = checkpoint.order;
  emit.calls_yield = options.calls_yield;
  emit.initial_bounds = initial_bounds(model);
  if (options.self_test) emit.self_tests = make_self_tests(entries.at(Entry::predict), 2);
  emit.arms = slice_arms(clang_config(target));
  const EmittedModel emitted = emit_model(program, emit);

  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) throw UserError(fmt::format("{}: cannot be created: {}", options.out.string(), error.message()));
  write_file(options.out / (options.name + ".h"), emitted.header);
  write_file(options.out / (options.name + ".cpp"), emitted.source);
  if (!options.quiet)
    fmt::print("{}: arena {} B, persistent {} B, constants {} B\n", options.name, program.arena_bytes, program.persistent_bytes,
               emitted.table_bytes);
}

int run(int argc, char** argv) {
  try {
    const Command command = parse_command(argc, argv);
    if (command.kind == Command::Kind::print) std::cout << command.text;
    else compile(command.options);
    return static_cast<int>(ExitCode::ok);
  } catch (const UsageError& error) {
    std::cerr << "tinytc: " << error.what() << "\n";
    return static_cast<int>(ExitCode::usage);
  } catch (const UserError& error) {
    std::cerr << "tinytc: " << error.what() << "\n";
    return static_cast<int>(ExitCode::bad_input);
  } catch (const std::exception& error) {
    std::cerr << "tinytc: internal error: " << error.what() << "\n  hint: please report this with the model\n";
    return static_cast<int>(ExitCode::internal);
  }
}

}  // namespace

}  // namespace tinytc

int main(int argc, char** argv) { return tinytc::run(argc, argv); }
