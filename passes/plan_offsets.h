// Offsets for buffers in one arena: which byte each buffer starts at, so that the arena is as small as
// possible.
//
// Pure data in, data out; knows neither Graph nor Program. Read plan_offsets() first. The parts behind it:
//   plan_model    the problem in the form that the solvers work on (sections, distances) and its lower bound
//   plan_greedy   placement in a fixed order, many orders
//   plan_search   exact branch and bound for one capacity
// passes/validate_plan checks the answer and shares no code with any of these.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace tinytc {

// One buffer: `size` bytes at a multiple of `alignment` bytes, live in the half-open range of time steps
// [lower, upper). A buffer of size 0 or of an empty lifetime conflicts with nothing.
struct PlanItem {
  std::int64_t size = 0;
  std::int64_t alignment = 1;
  std::int64_t lower = 0;
  std::int64_t upper = 0;
};

// Two buffers that live at the same time are disjoint, unless one of these allows an overlap: the kernel that
// writes item `output` while it reads item `input` is exact as long as offset(input) - offset(output) >= lead
// bytes. 0 allows in place, a positive lead the output starting that far below the input ("diagonal"), a
// negative one also the input below the output. Of several relaxations of the same (output, input) the
// largest lead counts (each is a requirement of one kernel).
struct PlanRelaxation {
  int output = 0;
  int input = 0;
  std::int64_t lead = 0;
};

struct OffsetProblem {
  std::vector<PlanItem> items;
  std::vector<PlanRelaxation> relaxations;
  std::optional<std::int64_t>
      capacity;  // bytes; when set, any plan that fits is good enough and the search stops at it
};

// The answer. peak = max(offset + size) bytes. No plan has a peak below `lower_bound` (proven). optimal =
// peak equals it.
struct OffsetPlan {
  std::vector<std::int64_t> offsets;
  std::int64_t peak = 0;
  std::int64_t lower_bound = 0;
  bool optimal = false;
  std::int64_t nodes = 0;  // search nodes visited; 0 when a greedy placement already met the lower bound
};

// Search nodes spent at most, unless the caller says otherwise (--planner-effort).
inline constexpr std::int64_t default_planner_effort = 200'000;

// Plans `problem`. Deterministic: equal input gives equal output; `effort` counts search nodes, never time.
// Throws std::invalid_argument for a negative size or lifetime, an alignment below 1, or a relaxation that
// names no item.
OffsetPlan plan_offsets(const OffsetProblem& problem, std::int64_t effort = default_planner_effort);

}  // namespace tinytc
