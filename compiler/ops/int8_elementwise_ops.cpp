// Element-wise operators on stored numbers: Int8Sum(a, b), Int8Product(a, b), Int8Table(x, table) and FlipSign(x).
//
// Int8Sum and Int8Product broadcast as numpy does. Their attributes: a_scale, b_scale (relative to the output's scale; a difference has
// a negative b_scale; Int8Product has their product as `scale`), a_zero_point, b_zero_point and the output's quantization.
#include "compiler/op_table.h"
#include "compiler/ops/int16.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/rules.h"
#include "runtime/broadcast.h"
#include "runtime/q_elementwise.h"
#include "runtime/q_scale.h"
#include "runtime/quantize.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/q_elementwise.h";

std::vector<TensorType> infer_binary(const TypeContext& context) {
  require_dtype(context, 0, DType::i8);
  require_dtype(context, 1, DType::i8);
  return int8_result(context, broadcast_inputs(context, 0, 2));
}

BroadcastShape shape_of(const LowerContext& context) {
  return make_broadcast_shape(operand_dims(context.input_shape(0)), operand_dims(context.input_shape(1)));
}

int integer(const LowerContext& context, const char* name) { return to_int(context.attributes().get_int(name, 0)); }

void call_binary(LowerContext& context, const char* kernel, Argument numbers) {
  const BroadcastShape s = shape_of(context);
  context.call(header, kernel, {shape_argument("BroadcastShape", s), std::move(numbers), int8::output_argument(context), context.in(0), context.in(1), context.out()},
               0, {{0, 0, q_add_lead_a(s)}, {0, 1, q_add_lead_b(s)}});
}

void lower_sum(LowerContext& context) { call_binary(context, "q_add", int8::sum_argument(context)); }

void lower_product(LowerContext& context) {
  const QMultiplier scale = q_multiplier(context.attributes().get_float("scale", 1));
  call_binary(context, "q_mul", object("QProduct", {number_argument("a_zero_point", integer(context, "a_zero_point")), number_argument("b_zero_point", integer(context, "b_zero_point")),
                                                    number_argument("multiplier", to_int(scale.multiplier)), number_argument("shift", scale.shift)}));
}

OpDef binary_row(const std::string& name, void (*lower)(LowerContext&)) {
  OpDef row{.name = name, .min_inputs = 2, .max_inputs = 2};
  row.infer = infer_binary;
  row.lower = lower;
  row.layout.elementwise = true;
  row.is_public = false;
  return row;
}

ValueId sum(QuantizeContext& context, double sign) {
  if (context.is_wide()) return int16::quantized_sum(context, sign);
  const QuantizedTensor *a = context.activation(0), *b = context.activation(1);
  if (a == nullptr || b == nullptr) return no_value;
  const double y = double{context.output.scales[0]};
  const double a_scale = double{a->quantization.scales[0]} / y, b_scale = sign * double{b->quantization.scales[0]} / y;
  constexpr double most = 1 << 18;  // what QSum takes
  if (a_scale > most || std::abs(b_scale) > most) return no_value;
  return context.emit("Int8Sum", {a->stored, b->stored},
                      {{"a_scale", a_scale},
                       {"b_scale", b_scale},
                       {"a_zero_point", std::int64_t{a->quantization.zero_points[0]}},
                       {"b_zero_point", std::int64_t{b->quantization.zero_points[0]}}});
}

// --- Int8Table(x, table): the stored result for each of the 256 stored operands ---

OpDef table_row() {
  OpDef row{.name = "Int8Table", .min_inputs = 2, .max_inputs = 2};
  row.infer = [](const TypeContext& context) {
    require_dtype(context, 0, DType::i8);
    require_dtype(context, 1, DType::i8);
    require_shape(context, 1, {256}, "the table");
    return int8_result(context, context.shape(0));
  };
  row.lower = [](LowerContext& context) {
    const ElementwiseShape shape{to_int(element_count(context.output_shape()))};
    context.call(header, "q_table", {shape_argument("ElementwiseShape", shape), context.in(1), context.in(0), context.out()}, 0,
                 {{0, 0, q_table_lead_x(shape)}});
  };
  row.layout.elementwise = true;
  row.layout.operands = 1;
  row.is_identity = [](const Graph& graph, const Node& node) {
    const Value& numbers = graph.value(node.inputs[1]);
    for (std::size_t i = 0; i < numbers.data.size(); ++i)
      if (std::to_integer<int>(numbers.data[i]) != (static_cast<int>(i) ^ 0x80)) return false;
    return numbers.role == Role::constant;
  };
  row.is_public = false;
  return row;
}

// --- FlipSign(x): uint8 x -> int8 x - 128, int8 x -> uint8 x + 128 ---

OpDef flip_row() {
  OpDef row{.name = "FlipSign"};
  row.infer = [](const TypeContext& context) {
    const DType from = context.input(0).dtype;
    require(from == DType::i8 || from == DType::u8, "FlipSign takes bytes");
    return std::vector<TensorType>{{from == DType::i8 ? DType::u8 : DType::i8, context.shape(0), flipped(context.input(0).quantization, from)}};
  };
  row.lower = [](LowerContext& context) {
    const ElementwiseShape shape{to_int(element_count(context.output_shape()))};
    context.call("runtime/quantize.h", "flip_sign", {shape_argument("ElementwiseShape", shape), context.in(0), context.out()}, 0,
                 {{0, 0, flip_sign_lead_x(shape)}});
  };
  row.layout.elementwise = true;
  row.is_public = false;
  return row;
}

}  // namespace

ValueId int8::quantized_add(QuantizeContext& context) { return sum(context, 1); }
ValueId int8::quantized_sub(QuantizeContext& context) { return sum(context, -1); }

ValueId int8::quantized_mul(QuantizeContext& context) {
  if (context.is_wide()) return int16::quantized_mul(context);
  const QuantizedTensor *a = context.activation(0), *b = context.activation(1);
  if (a == nullptr || b == nullptr) return no_value;
  const double scale = double{a->quantization.scales[0]} * double{b->quantization.scales[0]} / double{context.output.scales[0]};
  if (!(scale < q_power_of_two(28))) return no_value;
  return context.emit("Int8Product", {a->stored, b->stored},
                      {{"scale", scale},
                       {"a_zero_point", std::int64_t{a->quantization.zero_points[0]}},
                       {"b_zero_point", std::int64_t{b->quantization.zero_points[0]}}});
}

OpRows int8_elementwise_ops() {
  OpDef sum = binary_row("Int8Sum", lower_sum);
  sum.adds_stored = true;
  return {sum, binary_row("Int8Product", lower_product), table_row(), flip_row()};
}

}  // namespace tinytc
