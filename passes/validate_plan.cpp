// The independent check of offset plans; see validate_plan.h. A sweep over time keeps the set of live items
// and compares every item with it when the item is born.
#include "passes/validate_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace tinytc {
namespace {

using Leads = std::map<std::pair<int, int>, std::int64_t>;  // (output, input) -> bytes that must lie between

struct Checker {
  const OffsetProblem& problem;
  const std::vector<std::int64_t>& offsets;
  Leads leads;
  std::size_t limit;
  std::vector<std::string> messages;
};

void report(Checker& checker, std::string message) {
  if (checker.messages.size() < checker.limit) checker.messages.push_back(std::move(message));
}

std::string describe(const Checker& checker, int i) {
  const PlanItem& item = checker.problem.items[i];
  const std::int64_t offset = checker.offsets[i];
  return fmt::format("item {} (bytes {}..{}, steps {}..{})", i, offset, offset + item.size, item.lower,
                     item.upper);
}

Leads collect_leads(const OffsetProblem& problem) {
  Leads leads;
  for (const PlanRelaxation& r : problem.relaxations) {
    const auto [at, inserted] = leads.try_emplace({r.output, r.input}, r.lead);
    if (!inserted) at->second = std::max(at->second, r.lead);
  }
  return leads;
}

bool lead_kept(const Checker& checker, int output, int input) {
  const auto at = checker.leads.find({output, input});
  return at != checker.leads.end() && checker.offsets[input] - checker.offsets[output] >= at->second;
}

void check_pair(Checker& checker, int a, int b) {
  const bool a_below = checker.offsets[a] + checker.problem.items[a].size <= checker.offsets[b];
  const bool b_below = checker.offsets[b] + checker.problem.items[b].size <= checker.offsets[a];
  if (a_below || b_below || lead_kept(checker, a, b) || lead_kept(checker, b, a)) return;
  report(checker, fmt::format("{} and {} overlap", describe(checker, a), describe(checker, b)));
}

void check_pairs(Checker& checker) {
  std::vector<int> order;
  const std::vector<PlanItem>& items = checker.problem.items;
  for (int i = 0; i < static_cast<int>(items.size()); ++i) {
    if (items[i].size > 0 && items[i].lower < items[i].upper) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return items[a].lower < items[b].lower; });
  std::vector<int> live;
  for (int i : order) {
    std::vector<int> still_live;
    for (int other : live) {
      if (items[other].upper <= items[i].lower) continue;
      check_pair(checker, other, i);
      still_live.push_back(other);
    }
    still_live.push_back(i);
    live = std::move(still_live);
  }
}

void check_item(Checker& checker, int i, std::int64_t peak) {
  const PlanItem& item = checker.problem.items[i];
  const std::int64_t offset = checker.offsets[i];
  if (offset < 0) report(checker, fmt::format("{} has a negative offset", describe(checker, i)));
  if (offset % item.alignment != 0) {
    report(checker, fmt::format("{} is not aligned to {}", describe(checker, i), item.alignment));
  }
  if (offset + item.size > peak) {
    report(checker, fmt::format("{} ends above the peak of {} bytes", describe(checker, i), peak));
  }
}

}  // namespace

std::vector<std::string> validate_plan(const OffsetProblem& problem, const std::vector<std::int64_t>& offsets,
                                       std::int64_t peak, std::size_t limit) {
  Checker checker{problem, offsets, collect_leads(problem), limit, {}};
  if (offsets.size() != problem.items.size()) {
    return {fmt::format("the plan has {} offsets for {} items", offsets.size(), problem.items.size())};
  }
  std::int64_t reached = 0;
  for (int i = 0; i < static_cast<int>(offsets.size()); ++i) {
    check_item(checker, i, peak);
    reached = std::max(reached, offsets[i] + problem.items[i].size);
  }
  if (reached < peak)
    report(checker, fmt::format("the peak is {} bytes, but the plan only reaches {}", peak, reached));
  if (problem.capacity && peak > *problem.capacity) {
    report(checker, fmt::format("the peak of {} bytes exceeds the capacity of {}", peak, *problem.capacity));
  }
  check_pairs(checker);
  return checker.messages;
}

}  // namespace tinytc
