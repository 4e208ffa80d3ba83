// The offset problem as the solvers see it; internal to plan_offsets.
//
// * Time is cut into sections: the maximal sets of items live together (the maximal cliques of the interval
// graph). Two items
//   conflict exactly if their section ranges [first, last) meet. Items are renumbered by first section, so
//   whatever starts inside a range of sections is a contiguous range of items.
// * Every conflicting pair (a, b) is one disjunction: offset(b) >= offset(a) + distance(a, b)  or
//   offset(a) >= offset(b) + distance(b, a). The distance is the size of the lower item, or less where a
//   relaxation says so.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "passes/plan_offsets.h"

namespace tinytc::planning {

struct Item {
  std::int64_t size;       // bytes
  std::int64_t alignment;  // bytes
  std::int64_t
      rounded;  // size rounded up to the model's granularity: what it takes of a stack of disjoint items
  std::int64_t length;  // time steps alive
  int first, last;      // sections [first, last)
  int original;         // index in the caller's problem
};

// Item `other` conflicts with the owner of this record less than usual.
struct Relaxed {
  int other;
  std::int64_t above;    // distance(owner, other): how far `other` must be above the owner when it is above
  std::int64_t below;    // distance(other, owner)
  std::int64_t overlap;  // most bytes that the two can share
  bool free;             // the distances rule nothing out: the pair does not constrain anything
};

struct Model {
  std::vector<Item> items;                    // by (first, original)
  std::vector<std::vector<Relaxed>> relaxed;  // per item, by other
  std::vector<int> starts;  // starts[s] = first item whose `first` is >= s; sections + 1 entries
  std::vector<int> live_begin,
      live;  // items alive when item i starts and numbered below it: live[live_begin[i] ..)
  int sections = 0;
  std::int64_t granularity = 1;  // divides every alignment, so it divides every offset
  // "Below" could be cyclic in a valid placement, which takes negative distances in a row (an item that may
  // slide below one, while another may start inside it). A search that places items from below may then miss
  // placements.
  bool cyclic = false;
};

std::int64_t round_up(std::int64_t value, std::int64_t multiple);

// Builds the model of all items that can conflict (size > 0, lifetime not empty). Memory: one int a
// conflicting pair.
Model build_model(const OffsetProblem& problem);

// A sub-problem of `model` with only the given items (ascending); Item::original becomes the index in
// `model`.
Model sub_model(const Model& model, const std::vector<int>& items);

// Calls visit(j) for every item that conflicts with item i, in ascending order.
template <typename Visit>
void for_each_conflict(const Model& model, int i, Visit visit) {
  for (int k = model.live_begin[i]; k < model.live_begin[i + 1]; ++k) visit(model.live[k]);
  const int end = model.starts[model.items[i].last];
  for (int j = i + 1; j < end; ++j) visit(j);
}

// What item i can share with the items that come before it in numbering: union of live items >= sum of
// rounded - sum of these.
struct Sharing {
  int item;                                          // the later item
  std::int64_t most;                                 // it shares at most this many bytes in total
  std::vector<std::pair<int, std::int64_t>> others;  // (earlier item, bytes it can share with that one)
};
std::vector<Sharing> sharings(const Model& model);

// Bytes that every placement needs in each section: the union of the live items, overlaps allowed by
// relaxations taken off. Proof: add the live items one by one, in numbering order; item i adds at least
// rounded(i) - min(most, sum of others alive).
std::vector<std::int64_t> section_bounds(const Model& model);

// Most bytes by which rounding up to the granularity makes one item larger: the topmost item of a placement
// needs none of it.
std::int64_t padding(const Model& model);

// max over sections and over single items, less the padding: bytes below which no placement ends.
std::int64_t lower_bound(const Model& model);

}  // namespace tinytc::planning
