// Optimizers: what a training step does with a finished gradient. Rows made by passes/add_update; formulas in runtime/sinks.h.
//
// An optimizer's inputs are (gradient, tensor, others...). Alone it walks over a stored gradient; fused into the node that computes the
// gradient it becomes that kernel's Sink. Its options are attributes, with the prefix tinytc_update_ on a fused node.
#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "runtime/elementwise.h"

namespace tinytc {

namespace {

constexpr const char* header = "runtime/sinks.h";

double option(const LowerContext& context, const std::string& name) {
  return context.attributes().get_float("tinytc_update_" + name, context.attributes().get_float(name, 0));
}

Argument float_option(const LowerContext& context, const std::string& name) { return context.number(option(context, name), DType::f32); }

/// AdamSettings<float>. Complements of the betas are formed in double; float would lose most of their digits.
Argument adam_settings(const LowerContext& context) {
  const double beta1 = option(context, "beta1"), beta2 = option(context, "beta2");
  const auto f32 = [&](double number) { return context.number(number, DType::f32); };
  return object("AdamSettings<float>", {f32(beta1), f32(beta2), f32(1 - beta1), f32(1 - beta2), float_option(context, "epsilon"),
                                        float_option(context, "weight_decay")});
}

Argument sgd_sink(const LowerContext& context, int tensor) {
  return object("Sgd<float>", {context.update(0), context.element(tensor + 1), float_option(context, "weight_decay")});
}

Argument momentum_sink(const LowerContext& context, int tensor) {
  const bool nesterov = context.attributes().get_int("tinytc_update_nesterov", context.attributes().get_int("nesterov", 0)) != 0;
  return object("Momentum<float>", {context.update(0), context.update(1), context.element(tensor + 1), float_option(context, "momentum"),
                                    float_option(context, "weight_decay"), literal(nesterov ? "true" : "false")});
}

std::function<Argument(const LowerContext&, int)> adam_sink_rule(const std::string& maker) {
  return [maker](const LowerContext& context, int tensor) {
    Argument sink = object(maker, {adam_settings(context), context.in(tensor + 1), context.update(0), context.update(1), context.update(2)});
    sink.kind = Argument::Kind::call;
    return sink;
  };
}

Argument accumulate_sink(const LowerContext& context, int) { return object("AddGradient<float>", {context.update(0)}); }

ElementwiseShape count_of(const Shape& shape) { return {to_int(element_count(shape))}; }

/// An update from a stored gradient.
void lower_update(LowerContext& context) {
  context.call(header, "apply_sink",
               {shape_argument("ElementwiseShape", count_of(context.input_shape(0))), context.node.op->make_sink(context, 1), context.in(0)});
}

std::vector<TensorType> infer_update(const TypeContext& context) {
  rules::require_shape(context, 0, context.shape(1), "the gradient");
  std::vector<TensorType> types;
  for (const Update& update : context.node.op->updates) types.push_back(context.input(update.input));
  return types;
}

void lower_adam_step(LowerContext& context) {
  context.call(header, "adam_step", {adam_settings(context), context.element(0), context.update(1), context.out(0)});
}

void lower_scale(LowerContext& context) {
  context.call(header, "apply_scaled_sink",
               {shape_argument("ElementwiseShape", count_of(context.input_shape(0))), context.sink(), context.in(0), context.element(1)});
}

void lower_clear(LowerContext& context) {
  context.call("runtime/move.h", "fill",
               {shape_argument("ElementwiseShape", count_of(context.input_shape(0))), context.number(0, DType::f32), context.update(0)});
}

OpDef optimizer(const std::string& name, int inputs, std::vector<Update> updates, std::function<Argument(const LowerContext&, int)> sink) {
  const int outputs = static_cast<int>(updates.size());
  return {.name = name,
          .min_inputs = inputs,
          .max_inputs = inputs,
          .max_outputs = outputs,
          .infer = infer_update,
          .lower = lower_update,
          .updates = std::move(updates),
          .is_public = false,
          .make_sink = std::move(sink)};
}

}  // namespace

OpRows optimizer_ops() {
  return {
      optimizer("Sgd", 3, {{0, 1}}, sgd_sink),
      optimizer("Momentum", 4, {{0, 1}, {1, 3}}, momentum_sink),
      optimizer("Adam", 5, {{0, 1}, {1, 3}, {2, 4}}, adam_sink_rule("adam_sink")),
      optimizer("AdamW", 5, {{0, 1}, {1, 3}, {2, 4}}, adam_sink_rule("adamw_sink")),
      optimizer("Accumulate", 2, {{0, 1}}, accumulate_sink),
      {.name = "AdamStep",
       .min_inputs = 2,
       .max_inputs = 2,
       .max_outputs = 2,
       .infer = [](const TypeContext& context) { return std::vector<TensorType>{{DType::f32, {3}}, context.input(1)}; },
       .lower = lower_adam_step,
       .updates = {{1, 1}},
       .is_public = false},
      {.name = "ScaleGradient",
       .min_inputs = 2,
       .max_inputs = 2,
       .infer = rules::same_as_input,
       .lower = lower_scale,
       .takes_sink = true,
       .is_public = false},
      {.name = "Clear", .infer = rules::same_as_input, .lower = lower_clear, .updates = {{0, 0}}, .is_public = false},
  };
}

}  // namespace tinytc
