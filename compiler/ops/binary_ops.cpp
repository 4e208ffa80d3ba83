// Functions of two or more operands, element by element with numpy's broadcasting: arithmetic, comparisons,
// logic, PRelu, Where, and the n-ary Sum, Mean, Min, Max.
//
// Gradients are composed of other operators where that costs nothing; the others are operators of their own,
// "<Name>GradA" and
// "<Name>GradB" (a, b, dy), at the shape of dy. GradientContext::reduce_to() then sums over what broadcasting
// repeated.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/rules.h"
#include "runtime/elementwise.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/arithmetic.h";

enum class Types : std::uint8_t { numbers, integers, floats, booleans, any };

void check_types(const TypeContext& context, Types types) {
  const DType dtype = context.input(0).dtype;
  if (types == Types::booleans) require_dtype(context, 0, DType::boolean);
  if (types == Types::floats) require_float(context);
  if (types == Types::integers) require_integer(context, 0);
  if (types == Types::numbers && dtype == DType::boolean) context.fail("input 0 is bool, must be numbers");
  for (int i = 1; i < context.input_count(); ++i) require_same_dtype(context, 0, i);
}

BroadcastShape broadcast_shape(const Shape& a, const Shape& b, const Shape& y) {
  const OperandDims operands[3] = {operand_dims(a), operand_dims(b), operand_dims(y)};
  const CollapsedBroadcast collapsed = collapse_broadcast(operands, 3);
  BroadcastShape shape{};
  shape.rank = collapsed.rank;
  std::copy_n(collapsed.dims, 8, shape.dims);
  std::copy_n(collapsed.strides[0], 8, shape.a_strides);
  std::copy_n(collapsed.strides[1], 8, shape.b_strides);
  return shape;
}

/// y = name(inputs a and b), leads included.
void call_binary(LowerContext& context, const std::string& name, int a, int b) {
  const BroadcastShape shape =
      broadcast_shape(context.input_shape(a), context.input_shape(b), context.output_shape());
  context.call(header, "binary",
               {shape_argument("BroadcastShape", shape), functor(context, name, context.input_type(a).dtype),
                context.in(a), context.in(b), context.out()},
               0, {{0, a, binary_lead_a(shape)}, {0, b, binary_lead_b(shape)}});
}

/// y = name(y, operand), where `operand` is input `input`, or a table when input is negative.
void call_accumulate(LowerContext& context, const std::string& name, const Argument& operand,
                     const Shape& operand_shape, int input) {
  const Shape& y = context.output_shape();
  const BroadcastShape shape = broadcast_shape(y, operand_shape, y);
  std::vector<LowerContext::Lead> leads;
  if (input >= 0) leads.push_back({0, input, binary_lead_b(shape)});
  context.call(header, "binary",
               {shape_argument("BroadcastShape", shape), functor(context, name, context.output_type().dtype),
                as_input(context.out()), operand, as_update(context.out())},
               0, leads);
}

// --- Two operands ---

void gradient_of_add(GradientContext& context) {
  for (int i = 0; i < 2; ++i)
    if (context.needs(i))
      context.set_gradient(i, context.reduce_to(context.output_gradient(), context.input(i)));
}

void gradient_of_sub(GradientContext& context) {
  const ValueId dy = context.output_gradient();
  if (context.needs(0)) context.set_gradient(0, context.reduce_to(dy, context.input(0)));
  if (context.needs(1))
    context.set_gradient(1, context.emit("Neg", {context.reduce_to(dy, context.input(1))}));
}

void gradient_of_mul(GradientContext& context) {
  for (int i = 0; i < 2; ++i)
    if (context.needs(i))
      context.set_gradient(
          i, context.reduce_to(context.emit("Mul", {context.output_gradient(), context.input(1 - i)}),
                               context.input(i)));
}

/// "<Name>GradA" and "<Name>GradB".
void gradient_by_functor(GradientContext& context) {
  const char* suffix[] = {"GradA", "GradB"};
  for (int i = 0; i < 2; ++i)
    if (context.needs(i))
      context.set_gradient(
          i, context.reduce_to(context.emit(context.node.op->name + suffix[i],
                                            {context.input(0), context.input(1), context.output_gradient()}),
                               context.input(i)));
}

void gradient_of_div(GradientContext& context) {
  if (context.needs(0))
    context.set_gradient(0,
                         context.reduce_to(context.emit("Div", {context.output_gradient(), context.input(1)}),
                                           context.input(0)));
  if (context.needs(1))
    context.set_gradient(1, context.reduce_to(context.emit("DivGradB", {context.input(0), context.input(1),
                                                                        context.output_gradient()}),
                                              context.input(1)));
}

std::vector<TensorType> infer_binary(const TypeContext& context, Types types, bool gives_boolean) {
  check_types(context, types);
  const Shape shape = broadcast_inputs(context, 0, 2);
  return {{gives_boolean ? DType::boolean : context.input(0).dtype, shape}};
}

OpDef binary_row(const std::string& name, Types types, void (*gradient)(GradientContext&),
                 bool gives_boolean = false) {
  OpDef row{.name = name, .min_inputs = 2, .max_inputs = 2};
  row.infer = [types, gives_boolean](const TypeContext& context) {
    return infer_binary(context, types, gives_boolean);
  };
  if (gradient != nullptr) row.gradient = gradient;
  row.lower = [name](LowerContext& context) { call_binary(context, name, 0, 1); };
  row.layout.elementwise = true;
  return row;
}

/// Results that do not depend on their operands smoothly: no gradient flows, as in PyTorch.
void no_gradient(GradientContext&) {}

OpDef comparison_row(const std::string& name) { return binary_row(name, Types::any, no_gradient, true); }

/// `functor_name` has the derivative with respect to a or b.
OpDef binary_grad_row(const std::string& functor_name, bool wrt_b) {
  OpDef row{.name = functor_name + (wrt_b ? "GradB" : "GradA"), .min_inputs = 3, .max_inputs = 3};
  row.infer = [](const TypeContext& context) {
    require_float(context);
    require_shape(context, 2, broadcast_inputs(context, 0, 2), "the output's gradient");
    return std::vector<TensorType>{context.input(2)};
  };
  row.lower = [functor_name, wrt_b](LowerContext& context) {
    const BroadcastShape shape =
        broadcast_shape(context.input_shape(0), context.input_shape(1), context.output_shape());
    context.call(
        header, "binary_grad",
        {shape_argument("BroadcastShape", shape), functor(context, functor_name, context.output_type().dtype),
         literal(std::string(wrt_b ? "true" : "false")), context.in(0), context.in(1), context.in(2),
         context.out()},
        0,
        {{0, 0, binary_grad_lead_a(shape)},
         {0, 1, binary_grad_lead_b(shape)},
         {0, 2, binary_grad_lead_dy(shape)}});
  };
  row.layout.elementwise = true;
  row.is_public = false;
  return row;
}

// --- Pow: its exponent may be a constant of another type ---

const Value& exponent_of(const Graph& graph, const Node& node) { return graph.value(node.inputs[1]); }

/// Whether the exponent is one constant number, and that number is `number`.
bool exponent_is(const Graph& graph, const Node& node, double number) {
  const Value& exponent = exponent_of(graph, node);
  return exponent.role == Role::constant && element_count(exponent.type.shape) == 1 &&
         numbers_of(exponent)[0] == number;
}

std::vector<TensorType> infer_pow(const TypeContext& context) {
  if (context.input(0).dtype == DType::boolean) context.fail("input 0 is bool, must be numbers");
  const bool is_constant = exponent_of(context.graph, context.node).role == Role::constant;
  if (!is_constant && !is_float(context.input(0).dtype)) require_same_dtype(context, 0, 1);
  const Shape shape = broadcast_inputs(context, 0, 2);
  return {{context.input(0).dtype, shape}};
}

void lower_pow(LowerContext& context) {
  const DType dtype = context.output_type().dtype;
  if (exponent_is(context.graph, context.node, 2) && context.output_shape() == context.input_shape(0))
    return call_binary(context, "Mul", 0, 0);
  const BroadcastShape shape =
      broadcast_shape(context.input_shape(0), context.input_shape(1), context.output_shape());
  Argument exponent = context.in(1);
  if (context.input_type(1).dtype != dtype && !context.is_constant(1)) {
    const ElementwiseShape count{to_int(element_count(context.input_shape(1)))};
    const Argument converted = context.scratch(dtype, count.count);
    context.call(header, "cast", {shape_argument("ElementwiseShape", count), context.in(1), converted});
    exponent = as_input(converted);
  } else if (context.input_type(1).dtype != dtype) {
    const Value& value = exponent_of(context.graph, context.node);
    exponent = context.table("exponent", {dtype, value.type.shape}, encode(dtype, numbers_of(value)));
  }
  context.call(header, "binary",
               {shape_argument("BroadcastShape", shape),
                functor(context, is_float(dtype) ? "Pow" : "IntegerPow", dtype), context.in(0), exponent,
                context.out()},
               0, {{0, 0, binary_lead_a(shape)}});
}

void gradient_of_pow(GradientContext& context) {
  const ValueId x = context.input(0);
  if (exponent_is(context.graph, context.node, 2)) {
    const ValueId slope = context.emit("Mul", {x, context.scalar(2, x)});
    return context.set_gradient(
        0, context.reduce_to(context.emit("Mul", {context.output_gradient(), slope}), x));
  }
  const Value& exponent = exponent_of(context.graph, context.node);
  ValueId b = context.input(1);
  if (exponent.type.dtype != context.type(x).dtype && exponent.role != Role::constant)
    b = context.emit("Cast", {b}, {{"to", onnx_number_of(context.type(x).dtype)}});
  else if (exponent.type.dtype != context.type(x).dtype)
    b = add_constant(context.graph, "exponent", context.type(x).dtype, Shape(exponent.type.shape),
                     numbers_of(exponent));
  const char* rules[] = {"PowGradA", "PowGradB"};
  for (int i = 0; i < 2; ++i)
    if (context.needs(i))
      context.set_gradient(
          i, context.reduce_to(context.emit(rules[i], {x, b, context.output_gradient()}), context.input(i)));
}

OpDef pow_row() {
  OpDef row{.name = "Pow", .min_inputs = 2, .max_inputs = 2};
  row.infer = infer_pow;
  row.gradient = gradient_of_pow;
  row.lower = lower_pow;
  row.layout.elementwise = true;
  return row;
}

OpDef mod_row() {
  OpDef row = binary_row("Mod", Types::integers, nullptr);
  row.infer = [](const TypeContext& context) {
    if (context.attributes().get_int("fmod", 0) != 0) context.fail("fmod=1 is not supported");
    return infer_binary(context, Types::integers, false);
  };
  return row;
}

OpDef prelu_row() {
  OpDef row = binary_row("PRelu", Types::floats, gradient_by_functor);
  row.infer = [](const TypeContext& context) {
    std::vector<TensorType> types = infer_binary(context, Types::floats, false);
    if (types[0].shape != context.shape(0))
      context.fail("the slope has more elements than it has inputs to go with");
    return types;
  };
  return row;
}

// --- Any number of operands ---

std::vector<TensorType> infer_nary(const TypeContext& context) {
  check_types(context, Types::numbers);
  return {{context.input(0).dtype, broadcast_inputs(context, 0, context.input_count())}};
}

/// y = inputs combined from the left by a functor.
void lower_nary(LowerContext& context, const std::string& name) {
  const int count = static_cast<int>(context.node.inputs.size());
  if (count == 1) return copy(context);
  call_binary(context, name, 0, 1);
  for (int i = 2; i < count; ++i) call_accumulate(context, name, context.in(i), context.input_shape(i), i);
}

void lower_mean(LowerContext& context) {
  lower_nary(context, "Add");
  const DType dtype = context.output_type().dtype;
  const Argument count =
      context.table("count", {dtype, {}}, encode(dtype, {static_cast<double>(context.node.inputs.size())}));
  call_accumulate(context, "Div", count, {}, -1);
}

void gradient_of_sum(GradientContext& context, bool is_mean) {
  const auto count = static_cast<double>(context.node.inputs.size());
  ValueId dy = context.output_gradient();
  if (is_mean) dy = context.emit("Div", {dy, context.scalar(count, dy)});
  for (int i = 0; i < static_cast<int>(context.node.inputs.size()); ++i)
    if (context.needs(i)) context.set_gradient(i, context.reduce_to(dy, context.input(i)));
}

/// Of m = f(f(a, b), c): back from the last operand, with the partial results computed again.
void gradient_of_extreme(GradientContext& context) {
  const std::string& name = context.node.op->name;
  const int count = static_cast<int>(context.node.inputs.size());
  std::vector<ValueId> partial = {context.input(0)};
  for (int i = 1; i + 1 < count; ++i)
    partial.push_back(context.emit(name, {partial.back(), context.input(i)}));
  ValueId dy = context.output_gradient();
  for (int i = count - 1; i > 0; --i) {
    const ValueId left = partial[static_cast<std::size_t>(i - 1)];
    if (context.needs(i))
      context.set_gradient(
          i, context.reduce_to(context.emit(name + "GradB", {left, context.input(i), dy}), context.input(i)));
    dy = context.reduce_to(context.emit(name + "GradA", {left, context.input(i), dy}), left);
  }
  if (context.needs(0)) context.set_gradient(0, dy);
}

OpDef nary_row(const std::string& name) {
  OpDef row{.name = name, .min_inputs = 1, .max_inputs = -1};
  row.infer = infer_nary;
  row.layout.elementwise = true;
  return row;
}

OpRows nary_rows() {
  OpDef sum = nary_row("Sum"), mean = nary_row("Mean"), smallest = nary_row("Min"), largest = nary_row("Max");
  sum.lower = [](LowerContext& context) { lower_nary(context, "Add"); };
  sum.gradient = [](GradientContext& context) { gradient_of_sum(context, false); };
  mean.lower = lower_mean;
  mean.gradient = [](GradientContext& context) { gradient_of_sum(context, true); };
  smallest.lower = [](LowerContext& context) { lower_nary(context, "Min"); };
  smallest.gradient = gradient_of_extreme;
  largest.lower = [](LowerContext& context) { lower_nary(context, "Max"); };
  largest.gradient = gradient_of_extreme;
  return {sum, mean, smallest, largest};
}

// --- Where ---

std::vector<TensorType> infer_where(const TypeContext& context) {
  require_dtype(context, 0, DType::boolean);
  require_same_dtype(context, 1, 2);
  return {{context.input(1).dtype, broadcast_inputs(context, 0, 3)}};
}

void gradient_of_where(GradientContext& context) {
  const ValueId dy = context.output_gradient(), condition = context.input(0), zero = context.scalar(0, dy);
  if (context.needs(1))
    context.set_gradient(1,
                         context.reduce_to(context.emit("Where", {condition, dy, zero}), context.input(1)));
  if (context.needs(2))
    context.set_gradient(2,
                         context.reduce_to(context.emit("Where", {condition, zero, dy}), context.input(2)));
}

void lower_where(LowerContext& context) {
  const SelectShape shape =
      make_select_shape(operand_dims(context.input_shape(0)), operand_dims(context.input_shape(1)),
                        operand_dims(context.input_shape(2)));
  context.call(
      "runtime/elementwise.h", "select",
      {shape_argument("SelectShape", shape), context.in(0), context.in(1), context.in(2), context.out()}, 0,
      {{0, 1, select_lead_a(shape)}, {0, 2, select_lead_b(shape)}});
}

OpDef where_row() {
  OpDef row{.name = "Where", .min_inputs = 3, .max_inputs = 3};
  row.infer = infer_where;
  row.gradient = gradient_of_where;
  row.lower = lower_where;
  row.layout.elementwise = true;
  return row;
}

}  // namespace

OpRows binary_ops() {
  OpDef add = binary_row("Add", Types::numbers, gradient_of_add);
  add.is_addition = true;
  add.bias_inputs = {0, 1};
  add.quantized = int8::quantized_add;
  OpDef sub = binary_row("Sub", Types::numbers, gradient_of_sub);
  sub.quantized = int8::quantized_sub;
  OpDef mul = binary_row("Mul", Types::numbers, gradient_of_mul);
  mul.quantized = int8::quantized_mul;
  OpRows rows = {add,
                 sub,
                 mul,
                 binary_row("Div", Types::numbers, gradient_of_div),
                 binary_row("And", Types::booleans, no_gradient),
                 binary_row("Or", Types::booleans, no_gradient),
                 binary_row("Xor", Types::booleans, no_gradient),
                 pow_row(),
                 mod_row(),
                 prelu_row(),
                 where_row(),
                 binary_grad_row("Div", true)};
  for (const char* name : {"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"})
    rows.push_back(comparison_row(name));
  for (const char* name : {"Pow", "PRelu", "Min", "Max"})
    for (bool wrt_b : {false, true}) rows.push_back(binary_grad_row(name, wrt_b));
  for (OpDef& row : nary_rows()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace tinytc
