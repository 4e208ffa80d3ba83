// Functions of single elements: activations, roots, exponentials, rounding, Not, Identity, Dropout.
//
// One line of `functions` makes an operator and its gradient operator "<Name>Grad" (dy, x, y), of which x or
// y is absent when the derivative does not read it; what it reads stands beside the functor in
// runtime/activations.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "runtime/activations.h"
#include "runtime/elementwise.h"

namespace tinytc {

namespace {

using namespace rules;

/// A functor of the runtime with its numbers.
struct Functor {
  std::string name;
  bool reads_x, reads_y;
  std::vector<double> numbers;
};

template <template <typename> class F>
Functor make(std::string name, std::vector<double> numbers = {}) {
  return {std::move(name), F<float>::needs_x, F<float>::needs_y, std::move(numbers)};
}

enum class Types : std::uint8_t { floats, numbers };  // numbers: floats and integers
enum class Slope : std::uint8_t { functor, zero };    // zero: flat wherever it has a derivative

struct Function {
  std::string name;
  Functor (*choose)(const Attributes&);
  Types types = Types::floats;
  Slope slope = Slope::functor;
};

constexpr double infinity = std::numeric_limits<double>::infinity();

// y tells the sign of x only where the function rises; else the gradient reads x.
Functor leaky_relu(const Attributes& a) {
  const double alpha = a.get_float("alpha", 0.01);
  return alpha >= 0 ? make<LeakyRelu>("LeakyRelu", {alpha})
                    : make<LeakyReluAnySlope>("LeakyReluAnySlope", {alpha});
}

Functor gelu(const Attributes& a) {
  return a.get_string("approximate", "none") == "tanh" ? make<GeluTanh>("GeluTanh") : make<Gelu>("Gelu");
}

const std::vector<Function>& functions() {
  using A = const Attributes&;
  static const std::vector<Function> rows = {
      {"Relu", [](A) { return make<Relu>("Relu"); }},
      {"LeakyRelu", leaky_relu},
      {"Elu", [](A a) { return make<Elu>("Elu", {a.get_float("alpha", 1.0)}); }},
      {"Selu",
       [](A a) {
         return make<Selu>("Selu", {a.get_float("alpha", 1.67326319217681884765625),
                                    a.get_float("gamma", 1.05070102214813232421875)});
       }},
      {"Celu", [](A a) { return make<Celu>("Celu", {a.get_float("alpha", 1.0)}); }},
      {"ThresholdedRelu",
       [](A a) { return make<ThresholdedRelu>("ThresholdedRelu", {a.get_float("alpha", 1.0)}); }},
      {"Sigmoid", [](A) { return make<Sigmoid>("Sigmoid"); }},
      {"Tanh", [](A) { return make<Tanh>("Tanh"); }},
      {"HardSigmoid",
       [](A a) {
         return make<HardSigmoid>("HardSigmoid", {a.get_float("alpha", 0.2), a.get_float("beta", 0.5)});
       }},
      {"HardSwish", [](A) { return make<HardSwish>("HardSwish"); }},
      {"Softplus", [](A) { return make<Softplus>("Softplus"); }},
      {"Softsign", [](A) { return make<Softsign>("Softsign"); }},
      {"Gelu", gelu},
      {"Swish", [](A a) { return make<Swish>("Swish", {a.get_float("alpha", 1.0)}); }},
      {"Mish", [](A) { return make<Mish>("Mish"); }},
      {"Clip",
       [](A a) { return make<Clip>("Clip", {a.get_float("min", -infinity), a.get_float("max", infinity)}); },
       Types::numbers},
      {"Sqrt", [](A) { return make<Sqrt>("Sqrt"); }},
      {"Exp", [](A) { return make<Exp>("Exp"); }},
      {"Log", [](A) { return make<Log>("Log"); }},
      {"Sin", [](A) { return make<Sin>("Sin"); }},
      {"Cos", [](A) { return make<Cos>("Cos"); }},
      {"Erf", [](A) { return make<Erf>("Erf"); }},
      {"Reciprocal", [](A) { return make<Reciprocal>("Reciprocal"); }},
      {"Abs", [](A) { return make<Abs>("Abs"); }, Types::numbers},
      {"Neg", [](A) { return make<Neg>("Neg"); }, Types::numbers},
      {"Sign", [](A) { return make<Sign>("Sign"); }, Types::numbers, Slope::zero},
      {"Floor", [](A) { return make<Floor>("Floor"); }, Types::floats, Slope::zero},
      {"Ceil", [](A) { return make<Ceil>("Ceil"); }, Types::floats, Slope::zero},
      {"Round", [](A) { return make<Round>("Round"); }, Types::floats, Slope::zero},
  };
  return rows;
}

/// Attributes outside the range in which the functor and its derivative hold.
void check_attributes(const TypeContext& context, const Functor& functor) {
  const auto& numbers = functor.numbers;
  if (functor.name == "Clip" && numbers[0] > numbers[1])
    context.fail(fmt::format("min {} is greater than max {}", numbers[0], numbers[1]));
  const bool rises = functor.name != "Elu" && functor.name != "Selu";
  if (!rises && numbers[0] < 0) context.fail(fmt::format("alpha {} is negative", numbers[0]));
  if (functor.name == "Celu" && numbers[0] <= 0)
    context.fail(fmt::format("alpha {} is not positive", numbers[0]));
  if (functor.name == "Selu" && numbers[1] <= 0)
    context.fail(fmt::format("gamma {} is not positive", numbers[1]));
}

std::vector<TensorType> infer_unary(const TypeContext& context, const Function& function) {
  if (function.types == Types::floats)
    require_float(context);
  else if (context.input(0).dtype == DType::boolean)
    context.fail("input 0 is bool, must be numbers");
  check_attributes(context, function.choose(context.attributes()));
  return same_as_input(context);
}

/// Integers have no infinity: a bound that is not there becomes the type's own.
void bound_integers(Functor& functor, DType dtype) {
  if (functor.name != "Clip" || is_float(dtype)) return;
  const bool is_unsigned =
      dtype == DType::u8 || dtype == DType::u16 || dtype == DType::u32 || dtype == DType::u64;
  // 64-bit bounds stop at 2^53, up to which a double counts.
  const int bits = std::min(8 * size_of(dtype) - (is_unsigned ? 0 : 1), 53);
  const double highest = std::ldexp(1.0, bits) - 1;
  functor.numbers[0] = std::max(functor.numbers[0], is_unsigned ? 0.0 : -highest - 1);
  functor.numbers[1] = std::min(functor.numbers[1], highest);
}

void lower_unary(LowerContext& context, const Function& function) {
  Functor chosen = function.choose(context.attributes());
  bound_integers(chosen, context.input_type(0).dtype);
  const ElementwiseShape shape{to_int(element_count(context.output_shape()))};
  context.call("runtime/activations.h", "unary",
               {shape_argument("ElementwiseShape", shape),
                functor(context, chosen.name, context.input_type(0).dtype, chosen.numbers), context.in(0),
                context.out()},
               0, {{0, 0, unary_lead_x(shape)}});
}

void lower_unary_grad(LowerContext& context, const Function& function) {
  const Functor chosen = function.choose(context.attributes());
  const ElementwiseShape shape{to_int(element_count(context.output_shape()))};
  context.call("runtime/activations.h", "unary_grad",
               {shape_argument("ElementwiseShape", shape),
                functor(context, chosen.name, context.input_type(0).dtype, chosen.numbers), context.in(1),
                context.in(2), context.in(0), context.out()},
               0,
               {{0, 1, unary_grad_lead_x(shape)},
                {0, 2, unary_grad_lead_y(shape)},
                {0, 0, unary_grad_lead_dy(shape)}});
}

void unary_gradient(GradientContext& context, const Function& function) {
  const ValueId dy = context.output_gradient();
  if (function.slope == Slope::zero) return;
  if (function.name == "Neg") return context.set_gradient(0, context.emit("Neg", {dy}));
  if (function.name == "Exp") return context.set_gradient(0, context.emit("Mul", {dy, context.output()}));
  const Functor functor = function.choose(context.node.attributes);
  context.set_gradient(0, context.emit(function.name + "Grad",
                                       {dy, functor.reads_x ? context.input(0) : no_value,
                                        functor.reads_y ? context.output() : no_value},
                                       context.node.attributes));
}

OpDef unary_row(const Function& function) {
  OpDef row{.name = function.name};
  row.infer = [function](const TypeContext& context) { return infer_unary(context, function); };
  row.gradient = [function](GradientContext& context) { unary_gradient(context, function); };
  row.lower = [function](LowerContext& context) { lower_unary(context, function); };
  row.layout.elementwise = true;
  row.scales_with_channels = function.name == "Relu";
  if (function.name == "Clip") row.constant_operands = {{1, "min", true, false}, {2, "max", true, false}};
  if (function.name == "Relu") row.as_clamp = [](const Node&) { return Clamp{0, infinity}; };
  if (function.name == "Clip")
    row.as_clamp = [](const Node& node) {
      return Clamp{node.attributes.get_float("min", -infinity), node.attributes.get_float("max", infinity)};
    };
  return row;
}

OpDef unary_grad_row(const Function& function) {
  OpDef row{.name = function.name + "Grad", .min_inputs = 1, .max_inputs = 3};
  row.infer = [](const TypeContext& context) {
    require_float(context);
    for (int i = 1; i < context.input_count(); ++i)
      if (context.has_input(i)) require_shape(context, i, context.shape(0), "the forward value");
    return same_as_input(context);
  };
  row.lower = [function](LowerContext& context) { lower_unary_grad(context, function); };
  row.layout.elementwise = true;
  row.is_public = false;
  return row;
}

OpDef not_row() {
  OpDef row{.name = "Not"};
  row.infer = [](const TypeContext& context) {
    require_dtype(context, 0, DType::boolean);
    return same_as_input(context);
  };
  row.gradient = [](GradientContext&) {};
  row.lower = [](LowerContext& context) {
    lower_unary(context, {"Not", [](const Attributes&) { return Functor{"Not", false, false, {}}; }});
  };
  row.layout.elementwise = true;
  return row;
}

OpDef identity_row() {
  OpDef row{.name = "Identity"};
  row.infer = same_as_input;
  row.gradient = [](GradientContext& context) { context.set_gradient(0, context.output_gradient()); };
  row.lower = [](LowerContext& context) { context.view(0, 0); };
  row.layout.elementwise = true;
  row.may_view = true;
  row.move.moves = true;
  return row;
}

std::vector<TensorType> infer_cast(const TypeContext& context) {
  return {{dtype_of_onnx(context, context.attributes().get_int("to", 1)), context.shape(0)}};
}

void lower_cast(LowerContext& context) {
  const DType from = context.input_type(0).dtype, to = context.output_type().dtype;
  if (from == to) return context.view(0, 0);
  const ElementwiseShape shape{to_int(element_count(context.output_shape()))};
  context.call("runtime/arithmetic.h", to == DType::boolean ? "cast_to_bool" : "cast",
               {shape_argument("ElementwiseShape", shape), context.in(0), context.out()});
}

OpDef cast_row() {
  OpDef row{.name = "Cast"};
  row.infer = infer_cast;
  row.gradient = [](GradientContext& context) {
    const DType dtype = context.type(context.input(0)).dtype;
    if (!is_float(dtype)) return;
    context.set_gradient(0,
                         context.emit("Cast", {context.output_gradient()}, {{"to", onnx_number_of(dtype)}}));
  };
  row.lower = lower_cast;
  row.layout.elementwise = true;
  row.may_view = true;
  return row;
}

}  // namespace

OpRows unary_ops() {
  OpRows rows = {not_row(), identity_row(), cast_row()};
  for (const Function& function : functions()) {
    rows.push_back(unary_row(function));
    const bool composed = function.slope == Slope::zero || function.name == "Neg" || function.name == "Exp";
    if (!composed) rows.push_back(unary_grad_row(function));
  }
  return rows;
}

}  // namespace tinytc
