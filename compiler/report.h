// What the emitted model costs: memory, flash, cycles, energy. Gathered once as plain data, then printed as JSON (NAME.report.json) and as
// a table. Everything in it is a function of model, options and compiler, so the file is the same wherever it is made.
#pragma once

#include "compiler/measure_code.h"
#include "compiler/program.h"
#include "compiler/validation.h"
#include "passes/plan_memory.h"
#include "passes/quantize.h"
#include "targets/target.h"

namespace tinytc {

/// One kernel call.
struct LayerReport {
  Location location;
  std::string kernel, function;  // "conv2d", "call_conv2d_n2"
  std::int64_t macs = 0, elements = 0;
  std::int64_t code_bytes = 0;     // of its function, which other calls may share
  std::int64_t weights_bytes = 0;  // tables in flash that it reads
  std::int64_t scratch_bytes = 0;  // of the call's own
  std::optional<double> cycles;    // estimated
  // Where the kernel is one with less scratch because the usual one did not fit:
  std::int64_t saved_scratch = 0;  // bytes
  std::optional<double> given_up_cycles;
};

struct LiveBuffer {
  std::string name, type;
  std::int64_t bytes = 0;
};

struct EntryReport {
  EntryPlan plan;
  Location peak_at;
  std::vector<LiveBuffer> live_at_peak;  // largest first
  std::vector<LayerReport> layers;
  std::int64_t macs = 0;
  std::optional<double> cycles, seconds, joules;  // estimated; absent: the target has no such figure
};

struct Report {
  std::string name, version, model_file, preference;
  const Target* target = nullptr;
  std::string cycles_source;
  std::map<Entry, EntryReport> entries;
  std::int64_t arena_bytes = 0, persistent_bytes = 0, sizeof_model = 0;
  std::int64_t weights_bytes = 0;  // constants and initial values in flash
  CodeFigures code;
  std::int64_t ram_limit = 0, flash_limit = 0;
  std::optional<double> coin_cell_days;
  std::optional<QuantizeFacts> quantized;  // --quantize
  std::optional<Validation> validation;  // of an int8 model that was float

  std::int64_t ram_bytes() const { return sizeof_model + code.stack_bytes; }
  std::int64_t flash_bytes() const { return weights_bytes + code.code_bytes; }
};

/// What the report is made of. `call_names`: the function of each call.
struct ReportInput {
  const Program& program;
  const MemoryPlan& plan;
  const Target& target;
  const std::map<Entry, std::vector<std::string>>& call_names;
  std::string version, model_file, preference;  // preference: what --prefer came to
  std::int64_t weights_bytes = 0;
  CodeFigures code;
  std::int64_t ram_limit = 0, flash_limit = 0;  // bytes
  std::optional<Validation> validation = std::nullopt;
  std::optional<QuantizeFacts> quantized = std::nullopt;
};
Report make_report(const ReportInput& input);

/// sizeof(Model) of the emitted class, bytes.
std::int64_t sizeof_model(const Program& program);

/// NAME.report.json. Bytes, cycles, seconds, joules, days as the keys say; null where the target's data say nothing.
std::string report_json(const Report& report);
/// The same for people, about 100 columns wide.
std::string report_table(const Report& report);

/// Throws UserError when RAM (sizeof(Model) and stack) or flash (weights and code) exceed their limits: how far over, the five largest live
/// buffers at the peak, what would help.
void check_fits(const Report& report);

// The assumption behind coin_cell_days: a CR2032 gives its nominal charge, the model predicts once a second (without a pause if a prediction
// takes longer), and nothing is drawn in between.
constexpr double coin_cell_milliampere_hours = 225;
constexpr double predictions_per_second = 1;

}  // namespace tinytc
