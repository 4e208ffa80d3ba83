// Branch and bound for one capacity; see plan_search.h. Read search_placement() first, then explore().
#include "passes/plan_search.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "passes/plan_search_state.h"

namespace tinytc::planning {
namespace {

// The last placement: later ones have a larger (offset, rank), or are pushed below it by a relaxation.
struct Last {
  int item = -1;
  std::int64_t offset = 0;
  int rank = -1;
};

// Items that were passed over must still be raised: in a canonical placement each stands on another item, so
// a later neighbour has to get below it. Computes the offsets that all items of the part must at least reach,
// and checks the sections again with those. False if the part cannot be completed.
bool passed_over_fit(const Instance& in, State& st, const Part& part, const Last& last) {
  const std::int64_t level = last.offset;
  std::vector<int> passed;
  for (int i : part.items) {
    st.reach[i] = std::max(level, st.lowest[i]);
    if (st.lowest[i] < level) passed.push_back(i);
  }
  if (passed.empty()) return true;
  for (bool changed = true; changed;) {
    changed = false;
    for (int i : passed) {
      std::int64_t least = none;
      for (const Neighbour& n : in.supporters[i]) {
        if (st.offsets[n.item] < 0) least = std::min(least, st.reach[n.item] + n.above);
      }
      if (least == none) return false;  // nothing is left that could raise it
      least = round_up(least, in.model.items[i].alignment);
      if (least <= st.reach[i]) continue;
      st.reach[i] = least;
      changed = true;
      if (least + in.model.items[i].size <= in.capacity) continue;
      note_bound(st, least + in.model.items[i].size);
      return false;
    }
  }
  for (int s = part.first; s < part.last; ++s) {
    if (st.floors[s] >= level) continue;
    std::int64_t floor = none;
    for (int i : in.members[s]) {
      if (st.offsets[i] < 0) floor = std::min(floor, st.reach[i]);
    }
    if (floor == none || floor + st.totals[s] - in.padding <= in.capacity) continue;
    note_bound(st, floor + st.totals[s] - in.padding);
    return false;
  }
  return true;
}

struct Candidate {
  std::int64_t offset;
  int rank, item;
};

bool comes_after(const Instance& in, const State& st, int i, const Last& last) {
  if (st.lowest[i] != last.offset) {
    if (st.lowest[i] > last.offset) return true;
  } else if (st.rank[i] > last.rank) {
    return true;
  }
  for (const Relaxed& r : in.model.relaxed[i]) {
    if (r.other == last.item) return !r.free && r.below <= 0;
  }
  return false;
}

// The items that may be placed next, best first.
std::vector<Candidate> candidates(const Instance& in, const State& st, const Part& part, const Last& last) {
  std::int64_t least_top =
      none;  // an item at or above the possible top of another leaves a gap for no reason
  if (!in.sliding) {
    for (int i : part.items) least_top = std::min(least_top, st.lowest[i] + in.model.items[i].size);
  }
  std::vector<Candidate> next;
  for (int i : part.items) {
    if (st.lowest[i] >= least_top || !comes_after(in, st, i, last)) continue;
    if (in.twin[i] >= 0 && st.offsets[in.twin[i]] < 0) continue;
    next.push_back({st.lowest[i], st.rank[i], i});
  }
  std::sort(next.begin(), next.end(), [](const Candidate& a, const Candidate& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.rank < b.rank;
  });
  return next;
}

// What is left of `part` after item i was placed, cut where nothing unplaced crosses.
std::vector<Part> split(const Instance& in, const State& st, const Part& part, int placed) {
  std::vector<int> cuts{part.first};
  const Item& item = in.model.items[placed];
  for (int s = std::max(item.first - 1, part.first); s < std::min(item.last, part.last - 1); ++s) {
    if (st.crossing[s] == 0) cuts.push_back(s + 1);
  }
  std::vector<Part> parts;
  for (std::size_t k = 0; k < cuts.size(); ++k) {
    parts.push_back({cuts[k], k + 1 < cuts.size() ? cuts[k + 1] : part.last, {}});
  }
  for (int i : part.items) {
    if (i == placed) continue;
    std::size_t k = parts.size() - 1;
    while (in.model.items[i].first < parts[k].first) --k;
    parts[k].items.push_back(i);
  }
  std::erase_if(parts, [](const Part& p) { return p.items.empty(); });
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.items.size() < b.items.size(); });
  return parts;
}

// Places all of `part`, then undoes it; a success is left in st.solution.
Verdict explore(const Instance& in, State& st, const Part& part, const Last& last) {
  if (st.nodes_left <= 0) return Verdict::unknown;
  --st.nodes_left;
  if (!in.sliding && !passed_over_fit(in, st, part, last)) return Verdict::impossible;
  for (const Candidate& c : candidates(in, st, part, last)) {
    Undo undo;
    Verdict verdict = Verdict::impossible;
    if (place(in, st, part, c.item, undo)) {
      verdict = Verdict::fits;
      for (const Part& rest : split(in, st, part, c.item)) {
        verdict = explore(in, st, rest, {c.item, c.offset, c.rank});
        if (verdict != Verdict::fits) break;
      }
    }
    unplace(in, st, c.item, undo);
    if (verdict == Verdict::fits) st.solution[c.item] = c.offset;
    if (verdict != Verdict::impossible) return verdict;
  }
  return Verdict::impossible;
}

// Orders of preference among items of equal offset, as keys of which the largest come first: (w)idth in
// sections, (a)rea, (t)otal bytes of the most crowded section.
std::vector<std::vector<int>> ranks(const Instance& in) {
  const Model& model = in.model;
  const std::vector<std::int64_t> bounds = section_bounds(model);
  const int count = static_cast<int>(model.items.size());
  std::vector<std::array<std::int64_t, 3>> wat(count);
  for (int i = 0; i < count; ++i) {
    const Item& item = model.items[i];
    const std::int64_t total = *std::max_element(bounds.begin() + item.first, bounds.begin() + item.last);
    wat[i] = {item.last - item.first, item.size * item.length, total};
  }
  std::vector<std::vector<int>> all;
  for (const std::array<int, 3>& by : {std::array{0, 1, 2}, std::array{2, 1, 0}, std::array{2, 0, 1}}) {
    std::vector<int> order(count), rank(count);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      for (int k : by) {
        if (wat[a][k] != wat[b][k]) return wat[a][k] > wat[b][k];
      }
      return false;
    });
    for (int k = 0; k < count; ++k) rank[order[k]] = k;
    all.push_back(std::move(rank));
  }
  return all;
}

}  // namespace

SearchResult search_placement(const Model& model, std::int64_t capacity, std::int64_t node_limit) {
  SearchResult result;
  const Instance in = make_instance(model, capacity);
  const std::int64_t bound = lower_bound(model);
  if (bound > capacity) {
    result.verdict = Verdict::impossible;
    result.next_bound = bound;
    return result;
  }
  Part all{0, model.sections, std::vector<int>(model.items.size())};
  std::iota(all.items.begin(), all.items.end(), 0);
  const std::vector<std::vector<int>> orders = ranks(in);
  std::int64_t allowance = 2 * static_cast<std::int64_t>(model.items.size()) + 16;
  for (std::size_t round = 0; result.nodes < node_limit; ++round) {
    State st = make_state(in, orders[round % orders.size()], std::min(allowance, node_limit - result.nodes));
    const std::int64_t before = st.nodes_left;
    result.verdict = explore(in, st, all, {});
    result.nodes += before - st.nodes_left;
    if (result.verdict == Verdict::fits) result.offsets = st.solution;
    if (result.verdict == Verdict::impossible) result.next_bound = st.next_bound;
    if (result.verdict != Verdict::unknown) return result;
    if (round % orders.size() + 1 == orders.size()) allowance *= 2;
  }
  return result;
}

}  // namespace tinytc::planning
