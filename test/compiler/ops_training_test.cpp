// Type rules of compiler/ops/softmax_ops.cpp, batch_norm_ops.cpp, layer_norm_ops.cpp and loss_ops.cpp.
#include <catch2/catch.hpp>

#include "test/compiler/ops_support.h"

namespace tinytc {

namespace {
std::int64_t integer(int value) { return value; }
std::string text(const char* value) { return value; }
const TensorType c3 = {DType::f32, {3}};
}  // namespace

TEST_CASE("softmax") {
  check_types({
      {"Softmax", {f32({2, 5})}, {}, {f32({2, 5})}},
      {"LogSoftmax", {f32({2, 5})}, {{"axis", integer(2)}}, {}, "axis 2 is out of range for rank 2"},
      {"Softmax", {i32({2})}, {}, {}, "only floating point is supported"},
      {"SoftmaxGrad", {f32({2, 5}), f32({2, 4})}, {}, {}, "the output has shape [2,4], must be [2,5]"},
  });
}

TEST_CASE("normalisation") {
  check_types({
      {"BatchNormalization", {f32({2, 3, 4, 4}), c3, c3, c3, c3}, {}, {f32({2, 3, 4, 4})}},
      {"BatchNormalization",
       {f32({2, 4, 4, 3}), c3, c3, c3, c3},
       {{"channels_last", integer(1)}},
       {f32({2, 4, 4, 3})}},
      {"BatchNormalization",
       {f32({2, 4, 4, 3}), c3, c3, c3, c3},
       {},
       {},
       "input 1 has shape [3], must be [4]"},
      {"BatchNormalizationTraining", {f32({2, 3}), c3, c3}, {}, {f32({2, 3}), c3, c3}},
      {"RunningStatistics", {c3, c3, c3, c3}, {}, {c3, c3}},
      {"RunningStatistics", {c3, f32({4}), c3, c3}, {}, {}, "input 1 has shape [4], must be [3]"},
      {"CheckStatistics", {f32({}), c3, c3, c3, c3}, {}, {f32({})}},
      {"CheckStatistics", {f32({}), c3, c3, c3, f32({4})}, {}, {}, "input 4 has shape [4], must be [3]"},
      {"BatchNormalizationTraining",
       {f32({1, 3}), c3, c3},
       {},
       {},
       "statistics of a single value per channel"},
      {"ChannelSum", {f32({2, 3, 4})}, {}, {c3}},
      {"LayerNormalization", {f32({2, 4, 3}), c3, c3}, {}, {f32({2, 4, 3}), f32({2, 4, 1}), f32({2, 4, 1})}},
      {"LayerNormalization",
       {f32({2, 4, 3}), f32({4, 3})},
       {{"axis", integer(1)}},
       {f32({2, 4, 3}), f32({2, 1, 1})}},
      {"LayerNormalization", {f32({2, 4, 3}), f32({4})}, {}, {}, "the scale has shape [4], must be [3]"},
  });
}

TEST_CASE("losses over class labels") {
  check_types({
      {"SoftmaxCrossEntropyLoss", {f32({2, 5}), i64({2})}, {}, {f32({}), f32({2, 5})}},
      {"SoftmaxCrossEntropyLoss", {f32({5}), i32({})}, {}, {f32({})}},
      {"SoftmaxCrossEntropyLoss",
       {f32({2, 5, 3}), i32({2, 3}), f32({5})},
       {{"reduction", text("none")}},
       {f32({2, 3})}},
      {"SoftmaxCrossEntropyLoss", {f32({2, 5}), f32({2})}, {}, {}, "labels are f32, must be i32 or i64"},
      {"SoftmaxCrossEntropyLoss", {f32({2, 5}), i64({5})}, {}, {}, "the label has shape [5], must be [2]"},
      {"NegativeLogLikelihoodLoss",
       {f32({2, 5}), i64({2}), f32({4})},
       {},
       {},
       "the weight has shape [4], must be [5]"},
      {"NegativeLogLikelihoodLoss",
       {f32({2, 5}), i64({2})},
       {{"reduction", text("mode")}},
       {},
       "reduction 'mode' is unknown"},
      {"SoftmaxCrossEntropyLossGrad", {f32({}), f32({2, 5}), i64({2})}, {}, {f32({2, 5})}},
  });
}

TEST_CASE("losses between two tensors") {
  check_types({
      {"MeanSquaredErrorLoss", {f32({2, 3}), f32({2, 3})}, {}, {f32({})}},
      {"L1Loss", {f32({2, 3}), f32({2, 3})}, {{"reduction", text("none")}}, {f32({2, 3})}},
      {"HuberLoss", {f32({2}), f32({2})}, {{"delta", 0.0}}, {}, "delta is not positive"},
      {"BinaryCrossEntropyLoss", {f32({2}), f32({1})}, {}, {}, "the target has shape [1], must be [2]"},
      {"MeanSquaredErrorLossGrad", {f32({}), f32({2}), f32({2})}, {}, {f32({2})}},
  });
}

}  // namespace tinytc
