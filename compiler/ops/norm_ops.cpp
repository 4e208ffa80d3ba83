// BatchNormalization in its inference and training forms, and LayerNormalization, with their gradients.
//
// Channels are axis 1, or the last axis when the attribute `channels_last` is 1. Forms of BatchNormalization
// (x, scale, bias, mean, var):
//   BatchNormalization          given statistics: gradients through scale, bias and x only
//   BatchNormalizationTraining  statistics of this call: outputs y, new running mean and variance (in place),
//   mean, 1 / deviation
// `momentum` is ONNX's (the share that the running statistics keep). `unbiased`: as PyTorch, the running
// variance takes n / (n - 1).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "runtime/normalize.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/normalize.h";

bool channels_last(const Attributes& attributes) { return attributes.get_int("channels_last", 0) != 0; }

std::size_t channel_axis(const Attributes& attributes, const Shape& x) {
  if (channels_last(attributes)) return x.size() - 1;
  return x.size() > 1 ? 1 : 0;
}

ChannelShape channel_shape(const Attributes& attributes, const Shape& x) {
  const AxisShape shape = axis_shape(x, static_cast<std::int64_t>(channel_axis(attributes, x)));
  return {shape.outer, shape.axis, shape.inner};
}

double epsilon_of(const Attributes& attributes) { return attributes.get_float("epsilon", 1e-5); }

Attributes kept(const Attributes& attributes, std::initializer_list<const char*> names) {
  Attributes result;
  for (const char* name : names)
    if (attributes.has(name)) result.set(name, attributes.all().at(name));
  return result;
}

/// Checks x as input `x` and that all of `vectors` have one element a channel.
void check_channels(const TypeContext& context, int x, std::initializer_list<int> vectors) {
  require_float(context, x);
  require_rank(context, x, 1);
  const std::int64_t channels = context.shape(x)[channel_axis(context.attributes(), context.shape(x))];
  for (int i : vectors) {
    require_same_dtype(context, x, i);
    require_shape(context, i, {channels}, fmt::format("input {}", i));
  }
}

// --- Forward ---

/// A model exported for training has outputs for its running statistics; --batch-norm, not the file, says
/// what trains.
std::vector<TensorType> infer_batch_norm(const TypeContext& context) {
  check_channels(context, 0, {1, 2, 3, 4});
  for (int o = 1; o < context.output_count(); ++o)
    if (context.node.outputs[static_cast<std::size_t>(o)] != no_value)
      context.fail("its running statistics are read as outputs",
                   "export the model for inference; --batch-norm train keeps them up to date");
  return {context.input(0), context.input(3), context.input(4)};
}

void lower_batch_norm(LowerContext& context) {
  const ChannelShape shape = channel_shape(context.attributes(), context.input_shape(0));
  const DType dtype = context.output_type().dtype;
  context.call(
      header, "batch_norm",
      {shape_argument("ChannelShape", shape), context.number(epsilon_of(context.attributes()), dtype),
       context.in(0), context.in(1), context.in(2), context.in(3), context.in(4), context.out(),
       context.scratch(dtype, batch_norm_scratch(shape))},
      batch_norm_macs(shape), {{0, 0, batch_norm_lead_x(shape)}});
}

std::vector<TensorType> infer_training(const TypeContext& context) {
  check_channels(context, 0, {1, 2, 3, 4});
  const ChannelShape shape = channel_shape(context.attributes(), context.shape(0));
  if (shape.outer * shape.inner < 2)
    context.fail("statistics of a single value per channel", "use --batch-norm frozen, or a larger --batch");
  const TensorType& vector = context.input(1);
  return {context.input(0), vector, vector, vector, vector};
}

void lower_training(LowerContext& context) {
  const Attributes& attributes = context.attributes();
  const ChannelShape shape = channel_shape(attributes, context.input_shape(0));
  const DType dtype = context.output_type().dtype;
  const Argument shape_text = shape_argument("ChannelShape", shape);
  const auto statistic = [&](int o) {
    return context.has_output(o) ? context.out(o) : context.scratch(dtype, shape.channels);
  };
  const auto running = [&](int o) { return context.has_output(o) ? context.update(o) : null_pointer(dtype); };
  const Argument mean = statistic(3), inverse = statistic(4);
  context.call(header, "batch_statistics",
               {shape_text, context.number(epsilon_of(attributes), dtype),
                context.number(attributes.get_float("momentum", 0.9), dtype),
                literal(std::string(attributes.get_int("unbiased", 1) != 0 ? "true" : "false")),
                context.in(0), running(1), running(2), mean, inverse});
  context.call(header, "batch_norm_train",
               {shape_text, context.in(0), context.in(1), context.in(2), as_input(mean), as_input(inverse),
                context.out()},
               batch_norm_macs(shape), {{0, 0, batch_norm_train_lead_x(shape)}});
}

// --- Gradients ---

/// --batch-norm train: the form with statistics of each call, which keeps the running ones up to date.
void enter_training(Graph& graph, Node& node, bool statistics_train) {
  if (!statistics_train) return;
  for (std::size_t i : {std::size_t{3}, std::size_t{4}})
    if (graph.value(node.inputs[i]).role != Role::state)
      throw UserError(node_message(
          node.location,
          "its running statistics are computed by the graph, --batch-norm train cannot keep them"));
  node.op = &op("BatchNormalizationTraining");
  node.attributes.erase("training_mode");
  node.outputs.resize(5, no_value);
  const std::vector<TensorType> types = infer_types(graph, node);
  for (std::size_t o : {std::size_t{1}, std::size_t{2}})
    node.outputs[o] = add_value(graph, {graph.value(node.inputs[o + 2]).name + "/updated", types[o]});
}

/// Gradients of scale (from x and the statistics) and bias: the same in both forms.
void affine_gradients(GradientContext& context, ValueId mean, ValueId inverse) {
  const ValueId dy = context.output_gradient();
  const Attributes layout = kept(context.node.attributes, {"channels_last"});
  if (context.needs(1))
    context.set_gradient(
        1, context.emit("BatchNormalizationScaleGrad", {dy, context.input(0), mean, inverse}, layout));
  if (context.needs(2)) context.set_gradient(2, context.emit("ChannelSum", {dy}, layout));
}

void gradient_of_batch_norm(GradientContext& context) {
  const ValueId dy = context.output_gradient();
  const Attributes& attributes = context.node.attributes;
  ValueId inverse = no_value;
  if (context.needs(0) || context.needs(1))
    inverse = context.emit("InverseDeviation", {context.input(4)}, kept(attributes, {"epsilon"}));
  if (context.needs(0))
    context.set_gradient(0, context.emit("BatchNormalizationGrad", {dy, context.input(1), inverse},
                                         kept(attributes, {"channels_last"})));
  affine_gradients(context, context.input(3), inverse);
}

void gradient_of_training(GradientContext& context) {
  const ValueId mean = context.forward_output(3), inverse = context.forward_output(4);
  if (context.needs(0))
    context.set_gradient(
        0, context.emit("BatchNormalizationTrainingGrad",
                        {context.output_gradient(), context.input(0), context.input(1), mean, inverse},
                        kept(context.node.attributes, {"channels_last"})));
  affine_gradients(context, mean, inverse);
}

void lower_inverse_deviation(LowerContext& context) {
  const ElementwiseShape shape{to_int(element_count(context.output_shape()))};
  context.call(header, "inverse_deviation",
               {shape_argument("ElementwiseShape", shape),
                context.number(epsilon_of(context.attributes()), context.output_type().dtype), context.in(0),
                context.out()},
               0, {{0, 0, inverse_deviation_lead_variance(shape)}});
}

void lower_batch_norm_grad(LowerContext& context) {
  const ChannelShape shape = channel_shape(context.attributes(), context.input_shape(0));
  context.call(
      header, "batch_norm_frozen_grad",
      {shape_argument("ChannelShape", shape), context.in(1), context.in(2), context.in(0), context.out()},
      batch_norm_macs(shape), {{0, 0, batch_norm_frozen_grad_lead_dy(shape)}});
}

void lower_training_grad(LowerContext& context) {
  const ChannelShape shape = channel_shape(context.attributes(), context.input_shape(0));
  context.call(header, "batch_norm_train_grad",
               {shape_argument("ChannelShape", shape), context.in(1), context.in(2), context.in(3),
                context.in(4), context.in(0), context.out(),
                context.scratch(context.output_type().dtype, batch_norm_train_grad_scratch(shape))},
               2 * batch_norm_macs(shape),
               {{0, 1, batch_norm_train_grad_lead_x(shape)}, {0, 0, batch_norm_train_grad_lead_dy(shape)}});
}

std::vector<TensorType> channel_vector(const TypeContext& context) {
  return {{context.input(0).dtype, {context.shape(0)[channel_axis(context.attributes(), context.shape(0))]}}};
}

OpDef internal_row(const std::string& name, int inputs,
                   std::function<std::vector<TensorType>(const TypeContext&)> infer,
                   std::function<void(LowerContext&)> lower, std::vector<int> spatial_inputs,
                   std::vector<int> spatial_outputs) {
  OpDef row{.name = name, .min_inputs = inputs, .max_inputs = inputs};
  row.infer = std::move(infer);
  row.lower = std::move(lower);
  row.layout.spatial_inputs = std::move(spatial_inputs);
  row.layout.spatial_outputs = std::move(spatial_outputs);
  row.is_public = false;
  return row;
}

OpDef scale_grad_row() {
  const auto infer = [](const TypeContext& context) {
    check_channels(context, 0, {2, 3});
    require_shape(context, 1, context.shape(0), "x");
    return channel_vector(context);
  };
  const auto lower = [](LowerContext& context) {
    const ChannelShape shape = channel_shape(context.attributes(), context.input_shape(0));
    context.call(header, "batch_norm_scale_grad",
                 {shape_argument("ChannelShape", shape), context.in(1), context.in(2), context.in(3),
                  context.in(0), context.sink()},
                 batch_norm_macs(shape));
  };
  OpDef row = internal_row("BatchNormalizationScaleGrad", 4, infer, lower, {0, 1}, {});
  row.takes_sink = true;
  return row;
}

OpDef channel_sum_row() {
  const auto infer = [](const TypeContext& context) {
    check_channels(context, 0, {});
    return channel_vector(context);
  };
  const auto lower = [](LowerContext& context) {
    const ChannelShape shape = channel_shape(context.attributes(), context.input_shape(0));
    context.call(header, "channel_bias_grad",
                 {shape_argument("ChannelShape", shape), context.in(0), context.sink()});
  };
  OpDef row = internal_row("ChannelSum", 1, infer, lower, {0}, {});
  row.takes_sink = true;
  return row;
}

/// The inference form as a scale and a shift of each channel, computed from its constants.
std::optional<ChannelAffine> affine_of_batch_norm(Graph& graph, const Node& node) {
  for (std::size_t i = 1; i < 5; ++i)
    if (graph.value(node.inputs[i]).role != Role::constant) return std::nullopt;
  const auto emit = [&](const char* op_name, std::vector<ValueId> inputs) {
    return add_node(graph, op_name, std::move(inputs), 1, {}, node.location, "folded/" + node.location.node).front();
  };
  const DType dtype = graph.type(node.inputs[1]).dtype;
  const ValueId epsilon = add_constant(graph, "epsilon", dtype, {}, {node.attributes.get_float("epsilon", 1e-5)});
  const ValueId deviation = emit("Sqrt", {emit("Add", {node.inputs[4], epsilon})});
  const ValueId scale = emit("Div", {node.inputs[1], deviation});
  return ChannelAffine{scale, emit("Sub", {node.inputs[2], emit("Mul", {node.inputs[3], scale})})};
}

OpRows batch_norm_rows() {
  OpDef inference{.name = "BatchNormalization", .min_inputs = 5, .max_inputs = 5, .max_outputs = 3};
  inference.channel_affine = affine_of_batch_norm;
  inference.infer = infer_batch_norm;
  inference.gradient = gradient_of_batch_norm;
  inference.lower = lower_batch_norm;
  inference.layout.spatial_inputs = inference.layout.spatial_outputs = {0};
  inference.bias_inputs = {2};
  inference.statistic_inputs = {3, 4};
  OpDef training = inference;
  training.channel_affine = nullptr;
  inference.enter_training = enter_training;
  training.name = "BatchNormalizationTraining";
  training.max_outputs = 5;
  training.infer = infer_training;
  training.gradient = gradient_of_training;
  training.lower = lower_training;
  training.updates = {{1, 3}, {2, 4}};
  training.is_public = false;
  const auto infer_grad = [](const TypeContext& context) {
    check_channels(context, 0, {1, 2});
    return same_as_input(context);
  };
  const auto infer_training_grad = [](const TypeContext& context) {
    check_channels(context, 0, {2, 3, 4});
    require_shape(context, 1, context.shape(0), "x");
    return same_as_input(context);
  };
  return {inference,
          training,
          internal_row("InverseDeviation", 1, same_as_input, lower_inverse_deviation, {}, {}),
          internal_row("BatchNormalizationGrad", 3, infer_grad, lower_batch_norm_grad, {0}, {0}),
          internal_row("BatchNormalizationTrainingGrad", 5, infer_training_grad, lower_training_grad, {0, 1},
                       {0}),
          scale_grad_row(),
          channel_sum_row()};
}

// --- LayerNormalization ---

std::size_t first_axis(const Attributes& attributes, const Shape& x) {
  return static_cast<std::size_t>(
      from_front(attributes.get_int("axis", -1), static_cast<std::int64_t>(x.size())));
}

LayerNormShape layer_norm_shape(const Attributes& attributes, const Shape& x) {
  const std::size_t axis = first_axis(attributes, x);
  return {to_int(extent_product(x, 0, axis)), to_int(extent_product(x, axis, x.size()))};
}

/// Checks that input i, scale or bias, has the normalised extents; leading ones are allowed.
void check_normalised(const TypeContext& context, int i, int x) {
  if (!context.has_input(i)) return;
  require_same_dtype(context, x, i);
  const Shape& shape = context.shape(x);
  const Shape normalised(shape.begin() + static_cast<std::ptrdiff_t>(first_axis(context.attributes(), shape)),
                         shape.end());
  Shape given = context.shape(i);
  while (given.size() > normalised.size() && given.front() == 1) given.erase(given.begin());
  if (given != normalised) require_shape(context, i, normalised, i == 2 && x == 0 ? "the bias" : "the scale");
}

Shape statistics_shape(const Attributes& attributes, Shape x) {
  std::fill(x.begin() + static_cast<std::ptrdiff_t>(first_axis(attributes, x)), x.end(), 1);
  return x;
}

std::vector<TensorType> infer_layer_norm(const TypeContext& context) {
  require_float(context);
  require_rank(context, 0, 1, 64);
  const Shape& x = context.shape(0);
  context.axis(context.attributes().get_int("axis", -1), static_cast<std::int64_t>(x.size()));
  if (element_count(x) == 0) context.fail("input 0 has no elements");
  check_normalised(context, 1, 0);
  check_normalised(context, 2, 0);
  const TensorType statistics{context.input(0).dtype, statistics_shape(context.attributes(), x)};
  return {context.input(0), statistics, statistics};
}

void lower_layer_norm(LowerContext& context) {
  const LayerNormShape shape = layer_norm_shape(context.attributes(), context.input_shape(0));
  const DType dtype = context.output_type().dtype;
  context.call(
      header, "layer_norm",
      {shape_argument("LayerNormShape", shape), context.number(epsilon_of(context.attributes()), dtype),
       context.in(0), context.in(1), context.in(2), context.out(), context.out(1), context.out(2)},
      std::int64_t{2} * shape.rows * shape.width, {{0, 0, layer_norm_lead_x(shape)}});
}

void gradient_of_layer_norm(GradientContext& context) {
  for (int o = 1; o < static_cast<int>(context.node.outputs.size()); ++o)
    if (context.output_gradient(o) != no_value)
      throw UserError(
          node_message(context.node.location,
                       "the loss depends on its mean or deviation, whose gradient is not supported"));
  const ValueId dy = context.output_gradient();
  const Attributes axis{{"axis", context.node.attributes.get_int("axis", -1)}};
  ValueId mean = no_value, inverse = no_value;
  if (context.needs(0) || context.needs(1))
    mean = context.forward_output(1), inverse = context.forward_output(2);
  if (context.needs(0))
    context.set_gradient(0, context.emit("LayerNormalizationGrad",
                                         {dy, context.input(0), mean, inverse, context.input(1)}, axis));
  if (context.needs(1)) {
    Attributes attributes = axis;
    attributes.set("shape", context.graph.shape(context.input(1)));
    context.set_gradient(
        1, context.emit("LayerNormalizationScaleGrad", {dy, context.input(0), mean, inverse}, attributes));
  }
  if (context.needs(2)) context.set_gradient(2, context.reduce_to(dy, context.input(2)));
}

/// (dy, x, mean, 1 / deviation[, scale]).
void check_layer_norm_grad(const TypeContext& context) {
  require_float(context);
  require_shape(context, 1, context.shape(0), "x");
  const Shape statistics = statistics_shape(context.attributes(), context.shape(0));
  require_shape(context, 2, statistics, "the mean");
  require_shape(context, 3, statistics, "the deviation");
}

OpDef layer_norm_grad_row() {
  const auto infer = [](const TypeContext& context) {
    check_layer_norm_grad(context);
    check_normalised(context, 4, 0);
    return same_as_input(context);
  };
  const auto lower = [](LowerContext& context) {
    const LayerNormShape shape = layer_norm_shape(context.attributes(), context.input_shape(0));
    context.call(header, "layer_norm_grad",
                 {shape_argument("LayerNormShape", shape), context.in(1), context.in(4), context.in(2),
                  context.in(3), context.in(0), context.out()},
                 std::int64_t{4} * shape.rows * shape.width,
                 {{0, 1, layer_norm_grad_lead_x(shape)}, {0, 0, layer_norm_grad_lead_dy(shape)}});
  };
  OpDef row = internal_row("LayerNormalizationGrad", 5, infer, lower, {}, {});
  row.min_inputs = 4;
  return row;
}

OpDef layer_norm_scale_grad_row() {
  const auto infer = [](const TypeContext& context) {
    check_layer_norm_grad(context);
    return std::vector<TensorType>{{context.input(0).dtype, context.attributes().get_ints("shape", {})}};
  };
  const auto lower = [](LowerContext& context) {
    const LayerNormShape shape = layer_norm_shape(context.attributes(), context.input_shape(0));
    context.call(header, "layer_norm_scale_grad",
                 {shape_argument("LayerNormShape", shape), context.in(1), context.in(2), context.in(3),
                  context.in(0), context.sink()},
                 std::int64_t{2} * shape.rows * shape.width);
  };
  OpDef row = internal_row("LayerNormalizationScaleGrad", 4, infer, lower, {}, {});
  row.takes_sink = true;
  return row;
}

OpDef layer_norm_row() {
  OpDef row{.name = "LayerNormalization", .min_inputs = 1, .max_inputs = 3, .max_outputs = 3};
  row.infer = infer_layer_norm;
  row.gradient = gradient_of_layer_norm;
  row.lower = lower_layer_norm;
  row.bias_inputs = {2};
  row.unit_input = 1;
  return row;
}

}  // namespace

OpRows norm_ops() {
  OpRows rows = batch_norm_rows();
  rows.push_back(layer_norm_row());
  rows.push_back(layer_norm_grad_row());
  rows.push_back(layer_norm_scale_grad_row());
  return rows;
}

}  // namespace tinytc
