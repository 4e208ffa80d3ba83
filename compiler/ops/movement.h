// Lowering of operators that move elements, shared by movement_ops.cpp, repeat_ops.cpp, slice_ops.cpp and index_ops.cpp.
#pragma once

#include "compiler/ops/rules.h"
#include "runtime/move.h"
#include "runtime/move_shapes.h"

namespace tinytc::movement {

/// The copy of a Transpose.
CopyShape transpose_shape(const Shape& x, const Shape& perm);
/// Calls `copy` from input i to output o. `may_overlap`: no other input is read after this call, and nothing
/// was written before it.
void call_copy(LowerContext& context, const CopyShape& shape, int i, int o, bool may_overlap);
/// The same, or a view when the elements lie behind each other in the input as they shall in the output.
void move(LowerContext& context, int i, int o, const CopyShape& shape, bool may_overlap = true);
/// Writes `value` to all elements of output o.
void call_fill(LowerContext& context, double value, int o = 0);

}  // namespace tinytc::movement
