// What normalizations and sums over channels share. Channels are axis 1, or the last axis when the attribute
// `channels_last` is 1.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/op.h"
#include "runtime/bias_grad.h"

namespace tinytc {

/// The axis of x's channels.
std::size_t channel_axis(const Attributes& attributes, const Shape& x);
/// The extents before, at and after it.
ChannelShape channel_shape(const Attributes& attributes, const Shape& x);
/// One element for each channel of input 0.
std::vector<TensorType> channel_vector(const TypeContext& context);
/// What is added to a variance.
double epsilon_of(const Attributes& attributes);
/// The row of an operator that only passes make, with exactly `inputs` inputs.
OpDef internal_row(const std::string& name, int inputs,
                   std::function<std::vector<TensorType>(const TypeContext&)> infer,
                   std::function<void(LowerContext&)> lower, std::vector<int> spatial_inputs,
                   std::vector<int> spatial_outputs);

}  // namespace tinytc
