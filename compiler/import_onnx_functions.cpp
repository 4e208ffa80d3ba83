// Inlines the functions that a model brings along (torch's exporter writes some operators as such), with
// ONNX's inliner.
#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/common/proto_util.h>
#include <onnx/inliner/inliner.h>

#include <map>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

constexpr double kMostNodes = 1e6;  // after inlining

/// Nodes that a list of nodes becomes when every call in it is inlined. `sizes` remembers functions; an entry
/// of -1 is being computed.
template <typename Nodes>
double inlined_size(const Nodes& nodes, const std::map<std::string, const onnx::FunctionProto*>& functions,
                    std::map<std::string, double>& sizes) {
  double total = 0;
  for (const auto& node : nodes) {
    const std::string id = onnx::GetCalleeId(node);
    const auto function = functions.find(id);
    if (function == functions.end()) {
      total += 1;
      continue;
    }
    const auto known = sizes.find(id);
    if (known != sizes.end()) {
      if (known->second < 0)
        throw UserError(fmt::format("the function '{}' calls itself", printable(function->second->name())));
      total += known->second;
      continue;
    }
    sizes[id] = -1;
    const double size = inlined_size(function->second->node(), functions, sizes);
    sizes[id] = size;
    total += size;
  }
  return total;
}

}  // namespace

void inline_functions(onnx::ModelProto& model) {
  if (model.functions_size() == 0) return;
  std::map<std::string, const onnx::FunctionProto*> functions;
  for (const auto& function : model.functions()) functions[onnx::GetFunctionImplId(function)] = &function;
  std::map<std::string, double> sizes;
  if (inlined_size(model.graph().node(), functions, sizes) > kMostNodes)
    throw UserError(
        "its functions call each other so often that the graph would have more than a million nodes");
  try {
    onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/true);
  } catch (const std::exception& error) {
    throw UserError(fmt::format("its functions cannot be inlined: {}", printable(error.what(), 400)));
  }
  model.clear_functions();  // those that are left are never called, or are reported as unsupported operators
}

}  // namespace tinytc::importer
