// Layout; see choose_layout.h.
//
// One walk in topological order. For a value v that is a Transpose of u, `origin_` remembers u and the permutation. A node whose operands
// all have such origins with one permutation is applied to the origins instead, and its output is transposed; a Transpose of a
// Transpose becomes one, and none if they are inverses. What nobody reads any more is dead code.
//
// An int8 dense layer that reads a transposed tensor as a row gets its weights in the order of the origin instead: its sums are exact in any
// order. Layers on real numbers keep theirs, as other orders round differently.
#include "passes/choose_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <unordered_map>

#include "compiler/op.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

using Permutation = std::vector<std::int64_t>;  // out axis k is in axis p[k], as in ONNX's Transpose

Permutation inverse(const Permutation& p) {
  Permutation result(p.size());
  for (std::size_t k = 0; k < p.size(); ++k) result[static_cast<std::size_t>(p[k])] = static_cast<std::int64_t>(k);
  return result;
}

bool is_identity(const Permutation& p) {
  for (std::size_t k = 0; k < p.size(); ++k)
    if (p[k] != static_cast<std::int64_t>(k)) return false;
  return true;
}

Shape permuted(const Shape& shape, const Permutation& p) {
  Shape result;
  for (std::int64_t axis : p) result.push_back(shape[static_cast<std::size_t>(axis)]);
  return result;
}

/// [N,C,spatial...] -> [N,spatial...,C].
Permutation to_channels_last(std::size_t rank) {
  Permutation p{0};
  for (std::size_t axis = 2; axis < rank; ++axis) p.push_back(static_cast<std::int64_t>(axis));
  p.push_back(1);
  return p;
}

/// The elements of a constant, transposed.
std::vector<std::byte> transposed_data(const Value& value, const Shape& shape, const Permutation& p) {
  const auto bytes = static_cast<std::size_t>(size_of(value.type.dtype));
  std::vector<std::size_t> stride(shape.size(), bytes);
  for (std::size_t k = shape.size(); k-- > 1;) stride[k - 1] = stride[k] * static_cast<std::size_t>(shape[k]);
  const Shape target = permuted(shape, p);
  std::vector<std::byte> result(value.data.size());
  std::vector<std::int64_t> index(shape.size(), 0);
  for (std::size_t at = 0; at < result.size(); at += bytes) {
    std::size_t from = 0;
    for (std::size_t k = 0; k < p.size(); ++k) from += static_cast<std::size_t>(index[k]) * stride[static_cast<std::size_t>(p[k])];
    std::memcpy(result.data() + at, value.data.data() + from, bytes);
    for (std::size_t k = target.size(); k-- > 0;) {
      if (++index[k] < target[k]) break;
      index[k] = 0;
    }
  }
  return result;
}

/// The type of a computed value, transposed.
TensorType permuted_type(TensorType type, const Permutation& p) {
  type.shape = permuted(type.shape, p);
  if (type.quantization && type.quantization->axis >= 0)
    type.quantization->axis = static_cast<int>(inverse(p)[static_cast<std::size_t>(type.quantization->axis)]);
  return type;
}

struct Origin {
  ValueId source = no_value;
  Permutation permutation;
};

class LayoutChoice {
 public:
  explicit LayoutChoice(Graph& graph) : graph_(graph) {}

  void run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      for (ValueId& id : node.inputs) id = replacement(id);
      visit(std::move(node));
    }
    for (ValueId& id : graph_.outputs) replace_output(id);
    if (graph_.loss != no_value) graph_.loss = replacement(graph_.loss);
    remove_dead(graph_);
  }

 private:
  ValueId replacement(ValueId id) const {
    const auto it = replaced_.find(id);
    return it == replaced_.end() ? id : it->second;
  }
  /// An output whose Transposes cancelled keeps its name, unless its source has another that the user sees.
  void replace_output(ValueId& id) {
    const ValueId source = replacement(id);
    const bool is_output = std::find(graph_.outputs.begin(), graph_.outputs.end(), source) != graph_.outputs.end();
    if (source != id && !is_output && graph_.value(source).role == Role::computed) graph_.value(source).name = graph_.value(id).name;
    id = source;
  }
  const Origin* origin(ValueId id) const {
    const auto it = origin_.find(id);
    return it == origin_.end() ? nullptr : &it->second;
  }
  bool is_constant(ValueId id) const { return graph_.value(id).role == Role::constant; }

  void visit(Node node) {
    if (node.op == &transpose_) return compose(std::move(node));
    if (!node.op->layout.spatial_inputs.empty() && !node.attributes.has("channels_last") && make_spatial(node)) return;
    if (move_above(node)) return;
    if (node.op == &flatten_ || node.op == &reshape_) flattened_[node.outputs[0]] = node.inputs[0];
    if (node.op == &dense_) reorder_weights(node);
    graph_.nodes.push_back(std::move(node));
  }

  /// A dense layer on rows that are a transposed tensor reads the tensor as it was, with its weights transposed instead.
  void reorder_weights(Node& node) {
    const auto flattened = flattened_.find(node.inputs[0]);
    const Origin* before = flattened == flattened_.end() ? nullptr : origin(flattened->second);
    if (before == nullptr || before->permutation[0] != 0 || !is_constant(node.inputs[1])) return;
    Shape shape = graph_.shape(flattened->second);
    const Shape rows = graph_.shape(node.inputs[0]);
    if (rows.size() != 2 || rows[0] != shape[0]) return;
    const Value weight = graph_.value(node.inputs[1]);
    shape[0] = weight.type.shape[0];
    node.inputs[1] = add_constant(graph_, weight.name, weight.type, transposed_data(weight, shape, inverse(before->permutation)));
    node.inputs[0] = add_node(graph_, reshape_.name, {before->source}, 1, {{"shape", rows}}, node.location, graph_.value(before->source).name).front();
  }

  void compose(Node node) {
    const ValueId input = node.inputs[0], output = node.outputs[0];
    Permutation p = node.attributes.get_ints("perm", {});
    if (p.empty()) {  // ONNX: reversed axes
      p.resize(graph_.shape(input).size());
      std::iota(p.rbegin(), p.rend(), 0);
    }
    ValueId source = input;
    if (const Origin* before = origin(input)) {
      source = before->source;
      for (std::int64_t& axis : p) axis = before->permutation[static_cast<std::size_t>(axis)];
    }
    if (is_identity(p)) {
      replaced_[output] = source;
      return;
    }
    node.inputs[0] = source;
    node.attributes.set("perm", p);
    origin_[output] = {source, p};
    known_.emplace(key_of(source, p), output);
    graph_.nodes.push_back(std::move(node));
  }

  static std::string key_of(ValueId id, const Permutation& p) {
    std::string key = std::to_string(id);
    for (std::int64_t axis : p) key += fmt::format(",{}", axis);
    return key;
  }

  /// A value that is `id` transposed by p: its origin, one made before, a transposed constant, or a new Transpose.
  ValueId transposed(ValueId id, const Permutation& p, const Location& location) {
    ValueId source = id;
    Permutation whole = p;
    if (const Origin* before = origin(id)) {
      source = before->source;
      for (std::int64_t& axis : whole) axis = before->permutation[static_cast<std::size_t>(axis)];
    }
    if (is_identity(whole)) return source;
    const auto [it, is_new] = known_.emplace(key_of(source, whole), no_value);
    if (!is_new) return it->second;
    ValueId result = no_value;
    if (is_constant(source)) {
      const Value value = graph_.value(source);
      result = add_constant(graph_, value.name, {value.type.dtype, permuted(value.type.shape, whole)},
                            transposed_data(value, value.type.shape, whole));
    } else {
      result = add_node(graph_, transpose_.name, {source}, 1, {{"perm", whole}}, location, graph_.value(source).name).front();
      origin_[result] = {source, whole};
    }
    known_[key_of(source, whole)] = result;
    return result;
  }

  /// Gives `node` outputs in another layout and appends it and the Transposes that restore the wanted ones.
  void append_permuted(Node node, const std::vector<std::size_t>& outputs, const Permutation& restore) {
    const std::vector<ValueId> wanted = node.outputs;
    for (std::size_t i : outputs) {
      if (i >= wanted.size() || wanted[i] == no_value) continue;
      const Value value = graph_.value(wanted[i]);
      node.outputs[i] = add_value(graph_, {value.name, permuted_type(value.type, inverse(restore))});
    }
    const std::vector<ValueId> made = node.outputs;
    const Location location = node.location;
    graph_.nodes.push_back(std::move(node));
    for (std::size_t i : outputs) {
      if (i >= wanted.size() || wanted[i] == no_value) continue;
      graph_.nodes.push_back({&transpose_, {made[i]}, {wanted[i]}, {{"perm", restore}}, location});
      origin_[wanted[i]] = {made[i], restore};
      known_.emplace(key_of(made[i], restore), wanted[i]);
    }
  }

  /// Puts a spatial operator on channels-last operands, if it needs them or they are there.
  bool make_spatial(Node& node) {
    const LayoutRule& rule = node.op->layout;
    const std::size_t rank = graph_.shape(node.inputs[static_cast<std::size_t>(rule.spatial_inputs[0])]).size();
    if (rank < 3) return false;
    const Permutation last = to_channels_last(rank);
    if (!rule.needs_channels_last) {
      const Origin* before = origin(node.inputs[static_cast<std::size_t>(rule.spatial_inputs[0])]);
      if (before == nullptr || before->permutation != inverse(last)) return false;
    }
    for (int i : rule.spatial_inputs) {
      if (static_cast<std::size_t>(i) >= node.inputs.size()) continue;
      ValueId& id = node.inputs[static_cast<std::size_t>(i)];
      if (id != no_value) id = transposed(id, last, node.location);
    }
    node.attributes.set("channels_last", std::int64_t{1});
    append_permuted(std::move(node), std::vector<std::size_t>(rule.spatial_outputs.begin(), rule.spatial_outputs.end()), inverse(last));
    return true;
  }

  /// Applies a node to the origins of its operands and transposes its outputs, if all its computed operands have origins with one
  /// permutation and it can work on permuted operands.
  bool move_above(Node& node) {
    const LayoutRule& rule = node.op->layout;
    if (!rule.elementwise && rule.permute == nullptr) return false;
    const Permutation* p = nullptr;
    const std::span<ValueId> operands(node.inputs.data(), rule.operands < 0 ? node.inputs.size() : static_cast<std::size_t>(rule.operands));
    for (ValueId id : operands) {
      if (id == no_value || is_constant(id) || graph_.value(id).role == Role::parameter) continue;
      const Origin* before = origin(id);
      if (before == nullptr) {
        if (element_count(graph_.shape(id)) == 1) continue;
        return false;
      }
      if (p != nullptr && *p != before->permutation) return false;
      p = &before->permutation;
    }
    if (p == nullptr) return false;
    const Permutation restore = *p, back = inverse(restore);
    std::vector<std::size_t> outputs;  // those with the operands' axes; other scalars beside the first tell of the whole tensor
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == no_value || (i > 0 && graph_.shape(node.outputs[i]).empty())) continue;
      if (graph_.shape(node.outputs[i]).size() != restore.size()) return false;
      outputs.push_back(i);
    }
    for (ValueId id : operands)
      if (id != no_value && graph_.shape(id).size() != restore.size() && !rule.elementwise) return false;
    if (rule.permute != nullptr) {
      Node changed = node;
      if (!rule.permute(changed, back)) return false;
      node = std::move(changed);
    }
    for (ValueId& id : std::span<ValueId>(node.inputs.data(), operands.size()))
      if (id != no_value && element_count(graph_.shape(id)) != 1) id = transposed(at_rank(id, restore.size(), node.location), back, node.location);
    append_permuted(std::move(node), outputs, restore);
    return true;
  }

  /// The value with leading axes of extent 1 up to `rank`, as broadcasting sees it.
  ValueId at_rank(ValueId id, std::size_t rank, const Location& location) {
    Shape shape = graph_.shape(id);
    if (shape.size() == rank) return id;
    shape.insert(shape.begin(), rank - shape.size(), 1);
    if (!is_constant(id)) return add_node(graph_, "Reshape", {id}, 1, {{"shape", shape}}, location, graph_.value(id).name).front();
    const Value value = graph_.value(id);
    return add_constant(graph_, value.name, {value.type.dtype, shape}, value.data);
  }

  Graph& graph_;
  const OpDef &transpose_ = op("Transpose"), &flatten_ = op("Flatten"), &reshape_ = op("Reshape"), &dense_ = op("Int8Dense");
  std::unordered_map<ValueId, Origin> origin_;
  std::unordered_map<ValueId, ValueId> flattened_;   // results of Reshape and Flatten -> their operands
  std::unordered_map<ValueId, ValueId> replaced_;    // outputs of identity Transposes
  std::unordered_map<std::string, ValueId> known_;   // (source, permutation) -> value that holds it
};

}  // namespace

void choose_layout(Graph& graph) { LayoutChoice(graph).run(); }

}  // namespace tinytc
