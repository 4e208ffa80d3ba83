// Rewrites of a single node by ONNX's own library: to another opset version (its version converter) and to a
// function body (its inliner). Node by node, so that a gap in the converter costs one node, not the model,
// and so that every message names a node.
//
// A node is put alone into a model whose inputs have the static types found so far, the library rewrites that
// model, and its nodes are taken out again under names that cannot clash.
#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/defs/schema.h>
#include <onnx/inliner/inliner.h>
#include <onnx/version_converter/convert.h>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using onnx::NodeProto;
using onnx::OpSchema;
using onnx::OpSchemaRegistry;

const OpSchema* schema_of(const NodeProto& node, int version) {
  return OpSchemaRegistry::Schema(node.op_type(), version, node.domain());
}

/// Same operands and same attributes with the same defaults: then the versions differ in the types that they
/// admit only. Softmax, whose meaning changed in opset 13, changed its default axis with it.
bool same_form(const OpSchema& a, const OpSchema& b) {
  if (a.min_input() != b.min_input() || a.max_input() != b.max_input() || a.min_output() != b.min_output() ||
      a.max_output() != b.max_output() || a.attributes().size() != b.attributes().size())
    return false;
  auto other = b.attributes().begin();
  for (const auto& [name, attribute] : a.attributes()) {
    if (name != other->first || attribute.type != other->second.type ||
        attribute.required != other->second.required ||
        attribute.default_value.SerializeAsString() != other->second.default_value.SerializeAsString())
      return false;
    ++other;
  }
  return true;
}

/// A model that holds nothing but `node`. The version converter's adapters look at the values of small
/// constants: `with_constants` makes these initializers; the inliner looks at types and finds those of inputs
/// only.
onnx::ModelProto model_around(const NodeProto& node, const FlatModel& known, int version,
                              bool with_constants) {
  onnx::ModelProto model;
  model.set_ir_version(onnx::IR_VERSION);
  auto* import = model.add_opset_import();
  import->set_domain(node.domain());
  import->set_version(version);
  auto* graph = model.mutable_graph();
  graph->set_name("node");
  *graph->add_node() = node;
  std::unordered_set<std::string> seen;
  for (const auto& name : node.input()) {
    if (name.empty() || !seen.insert(name).second) continue;
    const auto constant = known.constants.find(name);
    const auto* type = known.types.at(name);
    if (with_constants && constant != known.constants.end() && element_count(*type) <= kFoldLimit) {
      *graph->add_initializer() = *constant->second;
      graph->mutable_initializer(graph->initializer_size() - 1)->set_name(name);
    } else {
      auto* input = graph->add_input();
      input->set_name(name);
      *input->mutable_type() = *type;
    }
  }
  for (const auto& name : node.output())
    if (!name.empty()) graph->add_output()->set_name(name);
  return model;
}

/// Takes the nodes out of a rewritten model. The outputs keep their names, by position; inner names get the
/// first output as prefix.
Rewrite take_out(onnx::ModelProto& model, const NodeProto& node) {
  auto* graph = model.mutable_graph();
  std::unordered_map<std::string, std::string> names;
  for (const auto& name : node.input()) names[name] = name;
  int position = 0;
  std::string prefix;
  for (const auto& name : node.output()) {
    if (name.empty()) continue;
    if (prefix.empty()) prefix = name;
    names[graph->output(position++).name()] = name;
  }
  const auto rename = [&](const std::string& name) {
    const auto [entry, added] = names.emplace(name, std::string());
    if (added)
      entry->second =
          name.empty() ? std::string() : fmt::format("{}/{}.{}", prefix, node.op_type(), names.size());
    return entry->second;
  };
  Rewrite result;
  std::unordered_set<std::string> given(node.input().begin(), node.input().end());
  for (auto& tensor : *graph->mutable_initializer()) {
    if (given.count(tensor.name()) != 0) continue;
    tensor.set_name(rename(tensor.name()));
    result.constants.push_back(std::move(tensor));
  }
  for (auto& inner : *graph->mutable_node()) {
    for (auto& name : *inner.mutable_input()) name = rename(name);
    for (auto& name : *inner.mutable_output()) name = rename(name);
    inner.set_name(node.name());
    result.nodes.push_back(std::move(inner));
  }
  return result;
}

/// Function bodies refer to attributes of the node, and the inliner knows only those that the node states.
NodeProto with_defaults(NodeProto node, int version) {
  std::unordered_set<std::string> stated;
  for (const auto& attribute : node.attribute()) stated.insert(attribute.name());
  for (const auto& [name, attribute] : schema_of(node, version)->attributes())
    if (stated.count(name) == 0 && attribute.default_value.has_name())
      *node.add_attribute() = attribute.default_value;
  return node;
}

/// What the converter leaves out: before opset 11 Resize (and Upsample, which becomes Resize) took output
/// pixel i from input position i / scale, rounded down in mode nearest; the defaults since are others.
void complete_conversion(Rewrite& rewrite, int from) {
  for (auto& node : rewrite.nodes) {
    if (node.op_type() != "Resize" || from >= 11) continue;
    for (const auto& [name, value] :
         {std::pair{"coordinate_transformation_mode", "asymmetric"}, std::pair{"nearest_mode", "floor"}}) {
      auto* attribute = node.add_attribute();
      attribute->set_name(name);
      attribute->set_type(onnx::AttributeProto::STRING);
      attribute->set_s(value);
    }
  }
}

/// Whether the node is valid under another version as it stands.
bool is_valid(const NodeProto& node, int version) {
  onnx::checker::CheckerContext context;
  context.set_ir_version(onnx::IR_VERSION);
  context.set_opset_imports({{node.domain(), version}});
  onnx::checker::LexicalScopeContext scope;
  for (const auto& name : node.input()) scope.add(name);
  try {
    onnx::checker::check_node(node, context, scope);
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

}  // namespace

bool needs_conversion(const NodeProto& node, int from, int to) {
  if (from >= to || !node.domain().empty()) return false;
  const OpSchema* old_schema = schema_of(node, from);
  const OpSchema* new_schema = schema_of(node, to);
  if (old_schema == nullptr || old_schema == new_schema) return false;
  return new_schema == nullptr || new_schema->deprecated() || !same_form(*old_schema, *new_schema);
}

std::optional<Rewrite> convert_node(const NodeProto& node, const FlatModel& known, int from, int to) {
  // Building the converter registers several hundred adapters: once a run.
  static const onnx::version_conversion::DefaultVersionConverter converter;
  try {
    onnx::ModelProto model = converter.convert_version(model_around(node, known, from, true),
                                                       onnx::OpSetID(from), onnx::OpSetID(to));
    if (model.graph().node_size() > 0) {
      Rewrite rewrite = take_out(model, node);
      complete_conversion(rewrite, from);
      return rewrite;
    }
  } catch (const std::exception&) {
    // The converter has no adapter for this step, or not for this form of the node: judged below.
  }
  if (!is_valid(node, to)) return std::nullopt;
  return Rewrite{{node}, {}};
}

bool has_function_body(const NodeProto& node, int version) {
  const OpSchema* schema = schema_of(node, version);
  return schema != nullptr && (schema->HasFunction() || schema->HasContextDependentFunction());
}

std::optional<Rewrite> expand_function(const NodeProto& node, const FlatModel& known, int version) {
  onnx::ModelProto model = model_around(with_defaults(node, version), known, version, false);
  const auto chosen = onnx::inliner::FunctionIdSet::Create({{node.domain(), node.op_type()}});
  try {
    onnx::inliner::InlineSelectedFunctions(model, *chosen, OpSchemaRegistry::Instance());
  } catch (const std::exception&) {
    return std::nullopt;  // the caller reports the operator as unsupported
  }
  const auto& nodes = model.graph().node();
  const bool same = nodes.size() == 1 && nodes.Get(0).op_type() == node.op_type();
  if (nodes.empty() || same) return std::nullopt;
  return take_out(model, node);
}

}  // namespace tinytc::importer
