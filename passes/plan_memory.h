// Gives every buffer of a Program its place: arena buffers by lifetime, persistent buffers one after the other.
#pragma once

#include "compiler/program.h"

namespace tinytc {

/// What is known of one entry point's plan. Bytes.
struct EntryPlan {
  std::int64_t peak = 0;
  std::int64_t lower_bound = 0;  // no placement of these lifetimes is smaller
  bool optimal = false;          // peak == lower_bound
  std::int64_t search_nodes = 0;
  std::size_t peak_call = 0;              // index of a call that needs most bytes
  std::vector<BufferId> live_at_peak;     // largest first
  std::vector<std::int64_t> call_bytes = {};   // about what each call needs: live buffers, less what one of its results may share with an operand
};

using MemoryPlan = std::map<Entry, EntryPlan>;

/// Sets the offsets of all arena and persistent buffers, arena_bytes (the maximum over the entry points, which never run at once) and
/// persistent_bytes. `effort`: search nodes an entry point. Throws InternalError if the independent validator finds a conflict.
MemoryPlan plan_memory(Program& program, std::int64_t effort);

}  // namespace tinytc
