// Order of the calls and places of the buffers together, with more effort when the first answer is too large.
#pragma once

#include "passes/plan_memory.h"

namespace tinytc {

/// Orders the calls and plans the memory with `effort` search nodes. When arena and persistent block exceed `limit` bytes, tries again from
/// the start with 4 and 16 times the effort (another order may need less even where the places are optimal) and keeps the smallest plan.
MemoryPlan order_and_plan(Program& program, std::int64_t effort, std::int64_t limit);

}  // namespace tinytc
