// Nodes on real numbers; see find_float.h.
#include "passes/find_float.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/op.h"
#include "compiler/quantization.h"
#include "passes/keep_float.h"

namespace tinytc {

namespace {

bool is_real(const Graph& graph, ValueId id) { return id != no_value && graph.type(id).dtype == DType::f32; }

bool computes_real(const Graph& graph, const Node& node) {
  if (node.op->quantizes || node.op->dequantizes || node.op->move.moves || node.inputs.empty() || node.outputs.empty()) return false;
  return is_real(graph, node.inputs[0]) && is_real(graph, node.outputs[0]);
}

class Reasons {
 public:
  explicit Reasons(const Graph& graph) : graph_(graph), producer_(producers(graph)), consumers_(consumers(graph)) {}

  std::string of(const Node& node) const {
    if (node.attributes.get_int(keeps_float, 0) == 1) return "--keep-float names it";
    if (node.op->quantized == nullptr && !node.op->layout.elementwise) return "it has no int8 form";
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (std::string reason = of_operand(node, i); !reason.empty()) return reason;
    if (!is_stored_later(node.outputs[0])) return "its result is not quantized";
    if (consumers_[static_cast<std::size_t>(node.outputs[0])].size() > 1) return "its result is read in float32, too";
    return node.op->quantized != nullptr ? "its int8 form does not take these operands, axes or attributes" : "it has no int8 form for these operands";
  }

 private:
  const Node* producer(ValueId id) const {
    const int n = producer_[static_cast<std::size_t>(id)];
    return n < 0 ? nullptr : &graph_.nodes[static_cast<std::size_t>(n)];
  }

  std::string of_operand(const Node& node, std::size_t i) const {
    const ValueId id = node.inputs[i];
    const bool is_bias = static_cast<int>(i) == node.op->bias_input;
    if (!is_real(graph_, id) || is_bias || graph_.value(id).role == Role::constant) return {};
    const Node* source = producer(id);
    while (source != nullptr && source->op->move.moves) source = producer(source->inputs[0]);
    if (source == nullptr) return fmt::format("its operand '{}' is not quantized", printable(graph_.value(id).name, 40));
    if (!source->op->dequantizes) return "an operand of it is computed in float32";
    const Quantization quantization = quantization_of(graph_, *source);
    const bool is_constant = graph_.value(source->inputs[0]).role == Role::constant;
    const bool has_zero_point = std::any_of(quantization.zero_points.begin(), quantization.zero_points.end(), [](std::int32_t zero) { return zero != 0; });
    if (i == 1 && is_constant && has_zero_point && node.op->weight.output_axis != nullptr) return "its weights less their zero point exceed 8 bits";
    if (!is_constant && quantization.axis >= 0) return fmt::format("its operand '{}' has a scale for each channel", printable(graph_.value(id).name, 40));
    return {};
  }

  /// Whether QuantizeLinear follows, perhaps behind clamps and moves. seen: values that it need not follow again.
  bool is_stored_later(ValueId id, std::set<ValueId> seen = {}) const { return is_stored_behind(id, seen); }

  bool is_stored_behind(ValueId id, std::set<ValueId>& seen) const {
    if (!seen.insert(id).second) return false;
    const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
    return std::any_of(readers.begin(), readers.end(), [&](int n) {
      const Node& node = graph_.nodes[static_cast<std::size_t>(n)];
      const bool passes = node.op->move.moves || node.op->layout.elementwise;
      return node.op->quantizes || (passes && !node.outputs.empty() && node.outputs[0] != no_value && is_stored_behind(node.outputs[0], seen));
    });
  }

  const Graph& graph_;
  const std::vector<int> producer_;
  const std::vector<std::vector<int>> consumers_;
};

}  // namespace

bool is_quantized(const Graph& graph) {
  const auto is_byte = [&](ValueId id) { return id != no_value && (graph.type(id).dtype == DType::i8 || graph.type(id).dtype == DType::u8); };
  const auto is_stored_constant = [&](ValueId id) { return is_byte(id) && graph.value(id).role == Role::constant; };
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return node.op->quantizes || node.op->dequantizes || std::any_of(node.inputs.begin(), node.inputs.end(), is_stored_constant);
  });
}

std::vector<FloatNode> find_float(const Graph& graph) {
  const Reasons reasons(graph);
  std::vector<FloatNode> result;
  std::map<std::pair<std::string, int>, std::size_t> places;  // an ONNX node may be several of ours
  std::set<ValueId> known;                                    // depends on constants only, as tables do: folded later
  for (const Node& node : graph.nodes) {
    const auto is_known = [&](ValueId id) { return id == no_value || graph.value(id).role == Role::constant || known.count(id) != 0; };
    if (std::all_of(node.inputs.begin(), node.inputs.end(), is_known)) known.insert(node.outputs.begin(), node.outputs.end());
    else if (computes_real(graph, node)) {
      const auto [place, is_new] = places.emplace(std::pair(node.location.node, node.location.index), result.size());
      const bool is_layer = node.op->weight.output_axis != nullptr;  // says more than what stands around it
      if (is_new) result.push_back({node.location, reasons.of(node)});
      else if (is_layer) result[place->second] = {node.location, reasons.of(node)};
    }
  }
  return result;
}

}  // namespace tinytc
