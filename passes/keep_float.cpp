// Real numbers in quantized models; see keep_float.h.
#include "passes/keep_float.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "compiler/names.h"
#include "compiler/op.h"
#include "compiler/quantization.h"
#include "passes/find_float.h"

namespace tinytc {

namespace {

/// Values that depend on constants only; some quantizers store weights by a QuantizeLinear in the model.
std::vector<bool> known_values(const Graph& graph) {
  std::vector<bool> known(graph.values.size());
  for (std::size_t v = 0; v < known.size(); ++v) known[v] = graph.values[v].role == Role::constant;
  const auto is_known = [&](ValueId id) { return id == no_value || known[static_cast<std::size_t>(id)]; };
  for (const Node& node : graph.nodes)
    for (ValueId id : node.outputs)
      if (id != no_value) known[static_cast<std::size_t>(id)] = std::all_of(node.inputs.begin(), node.inputs.end(), is_known);
  return known;
}

struct ZeroPoint {
  ValueId weight;  // the tensor that holds the numbers
  std::int32_t number;
  int channel;     // -1: of the whole tensor
};

class Weights {
 public:
  explicit Weights(const Graph& graph) : graph_(graph), producer_(producers(graph)), known_(known_values(graph)) {}

  /// The first zero point other than 0 of a known int8 tensor that `id` is the real form of, perhaps moved.
  std::optional<ZeroPoint> zero_point(ValueId id) const {
    const Node* source = producer(id);
    if (source == nullptr) return std::nullopt;
    if (source->op->dequantizes) return of_conversion(*source);
    if (!source->op->move.moves) return std::nullopt;
    const std::size_t moved = source->op->move.all_inputs ? source->inputs.size() : 1;
    for (std::size_t i = 0; i < moved; ++i)
      if (const std::optional<ZeroPoint> found = zero_point(source->inputs[i])) return found;
    return std::nullopt;
  }

  bool is_known(ValueId id) const { return known_[static_cast<std::size_t>(id)]; }

 private:
  const Node* producer(ValueId id) const {
    const int n = id == no_value ? -1 : producer_[static_cast<std::size_t>(id)];
    return n < 0 ? nullptr : &graph_.nodes[static_cast<std::size_t>(n)];
  }

  std::optional<ZeroPoint> of_conversion(const Node& node) const {
    if (graph_.type(node.inputs[0]).dtype != DType::i8 || !is_known(node.inputs[0])) return std::nullopt;
    const Quantization quantization = quantization_of(graph_, node);
    const std::vector<std::int32_t>& zeros = quantization.zero_points;
    const auto found = std::find_if(zeros.begin(), zeros.end(), [](std::int32_t zero) { return zero != 0; });
    if (found == zeros.end()) return std::nullopt;
    ValueId tensor = node.inputs[0];
    while (const Node* source = producer(tensor)) tensor = source->inputs[0];
    return ZeroPoint{tensor, *found, quantization.axis < 0 ? -1 : static_cast<int>(found - zeros.begin())};
  }

  const Graph& graph_;
  const std::vector<int> producer_;
  const std::vector<bool> known_;
};

/// Whether it has a weight and an int8 form that a zero point of it prevents. ConvTranspose has none: it computes in float32 whatever its weight is.
bool is_layer(const Graph& graph, const Node& node) { return node.op->quantized != nullptr && node.op->fan_in != nullptr && node.op->fan_in(graph, node) > 0; }

std::string refusal(const Graph& graph, const Node& node, const ZeroPoint& found) {
  const std::string channel = found.channel < 0 ? "" : fmt::format(" in channel {}", found.channel);
  return node_message(node.location, fmt::format("its int8 weight '{}' has the zero point {}{}, and int8 layers take symmetric weights, whose zero point is 0",
                                                 printable(graph.value(found.weight).name), found.number, channel));
}

/// What to do about these layers, once for all of them.
std::string remedy(const std::vector<std::string>& layers) {
  std::string names;
  bool has_names = true;
  for (const std::string& name : layers) {
    names += (names.empty() ? "" : ",") + printable(name, std::string::npos);  // whole: a part of a name fits no node
    has_names = has_names && !name.empty();
  }
  const std::string which = layers.size() == 1 ? "it" : fmt::format("these {}", layers.size());
  return fmt::format("  hint: quantize weights symmetrically (onnxruntime's quantizer: weight_type=QuantType.QInt8, extra_options={{\"WeightSymmetric\": True}}), "
                     "or compute {} in float32: {}",
                     which, has_names ? fmt::format("--keep-float '{}'", names) : "name the node, then --keep-float NAME");
}

}  // namespace

std::vector<bool> named_nodes(const Graph& graph, const std::vector<std::string>& patterns, const std::string& option) {
  std::vector<bool> result, fits(patterns.size(), false);
  for (const Node& node : graph.nodes) {
    bool is_named = false;
    const bool is_exempt = node.op->quantizes || node.op->dequantizes || node.op->gives_float;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      if (is_exempt || !matches_glob(patterns[i], node.location.node)) continue;
      fits[i] = is_named = true;
    }
    result.push_back(is_named);
  }
  for (std::size_t i = 0; i < patterns.size(); ++i)
    if (!fits[i])
      throw UserError(fmt::format("{} {}: no node has such a name, conversions and products of integers left aside\n  hint: --dump import lists the nodes", option,
                                  printable(patterns[i])));
  return result;
}

void mark_kept(Graph& graph, const std::vector<std::string>& patterns) {
  const std::vector<bool> named = named_nodes(graph, patterns, "--keep-float");
  for (std::size_t n = 0; n < named.size(); ++n)
    if (named[n]) graph.nodes[n].attributes.set(keeps_float, std::int64_t{1});
}

void keep_float(Graph& graph, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return;
  if (!is_quantized(graph))
    throw UserError("--keep-float: the model is not quantized, all of it computes in float32\n  hint: leave it out, or add --quantize int8 --calibrate FILE");
  mark_kept(graph, patterns);
}

void check_weights(const Graph& graph) {
  const Weights weights(graph);
  std::string refusals;
  std::vector<std::string> layers;
  for (const Node& node : graph.nodes) {
    if (!is_layer(graph, node) || weights.is_known(node.outputs[0]) || node.attributes.get_int(keeps_float, 0) == 1) continue;
    const std::optional<ZeroPoint> found = weights.zero_point(node.inputs[1]);
    if (!found) continue;
    refusals += refusal(graph, node, *found) + "\n";
    layers.push_back(node.location.node);
  }
  if (!layers.empty()) throw UserError(refusals + remedy(layers));
}

}  // namespace tinytc
