// Cases of ops_values_test.cpp for quantized tensors: QuantizeLinear, DequantizeLinear and the int8 operators that passes make.
#include "test/codegen/ops_cases.h"

namespace tinytc {

namespace {

Operand bytes(Shape shape, std::vector<double> numbers, Role role = Role::input) { return of(DType::i8, std::move(shape), std::move(numbers), role); }
Operand known(DType dtype, std::vector<double> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  return of(dtype, {count}, std::move(numbers), Role::constant);
}

constexpr double half = 1U << 30;  // multiplier of scale 1/4 without a shift (2^-32), of scale 1/2 with shift 31

Attributes affine(double a, double b, int zero_point) {
  return {{"a_scale", a}, {"b_scale", b}, {"y_zero_point", integer(zero_point)}};
}

}  // namespace

std::vector<ValueCase> quantized_cases() {
  std::vector<double> reversed(256), exponentials(256, 0);
  for (int i = 0; i < 256; ++i) reversed[static_cast<std::size_t>(i)] = 127 - i;
  exponentials[0] = half;
  return {
      // Halves go to the even number; what is out of range to its end.
      {"QuantizeLinear",
       {of(DType::f32, {5}, {-1, 0.25, 0.75, 1000, -1000}), of(DType::f32, {}, {0.5}, Role::constant), bytes({}, {3}, Role::constant)},
       {},
       {{1, 3, 5, 127, -128}}},
      {"QuantizeLinear", {of(DType::f32, {2}, {3, -1}), of(DType::f32, {}, {2}, Role::constant)}, {}, {{2, 0}}},
      {"DequantizeLinear",
       {bytes({2, 2}, {1, 2, 3, -4}), known(DType::f32, {0.5, 2}), bytes({2}, {1, 0}, Role::constant)},
       {{"axis", integer(0)}},
       {{0, 0.5, 6, -8}}},
      {"FlipSign", {of(DType::u8, {3}, {0, 128, 255})}, {}, {{-128, 0, 127}}},
      {"FlipSign", {bytes({3}, {-128, 0, 127})}, {}, {{0, 128, 255}}},
      {"Int8Table", {bytes({3}, {-128, 0, 127}), known(DType::i8, reversed)}, {}, {{127, -1, -128}}},
      // Halves go to the even number, before the zero point is added: 6, -9; 6.5, -8.5.
      {"Int8Sum", {bytes({2}, {10, -20}), bytes({1}, {4})}, affine(0.5, 0.25, 1), {{7, -8}}},
      {"Int8Sum", {bytes({2}, {11, -19}), bytes({1}, {4})}, affine(0.5, 0.25, 1), {{7, -7}}},
      {"Int8Product", {bytes({2}, {10, -20}), bytes({1}, {4})}, {{"scale", 0.1}}, {{4, -8}}},
      {"Int8Product", {bytes({2}, {10, -20}), bytes({1}, {4})}, {{"scale", 0.0625}, {"y_zero_point", integer(1)}}, {{3, -4}}},
      // Where halves are rare they go upwards.
      {"Int8Conv",
       {bytes({1, 1, 1, 3}, {1, 2, 3}), bytes({2, 1, 1, 1}, {2, -3}, Role::constant), known(DType::i32, {0, 10}), known(DType::i32, {half, half})},
       {},
       {{1, 1, 2, 2, 1, 0}}},
      {"Int8Conv",  // one channel each; the left neighbour of the first pixel is the zero point
       {bytes({1, 2, 1, 2}, {1, 2, 3, 4}), bytes({2, 1, 1, 2}, {1, 1, 1, -1}, Role::constant), known(DType::i32, {0, 0}),
        known(DType::i32, {half, half}), known(DType::i8, {30, 30})},
       {{"group", integer(2)}, {"pads", Ints{0, 1, 0, 0}}, {"x_zero_point", integer(5)}},
       {{6, 3, 2, -1}}},
      // The first of these with shifts, where halves go to the even number: 0 1 2, 2 1 0; cut to 1, doubled, and half the residual.
      {"Int8ConvSum",
       {bytes({1, 1, 1, 3}, {1, 2, 3}), bytes({2, 1, 1, 1}, {2, -3}, Role::constant), known(DType::i32, {0, 10}), known(DType::i32, {half, half}),
        known(DType::i8, {32, 32}), bytes({1, 2, 1, 3}, {4, -2, 6, 0, 8, -10})},
       {{"layer_lo", integer(-128)}, {"layer_hi", integer(1)}, {"a_scale", 2.0}, {"b_scale", 0.5}},
       {{2, 1, 5, 2, 6, -5}}},
      {"Int8Dense",
       {bytes({1, 2}, {3, 4}), bytes({1, 2}, {5, 6}, Role::constant), known(DType::i32, {1}), known(DType::i32, {half})},
       {{"y_hi", integer(9)}},
       {{9}}},
      // Two products with one matrix on the right: ((1 - 1) (5 - 2) + (3 - 1) (0 - 2)) / 4 and so on.
      {"Int8MatMul",
       {bytes({2, 1, 2}, {1, 3, -5, 2}), bytes({2, 3}, {5, 6, 7, 0, 2, 8}), known(DType::i32, {half})},
       {{"a_zero_point", integer(1)}, {"b_zero_point", integer(2)}, {"y_zero_point", integer(1)}},
       {{0, 1, 4, -4, -5, -5}}},
      // 10 / 4 and 14 / 4: halves go to the even number.
      {"Int8AveragePool",
       {bytes({1, 2, 2, 2}, {1, 2, 3, 4, 2, 3, 4, 5}), known(DType::i32, {half, half, half, half}), known(DType::i8, {30, 31, 31, 32})},
       {{"kernel_shape", Ints{2, 2}}},
       {{2, 4}}},
      // int16 operands and results; halves go to the even number.
      {"Int16Conv",
       {of(DType::i16, {1, 1, 1, 3}, {1000, 2001, -32768}), bytes({2, 1, 1, 1}, {2, -3}, Role::constant), known(DType::i32, {0, 10}), known(DType::i32, {half, half}),
        known(DType::i8, {31, 31})},
       {{"y_bits", integer(16)}, {"y_lo", integer(-20000)}, {"y_hi", integer(32767)}, {"sum_bits", integer(32)}},
       {{1000, 2001, -20000, -1495, -2996, 32767}}},
      {"Int16Conv",  // one channel each, from int8; the left neighbour of the first pixel is the zero point
       {bytes({1, 2, 1, 2}, {1, 2, 3, 4}), bytes({2, 1, 1, 2}, {1, 1, 1, -1}, Role::constant), known(DType::i32, {0, 0}),
        known(DType::i32, {half, half}), known(DType::i8, {22, 22})},
       {{"group", integer(2)}, {"pads", Ints{0, 1, 0, 0}}, {"x_zero_point", integer(5)}, {"y_bits", integer(16)}, {"y_lo", integer(-32768)}, {"y_hi", integer(32767)}},
       {{1536, 768, 512, -256}}},
      {"Int16Dense",
       {of(DType::i16, {1, 2}, {3000, 4000}), bytes({1, 2}, {5, 6}, Role::constant), known(DType::i32, {1}), known(DType::i32, {half}), known(DType::i8, {40})},
       {},
       {{38}}},
      {"Int16Sum", {of(DType::i16, {2}, {1000, -2001}), bytes({1}, {4})},
       {{"a_scale", 0.5}, {"b_scale", 0.25}, {"y_bits", integer(16)}, {"y_lo", integer(-32768)}, {"y_hi", integer(32767)}}, {{501, -1000}}},
      {"Int16Product", {of(DType::i16, {2}, {1000, -2000}), bytes({1}, {4})},
       {{"scale", 0.125}, {"y_bits", integer(16)}, {"y_lo", integer(-32768)}, {"y_hi", integer(32767)}}, {{500, -1000}}},
      {"Int16Requantize", {of(DType::i16, {3}, {256, -384, 32767})}, {{"a_scale", 1.0 / 256}, {"y_zero_point", integer(1)}}, {{2, -1, 127}}},
      {"Int16AveragePool",
       {of(DType::i16, {1, 2, 2, 2}, {1, 2, 3, 4, 2000, 3000, 4000, 5000}), known(DType::i32, {half, half, half, half}), known(DType::i8, {30, 31, 31, 32})},
       {{"kernel_shape", Ints{2, 2}}, {"y_bits", integer(16)}, {"y_lo", integer(-32768)}, {"y_hi", integer(32767)}},
       {{2, 3500}}},
      // Products of integers: known weights, uint8 with zero points by column that leave a byte, and a product of two inputs.
      {"MatMulInteger",
       {of(DType::u8, {1, 2}, {255, 3}), of(DType::u8, {2, 2}, {255, 1, 0, 4}, Role::constant), of(DType::u8, {}, {5}), of(DType::u8, {2}, {7, 2}, Role::constant)},
       {},
       {{250 * 248 - 2 * -7, 250 * -1 - 2 * 2}}},
      {"MatMulInteger", {bytes({2, 1}, {-128, 3}), of(DType::u8, {1, 2}, {255, 0}), absent(), of(DType::u8, {1}, {1})}, {}, {{-128 * 254, 128, 3 * 254, -3}}},
      {"MatMulInteger", {bytes({1, 1}, {3}), bytes({1, 1}, {5}, Role::constant)}, {{as_float, integer(1)}}, {{15}}},
      {"ConvInteger",  // the left neighbour of the first pixel is the zero point
       {of(DType::u8, {1, 1, 1, 2}, {10, 20}), bytes({1, 1, 1, 2}, {2, -3}, Role::constant), of(DType::u8, {}, {4})},
       {{"pads", Ints{0, 1, 0, 0}}},
       {{6 * -3, 6 * 2 + 16 * -3}}},
      {"ConvInteger",  // one channel each: four of them, and two whose weights are not known
       {bytes({1, 4, 1, 1}, {1, 2, 3, 4}), bytes({4, 1, 1, 1}, {5, 6, 7, -128}, Role::constant)}, {{"group", integer(4)}}, {{5, 12, 21, -512}}},
      {"ConvInteger",
       {bytes({1, 2, 1, 1}, {1, 2}), bytes({2, 1, 1, 1}, {5, 6}), bytes({1}, {3}), bytes({2}, {1, -1})}, {{"group", integer(2)}}, {{-2 * 4, -1 * 7}}},
      {"DynamicQuantizeLinear", {of(DType::f32, {3}, {-1, 254, 0.5})}, {}, {{0, 255, 1}, {1}, {1}}},
      {"Int8Softmax",
       {bytes({1, 2}, {7, 7}), known(DType::u32, exponentials)},
       {{"y_scale", 1.0 / 256}, {"y_zero_point", integer(-128)}},
       {{0, 0}}},
  };
}

}  // namespace tinytc
