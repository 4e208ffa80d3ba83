// What of a quantized model computes on real numbers nevertheless, and why: for the report.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

struct FloatNode {
  Location location;
  std::string reason;  // empty where none is known
};

/// Whether the model comes quantized, wholly or in part: it converts, or has constants or results of 8 bits.
bool is_quantized(const Graph& graph);

/// Nodes that compute in float32 after passes/fuse_quantized, each ONNX node once. Not those that convert or only move elements.
std::vector<FloatNode> find_float(const Graph& graph);

}  // namespace tinytc
