// Ordering and planning with growing effort; see order_and_plan.h.
#include "passes/order_and_plan.h"

#include "passes/order_calls.h"

namespace tinytc {

namespace {

std::int64_t bytes_of(const Program& program) { return program.arena_bytes + program.persistent_bytes; }

MemoryPlan attempt(Program& program, std::int64_t effort) {
  order_calls(program, effort);
  return plan_memory(program, effort);
}

}  // namespace

MemoryPlan order_and_plan(Program& program, std::int64_t effort, std::int64_t limit) {
  const Program unordered = program;
  MemoryPlan plan = attempt(program, effort);
  for (std::int64_t factor : {4, 16}) {
    if (bytes_of(program) <= limit) break;
    Program again = unordered;
    MemoryPlan other = attempt(again, effort * factor);
    if (bytes_of(again) >= bytes_of(program)) continue;
    program = std::move(again);
    plan = std::move(other);
  }
  return plan;
}

}  // namespace tinytc
