// Reads the file into a ModelProto and checks what can be checked before anything is known about operators:
// that it is an ONNX file, that its versions are ones we read, that its external data lies in its folder.
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/checker.h>
#include <onnx/common/constants.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using onnx::TensorProto;

constexpr std::uintmax_t kLargestFile = std::numeric_limits<int>::max();  // bytes; protobuf's own limit

std::string read_bytes(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_type type = std::filesystem::status(path, error).type();
  if (type == std::filesystem::file_type::not_found) throw UserError("no such file");
  if (error) throw UserError("cannot be read: " + error.message());
  if (type != std::filesystem::file_type::regular) throw UserError("is not a file");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw UserError("cannot be read: " + error.message());
  if (size > kLargestFile)
    throw UserError(
        fmt::format("has {} bytes; an ONNX file with its weights inside has at most {}\n"
                    "  hint: no microcontroller holds such a model; check that this is the right file",
                    size, kLargestFile));
  if (size == 0) throw UserError("the file is empty");
  std::string bytes(size, '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in || !in.read(bytes.data(), static_cast<std::streamsize>(size))) throw UserError("cannot be read");
  return bytes;
}

/// Says what a file is that people hand in by mistake; empty if it is none of those.
std::string other_format(const std::string& bytes) {
  const struct {
    std::size_t offset;
    const char* magic;
    const char* name;
  } kinds[] = {{0, "PK\x03\x04", "a ZIP archive (a PyTorch .pt or NumPy .npz file?)"},
               {4, "TFL3", "a TensorFlow Lite model; convert it with tf2onnx"},
               {0, "\x89HDF", "an HDF5 file (a Keras model?); convert it with tf2onnx"},
               {0, "version https://git-lfs", "a Git LFS pointer; fetch the file itself with 'git lfs pull'"},
               {0, "\x80\x02", "a Python pickle; export the model with torch.onnx.export"},
               {0, "{", "text"},
               {0, "<", "text"}};
  for (const auto& kind : kinds)
    if (bytes.compare(kind.offset < bytes.size() ? kind.offset : 0, std::string(kind.magic).size(),
                      kind.magic) == 0)
      return kind.name;
  return {};
}

onnx::ModelProto parse(const std::string& bytes) {
  // What the parser would print on standard error is in our message.
  const google::protobuf::LogSilencer silence;
  onnx::ModelProto model;
  google::protobuf::io::ArrayInputStream array(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream stream(&array);
  const bool parsed = model.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
  if (parsed && model.has_graph() && model.ir_version() > 0) return model;
  const std::string other = other_format(bytes);
  if (!other.empty()) throw UserError("is not an ONNX file but " + other);
  if (parsed && !model.has_graph()) throw UserError("is not an ONNX model: it holds no graph");
  if (parsed) throw UserError("is not an ONNX model: it states no IR version");
  throw UserError(
      fmt::format("is damaged or cut short: its {} bytes are no complete ONNX model\n"
                  "  hint: copy or export it again",
                  bytes.size()));
}

/// "" and "ai.onnx" are one domain; files may state both. The higher version holds, as in onnxruntime.
void join_default_domain(google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
  std::int64_t version = 0;
  google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> others;
  for (const auto& entry : imports) {
    if (entry.domain().empty() || entry.domain() == onnx::AI_ONNX_DOMAIN)
      version = std::max(version, entry.version());
    else
      *others.Add() = entry;
  }
  imports.Swap(&others);
  if (version == 0 && imports.empty()) return;
  if (version == 0) version = kTargetOpset;  // only operators of other domains: those say what they are
  auto* entry = imports.Add();
  entry->set_domain("");
  entry->set_version(version);
}

template <typename Nodes>
void spell_default_domain(Nodes& nodes) {
  for (auto& node : nodes) {
    if (node.domain() == onnx::AI_ONNX_DOMAIN) node.set_domain("");
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) spell_default_domain(*attribute.mutable_g()->mutable_node());
      for (auto& graph : *attribute.mutable_graphs()) spell_default_domain(*graph.mutable_node());
    }
  }
}

void check_versions(const onnx::ModelProto& model) {
  if (model.ir_version() > onnx::IR_VERSION)
    throw UserError(
        fmt::format("was written with ONNX IR version {}; this tinytc reads up to {}\n"
                    "  hint: export with an older onnx package, or use a newer tinytc",
                    model.ir_version(), static_cast<int>(onnx::IR_VERSION)));
  const int opset = opset_of(model);
  const int newest = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second;
  if (opset == 0) throw UserError("states no operator set version (opset_import); the file may be cut short");
  if (opset < kOldestOpset || opset > newest)
    throw UserError(
        fmt::format("uses operator set {}; this tinytc reads {} to {}\n  hint: export with opset_version={}",
                    opset, kOldestOpset, newest, kTargetOpset));
}

struct ExternalEntry {
  std::string location;
  std::uintmax_t offset = 0, length = 0;
  bool has_length = false;
};

std::uintmax_t parse_bytes(const TensorProto& tensor, const std::string& key, const std::string& text) {
  std::uintmax_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || number > kLargestFile)
      throw UserError(
          fmt::format("initializer '{}': the {} of its external data is '{}', not a number in range",
                      printable(tensor.name()), key, printable(text)));
    number = number * 10 + static_cast<std::uintmax_t>(c - '0');
  }
  return number;
}

ExternalEntry external_entry(const TensorProto& tensor) {
  ExternalEntry entry;
  for (const auto& pair : tensor.external_data()) {
    if (pair.key() == "location") entry.location = pair.value();
    if (pair.key() == "offset") entry.offset = parse_bytes(tensor, "offset", pair.value());
    if (pair.key() == "length") {
      entry.length = parse_bytes(tensor, "length", pair.value());
      entry.has_length = true;
    }
  }
  return entry;
}

void load_external(TensorProto& tensor, const std::filesystem::path& folder) {
  if (tensor.data_location() != TensorProto::EXTERNAL) return;
  const ExternalEntry entry = external_entry(tensor);
  std::filesystem::path file;
  try {
    // Refuses absolute paths, '..', symbolic links and what else leaves the folder.
    file = onnx::checker::resolve_external_data_location(folder.string(), entry.location, tensor.name());
  } catch (const std::exception& error) {
    throw UserError(fmt::format("initializer '{}': its external data cannot be used: {}",
                                printable(tensor.name()), printable(error.what(), 400)));
  }
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (error) throw UserError(fmt::format("initializer '{}': its external data '{}' cannot be read: {}", printable(tensor.name()), printable(entry.location), error.message()));
  const std::uintmax_t length = entry.has_length ? entry.length : size - std::min(size, entry.offset);
  if (entry.offset > size || length > size - entry.offset)
    throw UserError(fmt::format("initializer '{}': its external data ends at byte {} but '{}' has {} bytes",
                                printable(tensor.name()), entry.offset + length, printable(entry.location),
                                size));
  std::string bytes(length, '\0');
  std::ifstream in(file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(entry.offset));
  if (!in.read(bytes.data(), static_cast<std::streamsize>(length)) && length != 0)
    throw UserError(fmt::format("'{}' cannot be read", printable(entry.location)));
  tensor.set_raw_data(std::move(bytes));
  tensor.clear_external_data();
  tensor.clear_data_location();
}

void load_external(onnx::GraphProto& graph, const std::filesystem::path& folder) {
  for (auto& tensor : *graph.mutable_initializer()) load_external(tensor, folder);
  for (auto& node : *graph.mutable_node())
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) load_external(*attribute.mutable_t(), folder);
      if (attribute.has_g()) load_external(*attribute.mutable_g(), folder);
    }
}

/// The checker's text without its context, which our message states better.
std::string one_line(const std::string& text) {
  std::string line = text.substr(0, text.find("\n\n==> Context"));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return printable(line, 600);
}

/// Finds the nodes that the checker minds, so that the message can name them; no exception if it is not about
/// a node.
void check_nodes(const onnx::ModelProto& model, const std::vector<int>& positions) {
  onnx::checker::CheckerContext context;
  context.set_ir_version(static_cast<int>(model.ir_version()));
  std::unordered_map<std::string, int> versions;
  for (const auto& entry : model.opset_import()) versions[entry.domain()] = static_cast<int>(entry.version());
  context.set_opset_imports(versions);
  ErrorList errors;
  for (int i = 0; i < model.graph().node_size(); ++i) {
    const auto& node = model.graph().node(i);
    try {
      onnx::checker::check_node(node, context, onnx::checker::LexicalScopeContext());
    } catch (const std::exception& error) {
      errors.add(node_message({node.name(), node.op_type(), positions[static_cast<std::size_t>(i)]},
                              one_line(error.what())));
    }
  }
  errors.throw_if_any();
}

}  // namespace

int opset_of(const onnx::ModelProto& model) {
  for (const auto& entry : model.opset_import())
    if (entry.domain().empty()) return static_cast<int>(std::min<std::int64_t>(entry.version(), 1 << 20));
  return 0;
}

onnx::ModelProto read_model(const std::filesystem::path& path) {
  onnx::ModelProto model = parse(read_bytes(path));
  join_default_domain(*model.mutable_opset_import());
  spell_default_domain(*model.mutable_graph()->mutable_node());
  for (auto& function : *model.mutable_functions()) {
    join_default_domain(*function.mutable_opset_import());
    spell_default_domain(*function.mutable_node());
  }
  check_versions(model);
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  load_external(*model.mutable_graph(), folder);
  return model;
}

void check(const onnx::ModelProto& model, const std::vector<int>& positions) {
  try {
    onnx::checker::check_model(model, /*full_check=*/false, /*skip_opset_compatibility_check=*/true);
    return;
  } catch (const std::exception& error) {
    check_nodes(model, positions);
    throw UserError(fmt::format("is not a valid ONNX model: {}", one_line(error.what())));
  }
}

}  // namespace tinytc::importer
