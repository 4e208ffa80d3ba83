// Faster kernels with larger constants, where flash is left for them (--prefer speed).
#pragma once

#include <map>

#include "compiler/program.h"

namespace tinytc {

/// Lets nodes take the faster kernel of their row (OpDef::faster) while `spare` bytes of flash last: those that save most multiplications
/// for a byte first.
void spend_flash(std::map<Entry, Graph>& entries, std::int64_t spare);

/// Bytes of all constants of the graphs.
std::int64_t constant_bytes(const std::map<Entry, Graph>& entries);

}  // namespace tinytc
