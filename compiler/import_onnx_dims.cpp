// Gives every extent of the model's inputs a number. Exporters leave some open: the batch, mostly, which
// becomes 1 or --batch; everything else open needs --dim NAME=N.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

struct OpenDimension {
  std::string name;  // the symbol, or INPUT[AXIS] where the file names none
  int axis = 0;
  std::string input;
  onnx::TensorShapeProto::Dimension* dimension = nullptr;
};

/// Initializers that are also inputs (the rule before IR 4) are no arguments of the model.
std::vector<OpenDimension> open_dimensions(onnx::GraphProto& graph) {
  std::unordered_set<std::string> initialized;
  for (const auto& tensor : graph.initializer()) initialized.insert(tensor.name());
  std::vector<OpenDimension> open;
  ErrorList errors;
  for (auto& input : *graph.mutable_input()) {
    if (initialized.count(input.name()) != 0) continue;
    if (!input.type().has_tensor_type()) {
      errors.add(fmt::format("input '{}' is no tensor; sequences, maps and optionals are not supported",
                             printable(input.name())));
      continue;
    }
    if (!input.type().tensor_type().has_shape()) {
      errors.add(fmt::format(
          "input '{}' has no shape, not even a number of dimensions\n  hint: export with fixed input shapes",
          printable(input.name())));
      continue;
    }
    auto* shape = input.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (int axis = 0; axis < shape->dim_size(); ++axis) {
      auto* dimension = shape->mutable_dim(axis);
      if (dimension->has_dim_value() && dimension->dim_value() >= 0) continue;
      const std::string symbol = dimension->has_dim_param() ? dimension->dim_param() : std::string();
      open.push_back({symbol.empty() ? fmt::format("{}[{}]", input.name(), axis) : symbol, axis, input.name(),
                      dimension});
    }
  }
  errors.throw_if_any();
  return open;
}

/// Symbols that stand for the batch: on axis 0 wherever they occur.
std::set<std::string> batch_symbols(const std::vector<OpenDimension>& open) {
  std::set<std::string> batch;
  for (const auto& entry : open)
    if (entry.axis == 0) batch.insert(entry.name);
  for (const auto& entry : open)
    if (entry.axis != 0) batch.erase(entry.name);
  return batch;
}

std::string list_names(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "'" : ", '") + printable(name) + "'";
  return text.empty() ? "none" : text;
}

/// --dim for a name that the model does not have, and --batch without an open batch, are mistakes that would
/// go unnoticed.
void check_options(const onnx::GraphProto& graph, const std::vector<OpenDimension>& open,
                   const ImportOptions& options) {
  std::set<std::string> names;
  for (const auto& entry : open) names.insert(entry.name);
  ErrorList errors;
  for (const auto& [name, extent] : options.dims) {
    if (names.count(name) == 0)
      errors.add(fmt::format("--dim {}: the model has no open dimension of that name; it has: {}",
                             printable(name), list_names(names)));
    else if (extent < 1)
      errors.add(fmt::format("--dim {}={}: must be at least 1", printable(name), extent));
  }
  if (options.batch != 0 && batch_symbols(open).empty()) {
    const auto& type =
        graph.input_size() > 0 ? graph.input(0).type().tensor_type() : onnx::TypeProto::Tensor();
    const bool same = type.shape().dim_size() > 0 && type.shape().dim(0).dim_value() == options.batch;
    if (!same)
      errors.add(fmt::format("--batch {}: the model's batch is fixed\n  hint: export with a dynamic batch",
                             options.batch));
  }
  errors.throw_if_any();
}

}  // namespace

void bind_dimensions(onnx::GraphProto& graph, const ImportOptions& options) {
  const std::vector<OpenDimension> open = open_dimensions(graph);
  check_options(graph, open, options);
  const std::set<std::string> batch = batch_symbols(open);
  std::set<std::string> unbound;
  std::string where;
  for (const auto& entry : open) {
    const auto given = options.dims.find(entry.name);
    if (given != options.dims.end()) {
      if (options.batch != 0 && batch.count(entry.name) != 0 && given->second != options.batch)
        throw UsageError(fmt::format("--batch {} and --dim {}={} are for the same dimension; leave one out", options.batch, printable(entry.name), given->second));
      entry.dimension->set_dim_value(given->second);
    } else if (batch.count(entry.name) != 0) {
      entry.dimension->set_dim_value(options.batch == 0 ? 1 : options.batch);
    } else {
      unbound.insert(entry.name);
      where += fmt::format("\n  '{}' at axis {} of input '{}'", printable(entry.name), entry.axis,
                           printable(entry.input));
    }
  }
  if (unbound.empty()) return;
  std::string hint;
  for (const auto& name : unbound) hint += fmt::format(" --dim '{}=N'", printable(name));
  throw UserError(fmt::format(
      "these dimensions have no fixed extent, and firmware needs one:{}\n  hint: add{}", where, hint));
}

}  // namespace tinytc::importer
