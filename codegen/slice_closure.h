// Which declarations of the headers a program reaches in one target configuration; internal to slice().
#pragma once

#include <set>

#include "codegen/slice.h"
#include "codegen/source_tree.h"

namespace tinytc {

/// The nodes of `tree` (kind declaration) that the program reaches when it is parsed for `arm`.
/// Throws InternalError as slice() says.
std::set<int> reached_declarations(const SliceRequest& request, const TargetConfig& arm,
                                   const SourceTree& tree);

}  // namespace tinytc
