// Whether the model fits; see check_fits() in report.h.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/report.h"

namespace tinytc {

namespace {

/// The entry point whose arena is the largest.
std::pair<Entry, const EntryReport*> largest_entry(const Report& report) {
  std::pair<Entry, const EntryReport*> largest{Entry::predict, nullptr};
  for (const auto& [entry, facts] : report.entries)
    if (largest.second == nullptr || facts.plan.peak > largest.second->plan.peak) largest = {entry, &facts};
  return largest;
}

std::string ram_message(const Report& report) {
  std::string text = fmt::format("does not fit: {} B of RAM are needed, {} B more than the {} B that there are\n", report.ram_bytes(),
                                 report.ram_bytes() - report.ram_limit, report.ram_limit);
  text += fmt::format("  arena {} B, kept between calls {} B, stack {} B\n", report.arena_bytes, report.persistent_bytes, report.code.stack_bytes);
  const auto [entry, facts] = largest_entry(report);
  if (facts != nullptr && !facts->live_at_peak.empty()) {
    text += fmt::format("  largest buffers at the arena's peak, in {} at {}:\n", name_of(entry), describe(facts->peak_at));
    for (std::size_t i = 0; i < std::min<std::size_t>(5, facts->live_at_peak.size()); ++i) {
      const LiveBuffer& buffer = facts->live_at_peak[i];
      text += fmt::format("    {:>10} B  '{}' {}\n", buffer.bytes, printable(buffer.name), buffer.type);
    }
  }
  const bool trains = report.entries.count(Entry::train_step) != 0 || report.entries.count(Entry::accumulate) != 0;
  text += "  hint: ";
  if (trains) text += "train fewer layers (--train last:1 or bias), use --optimizer sgd, do without --accumulate; or ";
  if (facts != nullptr && !facts->plan.optimal) text += "raise --planner-effort; or ";
  return text + "take a target with more RAM (--list-targets) or a smaller model";
}

std::string flash_message(const Report& report) {
  return fmt::format(
      "does not fit: {} B of flash are needed, {} B more than the {} B that there are\n"
      "  weights and tables {} B, code {} B ({})\n"
      "  hint: {}take a target with more flash (--list-targets) or a model with fewer weights",
      report.flash_bytes(), report.flash_bytes() - report.flash_limit, report.flash_limit, report.weights_bytes, report.code.code_bytes,
      report.code.source, report.weights_bytes < report.flash_limit ? "use --prefer size; or " : "");
}

}  // namespace

void check_fits(const Report& report) {
  ErrorList errors;
  if (report.ram_bytes() > report.ram_limit) errors.add(fmt::format("{}: {}", printable(report.model_file), ram_message(report)));
  if (report.flash_bytes() > report.flash_limit) errors.add(fmt::format("{}: {}", printable(report.model_file), flash_message(report)));
  errors.throw_if_any();
}

}  // namespace tinytc
