// The most iterations of each loop over all calls. Internal to audit(); includes Clang.
#pragma once

#include "codegen/audit_loops.h"

namespace tinytc {

/// Fills in most_iterations of the counted loops where it can be computed: interval arithmetic over
/// constants, fields of constant structs, arguments (joined over all calls) and variables that are set once.
void compute_iterations(const AuditedSource& source, const DataFlow& flow,
                        const std::vector<std::pair<std::size_t, CountedLoop>>& loops, AuditReport& report);

}  // namespace tinytc
