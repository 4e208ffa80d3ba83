// The order in which a Program's kernel calls run.
#pragma once

#include "compiler/program.h"

namespace tinytc {

/// Reorders the calls of every entry point so that the arena's peak is as low as possible. Keeps every read after the writes that it
/// needs and every write after the reads that it would spoil; updates of persistent tensors come after the loss. `effort`: search nodes
/// an entry point.
void order_calls(Program& program, std::int64_t effort);

}  // namespace tinytc
