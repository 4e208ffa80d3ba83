// QuantizeLinear and DequantizeLinear: between real numbers and stored ones. Scales and zero points are constants.
//
// Gradients are straight-through: as if nothing were rounded or cut off.
#include <fmt/format.h>

#include <cmath>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "compiler/quantization.h"
#include "runtime/q_elementwise.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/q_elementwise.h";

bool is_stored_type(DType dtype, bool with_i32) {
  return dtype == DType::i8 || dtype == DType::u8 || dtype == DType::i16 || dtype == DType::u16 || (with_i32 && dtype == DType::i32);
}

/// Checks scale (input 1) and zero point (input 2) against the tensor that they describe, and reads them.
Quantization checked_quantization(const TypeContext& context, const Shape& tensor, DType stored) {
  for (int i = 1; i < context.input_count(); ++i)
    if (context.has_input(i) && context.graph.value(context.node.inputs[static_cast<std::size_t>(i)]).data.empty())
      context.fail(fmt::format("its {} is not known at compile time", i == 1 ? "scale" : "zero point"));
  require_dtype(context, 1, DType::f32);
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
    if (!(scale > 0) || std::isinf(scale))
      context.fail(fmt::format("its scale {} is not a positive number", scale),
                   "scales are finite and above 0; quantize the model again, with calibration data in which the tensor is not always the same");
    result.scales.push_back(static_cast<float>(scale));
  }
  result.zero_points.assign(static_cast<std::size_t>(count), 0);
  if (!context.has_input(2)) return result;
  if (context.input(2).dtype != stored)
    context.fail(fmt::format("its zero point is {}, the tensor {}", name_of(context.input(2).dtype), name_of(stored)),
                 "a zero point is one of the tensor's stored numbers and has its type");
  if (element_count(context.shape(2)) != count) context.fail(fmt::format("{} zero points for {} scales", element_count(context.shape(2)), count));
  const std::vector<double> zero_points = numbers(2);
  for (std::size_t c = 0; c < zero_points.size(); ++c) result.zero_points[c] = static_cast<std::int32_t>(zero_points[c]);
  return result;
}

std::vector<TensorType> infer_quantize(const TypeContext& context) {
  require_dtype(context, 0, DType::f32);
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

/// The zero points as the kernels take them, or null.
Argument zero_points(LowerContext& context) {
  if (!context.has_input(2)) return literal("nullptr");
  const Value& value = context.graph.value(context.node.inputs[2]);
  return context.table(value.name, {DType::i32, {element_count(value.type.shape)}}, encode(DType::i32, numbers_of(value)));
}

/// The kernels' leads hold where the stored elements are bytes: others may not alias floats.
std::vector<LowerContext::Lead> leads_of_bytes(DType stored, int lead) {
  if (size_of(stored) != 1) return {};
  return {{0, 0, lead}};
}

void lower_quantize(LowerContext& context) {
  const QuantizeShape s = channels_of(context, context.output_shape());
  context.call(header, "quantize_linear", {shape_argument("QuantizeShape", s), context.in(0), context.in(1), zero_points(context), context.out()}, 0,
               leads_of_bytes(context.output_type().dtype, quantize_linear_lead_x(s)));
}

void lower_dequantize(LowerContext& context) {
  const QuantizeShape s = channels_of(context, context.output_shape());
  context.call(header, "dequantize_linear", {shape_argument("QuantizeShape", s), context.in(0), context.in(1), zero_points(context), context.out()}, 0,
               leads_of_bytes(context.input_type(0).dtype, dequantize_linear_lead_x(s)));
}

void straight_through(GradientContext& context) {
  if (context.needs(0)) context.set_gradient(0, context.output_gradient());
}

bool permute_quantization(Node& node, std::span<const std::int64_t> perm) {
  if (node.attributes.has("axis")) node.attributes.set("axis", permuted_axis(node.attributes.get_int("axis", 1), perm));
  return true;
}

/// What both rows have in common.
OpDef conversion_row(std::string name) {
  OpDef row{.name = std::move(name), .min_inputs = 2, .max_inputs = 3};
  row.gradient = straight_through;
  row.layout.permute = permute_quantization;
  row.layout.operands = 1;
  row.statistic_inputs = {1, 2};
  return row;
}

OpDef quantize_row() {
  OpDef row = conversion_row("QuantizeLinear");
  row.infer = infer_quantize;
  row.lower = lower_quantize;
  row.quantizes = true;
  return row;
}

OpDef dequantize_row() {
  OpDef row = conversion_row("DequantizeLinear");
  row.infer = infer_dequantize;
  row.lower = lower_dequantize;
  row.dequantizes = true;
  return row;
}

}  // namespace

OpRows quantize_ops() { return {quantize_row(), dequantize_row()}; }

}  // namespace tinytc
