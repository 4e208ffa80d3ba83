// Branch and bound for one capacity; see plan_search.h. Read search_placement() first, then explore().
#include "passes/plan_search.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace tinytc::planning {
namespace {

constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();

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

// The last placement: later ones have a larger (offset, rank), or are pushed below it by a relaxation.
struct Last {
  int item = -1;
  std::int64_t offset = 0;
  int rank = -1;
};

// A stretch of sections with its unplaced items; nothing unplaced crosses its ends.
struct Part {
  int first, last;
  std::vector<int> items;
};

struct Undo {
  std::vector<std::pair<int, std::int64_t>> lowest, floors;
};

// Takes the relaxations of an item into its list of neighbours; both are in ascending order.
void relax_neighbours(const std::vector<Relaxed>& relaxed, std::vector<Neighbour>& neighbours) {
  auto n = neighbours.begin();
  for (const Relaxed& r : relaxed) {
    while (n->item != r.other) ++n;
    if (r.free) {
      n = neighbours.erase(n);
    } else {
      n->above = r.above;
    }
  }
}

Instance make_instance(const Model& model, std::int64_t capacity) {
  Instance in{model, capacity, padding(model), false, {}, {}, {}, {}, sharings(model), {}};
  const int count = static_cast<int>(model.items.size());
  in.neighbours.resize(count);
  in.supporters.resize(count);
  in.members.resize(model.sections);
  in.sharing_of.resize(count);
  for (int i = 0; i < count; ++i) {
    for_each_conflict(model, i, [&](int j) { in.neighbours[i].push_back({j, model.items[i].size}); });
    relax_neighbours(model.relaxed[i], in.neighbours[i]);
    for (const Neighbour& n : in.neighbours[i]) in.sliding = in.sliding || n.above < 0;
    for (const Neighbour& n : in.neighbours[i]) in.supporters[n.item].push_back({i, n.above});
    for (int s = model.items[i].first; s < model.items[i].last; ++s) in.members[s].push_back(i);
  }
  for (int k = 0; k < static_cast<int>(in.sharing.size()); ++k) {
    in.sharing_of[in.sharing[k].item].push_back(k);
    for (const auto& [other, bytes] : in.sharing[k].others) in.sharing_of[other].push_back(k);
  }
  in.twin.assign(count, -1);
  for (int i = 0; i < count; ++i) {
    const Item& a = model.items[i];
    for (int j = i - 1; j >= 0 && model.items[j].first == a.first; --j) {
      const Item& b = model.items[j];
      const bool same = a.last == b.last && a.size == b.size && a.alignment == b.alignment;
      if (!same || !model.relaxed[i].empty() || !model.relaxed[j].empty()) continue;
      in.twin[i] = j;
      break;
    }
  }
  return in;
}

// Bytes that the unplaced items of `sharing` may share in section s.
std::int64_t shared_now(const Instance& in, const State& st, const Sharing& sharing, int s) {
  if (st.offsets[sharing.item] >= 0 || in.model.items[sharing.item].last <= s) return 0;
  std::int64_t shared = 0;
  for (const auto& [other, bytes] : sharing.others) {
    shared += st.offsets[other] < 0 && in.model.items[other].last > s ? bytes : 0;
  }
  return std::min(shared, sharing.most);
}

// Adds sign * (what the sharings of item i take off) to the totals of the sections concerned.
void add_sharings(const Instance& in, State& st, int i, std::int64_t sign) {
  for (int k : in.sharing_of[i]) {
    const Item& later = in.model.items[in.sharing[k].item];
    for (int s = later.first; s < later.last; ++s) {
      const std::int64_t shared = shared_now(in, st, in.sharing[k], s);
      if (shared == 0) break;  // the earlier items only die
      st.totals[s] += sign * shared;
    }
  }
}

State make_state(const Instance& in, std::vector<int> rank, std::int64_t node_limit) {
  const std::size_t count = in.model.items.size();
  State st;
  st.offsets.assign(count, -1);
  st.lowest.assign(count, 0);
  st.reach.assign(count, 0);
  st.floors.assign(in.model.sections, 0);
  st.totals = section_bounds(in.model);
  st.crossing.assign(in.model.sections, 0);
  for (const Item& item : in.model.items) {
    for (int s = item.first; s + 1 < item.last; ++s) ++st.crossing[s];
  }
  st.rank = std::move(rank);
  st.solution.assign(count, -1);
  st.touched.assign(in.model.sections, 0);
  st.nodes_left = node_limit;
  return st;
}

void note_bound(State& st, std::int64_t bound) { st.next_bound = std::min(st.next_bound, bound); }

// Raises `lowest` of the unplaced neighbours of item i, just placed. False if one of them no longer fits.
bool raise_neighbours(const Instance& in, State& st, int i, Undo& undo) {
  for (const Neighbour& n : in.neighbours[i]) {
    if (st.offsets[n.item] >= 0) continue;
    const Item& item = in.model.items[n.item];
    std::int64_t& lowest = st.lowest[n.item];
    if (lowest >= st.offsets[i] + n.above) continue;
    undo.lowest.emplace_back(n.item, lowest);
    lowest = round_up(st.offsets[i] + n.above, item.alignment);
    if (lowest + item.size > in.capacity) {
      note_bound(st, lowest + item.size);
      return false;
    }
  }
  return true;
}

void refresh_floor(const Instance& in, State& st, int s, Undo& undo) {
  if (st.touched[s] == st.stamp) return;
  st.touched[s] = st.stamp;
  std::int64_t floor = none;
  for (int i : in.members[s]) {
    if (st.offsets[i] >= 0) continue;
    if (st.lowest[i] == st.floors[s]) return;  // a floor only rises
    floor = std::min(floor, st.lowest[i]);
  }
  undo.floors.emplace_back(s, st.floors[s]);
  st.floors[s] = floor;
}

// Brings the floors up to date after item `placed` left the unplaced ones and those in undo.lowest were
// raised. Only an item that was at the floor can have held it down.
void refresh_floors(const Instance& in, State& st, int placed, Undo& undo) {
  ++st.stamp;
  const auto refresh = [&](int i, std::int64_t before) {
    for (int s = in.model.items[i].first; s < in.model.items[i].last; ++s) {
      if (st.floors[s] >= before) refresh_floor(in, st, s, undo);
    }
  };
  refresh(placed, st.offsets[placed]);
  for (const auto& [item, before] : undo.lowest) refresh(item, before);
}

// Section inference: false if some section of the part cannot hold what is still to be placed in it.
bool sections_hold(const Instance& in, State& st, const Part& part, std::int64_t level) {
  for (int s = part.first; s < part.last; ++s) {
    if (st.floors[s] == none) continue;
    const std::int64_t end = std::max(st.floors[s], level) + st.totals[s] - in.padding;
    if (end <= in.capacity) continue;
    note_bound(st, end);
    return false;
  }
  return true;
}

void count_item(const Instance& in, State& st, int i, int sign) {
  const Item& item = in.model.items[i];
  for (int s = item.first; s < item.last; ++s) st.totals[s] += sign * item.rounded;
  for (int s = item.first; s + 1 < item.last; ++s) st.crossing[s] += sign;
}

bool place(const Instance& in, State& st, const Part& part, int i, Undo& undo) {
  add_sharings(in, st, i, +1);
  st.offsets[i] = st.lowest[i];
  add_sharings(in, st, i, -1);
  count_item(in, st, i, -1);
  if (!raise_neighbours(in, st, i, undo)) return false;
  refresh_floors(in, st, i, undo);
  return sections_hold(in, st, part, in.sliding ? 0 : st.offsets[i]);
}

void unplace(const Instance& in, State& st, int i, const Undo& undo) {
  for (auto it = undo.floors.rbegin(); it != undo.floors.rend(); ++it) st.floors[it->first] = it->second;
  for (auto it = undo.lowest.rbegin(); it != undo.lowest.rend(); ++it) st.lowest[it->first] = it->second;
  count_item(in, st, i, +1);
  add_sharings(in, st, i, +1);
  st.offsets[i] = -1;
  add_sharings(in, st, i, -1);
}

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
