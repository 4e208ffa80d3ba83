// Graphs and programs as text, for --dump and for the message of an internal error.
#pragma once

#include "compiler/program.h"

namespace tinytc {

/// A line a node: outputs = Operator(inputs) {attributes}, each value with its type at its definition.
std::string print(const Graph& graph);
/// A line a buffer (storage, offset, bytes), then the calls of each entry point.
std::string print(const Program& program);

}  // namespace tinytc
