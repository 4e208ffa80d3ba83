// Checks an offset plan against the problem it claims to solve. Shares nothing with the solver but the
// problem's types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "passes/plan_offsets.h"

namespace tinytc {

// Every way in which `offsets` (bytes, one per item) and `peak` (bytes) break `problem`: a missing, negative
// or misaligned offset, an item that ends above `peak`, a `peak` that no item reaches, two live items whose
// bytes meet although no relaxation allows it, a peak above the capacity. Empty = the plan is right. At most
// `limit` messages. Checks every pair of items that live at the same time: cost is linear in their number.
std::vector<std::string> validate_plan(const OffsetProblem& problem, const std::vector<std::int64_t>& offsets,
                                       std::int64_t peak, std::size_t limit = 20);

}  // namespace tinytc
