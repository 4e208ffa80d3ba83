// Int8MatMul(a, b, multiplier[, shift]): MatMul of two tensors of stored numbers, with MatMul's attributes, a_zero_point, b_zero_point and
// the output's quantization; one scale for all.
#include <algorithm>
#include <iterator>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/product.h"
#include "compiler/ops/rules.h"
#include "runtime/q_dense.h"
#include "runtime/q_paired_matmul.h"
#include "runtime/q_scale.h"

namespace tinytc {

namespace {

constexpr std::int64_t longest_sum = 32'768;  // what q_matmul takes
constexpr std::int64_t largest_term = 255 * 255;

std::vector<TensorType> infer(const TypeContext& context) {
  rules::require_dtype(context, 0, DType::i8);
  rules::require_dtype(context, 1, DType::i8);
  int8::check_scale(context, 2, 1);
  return int8_result(context, matmul_output(context));
}

void lower(LowerContext& context) {
  const GemmShape product = matmul_shape(context);
  QMatmulShape s{};
  s.m = product.m, s.n = product.n, s.k = product.k;
  s.a_row = product.a_row, s.a_column = product.a_column, s.b_row = product.b_row, s.b_column = product.b_column;
  s.a_zero_point = to_int(context.attributes().get_int("a_zero_point", 0));
  s.b_zero_point = to_int(context.attributes().get_int("b_zero_point", 0));
  s.batch_rank = product.batch_rank;
  std::copy(std::begin(product.batch_dims), std::end(product.batch_dims), s.batch_dims);
  std::copy(std::begin(product.a_batch), std::end(product.a_batch), s.a_batch);
  std::copy(std::begin(product.b_batch), std::end(product.b_batch), s.b_batch);
  if (context.has_dual_multiply() && q_paired_matmul_serves(s))
    return context.call("runtime/q_paired_matmul.h", "q_paired_matmul",
                        {shape_argument("QMatmulShape", s), context.in(0), context.in(1), int8::scale_argument(context, 2), int8::output_argument(context), context.out(),
                         int8::words(context, q_paired_matmul_scratch(s))},
                        q_paired_matmul_macs(s));
  context.call("runtime/q_dense.h", "q_matmul",
               {shape_argument("QMatmulShape", s), context.in(0), context.in(1), {.kind = Argument::Kind::null, .text = "std::int32_t"}, int8::scale_argument(context, 2),
                {.text = "false"}, int8::output_argument(context), context.out()},
               q_matmul_macs(s));
}

}  // namespace

ValueId int8::product_of_activations(QuantizeContext& context) {
  const QuantizedTensor *a = context.activation(0), *b = context.activation(1);
  if (a == nullptr || b == nullptr || context.has_input(2)) return no_value;
  const std::int64_t terms = context.shape(0).back();
  const double scale = double{a->quantization.scales[0]} * double{b->quantization.scales[0]} / double{context.output.scales[0]};
  if (terms > longest_sum || !(scale < q_power_of_two(28))) return no_value;
  std::vector<ValueId> inputs{a->stored, b->stored};
  const std::vector<ValueId> numbers = scale_inputs(context, {scale}, terms * largest_term > highest_rough_sum || q_ties_are_common(scale, 0));
  inputs.insert(inputs.end(), numbers.begin(), numbers.end());
  return context.emit("Int8MatMul", std::move(inputs),
                      {{"a_zero_point", std::int64_t{a->quantization.zero_points[0]}}, {"b_zero_point", std::int64_t{b->quantization.zero_points[0]}}});
}

OpRows int8_matmul_ops() {
  return {{.name = "Int8MatMul", .min_inputs = 3, .max_inputs = 4, .infer = infer, .lower = lower, .is_public = false}};
}

}  // namespace tinytc
