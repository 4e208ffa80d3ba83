// Greedy placement; internal to plan_offsets. Cheap (each conflicting pair is looked at once an order) and
// often optimal.
#pragma once

#include <cstdint>
#include <vector>

#include "passes/plan_model.h"

namespace tinytc::planning {

// The greedy effort, in conflicting pairs visited: where it stops trying further orders, and where it stops
// repairing.
inline constexpr std::int64_t order_pair_budget = 16'000'000;
inline constexpr std::int64_t repair_pair_budget = 4'000'000;

struct Placement {
  std::vector<std::int64_t> offsets;  // bytes, per item of the model
  std::int64_t peak = 0;
};

std::int64_t peak_of(const Model& model, const std::vector<std::int64_t>& offsets);

// Lowest offset for item i that is compatible with every conflicting item whose offset is already >= 0.
std::int64_t first_fit(const Model& model, const std::vector<std::int64_t>& offsets, int i);

// Places the items in the given order, each at its first fit.
Placement place_in_order(const Model& model, const std::vector<int>& order);

// Places from the bottom up: always an item that can start lowest, of several the first in the given order,
// on top of what is there. Leaves gaps that first fit would use, but keeps items level that live together.
Placement place_lowest_first(const Model& model, const std::vector<int>& order);

// Tries several orders (by size, area, lifetime, crowdedness, time), in both ways, then repairs the best:
// items that end above `target` move to the front of the order, again and again ("squeaky wheel
// optimization", Joslin and Clements 1999). Stops at the first placement whose peak is at most `target`.
Placement greedy_placement(const Model& model, std::int64_t target);

}  // namespace tinytc::planning
