// Graph rewritings that save time, memory or flash and keep the result.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// Before differentiation, on tensors that are not trained: a per-channel scale and shift (BatchNormalization in its inference form) is
/// folded into the weights of the node before it (OpDef::channel_affine, OpDef::absorb_affine). The new weights are nodes over
/// constants, for the folding stage to compute.
void simplify(Graph& graph);

/// Before differentiation: a ReLU before a max pooling moves behind it. max(relu(x)) = relu(max(x)) exactly, and so are the gradients:
/// where the maximum is positive both pick the same element, elsewhere both are zero. The larger activation need not be kept then.
void delay_clamps(Graph& graph);

/// After differentiation and layout: a bias, a residual addition and a clamp are taken into the kernel that computes the value before
/// them (OpDef::bias_input, residual_input, takes_activation).
void fuse(Graph& graph);

}  // namespace tinytc
