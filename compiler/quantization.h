// Arithmetic on quantization parameters that type rules, quantization rules and passes share.
#pragma once

#include "compiler/op.h"

namespace tinytc {

/// Scale and zero point that a QuantizeLinear or DequantizeLinear applies, from its constant operands.
Quantization quantization_of(const Graph& graph, const Node& node);
/// The same numbers of a tensor whose storage changes between u8 and i8; `from`: the storage that it has now.
std::optional<Quantization> flipped(std::optional<Quantization> quantization, DType from);
/// round(real / scale) + zero_point, as quantize_linear computes it, in double; infinite bounds give infinite results.
double stored_number(double real, const Quantization& quantization);
/// The type of an int8 node's only output, from the attributes that QuantizeContext::emit gave it; int16 where `y_bits` says so.
std::vector<TensorType> int8_result(const TypeContext& context, const Shape& shape);

}  // namespace tinytc
