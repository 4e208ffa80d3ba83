// Decides which tensors are trained: `--train all|none|last:N|bias|GLOB,...`.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Gives every tensor that `selection` names the role parameter and every other initializer the role constant. The terms of the
/// comma-separated list are united: `all`; `none`; `last:N`, the parameters of the last N nodes that own any; `bias`, what is only
/// added; anything else is a glob (`*`, `?`) over tensor names. Scalars (rank 0), constants that an exporter made (masks, scales, a
/// normalization's inner ones and zeros) and running statistics are selected by no keyword, and statistics by no glob either.
/// UserError: a term selects nothing, or N is not a positive number.
void select_trained(Graph& graph, const std::string& selection);

}  // namespace tinytc
