// The table of ops_gradient_test.cpp: at least one case for every operator with a gradient.
#include "test/codegen/ops_cases.h"

namespace tinytc {

namespace {

using Cases = std::vector<GradientCase>;

Cases unary_cases() {
  Cases cases;
  for (const char* name :
       {"Relu",      "LeakyRelu", "Elu",        "Selu", "Celu",  "Sigmoid",  "Tanh",   "HardSigmoid",
        "HardSwish", "Softplus",  "Softsign",   "Gelu", "Swish", "Mish",     "Exp",    "Sin",
        "Cos",       "Erf",       "Reciprocal", "Abs",  "Neg",   "Identity", "Dropout"})
    cases.push_back({name, {any({2, 5})}});
  for (const char* name : {"Sqrt", "Log"}) cases.push_back({name, {between({7}, 0.3, 2.5)}});
  cases.push_back({"LeakyRelu", {any({9})}, {{"alpha", -0.3}}});
  cases.push_back({"Elu", {any({9})}, {{"alpha", 0.7}}});
  cases.push_back({"Gelu", {any({9})}, {{"approximate", text("tanh")}}});
  cases.push_back({"ThresholdedRelu", {any({9})}, {{"alpha", 0.8}}});
  cases.push_back({"Clip", {any({9})}, {{"min", -0.61}, {"max", 0.93}}});
  cases.push_back({"Clip", {any({9})}, {{"max", 0.93}}});
  cases.push_back({"HardSwish", {between({9}, -4.0, 4.1)}});
  cases.push_back({"Cast", {any({4})}, {{"to", integer(11)}}});
  cases.push_back({"DropoutTraining", {any({20}), of(DType::u32, {}, {5})}, {{"ratio", 0.4}}});
  return cases;
}

Cases binary_cases() {
  Cases cases;
  for (const char* name : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
    cases.push_back({name, {any({2, 3}), any({2, 3})}});
    cases.push_back({name, {any({2, 3, 1}), any({3, 4})}});
    cases.push_back({name, {any({}), any({2, 2})}});
  }
  for (const char* name : {"Max", "Min", "Sum", "Mean"})
    cases.push_back({name, {any({2, 1}), any({3}), any({2, 3}), any({})}});
  cases.push_back({"Sum", {any({4})}});
  cases.push_back({"Pow", {between({2, 3}, 0.4, 1.6), any({3})}});
  cases.push_back({"Pow", {any({4}), constant({}, {2})}});
  cases.push_back({"Pow", {any({4}), of(DType::i64, {1}, {3}, Role::constant)}});
  cases.push_back({"PRelu", {any({2, 3, 2}), any({3, 1})}});
  cases.push_back({"Where", {of(DType::boolean, {2, 1}, {1, 0}), any({2, 3}), any({3})}});
  return cases;
}

Cases reduce_cases() {
  Cases cases;
  for (const char* name : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
                           "ReduceSumSquare", "ReduceLogSumExp"}) {
    cases.push_back({name, {any({2, 3, 4})}, {{"axes", Ints{1}}}});
    cases.push_back({name, {any({2, 3, 4})}, {{"axes", Ints{0, -1}}, {"keepdims", integer(0)}}});
    cases.push_back({name, {any({2, 3})}, {{"keepdims", integer(0)}}});
  }
  cases.push_back({"ReduceLogSum", {between({2, 3}, 0.3, 1.5)}, {{"axes", Ints{1}}}});
  return cases;
}

Cases movement_cases() {
  return {
      {"Reshape", {any({2, 6})}, {{"shape", Ints{3, 4}}}},
      {"Flatten", {any({2, 3, 2})}},
      {"Squeeze", {any({1, 3})}, {{"axes", Ints{0}}}},
      {"Unsqueeze", {any({3})}, {{"axes", Ints{1}}}},
      {"Transpose", {any({2, 3, 4})}, {{"perm", Ints{2, 0, 1}}}},
      {"Concat", {any({2, 1, 2}), any({2, 3, 2}), any({2, 2, 2})}, {{"axis", integer(1)}}},
      {"Concat", {any({2, 3}), any({1, 3})}, {{"axis", integer(0)}}},
      {"Split", {any({2, 6})}, {{"axis", integer(1)}, {"split", Ints{1, 2, 3}}}, 3, 3},
      {"Split", {any({2, 6})}, {{"axis", integer(1)}, {"split", Ints{1, 2, 3}}}, 3, 1},
      {"Slice",
       {any({4, 5})},
       {{"starts", Ints{1, 4}}, {"ends", Ints{4, -9}}, {"axes", Ints{0, 1}}, {"steps", Ints{2, -3}}}},
      {"Slice", {any({4, 3})}, {{"starts", Ints{1}}, {"ends", Ints{3}}}},
      {"Pad", {any({2, 3})}, {{"pads", Ints{1, 0, 2, 3}}, {"constant_value", 0.5}}},
      {"Pad", {any({4, 3})}, {{"pads", Ints{-1, 2, 1, -1}}}},
      {"Pad", {any({3, 4})}, {{"pads", Ints{2, 1, 1, 3}}, {"mode", text("reflect")}}},
      {"Pad", {any({2, 3})}, {{"pads", Ints{2, 0, 1, 2}}, {"mode", text("edge")}}},
      {"Pad", {any({2, 3})}, {{"pads", Ints{1, 4}}, {"axes", Ints{1}}, {"mode", text("wrap")}}},
      {"Expand", {any({3, 1})}, {{"shape", Ints{2, 1, 4}}}},
      {"Tile", {any({2, 3})}, {{"repeats", Ints{3, 2}}}},
      {"Tile", {any({2, 3})}, {{"repeats", Ints{1, 1}}}},
      {"DepthToSpace", {any({1, 8, 1, 3})}, {{"blocksize", integer(2)}}},
      {"DepthToSpace", {any({1, 8, 1, 3})}, {{"blocksize", integer(2)}, {"mode", text("CRD")}}},
      {"SpaceToDepth", {any({1, 2, 2, 4})}, {{"blocksize", integer(2)}}},
      {"Gather", {any({4, 3}), of(DType::i64, {2, 2}, {0, -1, 2, 0})}},
      {"Gather", {any({2, 4, 2}), of(DType::i32, {3}, {3, 3, 0})}, {{"axis", integer(1)}}},
      {"Gather", {any({2, 4, 2}), of(DType::i64, {}, {-2}, Role::constant)}, {{"axis", integer(1)}}},
      {"GatherElements", {any({2, 3}), of(DType::i64, {2, 2}, {0, 2, 1, 1})}, {{"axis", integer(1)}}},
      {"CumSum", {any({2, 4})}, {{"axis", integer(1)}}},
      {"CumSum", {any({3, 2})}, {{"axis", integer(0)}, {"exclusive", integer(1)}, {"reverse", integer(1)}}},
      {"Trilu", {any({2, 3, 4})}, {{"k", integer(1)}}},
      {"Resize", {any({1, 2, 3, 3})}, {{"scales", Floats{1, 1, 2, 1.5}}}},
      {"Resize",
       {any({1, 2, 3, 3})},
       {{"sizes", Ints{5, 4}}, {"axes", Ints{2, 3}}, {"mode", text("linear")}}},
      {"Resize",
       {any({1, 1, 4, 4})},
       {{"sizes", Ints{1, 1, 2, 7}},
        {"mode", text("linear")},
        {"coordinate_transformation_mode", text("align_corners")}}},
      {"Upsample", {any({1, 1, 2, 3})}, {{"scales", Floats{1, 1, 2, 3}}, {"mode", text("nearest")}}},
  };
}

const Attributes last{{"channels_last", std::int64_t{1}}};
const std::vector<Operand> batch_norm = {any({2, 3, 2, 2}), any({3}), any({3}), any({3}),
                                         between({3}, 0.5, 1.5)};
const std::vector<Operand> batch_norm_last = {any({2, 2, 3}), any({3}), any({3}), any({3}),
                                              between({3}, 0.5, 1.5)};

/// BatchNormalization for training: without statistics.
std::vector<Operand> trained_affine(std::vector<Operand> inputs) {
  inputs.resize(3);
  return inputs;
}

/// Statistics are not descended on: constants.
std::vector<Operand> with_constants(std::vector<Operand> inputs) {
  inputs[3] = constant({3}, {0.1, 0.2, 0.3});
  inputs[4] = constant({3}, {1, 2, 3});
  return inputs;
}

Cases norm_cases() {
  return {
      {"Softmax", {any({2, 5})}},
      {"Softmax", {any({2, 3, 2})}, {{"axis", integer(1)}}},
      {"LogSoftmax", {any({2, 5})}},
      {"LogSoftmax", {any({2, 3, 2})}, {{"axis", integer(0)}}},
      {"BatchNormalization", with_constants(batch_norm), {{"epsilon", 0.01}}},
      {"BatchNormalization", with_constants(batch_norm_last), last},
      {"BatchNormalizationTraining", trained_affine(batch_norm), {{"epsilon", 0.01}}, 3, 1},
      {"BatchNormalizationTraining", trained_affine(batch_norm_last), last, 3, 1},
      {"LayerNormalization", {any({2, 3, 4}), any({4}), any({4})}},
      {"LayerNormalization", {any({2, 3, 4}), any({3, 4})}, {{"axis", integer(1)}, {"epsilon", 0.01}}},
  };
}

Cases loss_cases() {
  Cases cases;
  for (const char* name : {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"}) {
    cases.push_back({name, {any({3, 4}), of(DType::i64, {3}, {2, 0, 3})}});
    cases.push_back({name, {any({4}), of(DType::i32, {}, {1})}, {{"reduction", text("sum")}}});
    cases.push_back({name,
                     {any({2, 3, 2}), of(DType::i32, {2, 2}, {2, 0, 1, 2}), constant({3}, {0.5, 2, 1.5})},
                     {{"ignore_index", integer(1)}}});
    cases.push_back({name, {any({3, 4}), of(DType::i64, {3}, {2, 0, 3})}, {{"reduction", text("none")}}});
  }
  cases.push_back({"SoftmaxCrossEntropyLoss", {any({3, 4}), of(DType::i64, {3}, {2, 0, 3})}, {}, 2, 2});
  for (const char* reduction : {"mean", "sum", "none"}) {
    const Attributes attributes{{"reduction", text(reduction)}};
    cases.push_back({"MeanSquaredErrorLoss", {any({2, 3}), any({2, 3})}, attributes});
    cases.push_back({"L1Loss", {any({2, 3}), any({2, 3})}, attributes});
    cases.push_back(
        {"BinaryCrossEntropyLoss", {between({5}, 0.1, 0.9), constant({5}, {0, 1, 0.3, 1, 0})}, attributes});
    cases.push_back(
        {"BinaryCrossEntropyWithLogitsLoss", {any({5}), constant({5}, {0, 1, 0.3, 1, 0})}, attributes});
  }
  cases.push_back({"HuberLoss", {any({8}), any({8})}, {{"delta", 0.77}}});
  return cases;
}

Cases product_cases() {
  return {
      {"Gemm", {any({2, 3}), any({3, 4}), any({4})}},
      {"Gemm",
       {any({3, 2}), any({4, 3}), any({2, 4})},
       {{"transA", integer(1)}, {"transB", integer(1)}, {"alpha", 0.5}, {"beta", 2.0}}},
      {"MatMul", {any({2, 3}), any({3, 4})}},
      {"MatMul", {any({2, 1, 2, 3}), any({2, 3, 2})}},
      {"MatMul", {any({3}), any({3, 2})}},
      {"Conv",
       {any({1, 2, 5, 4}), any({3, 2, 3, 2}), any({3})},
       {{"pads", Ints{1, 0, 1, 1}}, {"strides", Ints{2, 1}}}},
      {"Conv", {any({1, 4, 6}), any({4, 2, 3})}, {{"group", integer(2)}, {"dilations", Ints{2}}}},
      {"Conv",
       {any({1, 3, 4, 4}), any({3, 1, 3, 3}), any({3})},
       {{"group", integer(3)}, {"auto_pad", text("SAME_UPPER")}}},
      {"ConvTranspose", {any({1, 2, 3, 3}), any({2, 3, 2, 2}), any({3})}, {{"strides", Ints{2, 2}}}},
      {"MaxPool",
       {any({1, 2, 4, 5})},
       {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 1}}, {"pads", Ints{0, 1, 0, 1}}}},
      {"AveragePool",
       {any({1, 2, 4, 5})},
       {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 1}}, {"pads", Ints{0, 1, 0, 1}}}},
      {"AveragePool",
       {any({1, 2, 5})},
       {{"kernel_shape", Ints{3}}, {"pads", Ints{1, 1}}, {"count_include_pad", integer(1)}}},
      {"ConvInputGrad",
       {any({1, 3, 2, 2}), any({3, 2, 2, 2}), any({2})},
       {{"input_shape", Ints{1, 2, 4, 4}}, {"strides", Ints{2, 2}}}},
      {"GlobalAveragePool", {any({2, 2, 3, 2})}},
      {"GlobalMaxPool", {any({2, 2, 3, 2})}},
  };
}

}  // namespace

const std::vector<GradientCase>& gradient_cases() {
  static const std::vector<GradientCase> all = [] {
    Cases list;
    for (const Cases& cases : {unary_cases(), binary_cases(), reduce_cases(), movement_cases(), norm_cases(),
                               loss_cases(), product_cases()})
      list.insert(list.end(), cases.begin(), cases.end());
    return list;
  }();
  return all;
}

}  // namespace tinytc
