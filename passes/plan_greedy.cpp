// Greedy placement in many orders; see plan_greedy.h.
#include "passes/plan_greedy.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <queue>

namespace tinytc::planning {
namespace {

constexpr int repair_rounds = 40;

// Offsets strictly between `low` and `high` are taken.
struct Taken {
  std::int64_t low, high;
};

// Calls visit(j, distance(i, j), distance(j, i)) for every item that constrains item i.
template <typename Visit>
void for_each_distance(const Model& model, int i, Visit visit) {
  const std::vector<Relaxed>& relaxed = model.relaxed[i];
  auto r = relaxed.begin();
  for_each_conflict(model, i, [&](int j) {
    while (r != relaxed.end() && r->other < j) ++r;
    if (r == relaxed.end() || r->other != j) {
      visit(j, model.items[i].size, model.items[j].size);
    } else if (!r->free) {
      visit(j, r->above, r->below);
    }
  });
}

// The most bytes live in any section of each item.
std::vector<std::int64_t> crowdedness(const Model& model) {
  const std::vector<std::int64_t> bounds = section_bounds(model);
  std::vector<std::int64_t> crowd(model.items.size(), 0);
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    const auto begin = bounds.begin();
    crowd[i] = *std::max_element(begin + model.items[i].first, begin + model.items[i].last);
  }
  return crowd;
}

// Orders worth trying, as keys of which the largest come first.
std::vector<std::vector<int>> orders(const Model& model) {
  using Key = std::array<std::int64_t, 3>;
  const std::vector<std::int64_t> crowd = crowdedness(model);
  const auto area = [&](const Item& it) { return it.size * it.length; };
  const std::vector<std::function<Key(int)>> keys = {
      [&](int i) { return Key{crowd[i], model.items[i].length, model.items[i].size}; },
      [&](int i) { return Key{model.items[i].size, model.items[i].length, 0}; },
      [&](int i) { return Key{model.items[i].length, model.items[i].size, 0}; },
      [&](int i) { return Key{-model.items[i].first, model.items[i].length, model.items[i].size}; },
      [&](int i) { return Key{area(model.items[i]), 0, 0}; },
      [&](int i) { return Key{crowd[i], model.items[i].size, 0}; },
      [&](int i) { return Key{model.items[i].last, model.items[i].length, model.items[i].size}; },
  };
  std::vector<std::vector<int>> all;
  for (const auto& key : keys) {
    std::vector<Key> values(model.items.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = key(static_cast<int>(i));
    std::vector<int> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return values[a] > values[b]; });
    all.push_back(std::move(order));
  }
  return all;
}

// Items that end above `target` go to the front, everything else keeps its order.
void blame(const Model& model, const Placement& placement, std::int64_t target, std::vector<int>& order) {
  std::stable_partition(order.begin(), order.end(),
                        [&](int i) { return placement.offsets[i] + model.items[i].size > target; });
}

}  // namespace

std::int64_t peak_of(const Model& model, const std::vector<std::int64_t>& offsets) {
  std::int64_t peak = 0;
  for (std::size_t i = 0; i < offsets.size(); ++i) peak = std::max(peak, offsets[i] + model.items[i].size);
  return peak;
}

std::int64_t first_fit(const Model& model, const std::vector<std::int64_t>& offsets, int i) {
  const Item& item = model.items[i];
  std::vector<Taken> taken;
  for_each_distance(model, i, [&](int j, std::int64_t above, std::int64_t below) {
    if (offsets[j] >= 0) taken.push_back({offsets[j] - above, offsets[j] + below});
  });
  std::sort(taken.begin(), taken.end(), [](const Taken& a, const Taken& b) { return a.low < b.low; });
  std::int64_t offset = 0;
  for (const Taken& t : taken) {
    if (offset <= t.low) break;  // the rest starts higher still
    if (offset < t.high) offset = round_up(t.high, item.alignment);
  }
  return offset;
}

Placement place_in_order(const Model& model, const std::vector<int>& order) {
  Placement placement;
  placement.offsets.assign(model.items.size(), -1);
  for (int i : order) placement.offsets[i] = first_fit(model, placement.offsets, i);
  placement.peak = peak_of(model, placement.offsets);
  return placement;
}

Placement place_lowest_first(const Model& model, const std::vector<int>& order) {
  const int count = static_cast<int>(model.items.size());
  Placement placement;
  placement.offsets.assign(count, -1);
  std::vector<std::int64_t> lowest(count, 0);
  using Entry = std::pair<std::int64_t,
                          int>;  // (lowest, position in the order); raised items are found out when popped
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  for (int k = 0; k < count; ++k) queue.emplace(0, k);
  while (!queue.empty()) {
    const auto [known, k] = queue.top();
    const int i = order[k];
    queue.pop();
    if (known < lowest[i]) {
      queue.emplace(lowest[i], k);
      continue;
    }
    placement.offsets[i] = lowest[i];
    for_each_distance(model, i, [&](int j, std::int64_t above, std::int64_t) {
      if (placement.offsets[j] < 0 && lowest[i] + above > lowest[j]) {
        lowest[j] = round_up(lowest[i] + above, model.items[j].alignment);
      }
    });
  }
  placement.peak = peak_of(model, placement.offsets);
  return placement;
}

Placement greedy_placement(const Model& model, std::int64_t target) {
  const std::int64_t pairs = static_cast<std::int64_t>(model.live.size() + model.items.size());
  std::int64_t visited = 0;
  Placement best;
  std::vector<int> best_order;
  const auto attempt = [&](auto place, const std::vector<int>& order) {
    if (!best_order.empty() && (best.peak <= target || visited > order_pair_budget)) return best;
    Placement placement = place(model, order);
    visited += 2 * pairs;
    if (best_order.empty() || placement.peak < best.peak) {
      best = placement;
      best_order = order;
    }
    return placement;
  };
  for (const std::vector<int>& order : orders(model)) {
    attempt(place_lowest_first, order);
    attempt(place_in_order, order);
  }
  std::vector<int> order = best_order;
  Placement current = best;
  for (int round = 0; round < repair_rounds && best.peak > target && visited <= repair_pair_budget; ++round) {
    blame(model, current, std::max(target, best.peak - 1), order);
    current = attempt(place_in_order, order);
  }
  return best;
}

}  // namespace tinytc::planning
