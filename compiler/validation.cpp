// Printing a validation; see validation.h.
#include "compiler/validation.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace tinytc {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t shown_layers = 5;  // in the table

/// Hundredths of a dB and four digits of an error: the last bits of sums and logarithms are not the report's business.
Json decibels(double value) { return std::isfinite(value) ? Json(std::round(value * 100) / 100) : Json(nullptr); }
Json four_digits(double value) { return std::stod(fmt::format("{:.4g}", value)); }
Json share(const std::optional<double>& value) { return value ? Json(std::round(*value * 1e6) / 1e6) : Json(nullptr); }

Json error_json(const TensorError& error) {
  return {{"tensor", printable(error.tensor, 400)}, {"sqnr_db", decibels(error.sqnr_db())}, {"mean_absolute_error", four_digits(error.mean_absolute_error())}};
}

Json layer_json(const TensorError& error) {
  Json json = {{"node", printable(error.location.node, 400)}, {"op", error.location.op}, {"index", error.location.index}};
  json.update(error_json(error));
  return json;
}

std::string error_text(const TensorError& error) {
  const double ratio = error.sqnr_db();
  const std::string text = std::isfinite(ratio) ? fmt::format("{:.1f} dB", ratio) : error.noise == 0 ? "exact" : "only noise";
  return fmt::format("{:>10}, mean absolute error {:.3g}", text, error.mean_absolute_error());
}

}  // namespace

double TensorError::sqnr_db() const {
  return noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
}

Json validation_json(const Validation& validation) {
  Json outputs = Json::array(), layers = Json::array();
  for (const TensorError& error : validation.outputs) outputs.push_back(error_json(error));
  for (const TensorError& error : validation.layers) layers.push_back(layer_json(error));
  return {{"file", printable(validation.file, 400)},
          {"samples", validation.samples},
          {"float_accuracy", share(validation.float_accuracy)},
          {"int8_accuracy", share(validation.int8_accuracy)},
          {"argmax_agreement", share(validation.agreement)},
          {"outputs", outputs},
          {"layers", layers}};
}

std::string validation_text(const Validation& validation) {
  std::string text = fmt::format("int8 against float, {} sample{} of {}:\n", validation.samples, validation.samples == 1 ? "" : "s", printable(validation.file));
  if (validation.float_accuracy)
    text += fmt::format("  accuracy {:.2f} % float, {:.2f} % int8\n", 100 * *validation.float_accuracy, 100 * *validation.int8_accuracy);
  if (validation.agreement) text += fmt::format("  the same class for {:.2f} % of the samples\n", 100 * *validation.agreement);
  for (const TensorError& error : validation.outputs) text += fmt::format("  output {:<21} {}\n", printable(error.tensor, 20), error_text(error));
  for (std::size_t i = 0; i < std::min(shown_layers, validation.layers.size()); ++i)
    text += fmt::format("  {:<28} {}\n", printable(validation.layers[i].tensor, 27), error_text(validation.layers[i]));
  if (validation.layers.size() > shown_layers) text += fmt::format("  and {} layers with less noise\n", validation.layers.size() - shown_layers);
  return text;
}

}  // namespace tinytc
