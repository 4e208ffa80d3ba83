// From graphs to a planned program, with what makes it smaller: layers that add their residual themselves, and where the RAM does not
// suffice, kernels with less scratch.
#pragma once

#include <functional>

#include "passes/plan_memory.h"

namespace tinytc {

using Lowering = std::function<Program(const std::map<Entry, Graph>&)>;

/// Orders and plans `program`, which `lowering` made of `entries`; both become what came out in the end.
/// * Residual sums are fused into their layers (passes/fuse_residual) where that makes the arena smaller by a hundredth or more.
/// * While arena and persistent block exceed `ram_limit` bytes, a layer that keeps them from fitting gets a kernel with less scratch, most
///   bytes for a cycle first: the usual one for one that spends flash, then one without scratch. The results keep every bit.
/// `effort` is that of plan_memory.
MemoryPlan fit_memory(std::map<Entry, Graph>& entries, Program& program, const Lowering& lowering, std::int64_t effort, std::int64_t ram_limit);

}  // namespace tinytc
