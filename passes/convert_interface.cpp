// Types of inputs and outputs; see convert_interface.h.
#include "passes/convert_interface.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/op.h"
#include "compiler/quantization.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

[[noreturn]] void refuse(const Graph& graph, ValueId id, const char* option, const char* which, DType wanted) {
  const bool to_int8 = wanted == DType::i8;
  throw UserError(fmt::format("{} {}: {} '{}' is {}, and {}\n  hint: {}", option, to_int8 ? "int8" : "float32", which, printable(graph.value(id).name),
                              name_of(graph.type(id).dtype), to_int8 ? "not computed with as int8" : "has no scale",
                              to_int8 ? "--quantize int8 makes int8 of a float model" : "leave the option out"));
}

/// The operands behind the tensor of the first of `nodes`, when all of them convert with the same ones; else nothing.
std::optional<std::vector<ValueId>> common_scale(const Graph& graph, const std::vector<int>& nodes, bool OpDef::*kind) {
  std::optional<Quantization> common;
  for (int n : nodes) {
    const Node& node = graph.nodes[static_cast<std::size_t>(n)];
    if (!(node.op->*kind) || (common && *common != quantization_of(graph, node))) return std::nullopt;
    common = quantization_of(graph, node);
  }
  if (!common || common->axis >= 0) return std::nullopt;
  const Node& first = graph.nodes[static_cast<std::size_t>(nodes.front())];
  return std::vector<ValueId>(first.inputs.begin() + 1, first.inputs.end());
}

void with_tensor(std::vector<ValueId>& operands, ValueId id) { operands.insert(operands.begin(), id); }

/// Lets whoever reads `old` read `id`.
void redirect(Graph& graph, ValueId old, ValueId id) {
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), old, id);
  std::replace(graph.outputs.begin(), graph.outputs.end(), old, id);
}

void convert_input(Graph& graph, ValueId id, DType wanted) {
  const bool to_int8 = wanted == DType::i8;
  const std::vector<int> readers = consumers(graph)[static_cast<std::size_t>(id)];
  std::optional<std::vector<ValueId>> operands = common_scale(graph, readers, to_int8 ? &OpDef::quantizes : &OpDef::dequantizes);
  const bool is_output = std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
  if (!operands || is_output) refuse(graph, id, "--input-type", "input", wanted);
  const Node first = graph.nodes[static_cast<std::size_t>(readers.front())];
  if (to_int8 && graph.type(first.outputs[0]).dtype != DType::i8) refuse(graph, id, "--input-type", "input", wanted);
  if (to_int8) {
    graph.value(id).type.dtype = DType::i8;
    graph.value(id).type.quantization = quantization_of(graph, first);
    for (int reader : readers) redirect(graph, graph.nodes[static_cast<std::size_t>(reader)].outputs[0], id);
    std::size_t n = 0;
    std::erase_if(graph.nodes, [&](const Node&) { return std::find(readers.begin(), readers.end(), static_cast<int>(n++)) != readers.end(); });
    return;
  }
  // What is stored now comes to be inside.
  const Value stored = graph.value(id);
  const ValueId inside = add_value(graph, {stored.name + "/stored", {stored.type.dtype, stored.type.shape}});
  redirect(graph, id, inside);
  graph.value(id).type = {DType::f32, stored.type.shape};
  with_tensor(*operands, id);
  Node conversion{&op("QuantizeLinear"), *operands, {inside}, {}, first.location};
  graph.value(inside).type = infer_types(graph, conversion)[0];
  graph.nodes.insert(graph.nodes.begin(), std::move(conversion));
}

void convert_output(Graph& graph, ValueId& id, DType wanted) {
  const bool to_int8 = wanted == DType::i8;
  const int from = producers(graph)[static_cast<std::size_t>(id)];
  if (from < 0) refuse(graph, id, "--output-type", "output", wanted);
  const Node node = graph.nodes[static_cast<std::size_t>(from)];
  std::optional<std::vector<ValueId>> operands = common_scale(graph, {from}, to_int8 ? &OpDef::dequantizes : &OpDef::quantizes);
  if (!operands || (to_int8 && graph.type(node.inputs[0]).dtype != DType::i8)) refuse(graph, id, "--output-type", "output", wanted);
  const std::string name = graph.value(id).name;
  graph.value(id).name = name + "/inside";
  if (to_int8) {
    id = node.inputs[0];
  } else {
    with_tensor(*operands, id);
    id = add_node(graph, "DequantizeLinear", *operands, 1, {}, node.location, name).front();
  }
  graph.value(id).name = name;
}

}  // namespace

void convert_interface(Graph& graph, const InterfaceTypes& types) {
  const auto changes = [&](ValueId id, const std::optional<DType>& wanted) {
    const DType now = graph.type(id).dtype;
    return wanted && now != *wanted && (now == DType::f32 || now == DType::i8 || now == DType::u8);
  };
  for (ValueId id : graph.inputs)
    if (graph.value(id).role == Role::input && changes(id, types.input)) convert_input(graph, id, *types.input);
  for (ValueId& id : graph.outputs)
    if (changes(id, types.output)) convert_output(graph, id, *types.output);
  remove_dead(graph);
}

}  // namespace tinytc
