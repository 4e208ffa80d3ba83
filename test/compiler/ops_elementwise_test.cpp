// Type rules of compiler/ops/unary_ops.cpp, binary_ops.cpp and dropout_ops.cpp.
#include <catch2/catch.hpp>

#include "test/compiler/ops_support.h"

namespace tinytc {

TEST_CASE("unary operators keep the type") {
  check_types({
      {"Relu", {f32({2, 3})}, {}, {f32({2, 3})}},
      {"Sigmoid", {f64({})}, {}, {f64({})}},
      {"Neg", {i32({4})}, {}, {i32({4})}},
      {"Not", {boolean({4})}, {}, {boolean({4})}},
      {"Cast", {i64({2})}, {{"to", std::int64_t{1}}}, {f32({2})}},
      {"Dropout", {f32({2})}, {{"ratio", 0.25}}, {f32({2}), boolean({2})}},
      {"ReluGrad", {f32({2}), f32({2}), f32({2})}, {}, {f32({2})}},
  });
}

TEST_CASE("unary operators refuse what they cannot compute") {
  check_types({
      {"Relu", {i32({2})}, {}, {}, "input 0 is i32; only floating point is supported"},
      {"Relu", {{DType::i8, {2}}}, {}, {}, "hint: stored numbers have no scale here: put DequantizeLinear before the node"},
      {"Not", {f32({2})}, {}, {}, "input 0 is f32, must be bool"},
      {"Neg", {boolean({2})}, {}, {}, "input 0 is bool, must be numbers"},
      {"Clip", {f32({2})}, {{"min", 2.0}, {"max", 1.0}}, {}, "min 2 is greater than max 1"},
      {"Clip", {f32({2}), f32({}), f32({})}, {}, {}, "has 3 inputs"},
      {"Elu", {f32({2})}, {{"alpha", -1.0}}, {}, "alpha -1 is negative"},
      {"Celu", {f32({2})}, {{"alpha", 0.0}}, {}, "alpha 0 is not positive"},
      {"Dropout", {f32({2})}, {{"ratio", 1.0}}, {}, "ratio 1 is not in [0, 1)"},
      {"Cast", {f32({2})}, {{"to", std::int64_t{8}}}, {}, "element type 8 is not supported"},
  });
}

TEST_CASE("operators of several operands broadcast") {
  check_types({
      {"Add", {f32({2, 3, 4}), f32({3, 1})}, {}, {f32({2, 3, 4})}},
      {"Mul", {f32({1}), f32({})}, {}, {f32({1})}},
      {"Sub", {f32({0, 3}), f32({1, 3})}, {}, {f32({0, 3})}},
      {"Less", {f32({2, 1}), f32({3})}, {}, {boolean({2, 3})}},
      {"And", {boolean({2}), boolean({2})}, {}, {boolean({2})}},
      {"Max", {f32({2, 1}), f32({3}), f32({4, 1, 1})}, {}, {f32({4, 2, 3})}},
      {"Sum", {f32({5})}, {}, {f32({5})}},
      {"Where", {boolean({2, 1}), f32({3}), f32({})}, {}, {f32({2, 3})}},
      {"PRelu", {f32({1, 4, 2, 2}), f32({4, 1, 1})}, {}, {f32({1, 4, 2, 2})}},
      {"Mod", {i32({3}), i32({3})}, {}, {i32({3})}},
      {"SumTo", {f32({2, 3, 4})}, {{"shape", Shape{3, 1}}}, {f32({3, 1})}},
  });
}

TEST_CASE("operators of several operands refuse what does not fit") {
  check_types({
      {"Add", {f32({2, 3}), f32({2})}, {}, {}, "input 1 has extent 2 where 3 is needed"},
      {"Add", {f32({2}), f64({2})}, {}, {}, "types differ: input 0 is f32, input 1 is f64"},
      {"Mul",
       {f32({1, 1, 1, 1, 1, 1, 1, 1, 1}), f32({})},
       {},
       {},
       "input 0 has 9 dimensions, must have 0 to 8"},
      {"And", {f32({2}), f32({2})}, {}, {}, "must be bool"},
      {"Mod", {f32({2}), f32({2})}, {}, {}, "input 0 is f32, must be integers"},
      {"Mod", {i32({2}), i32({2})}, {{"fmod", std::int64_t{1}}}, {}, "fmod=1 is not supported"},
      {"Pow", {i32({2}), f32({2})}, {}, {}, "types differ"},
      {"PRelu", {f32({3}), f32({2, 3})}, {}, {}, "the slope has more elements"},
      {"Where", {f32({2}), f32({2}), f32({2})}, {}, {}, "input 0 is f32, must be bool"},
      {"SumTo", {f32({2, 3})}, {{"shape", Shape{2}}}, {}, "was not broadcast to this shape"},
      {"MaxGradA",
       {f32({2}), f32({2}), f32({3})},
       {},
       {},
       "the output's gradient has shape [3], must be [2]"},
  });
}

}  // namespace tinytc
