// Exact search for a placement within one capacity; internal to plan_offsets.
//
// Depth-first branch and bound over canonical placements, after M. Moffitt, "MiniMalloc: A Lightweight Memory
// Allocator for Hardware-Accelerated Machine Learning" (ASPLOS 2023): items are placed from the bottom up,
// each as low as the placed ones allow; a section prunes when its lowest possible floor plus all that is
// still to be placed in it exceeds the capacity; a placement prunes when an unplaced item would fit
// completely below it; where no unplaced item crosses a point in time, the two sides are solved on their own.
// Relaxed pairs generalise the distances and, for sums, count what they can share.
#pragma once

#include <cstdint>
#include <vector>

#include "passes/plan_model.h"

namespace tinytc::planning {

enum class Verdict { fits, impossible, unknown /* ran out of nodes */ };

struct SearchResult {
  Verdict verdict = Verdict::unknown;
  std::vector<std::int64_t> offsets;  // when it fits
  std::int64_t next_bound =
      0;  // when impossible: no placement has a peak below this (more than the capacity asked for)
  std::int64_t nodes = 0;
};

// Looks for a placement of all items of `model` whose peak is at most `capacity`, visiting at most
// `node_limit` nodes.
SearchResult search_placement(const Model& model, std::int64_t capacity, std::int64_t node_limit);

}  // namespace tinytc::planning
