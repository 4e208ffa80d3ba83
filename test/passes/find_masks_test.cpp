// Numbers that mask something.
#include "passes/find_masks.h"

#include <catch2/catch.hpp>
#include <limits>

#include "test/compiler/graph_builder.h"

namespace tinytc {

TEST_CASE("A mask is a constant of numbers beyond all others, and what is computed from it") {
  for (const double number : {-1e9, -std::numeric_limits<double>::infinity(), double{std::numeric_limits<float>::lowest()}, -1e7}) {
    GraphBuilder b;
    const ValueId x = b.input("x", {2, 2}), mask = b.constant("mask", {2, 2}, {0, number, 0, 0});
    const ValueId before = b.node("Sin", {x}), masked = b.node("Add", {before, mask}), behind = b.node("Softmax", {masked});
    const std::vector<bool> masks = find_masks(b.graph);
    const bool is_mask = number < -mask_size;
    for (ValueId id : {x, before}) CHECK_FALSE(masks[static_cast<std::size_t>(id)]);
    for (ValueId id : {mask, masked, behind}) CHECK(masks[static_cast<std::size_t>(id)] == is_mask);
  }
}

}  // namespace tinytc
