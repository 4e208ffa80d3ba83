// tinytc: the pipeline, one line a stage. Read compile() first.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <tuple>

#include "codegen/check_target.h"
#include "codegen/emit_model.h"
#include "codegen/execute.h"
#include "codegen/inspect.h"
#include "codegen/self_test.h"
#include "codegen/validate.h"
#include "compiler/checkpoint_facts.h"
#include "compiler/lower.h"
#include "compiler/options.h"
#include "compiler/report.h"
#include "compiler/tracer.h"
#include "compiler/write_files.h"
#include "passes/add_loss.h"
#include "passes/choose_layout.h"
#include "passes/choose_sharing.h"
#include "passes/drop_moves.h"
#include "passes/fit_memory.h"
#include "passes/fuse.h"
#include "passes/fuse_quantized.h"
#include "passes/keep_float.h"
#include "passes/keep_statistics.h"
#include "passes/make_entries.h"
#include "passes/merge_conversions.h"
#include "passes/remove_channels.h"
#include "passes/select_trained.h"
#include "passes/spend_flash.h"
#include "targets/target.h"

namespace tinytc {

namespace {

TargetConfig clang_config(const Target& target, Preference preference) {
  TargetConfig config;
  config.triple = target.clang.triple;
  config.cpu = target.clang.cpu;
  config.features = target.clang.features;
  config.float_abi = target.clang.triple.starts_with("thumb") ? (target.clang.hard_float ? "hard" : "soft") : "";
  config.abi = target.clang.triple.starts_with("riscv32") ? (target.clang.hard_float ? "ilp32f" : "ilp32") : "";
  config.int32_type = target.int32;
  if (has_feature(target, CoreFeature::wide_loads)) config.defines.push_back("TINYTC_WIDE_LOADS=1");
  if (preference == Preference::size) config.defines.push_back("TINYTC_SMALL=1");
  return config;
}

/// Names that only Clang can judge.
void check_clang(const Target& target) {
  const std::string problem = target_problem(clang_config(target, Preference::balanced));
  if (!problem.empty()) throw UserError(fmt::format("{}: {}", target.clang.where, problem));
}

/// Memory that the model may take: what the user says, else all that the target has. Bytes.
std::int64_t limit(const std::optional<std::int64_t>& option, const std::vector<MemoryRegion>& regions) {
  return option ? std::min(*option, main_size(regions)) : main_size(regions);
}

// Flash left for code when constants are made larger for speed: more than any of the kernels' code of one model.
constexpr std::int64_t code_reserve = 32 * 1024;

bool may_spend_flash(const Options& options, const Target& target) {
  // Winograd's convolution needs dual multiplications; the vector extension's own kernels are faster still.
  return options.prefer == Preference::speed && has_feature(target, CoreFeature::dsp) && !has_feature(target, CoreFeature::mve);
}

Program lower_all(const std::map<Entry, Graph>& entries, const std::string& name, const Target& target) {
  Program program;
  program.name = name;
  program.has_vectors = has_feature(target, CoreFeature::mve);
  program.dual_multiply = has_feature(target, CoreFeature::dsp);
  for (const auto& [entry, graph] : entries) lower(graph, entry, program);
  return program;
}

std::vector<const Graph*> graphs_of(const std::map<Entry, Graph>& entries) {
  std::vector<const Graph*> graphs;
  for (const auto& [entry, graph] : entries) graphs.push_back(&graph);
  return graphs;
}

struct Output {
  EmittedModel model;
  CodeFigures code;
  std::string preference;  // what --prefer came to
};

/// Emits the program, audits and measures it. When that takes more flash than there is, does it again for size.
Output emit_within(Program& program, EmitOptions& emit, const Target& target, Preference preference, std::int64_t flash_limit) {
  choose_sharing(program, preference);
  const TargetConfig config = clang_config(target, preference);
  emit.arms = slice_arms(config);
  Output output{emit_model(program, emit), {}, std::string(name_of(preference))};
  output.code = inspect(output.model, emit, target, config);
  const bool fits = output.model.table_bytes + output.code.code_bytes <= flash_limit;
  return fits || preference == Preference::size ? output : emit_within(program, emit, target, Preference::size, flash_limit);
}

/// Quantizes a float model; what was done, and how near to it the result comes.
std::pair<QuantizeFacts, Validation> quantize(Graph& model, const Options& options) {
  const Samples calibration = read_samples(options.calibrate, model);
  const std::optional<Samples> others = options.validate.empty() ? std::nullopt : std::optional(read_samples(options.validate, model));
  QuantizeFacts facts = quantize_model(model, calibration, options.quantization);
  Validation validation =
      validate(make_entries(facts.real, nullptr).at(Entry::predict), make_entries(model, nullptr).at(Entry::predict), others ? *others : calibration);
  return {std::move(facts), std::move(validation)};
}

/// What stands before the entry points: the model as it came, and what becomes of it.
struct Imported {
  Graph original;  // with the loss; checkpoints belong to this one
  Graph model;     // simplified, quantized
  std::optional<QuantizeFacts> quantized;
  std::optional<Validation> validation;
};

Imported import_model(const Options& options, Tracer& tracer) {
  Imported result;
  Graph& model = result.model;
  ImportOptions import = options.import;
  import.evaluate = [](const Graph& graph) { return execute(graph, {}); };
  model = import_onnx(options.model, import);
  tracer.stage("import", model);
  select_trained(model, options.train.value_or("none"));
  if (options.train && options.batch_norm == BatchNormMode::train) keep_statistics(model);
  if (!options.loss.empty()) add_loss(model, options.loss);
  tracer.stage("loss", model);
  result.original = model;
  if (!options.quantize) {
    keep_float(model, options.quantization.names.keep_float);
    check_weights(model);
  }
  simplify(model);
  merge_conversions(model);
  move_dequantization(model);
  tracer.stage("simplify", model);
  fold_constants(model, false);
  tracer.stage("fold", model);
  if (options.quantize) std::tie(result.quantized, result.validation) = quantize(model, options);
  convert_interface(model, options.interface_types);
  tracer.stage("quantize", model);
  return result;
}

/// What of a quantized model computes in float32.
std::vector<FloatNode> float_nodes(Graph predict) {
  fuse_quantized(predict);
  return find_float(predict);
}

/// The passes on one entry point's graph.
void optimize(Graph& graph, Entry entry, Tracer& tracer) {
  fuse_quantized(graph);
  drop_moves(graph);
  remove_channels(graph);
  tracer.stage("quantized", graph, entry);
  choose_layout(graph);
  tracer.stage("layout", graph, entry);
  fuse(graph);
  tracer.stage("fuse", graph, entry);
  fold_constants(graph, true);
  drop_moves(graph);
}

EmitOptions emit_options(const Options& options, const Target& target, const Imported& imported, const CheckpointFacts& checkpoint) {
  EmitOptions emit;
  emit.name = options.name;
  emit.version = version;
  emit.model_file = options.model.filename().string();
  emit.target = target.name;
  emit.model_hash = hash_of(imported.original);
  emit.checkpoint_hash = checkpoint.hash;
  emit.checkpoint_order = checkpoint.order;
  emit.calls_yield = options.calls_yield;
  emit.initial_bounds = initial_bounds(imported.model);
  return emit;
}

void compile(const Options& options) {
  const Target target = load_target(options.target);
  check_clang(target);
  Tracer tracer(options.dump);
  Imported imported = import_model(options, tracer);

  const TrainingOptions training{options.optimizer, options.accumulate, options.batch_norm == BatchNormMode::train};
  std::map<Entry, Graph> entries = make_entries(imported.model, options.train ? &training : nullptr);
  const CheckpointFacts checkpoint = checkpoint_facts(imported.original, graphs_of(entries), options.optimizer);
  tracer.stage("entries", entries);
  if (!imported.quantized && is_quantized(entries.at(Entry::predict))) imported.quantized.emplace();  // it came so
  if (imported.quantized) imported.quantized->float_nodes = float_nodes(entries.at(Entry::predict));
  for (auto& [entry, graph] : entries) optimize(graph, entry, tracer);

  const std::int64_t ram_limit = limit(options.ram, target.ram), flash_limit = limit(options.flash, target.flash);
  if (may_spend_flash(options, target)) spend_flash(entries, flash_limit - code_reserve - constant_bytes(entries));
  const Lowering lowering = [&](const std::map<Entry, Graph>& graphs) { return lower_all(graphs, options.name, target); };
  Program program = lowering(entries);
  tracer.stage("lower", program);
  MemoryPlan plan = fit_memory(entries, program, lowering, options.planner_effort, ram_limit);
  tracer.stage("plan", program);

  EmitOptions emit = emit_options(options, target, imported, checkpoint);
  if (options.self_test) emit.self_tests = make_self_tests(entries.at(Entry::predict), 2);
  Output output = emit_within(program, emit, target, options.prefer, flash_limit);
  // Only now is the stack known: where it is what does not fit, once more into what it leaves.
  if (const std::int64_t left = ram_limit - output.code.stack_bytes; sizeof_model(program) > left && sizeof_model(program) <= ram_limit) {
    program = lowering(entries);
    plan = fit_memory(entries, program, lowering, options.planner_effort, left);
    output = emit_within(program, emit, target, options.prefer, flash_limit);
  }

  const Report report = make_report({program, plan, target, output.model.call_names, version, emit.model_file, output.preference,
                                     output.model.table_bytes, output.code, ram_limit, flash_limit, imported.validation, imported.quantized});
  check_fits(report);
  write_files(options.out, {{options.name + ".h", output.model.header},
                            {options.name + ".cpp", output.model.finished.get().source},
                            {options.name + ".report.json", report_json(report)}});
  if (!options.quiet) fmt::print("{}", report_table(report));
}

/// compile() with the model's name before messages that begin with a node, as import has it.
void compile_named(const Options& options) {
  try {
    compile(options);
  } catch (const UsageError&) {
    throw;
  } catch (const UserError& error) {
    const std::string message = error.what();
    throw UserError(message.starts_with("node") ? fmt::format("{}: {}", printable(options.model.filename().string()), message) : message);
  }
}

int run(int argc, char** argv) {
  try {
    const Command command = parse_command(argc, argv);
    if (command.kind == Command::Kind::print) std::cout << command.text;
    else compile_named(command.options);
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
