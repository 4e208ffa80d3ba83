// See plan_search_state.h. Placing an item raises its neighbours' lowest offsets, which raises the floors of
// their sections; unplacing takes both back.
#include "passes/plan_search_state.h"

#include <algorithm>

namespace tinytc::planning {
namespace {

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

}  // namespace

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

}  // namespace tinytc::planning
