// Reads an ONNX file into a Graph. Together with its import_onnx_*.cpp the only part that knows ONNX and
// protobuf.
//
// The Graph that comes out is in one form, whatever exporter and opset wrote the file: static shapes, nodes
// in topological order, only operators of the operator table, shape-like operands as attributes, no function
// calls, no Identity and no Constant nodes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>
#include <vector>

#include "compiler/graph.h"

namespace tinytc {

struct ImportOptions {
  /// Runs a graph without inputs once: the elements of its outputs.
  using Evaluate = std::function<std::vector<std::vector<std::byte>>(const Graph&)>;

  std::int64_t batch = 0;                         // --batch N; 0: not given, a symbolic batch becomes 1
  std::map<std::string, std::int64_t> dims = {};  // --dim NAME=N; an unnamed extent is called INPUT[AXIS]
  Evaluate evaluate = {};  // for operands that must be known and are computed from constants; without it they are refused
};

/// Reads and normalises the model at `path`. Its external data is looked for in the file's folder.
/// Roles: float initializers are Role::parameter (a later stage decides which of them train), other known
/// tensors Role::constant. If the graph ends in a loss, Graph::loss is set, the loss's target is Role::label,
/// and the prediction that goes into the loss is an output. Throws UserError, with every problem of the
/// failing step in one message, that starts with the file's name.
Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options = {});

/// Operators that import writes with operators of the table, sorted; those of another domain with it ("com.microsoft.QGemm").
std::vector<std::string> rewritten_operators();

}  // namespace tinytc
