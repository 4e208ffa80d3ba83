// The table of ops_values_test.cpp: what ONNX defines, worked out by hand (and with 12 digits where it is
// transcendental).
#include <cmath>
#include <limits>

#include "test/codegen/ops_cases.h"

namespace tinytc {

namespace {

using Cases = std::vector<ValueCase>;

Operand row(std::vector<double> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  return of(DType::f64, {count}, std::move(numbers));
}
Operand block(Shape shape, std::vector<double> numbers) {
  return of(DType::f64, std::move(shape), std::move(numbers));
}
Operand integers(std::vector<double> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  return of(DType::i32, {count}, std::move(numbers));
}
Operand flags(std::vector<double> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  return of(DType::boolean, {count}, std::move(numbers));
}
Operand counting(Shape shape) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < element_count(shape); ++i) numbers.push_back(static_cast<double>(i));
  return block(std::move(shape), std::move(numbers));
}

/// Functions with the C library's counterpart, which is right to the last digits.
Cases function_cases() {
  const std::vector<double> x = {-2.5, -0.7, 0.3, 1.9};
  const std::vector<double> positive = {0.2, 0.9, 1.7, 4.0};
  struct Function {
    const char* name;
    double (*f)(double);
    bool positive_only = false;
    Attributes attributes = {};
  };
  const std::vector<Function> functions = {
      {"Relu", [](double v) { return std::fmax(v, 0); }},
      {"LeakyRelu", [](double v) { return v < 0 ? 0.01 * v : v; }},
      {"Elu", [](double v) { return v < 0 ? std::expm1(v) : v; }},
      {"Selu",
       [](double v) {
         return 1.05070102214813232421875 * (v < 0 ? 1.67326319217681884765625 * std::expm1(v) : v);
       }},
      {"Celu", [](double v) { return v < 0 ? 2 * std::expm1(v / 2) : v; }, false, {{"alpha", 2.0}}},
      {"ThresholdedRelu", [](double v) { return v > 1 ? v : 0; }},
      {"Sigmoid", [](double v) { return 1 / (1 + std::exp(-v)); }},
      {"Tanh", [](double v) { return std::tanh(v); }},
      {"HardSigmoid", [](double v) { return std::fmin(1, std::fmax(0, 0.2 * v + 0.5)); }},
      {"HardSwish", [](double v) { return v * std::fmin(1, std::fmax(0, v / 6 + 0.5)); }},
      {"Softplus", [](double v) { return std::log1p(std::exp(v)); }},
      {"Softsign", [](double v) { return v / (1 + std::fabs(v)); }},
      {"Gelu", [](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); }},
      {"Gelu",
       [](double v) { return 0.5 * v * (1 + std::tanh(0.7978845608028654 * (v + 0.044715 * v * v * v))); },
       false,
       {{"approximate", text("tanh")}}},
      {"Swish", [](double v) { return v / (1 + std::exp(-v)); }},
      {"Mish", [](double v) { return v * std::tanh(std::log1p(std::exp(v))); }},
      {"Clip",
       [](double v) { return std::fmin(1.5, std::fmax(-0.5, v)); },
       false,
       {{"min", -0.5}, {"max", 1.5}}},
      {"Sqrt", [](double v) { return std::sqrt(v); }, true},
      {"Exp", [](double v) { return std::exp(v); }},
      {"Log", [](double v) { return std::log(v); }, true},
      {"Sin", [](double v) { return std::sin(v); }},
      {"Cos", [](double v) { return std::cos(v); }},
      {"Erf", [](double v) { return std::erf(v); }},
      {"Reciprocal", [](double v) { return 1 / v; }},
      {"Abs", [](double v) { return std::fabs(v); }},
      {"Neg", [](double v) { return -v; }},
      {"Sign", [](double v) { return v > 0 ? 1.0 : -1.0; }},
      {"Floor", [](double v) { return std::floor(v); }},
      {"Ceil", [](double v) { return std::ceil(v); }},
      {"Round", [](double v) { return std::nearbyint(v); }},
      {"Identity", [](double v) { return v; }},
  };
  Cases cases;
  for (const Function& function : functions) {
    const std::vector<double>& inputs = function.positive_only ? positive : x;
    std::vector<double> outputs;
    for (double v : inputs) outputs.push_back(function.f(v));
    cases.push_back({function.name, {row(inputs)}, function.attributes, {outputs}});
  }
  return cases;
}

Cases arithmetic_cases() {
  const Operand a = row({1, 4, -3}), b = row({2, 4, -5});
  const Operand column = block({2, 1}, {10, 20});
  return {
      {"Add", {column, row({1, 2, 3})}, {}, {{11, 12, 13, 21, 22, 23}}},
      {"Sub", {row({1, 2}), column}, {}, {{-9, -8, -19, -18}}},
      {"Mul", {a, b}, {}, {{2, 16, 15}}},
      {"Div", {a, row({2})}, {}, {{0.5, 2, -1.5}}},
      {"Div", {integers({7, -7}), integers({2})}, {}, {{3, -3}}},
      {"Pow", {row({3, 0.5}), row({2, -1})}, {}, {{9, 2}}},
      {"Pow", {row({3, -0.5}), constant({}, {2})}, {}, {{9, 0.25}}},
      {"Pow", {integers({3, -2}), integers({2, 3})}, {}, {{9, -8}}},
      {"Mod", {integers({7, -7}), integers({3})}, {}, {{1, 2}}},
      {"Min", {a, b, row({0})}, {}, {{0, 0, -5}}},
      {"Max", {a, column}, {}, {{10, 10, 10, 20, 20, 20}}},
      {"Sum", {a, b, row({1})}, {}, {{4, 9, -7}}},
      {"Mean", {a, b, row({0})}, {}, {{1, 8.0 / 3, -8.0 / 3}}},
      {"PRelu", {row({-2, 3}), row({0.5})}, {}, {{-1, 3}}},
      {"Equal", {a, b}, {}, {{0, 1, 0}}},
      {"Less", {a, b}, {}, {{1, 0, 0}}},
      {"Greater", {a, b}, {}, {{0, 0, 1}}},
      {"LessOrEqual", {a, b}, {}, {{1, 1, 0}}},
      {"GreaterOrEqual", {a, b}, {}, {{0, 1, 1}}},
      {"And", {flags({0, 1, 1}), flags({1, 0, 1})}, {}, {{0, 0, 1}}},
      {"Or", {flags({0, 1, 0}), flags({1, 0, 0})}, {}, {{1, 1, 0}}},
      {"Xor", {flags({0, 1, 1}), flags({1, 0, 1})}, {}, {{1, 1, 0}}},
      {"Not", {flags({0, 1})}, {}, {{1, 0}}},
      {"Where", {flags({1, 0}), column, row({1, 2})}, {}, {{10, 2, 20, 2}}},
      {"Cast", {row({-1.7, 2.7})}, {{"to", integer(6)}}, {{-1, 2}}},
      {"Cast", {row({-1.7, 0})}, {{"to", integer(9)}}, {{1, 0}}},
      {"Cast", {integers({3})}, {{"to", integer(11)}}, {{3}}},
      {"Dropout", {row({1, 2})}, {}, {{1, 2}, {1, 1}}},
      {"NextSeed", {of(DType::u32, {}, {41}, Role::state)}, {}, {{42}}},
  };
}

Cases reduction_cases() {
  const Operand x = block({2, 3}, {1, -2, 3, 4, 5, -6});
  const Attributes rows{{"axes", Ints{1}}}, columns{{"axes", Ints{-2}}, {"keepdims", integer(0)}};
  return {
      {"ReduceSum", {x}, rows, {{2, 3}}},
      {"ReduceSum", {x}, columns, {{5, 3, -3}}},
      {"ReduceSum", {x}, {{"noop_with_empty_axes", integer(1)}}, {x.numbers}},
      {"ReduceMean", {x}, {}, {{5.0 / 6}}},
      {"ReduceMax", {x}, rows, {{3, 5}}},
      {"ReduceMin", {x}, columns, {{1, -2, -6}}},
      {"ReduceProd", {x}, rows, {{-6, -120}}},
      {"ReduceL1", {x}, rows, {{6, 15}}},
      {"ReduceL2", {x}, rows, {{std::sqrt(14.0), std::sqrt(77.0)}}},
      {"ReduceSumSquare", {x}, rows, {{14, 77}}},
      {"ReduceLogSum", {x}, rows, {{std::log(2.0), std::log(3.0)}}},
      {"ReduceLogSumExp", {row({1000, 1000})}, {}, {{1000 + std::log(2.0)}}},
      {"ArgMax", {x}, {{"axis", integer(1)}}, {{2, 1}}},
      {"ArgMax", {row({3, 3})}, {{"select_last_index", integer(1)}}, {{1}}},
      {"ArgMin", {x}, {}, {{0, 0, 1}}},
      {"SumTo", {x}, {{"shape", Ints{2, 1}}}, {{2, 3}}},
  };
}

Cases movement_cases() {
  const Operand x = counting({2, 3});
  return {
      {"Reshape", {x}, {{"shape", Ints{3, -1}}}, {x.numbers}},
      {"Flatten", {x}, {{"axis", integer(0)}}, {x.numbers}},
      {"Squeeze", {counting({1, 2})}, {}, {{0, 1}}},
      {"Unsqueeze", {counting({2})}, {{"axes", Ints{0}}}, {{0, 1}}},
      {"Transpose", {x}, {}, {{0, 3, 1, 4, 2, 5}}},
      {"Transpose", {counting({1, 2, 1})}, {{"perm", Ints{2, 1, 0}}}, {{0, 1}}},
      {"Concat", {x, block({2, 1}, {8, 9})}, {{"axis", integer(1)}}, {{0, 1, 2, 8, 3, 4, 5, 9}}},
      {"Concat", {row({1}), row({2, 3}), row({4})}, {{"axis", integer(0)}}, {{1, 2, 3, 4}}},
      {"Split", {x}, {{"axis", integer(1)}, {"num_outputs", integer(2)}}, {{0, 1, 3, 4}, {2, 5}}},
      {"Split", {x}, {{"axis", integer(0)}, {"split", Ints{1, 1}}}, {{0, 1, 2}, {3, 4, 5}}},
      {"Slice",
       {x},
       {{"starts", Ints{0, -1}}, {"ends", Ints{2, -4}}, {"axes", Ints{0, 1}}, {"steps", Ints{1, -2}}},
       {{2, 0, 5, 3}}},
      {"Slice", {x}, {{"starts", Ints{1}}, {"ends", Ints{9}}}, {{3, 4, 5}}},
      {"Pad", {row({1, 2})}, {{"pads", Ints{1, 2}}, {"constant_value", 7.0}}, {{7, 1, 2, 7, 7}}},
      {"Pad", {row({1, 2, 3})}, {{"pads", Ints{-1, 1}}}, {{2, 3, 0}}},
      {"Pad", {row({1, 2, 3})}, {{"pads", Ints{2, 1}}, {"mode", text("reflect")}}, {{3, 2, 1, 2, 3, 2}}},
      {"Pad", {row({1, 2, 3})}, {{"pads", Ints{2, 1}}, {"mode", text("edge")}}, {{1, 1, 1, 2, 3, 3}}},
      {"Pad", {row({1, 2, 3})}, {{"pads", Ints{2, 1}}, {"mode", text("wrap")}}, {{2, 3, 1, 2, 3, 1}}},
      {"Expand", {block({2, 1}, {1, 2})}, {{"shape", Ints{2, 2}}}, {{1, 1, 2, 2}}},
      {"Tile", {block({1, 2}, {1, 2})}, {{"repeats", Ints{2, 2}}}, {{1, 2, 1, 2, 1, 2, 1, 2}}},
      {"DepthToSpace", {counting({1, 4, 1, 2})}, {{"blocksize", integer(2)}}, {{0, 2, 1, 3, 4, 6, 5, 7}}},
      {"SpaceToDepth", {counting({1, 1, 2, 4})}, {{"blocksize", integer(2)}}, {{0, 2, 1, 3, 4, 6, 5, 7}}},
      {"Gather", {x, integers({2, -3})}, {{"axis", integer(1)}}, {{2, 0, 5, 3}}},
      {"Gather", {x, of(DType::i64, {}, {-1}, Role::constant)}, {}, {{3, 4, 5}}},
      {"GatherElements", {x, of(DType::i64, {1, 3}, {1, 0, 1})}, {}, {{3, 1, 5}}},
      {"OneHot", {integers({1, -1}), absent(), row({5, 6})}, {{"depth", integer(3)}}, {{5, 6, 5, 5, 5, 6}}},
      {"OneHot",
       {integers({1, 0}), absent(), row({0, 1})},
       {{"depth", integer(2)}, {"axis", integer(0)}},
       {{0, 1, 1, 0}}},
      {"CumSum", {row({1, 2, 3})}, {{"axis", integer(0)}}, {{1, 3, 6}}},
      {"CumSum",
       {row({1, 2, 3})},
       {{"axis", integer(0)}, {"exclusive", integer(1)}, {"reverse", integer(1)}},
       {{5, 3, 0}}},
      {"Trilu", {counting({3, 3})}, {}, {{0, 1, 2, 0, 4, 5, 0, 0, 8}}},
      {"Trilu",
       {counting({3, 3})},
       {{"upper", integer(0)}, {"k", integer(-1)}},
       {{0, 0, 0, 3, 0, 0, 6, 7, 0}}},
      {"Resize", {counting({1, 1, 1, 2})}, {{"scales", Floats{1, 1, 2, 2}}}, {{0, 0, 1, 1, 0, 0, 1, 1}}},
      {"Resize",
       {row({1, 2, 3, 4})},
       {{"sizes", Ints{7}},
        {"mode", text("linear")},
        {"coordinate_transformation_mode", text("align_corners")}},
       {{1, 1.5, 2, 2.5, 3, 3.5, 4}}},
      {"Resize", {row({1, 2})}, {{"scales", Floats{2}}, {"mode", text("linear")}}, {{1, 1.25, 1.75, 2}}},
      {"Upsample", {row({1, 2})}, {{"scales", Floats{3}}}, {{1, 1, 1, 2, 2, 2}}},
  };
}

Cases network_cases() {
  const double e = std::exp(1.0), none = std::numeric_limits<double>::quiet_NaN();
  const Operand logits = block({2, 2}, {0, 1, 0, 0});
  const double first = std::log(1 + e) - 1, second = std::log(2.0), zero = std::log(1 + e);
  return {
      {"Softmax", {logits}, {}, {{1 / (1 + e), e / (1 + e), 0.5, 0.5}}},
      {"LogSoftmax", {logits}, {{"axis", integer(1)}}, {{-zero, -first, -second, -second}}},
      {"SoftmaxCrossEntropyLoss", {logits, integers({1, 0})}, {}, {{(first + second) / 2}}},
      {"SoftmaxCrossEntropyLoss",
       {logits, integers({1, 0})},
       {},
       {{(first + second) / 2}, {-zero, -first, -second, -second}}},
      {"SoftmaxCrossEntropyLoss",
       {logits, of(DType::i64, {2}, {1, 0}), row({1, 3})},
       {{"reduction", text("none")}},
       {{3 * first, second}}},
      {"SoftmaxCrossEntropyLoss", {logits, integers({1, 0}), row({1, 3})}, {}, {{(3 * first + second) / 4}}},
      {"SoftmaxCrossEntropyLoss", {logits, integers({1, 0})}, {{"ignore_index", integer(0)}}, {{first}}},
      {"SoftmaxCrossEntropyLoss", {logits, integers({1, 1})}, {{"ignore_index", integer(1)}}, {{none}}},
      {"NegativeLogLikelihoodLoss",
       {block({2, 2}, {-1, -2, -3, -4}), integers({1, 0})},
       {{"reduction", text("sum")}},
       {{5}}},
      {"MeanSquaredErrorLoss", {row({1, 2}), row({3, 5})}, {}, {{6.5}}},
      {"L1Loss", {row({1, 2}), row({3, 5})}, {{"reduction", text("sum")}}, {{5}}},
      {"HuberLoss", {row({1, 2}), row({3, 2.5})}, {{"reduction", text("none")}}, {{1.5, 0.125}}},
      {"BinaryCrossEntropyLoss",
       {row({0.5, 0.25}), row({1, 0})},
       {},
       {{(std::log(2.0) + std::log(4.0 / 3)) / 2}}},
      {"BinaryCrossEntropyWithLogitsLoss",
       {row({0, 1}), row({1, 1})},
       {{"reduction", text("none")}},
       {{second, first}}},
      {"BatchNormalization",
       {counting({1, 2, 2}), row({1, 2}), row({0, 10}), row({0, 1}), row({4, 1})},
       {{"epsilon", 0.0}},
       {{0, 0.5, 12, 14}}},
      {"BatchNormalizationTraining",
       {block({2, 1}, {1, 3}), row({2}), row({5})},
       {{"epsilon", 0.0}},
       {{3, 7}, {2}, {1}}},
      {"RunningStatistics",
       {row({2}), row({1}), of(DType::f64, {1}, {10}, Role::state), of(DType::f64, {1}, {20}, Role::state)},
       {{"momentum", 0.75}, {"correction", 2.0}},
       {{8}, {15.5}}},
      {"CheckStatistics",
       {of(DType::f64, {}, {3}), row({2}), row({1}), row({10}), row({20})},
       {{"momentum", 0.75}, {"correction", 2.0}},
       {{3}}},
      {"LayerNormalization",
       {block({2, 2}, {1, 3, 4, 8}), row({1, 2}), row({0, 1})},
       {{"epsilon", 0.0}},
       {{-1, 3, -1, 3}, {2, 6}, {1, 0.5}}},
      {"InverseDeviation", {row({3})}, {{"epsilon", 1.0}}, {{0.5}}},
  };
}

Operand number(double value) { return of(DType::f32, {}, {value}); }
Operand trained(double value) { return of(DType::f32, {1}, {value}, Role::parameter); }
Operand kept(double value) { return of(DType::f32, {1}, {value}, Role::state); }

/// Updates with numbers that floats hold exactly: a gradient of 2 for a weight of 1, learning rate 0.5.
Cases optimizer_cases() {
  const Operand gradient = of(DType::f32, {1}, {2});
  const Attributes adam{{"beta1", 0.5}, {"beta2", 0.75}, {"epsilon", 0.0}};
  const Operand steps = of(DType::f32, {3}, {1, 2, 0.5});
  return {
      {"Sgd", {gradient, trained(1), number(0.5)}, {}, {{0}}},
      {"Sgd", {gradient, trained(1), number(0.5)}, {{"weight_decay", 2.0}}, {{-1}}},
      {"Momentum", {gradient, trained(1), number(0.5), kept(4)}, {{"momentum", 0.5}}, {{-1}, {4}}},
      {"Momentum",
       {gradient, trained(1), number(0.5), kept(4)},
       {{"momentum", 0.5}, {"nesterov", integer(1)}},
       {{-1}, {4}}},
      {"AdamStep", {number(0.5), of(DType::f32, {2}, {0, 0}, Role::state)}, adam, {{1, 2, 1}, {0.5, 0.25}}},
      {"Adam", {gradient, trained(1), steps, kept(0), kept(0)}, adam, {{0.5}, {1}, {1}}},
      {"AdamW", {gradient, trained(1), steps, kept(0), kept(0)}, adam, {{0}, {1}, {1}}},
      {"Accumulate", {gradient, kept(3)}, {}, {{5}}},
      {"ScaleGradient", {gradient, number(0.25)}, {}, {{0.5}}},
      {"Clear", {kept(3)}, {}, {{0}}},
  };
}

}  // namespace

const std::vector<ValueCase>& value_cases() {
  static const std::vector<ValueCase> all = [] {
    Cases list;
    for (const Cases& cases : {function_cases(), arithmetic_cases(), reduction_cases(), movement_cases(),
                               network_cases(), optimizer_cases(), quantized_cases()})
      list.insert(list.end(), cases.begin(), cases.end());
    return list;
  }();
  return all;
}

}  // namespace tinytc
