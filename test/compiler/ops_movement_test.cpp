// Type rules of compiler/ops/view_ops.cpp, movement_ops.cpp, slice_ops.cpp, index_ops.cpp, resize_ops.cpp and
// reduce_ops.cpp.
#include <catch2/catch.hpp>

#include "test/compiler/ops_support.h"

namespace tinytc {

namespace {
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<double>;
std::int64_t integer(int value) { return value; }
std::string text(const char* value) { return value; }
}  // namespace

TEST_CASE("views change the shape") {
  check_types({
      {"Reshape", {f32({2, 3, 4})}, {{"shape", Ints{0, -1}}}, {f32({2, 12})}},
      {"Reshape", {f32({1})}, {{"shape", Ints{}}}, {f32({})}},
      {"Reshape", {f32({2, 3})}, {{"shape", Ints{4, 2}}}, {}, "6 elements cannot take the shape [4,2]"},
      {"Reshape", {f32({2, 3})}, {{"shape", Ints{-1, -1}}}, {}, "more than one extent of the shape is -1"},
      {"Reshape", {f32({2})}, {{"shape", Ints{2, 0}}}, {}, "has no such axis"},
      {"Reshape", {f32({2})}, {}, {}, "the shape is not known at compile time"},
      {"Reshape", {f32({2}), i64({1})}, {}, {}, "has 2 inputs, Reshape takes 1 to 1"},
      {"Flatten", {f32({2, 3, 4})}, {}, {f32({2, 12})}},
      {"Flatten", {f32({2, 3, 4})}, {{"axis", integer(-1)}}, {f32({6, 4})}},
      {"Flatten", {f32({2, 3})}, {{"axis", integer(0)}}, {f32({1, 6})}},
      {"Flatten", {f32({2, 3})}, {{"axis", integer(3)}}, {}, "axis 3 is out of range for rank 2"},
      {"Squeeze", {f32({1, 3, 1})}, {}, {f32({3})}},
      {"Squeeze", {f32({1, 3, 1})}, {{"axes", Ints{-1}}}, {f32({1, 3})}},
      {"Squeeze", {f32({1, 3})}, {{"axes", Ints{1}}}, {}, "axis 1 has extent 3, must be 1"},
      {"Unsqueeze", {f32({3})}, {{"axes", Ints{0, -1}}}, {f32({1, 3, 1})}},
      {"Unsqueeze", {f32({3})}, {{"axes", Ints{0, 0}}}, {}, "an axis stands twice in 'axes'"},
      {"Unsqueeze", {f32({3})}, {}, {}, "the axes are not known"},
  });
}

TEST_CASE("Transpose, Concat, Split, Expand and Tile") {
  check_types({
      {"Transpose", {f32({2, 3, 4})}, {}, {f32({4, 3, 2})}},
      {"Transpose", {f32({2, 3, 4})}, {{"perm", Ints{1, 0, 2}}}, {f32({3, 2, 4})}},
      {"Transpose", {f32({2, 3})}, {{"perm", Ints{0, 0}}}, {}, "perm [0,0] is not a permutation of 2 axes"},
      {"Concat", {f32({2, 3}), f32({2, 1}), f32({2, 0})}, {{"axis", integer(-1)}}, {f32({2, 4})}},
      {"Concat",
       {f32({2, 3}), f32({3, 3})},
       {{"axis", integer(1)}},
       {},
       "input 1 differs from input 0 along another axis than 1"},
      {"Concat",
       {f32({2, 3}), f32({2})},
       {{"axis", integer(1)}},
       {},
       "input 1 has 1 dimensions, input 0 has 2"},
      {"Split", {f32({5, 2})}, {{"num_outputs", integer(2)}}, {f32({3, 2}), f32({2, 2})}},
      {"Split", {f32({2, 6})}, {{"axis", integer(1)}, {"split", Ints{1, 5}}}, {f32({2, 1}), f32({2, 5})}},
      {"Split",
       {f32({2, 6})},
       {{"axis", integer(1)}, {"split", Ints{1, 4}}},
       {},
       "parts [1,4] do not add up to extent 6 of axis 1"},
      {"Expand", {f32({3, 1})}, {{"shape", Ints{2, 1, 4}}}, {f32({2, 3, 4})}},
      {"Expand", {f32({3})}, {{"shape", Ints{2}}}, {}, "[3] cannot be broadcast to [2]"},
      {"Tile", {f32({2, 3})}, {{"repeats", Ints{1, 2}}}, {f32({2, 6})}},
      {"Tile", {f32({2, 3})}, {{"repeats", Ints{2}}}, {}, "1 repeats for 2 axes"},
      {"DepthToSpace", {f32({1, 8, 2, 3})}, {{"blocksize", integer(2)}}, {f32({1, 2, 4, 6})}},
      {"SpaceToDepth", {f32({1, 2, 4, 6})}, {{"blocksize", integer(2)}}, {f32({1, 8, 2, 3})}},
      {"SpaceToDepth",
       {f32({1, 2, 4, 5})},
       {{"blocksize", integer(2)}},
       {},
       "blocksize 2 does not divide the input"},
  });
}

TEST_CASE("Slice and Pad") {
  const std::int64_t far = std::numeric_limits<std::int64_t>::max();
  check_types({
      {"Slice", {f32({10, 4})}, {{"starts", Ints{2}}, {"ends", Ints{far}}}, {f32({8, 4})}},
      {"Slice",
       {f32({10, 4})},
       {{"starts", Ints{-3, 0}}, {"ends", Ints{-1, 4}}, {"axes", Ints{0, 1}}, {"steps", Ints{1, 3}}},
       {f32({2, 2})}},
      {"Slice",
       {f32({10})},
       {{"starts", Ints{-1}}, {"ends", Ints{-far}}, {"axes", Ints{0}}, {"steps", Ints{-4}}},
       {f32({3})}},
      {"Slice", {f32({10})}, {{"starts", Ints{5}}, {"ends", Ints{2}}}, {f32({0})}},
      {"Slice",
       {f32({10})},
       {{"starts", Ints{0}}, {"ends", Ints{2}}, {"steps", Ints{0}}},
       {},
       "step 0 is out of range"},
      {"Slice", {f32({10})}, {{"starts", Ints{0}}, {"ends", Ints{2, 3}}}, {}, "differ in length"},
      {"Slice", {f32({10}), i64({1}), i64({1})}, {}, {}, "has 3 inputs, Slice takes 1 to 1"},
      {"Pad", {f32({2, 3})}, {{"pads", Ints{1, 0, 0, 2}}}, {f32({3, 5})}},
      {"Pad", {f32({2, 3})}, {{"pads", Ints{-1, 2}}, {"axes", Ints{1}}}, {f32({2, 4})}},
      {"Pad",
       {f32({2, 3})},
       {{"pads", Ints{0, 3, 0, 0}}, {"mode", text("reflect")}},
       {},
       "are not smaller than extent 3 of axis 1"},
      {"Pad", {f32({2, 3})}, {{"pads", Ints{0, 3}}}, {}, "2 pads for 2 axes"},
      {"Pad", {f32({2})}, {{"pads", Ints{-3, 0}}}, {}, "cut more off axis 0 than its extent 2"},
      {"Pad",
       {f32({2})},
       {{"pads", Ints{1, 0}}, {"mode", text("mirror")}},
       {},
       "mode 'mirror' is not supported"},
  });
}

TEST_CASE("Gather, OneHot, CumSum, Trilu and Resize") {
  check_types({
      {"Gather", {f32({5, 4}), i64({2, 3})}, {}, {f32({2, 3, 4})}},
      {"Gather", {f32({5, 4}), i32({})}, {{"axis", integer(-1)}}, {f32({5})}},
      {"Gather", {f32({5, 4}), f32({2})}, {}, {}, "indices are f32, must be i32 or i64"},
      {"Gather", {f32({5, 4}), i64({2})}, {{"axis", integer(2)}}, {}, "axis 2 is out of range for rank 2"},
      {"GatherElements", {f32({5, 4}), i64({2, 4})}, {}, {f32({2, 4})}},
      {"GatherElements", {f32({5, 4}), i64({2, 3})}, {}, {}, "the index has shape [2,3], must be [2,4]"},
      {"GatherGrad", {i64({2}), f32({2, 4})}, {{"axis", integer(0)}, {"shape", Ints{5, 4}}}, {f32({5, 4})}},
      {"OneHot", {i64({3}), i64({}), f32({2})}, {{"depth", integer(4)}}, {f32({3, 4})}},
      {"OneHot", {i64({3}), i64({}), f32({2})}, {}, {}, "the depth is not known at compile time"},
      {"CumSum", {f32({3})}, {{"axis", integer(0)}}, {f32({3})}},
      {"CumSum", {f32({3}), i64({})}, {}, {}, "has 2 inputs"},
      {"Trilu", {f32({3, 3})}, {}, {f32({3, 3})}},
      {"Resize", {f32({1, 1, 4, 4})}, {{"scales", Floats{1, 1, 2, 0.5}}}, {f32({1, 1, 8, 2})}},
      {"Resize",
       {f32({1, 1, 4, 4})},
       {{"sizes", Ints{7, 5}}, {"axes", Ints{2, 3}}, {"mode", text("linear")}},
       {f32({1, 1, 7, 5})}},
      {"Resize",
       {f32({4})},
       {{"scales", Floats{2}}, {"mode", text("cubic")}},
       {},
       "mode 'cubic' is not supported"},
      {"Resize", {f32({4})}, {{"scales", Floats{0.1}}}, {}, "axis 0 would have no elements"},
      {"Resize", {f32({4})}, {}, {}, "neither scales nor sizes are known"},
  });
}

TEST_CASE("reductions") {
  check_types({
      {"ReduceSum", {f32({2, 3, 4})}, {{"axes", Ints{1, -1}}}, {f32({2, 1, 1})}},
      {"ReduceMean", {f32({2, 3})}, {{"axes", Ints{0}}, {"keepdims", integer(0)}}, {f32({3})}},
      {"ReduceMax", {f32({2, 3})}, {{"keepdims", integer(0)}}, {f32({})}},
      {"ReduceSum", {f32({2, 3})}, {{"noop_with_empty_axes", integer(1)}}, {f32({2, 3})}},
      {"ReduceL2", {i32({2})}, {}, {}, "only floating point is supported"},
      {"ReduceSum", {f32({2, 3})}, {{"axes", Ints{2}}}, {}, "axis 2 is out of range for rank 2"},
      {"ReduceMax", {f32({2, 0})}, {{"axes", Ints{1}}}, {}, "axis 1 has no elements to reduce"},
      {"ReduceL2Grad", {f32({2, 1}), f32({2, 3}), f32({2, 1})}, {{"axes", Ints{1}}}, {f32({2, 3})}},
      {"ArgMax", {f32({2, 3})}, {{"axis", integer(1)}, {"keepdims", integer(0)}}, {i64({2})}},
      {"ArgMin", {f32({2, 3})}, {}, {i64({1, 3})}},
  });
}

}  // namespace tinytc
