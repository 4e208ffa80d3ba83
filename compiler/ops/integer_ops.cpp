// MatMulInteger, ConvInteger (a, b[, a zero point[, b zero point]]) and DynamicQuantizeLinear (x): products of integers whose scales the
// model computes while it runs. Operands are int8 or uint8, results int32, exact modulo 2^32; with the attribute `as_float` they are
// float32. Zero points need not be known. Known weights are packed, one byte each; others are read as they stand.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/int8_conv_kernels.h"
#include "compiler/ops/product.h"
#include "compiler/ops/rules.h"
#include "compiler/ops/spatial.h"
#include "runtime/dynamic_quantize.h"
#include "runtime/q_conv2d_bare.h"
#include "runtime/q_integer_paired.h"

namespace tinytc {

namespace {

using namespace rules;

constexpr const char* header = "runtime/q_integer.h";

/// Checks operand i and its zero point, input i + 2, which has one element or, for weights, one for each of `channels`.
void check_operand(const TypeContext& context, int i, std::int64_t channels) {
  const DType stored = context.input(i).dtype;
  if (stored != DType::i8 && stored != DType::u8) context.fail(fmt::format("input {} is {}, must be i8 or u8", i, name_of(stored)));
  if (!context.has_input(i + 2)) return;
  const TensorType& zero = context.input(i + 2);
  if (zero.dtype != stored)
    context.fail(fmt::format("the zero point of input {} is {}, the tensor {}", i, name_of(zero.dtype), name_of(stored)),
                 "a zero point is one of the tensor's stored numbers and has its type");
  const std::int64_t count = element_count(zero.shape);
  if (count == 1 || (i == 1 && count == channels && zero.shape.back() == count)) return;
  if (i == 0) context.fail(fmt::format("{} zero points of input 0; one for the whole tensor is supported", count), "quantize activations per tensor");
  context.fail(fmt::format("{} zero points in {} for {} output channels", count, describe(zero), channels),
               "a weight has one zero point, or a list of one for each output channel: quantize it per tensor or per channel");
}

std::vector<TensorType> result_type(const TypeContext& context, Shape shape) {
  return {{context.attributes().get_int(as_float, 0) == 1 ? DType::f32 : DType::i32, std::move(shape)}};
}

std::vector<TensorType> infer_matmul(const TypeContext& context) {
  Shape shape = matmul_output(context);
  check_operand(context, 0, 1);
  check_operand(context, 1, context.shape(1).size() == 1 ? 1 : context.shape(1).back());
  return result_type(context, std::move(shape));
}

std::vector<TensorType> infer_conv(const TypeContext& context) {
  const Shape input = channels_first(context.shape(0), context.attributes());
  const Window window = at_node(context, [&] { return convolution_window(context.attributes(), input, context.shape(1)); });
  check_operand(context, 0, 1);
  check_operand(context, 1, window.out_c);
  return result_type(context, in_layout(window_output(window, window.out_c, input.size()), context.attributes()));
}

// --- Known weights ---

/// Weights as the kernels take them: what they stand for is stored - zero.
struct Packed {
  std::vector<std::int8_t> stored;       // [channels][taps]
  std::vector<std::int32_t> zero;        // [channels]
  bool has_zero() const { return std::any_of(zero.begin(), zero.end(), [](std::int32_t z) { return z != 0; }); }
};

bool is_known(const LowerContext& context, int i) { return !context.has_input(i) || context.is_constant(i); }
bool has_known_weights(const LowerContext& context) { return context.is_constant(1) && is_known(context, 3); }

/// The weight of input 1; index_of(channel, tap): its elements. Where all of a channel's fit a byte without their zero point, it has none.
template <typename F>
Packed pack(const LowerContext& context, std::int64_t channels, std::int64_t taps, F index_of) {
  const Value& weight = context.graph.value(context.node.inputs[1]);
  const std::vector<std::int64_t> numbers = integers_of(weight);
  const std::vector<std::int64_t> zeros = context.has_input(3) ? integers_of(context.graph.value(context.node.inputs[3])) : std::vector<std::int64_t>{0};
  const std::int64_t flip = weight.type.dtype == DType::u8 ? 128 : 0;
  Packed result;
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t own = zeros.size() == 1 ? zeros[0] : zeros[static_cast<std::size_t>(c)];
    const auto number = [&](std::int64_t k) { return numbers[static_cast<std::size_t>(index_of(c, k))]; };
    bool fits = true;
    for (std::int64_t k = 0; k < taps; ++k) fits = fits && number(k) - own >= -128 && number(k) - own <= 127;
    const std::int64_t offset = fits ? own : flip;
    for (std::int64_t k = 0; k < taps; ++k) result.stored.push_back(static_cast<std::int8_t>(number(k) - offset));
    result.zero.push_back(static_cast<std::int32_t>(own - offset));
  }
  return result;
}

Argument weight_table(LowerContext& context, const std::vector<std::int8_t>& stored) {
  return context.table(context.graph.value(context.node.inputs[1]).name, {DType::i8, {static_cast<std::int64_t>(stored.size())}},
                       encode(DType::i8, std::vector<double>(stored.begin(), stored.end())));
}

Argument zero_table(LowerContext& context, const Packed& packed) {
  if (!packed.has_zero()) return null_pointer(DType::i32);
  return context.table("zero points of " + context.graph.value(context.node.inputs[1]).name, {DType::i32, {static_cast<std::int64_t>(packed.zero.size())}},
                       encode(DType::i32, std::vector<double>(packed.zero.begin(), packed.zero.end())));
}

// --- Calls ---

/// The zero point of operand i, or null.
Argument zero_point(LowerContext& context, int i) {
  return context.has_input(i + 2) ? context.in(i + 2) : null_pointer(context.input_type(i).dtype);
}

/// From one zero point of the weights to the next.
Argument zero_step(const LowerContext& context) {
  return literal(context.has_input(3) && element_count(context.input_shape(3)) > 1 ? 1 : 0);
}

void call_dense(LowerContext& context) {
  const std::int64_t in = context.input_shape(1)[0], out = context.input_shape(1)[1];
  const QDenseShape s{to_int(element_count(context.input_shape(0)) / in), to_int(in), to_int(out)};
  const Packed packed = pack(context, out, in, [&](std::int64_t c, std::int64_t k) { return k * out + c; });
  if (context.has_dual_multiply() && q_integer_pairable(s, packed.stored.data())) {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(q_dense_packed_words(s)));
    q_dense_pack(s, packed.stored.data(), words.data());
    return context.call("runtime/q_integer_paired.h", "q_integer_dense_paired",
                        {shape_argument("QDenseShape", s), context.in(0), zero_point(context, 0),
                         int8::word_table(context, context.graph.value(context.node.inputs[1]).name, words), zero_table(context, packed), context.out(),
                         int8::words(context, q_integer_dense_paired_scratch(s))},
                        q_integer_dense_paired_macs(s));
  }
  context.call(header, "q_integer_dense",
               {shape_argument("QDenseShape", s), context.in(0), zero_point(context, 0), weight_table(context, packed.stored), zero_table(context, packed),
                context.out(), int8::words(context, q_integer_dense_scratch(s))},
               q_integer_dense_macs(s));
}

void lower_matmul(LowerContext& context) {
  if (has_known_weights(context) && context.input_shape(1).size() == 2 && element_count(context.input_shape(1)) > 0) return call_dense(context);
  const GemmShape product = matmul_shape(context);
  QMatmulShape s{};
  s.m = product.m, s.n = product.n, s.k = product.k;
  s.a_row = product.a_row, s.a_column = product.a_column, s.b_row = product.b_row, s.b_column = product.b_column;
  s.batch_rank = product.batch_rank;
  std::copy(std::begin(product.batch_dims), std::end(product.batch_dims), s.batch_dims);
  std::copy(std::begin(product.a_batch), std::end(product.a_batch), s.a_batch);
  std::copy(std::begin(product.b_batch), std::end(product.b_batch), s.b_batch);
  context.call(header, "q_integer_matmul",
               {shape_argument("QMatmulShape", s), context.in(0), zero_point(context, 0), context.in(1), zero_point(context, 1), zero_step(context), context.out()},
               q_matmul_macs(s));
}

void lower_conv(LowerContext& context) {
  require(is_channels_last(context.attributes()), describe(context.node.location) + ": no layout was chosen");
  const Window w = convolution_window(context.attributes(), channels_first(context.input_shape(0), context.attributes()), context.input_shape(1));
  const QConv2dShape s = int8::conv_shape(w, {});
  const bool served = q_integer_depthwise_serves(s);
  if (!has_known_weights(context) || (is_depthwise(w) && !served))
    return context.call(header, "q_integer_conv2d_plain",
                        {shape_argument("QConv2dShape", s), context.in(0), zero_point(context, 0), context.in(1), zero_point(context, 1), zero_step(context), context.out()},
                        q_integer_conv2d_macs(s));
  const std::int64_t taps = q_conv2d_taps(s);
  Packed packed = pack(context, s.out_c, taps, [&](std::int64_t c, std::int64_t k) { return c * taps + k; });
  std::vector<std::int8_t> ordered(packed.stored.size());
  if (served) q_integer_depthwise_pack(s, packed.stored.data(), ordered.data());
  else q_conv2d_bare_pack(s, packed.stored.data(), ordered.data());
  std::vector<Argument> arguments{shape_argument("QConv2dShape", s), context.in(0), zero_point(context, 0), weight_table(context, ordered), zero_table(context, packed),
                                  context.out()};
  if (!served) arguments.push_back(int8::words(context, q_integer_conv2d_scratch(s)));
  context.call(header, served ? "q_integer_depthwise" : "q_integer_conv2d", std::move(arguments), q_integer_conv2d_macs(s));
}

// --- DynamicQuantizeLinear ---

std::vector<TensorType> infer_dynamic(const TypeContext& context) {
  require_dtype(context, 0, DType::f32);
  return {{DType::u8, context.shape(0)}, {DType::f32, {}}, {DType::u8, {}}};
}

void lower_dynamic(LowerContext& context) {
  const ElementwiseShape s{to_int(element_count(context.input_shape(0)))};
  const auto output = [&](int i, DType dtype) { return context.has_output(i) ? context.out(i) : null_pointer(dtype); };
  context.call("runtime/dynamic_quantize.h", "dynamic_quantize_linear",
               {shape_argument("ElementwiseShape", s), context.in(0), output(0, DType::u8), output(1, DType::f32), output(2, DType::u8)}, 0,
               {{0, 0, dynamic_quantize_linear_lead_x(s)}});
}

OpDef dynamic_row() {
  OpDef row{.name = "DynamicQuantizeLinear", .max_outputs = 3};
  row.infer = infer_dynamic;
  row.lower = lower_dynamic;
  row.layout.permute = [](Node&, std::span<const std::int64_t>) { return true; };  // a range has no order
  return row;
}

}  // namespace

OpRows integer_ops() {
  return {dynamic_row(),
          {.name = "MatMulInteger", .min_inputs = 2, .max_inputs = 4, .infer = infer_matmul, .lower = lower_matmul, .gives_float = true},
          {.name = "ConvInteger",
           .min_inputs = 2,
           .max_inputs = 4,
           .infer = infer_conv,
           .lower = lower_conv,
           .layout = {.spatial_inputs = {0}, .spatial_outputs = {0}, .needs_channels_last = true},
           .gives_float = true}};
}

}  // namespace tinytc
