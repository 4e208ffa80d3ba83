// Adds the loss that the user asked for to a graph that has none.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Appends the loss `kind` (cross-entropy, mse, binary-cross-entropy, l1, huber) on the graph's only output and a label input for it;
/// sets graph.loss. Cross entropy reads the values before a final Softmax or LogSoftmax, binary cross entropy those before a final
/// Sigmoid (the same loss, without the rounding of log(softmax)); the output itself stays. Labels: class indices i32 of the output's
/// shape without the class axis (axis 1, or the last of a rank-1 output), else a target of the output's type and shape.
/// UserError: an unknown kind, a graph that has a loss already, or several outputs.
void add_loss(Graph& graph, const std::string& kind);

/// The kinds that add_loss knows.
std::vector<std::string> loss_kinds();

}  // namespace tinytc
