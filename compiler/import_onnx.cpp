// The ONNX import from top to bottom; import_onnx_steps.h says what each step does.
#include "compiler/import_onnx.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/import_onnx_steps.h"

namespace tinytc {

Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options) {
  const std::string name = path.filename().string();
  try {
    onnx::ModelProto model = importer::read_model(path);
    importer::inline_functions(model);
    std::vector<int> positions = importer::sort_nodes(*model.mutable_graph());
    importer::expand_quantized(model, positions);
    importer::bind_dimensions(*model.mutable_graph(), options);
    importer::check(model, positions);
    importer::FlatModel flat = importer::flatten(model, positions);
    importer::compute_known(flat, options.evaluate);
    Graph graph = importer::build_graph(flat, name);
    importer::recognise_loss(graph);
    if (graph.outputs.empty()) throw UserError("the graph has no outputs, so there is nothing to compute\n  hint: check what the model was exported with");
    return graph;
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{}: {}", printable(name), error.what()));
  } catch (const UserError& error) {
    throw UserError(fmt::format("{}: {}", printable(name), error.what()));
  }
}

std::vector<std::string> rewritten_operators() {
  std::vector<std::string> names = importer::quantized_operators();
  for (std::string& name : importer::decomposed_operators()) names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace tinytc
