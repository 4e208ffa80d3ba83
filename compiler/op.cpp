// What the rules of the operator table see of their node; see op.h.
#include "compiler/op.h"

#include <fmt/format.h>

#include <limits>

#include "compiler/literal.h"

namespace tinytc {

const TensorType& TypeContext::input(int i) const {
  require(has_input(i), fmt::format("{}: type rule reads absent input {}", describe(node.location), i));
  return graph.type(node.inputs[static_cast<std::size_t>(i)]);
}

std::int64_t TypeContext::axis(std::int64_t axis, std::int64_t rank) const {
  if (axis < -rank || axis >= rank) fail(fmt::format("axis {} is out of range for rank {}", axis, rank));
  return axis < 0 ? axis + rank : axis;
}

void TypeContext::fail(const std::string& message, const std::string& hint) const {
  const std::vector<int> producer = producers(graph);
  std::vector<std::string> details;
  for (ValueId id : node.inputs) {
    if (id == no_value) continue;
    const Value& value = graph.value(id);
    const int from = producer[static_cast<std::size_t>(id)];
    const std::string origin = from >= 0 ? "from " + describe(graph.nodes[static_cast<std::size_t>(from)].location)
                                         : fmt::format("{} '{}'", name_of(value.role), printable(value.name));
    details.push_back(fmt::format("{}  {}", describe(value.type), origin));
  }
  throw UserError(node_message(node.location, message, details, hint));
}

void GradientContext::set_gradient(int i, ValueId gradient) {
  const auto index = static_cast<std::size_t>(i);
  if (input_gradients_.size() <= index) input_gradients_.resize(index + 1, no_value);
  input_gradients_[index] = gradient;
}

std::vector<ValueId> GradientContext::emit_all(const std::string& op, std::vector<ValueId> inputs, int count, Attributes attributes) {
  return add_node(graph, op, std::move(inputs), count, std::move(attributes), node.location, "gradient/" + node.location.node);
}

ValueId GradientContext::emit(const std::string& op, std::vector<ValueId> inputs, Attributes attributes) {
  return emit_all(op, std::move(inputs), 1, std::move(attributes)).front();
}

ValueId GradientContext::forward_output(int i) {
  const auto wanted = static_cast<std::size_t>(i);
  Node& forward = graph.nodes[index_];
  if (forward.outputs.size() <= wanted) forward.outputs.resize(wanted + 1, no_value);
  if (forward.outputs[wanted] == no_value) {
    const std::vector<TensorType> types = infer_types(graph, forward);
    require(types.size() > wanted, forward.op->name + ": its rule has no such output");
    forward.outputs[wanted] = add_value(graph, {fmt::format("{}/{}{}", forward.location.node, forward.op->name, i), types[wanted]});
  }
  node.outputs = forward.outputs;
  return forward.outputs[wanted];
}

void GradientContext::with_attributes(Attributes attributes, void (*rule)(GradientContext&)) {
  std::swap(node.attributes, attributes);
  rule(*this);
  std::swap(node.attributes, attributes);
}

ValueId GradientContext::scalar(double number, ValueId like) {
  return add_constant(graph, "scalar", graph.type(like).dtype, {}, {number});
}

ValueId GradientContext::reduce_to(ValueId gradient, ValueId operand) {
  if (graph.shape(gradient) == graph.shape(operand)) return gradient;
  return emit("SumTo", {gradient}, {{"shape", graph.shape(operand)}});
}

const QuantizedTensor* QuantizeContext::input(int i) const {
  const auto at = static_cast<std::size_t>(i);
  return at < operands_.size() && operands_[at] ? &*operands_[at] : nullptr;
}

const QuantizedTensor* QuantizeContext::activation(int i) const {
  const QuantizedTensor* tensor = input(i);
  const bool fits = tensor != nullptr && output_type == DType::i8 && graph.type(tensor->stored).dtype == DType::i8 && tensor->quantization.axis < 0;
  return fits ? tensor : nullptr;
}

const QuantizedTensor* QuantizeContext::wide_activation(int i) const {
  const QuantizedTensor* tensor = input(i);
  if (tensor == nullptr || tensor->quantization.axis >= 0) return nullptr;
  const DType dtype = graph.type(tensor->stored).dtype;
  return dtype == DType::i8 || dtype == DType::i16 ? tensor : nullptr;
}

bool QuantizeContext::is_wide() const {
  const auto is_int16 = [&](const std::optional<QuantizedTensor>& tensor) { return tensor && graph.type(tensor->stored).dtype == DType::i16; };
  return output_type == DType::i16 || std::any_of(operands_.begin(), operands_.end(), is_int16);
}

ValueId QuantizeContext::emit(const std::string& op_name, std::vector<ValueId> inputs, Attributes attributes) {
  attributes.set("y_scale", double{output.scales[0]});
  attributes.set("y_zero_point", std::int64_t{output.zero_points[0]});
  attributes.set("y_lo", std::int64_t{lo});
  attributes.set("y_hi", std::int64_t{hi});
  if (output_type == DType::i16) attributes.set("y_bits", std::int64_t{16});
  return add_node(graph, op_name, std::move(inputs), 1, std::move(attributes), node.location, "int8/" + node.location.node).front();
}

ValueId QuantizeContext::constant(const std::string& name, DType dtype, const std::vector<double>& numbers) {
  return add_constant(graph, node.location.node + "/" + name, dtype, {static_cast<std::int64_t>(numbers.size())}, numbers);
}

Argument LowerContext::in(int i) const {
  if (!has_input(i)) {
    const DType dtype = node.outputs.empty() || node.outputs[0] == no_value ? input_type(0).dtype : output_type(0).dtype;
    return {.kind = Argument::Kind::null, .text = std::string(cpp_type_of(dtype))};
  }
  return {.kind = Argument::Kind::input, .buffer = buffer(node.inputs[static_cast<std::size_t>(i)])};
}

Argument LowerContext::out(int i) const {
  if (!has_output(i)) return {.kind = Argument::Kind::null, .text = std::string(cpp_type_of(input_type(0).dtype))};
  return {.kind = Argument::Kind::output, .buffer = buffer(node.outputs[static_cast<std::size_t>(i)])};
}

Argument LowerContext::update(int output) const {
  Argument argument = out(output);
  require(argument.kind == Argument::Kind::output, "an update needs its output");
  argument.kind = Argument::Kind::update;
  return argument;
}

Argument LowerContext::element(int i, std::int64_t index) const {
  Argument argument = in(i);
  argument.kind = Argument::Kind::element;
  argument.element = index;
  return argument;
}

Argument LowerContext::scratch(DType dtype, std::int64_t elements) {
  if (elements == 0) return {.kind = Argument::Kind::null, .text = std::string(cpp_type_of(dtype))};
  Buffer scratch{.name = "scratch", .type = {dtype, {elements}}, .alignment = std::max(4, size_of(dtype)), .is_scratch = true};
  program_.buffers.push_back(std::move(scratch));
  return {.kind = Argument::Kind::output, .buffer = static_cast<BufferId>(program_.buffers.size() - 1)};
}

Argument LowerContext::table(const std::string& name, TensorType type, std::vector<std::byte> data) {
  program_.buffers.push_back({.name = name, .type = type, .storage = Storage::flash, .alignment = std::max(4, size_of(type.dtype)),
                              .role = Role::constant, .data = std::move(data)});
  return {.kind = Argument::Kind::input, .buffer = static_cast<BufferId>(program_.buffers.size() - 1)};
}

Argument LowerContext::number(double value, DType dtype) const { return literal(number_literal(value, dtype)); }

Argument LowerContext::sink() const {
  if (!node.attributes.has(fused_update)) {
    const std::string type = fmt::format("StoreGradient<{}>", cpp_type_of(output_type(0).dtype));
    return object(type, {out(0)});
  }
  const OpDef& optimizer = op(node.attributes.get_string(fused_update, ""));
  return optimizer.make_sink(*this, static_cast<int>(node.attributes.get_int(fused_inputs, 0)));
}

void LowerContext::call(const std::string& header, const std::string& kernel, std::vector<Argument> arguments, std::int64_t macs,
                        const std::vector<Lead>& leads) {
  KernelCall call{header, kernel, std::move(arguments), {macs}, node.location, {}};
  for (const Lead& lead : leads) {
    if (!has_input(lead.input) || !has_output(lead.output)) continue;
    call.traits.overlaps.push_back({buffer(node.outputs[static_cast<std::size_t>(lead.output)]),
                                    buffer(node.inputs[static_cast<std::size_t>(lead.input)]),
                                    lead.elements * size_of(input_type(lead.input).dtype)});
  }
  std::string inputs, outputs;
  for (ValueId id : node.inputs)
    if (id != no_value) inputs += (inputs.empty() ? "" : ", ") + describe(graph.type(id));
  for (ValueId id : node.outputs)
    if (id != no_value) outputs += (outputs.empty() ? "" : ", ") + describe(graph.type(id));
  call.comment = inputs + " -> " + outputs;
  calls_.push_back(std::move(call));
}

void LowerContext::view(int output, int input, std::int64_t offset) {
  Buffer& part = program_.buffer(buffer(node.outputs[static_cast<std::size_t>(output)]));
  part.parent = buffer(node.inputs[static_cast<std::size_t>(input)]);
  part.parent_offset = offset * size_of(part.type.dtype);
}

bool LowerContext::place_inside(int input, int output, std::int64_t offset) {
  const BufferId whole = buffer(node.outputs[static_cast<std::size_t>(output)]);
  const BufferId own = buffer(node.inputs[static_cast<std::size_t>(input)]);
  const Place place = place_of(program_, own);
  Buffer& part = program_.buffer(place.root);
  const bool covers = place.offset == 0 && byte_count(part.type) == byte_count(program_.buffer(own).type);
  if (!covers || part.storage != Storage::arena || part.role != Role::computed || place.root == place_of(program_, whole).root) return false;
  part.parent = whole;
  part.parent_offset = offset * size_of(part.type.dtype);
  return true;
}

Argument literal(std::int64_t value) { return {.text = std::to_string(value)}; }
Argument literal(std::string text) { return {.text = std::move(text)}; }
Argument number_argument(std::string name, int value) { return {.kind = Argument::Kind::integer, .fields = {{std::move(name), {value}}}}; }
Argument object(std::string type, std::vector<Argument> parts) {
  return {.kind = Argument::Kind::object, .text = std::move(type), .parts = std::move(parts)};
}

int to_int(std::int64_t value) {
  require(value >= std::numeric_limits<int>::min() && value <= std::numeric_limits<int>::max(), "extent does not fit an int");
  return static_cast<int>(value);
}

std::vector<Update> updates_of(const Node& node) {
  if (!node.attributes.has(fused_update)) return node.op->updates;
  std::vector<Update> updates = op(node.attributes.get_string(fused_update, "")).updates;
  const int shift = static_cast<int>(node.attributes.get_int(fused_inputs, 0)) - 1;
  for (Update& update : updates) update.input += shift;
  return updates;
}

/// What only moves elements leaves their meaning as it is, when all come with one and the same scale.
void keep_quantization(const TypeContext& context, std::vector<TensorType>& types) {
  const std::optional<Quantization>& first = context.input(0).quantization;
  const int last = context.node.op->move.all_inputs ? context.input_count() : 1;
  bool same = first && first->axis < 0;
  for (int i = 1; i < last; ++i) same = same && context.has_input(i) && context.input(i).quantization == first;
  for (TensorType& type : types) type.quantization = same && type.dtype == context.input(0).dtype ? first : std::nullopt;
}

std::vector<TensorType> infer_types(const Graph& graph, const Node& node) {
  const int count = static_cast<int>(node.inputs.size());
  const TypeContext context(graph, node);
  if (node.attributes.has(fused_update)) {
    std::vector<TensorType> types;
    for (const Update& update : updates_of(node)) types.push_back(context.input(update.input));
    return types;
  }
  if (count < node.op->min_inputs || (node.op->max_inputs >= 0 && count > node.op->max_inputs))
    context.fail(fmt::format("has {} inputs, {} takes {} to {}", count, node.op->name, node.op->min_inputs, node.op->max_inputs));
  for (int i = 0; i < node.op->min_inputs; ++i)
    if (!context.has_input(i)) context.fail(fmt::format("input {} is missing", i));
  std::vector<TensorType> types = node.op->infer(context);
  if (node.op->move.moves) keep_quantization(context, types);
  return types;
}

std::vector<ValueId> add_node(Graph& graph, const std::string& op_name, std::vector<ValueId> inputs, int outputs, Attributes attributes,
                              Location location, const std::string& name) {
  Node node{&op(op_name), std::move(inputs), {}, std::move(attributes), std::move(location)};
  const std::vector<TensorType> types = infer_types(graph, node);
  require(static_cast<int>(types.size()) >= outputs, op_name + ": more outputs wanted than its rule gives");
  for (int i = 0; i < outputs; ++i)
    node.outputs.push_back(add_value(graph, {fmt::format("{}/{}{}", name, op_name, i == 0 ? "" : std::to_string(i)),
                                             types[static_cast<std::size_t>(i)]}));
  graph.nodes.push_back(node);
  return node.outputs;
}

}  // namespace tinytc
