// Quantizing a float graph: which tensors become int8, and the QuantizeLinear and DequantizeLinear nodes that say so. What comes out is what
// other tools export (QDQ); passes/fuse_quantized makes int8 operators of it, as of an imported model.
//
// Activations are asymmetric int8 or symmetric int16 per tensor, weights symmetric int8 in [-127, 127] per output channel, biases int32 at the scale
// input scale x weight scale.
#pragma once

#include <map>
#include <set>

#include "passes/choose_range.h"
#include "passes/find_float.h"

namespace tinytc {

/// What becomes int8.
struct QuantizationPlan {
  std::vector<bool> is_stored;  // by node: computes on stored numbers
  /// Values that are converted to int8 where they come to be, each with the first value of its group: a group has one scale.
  std::map<ValueId, ValueId> points;
  std::set<ValueId> wide = {};  // first values of the groups that are int16 instead
};

/// Patterns of node names.
struct QuantizationNames {
  std::vector<std::string> keep_float;  // nodes that stay on real numbers
  std::vector<std::string> int16;       // nodes whose activations, those they read and those they compute, are int16
};

/// Ranges by value; those of constants are found in their data and need not be there.
using Ranges = std::map<ValueId, Range>;

/// What quantizing did, or what of a model that came quantized is not int8, for the report.
struct QuantizeFacts {
  std::string calibration;             // the method; empty: the model came quantized
  int samples = 0;
  std::vector<FloatNode> float_nodes;  // of what fuse_quantized makes of the model; the caller fills them in
  Graph real = {};                    // the float model as it was quantized: its tensors have the quantized model's scales
  std::vector<std::string> warnings = {};  // about the calibration data
};

/// Chooses from the operators' rules (OpDef::quantized, move, weight, layout.elementwise), and then by trying: whatever passes/fuse_quantized
/// leaves on real numbers is taken out again, until the rest is int8 throughout.
///   * A clamp behind an operator belongs to it, so its result is stored, not the operator's. The same with operators that move elements.
///   * A chain of element-wise functions of one tensor is stored at its end only: it becomes a table.
///   * What only moves elements keeps scale and zero point. Operands of a Concat that nobody else reads get its scale.
///   * What masks something (passes/find_masks) and whoever reads it stay on real numbers.
///   * Moves and functions without a layer with weights, a sum or the like beside them stay on real numbers.
/// Throws UserError when a pattern fits no node.
QuantizationPlan plan_quantization(const Graph& graph, const Ranges& ranges, const QuantizationNames& names);

/// Puts the nodes in. Nodes keep their order and their locations; graph inputs and outputs stay real.
void insert_quantization(Graph& graph, const QuantizationPlan& plan, const Ranges& ranges);

/// Biases that stand behind a layer as an Add of constants go into it, so that they are int32.
void absorb_biases(Graph& graph);

}  // namespace tinytc
