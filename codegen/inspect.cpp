// Audit and measurement of the emitted source; see inspect.h.
#include "codegen/inspect.h"

#include <fmt/format.h>

#include <future>

#include "codegen/audit.h"
#include "compiler/diagnostics.h"

namespace tinytc {

namespace {

std::string describe(const std::vector<AuditViolation>& violations) {
  std::string text = "the emitted source must not be handed out";
  for (const AuditViolation& violation : violations)
    text += fmt::format("\n  line {}{}{}: {}", violation.line, violation.function.empty() ? "" : ", ", violation.function, violation.message);
  return text;
}

CodeFigures clang_figures(const AuditReport& report, bool stand_in) {
  CodeFigures figures;
  figures.source = stand_in ? "Clang's estimate -O2, for a stand-in architecture" : "Clang's estimate -O2";
  figures.code_bytes = report.code_bytes;
  figures.stack_bytes = report.stack_bytes;
  for (const AuditFunction& function : report.functions) figures.function_bytes[unqualified(function.name)] += function.code_bytes;
  for (const std::string& name : report.deepest_path) figures.deepest_path.push_back(unqualified(name));
  figures.library_calls = report.library_calls;
  return figures;
}

}  // namespace

CodeFigures inspect(const EmittedModel& model, const EmitOptions& options, const Target& target, const TargetConfig& config) {
  // The target's compiler runs beside slicing for the others and the audit: together they are most of the time that tinytc takes.
  std::future<Measured> measuring =
      std::async(std::launch::async, [&] { return measure_with_gcc(target, options.name, model.header, model.source_for_measuring); });
  AuditRequest request;
  request.name = options.name + ".cpp";
  request.source = model.finished.get().source_for_audit;
  request.headers[options.name + ".h"] = model.header;
  request.target = config;
  if (options.calls_yield) request.allowed_calls.push_back(options.name + "_yield");
  request.machine_code = !target.gcc;
  request.optimisation = '2';
  AuditReport report = audit(request);
  require(report.violations.empty(), describe(report.violations));
  const Measured measured = measuring.get();
  if (measured.figures) return *measured.figures;
  if (!request.machine_code) {  // the compiler is not installed after all
    request.machine_code = true;
    report = audit(request);
  }
  CodeFigures figures = clang_figures(report, target.stand_in);
  if (!measured.complaint.empty()) figures.source += fmt::format(" (the target's compiler cannot say: {})", measured.complaint);
  return figures;
}

}  // namespace tinytc
