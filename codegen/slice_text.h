// Marks what a slice keeps and prints it; internal to slice().
#pragma once

#include <set>

#include "codegen/slice.h"
#include "codegen/source_tree.h"

namespace tinytc {

/// The text of the declarations in `kept` (nodes of `tree`) with the macros that they and `program` use,
/// whole #if groups included.
SliceResult print_slice(const SourceTree& tree, const std::set<int>& kept, const std::string& program);

}  // namespace tinytc
