// Plans offsets: cut the problem into independent stretches of time, place each greedily, and where that
// misses the lower bound, search exactly. Read plan_offsets() at the end first; see plan_offsets.h for the
// contract.
#include "passes/plan_offsets.h"

#include <algorithm>
#include <numeric>

#include "passes/plan_greedy.h"
#include "passes/plan_model.h"
#include "passes/plan_search.h"

namespace tinytc {
namespace {

using planning::Model;
using planning::Verdict;

// Exact search is left out where the conflicting pairs alone would take this many records: it would not end
// there anyway.
constexpr std::size_t most_searched_pairs = 4'000'000;
// The effort is counted in nodes of a problem of up to this many items; nodes of a larger one count for more.
constexpr std::int64_t items_of_a_full_node = 500;

// One independent stretch: its best placement and what is proven about it.
struct Component {
  Model model;
  planning::Placement placement;
  std::int64_t bound = 0;  // bytes, proven
};

// Items between two points in time that no item crosses are independent of all others.
std::vector<std::vector<int>> independent_groups(const Model& model) {
  std::vector<std::vector<int>> groups;
  int end = 0;  // the last section touched by the current group
  for (int i = 0; i < static_cast<int>(model.items.size()); ++i) {
    if (groups.empty() || model.items[i].first >= end) groups.emplace_back();
    groups.back().push_back(i);
    end = std::max(end, model.items[i].last);
  }
  return groups;
}

// Splits the items into those that matter at this capacity and those that fit whatever the others do: every
// conflicting item blocks less than its own size plus the item's in starting positions, so if these sum to
// less than what there is, a position stays free. Taking one away may free the next (Chaitin's
// simplification, as in register allocation by colouring). `easy` is in the order of removal; it is to be
// placed in reverse.
struct Simplified {
  std::vector<int> hard, easy;
};

Simplified simplify(const Model& model, std::int64_t capacity) {
  const int count = static_cast<int>(model.items.size());
  std::int64_t coarsest = 1;
  for (const planning::Item& item : model.items) coarsest = std::max(coarsest, item.alignment);
  std::vector<std::int64_t> blocked(count, 0);
  const auto blocks = [&](int i, int j) { return model.items[i].size + model.items[j].size + 2 * coarsest; };
  for (int i = 0; i < count; ++i) {
    planning::for_each_conflict(model, i, [&](int j) { blocked[i] += blocks(i, j); });
  }
  const auto is_easy = [&](int i) { return blocked[i] + model.items[i].size + 2 * coarsest <= capacity; };
  std::vector<char> removed(count, 0);
  Simplified result;
  for (int i = 0; i < count; ++i) {
    if (is_easy(i)) result.easy.push_back(i), removed[i] = 1;
  }
  for (std::size_t k = 0; k < result.easy.size(); ++k) {
    const int gone = result.easy[k];
    planning::for_each_conflict(model, gone, [&](int j) {
      blocked[j] -= blocks(j, gone);
      if (!removed[j] && is_easy(j)) result.easy.push_back(j), removed[j] = 1;
    });
  }
  for (int i = 0; i < count; ++i) {
    if (!removed[i]) result.hard.push_back(i);
  }
  return result;
}

// Exact answer for one capacity. `effort` is what is left and is paid from; result.offsets are those of
// `model`.
planning::SearchResult decide(const Model& model, std::int64_t capacity, std::int64_t limit,
                              std::int64_t& nodes) {
  const Simplified simplified = simplify(model, capacity);
  planning::SearchResult all{Verdict::fits, std::vector<std::int64_t>(model.items.size(), -1), 0, 0};
  const Model hard = planning::sub_model(model, simplified.hard);
  for (const std::vector<int>& group : independent_groups(hard)) {
    const Model part = planning::sub_model(hard, group);
    if (part.live.size() > most_searched_pairs) return {};
    const std::int64_t ratio = static_cast<std::int64_t>(part.items.size()) / items_of_a_full_node;
    const std::int64_t weight = 1 + ratio * ratio;
    const planning::SearchResult result =
        planning::search_placement(part, capacity, std::max<std::int64_t>(limit - all.nodes, 0) / weight);
    all.nodes += result.nodes * weight;
    nodes += result.nodes * weight;
    if (result.verdict != Verdict::fits) return {result.verdict, {}, result.next_bound, all.nodes};
    for (std::size_t k = 0; k < group.size(); ++k) all.offsets[simplified.hard[group[k]]] = result.offsets[k];
  }
  for (auto i = simplified.easy.rbegin(); i != simplified.easy.rend(); ++i) {
    all.offsets[*i] = planning::first_fit(model, all.offsets, *i);
  }
  return all;
}

// Asks whether `capacity` is enough and takes the answer into the component.
Verdict improve(Component& component, std::int64_t capacity, std::int64_t limit, std::int64_t& nodes) {
  planning::SearchResult result = decide(component.model, capacity, limit, nodes);
  if (result.verdict == Verdict::fits) {
    component.placement = {result.offsets, planning::peak_of(component.model, result.offsets)};
  } else if (component.model.cyclic) {
    return Verdict::unknown;
  } else if (result.verdict == Verdict::impossible) {
    component.bound = std::max(component.bound, std::min(result.next_bound, component.placement.peak));
  }
  return result.verdict;
}

// Spends up to `limit` nodes to bring the component's peak down to `target` or to its bound. First asks for
// the bound itself, where the search prunes most; then halves the distance between what is known possible and
// what could not be decided.
void search_component(Component& component, std::int64_t target, std::int64_t limit, std::int64_t& nodes) {
  const std::int64_t end = nodes + limit;
  const auto goal = [&] { return std::max(target, component.bound); };
  const auto open = [&] { return component.placement.peak > goal() && nodes < end; };
  Verdict verdict = Verdict::impossible;
  while (open() && verdict == Verdict::impossible) {
    verdict = improve(component, goal(), (end - nodes) * 3 / 4 + 1, nodes);
  }
  std::int64_t undecided = goal();  // no answer was found for this capacity within its share
  while (open() && component.placement.peak - undecided > 1) {
    undecided = std::max(undecided, goal());
    const std::int64_t middle = undecided + (component.placement.peak - undecided) / 2;
    if (middle >= component.placement.peak) break;
    if (improve(component, middle, (end - nodes + 3) / 4, nodes) != Verdict::fits) undecided = middle;
  }
  while (open() && improve(component, component.placement.peak - 1, end - nodes, nodes) != Verdict::unknown) {
  }
}

// Greedy placements of the independent stretches of `hard`, the most demanding first.
std::vector<Component> place_components(const Model& hard, std::int64_t target) {
  std::vector<Component> components;
  for (const std::vector<int>& group : independent_groups(hard)) {
    Component component{planning::sub_model(hard, group), {}, 0};
    component.bound = planning::lower_bound(component.model);
    component.placement = planning::greedy_placement(component.model, target);
    components.push_back(std::move(component));
  }
  std::stable_sort(components.begin(), components.end(),
                   [](const Component& a, const Component& b) { return a.bound > b.bound; });
  return components;
}

// Offsets of all items of `model` from those of the hard ones.
std::vector<std::int64_t> place_all(const Model& model, const Simplified& simplified,
                                    const std::vector<Component>& components) {
  std::vector<std::int64_t> offsets(model.items.size(), -1);
  for (const Component& component : components) {
    for (std::size_t k = 0; k < component.model.items.size(); ++k) {
      offsets[simplified.hard[component.model.items[k].original]] = component.placement.offsets[k];
    }
  }
  for (auto i = simplified.easy.rbegin(); i != simplified.easy.rend(); ++i) {
    offsets[*i] = planning::first_fit(model, offsets, *i);
  }
  return offsets;
}

}  // namespace

OffsetPlan plan_offsets(const OffsetProblem& problem, std::int64_t effort) {
  const Model model = planning::build_model(problem);
  OffsetPlan plan;
  plan.lower_bound = planning::lower_bound(model);
  std::int64_t target = std::max(problem.capacity.value_or(0), plan.lower_bound);
  const Simplified simplified = simplify(model, target);
  std::vector<Component> components = place_components(planning::sub_model(model, simplified.hard), target);
  for (Component& component : components) {
    search_component(component, target, effort - plan.nodes, plan.nodes);
    target = std::max(target, component.placement.peak);  // nothing gains by being below that
    plan.lower_bound = std::max(plan.lower_bound, component.bound);
  }
  const std::vector<std::int64_t> offsets = place_all(model, simplified, components);
  plan.offsets.assign(problem.items.size(), 0);
  for (std::size_t i = 0; i < offsets.size(); ++i) plan.offsets[model.items[i].original] = offsets[i];
  for (std::size_t i = 0; i < plan.offsets.size(); ++i) {
    plan.peak = std::max(plan.peak, plan.offsets[i] + problem.items[i].size);
    plan.lower_bound = std::max(plan.lower_bound, problem.items[i].size);
  }
  plan.optimal = plan.peak == plan.lower_bound;
  return plan;
}

}  // namespace tinytc
