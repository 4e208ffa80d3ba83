// The offset planner against brute force on small random problems, on problems with known answers, and for
// determinism.
#include "passes/plan_offsets.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "passes/validate_plan.h"

using tinytc::OffsetPlan;
using tinytc::OffsetProblem;
using tinytc::plan_offsets;
using tinytc::PlanItem;
using tinytc::PlanRelaxation;
using tinytc::validate_plan;

namespace {

bool allowed(const OffsetProblem& problem, const std::vector<std::int64_t>& offsets, int a, int b) {
  const PlanItem& x = problem.items[a];
  const PlanItem& y = problem.items[b];
  if (x.size == 0 || y.size == 0 || x.lower >= y.upper || y.lower >= x.upper) return true;
  if (offsets[a] + x.size <= offsets[b] || offsets[b] + y.size <= offsets[a]) return true;
  for (const PlanRelaxation& r : problem.relaxations) {
    const bool same = (r.output == a && r.input == b) || (r.output == b && r.input == a);
    if (same && offsets[r.input] - offsets[r.output] >= r.lead) return true;
  }
  return false;
}

// Tries every aligned offset of item `offsets.size()` and of all that follow.
bool brute_fits(const OffsetProblem& problem, std::int64_t capacity, std::vector<std::int64_t>& offsets) {
  const int i = static_cast<int>(offsets.size());
  if (i == static_cast<int>(problem.items.size())) return true;
  const PlanItem& item = problem.items[i];
  for (std::int64_t offset = 0; offset + item.size <= capacity; offset += item.alignment) {
    offsets.push_back(offset);
    bool good = true;
    for (int j = 0; j < i && good; ++j) good = allowed(problem, offsets, i, j);
    if (good && brute_fits(problem, capacity, offsets)) return true;
    offsets.pop_back();
  }
  return false;
}

std::int64_t brute_peak(const OffsetProblem& problem) {
  for (std::int64_t capacity = 0;; ++capacity) {
    std::vector<std::int64_t> offsets;
    if (brute_fits(problem, capacity, offsets)) return capacity;
  }
}

struct Shape {
  int items, steps, size, relaxations;
  bool aligned;
};

OffsetProblem random_problem(std::mt19937& random, const Shape& shape) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  OffsetProblem problem;
  for (int i = 0; i < shape.items; ++i) {
    const int lower = below(shape.steps);
    const int alignment = shape.aligned ? 1 << below(3) : 1;
    problem.items.push_back(
        {below(shape.size) + 1, alignment, lower, lower + 1 + below(shape.steps - lower)});
  }
  for (int k = 0; k < shape.relaxations; ++k) {
    const int output = below(shape.items);
    const int input = (output + 1 + below(shape.items - 1)) % shape.items;
    // Once a pair: several relaxations of a pair mean their strictest, which brute force above does not know.
    const bool repeated = std::any_of(problem.relaxations.begin(), problem.relaxations.end(),
                                      [&](const auto& r) { return r.output == output && r.input == input; });
    if (!repeated) problem.relaxations.push_back({output, input, below(2 * shape.size) - shape.size});
  }
  return problem;
}

void compare_with_brute_force(const Shape& shape, int problems, unsigned seed, int least_proven) {
  int proven = 0;
  std::mt19937 random(seed);
  for (int k = 0; k < problems; ++k) {
    const OffsetProblem problem = random_problem(random, shape);
    const OffsetPlan plan = plan_offsets(problem);
    INFO("problem " << k << " of seed " << seed);
    CHECK(validate_plan(problem, plan.offsets, plan.peak) == std::vector<std::string>{});
    const std::int64_t least = brute_peak(problem);
    CHECK(plan.lower_bound <= least);
    if (plan.optimal) CHECK(plan.peak == least);
    proven += plan.optimal ? 1 : 0;
  }
  CHECK(proven >= least_proven);
}

OffsetProblem chain(int length, std::int64_t size) {
  OffsetProblem problem;
  for (int i = 0; i < length; ++i) problem.items.push_back({size, 4, i, i + 2});
  return problem;
}

}  // namespace

TEST_CASE("offsets equal brute force: disjoint items") {
  compare_with_brute_force({6, 6, 6, 0, false}, 200, 1, 200);
}

TEST_CASE("offsets equal brute force: alignment") {
  compare_with_brute_force({6, 5, 6, 0, true}, 200, 2, 200);
}

TEST_CASE("offsets equal brute force: relaxations") {
  // Random relaxations, unlike a program's, often run in circles; then only the bound is exact (see
  // Model::cyclic).
  compare_with_brute_force({5, 5, 6, 4, false}, 400, 3, 380);
  ;
}

TEST_CASE("offsets equal brute force: many relaxations") {
  compare_with_brute_force({5, 3, 5, 12, false}, 400, 4, 300);
}

TEST_CASE("offsets equal brute force: relaxations and alignment") {
  compare_with_brute_force({5, 5, 6, 5, true}, 400, 5, 350);
}

TEST_CASE("no items need no memory") {
  const OffsetPlan plan = plan_offsets(OffsetProblem{});
  CHECK(plan.peak == 0);
  CHECK(plan.optimal);
}

TEST_CASE("an item without a lifetime or a size conflicts with nothing") {
  const OffsetPlan plan = plan_offsets(OffsetProblem{{{8, 4, 3, 3}, {0, 4, 0, 9}, {12, 4, 0, 9}}, {}, {}});
  CHECK(plan.offsets == std::vector<std::int64_t>{0, 0, 0});
  CHECK(plan.peak == 12);
}

TEST_CASE("in place: a chain of equal buffers takes one of them") {
  OffsetProblem problem = chain(50, 64);
  CHECK(plan_offsets(problem).peak == 128);
  for (int i = 1; i < 50; ++i) problem.relaxations.push_back({i, i - 1, 0});
  const OffsetPlan plan = plan_offsets(problem);
  CHECK(plan.peak == 64);
  CHECK(plan.optimal);
}

TEST_CASE("diagonal overlap: the output starts `lead` below the input") {
  const OffsetPlan plan = plan_offsets(OffsetProblem{{{100, 4, 0, 2}, {90, 4, 1, 3}}, {{1, 0, 16}}, {}});
  CHECK(plan.peak == 116);
  CHECK(plan.lower_bound == 116);
  CHECK(plan.offsets[0] - plan.offsets[1] == 16);
}

TEST_CASE("negative lead: the input may lie below the output, held there by others") {
  // The output (item 0) must start at 40, above item 2; its input (item 1) dies while item 3 sits on top of
  // it.
  OffsetProblem problem{{{40, 4, 1, 4}, {60, 4, 0, 2}, {40, 4, 2, 4}, {20, 4, 0, 2}}, {{0, 1, -20}}, {}};
  const OffsetPlan plan = plan_offsets(problem);
  CHECK(plan.peak == 80);
  CHECK(validate_plan(problem, plan.offsets, plan.peak).empty());
}

TEST_CASE("of several relaxations of a pair the strictest counts") {
  const OffsetPlan plan =
      plan_offsets(OffsetProblem{{{10, 1, 0, 2}, {10, 1, 1, 3}}, {{1, 0, 0}, {1, 0, 4}, {1, 0, 2}}, {}});
  CHECK(plan.peak == 14);
}

TEST_CASE("a capacity ends the search early") {
  std::mt19937 random(7);
  const OffsetProblem tight = random_problem(random, {14, 9, 90, 0, false});
  const std::int64_t least = plan_offsets(tight).peak;
  OffsetProblem problem = tight;
  problem.capacity = least + 40;
  const OffsetPlan plan = plan_offsets(problem);
  CHECK(plan.peak <= least + 40);
  CHECK(plan.lower_bound <= least);
}

TEST_CASE("no effort still gives a valid plan and a valid bound") {
  std::mt19937 random(8);
  for (int k = 0; k < 50; ++k) {
    const OffsetProblem problem = random_problem(random, {20, 12, 50, 6, true});
    const OffsetPlan plan = plan_offsets(problem, 0);
    CHECK(plan.nodes == 0);
    CHECK(validate_plan(problem, plan.offsets, plan.peak).empty());
    CHECK(plan.lower_bound <= plan_offsets(problem).peak);
  }
}

TEST_CASE("the same problem gets the same plan") {
  std::mt19937 random(9);
  for (int k = 0; k < 20; ++k) {
    const OffsetProblem problem = random_problem(random, {25, 15, 500, 8, false});
    const OffsetPlan first = plan_offsets(problem, 5'000);
    const OffsetPlan second = plan_offsets(problem, 5'000);
    CHECK(first.offsets == second.offsets);
    CHECK(first.nodes == second.nodes);
    CHECK(first.nodes <= 5'000);
  }
}

TEST_CASE("items that make no sense are refused") {
  CHECK_THROWS_AS(plan_offsets(OffsetProblem{{{-1, 1, 0, 1}}, {}, {}}), std::invalid_argument);
  CHECK_THROWS_AS(plan_offsets(OffsetProblem{{{1, 0, 0, 1}}, {}, {}}), std::invalid_argument);
  CHECK_THROWS_AS(plan_offsets(OffsetProblem{{{1, 1, 2, 1}}, {}, {}}), std::invalid_argument);
  CHECK_THROWS_AS(plan_offsets(OffsetProblem{{{1, 1, 0, 1}}, {{0, 1, 0}}, {}}), std::invalid_argument);
}
