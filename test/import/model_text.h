// Helpers of the import tests: a model from ONNX's text syntax, written to a file and imported.
//
// The text is what onnx.printer prints:  <ir_version: 10, opset_import: ["" : 21]> g (float[2] x) =>
// (float[2] y) { y = Relu(x) }
#pragma once

#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "compiler/import_onnx.h"
#include "compiler/op.h"

namespace tinytc::test {

/// A folder of its own for one test; removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tinytc-import-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline onnx::ModelProto parse_text(const std::string& text) {
  onnx::ModelProto model;
  const auto status = onnx::OnnxParser::Parse(model, text.c_str());
  if (!status.IsOK()) throw std::runtime_error(status.ErrorMessage());
  return model;
}

inline Graph import_model(const onnx::ModelProto& model, const ImportOptions& options = {}) {
  const TemporaryFolder folder;
  return import_onnx(folder.write("model.onnx", model.SerializeAsString()), options);
}

inline Graph import_text(const std::string& text, const ImportOptions& options = {}) {
  return import_model(parse_text(text), options);
}

/// The same with the header that most tests want.
inline Graph import_graph(const std::string& graph, int opset = 21, const ImportOptions& options = {}) {
  return import_text("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) + "]>\n" + graph,
                     options);
}

/// The message with which the import refuses the model; fails the test if it does not.
template <typename Import>
std::string message_of(const Import& import) {
  try {
    import();
  } catch (const UserError& error) {
    return error.what();
  }
  FAIL("the import did not refuse the model");
  return {};
}

inline std::vector<std::string> operators_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op->name);
  return names;
}

inline const Value& input_of(const Graph& graph, const Node& node, std::size_t i) {
  return graph.value(node.inputs.at(i));
}

}  // namespace tinytc::test
