// Which tensors are stored; see find_stored.h. One walk in topological order says for each value what it is:
//   open    the result of an operator with an int8 form, perhaps through clamps and moves behind it: whoever ends this is stored
//   chained a function of one stored tensor, the leaf: not stored as long as only functions of the same leaf read it
//   moved   a stored tensor's elements in another order: has its scale
// A chained value that must be stored becomes a leaf itself; the walk is repeated then.
#include "passes/find_stored.h"

#include <algorithm>
#include <set>

#include "compiler/op.h"

namespace tinytc {

namespace {

constexpr std::size_t longest_chain = 32;  // as passes/fuse_quantized has it

class Walk {
 public:
  Walk(const Graph& graph, const std::vector<bool>& is_stored)
      : graph_(graph), is_stored_(is_stored), producer_(producers(graph)), readers_(consumers(graph)), uses_(use_counts(graph)) {}

  StoredTensors run() {
    std::size_t leaves = 0;
    do {
      leaves = forced_.size();
      open_.clear(), absorbed_.clear(), joined_.clear(), leaf_of_.clear(), length_.clear(), refused_.clear();
      for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
        if (is_stored_[n]) visit(n);
      for (const auto& [id, leaf] : leaf_of_)
        if (absorbed_.count(id) == 0 && !is_interior(id, leaf)) forced_.insert(id);
    } while (forced_.size() != leaves);
    collect();
    return {std::move(group_), {refused_.begin(), refused_.end()}};
  }

 private:
  const Node& node(std::size_t n) const { return graph_.nodes[n]; }
  bool is_real(ValueId id) const { return id != no_value && graph_.type(id).dtype == DType::f32; }
  bool is_constant(ValueId id) const { return graph_.value(id).role == Role::constant; }
  bool is_output(ValueId id) const { return std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end(); }
  bool is_computed_stored(ValueId id) const {
    const int from = producer_[static_cast<std::size_t>(id)];
    return from >= 0 && is_stored_[static_cast<std::size_t>(from)];
  }

  void visit(std::size_t n) {
    const Node& at = node(n);
    if (absorbs(at)) {
      absorbed_.insert(at.inputs[0]);
      open_.insert(at.outputs[0]);
      if (joined_.count(at.inputs[0]) != 0) joined_.insert(at.outputs[0]);
    } else if (at.op->move.moves) {
      if (at.op->move.all_inputs) open_.insert(at.outputs[0]), joined_.insert(at.outputs[0]);
    } else if (!extend_chain(at)) {
      if (at.op->quantized == nullptr) refused_.push_back(n);
      else open_.insert(at.outputs[0]);
    }
  }

  /// Whether the node works on the result of the operator before it, which is not stored then.
  bool absorbs(const Node& at) const {
    const ValueId x = at.inputs[0];
    const bool is_move = at.op->move.moves && !at.op->move.all_inputs;
    if (at.outputs.size() != 1 || (!is_move && at.op->as_clamp == nullptr) || uses_[static_cast<std::size_t>(x)] != 1) return false;
    if (!is_move && joined_.count(x) != 0) return false;  // the operands would have the clamp's scale, and it a table all the same
    return open_.count(x) != 0 || (is_move && leaf_of_.count(x) != 0 && forced_.count(x) == 0);
  }

  ValueId leaf(ValueId id) const {
    const auto it = leaf_of_.find(id);
    return it == leaf_of_.end() || forced_.count(id) != 0 ? id : it->second;
  }

  bool extend_chain(const Node& at) {
    if (!at.op->layout.elementwise || at.outputs.size() != 1) return false;
    ValueId common = no_value;
    std::size_t length = 1;
    for (ValueId id : at.inputs) {
      if (id == no_value || (is_constant(id) && element_count(graph_.shape(id)) == 1)) continue;
      if (!is_real(id) || is_constant(id) || (common != no_value && leaf(id) != common)) return false;
      common = leaf(id);
      if (common != id) length += length_.at(id);
    }
    const ValueId result = at.outputs[0];
    if (common == no_value || length > longest_chain || graph_.shape(common) != graph_.shape(result)) return false;
    leaf_of_[result] = common;
    length_[result] = length;
    return true;
  }

  bool is_interior(ValueId id, ValueId leaf) const {
    if (is_output(id)) return false;
    const std::vector<int>& readers = readers_[static_cast<std::size_t>(id)];
    return std::all_of(readers.begin(), readers.end(), [&](int reader) {
      if (!is_stored_[static_cast<std::size_t>(reader)]) return false;
      const auto it = leaf_of_.find(node(static_cast<std::size_t>(reader)).outputs[0]);
      return it != leaf_of_.end() && it->second == leaf;
    });
  }

  void add(ValueId id) { group_.emplace(id, id); }

  void collect() {
    for (ValueId id : open_)
      if (absorbed_.count(id) == 0) add(id);
    for (ValueId id : forced_)
      if (absorbed_.count(id) == 0) add(id);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!is_stored_[n]) continue;
      for (std::size_t i = 0; i < node(n).inputs.size(); ++i) add_operand(node(n), i);
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      if (is_stored_[n] && node(n).op->move.moves && node(n).op->move.all_inputs) share(node(n));
  }

  /// What comes from outside is stored where it comes to be.
  void add_operand(const Node& at, std::size_t i) {
    const ValueId id = at.inputs[i];
    if (!is_real(id) || is_layer_constant(graph_, at, i)) return;
    const bool is_scalar_of_chain = is_constant(id) && leaf_of_.count(at.outputs[0]) != 0;
    const bool is_other_operand = at.op->move.moves && !at.op->move.all_inputs && i > 0;
    if (!is_scalar_of_chain && !is_other_operand && !is_computed_stored(id)) add(id);
  }

  /// The stored tensor of which `id` is a rearrangement that nobody else reads; no_value when there is a second reader.
  ValueId own_point(ValueId id) const {
    while (id != no_value && (is_constant(id) || uses_[static_cast<std::size_t>(id)] == 1)) {
      if (group_.count(id) != 0) return id;
      const int from = producer_[static_cast<std::size_t>(id)];
      if (from < 0 || !node(static_cast<std::size_t>(from)).op->move.moves) return no_value;
      id = node(static_cast<std::size_t>(from)).inputs[0];
    }
    return no_value;
  }

  /// The stored tensor that a result becomes behind the moves that absorb it, one after the other.
  ValueId end_of(ValueId id) const {
    while (absorbed_.count(id) != 0) id = node(static_cast<std::size_t>(readers_[static_cast<std::size_t>(id)].front())).outputs[0];
    return id;
  }

  /// One scale for the operands of a Concat and its result.
  void share(const Node& at) {
    const ValueId result = group_.at(end_of(at.outputs[0]));
    for (ValueId id : at.inputs) {
      const ValueId point = id == no_value ? no_value : own_point(id);
      if (point == no_value) continue;
      const ValueId old = group_.at(point);
      for (auto& [member, first] : group_)
        if (first == old) first = result;
    }
  }

  const Graph& graph_;
  const std::vector<bool>& is_stored_;
  const std::vector<int> producer_;
  const std::vector<std::vector<int>> readers_;
  const std::vector<int> uses_;
  std::set<ValueId> open_, absorbed_, forced_;
  std::set<ValueId> joined_;  // open ones that several operands' elements make up
  std::map<ValueId, ValueId> leaf_of_;
  std::map<ValueId, std::size_t> length_;  // functions of a chain up to a value
  std::vector<std::size_t> refused_;
  std::map<ValueId, ValueId> group_;
};

}  // namespace

bool is_layer_constant(const Graph& graph, const Node& node, std::size_t i) {
  if (i < 1 || i > 2 || node.op->weight.output_axis == nullptr || i >= node.inputs.size() || node.inputs[i] == no_value) return false;
  if (graph.value(node.inputs[1]).role != Role::constant || graph.value(node.inputs[i]).role != Role::constant) return false;
  const std::int64_t axis = node.op->weight.output_axis(graph, node);
  if (axis < 0) return false;
  // A bias of another shape, such as one for each row, belongs to no channel.
  const Shape& shape = graph.shape(node.inputs[i]);
  const std::int64_t channels = graph.shape(node.inputs[1])[static_cast<std::size_t>(axis)], count = element_count(shape);
  return i == 1 || count == 1 || (count == channels && shape.back() == channels);
}

StoredTensors find_stored(const Graph& graph, const std::vector<bool>& is_stored) { return Walk(graph, is_stored).run(); }

}  // namespace tinytc
