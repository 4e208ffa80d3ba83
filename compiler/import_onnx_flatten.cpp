// Walks the nodes in topological order and finds for each what it is once everything that can be known is
// known: its types (static, or it is an error), its value where it computes with shapes, its form in one
// opset version. What comes out are the nodes that are left.
//
// visit() below is the list of what may happen to a node; each step either ends the visit or passes the node
// on. A step that rewrites the node visits the nodes that it was rewritten to. After an error the values that
// a node should have computed have no type, and nodes that read them are judged by their operator only, so
// that one run reports every fault once.
#include <fmt/format.h>
#include <onnx/defs/schema.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "compiler/import_onnx_steps.h"
#include "compiler/op.h"

namespace tinytc::importer {

namespace {

using onnx::NodeProto;
using onnx::TensorProto;
using onnx::TypeProto;

constexpr int kDeepestRewrite = 16;              // a function body may call functions
constexpr std::int64_t kMostElements = 1 << 30;  // of one tensor; far above any microcontroller's memory

struct Walk {
  FlatModel& flat;
  int opset = kTargetOpset;                      // of the nodes as they stand in the file
  int target = kTargetOpset;                     // of the nodes that come out
  std::unordered_set<std::string> outputs = {};  // names of the graph's outputs
  std::unordered_map<std::string, const onnx::SparseTensorProto*> sparse =
      {};                                                         // always empty: refused before
  std::map<std::string, std::vector<Location>> unsupported = {};  // by operator, as in the file
  ErrorList errors = {};
};

void set_type(Walk& walk, const std::string& name, TypeProto type) {
  walk.flat.owned_types.push_back(std::move(type));
  walk.flat.types[name] = &walk.flat.owned_types.back();
}

void set_constant(Walk& walk, const std::string& name, const TensorProto& tensor) {
  TypeProto type;
  type.mutable_tensor_type()->set_elem_type(tensor.data_type());
  auto* shape = type.mutable_tensor_type()->mutable_shape();
  for (const auto extent : tensor.dims()) shape->add_dim()->set_dim_value(extent);
  set_type(walk, name, std::move(type));
  walk.flat.constants[name] = &tensor;
}

void own_constant(Walk& walk, const std::string& name, TensorProto tensor) {
  walk.flat.owned_tensors.push_back(std::move(tensor));
  set_constant(walk, name, walk.flat.owned_tensors.back());
}

std::string display_name(const NodeProto& node) {
  return node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
}

bool in_table(const NodeProto& node) {
  if (!node.domain().empty()) return false;
  const OpDef* op = find_op(node.op_type());
  return op != nullptr && op->is_public;
}

/// Names the operator of the file, also where the lack is in what it was rewritten to; each node once.
void add_unsupported(Walk& walk, const NodeProto& node, const Location& where) {
  const std::string lacking = display_name(node);
  auto& nodes =
      walk.unsupported[where.op == lacking ? lacking : fmt::format("{}, which needs {}", where.op, lacking)];
  if (nodes.empty() || nodes.back().index != where.index) nodes.push_back(where);
}

std::vector<std::string> describe_inputs(const Walk& walk, const NodeProto& node) {
  std::vector<std::string> details;
  for (const auto& name : node.input()) {
    if (name.empty()) continue;
    const auto type = walk.flat.types.find(name);
    details.push_back(fmt::format("{}  {}", printable(name),
                                  type == walk.flat.types.end() ? "?" : describe(*type->second)));
  }
  return details;
}

// --- Steps of visit(). Those that return bool return true when the visit is over.

/// The value of a Constant node in whichever of its attributes it stands.
std::optional<TensorProto> constant_value(const NodeProto& node) {
  if (node.attribute_size() != 1) return std::nullopt;
  const auto& attribute = node.attribute(0);
  TensorProto tensor;
  const auto& name = attribute.name();
  if (name == "value") return attribute.t();
  const bool is_float = name == "value_float" || name == "value_floats";
  if (!is_float && name != "value_int" && name != "value_ints") return std::nullopt;
  tensor.set_data_type(is_float ? TensorProto::FLOAT : TensorProto::INT64);
  if (name == "value_floats") tensor.add_dims(attribute.floats_size());
  if (name == "value_ints") tensor.add_dims(attribute.ints_size());
  if (name == "value_float") tensor.add_float_data(attribute.f());
  if (name == "value_int") tensor.add_int64_data(attribute.i());
  tensor.mutable_float_data()->MergeFrom(attribute.floats());
  tensor.mutable_int64_data()->MergeFrom(attribute.ints());
  return tensor;
}

bool take_constant(Walk& walk, const NodeProto& node, const Location& where) {
  if (node.op_type() != "Constant" || !node.domain().empty()) return false;
  auto value = constant_value(node);
  if (value)
    own_constant(walk, node.output(0), std::move(*value));
  else
    walk.errors.add(node_message(where, "its value is a string or a sparse tensor, which is not supported"));
  return true;
}

/// An Identity vanishes, except where it gives a graph output the value of an input, a constant or another
/// output.
bool take_identity(Walk& walk, const NodeProto& node) {
  if (node.op_type() != "Identity" || !node.domain().empty() || node.input_size() != 1) return false;
  if (walk.outputs.count(node.output(0)) != 0) return false;
  walk.flat.aliases[node.output(0)] = node.input(0);
  return true;
}

/// Operators that change nothing here: an Expand or Reshape to the shape that the input has, a Cast to its
/// type.
bool take_no_op(Walk& walk, const NodeProto& node, const std::vector<TypeProto>& types) {
  static const std::unordered_set<std::string> kinds = {"Expand", "Reshape", "Cast"};
  if (kinds.count(node.op_type()) == 0 || walk.outputs.count(node.output(0)) != 0 ||
      element_count(types[0]) < 0)
    return false;
  const auto& input = walk.flat.types.at(node.input(0))->tensor_type();
  const auto& output = types[0].tensor_type();
  if (input.elem_type() != output.elem_type() || input.shape().dim_size() != output.shape().dim_size())
    return false;
  for (int i = 0; i < input.shape().dim_size(); ++i)
    if (input.shape().dim(i).dim_value() != output.shape().dim(i).dim_value()) return false;
  walk.flat.aliases[node.output(0)] = node.input(0);
  return true;
}

/// The inputs' names after aliases. False if one of them has no type, because of an earlier error.
bool resolve_inputs(const Walk& walk, NodeProto& node) {
  bool known = true;
  for (auto& name : *node.mutable_input()) {
    name = walk.flat.resolve(name);
    known = known && (name.empty() || walk.flat.types.count(name) != 0);
  }
  return known;
}

void visit(Walk& walk, NodeProto node, const Location& where, bool is_converted, int depth);

void visit_all(Walk& walk, Rewrite rewrite, const Location& where, int depth) {
  for (auto& tensor : rewrite.constants) {
    const std::string name = tensor.name();
    own_constant(walk, name, std::move(tensor));
  }
  for (auto& node : rewrite.nodes) visit(walk, std::move(node), where, true, depth + 1);
}

bool take_conversion(Walk& walk, const NodeProto& node, const Location& where, int depth) {
  if (!needs_conversion(node, walk.opset, walk.target)) return false;
  auto rewrite = convert_node(node, walk.flat, walk.opset, walk.target);
  if (rewrite)
    visit_all(walk, std::move(*rewrite), where, depth);
  else
    walk.errors.add(
        node_message(where, fmt::format("its form in operator set {} cannot be converted", walk.opset),
                     describe_inputs(walk, node), fmt::format("export with opset_version={}", kTargetOpset)));
  return true;
}

/// An operator that we lack but that can be written with others, by our rule or by ONNX's definition.
bool take_definition(Walk& walk, const NodeProto& node, const Location& where, int depth) {
  if (in_table(node) || depth >= kDeepestRewrite) return false;
  auto rewrite = decompose_node(node, walk.flat);
  if (!rewrite && has_function_body(node, walk.target)) rewrite = expand_function(node, walk.flat, walk.target);
  if (!rewrite) return false;
  visit_all(walk, std::move(*rewrite), where, depth);
  return true;
}

/// An If whose condition is known is the branch that it takes.
bool take_branch(Walk& walk, const NodeProto& node, const Location& where, int depth) {
  if (node.op_type() != "If" || !node.domain().empty() || depth >= kDeepestRewrite) return false;
  const auto condition = walk.flat.constants.find(node.input(0));
  if (condition == walk.flat.constants.end()) return false;
  const auto elements = integers_of(*condition->second);
  if (elements.size() != 1) return false;
  const std::string branch = elements[0] != 0 ? "then_branch" : "else_branch";
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() != branch || attribute.g().output_size() != node.output_size()) continue;
    Rewrite rewrite;
    rewrite.constants.assign(attribute.g().initializer().begin(), attribute.g().initializer().end());
    rewrite.nodes.assign(attribute.g().node().begin(), attribute.g().node().end());
    for (int i = 0; i < node.output_size(); ++i) {
      NodeProto identity;
      identity.set_op_type("Identity");
      identity.add_input(attribute.g().output(i).name());
      identity.add_output(node.output(i));
      rewrite.nodes.push_back(std::move(identity));
    }
    for (auto& tensor : rewrite.constants) own_constant(walk, tensor.name(), tensor);
    for (auto& inner : rewrite.nodes) visit(walk, inner, where, false, depth + 1);
    return true;
  }
  return false;
}

/// What is wrong with a node whose types cannot be inferred: our own rule's message, or ONNX's, which starts
/// "[ShapeInferenceError] ".
std::string inference_message(const Walk& walk, const NodeProto& node, const Location& where,
                              std::string reason) {
  const std::string ours = rule_message(walk.flat, {node, where});
  if (!ours.empty()) return ours;
  const std::size_t bracket = reason.find("] ");
  if (!reason.empty() && reason[0] == '[' && bracket != std::string::npos)
    reason = reason.substr(bracket + 2);
  return node_message(where, printable(reason, 300), describe_inputs(walk, node));
}

/// With ceil_mode a window that would start in the padding behind the input does not count: the operator's text and onnxruntime say so, ONNX's
/// inference counts it.
void drop_window_in_padding(const NodeProto& node, const TypeProto& input, std::vector<TypeProto>& types) {
  std::int64_t ceil_mode = 0;
  std::vector<std::int64_t> strides, pads;
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == "ceil_mode") ceil_mode = attribute.i();
    if (attribute.name() == "strides") strides.assign(attribute.ints().begin(), attribute.ints().end());
    if (attribute.name() == "pads") pads.assign(attribute.ints().begin(), attribute.ints().end());
  }
  if (ceil_mode == 0) return;
  const auto& in = input.tensor_type().shape();
  for (TypeProto& type : types) {
    auto* shape = type.mutable_tensor_type()->mutable_shape();
    for (int i = 2; i < shape->dim_size() && i < in.dim_size(); ++i) {
      const auto axis = static_cast<std::size_t>(i - 2);
      const std::int64_t stride = axis < strides.size() ? strides[axis] : 1, before = axis < pads.size() ? pads[axis] : 0;
      const std::int64_t out = shape->dim(i).dim_value();
      if (out > 1 && (out - 1) * stride >= in.dim(i).dim_value() + before) shape->mutable_dim(i)->set_dim_value(out - 1);
    }
  }
}

/// Type and shape of the outputs by ONNX's rules. False after an error; that of an unsupported operator is
/// not worth a message.
bool infer(Walk& walk, NodeProto& node, const Location& where, bool supported,
           std::vector<TypeProto>& types) {
  const auto* schema = onnx::OpSchemaRegistry::Schema(node.op_type(), walk.target, node.domain());
  if (schema == nullptr) return false;  // reported as unsupported
  try {
    onnx::ShapeInferenceOptions options(/*check_type=*/true, /*strict_mode=*/1);
    onnx::shape_inference::InferenceContextImpl context(node, walk.flat.types, walk.flat.constants,
                                                        walk.sparse, options);
    schema->Verify(node);
    if (schema->has_type_and_shape_inference_function()) schema->GetTypeAndShapeInferenceFunction()(context);
    schema->CheckInputOutputType(context);
    types = context.allOutputTypes_;
    if (node.op_type() == "MaxPool" || node.op_type() == "AveragePool")
      drop_window_in_padding(node, *walk.flat.types.at(node.input(0)), types);
    return true;
  } catch (const std::exception& error) {
    if (supported) walk.errors.add(inference_message(walk, node, where, error.what()));
    return false;
  }
}

/// A node that computes with shapes becomes its value.
bool take_shape_arithmetic(Walk& walk, const NodeProto& node, const std::vector<TypeProto>& types) {
  if (types.size() != 1 || node.output(0).empty() || element_count(types[0]) < 0) return false;
  auto value = fold_shape_arithmetic(node, walk.flat, types[0]);
  if (!value) return false;
  own_constant(walk, node.output(0), std::move(*value));
  return true;
}

/// Firmware has static memory: every extent must be known here.
bool check_static(Walk& walk, const NodeProto& node, const Location& where,
                  const std::vector<TypeProto>& types) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string& name = node.output(static_cast<int>(i));
    if (name.empty() || element_count(types[i]) >= 0) continue;
    const bool is_huge = types[i].has_tensor_type() && describe(types[i]).find('?') == std::string::npos;
    walk.errors.add(node_message(
        where,
        fmt::format("the shape of its output '{}' {}: {}", printable(name),
                    is_huge ? "is too large" : "is not known at compile time", describe(types[i])),
        describe_inputs(walk, node),
        is_huge ? "" : "export with fixed shapes; extents that depend on data cannot be compiled"));
    return false;
  }
  return true;
}

void visit(Walk& walk, NodeProto node, const Location& where, bool is_converted, int depth) {
  if (!resolve_inputs(walk, node)) {
    if (!in_table(node) && !has_function_body(node, walk.target) && node.op_type() != "Constant" &&
        node.op_type() != "Identity" && !needs_conversion(node, walk.opset, walk.target))
      add_unsupported(walk, node, where);
    return;
  }
  if (take_constant(walk, node, where) || take_identity(walk, node) || take_branch(walk, node, where, depth))
    return;
  if (!is_converted && take_conversion(walk, node, where, depth)) return;
  std::vector<TypeProto> types;
  const bool supported = in_table(node);
  const bool inferred = infer(walk, node, where, supported, types);
  if (inferred && (take_shape_arithmetic(walk, node, types) || take_no_op(walk, node, types))) return;
  if (take_definition(walk, node, where, depth)) return;
  if (!supported) add_unsupported(walk, node, where);
  if (!inferred || (supported && !check_static(walk, node, where, types))) return;
  for (std::size_t i = 0; i < types.size(); ++i)
    if (element_count(types[i]) >= 0) set_type(walk, node.output(static_cast<int>(i)), std::move(types[i]));
  if (supported) walk.flat.nodes.push_back({std::move(node), where});
}

/// One message for all operators that we lack, with how often and where.
void report_unsupported(Walk& walk) {
  if (walk.unsupported.empty()) return;
  std::string message = "these operators are not supported:";
  constexpr std::size_t kShown = 3;
  for (const auto& [op, nodes] : walk.unsupported) {
    message +=
        fmt::format("\n  {} ({} {}):", printable(op), nodes.size(), nodes.size() == 1 ? "node" : "nodes");
    for (std::size_t i = 0; i < std::min(nodes.size(), kShown); ++i)
      message += fmt::format("{} '{}' (#{})", i == 0 ? "" : ",", printable(nodes[i].node), nodes[i].index);
    if (nodes.size() > kShown) message += ", ...";
  }
  walk.errors.add(message + "\n  hint: tinytc --list-ops shows what is");
}

void add_inputs(Walk& walk, onnx::GraphProto& graph) {
  if (graph.sparse_initializer_size() > 0) throw UserError("sparse initializers are not supported");
  for (auto& tensor : graph.initializer()) {
    set_constant(walk, tensor.name(), tensor);
    walk.flat.initializers.insert(tensor.name());
  }
  for (const auto& input : graph.input()) {
    if (walk.flat.initializers.count(input.name()) != 0) continue;
    walk.flat.inputs.push_back(input.name());
    set_type(walk, input.name(), input.type());
    if (element_count(input.type()) < 0)
      walk.errors.add(
          fmt::format("input '{}' is too large: {}", printable(input.name()), describe(input.type())));
  }
  walk.errors.throw_if_any();
}

}  // namespace

std::int64_t element_count(const TypeProto& type) {
  if (!type.has_tensor_type() || !type.tensor_type().has_shape()) return -1;
  std::int64_t count = 1;
  for (const auto& dim : type.tensor_type().shape().dim()) {
    if (!dim.has_dim_value() || dim.dim_value() < 0) return -1;
    if (dim.dim_value() != 0 && count > kMostElements / dim.dim_value()) return -1;
    count *= dim.dim_value();
  }
  return count;
}

FlatModel flatten(onnx::ModelProto& model, const std::vector<int>& positions) {
  FlatModel flat;
  const int opset = opset_of(model);
  Walk walk{flat, opset, std::max(opset, kTargetOpset)};
  auto& graph = *model.mutable_graph();
  add_inputs(walk, graph);
  for (const auto& output : graph.output()) {
    walk.outputs.insert(output.name());
    flat.outputs.push_back(output.name());
  }
  for (int i = 0; i < graph.node_size(); ++i) {
    auto& node = *graph.mutable_node(i);
    const Location where{node.name(), display_name(node), positions[static_cast<std::size_t>(i)]};
    visit(walk, std::move(node), where, false, 0);
  }
  report_unsupported(walk);
  walk.errors.throw_if_any();
  rename_outputs(flat);
  remove_dead(flat);
  return flat;
}

}  // namespace tinytc::importer
