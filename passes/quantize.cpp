// Quantizing; see quantize.h.
#include "passes/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "compiler/op.h"
#include "passes/find_masks.h"
#include "passes/find_stored.h"
#include "passes/fuse_quantized.h"
#include "passes/keep_float.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

constexpr double highest_weight = 127;
constexpr double highest_bias = 1 << 30;  // half of int32: the rest is for the sum of products

// --- What may become int8 ---

bool is_candidate(const Graph& graph, const Node& node) {
  if (node.op->quantizes || node.op->dequantizes || node.inputs.empty() || node.inputs[0] == no_value || !updates_of(node).empty()) return false;
  const auto is_trained = [&](ValueId id) {
    return id != no_value && (graph.value(id).role == Role::parameter || graph.value(id).role == Role::state);
  };
  if (std::any_of(node.inputs.begin(), node.inputs.end(), is_trained)) return false;
  const auto is_real = [&](ValueId id) { return id != no_value && graph.type(id).dtype == DType::f32; };
  if (!is_real(node.inputs[0]) || !std::all_of(node.outputs.begin(), node.outputs.end(), is_real)) return false;
  return node.op->quantized != nullptr || node.op->move.moves || node.op->layout.elementwise;
}

/// Whether each value is masked: it holds numbers beyond all others, and comes from a constant with such numbers.
std::vector<bool> masked_values(const Graph& graph, const Ranges& ranges) {
  std::vector<bool> result = find_masks(graph);
  for (std::size_t v = 0; v < result.size(); ++v) {
    const auto seen = ranges.find(static_cast<ValueId>(v));
    result[v] = result[v] && seen != ranges.end() && std::max(-seen->second.lo, seen->second.hi) >= mask_size;
  }
  return result;
}

std::vector<bool> candidates(const Graph& graph, const Ranges& ranges, const std::vector<std::string>& keep_float) {
  std::vector<bool> result = named_nodes(graph, keep_float, "--keep-float");
  const std::vector<bool> masked = masked_values(graph, ranges);
  const auto is_masked = [&](ValueId id) { return id != no_value && masked[static_cast<std::size_t>(id)]; };
  for (std::size_t n = 0; n < result.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool meets_mask = std::any_of(node.inputs.begin(), node.inputs.end(), is_masked) || std::any_of(node.outputs.begin(), node.outputs.end(), is_masked);
    result[n] = !result[n] && !meets_mask && is_candidate(graph, node);
  }
  return result;
}

/// The groups of tensors that the named nodes read, through what moves elements, and compute, with the clamps and moves behind them.
std::set<ValueId> wide_groups(const Graph& graph, const QuantizationPlan& plan, const std::vector<bool>& is_wide) {
  const std::vector<int> producer = producers(graph);
  std::set<ValueId> result, behind;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool follows = node.op->quantized == nullptr && std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return behind.count(id) != 0; });
    if (!plan.is_stored[n] || (!is_wide[n] && !follows)) continue;
    for (ValueId id : node.inputs) {
      while (id != no_value && plan.points.count(id) == 0 && producer[static_cast<std::size_t>(id)] >= 0)
        id = graph.nodes[static_cast<std::size_t>(producer[static_cast<std::size_t>(id)])].inputs[0];
      if (is_wide[n] && id != no_value && plan.points.count(id) != 0) result.insert(plan.points.at(id));
    }
    for (ValueId id : node.outputs) {
      if (id == no_value) continue;
      if (plan.points.count(id) != 0) result.insert(plan.points.at(id));
      else if (follows || !node.op->move.moves) behind.insert(id);
    }
  }
  return result;
}

/// Nodes that are connected by tensors and of which none is more than a move or a function: nothing would be saved.
void leave_light_parts(const Graph& graph, std::vector<bool>& is_stored) {
  std::vector<std::size_t> part(graph.nodes.size());
  std::iota(part.begin(), part.end(), std::size_t{0});
  const auto find = [&](std::size_t n) {
    while (part[n] != n) n = part[n];
    return n;
  };
  const std::vector<int> producer = producers(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (ValueId id : graph.nodes[n].inputs) {
      const int from = id == no_value ? -1 : producer[static_cast<std::size_t>(id)];
      if (is_stored[n] && from >= 0 && is_stored[static_cast<std::size_t>(from)]) part[find(n)] = find(static_cast<std::size_t>(from));
    }
  std::vector<bool> is_heavy(graph.nodes.size(), false);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (is_stored[n] && graph.nodes[n].op->quantized != nullptr) is_heavy[find(n)] = true;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) is_stored[n] = is_stored[n] && is_heavy[find(n)];
}

// --- Inserting ---

class Insertion {
 public:
  Insertion(Graph& graph, const QuantizationPlan& plan, const Ranges& ranges)
      : graph_(graph), plan_(plan), producer_(producers(graph)) {
    std::map<ValueId, Range> of_group;
    for (const auto& [id, first] : plan.points) of_group[first] = hull(of_group[first], range_of(id, ranges));
    for (const auto& [first, range] : of_group) quantization_of_group_[first] = plan.wide.count(first) != 0 ? wide_quantization_for(range) : quantization_for(range);
  }

  void run() {
    old_ = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (const auto& [id, first] : plan_.points)
      if (producer_[static_cast<std::size_t>(id)] < 0) store(id, {graph_.value(id).name, "QuantizeLinear", -1});
    for (std::size_t n = 0; n < old_.size(); ++n) {
      Node node = old_[n];
      if (plan_.is_stored[n]) store_layer(node, n);
      for (ValueId& id : node.inputs) id = read_by(id, plan_.is_stored[n]);
      graph_.nodes.push_back(node);
      for (ValueId id : node.outputs)
        if (id != no_value && plan_.points.count(id) != 0) store(id, node.location);
    }
    for (ValueId& id : graph_.outputs) hand_out(id);
  }

 private:
  Range range_of(ValueId id, const Ranges& ranges) const {
    const Value& value = graph_.value(id);
    const int from = producer_[static_cast<std::size_t>(id)];
    if (from >= 0)
      if (const std::optional<Clamp>& known = graph_.nodes[static_cast<std::size_t>(from)].op->result_range) return {known->lo, known->hi};
    if (value.role != Role::constant) return ranges.at(id);
    Range range;
    for (double number : numbers_of(value)) range = hull(range, {number, number});
    return range;
  }

  ValueId convert(const std::string& op_name, ValueId x, const Quantization& quantization, DType stored, const Location& location) {
    const std::string name = graph_.value(x).name;  // a copy: the graph grows
    const Shape shape = quantization.axis < 0 ? Shape{} : Shape{static_cast<std::int64_t>(quantization.scales.size())};
    const ValueId scale = add_constant(graph_, name + "/scale", DType::f32, shape, {quantization.scales.begin(), quantization.scales.end()});
    const ValueId zero = add_constant(graph_, name + "/zero_point", stored, shape, {quantization.zero_points.begin(), quantization.zero_points.end()});
    Attributes attributes;
    if (quantization.axis >= 0) attributes.set("axis", std::int64_t{quantization.axis});
    return add_node(graph_, op_name, {x, scale, zero}, 1, std::move(attributes), location, name).front();
  }

  /// Value `id` through int8 and back.
  void store(ValueId id, const Location& location) {
    const ValueId group = plan_.points.at(id);
    const Quantization& quantization = quantization_of_group_.at(group);
    const bool is_wide = plan_.wide.count(group) != 0;
    const DType dtype = is_wide ? DType::i16 : DType::i8;
    if (graph_.value(id).role == Role::constant) {
      real_of_[id] = constant(graph_.value(id).name, numbers_of(graph_.value(id)), graph_.shape(id), quantization, dtype, is_wide ? 32767 : 127, location);
      return;
    }
    const ValueId stored = convert("QuantizeLinear", id, quantization, dtype, location);
    real_of_[id] = convert("DequantizeLinear", stored, quantization, dtype, location);
  }

  /// A stored constant and its conversion.
  ValueId constant(const std::string& name, const std::vector<double>& numbers, const Shape& shape, const Quantization& quantization, DType dtype,
                   double limit, const Location& location) {
    std::int64_t inner = 1;
    for (std::size_t d = static_cast<std::size_t>(quantization.axis + 1); quantization.axis >= 0 && d < shape.size(); ++d) inner *= shape[d];
    const double lowest = dtype == DType::i8 && quantization.axis < 0 ? -128 : -limit;
    std::vector<double> stored;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::size_t c = quantization.axis < 0 ? 0 : i / static_cast<std::size_t>(inner) % quantization.scales.size();
      stored.push_back(std::clamp(std::nearbyint(numbers[i] / double{quantization.scales[c]}) + quantization.zero_points[c], lowest, limit));
    }
    return convert("DequantizeLinear", add_constant(graph_, name, dtype, shape, stored), quantization, dtype, location);
  }

  ValueId read_by(ValueId id, bool by_stored) const {
    const auto it = real_of_.find(id);
    if (it == real_of_.end()) return id;
    const int from = producer_[static_cast<std::size_t>(id)];
    return by_stored || (from >= 0 && plan_.is_stored[static_cast<std::size_t>(from)]) ? it->second : id;
  }

  /// An output of the graph keeps its name.
  void hand_out(ValueId& id) {
    const ValueId real = read_by(id, false);
    if (real == id) return;
    const std::string name = graph_.value(id).name;
    if (graph_.value(real).name != name) graph_.value(id).name = name + "/real";
    graph_.value(real).name = name;
    id = real;
  }

  /// Scale of a layer's input: that of the tensor of which it is a rearrangement.
  double scale_of(ValueId id) const {
    while (plan_.points.count(id) == 0) id = old_[static_cast<std::size_t>(producer_.at(static_cast<std::size_t>(id)))].inputs[0];
    return double{quantization_of_group_.at(plan_.points.at(id)).scales[0]};
  }

  /// Replaces weight and bias.
  void store_layer(Node& node, std::size_t n) {
    if (!is_layer_constant(graph_, old_[n], 1)) return;
    const Value weight = graph_.value(node.inputs[1]);
    const auto axis = static_cast<std::size_t>(node.op->weight.output_axis(graph_, old_[n]));
    const auto channels = static_cast<std::size_t>(weight.type.shape[axis]);
    const std::vector<double> numbers = numbers_of(weight);
    std::int64_t inner = 1;
    for (std::size_t d = axis + 1; d < weight.type.shape.size(); ++d) inner *= weight.type.shape[d];
    std::vector<double> largest(channels, 0), bias(channels, 0);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      double& so_far = largest[i / static_cast<std::size_t>(inner) % channels];
      so_far = std::max(so_far, std::abs(numbers[i]));
    }
    const bool has_bias = is_layer_constant(graph_, old_[n], 2);
    const std::vector<double> given = has_bias ? numbers_of(graph_.value(node.inputs[2])) : std::vector<double>{};
    for (std::size_t c = 0; has_bias && c < channels; ++c) bias[c] = given[given.size() == 1 ? 0 : c];
    const double x_scale = scale_of(old_[n].inputs[0]);
    Quantization of_weight{{}, std::vector<std::int32_t>(channels, 0), static_cast<int>(axis)}, of_bias{{}, of_weight.zero_points, 0};
    for (std::size_t c = 0; c < channels; ++c) {
      // A channel of tiny weights takes a larger scale, so that its bias fits.
      const double scale = std::max(largest[c] / highest_weight, std::abs(bias[c]) / (x_scale * highest_bias));
      of_weight.scales.push_back(scale < double{std::numeric_limits<float>::min()} ? 1.0F : static_cast<float>(scale));
      of_bias.scales.push_back(static_cast<float>(x_scale * double{of_weight.scales[c]}));
    }
    node.inputs[1] = constant(weight.name, numbers, weight.type.shape, of_weight, DType::i8, highest_weight, node.location);
    if (has_bias)
      node.inputs[2] = constant(graph_.value(node.inputs[2]).name, bias, {static_cast<std::int64_t>(channels)}, of_bias, DType::i32,
                                std::numeric_limits<std::int32_t>::max(), node.location);
  }

  Graph& graph_;
  const QuantizationPlan& plan_;
  const std::vector<int> producer_;
  std::vector<Node> old_;
  std::map<ValueId, Quantization> quantization_of_group_;
  std::unordered_map<ValueId, ValueId> real_of_;
};

/// Nodes of the plan that would compute on real numbers after fusing.
std::vector<std::size_t> left_real(const Graph& graph, const QuantizationPlan& plan, const Ranges& ranges) {
  Graph trial = graph;
  insert_quantization(trial, plan, ranges);
  // Fusing renumbers values, but those that stay keep their names.
  for (Value& value : trial.values) value.name.clear();
  std::map<std::string, std::size_t> node_of;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (ValueId id : graph.nodes[n].outputs) {
      if (!plan.is_stored[n] || id == no_value) continue;
      trial.value(id).name = "#" + std::to_string(id);
      node_of[trial.value(id).name] = n;
    }
  fuse_quantized(trial);
  std::vector<std::size_t> left;
  for (const Node& node : trial.nodes)
    for (ValueId id : node.outputs) {
      const auto it = id == no_value || node.op->dequantizes ? node_of.end() : node_of.find(trial.value(id).name);
      if (it != node_of.end()) left.push_back(it->second);
    }
  return left;
}

/// Whether `id` is a constant number for each channel of `result`, the channels of a layer.
bool is_bias(const Graph& graph, ValueId id, const Shape& result, bool channels_last) {
  const Value& value = graph.value(id);
  const std::size_t axis = channels_last ? result.size() - 1 : 1;
  if (value.role != Role::constant || axis >= result.size()) return false;
  const std::size_t missing = result.size() - std::min(value.type.shape.size(), result.size());
  if (value.type.shape.size() > result.size() || missing > axis) return false;
  return value.type.shape[axis - missing] == result[axis] && element_count(value.type.shape) == result[axis];
}

/// The layer that computes an operand of the addition `add`, when the other operand can be its bias.
bool absorb_bias(Graph& graph, const std::vector<int>& producer, const std::vector<int>& uses, Node& add) {
  for (std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    const ValueId own = add.inputs[side];
    const int from = producer[static_cast<std::size_t>(own)];
    if (from < 0 || uses[static_cast<std::size_t>(own)] != 1 || graph.shape(own) != graph.shape(add.outputs[0])) continue;
    Node layer = graph.nodes[static_cast<std::size_t>(from)];
    const bool has_bias = layer.inputs.size() > 2 && layer.inputs[2] != no_value;
    if (has_bias || layer.op->bias_input != 2 || !is_layer_constant(graph, layer, 1) || layer.attributes.has("activation_lo")) continue;
    if (!is_bias(graph, add.inputs[1 - side], graph.shape(own), layer.op->weight.channels_last)) continue;
    const Value bias = graph.value(add.inputs[1 - side]);
    layer.inputs.resize(std::max<std::size_t>(layer.inputs.size(), 3), no_value);
    layer.inputs[2] = add_constant(graph, bias.name, {bias.type.dtype, {element_count(bias.type.shape)}}, bias.data);
    if (layer.attributes.has("beta")) layer.attributes.set("beta", 1.0);  // a factor of the bias that was absent
    layer.outputs = add.outputs;
    add = std::move(layer);
    return true;
  }
  return false;
}

}  // namespace

void absorb_biases(Graph& graph) {
  const std::vector<int> producer = producers(graph), uses = use_counts(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node node = graph.nodes[n];
    if (node.op->is_addition && node.inputs.size() == 2 && absorb_bias(graph, producer, uses, node)) graph.nodes[n] = std::move(node);
  }
  remove_dead(graph);
}

QuantizationPlan plan_quantization(const Graph& graph, const Ranges& ranges, const QuantizationNames& names) {
  QuantizationPlan plan{candidates(graph, ranges, names.keep_float), {}};
  const std::vector<bool> is_wide = named_nodes(graph, names.int16, "--activations int16");
  while (true) {
    leave_light_parts(graph, plan.is_stored);
    StoredTensors stored = find_stored(graph, plan.is_stored);
    plan.points = std::move(stored.points);
    plan.wide = wide_groups(graph, plan, is_wide);
    const std::vector<std::size_t> left = stored.refused.empty() ? left_real(graph, plan, ranges) : stored.refused;
    if (left.empty()) return plan;
    // A move or a clamp without a stored form also leaves the operator before it on real numbers, which has one by itself.
    const auto is_light = [&](std::size_t n) { return graph.nodes[n].op->quantized == nullptr; };
    const bool any_light = std::any_of(left.begin(), left.end(), is_light);
    for (std::size_t n : left)
      if (!any_light || is_light(n)) plan.is_stored[n] = false;
  }
}

void insert_quantization(Graph& graph, const QuantizationPlan& plan, const Ranges& ranges) { Insertion(graph, plan, ranges).run(); }

}  // namespace tinytc
