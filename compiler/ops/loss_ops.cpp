// Losses: ONNX's two over class labels, and those between a prediction and a target of the same shape.
//
// Gradient operators take (dloss, prediction, label or target[, weight]). Attributes: `reduction` (mean by
// default), `ignore_index`, `delta` (Huber). A prediction of one dimension is one sample; labels are i32 or
// i64.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <limits>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "runtime/loss.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/loss.h";

constexpr std::array<const char*, 3> reductions = {"none", "mean", "sum"};

/// Position in `reductions`; 3 when it is unknown.
int reduction_of(const Attributes& attributes) {
  const std::string name = attributes.get_string("reduction", "mean");
  int i = 0;
  while (i < 3 && name != reductions[static_cast<std::size_t>(i)]) ++i;
  return i;
}

Shape loss_shape(const TypeContext& context, const Shape& positions) {
  const int reduction = reduction_of(context.attributes());
  if (reduction == 3)
    context.fail(fmt::format("reduction '{}' is unknown",
                             printable(context.attributes().get_string("reduction", ""))));
  return reduction == 0 ? positions : Shape{};
}

// --- Class labels ---

std::int64_t class_axis(const Shape& prediction) { return prediction.size() == 1 ? 0 : 1; }

/// The prediction's shape without its classes.
Shape label_shape(Shape prediction) {
  prediction.erase(prediction.begin() + class_axis(prediction));
  return prediction;
}

/// Inputs (prediction, label[, weight]) from input `first` on.
void check_label_inputs(const TypeContext& context, int first) {
  require_float(context, first);
  require_rank(context, first, 1, 64);
  const Shape& prediction = context.shape(first);
  const DType label = context.input(first + 1).dtype;
  if (label != DType::i32 && label != DType::i64)
    context.fail(fmt::format("labels are {}, must be i32 or i64", name_of(label)));
  require_shape(context, first + 1, label_shape(prediction), "the label");
  if (!context.has_input(first + 2)) return;
  require_same_dtype(context, first, first + 2);
  require_shape(context, first + 2, {prediction[static_cast<std::size_t>(class_axis(prediction))]},
                "the weight");
}

std::vector<TensorType> infer_label_loss(const TypeContext& context) {
  check_label_inputs(context, 0);
  const TensorType& prediction = context.input(0);
  return {{prediction.dtype, loss_shape(context, label_shape(prediction.shape))},
          {prediction.dtype, prediction.shape}};
}

std::vector<TensorType> infer_label_loss_grad(const TypeContext& context) {
  check_label_inputs(context, 1);
  require_shape(context, 0, loss_shape(context, label_shape(context.shape(1))), "the gradient of the loss");
  return {{context.input(1).dtype, context.shape(1)}};
}

Argument label_reduction(const Attributes& attributes) {
  // A number that no label can have ignores nothing; so does -1.
  const std::int64_t ignored = attributes.get_int("ignore_index", -1);
  const bool fits = ignored >= std::numeric_limits<std::int32_t>::min() &&
                    ignored <= std::numeric_limits<std::int32_t>::max();
  return object("LossReduction", {literal(std::int64_t{reduction_of(attributes)}),
                                  literal(fits ? ignored : std::int64_t{-1})});
}

/// The labels as the kernels' i32.
Argument labels(LowerContext& context, int i) {
  if (context.input_type(i).dtype == DType::i32) return context.in(i);
  const ElementwiseShape shape{to_int(element_count(context.input_shape(i)))};
  const Argument narrow = context.scratch(DType::i32, shape.count);
  context.call("runtime/arithmetic.h", "cast",
               {shape_argument("ElementwiseShape", shape), context.in(i), narrow});
  return as_input(narrow);
}

AxisShape class_shape(const Shape& prediction) { return axis_shape(prediction, class_axis(prediction)); }

/// The weights, or a null pointer.
Argument weights(const LowerContext& context, int i, DType dtype) {
  return context.has_input(i) ? context.in(i) : null_pointer(dtype);
}

void lower_cross_entropy(LowerContext& context) {
  const AxisShape shape = class_shape(context.input_shape(0));
  const DType dtype = context.input_type(0).dtype;
  const Argument label = labels(context, 1);
  const bool keeps_probabilities = context.has_output(1);
  if (keeps_probabilities)
    context.call("runtime/softmax.h", "log_softmax",
                 {shape_argument("AxisShape", shape), context.in(0), context.out(1),
                  context.scratch(dtype, log_softmax_scratch(shape))},
                 0, {{1, 0, log_softmax_lead_x(shape)}});
  if (!context.has_output(0)) return;
  context.call(header, keeps_probabilities ? "negative_log_likelihood" : "softmax_cross_entropy",
               {shape_argument("AxisShape", shape), label_reduction(context.attributes()),
                keeps_probabilities ? as_input(context.out(1)) : context.in(0), label,
                weights(context, 2, dtype), context.out()});
}

void lower_cross_entropy_grad(LowerContext& context) {
  const AxisShape shape = class_shape(context.input_shape(1));
  const DType dtype = context.input_type(1).dtype;
  const Argument label = labels(context, 2);
  context.call(header, "softmax_cross_entropy_grad",
               {shape_argument("AxisShape", shape), label_reduction(context.attributes()), context.in(1),
                label, weights(context, 3, dtype), context.in(0), context.out(),
                context.scratch(dtype, softmax_cross_entropy_grad_scratch(shape))},
               0, {{0, 1, softmax_cross_entropy_grad_lead_logits(shape)}});
}

void lower_likelihood(LowerContext& context) {
  const AxisShape shape = class_shape(context.input_shape(0));
  const Argument label = labels(context, 1);
  context.call(header, "negative_log_likelihood",
               {shape_argument("AxisShape", shape), label_reduction(context.attributes()), context.in(0),
                label, weights(context, 2, context.input_type(0).dtype), context.out()});
}

void lower_likelihood_grad(LowerContext& context) {
  const AxisShape shape = class_shape(context.input_shape(1));
  const Argument label = labels(context, 2);
  context.call(header, "negative_log_likelihood_grad",
               {shape_argument("AxisShape", shape), label_reduction(context.attributes()), label,
                weights(context, 3, context.input_type(1).dtype), context.in(0), context.out()});
}

/// (dloss, prediction, label[, weight]).
std::vector<ValueId> label_grad_inputs(const GradientContext& context) {
  std::vector<ValueId> inputs = {context.output_gradient(), context.input(0), context.input(1)};
  if (context.has_input(2)) inputs.push_back(context.input(2));
  return inputs;
}

void gradient_of_cross_entropy(GradientContext& context) {
  ValueId gradient = no_value;
  if (context.output_gradient() != no_value)
    gradient =
        context.emit("SoftmaxCrossEntropyLossGrad", label_grad_inputs(context), context.node.attributes);
  if (context.node.outputs.size() > 1 && context.output_gradient(1) != no_value) {
    const std::int64_t axis = class_axis(context.graph.shape(context.input(0)));
    const ValueId more =
        context.emit("LogSoftmaxGrad", {context.output_gradient(1), context.output(1)}, {{"axis", axis}});
    gradient = gradient == no_value ? more : context.emit("Add", {gradient, more});
  }
  context.set_gradient(0, gradient);
}

OpDef label_loss_row(const std::string& name, int outputs, void (*lower)(LowerContext&)) {
  OpDef row{.name = name, .min_inputs = 2, .max_inputs = 3, .max_outputs = outputs};
  row.infer = infer_label_loss;
  row.lower = lower;
  return row;
}

OpDef label_loss_grad_row(const std::string& name, void (*lower)(LowerContext&)) {
  OpDef row{.name = name, .min_inputs = 3, .max_inputs = 4};
  row.infer = infer_label_loss_grad;
  row.lower = lower;
  row.is_public = false;
  return row;
}

OpRows label_loss_rows() {
  OpDef cross_entropy = label_loss_row("SoftmaxCrossEntropyLoss", 2, lower_cross_entropy);
  cross_entropy.gradient = gradient_of_cross_entropy;
  OpDef likelihood = label_loss_row("NegativeLogLikelihoodLoss", 1, lower_likelihood);
  likelihood.gradient = [](GradientContext& context) {
    context.set_gradient(0, context.emit("NegativeLogLikelihoodLossGrad", label_grad_inputs(context),
                                         context.node.attributes));
  };
  return {cross_entropy, likelihood,
          label_loss_grad_row("SoftmaxCrossEntropyLossGrad", lower_cross_entropy_grad),
          label_loss_grad_row("NegativeLogLikelihoodLossGrad", lower_likelihood_grad)};
}

// --- Losses between two tensors ---

struct PointwiseLoss {
  std::string name, functor;
  bool odd;  // its derivative by the target is the negative of that by the prediction
};

const PointwiseLoss pointwise_losses[] = {
    {"MeanSquaredErrorLoss", "SquaredError", true},
    {"L1Loss", "AbsoluteError", true},
    {"HuberLoss", "Huber", true},
    {"BinaryCrossEntropyLoss", "BinaryCrossEntropy", false},
    {"BinaryCrossEntropyWithLogitsLoss", "BinaryCrossEntropyWithLogits", false},
};

Argument loss_functor(const LowerContext& context, const PointwiseLoss& loss, DType dtype) {
  std::vector<double> numbers;
  if (loss.functor == "Huber") numbers.push_back(context.attributes().get_float("delta", 1.0));
  return functor(context, loss.functor, dtype, numbers);
}

void check_pointwise_inputs(const TypeContext& context, int first) {
  require_float(context, first);
  require_same_dtype(context, first, first + 1);
  require_shape(context, first + 1, context.shape(first), "the target");
  if (context.attributes().get_float("delta", 1.0) <= 0) context.fail("delta is not positive");
}

std::vector<TensorType> infer_pointwise(const TypeContext& context) {
  check_pointwise_inputs(context, 0);
  return {{context.input(0).dtype, loss_shape(context, context.shape(0))}};
}

std::vector<TensorType> infer_pointwise_grad(const TypeContext& context) {
  check_pointwise_inputs(context, 1);
  require_shape(context, 0, loss_shape(context, context.shape(1)), "the gradient of the loss");
  return {context.input(1)};
}

void gradient_of_pointwise(GradientContext& context, const PointwiseLoss& loss) {
  const Attributes& attributes = context.node.attributes;
  const ValueId by_prediction = context.emit(
      loss.name + "Grad", {context.output_gradient(), context.input(0), context.input(1)}, attributes);
  if (context.needs(0)) context.set_gradient(0, by_prediction);
  if (!context.needs(1)) return;
  if (!loss.odd)
    throw UserError(
        node_message(context.node.location, "a trained tensor influences the target of this loss"));
  context.set_gradient(1, context.emit("Neg", {by_prediction}));
}

void lower_pointwise(LowerContext& context, const PointwiseLoss& loss) {
  const ElementwiseShape shape{to_int(element_count(context.input_shape(0)))};
  context.call(
      header, "pointwise_loss",
      {shape_argument("ElementwiseShape", shape), literal(std::int64_t{reduction_of(context.attributes())}),
       loss_functor(context, loss, context.input_type(0).dtype), context.in(0), context.in(1),
       context.out()});
}

void lower_pointwise_grad(LowerContext& context, const PointwiseLoss& loss) {
  const ElementwiseShape shape{to_int(element_count(context.input_shape(1)))};
  context.call(
      header, "pointwise_loss_grad",
      {shape_argument("ElementwiseShape", shape), literal(std::int64_t{reduction_of(context.attributes())}),
       loss_functor(context, loss, context.input_type(1).dtype), context.in(1), context.in(2), context.in(0),
       context.out()},
      0, {{0, 1, pointwise_loss_grad_lead_x(shape)}, {0, 2, pointwise_loss_grad_lead_target(shape)}});
}

OpDef pointwise_row(const PointwiseLoss& loss) {
  OpDef row{.name = loss.name, .min_inputs = 2, .max_inputs = 2};
  row.infer = infer_pointwise;
  row.gradient = [loss](GradientContext& context) { gradient_of_pointwise(context, loss); };
  row.lower = [loss](LowerContext& context) { lower_pointwise(context, loss); };
  row.is_public = false;
  return row;
}

OpDef pointwise_grad_row(const PointwiseLoss& loss) {
  OpDef row{.name = loss.name + "Grad", .min_inputs = 3, .max_inputs = 3};
  row.infer = infer_pointwise_grad;
  row.lower = [loss](LowerContext& context) { lower_pointwise_grad(context, loss); };
  row.is_public = false;
  return row;
}

}  // namespace

OpRows loss_ops() {
  OpRows rows = label_loss_rows();
  for (const PointwiseLoss& loss : pointwise_losses) {
    rows.push_back(pointwise_row(loss));
    rows.push_back(pointwise_grad_row(loss));
  }
  return rows;
}

}  // namespace tinytc
