// The report as JSON and as a table; see report.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "compiler/report.h"

namespace tinytc {

namespace {

using Json = nlohmann::ordered_json;

/// Estimates are rounded to three digits: more would pretend.
std::optional<double> rounded(std::optional<double> value) {
  if (!value || *value == 0) return value;
  const double unit = std::pow(10.0, std::floor(std::log10(std::fabs(*value))) - 2);
  return unit >= 1 ? std::round(*value / unit) * unit : std::round(*value / unit) / std::round(1 / unit);
}

Json number(std::optional<double> value) { return value ? Json(*rounded(value)) : Json(nullptr); }

Json whole(std::optional<double> value) { return value ? Json(static_cast<std::int64_t>(std::llround(*value))) : Json(nullptr); }

Json location_json(const Location& location) { return {{"node", printable(location.node, 400)}, {"op", location.op}, {"index", location.index}}; }

Json layer_json(const LayerReport& layer) {
  Json json = location_json(layer.location);
  json["kernel"] = layer.kernel;
  json["function"] = layer.function;
  json["macs"] = layer.macs;
  json["elements"] = layer.elements;
  json["code_bytes"] = layer.code_bytes;
  json["weights_bytes"] = layer.weights_bytes;
  json["estimated_cycles"] = whole(layer.cycles);
  json["scratch_bytes"] = layer.scratch_bytes;
  json["saved_scratch_bytes"] = layer.saved_scratch;
  json["given_up_cycles"] = whole(layer.given_up_cycles);
  return json;
}

Json entry_json(const EntryReport& entry) {
  Json live = Json::array(), layers = Json::array();
  for (const LiveBuffer& buffer : entry.live_at_peak)
    live.push_back({{"name", printable(buffer.name, 400)}, {"type", buffer.type}, {"bytes", buffer.bytes}});
  for (const LayerReport& layer : entry.layers) layers.push_back(layer_json(layer));
  return {{"macs", entry.macs},
          {"estimated_cycles", whole(entry.cycles)},
          {"estimated_seconds", number(entry.seconds)},
          {"estimated_joules", number(entry.joules)},
          {"arena_peak_bytes", entry.plan.peak},
          {"arena_lower_bound_bytes", entry.plan.lower_bound},
          {"optimal", entry.plan.optimal},
          {"search_nodes", entry.plan.search_nodes},
          {"peak_at", location_json(entry.peak_at)},
          {"live_at_peak", live},
          {"layers", layers}};
}

std::string amount(std::optional<double> value, const char* unit) {
  if (!value) return "unknown";
  static constexpr std::pair<double, const char*> scales[] = {{1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}};
  for (const auto& [scale, prefix] : scales)
    if (*value >= scale) return fmt::format("{:.3g} {}{}", *value / scale, prefix, unit);
  return fmt::format("{:.3g} {}", *value, unit);
}

std::string thousands(std::int64_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string estimate(std::optional<double> value) { return value ? thousands(std::llround(*rounded(value))) : "unknown"; }

std::string layer_rows(const EntryReport& entry) {
  std::string text = fmt::format("  {:<28} {:<22} {:>12} {:>13} {:>8} {:>10}\n", "node", "kernel", "MACs", "cycles", "code B", "weights B");
  for (const LayerReport& layer : entry.layers) {
    const std::string node = layer.location.node.empty() ? layer.location.op : layer.location.node;
    text += fmt::format("  {:<28} {:<22} {:>12} {:>13} {:>8} {:>10}\n", printable(node, 28), layer.kernel, thousands(layer.macs),
                        estimate(layer.cycles), thousands(layer.code_bytes), thousands(layer.weights_bytes));
  }
  for (const LayerReport& layer : entry.layers)
    if (layer.saved_scratch > 0)
      text += fmt::format("  to fit, {} runs in {} with {} B of scratch, {} B less, for about {} cycles more\n", describe(layer.location),
                          layer.kernel, thousands(layer.scratch_bytes), thousands(layer.saved_scratch), estimate(layer.given_up_cycles));
  return text;
}

std::string entry_rows(Entry name, const EntryReport& entry) {
  std::string text = fmt::format("{}: {} MACs, about {} cycles, {}, {}\n", name_of(name), thousands(entry.macs), estimate(entry.cycles),
                                 amount(entry.seconds, "s"), amount(entry.joules, "J"));
  text += layer_rows(entry);
  text += fmt::format("  arena {} B of at least {} B ({}, {} search nodes); at the peak, {}:", thousands(entry.plan.peak),
                      thousands(entry.plan.lower_bound), entry.plan.optimal ? "optimal" : "not proven optimal",
                      thousands(entry.plan.search_nodes), describe(entry.peak_at));
  for (std::size_t i = 0; i < std::min<std::size_t>(entry.live_at_peak.size(), 5); ++i)
    text += fmt::format("{} {} {} B", i == 0 ? "" : ",", printable(entry.live_at_peak[i].name, 28), thousands(entry.live_at_peak[i].bytes));
  return text + "\n";
}

Json quantized_json(const std::optional<QuantizeFacts>& facts) {
  if (!facts) return nullptr;
  Json nodes = Json::array();
  for (const FloatNode& node : facts->float_nodes) {
    nodes.push_back(location_json(node.location));
    if (!node.reason.empty()) nodes.back()["reason"] = node.reason;
  }
  const bool is_ours = !facts->calibration.empty();
  return {{"calibration", is_ours ? Json(facts->calibration) : Json(nullptr)}, {"samples", is_ours ? Json(facts->samples) : Json(nullptr)}, {"float_nodes", nodes}, {"warnings", facts->warnings}};
}

std::string quantized_row(const QuantizeFacts& facts) {
  constexpr std::size_t most_shown = 12;
  std::string nodes;
  for (std::size_t i = 0; i < std::min(facts.float_nodes.size(), most_shown); ++i) {
    const auto& [location, reason] = facts.float_nodes[i];
    nodes += (i == 0 ? "" : ", ") + describe(location) + (reason.empty() ? "" : " because " + reason);
  }
  if (facts.float_nodes.size() > most_shown) nodes += fmt::format(", and {} more", facts.float_nodes.size() - most_shown);
  const std::string origin = facts.calibration.empty() ? "quantized as it came" : fmt::format("quantized to int8 by {} from {} samples", facts.calibration, facts.samples);
  std::string text = fmt::format("{}; in float32: {}\n", origin, nodes.empty() ? "nothing" : nodes);
  for (const std::string& warning : facts.warnings) text += "  warning: " + warning + "\n";
  return text;
}

Json target_json(const Target& target) {
  const auto current = target.active_current ? Json{{"microamperes_per_mhz", target.active_current->microamperes_per_mhz},
                                                    {"source", target.active_current->source}}
                                             : Json(nullptr);
  return {{"name", target.name},
          {"core", target.core},
          {"clock_hz", target.clock_hz ? Json(*target.clock_hz) : Json(nullptr)},
          {"supply_volts", target.supply_volts ? Json(*target.supply_volts) : Json(nullptr)},
          {"active_current", current},
          {"stand_in_compiler", target.stand_in}};
}

Json ram_json(const Report& report) {
  return {{"bytes", report.ram_bytes()},
          {"limit_bytes", report.ram_limit},
          {"sizeof_model", report.sizeof_model},
          {"arena_bytes", report.arena_bytes},
          {"persistent_bytes", report.persistent_bytes},
          {"stack_bytes", report.code.stack_bytes},
          {"stack_source", report.code.source},
          {"deepest_path", report.code.deepest_path}};
}

Json flash_json(const Report& report) {
  return {{"bytes", report.flash_bytes()},
          {"limit_bytes", report.flash_limit},
          {"weights_bytes", report.weights_bytes},
          {"code_bytes", report.code.code_bytes},
          {"code_source", report.code.source},
          {"library_calls", report.code.library_calls}};
}

}  // namespace

std::string report_json(const Report& report) {
  Json entries = Json::object();
  for (const auto& [entry, facts] : report.entries) entries[std::string(name_of(entry))] = entry_json(facts);
  Json json = {
      {"report_version", 1},
      {"tinytc", report.version},
      {"name", report.name},
      {"model", printable(report.model_file, 400)},
      {"prefer", report.preference},
      {"target", target_json(*report.target)},
      {"ram", ram_json(report)},
      {"flash", flash_json(report)},
      {"quantized", quantized_json(report.quantized)},
      {"cycles_source", report.cycles_source},
      {"coin_cell",
       {{"days", number(report.coin_cell_days)},
        {"milliampere_hours", coin_cell_milliampere_hours},
        {"predictions_per_second", predictions_per_second},
        {"assumption", "CR2032 at its nominal charge; only the computing core draws current"}}},
      {"entries", entries},
  };
  if (report.validation) json["validation"] = validation_json(*report.validation);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string report_table(const Report& report) {
  std::string text = fmt::format("{} for {} ({}), prefer {}\n", report.name, report.target->name, report.target->core, report.preference);
  for (const auto& [entry, facts] : report.entries) text += entry_rows(entry, facts);
  text += fmt::format("RAM    {:>11} B of {}: sizeof(Model) {} (arena {}, kept between calls {}) + stack {}\n", thousands(report.ram_bytes()),
                      thousands(report.ram_limit), thousands(report.sizeof_model), thousands(report.arena_bytes),
                      thousands(report.persistent_bytes), thousands(report.code.stack_bytes));
  text += fmt::format("flash  {:>11} B of {}: weights {} + code {}{}\n", thousands(report.flash_bytes()), thousands(report.flash_limit),
                      thousands(report.weights_bytes), thousands(report.code.code_bytes),
                      report.code.library_calls.empty() ? "" : fmt::format(", and from the library {}", fmt::join(report.code.library_calls, ", ")));
  text += fmt::format("code and stack: {}; cycles: {}\n", report.code.source, report.cycles_source);
  if (report.quantized) text += quantized_row(*report.quantized);
  if (report.coin_cell_days)
    text += fmt::format("CR2032 ({:.0f} mAh, {:.0f} prediction a second, nothing else drawn): {:.3g} days\n", coin_cell_milliampere_hours,
                        predictions_per_second, *report.coin_cell_days);
  if (report.validation) text += validation_text(*report.validation);
  return text;
}

}  // namespace tinytc
