// Softmax and LogSoftmax along `axis` (import brings the older, flattening form to this one), and their
// gradients "<Name>Grad" (dy, y).
#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/rules.h"
#include "runtime/softmax.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/softmax.h";

AxisShape shape_of(const LowerContext& context) {
  return axis_shape(context.output_shape(), context.attributes().get_int("axis", -1));
}

std::vector<TensorType> infer_softmax(const TypeContext& context) {
  require_float(context);
  require_rank(context, 0, 1, 64);
  context.axis(context.attributes().get_int("axis", -1), static_cast<std::int64_t>(context.shape(0).size()));
  if (element_count(context.shape(0)) == 0) context.fail("input 0 has no elements");
  return same_as_input(context);
}

std::vector<TensorType> infer_softmax_grad(const TypeContext& context) {
  require_shape(context, 1, context.shape(0), "the output");
  return infer_softmax(context);
}

OpDef forward_row(const std::string& name, void (*lower)(LowerContext&)) {
  OpDef row{.name = name};
  row.infer = infer_softmax;
  row.gradient = [](GradientContext& context) {
    context.set_gradient(
        0, context.emit(context.node.op->name + "Grad", {context.output_gradient(), context.output()},
                        {{"axis", context.node.attributes.get_int("axis", -1)}}));
  };
  row.lower = lower;
  row.layout.permute = permute_axis(-1);
  return row;
}

OpDef grad_row(const std::string& name, void (*lower)(LowerContext&)) {
  OpDef row{.name = name, .min_inputs = 2, .max_inputs = 2};
  row.infer = infer_softmax_grad;
  row.lower = lower;
  row.layout.permute = permute_axis(-1);
  row.is_public = false;
  return row;
}

void lower_softmax(LowerContext& context) {
  const AxisShape shape = shape_of(context);
  context.call(header, "softmax",
               {shape_argument("AxisShape", shape), context.in(0), context.out(),
                context.scratch(context.output_type().dtype, softmax_scratch(shape))},
               0, {{0, 0, softmax_lead_x(shape)}});
}

void lower_log_softmax(LowerContext& context) {
  const AxisShape shape = shape_of(context);
  context.call(header, "log_softmax",
               {shape_argument("AxisShape", shape), context.in(0), context.out(),
                context.scratch(context.output_type().dtype, log_softmax_scratch(shape))},
               0, {{0, 0, log_softmax_lead_x(shape)}});
}

void lower_softmax_grad(LowerContext& context) {
  const AxisShape shape = shape_of(context);
  context.call(header, "softmax_grad",
               {shape_argument("AxisShape", shape), context.in(1), context.in(0), context.out(),
                context.scratch(context.output_type().dtype, softmax_grad_scratch(shape))},
               0, {{0, 1, softmax_grad_lead_y(shape)}, {0, 0, softmax_grad_lead_dy(shape)}});
}

void lower_log_softmax_grad(LowerContext& context) {
  const AxisShape shape = shape_of(context);
  context.call(header, "log_softmax_grad",
               {shape_argument("AxisShape", shape), context.in(1), context.in(0), context.out(),
                context.scratch(context.output_type().dtype, log_softmax_grad_scratch(shape))},
               0, {{0, 1, log_softmax_grad_lead_y(shape)}, {0, 0, log_softmax_grad_lead_dy(shape)}});
}

}  // namespace

OpRows softmax_ops() {
  OpDef softmax = forward_row("Softmax", lower_softmax);
  softmax.quantized = int8::quantized_softmax;
  softmax.result_range = Clamp{0, 1};
  return {softmax, forward_row("LogSoftmax", lower_log_softmax),
          grad_row("SoftmaxGrad", lower_softmax_grad), grad_row("LogSoftmaxGrad", lower_log_softmax_grad)};
}

}  // namespace tinytc
