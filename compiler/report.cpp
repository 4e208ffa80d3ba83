// Gathers the report; see report.h. Printing is in report_text.cpp, the check of limits in check_fits.cpp.
#include "compiler/report.h"

#include <algorithm>
#include <set>

#include "compiler/cost.h"

namespace tinytc {

namespace {

constexpr std::int64_t block_alignment = 8;  // of the emitted class's blocks, in bytes

/// Bytes of the constants and of the trained tensors' initial values in flash that a call uses, each once.
std::int64_t weights_of(const Program& program, const KernelCall& call) {
  std::set<BufferId> tables;
  for (const Argument& argument : call.arguments)
    for_each_buffer(argument, [&](BufferId id, bool, bool) {
      const BufferId root = place_of(program, id).root;
      const Buffer& buffer = program.buffer(root);
      if (buffer.storage == Storage::flash || (buffer.storage == Storage::persistent && buffer.role == Role::parameter)) tables.insert(root);
    });
  std::int64_t bytes = 0;
  for (BufferId id : tables) bytes += byte_count(program.buffer(id).type);
  return bytes;
}

std::int64_t scratch_of(const Program& program, const KernelCall& call) {
  std::int64_t bytes = 0;
  for (const Argument& argument : call.arguments)
    for_each_buffer(argument, [&](BufferId id, bool, bool) { bytes += program.buffer(id).is_scratch ? byte_count(program.buffer(id).type) : 0; });
  return bytes;
}

LayerReport layer_of(const ReportInput& input, const KernelCall& call, const std::string& function, const std::optional<CoreFactor>& core) {
  LayerReport layer;
  layer.location = call.location;
  layer.kernel = call.kernel.substr(0, call.kernel.find('<'));
  layer.function = function;
  layer.macs = call.traits.macs;
  layer.elements = cost_elements(input.program, call);
  const auto size = input.code.function_bytes.find(function);
  if (size != input.code.function_bytes.end()) layer.code_bytes = size->second;
  layer.weights_bytes = weights_of(input.program, call);
  if (core) layer.cycles = core_cycles(input.program, call, *core);
  layer.scratch_bytes = scratch_of(input.program, call);
  layer.saved_scratch = call.traits.saved_scratch;
  if (core) layer.given_up_cycles = call.traits.given_up_cycles * core->integers;  // only kernels of integers have others
  return layer;
}

/// Amperes while the core computes.
std::optional<double> active_amperes(const Target& target) {
  if (!target.active_current || !target.clock_hz) return std::nullopt;
  return target.active_current->microamperes_per_mhz * 1e-6 * static_cast<double>(*target.clock_hz) * 1e-6;
}

EntryReport entry_of(const ReportInput& input, Entry entry, const std::optional<CoreFactor>& core) {
  const std::vector<KernelCall>& calls = input.program.calls.at(entry);
  EntryReport report;
  report.plan = input.plan.at(entry);
  if (report.plan.peak_call < calls.size()) report.peak_at = calls[report.plan.peak_call].location;
  for (BufferId id : report.plan.live_at_peak) {
    const Buffer& buffer = input.program.buffer(id);
    report.live_at_peak.push_back({buffer.name, describe(buffer.type), byte_count(buffer.type)});
  }
  if (core) report.cycles = m4f_entry_cycles(input.program, entry) * core->real;
  for (std::size_t k = 0; k < calls.size(); ++k) {
    report.layers.push_back(layer_of(input, calls[k], input.call_names.at(entry)[k], core));
    report.macs += calls[k].traits.macs;
    if (core) *report.cycles += *report.layers.back().cycles;
  }
  if (report.cycles && input.target.clock_hz) report.seconds = *report.cycles / static_cast<double>(*input.target.clock_hz);
  const std::optional<double> amperes = active_amperes(input.target);
  if (report.seconds && amperes && input.target.supply_volts) report.joules = *report.seconds * *amperes * *input.target.supply_volts;
  return report;
}

}  // namespace

std::int64_t sizeof_model(const Program& program) {
  const auto round_up = [](std::int64_t bytes) { return (bytes + block_alignment - 1) / block_alignment * block_alignment; };
  const std::int64_t counter = program.calls.count(Entry::accumulate) != 0 ? 4 : 0;
  return std::max<std::int64_t>(round_up(round_up(program.arena_bytes) + round_up(program.persistent_bytes) + counter), 1);
}

Report make_report(const ReportInput& input) {
  Report report;
  report.name = input.program.name;
  report.version = input.version;
  report.model_file = input.model_file;
  report.target = &input.target;
  report.preference = input.preference;
  report.code = input.code;
  report.weights_bytes = input.weights_bytes;
  report.ram_limit = input.ram_limit;
  report.flash_limit = input.flash_limit;
  report.quantized = input.quantized;
  report.validation = input.validation;
  report.arena_bytes = input.program.arena_bytes;
  report.persistent_bytes = input.program.persistent_bytes;
  report.sizeof_model = sizeof_model(input.program);
  const std::optional<CoreFactor> core = core_factor(input.target);
  report.cycles_source = core ? core->source : "no figures for this core";
  for (const auto& [entry, calls] : input.program.calls) report.entries.emplace(entry, entry_of(input, entry, core));
  const std::optional<double> amperes = active_amperes(input.target);
  const auto predict = report.entries.find(Entry::predict);
  if (amperes && predict != report.entries.end() && predict->second.seconds && *predict->second.seconds > 0) {
    const double duty = std::min(1.0, *predict->second.seconds * predictions_per_second);
    report.coin_cell_days = coin_cell_milliampere_hours / (*amperes * 1000 * duty) / 24;
  }
  return report;
}

}  // namespace tinytc
