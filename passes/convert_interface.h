// The types of a quantized model's inputs and outputs.
#pragma once

#include <optional>

#include "compiler/graph.h"

namespace tinytc {

/// int8 or f32; absent: as they are.
struct InterfaceTypes {
  std::optional<DType> input, output;
};

/// Moves the outermost conversions out of the graph (int8: whoever calls gives and takes stored numbers) or into it (f32). They may stand beyond
/// operators that only move elements. uint8 tensors become int8 by 128 less, zero points too. Inputs and outputs that are neither f32 nor of bytes stay
/// as they are. UserError, with the node in the way, when an input or output has no scale: it is not converted, or in two ways, or to int16.
void convert_interface(Graph& graph, const InterfaceTypes& types);

}  // namespace tinytc
