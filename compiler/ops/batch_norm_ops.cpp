// BatchNormalization in its inference and training forms, with their gradients (channels: norm.h).
//
//   BatchNormalization          (x, scale, bias, mean, var): given statistics; gradients through scale, bias
//   and x only BatchNormalizationTraining  (x, scale, bias): statistics of this call; outputs y, mean,
//   variance RunningStatistics           (mean, variance, running mean, running variance): moves the running
//   ones towards
//                               this call's, in place. A node of its own, so that it runs after the loss is
//                               known to be finite
//   CheckStatistics             (loss, mean, variance, running mean, running variance): the loss, or NaN if
//                               the running ones would not stay finite
// `momentum` is ONNX's (the share that the running statistics keep). `correction`: the factor of the
// variance, n / (n - 1) as in PyTorch unless the attribute `unbiased` is 0.
#include <fmt/format.h>

#include "compiler/op_table.h"
#include "compiler/ops/norm.h"
#include "compiler/ops/rules.h"
#include "runtime/normalize.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/normalize.h";

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
  check_channels(context, 0, {1, 2});
  const ChannelShape shape = channel_shape(context.attributes(), context.shape(0));
  if (shape.outer * shape.inner < 2)
    context.fail("statistics of a single value per channel", "use --batch-norm frozen, or a larger --batch");
  return {context.input(0), context.input(1), context.input(1)};
}

void lower_training(LowerContext& context) {
  const ChannelShape shape = channel_shape(context.attributes(), context.input_shape(0));
  const DType dtype = context.output_type().dtype;
  const Argument shape_text = shape_argument("ChannelShape", shape);
  const auto statistic = [&](int o) {
    return context.has_output(o) ? context.out(o) : context.scratch(dtype, shape.channels);
  };
  const Argument mean = statistic(1), variance = statistic(2),
                 inverse = context.scratch(dtype, shape.channels);
  context.call(header, "batch_statistics",
               {shape_text, context.number(epsilon_of(context.attributes()), dtype), context.in(0), mean,
                variance, inverse});
  context.call(header, "batch_norm_train",
               {shape_text, context.in(0), context.in(1), context.in(2), as_input(mean), as_input(inverse),
                context.out()},
               batch_norm_macs(shape), {{0, 0, batch_norm_train_lead_x(shape)}});
}

std::vector<TensorType> infer_running(const TypeContext& context) {
  require_float(context);
  for (int i : {1, 2, 3}) {
    require_same_dtype(context, 0, i);
    require_shape(context, i, context.shape(0), fmt::format("input {}", i));
  }
  return {context.input(2), context.input(3)};
}

/// RunningStep<T> of a RunningStatistics or CheckStatistics.
Argument running_step(const LowerContext& context) {
  const DType dtype = context.output_type().dtype;
  return object(fmt::format("RunningStep<{}>", cpp_type_of(dtype)),
                {context.number(context.attributes().get_float("momentum", 0.9), dtype),
                 context.number(context.attributes().get_float("correction", 1), dtype)});
}

Argument count_of_input(const LowerContext& context, int i) {
  return shape_argument("ElementwiseShape", ElementwiseShape{to_int(element_count(context.input_shape(i)))});
}

void lower_running(LowerContext& context) {
  context.call(header, "running_statistics",
               {count_of_input(context, 0), running_step(context), context.in(0), context.in(1),
                context.update(0), context.update(1)});
}

std::vector<TensorType> infer_check(const TypeContext& context) {
  require_float(context);
  for (int i : {1, 2, 3, 4}) {
    require_same_dtype(context, 0, i);
    require_shape(context, i, context.shape(1), fmt::format("input {}", i));
  }
  return same_as_input(context);
}

void lower_check(LowerContext& context) {
  const ElementwiseShape shape{to_int(element_count(context.input_shape(1)))};
  context.call(header, "check_statistics",
               {count_of_input(context, 1), running_step(context), context.in(1), context.in(2),
                context.in(3), context.in(4), context.in(0), context.out()},
               0, {{0, 0, check_statistics_lead_loss(shape)}});
}

// --- Gradients ---

/// --batch-norm train: the form with statistics of each call, and a node that keeps the running ones up to
/// date.
void enter_training(Graph& graph, Node& node, bool statistics_train) {
  if (!statistics_train) return;
  for (std::size_t i : {std::size_t{3}, std::size_t{4}})
    if (graph.value(node.inputs[i]).role != Role::state)
      throw UserError(node_message(
          node.location,
          "its running statistics are computed by the graph, --batch-norm train cannot keep them"));
  const ValueId mean = node.inputs[3], variance = node.inputs[4];
  node.op = &op("BatchNormalizationTraining");
  node.attributes.erase("training_mode");
  node.inputs.resize(3);
  node.outputs.resize(3, no_value);
  const std::vector<TensorType> types = infer_types(graph, node);
  node.outputs[1] = add_value(graph, {graph.value(mean).name + "/of call", types[1]});
  node.outputs[2] = add_value(graph, {graph.value(variance).name + "/of call", types[2]});
  const ChannelShape shape = channel_shape(node.attributes, graph.shape(node.inputs[0]));
  const double n = static_cast<double>(shape.outer) * shape.inner;
  const double correction = node.attributes.get_int("unbiased", 1) != 0 ? n / (n - 1) : 1;
  const Attributes step{{"momentum", node.attributes.get_float("momentum", 0.9)}, {"correction", correction}};
  graph.loss = add_node(graph, "CheckStatistics", {graph.loss, node.outputs[1], node.outputs[2], mean, variance},
                        1, step, node.location, graph.value(graph.loss).name + "/checked")
                   .front();
  add_node(graph, "RunningStatistics", {node.outputs[1], node.outputs[2], mean, variance}, 2, step,
           node.location, graph.value(mean).name + "/updated");
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
  const ValueId mean = context.forward_output(1);
  ValueId inverse = no_value;
  if (context.needs(0) || context.needs(1))
    inverse = context.emit("InverseDeviation", {context.forward_output(2)},
                           kept(context.node.attributes, {"epsilon"}));
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

/// The inference form as a scale and a shift of each channel, computed from its constants.
std::optional<ChannelAffine> affine_of_batch_norm(Graph& graph, const Node& node) {
  for (std::size_t i = 1; i < 5; ++i)
    if (graph.value(node.inputs[i]).role != Role::constant) return std::nullopt;
  const auto emit = [&](const char* op_name, std::vector<ValueId> inputs) {
    return add_node(graph, op_name, std::move(inputs), 1, {}, node.location, "folded/" + node.location.node)
        .front();
  };
  const DType dtype = graph.type(node.inputs[1]).dtype;
  const ValueId epsilon =
      add_constant(graph, "epsilon", dtype, {}, {node.attributes.get_float("epsilon", 1e-5)});
  const ValueId deviation = emit("Sqrt", {emit("Add", {node.inputs[4], epsilon})});
  const ValueId scale = emit("Div", {node.inputs[1], deviation});
  return ChannelAffine{scale, emit("Sub", {node.inputs[2], emit("Mul", {node.inputs[3], scale})})};
}

}  // namespace

OpRows batch_norm_ops() {
  OpDef inference{.name = "BatchNormalization", .min_inputs = 5, .max_inputs = 5, .max_outputs = 3};
  inference.channel_affine = affine_of_batch_norm;
  inference.infer = infer_batch_norm;
  inference.gradient = gradient_of_batch_norm;
  inference.lower = lower_batch_norm;
  inference.layout.spatial_inputs = inference.layout.spatial_outputs = {0};
  inference.bias_inputs = {2};
  inference.statistic_inputs = {3, 4};
  inference.enter_training = enter_training;
  OpDef training = internal_row("BatchNormalizationTraining", 3, infer_training, lower_training, {0}, {0});
  training.max_outputs = 3;
  training.gradient = gradient_of_training;
  OpDef running = internal_row("RunningStatistics", 4, infer_running, lower_running, {}, {});
  running.max_outputs = 2;
  running.updates = {{0, 2}, {1, 3}};
  const OpDef check = internal_row("CheckStatistics", 5, infer_check, lower_check, {}, {});
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
          running,
          check,
          internal_row("InverseDeviation", 1, same_as_input, lower_inverse_deviation, {}, {}),
          internal_row("BatchNormalizationGrad", 3, infer_grad, lower_batch_norm_grad, {0}, {0}),
          internal_row("BatchNormalizationTrainingGrad", 5, infer_training_grad, lower_training_grad, {0, 1},
                       {0}),
          scale_grad_row()};
}

}  // namespace tinytc
