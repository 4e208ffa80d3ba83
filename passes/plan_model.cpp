// Builds the solvers' form of an offset problem; see plan_model.h.
#include "passes/plan_model.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace tinytc::planning {
namespace {

void check_problem(const OffsetProblem& problem) {
  for (const PlanItem& item : problem.items) {
    if (item.size < 0 || item.upper < item.lower || item.alignment < 1) {
      throw std::invalid_argument(
          "plan_offsets: an item has a negative size or lifetime or an alignment below 1");
    }
  }
  const int count = static_cast<int>(problem.items.size());
  for (const PlanRelaxation& r : problem.relaxations) {
    if (r.output < 0 || r.output >= count || r.input < 0 || r.input >= count || r.output == r.input) {
      throw std::invalid_argument("plan_offsets: a relaxation does not name two items");
    }
  }
}

// Sets [first, last) of every item from its lifetime (times[i] = {lower, upper}); returns the number of
// sections. A section closes at the first end after a start: only then is the set of live items maximal.
int assign_sections(std::vector<Item>& items,
                    const std::vector<std::pair<std::int64_t, std::int64_t>>& times) {
  std::vector<int> by_lower(items.size()), by_upper(items.size());
  std::iota(by_lower.begin(), by_lower.end(), 0);
  std::iota(by_upper.begin(), by_upper.end(), 0);
  std::stable_sort(by_lower.begin(), by_lower.end(),
                   [&](int a, int b) { return times[a].first < times[b].first; });
  std::stable_sort(by_upper.begin(), by_upper.end(),
                   [&](int a, int b) { return times[a].second < times[b].second; });
  int section = 0;
  bool started = false;
  std::size_t next_start = 0;
  for (int ending : by_upper) {
    for (; next_start < by_lower.size() && times[by_lower[next_start]].first < times[ending].second;
         ++next_start) {
      items[by_lower[next_start]].first = section;
      started = true;
    }
    if (started) ++section;
    started = false;
    items[ending].last = section;
  }
  return section;
}

// Fills starts, live_begin and live; items are already in order.
void index_items(Model& model) {
  const int count = static_cast<int>(model.items.size());
  model.starts.assign(model.sections + 1, count);
  for (int i = count - 1; i >= 0; --i) model.starts[model.items[i].first] = i;
  for (int s = model.sections - 1; s >= 0; --s)
    model.starts[s] = std::min(model.starts[s], model.starts[s + 1]);
  model.live_begin.assign(1, 0);
  model.live.clear();
  std::vector<int> active;
  for (int i = 0; i < count; ++i) {
    std::erase_if(active, [&](int a) { return model.items[a].last <= model.items[i].first; });
    model.live.insert(model.live.end(), active.begin(), active.end());
    model.live_begin.push_back(static_cast<int>(model.live.size()));
    active.push_back(i);
  }
}

bool conflict(const Item& a, const Item& b) { return a.first < b.last && b.first < a.last; }

// One direction of a relaxed pair: `above` of the record that `output` holds about `input`.
Relaxed& relaxed_record(Model& model, int owner, int other) {
  std::vector<Relaxed>& list = model.relaxed[owner];
  const auto at =
      std::lower_bound(list.begin(), list.end(), other, [](const Relaxed& r, int o) { return r.other < o; });
  if (at != list.end() && at->other == other) return *at;
  return *list.insert(at, Relaxed{other, model.items[owner].size, model.items[other].size, 0, false});
}

struct Lead {
  int output, input;
  std::int64_t bytes;
  auto operator<=>(const Lead&) const = default;
};

// Most bytes that a and b can share, given the distances: with b above a by `above`, a's tail beyond that is
// shared.
std::int64_t most_overlap(const Model& model, int a, int b, std::int64_t above, std::int64_t below) {
  const std::int64_t size_a = model.items[a].rounded;
  const std::int64_t size_b = model.items[b].rounded;
  const std::int64_t shared =
      std::max(size_a - round_up(above, model.granularity), size_b - round_up(below, model.granularity));
  return std::clamp<std::int64_t>(shared, 0, std::min(size_a, size_b));
}

void add_relaxations(Model& model, std::vector<Lead> leads) {
  std::sort(leads.begin(), leads.end());
  model.relaxed.resize(model.items.size());
  for (std::size_t k = 0; k < leads.size(); ++k) {
    const auto& [output, input, bytes] = leads[k];
    const bool repeated =
        k + 1 < leads.size() && leads[k + 1].output == output && leads[k + 1].input == input;
    if (repeated || bytes >= model.items[output].size || !conflict(model.items[output], model.items[input]))
      continue;
    relaxed_record(model, output, input).above = bytes;
    relaxed_record(model, input, output).below = bytes;
  }
  for (int i = 0; i < static_cast<int>(model.items.size()); ++i) {
    bool slides = false, starts_inside = false;
    for (Relaxed& r : model.relaxed[i]) {
      r.overlap = most_overlap(model, i, r.other, r.above, r.below);
      r.free = round_up(1 - r.below, model.granularity) >=
               r.above;  // no multiple strictly between -below and above
      slides = slides || (!r.free && r.below < 0);
      starts_inside = starts_inside || (!r.free && r.above < model.items[i].size);
    }
    model.cyclic = model.cyclic || (slides && starts_inside);
  }
}

}  // namespace

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  const std::int64_t rest = ((value % multiple) + multiple) % multiple;
  return rest == 0 ? value : value + multiple - rest;
}

Model build_model(const OffsetProblem& problem) {
  check_problem(problem);
  std::vector<Item> items;
  std::vector<std::pair<std::int64_t, std::int64_t>> times;
  Model model;
  model.granularity = 0;
  for (int i = 0; i < static_cast<int>(problem.items.size()); ++i) {
    const PlanItem& item = problem.items[i];
    if (item.size == 0 || item.lower == item.upper) continue;
    items.push_back({item.size, item.alignment, 0, item.upper - item.lower, 0, 0, i});
    times.emplace_back(item.lower, item.upper);
    model.granularity = std::gcd(model.granularity, item.alignment);
  }
  model.granularity = std::max<std::int64_t>(model.granularity, 1);
  model.sections = assign_sections(items, times);
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.first < b.first; });
  std::vector<int> number(problem.items.size(), -1);
  for (int i = 0; i < static_cast<int>(items.size()); ++i) {
    number[items[i].original] = i;
    items[i].rounded = round_up(items[i].size, model.granularity);
  }
  model.items = std::move(items);
  index_items(model);
  std::vector<Lead> leads;
  for (const PlanRelaxation& r : problem.relaxations) {
    if (number[r.output] >= 0 && number[r.input] >= 0)
      leads.push_back({number[r.output], number[r.input], r.lead});
  }
  add_relaxations(model, std::move(leads));
  return model;
}

Model sub_model(const Model& model, const std::vector<int>& items) {
  Model sub;
  sub.granularity = model.granularity;
  sub.cyclic = model.cyclic;
  std::vector<std::pair<std::int64_t, std::int64_t>> times;
  for (int i : items) {
    Item item = model.items[i];
    times.emplace_back(item.first, item.last);
    item.original = i;
    sub.items.push_back(item);
  }
  sub.sections = assign_sections(sub.items, times);  // keeps the order: `first` only grows
  index_items(sub);
  sub.relaxed.resize(items.size());
  for (std::size_t k = 0; k < items.size(); ++k) {
    for (Relaxed r : model.relaxed[items[k]]) {
      const auto at = std::lower_bound(items.begin(), items.end(), r.other);
      if (at == items.end() || *at != r.other) continue;
      r.other = static_cast<int>(at - items.begin());
      sub.relaxed[k].push_back(r);
    }
  }
  return sub;
}

std::vector<Sharing> sharings(const Model& model) {
  std::vector<Sharing> all;
  for (int i = 0; i < static_cast<int>(model.items.size()); ++i) {
    Sharing sharing{i, 0, {}};
    std::int64_t untouched = model.items[i].rounded;  // bytes at its start that no earlier item can reach
    for (const Relaxed& r : model.relaxed[i]) {
      if (r.other > i || r.overlap == 0) continue;
      sharing.others.emplace_back(r.other, r.overlap);
      const bool only_above = r.below >= model.items[r.other].size;
      untouched = std::min(untouched, only_above ? std::max<std::int64_t>(r.above, 0) : 0);
    }
    if (sharing.others.empty()) continue;
    sharing.most = model.items[i].rounded - untouched / model.granularity * model.granularity;
    all.push_back(std::move(sharing));
  }
  return all;
}

std::vector<std::int64_t> section_bounds(const Model& model) {
  std::vector<std::int64_t> change(model.sections + 1, 0);
  for (const Item& item : model.items) {
    change[item.first] += item.rounded;
    change[item.last] -= item.rounded;
  }
  std::vector<std::int64_t> bounds(model.sections);
  std::partial_sum(change.begin(), change.end() - 1, bounds.begin());
  for (const Sharing& sharing : sharings(model)) {
    const Item& item = model.items[sharing.item];
    for (int s = item.first; s < item.last; ++s) {
      std::int64_t shared = 0;
      for (const auto& [other, bytes] : sharing.others) shared += model.items[other].last > s ? bytes : 0;
      if (shared == 0) break;  // the earlier items only die
      bounds[s] -= std::min(sharing.most, shared);
    }
  }
  return bounds;
}

std::int64_t padding(const Model& model) {
  std::int64_t most = 0;
  for (const Item& item : model.items) most = std::max(most, item.rounded - item.size);
  return most;
}

std::int64_t lower_bound(const Model& model) {
  const std::int64_t unpadded = padding(model);
  std::int64_t best = 0;
  for (std::int64_t bytes : section_bounds(model)) best = std::max(best, bytes - unpadded);
  for (const Item& item : model.items) best = std::max(best, item.size);
  return best;
}

}  // namespace tinytc::planning
