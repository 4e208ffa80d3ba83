// The steps of the ONNX import, in the order in which import_onnx() takes them. Included by import_onnx_*.cpp
// only.
//
//   read_model        file -> ModelProto, with external data inside             import_onnx_read.cpp
//   inline_functions  calls of the model's own functions -> their bodies        import_onnx_functions.cpp
//   sort_nodes        topological order; cycles and dangling names are errors   import_onnx_sort.cpp
//   expand_quantized  operators on quantized tensors -> Q/DQ around real ones   import_onnx_quantized.cpp
//   bind_dimensions   symbolic extents of the inputs -> numbers                 import_onnx_dims.cpp
//   check             ONNX's own checker                                        import_onnx_read.cpp
//   flatten           node by node: one opset version, types, folded shapes     import_onnx_flatten.cpp
//                     (convert, decompose, fold, fold_move, clean)
//   compute_known     operands that must be known, computed from constants     import_onnx_known.cpp
//   build_graph       -> Graph                                                  import_onnx_graph.cpp
//   recognise_loss    which output is the loss, which input the label           import_onnx_loss.cpp
#pragma once

#include <onnx/onnx_pb.h>

#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/import_onnx.h"

namespace tinytc::importer {

/// Nodes are brought to this opset where the model is older; newer models keep their own. From 21 to the
/// current version the operators that a microcontroller can run changed in the types that they admit only.
constexpr int kTargetOpset = 21;
/// Oldest opset that is read.
constexpr int kOldestOpset = 7;

/// Parses the file, reads external data from its folder, joins the default domain's two spellings. The result
/// has a graph, an opset entry for the default domain in [kOldestOpset, current], and no external data.
onnx::ModelProto read_model(const std::filesystem::path& path);

/// Version of the default domain; read_model() made sure that there is exactly one.
int opset_of(const onnx::ModelProto& model);

void inline_functions(onnx::ModelProto& model);

/// Sorts graph.node() stably and returns, per node of the new order, the old position.
std::vector<int> sort_nodes(onnx::GraphProto& graph);

/// Rewrites QLinearConv, QGemm, MatMulInteger, ... and keeps `positions` in step; what has no such form stays.
void expand_quantized(onnx::ModelProto& model, std::vector<int>& positions);

/// The operators that it rewrites.
std::vector<std::string> quantized_operators();

void bind_dimensions(onnx::GraphProto& graph, const ImportOptions& options);

/// `positions`: per node the index that its messages show.
void check(const onnx::ModelProto& model, const std::vector<int>& positions);

struct FlatNode {
  onnx::NodeProto proto;
  Location location;
};

/// A model whose every value has a static type and whose every node is of the operator table. Names are the
/// ONNX names; `types` holds every name that a node, input or output mentions; `constants` every known tensor
/// (they point into the model or into `owned`).
struct FlatModel {
  std::vector<FlatNode> nodes;
  std::vector<std::string> inputs, outputs;                 // outputs: names before aliases
  std::unordered_map<std::string, onnx::TypeProto*> types;  // looked up by name only, never iterated
  std::unordered_map<std::string, const onnx::TensorProto*> constants;
  std::unordered_set<std::string> initializers;  // the constants that are initializers of the file
  std::unordered_map<std::string, std::string>
      aliases;  // output of a dropped Identity -> the name that stands for it
  std::unordered_map<std::string, std::string>
      names;  // what a value is called in the Graph, where not as here
  std::deque<onnx::TypeProto> owned_types;
  std::deque<onnx::TensorProto> owned_tensors;

  /// The name that stands for `name` after Identity nodes are gone.
  const std::string& resolve(const std::string& name) const {
    const auto found = aliases.find(name);
    return found == aliases.end() ? name : found->second;
  }
};

/// `model` must outlive the result.
FlatModel flatten(onnx::ModelProto& model, const std::vector<int>& positions);

/// An Identity that gives a graph output its name: the value itself takes the name, unless it is an output,
/// too, or no node computes it.
void rename_outputs(FlatModel& flat);
/// Nodes that served the folded arithmetic only.
void remove_dead(FlatModel& flat);

/// Computes operands that must be known and that depend on constants only; those constants are initializers no longer, so that nobody
/// trains them. Without `evaluate` nothing happens.
void compute_known(FlatModel& flat, const ImportOptions::Evaluate& evaluate);

/// What a single node was rewritten to: new nodes in topological order and new known tensors. Names that the
/// node did not have carry the name of its first output as prefix.
struct Rewrite {
  std::vector<onnx::NodeProto> nodes;
  std::vector<onnx::TensorProto> constants;
};

/// True if `node` means something else, or is written differently, in opset `to` than in opset `from`.
bool needs_conversion(const onnx::NodeProto& node, int from, int to);
/// The node in opset `to`, by ONNX's version converter. nullopt if the converter has no way and the node is
/// not valid as it stands.
std::optional<Rewrite> convert_node(const onnx::NodeProto& node, const FlatModel& known, int from, int to);
/// The node written with operators of our table, of opset 21 or later. nullopt if it has no such form: another
/// operator, a dynamic operand, or operands that its definition forbids.
std::optional<Rewrite> decompose_node(const onnx::NodeProto& node, const FlatModel& known);

/// The operators that it knows.
std::vector<std::string> decomposed_operators();
/// True if ONNX defines the operator by a function body in opset `version`.
bool has_function_body(const onnx::NodeProto& node, int version);
/// The node's function body. nullopt if it has none for these types and attributes.
std::optional<Rewrite> expand_function(const onnx::NodeProto& node, const FlatModel& known, int version);

/// The value of a node that computes with shapes: integers or booleans of at most kFoldLimit elements, all
/// inputs known. nullopt if the operator is not one of those. `output` is the node's inferred type.
std::optional<onnx::TensorProto> fold_shape_arithmetic(const onnx::NodeProto& node, const FlatModel& known,
                                                       const onnx::TypeProto& output);
constexpr std::int64_t kFoldLimit = 1024;  // elements

struct SmallTensor {
  std::vector<std::int64_t> shape, elements;  // row-major
};

/// The part of fold_shape_arithmetic() that moves elements: Gather, Slice, Transpose, Concat. `shape` and
/// `count` are the output's.
std::optional<std::vector<std::int64_t>> fold_move(const onnx::NodeProto& node,
                                                   const std::vector<SmallTensor>& operands,
                                                   const std::vector<std::int64_t>& shape,
                                                   std::int64_t count);

/// Elements of an integer or boolean tensor.
std::vector<std::int64_t> integers_of(const onnx::TensorProto& tensor);
/// An integer or boolean tensor, or one of floats given by their bits; `elem_type` is a TensorProto::DataType.
onnx::TensorProto make_tensor(int elem_type, const std::vector<std::int64_t>& shape,
                              const std::vector<std::int64_t>& elements);
/// Number of elements, or -1 if the type is no tensor or its shape is not static or it overflows.
std::int64_t element_count(const onnx::TypeProto& type);
/// "f32[8,16]", with '?' and names for what is not known.
std::string describe(const onnx::TypeProto& type);

Graph build_graph(const FlatModel& flat, std::string name);
/// What our own type rule has against a node that ONNX's rule refused; it says more. Empty if it has nothing.
std::string rule_message(const FlatModel& flat, const FlatNode& node);

void recognise_loss(Graph& graph);

}  // namespace tinytc::importer
