// The int8 convolution kernels that are no depthwise ones, and which of them a layer takes: Int8Conv calls it, Int8ConvSum through
// runtime/q_conv2d_sum.h.
#pragma once

#include "compiler/ops/int8.h"
#include "compiler/ops/spatial.h"
#include "runtime/q_conv2d.h"

namespace tinytc::int8 {

/// A kernel and what it takes beside shape, input, output and scratch. Its arguments are (shape, x, constants..., out, y[, scratch]).
struct ConvKernel {
  const char* header;
  const char* name;
  const char* layer;  // the struct of runtime/q_conv2d_sum.h with constants... and out
  std::vector<Argument> constants;
  std::int64_t scratch;  // words; 0: it takes none, and has no such argument
  std::int64_t lead;     // elements, of its input
  int rows;              // output rows that it needs to take at once
  QConv2dShape shape;
};

/// The kernel for a node whose inputs are x, weight, bias, multiplier[, shift]. Adds its tables to the program.
ConvKernel conv_kernel(LowerContext& context, const Window& window);

/// Calls the node's kernel.
void call_conv(LowerContext& context, const Window& window);

/// Shape of a convolution with that window and a node's attributes.
QConv2dShape conv_shape(const Window& window, const Attributes& attributes);

/// What Winograd's convolution in place of the direct one takes and saves; OpDef::faster.
FasterKernel faster_conv(const Graph& graph, const Node& node);

}  // namespace tinytc::int8
