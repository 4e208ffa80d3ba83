// What the exact search knows and changes: lowest offsets, floors and totals of sections as items are placed
// and taken back; internal to plan_search.
#pragma once

#include <limits>
#include <utility>
#include <vector>

#include "passes/plan_model.h"

namespace tinytc::planning {

inline constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();

struct Neighbour {
  int item;
  std::int64_t above;  // distance(owner, item)
};

// What never changes during the search.
struct Instance {
  const Model& model;
  std::int64_t capacity;
  std::int64_t padding;  // see lower_bound()
  bool sliding;          // some distance is negative: an item may end up below one placed earlier
  std::vector<std::vector<Neighbour>> neighbours;  // all conflicting items
  std::vector<std::vector<Neighbour>> supporters;  // the same, with distance(neighbour, owner)
  std::vector<std::vector<int>> members;           // items of each section
  std::vector<int> twin;                           // the item before this one that is identical to it, or -1
  std::vector<Sharing> sharing;
  std::vector<std::vector<int>> sharing_of;  // per item, the entries of `sharing` that it takes part in
};

// What the search changes and undoes.
struct State {
  std::vector<std::int64_t> offsets;  // -1 = unplaced
  std::vector<std::int64_t> lowest;   // per unplaced item: the lowest offset that the placed ones leave to it
  std::vector<std::int64_t> floors;   // per section: the least `lowest` of its unplaced items
  std::vector<std::int64_t> totals;   // per section: bytes that its unplaced items need above the floor
  std::vector<int> crossing;          // per section: unplaced items that are live in it and in the next one
  std::vector<std::int64_t> reach;    // per unplaced item: what passed_over_fit() found that it must reach
  std::vector<int> rank;              // position of each item in the order of preference
  std::vector<std::int64_t> solution;  // offsets of finished parts
  std::vector<int> touched;  // per section: stamp of the last update, so that each is refreshed once
  int stamp = 0;
  std::int64_t nodes_left = 0;
  std::int64_t next_bound = none;
};

// A stretch of sections with its unplaced items; nothing unplaced crosses its ends.
struct Part {
  int first, last;
  std::vector<int> items;
};

struct Undo {
  std::vector<std::pair<int, std::int64_t>> lowest, floors;
};

Instance make_instance(const Model& model, std::int64_t capacity);

// Nothing is placed. `rank`: position of each item in the order of preference.
State make_state(const Instance& in, std::vector<int> rank, std::int64_t node_limit);

// A placement that was ruled out would have ended at `bound`.
void note_bound(State& st, std::int64_t bound);

// Places item i as low as it may lie. False if what is still to be placed in the part cannot fit any more;
// unplace() is due either way.
bool place(const Instance& in, State& st, const Part& part, int i, Undo& undo);
void unplace(const Instance& in, State& st, int i, const Undo& undo);

}  // namespace tinytc::planning
