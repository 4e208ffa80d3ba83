// Types of inputs and outputs; see convert_interface.h.
#include "passes/convert_interface.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/op.h"
#include "compiler/quantization.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

using Kind = bool OpDef::*;

/// What is asked for, for messages.
struct Request {
  const char *option, *port;
  DType wanted;
  bool to_int8() const { return wanted == DType::i8; }
};
constexpr const char *leave_out = "leave the option out", *quantize_it = "--quantize int8 makes int8 of a float model";

[[noreturn]] void refuse(const Graph& graph, ValueId id, const Request& request, const std::string& reason, const char* hint = leave_out) {
  throw UserError(fmt::format("{} {}: {} '{}' is {}, and {}\n  hint: {}", request.option, request.to_int8() ? "int8" : "float32", request.port,
                              printable(graph.value(id).name), name_of(graph.type(id).dtype), reason, hint));
}

/// Conversions between real and stored numbers next to an input or output, perhaps beyond operators that only move elements, or what is there instead.
struct Found {
  std::vector<int> nodes;
  std::optional<Location> obstacle;
  bool beyond_moves = false;
  bool is_output = false;  // what an input is, moved or not, is an output as well
  bool is_whole = true;  // no part of an output comes from elsewhere
  std::set<ValueId> seen = {};  // what was looked at
};

std::size_t moved_inputs(const Node& node) {
  if (!node.op->move.moves) return 0;
  return node.op->move.all_inputs ? node.inputs.size() : std::min<std::size_t>(1, node.inputs.size());
}

/// Those that read the input.
void find_behind(const Graph& graph, const std::vector<std::vector<int>>& readers, ValueId id, Kind kind, Found& found) {
  if (!found.seen.insert(id).second) return;
  if (std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end()) found.is_output = true;
  for (int n : readers[static_cast<std::size_t>(id)]) {
    const Node& node = graph.nodes[static_cast<std::size_t>(n)];
    const auto place = static_cast<std::size_t>(std::find(node.inputs.begin(), node.inputs.end(), id) - node.inputs.begin());
    if (node.op->*kind && place == 0) {
      found.nodes.push_back(n);
    } else if (place < moved_inputs(node)) {
      found.beyond_moves = true;
      for (ValueId result : node.outputs)
        if (result != no_value) find_behind(graph, readers, result, kind, found);
    } else {
      found.obstacle = node.location;
    }
  }
}

/// Those that give the output.
void find_before(const Graph& graph, const std::vector<int>& producer, ValueId id, Kind kind, Found& found) {
  if (!found.seen.insert(id).second) return;
  const int n = producer[static_cast<std::size_t>(id)];
  found.is_whole = found.is_whole && n >= 0;
  if (n < 0) return;
  const Node& node = graph.nodes[static_cast<std::size_t>(n)];
  if (node.op->*kind) {
    found.nodes.push_back(n);
  } else if (moved_inputs(node) == 0) {
    found.obstacle = node.location;
  } else {
    found.beyond_moves = true;
    for (std::size_t i = 0; i < moved_inputs(node); ++i) find_before(graph, producer, node.inputs[i], kind, found);
  }
}

/// The stored tensor of a conversion.
ValueId stored_of(const Node& node) { return node.op->quantizes ? node.outputs[0] : node.inputs[0]; }

/// The scale that all of them have; refused where there is none.
Quantization common_scale(const Graph& graph, ValueId id, const Found& found, const Request& request) {
  const bool is_float = std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) { return node.op->quantizes || node.op->dequantizes; });
  const char* none = request.to_int8() ? "not computed with as int8" : "has no scale";
  const char* verb = graph.value(id).role == Role::input ? "reads" : "computes";
  if (is_float) refuse(graph, id, request, none, request.to_int8() ? quantize_it : leave_out);
  if (found.obstacle) refuse(graph, id, request, fmt::format("{}: {} {} it {}", none, describe(*found.obstacle), verb, request.to_int8() ? "in float32" : "as it is"));
  if (found.nodes.empty() || !found.is_whole) refuse(graph, id, request, none);
  const Node& first = graph.nodes[static_cast<std::size_t>(found.nodes.front())];
  const Quantization common = quantization_of(graph, first);
  const DType stored = graph.type(stored_of(first)).dtype;
  for (int n : found.nodes) {
    const Node& node = graph.nodes[static_cast<std::size_t>(n)];
    const bool is_same = common == quantization_of(graph, node) && stored == graph.type(stored_of(node)).dtype;
    if (!is_same) refuse(graph, id, request, "has two scales: " + describe(first.location) + " and " + describe(node.location));
  }
  if (common.axis >= 0) refuse(graph, id, request, "has a scale for each channel");
  if (request.to_int8() && stored != DType::i8 && stored != DType::u8) refuse(graph, id, request, fmt::format("stored as {}, not as int8", name_of(stored)));
  return common;
}

/// Scale and zero point of a conversion, behind the tensor that is converted.
std::vector<ValueId> operands_of(const Graph& graph, const Found& found, ValueId tensor) {
  std::vector<ValueId> operands = graph.nodes[static_cast<std::size_t>(found.nodes.front())].inputs;
  operands.front() = tensor;
  return operands;
}

/// Lets whoever reads `old` read `id`.
void redirect(Graph& graph, ValueId old, ValueId id) {
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), old, id);
  std::replace(graph.outputs.begin(), graph.outputs.end(), old, id);
}

/// A value that takes the place of an input behind it, and the node that computes it from the input, which stands first.
void put_behind(Graph& graph, ValueId id, const char* suffix, const TensorType& type, const char* op_name, std::vector<ValueId> operands,
                const Location& location) {
  const ValueId inside = add_value(graph, {graph.value(id).name + suffix, type});
  redirect(graph, id, inside);
  graph.nodes.insert(graph.nodes.begin(), {&op(op_name), std::move(operands), {inside}, {}, location});
}

void convert_input(Graph& graph, ValueId id, const Request& request) {
  const bool is_real = graph.type(id).dtype == DType::f32;
  Found found;
  find_behind(graph, consumers(graph), id, is_real ? &OpDef::quantizes : &OpDef::dequantizes, found);
  if (found.is_output) refuse(graph, id, request, "an output as well");
  const Quantization quantization = common_scale(graph, id, found, request);
  const Node first = graph.nodes[static_cast<std::size_t>(found.nodes.front())];
  const DType stored = graph.type(stored_of(first)).dtype;
  const Shape shape = graph.shape(id);
  if (!request.to_int8()) {  // what is stored now comes to be inside
    graph.value(id).type = {DType::f32, shape};
    put_behind(graph, id, "/stored", {stored, shape, quantization}, "QuantizeLinear", operands_of(graph, found, id), first.location);
    return;
  }
  if (is_real && found.beyond_moves) {
    // Moved real numbers: these come to be inside, and fuse_quantized moves stored ones instead.
    std::vector<ValueId> operands = operands_of(graph, found, id);
    put_behind(graph, id, "/real", {DType::f32, shape}, "DequantizeLinear", std::move(operands), first.location);
  } else if (is_real) {
    for (int n : found.nodes) redirect(graph, graph.nodes[static_cast<std::size_t>(n)].outputs[0], id);
    std::size_t n = 0;
    std::erase_if(graph.nodes, [&](const Node&) { return std::find(found.nodes.begin(), found.nodes.end(), static_cast<int>(n++)) != found.nodes.end(); });
  }
  const bool is_unsigned = stored == DType::u8;
  if (is_unsigned) put_behind(graph, id, "/unsigned", {stored, shape, quantization}, "FlipSign", {id}, first.location);
  graph.value(id).type = {DType::i8, shape, is_unsigned ? flipped(quantization, stored) : quantization};
}

void convert_output(Graph& graph, ValueId& id, const Request& request) {
  const bool is_real = graph.type(id).dtype == DType::f32;
  Found found;
  find_before(graph, producers(graph), id, is_real ? &OpDef::dequantizes : &OpDef::quantizes, found);
  common_scale(graph, id, found, request);
  const Node first = graph.nodes[static_cast<std::size_t>(found.nodes.front())];
  const DType stored = graph.type(stored_of(first)).dtype;
  const std::string name = graph.value(id).name;
  graph.value(id).name = name + "/inside";
  if (!request.to_int8()) {
    id = add_node(graph, "DequantizeLinear", operands_of(graph, found, id), 1, {}, first.location, name).front();
  } else {
    const bool is_output = std::find(graph.outputs.begin(), graph.outputs.end(), first.inputs[0]) != graph.outputs.end();
    const bool is_free = graph.value(first.inputs[0]).role == Role::computed && !is_output;
    if (is_real && !found.beyond_moves && is_free) id = first.inputs[0];
    else if (is_real) id = add_node(graph, "QuantizeLinear", operands_of(graph, found, id), 1, {}, first.location, name).front();
    if (stored == DType::u8) id = add_node(graph, "FlipSign", {id}, 1, {}, first.location, name).front();
  }
  graph.value(id).name = name;
}

/// What is moved has the scale of what came in.
void renew_scales(Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (!node.op->move.moves) continue;
    const std::vector<TensorType> types = infer_types(graph, node);
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != no_value) graph.value(node.outputs[i]).type.quantization = types[i].quantization;
  }
}

}  // namespace

void convert_interface(Graph& graph, const InterfaceTypes& types) {
  const auto changes = [&](ValueId id, const std::optional<DType>& wanted) {
    const DType now = graph.type(id).dtype;
    return wanted && now != *wanted && (now == DType::f32 || now == DType::i8 || now == DType::u8);
  };
  for (ValueId id : graph.inputs)
    if (graph.value(id).role == Role::input && changes(id, types.input)) convert_input(graph, id, {"--input-type", "input", *types.input});
  for (ValueId& id : graph.outputs)
    if (changes(id, types.output)) convert_output(graph, id, {"--output-type", "output", *types.output});
  remove_dead(graph);
  if (types.input || types.output) renew_scales(graph);
}

}  // namespace tinytc
