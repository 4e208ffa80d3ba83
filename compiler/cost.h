// Estimates what a kernel call costs, without running it.
//
// The model: cycles = call + per_mac * multiply-accumulates + per_element * elements, with three numbers a kernel (and, where it matters,
// a functor or optimizer), in Cortex-M4F cycles at zero wait states. They were fitted to scripts/emulate --profile of the benchmark and example models,
// -O2; docs/report.md states how good it is. Kernels that only one class of cores has (q_scalar_, q_vector_) were fitted there, with the same cycle
// table. Other cores scale the sum by a factor of their class.
#pragma once

#include "compiler/program.h"
#include "targets/target.h"

namespace tinytc {

/// Cycles of one call on a Cortex-M4F whose memories have no wait states. At least 1.
double m4f_cycles(const Program& program, const KernelCall& call);

/// Whether a function for several shapes would be longer than one for each: the kernel cuts its work by estimates that a constant shape folds.
bool is_long_when_shared(const KernelCall& call);

/// Cycles that the call takes longer in a function that gets its shape as data.
double shared_extra_cycles(const Program& program, const KernelCall& call);

/// Cycles of an entry point beside its kernels: a training call looks at every input for NaN and infinity and copies it.
double m4f_entry_cycles(const Program& program, Entry entry);

/// What a cycle of the Cortex-M4F model takes on this target's core, and where the figures come from. Nothing for cores that
/// nobody has figures for.
struct CoreFactor {
  double real = 1;      // of kernels that compute in float32
  double integers = 1;  // of those that compute in integers or only move data
  std::string source;
};
std::optional<CoreFactor> core_factor(const Target& target);

/// Cycles of one call on a core with that factor.
double core_cycles(const Program& program, const KernelCall& call, const CoreFactor& core);

/// Elements that the model counts: of the largest buffer that the call reads or writes; for kernels with multiply-accumulates, of those
/// that it writes.
std::int64_t cost_elements(const Program& program, const KernelCall& call);

}  // namespace tinytc
