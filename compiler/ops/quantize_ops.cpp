// QuantizeLinear and DequantizeLinear, and the int8 operators that any model may need: Int8Table (a function of one operand as a
// table) and FlipSign (uint8 storage seen as int8 and back).
//
// Gradients are straight-through: as if nothing were rounded or cut off.
#include <fmt/format.h>

#include <cmath>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "compiler/quantization.h"
#include "runtime/quantize.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/quantize.h";

bool is_stored_type(DType dtype, bool with_i32) {
  return dtype == DType::i8 || dtype == DType::u8 || dtype == DType::i16 || dtype == DType::u16 || (with_i32 && dtype == DType::i32);
}

/// Checks scale (input 1) and zero point (input 2) against the tensor that they describe, and reads them.
Quantization checked_quantization(const TypeContext& context, const Shape& tensor, DType stored) {
  for (int i = 1; i < context.input_count(); ++i)
    if (context.has_input(i) && context.graph.value(context.node.inputs[static_cast<std::size_t>(i)]).data.empty())
      context.fail(fmt::format("its {} is not known at compile time", i == 1 ? "scale" : "zero point"));
  require_float(context, 1);
  if (context.attributes().get_int("block_size", 0) != 0) context.fail("scales of blocks are not supported");
  const Shape& shape = context.shape(1);
  const std::int64_t count = element_count(shape);
  Quantization result;
  if (count != 1 || shape.size() > 1) {
    result.axis = static_cast<int>(context.axis(context.attributes().get_int("axis", 1), static_cast<std::int64_t>(tensor.size())));
    if (shape.size() != 1 || count != tensor[static_cast<std::size_t>(result.axis)])
      context.fail(fmt::format("{} scales for the {} indices of axis {}", count, tensor[static_cast<std::size_t>(result.axis)], result.axis));
  }
  const auto numbers = [&](int i) { return numbers_of(context.graph.value(context.node.inputs[static_cast<std::size_t>(i)])); };
  for (double scale : numbers(1)) {
    if (!(scale > 0) || std::isinf(scale)) context.fail(fmt::format("its scale {} is not a positive number", scale));
    result.scales.push_back(static_cast<float>(scale));
  }
  result.zero_points.assign(static_cast<std::size_t>(count), 0);
  if (!context.has_input(2)) return result;
  if (context.input(2).dtype != stored) context.fail(fmt::format("its zero point is {}, the tensor {}", name_of(context.input(2).dtype), name_of(stored)));
  if (element_count(context.shape(2)) != count) context.fail(fmt::format("{} zero points for {} scales", element_count(context.shape(2)), count));
  const std::vector<double> zero_points = numbers(2);
  for (std::size_t c = 0; c < zero_points.size(); ++c) result.zero_points[c] = static_cast<std::int32_t>(zero_points[c]);
  return result;
}

std::vector<TensorType> infer_quantize(const TypeContext& context) {
  require_float(context);
  const DType stored = context.has_input(2)                            ? context.input(2).dtype
                       : context.attributes().get_int("output_dtype", 0) != 0 ? dtype_of_onnx(context, context.attributes().get_int("output_dtype", 0))
                                                                              : DType::u8;
  if (!is_stored_type(stored, false)) context.fail(fmt::format("quantizing to {} is not supported", name_of(stored)));
  return {{stored, context.shape(0), checked_quantization(context, context.shape(0), stored)}};
}

std::vector<TensorType> infer_dequantize(const TypeContext& context) {
  const DType stored = context.input(0).dtype;
  if (!is_stored_type(stored, true)) context.fail(fmt::format("input 0 is {}, which is no quantized type", name_of(stored)));
  checked_quantization(context, context.shape(0), stored);
  return {{context.input(1).dtype, context.shape(0)}};
}

QuantizeShape channels_of(const LowerContext& context, const Shape& tensor) {
  const std::int64_t count = element_count(context.input_shape(1));
  if (context.input_shape(1).size() == 0 || count == 1) return {1, 1, to_int(element_count(tensor))};
  const AxisShape around = axis_shape(tensor, context.attributes().get_int("axis", 1));
  return {around.outer, around.axis, around.inner};
}

/// The zero points, or as many zeros.
Argument zero_points(LowerContext& context, DType stored) {
  if (context.has_input(2)) return context.in(2);
  const Shape shape{element_count(context.input_shape(1))};
  return context.table("zero_points", {stored, shape}, std::vector<std::byte>(static_cast<std::size_t>(element_count(shape) * size_of(stored))));
}

void lower_quantize(LowerContext& context) {
  const QuantizeShape s = channels_of(context, context.output_shape());
  const Argument zeros = zero_points(context, context.output_type().dtype);
  const bool bytes = size_of(context.output_type().dtype) == 1;
  std::vector<LowerContext::Lead> leads;
  if (bytes) leads.push_back({0, 0, quantize_linear_lead_x(s)});
  context.call(header, "quantize_linear", {shape_argument("QuantizeShape", s), context.in(0), context.in(1), zeros, context.out()}, 0, leads);
}

void lower_dequantize(LowerContext& context) {
  const QuantizeShape s = channels_of(context, context.output_shape());
  const Argument zeros = zero_points(context, context.input_type(0).dtype);
  context.call(header, "dequantize_linear", {shape_argument("QuantizeShape", s), context.in(0), context.in(1), zeros, context.out()});
}

void straight_through(GradientContext& context) {
  if (context.needs(0)) context.set_gradient(0, context.output_gradient());
}

bool permute_quantization(Node& node, std::span<const std::int64_t> perm) {
  if (node.attributes.has("axis")) node.attributes.set("axis", permuted_axis(node.attributes.get_int("axis", 1), perm));
  return true;
}

OpDef quantize_row() {
  OpDef row{.name = "QuantizeLinear", .min_inputs = 2, .max_inputs = 3};
  row.infer = infer_quantize;
  row.gradient = straight_through;
  row.lower = lower_quantize;
  row.layout.permute = permute_quantization;
  row.layout.operands = 1;
  row.statistic_inputs = {1, 2};
  row.quantizes = true;
  return row;
}

OpDef dequantize_row() {
  OpDef row{.name = "DequantizeLinear", .min_inputs = 2, .max_inputs = 3};
  row.infer = infer_dequantize;
  row.gradient = straight_through;
  row.lower = lower_dequantize;
  row.layout.permute = permute_quantization;
  row.layout.operands = 1;
  row.statistic_inputs = {1, 2};
  row.dequantizes = true;
  return row;
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
    context.call(header, "table_lookup", {shape_argument("ElementwiseShape", shape), context.in(1), context.in(0), context.out()}, 0,
                 {{0, 0, table_lookup_lead_x(shape)}});
  };
  row.layout.elementwise = true;
  row.layout.operands = 1;
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
    context.call(header, "flip_sign", {shape_argument("ElementwiseShape", shape), context.in(0), context.out()}, 0,
                 {{0, 0, flip_sign_lead_x(shape)}});
  };
  row.layout.elementwise = true;
  row.is_public = false;
  return row;
}

}  // namespace

OpRows quantize_ops() { return {quantize_row(), dequantize_row(), table_row(), flip_row()}; }

}  // namespace tinytc
