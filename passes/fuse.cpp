// Fusing; see fuse.h. Each rewriting looks at one node and the only reader of its result.
#include "passes/fuse.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/op.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

/// Where values come from and who reads them; kept up to date by the rewritings that use it.
class Uses {
 public:
  explicit Uses(const Graph& graph) : producer_(producers(graph)), count_(use_counts(graph)) {}
  int producer(ValueId id) const { return id == no_value ? -1 : producer_[static_cast<std::size_t>(id)]; }
  bool is_single(ValueId id) const { return count_[static_cast<std::size_t>(id)] == 1; }
  void move_producer(ValueId id, int node) { producer_[static_cast<std::size_t>(id)] = node; }

 private:
  std::vector<int> producer_;
  std::vector<int> count_;
};

Node& node_at(Graph& graph, int index) { return graph.nodes[static_cast<std::size_t>(index)]; }

void set_input(Node& node, int index, ValueId id) {
  if (node.inputs.size() <= static_cast<std::size_t>(index)) node.inputs.resize(static_cast<std::size_t>(index) + 1, no_value);
  node.inputs[static_cast<std::size_t>(index)] = id;
}

bool has_input(const Node& node, int index) {
  return static_cast<std::size_t>(index) < node.inputs.size() && node.inputs[static_cast<std::size_t>(index)] != no_value;
}

/// The node at `index` that computes operand `id` and can still take something in, or null.
Node* absorbing(Graph& graph, const Uses& uses, ValueId id) {
  const int from = uses.producer(id);
  if (from < 0 || !uses.is_single(id)) return nullptr;
  Node& node = node_at(graph, from);
  if (node.attributes.has("activation_lo") || node.attributes.has(fused_update) || node.outputs.size() != 1) return nullptr;
  return &node;
}

/// Moves `source`, extended by the caller, to where `place` stands: all operands exist there.
void take_over(Graph& graph, Uses& uses, Node source, int place) {
  source.outputs = node_at(graph, place).outputs;
  uses.move_producer(source.outputs[0], place);
  node_at(graph, place) = std::move(source);
}

/// Whether `source`, whose result has that shape, can add `operand` to each channel (the last axis). A product with a vector has no
/// channels: its last axis is one of rows.
bool takes_bias(const Graph& graph, const Node& source, const Shape& operand, const Shape& shape) {
  const int bias = source.op->bias_input;
  return bias >= 0 && !has_input(source, bias) && operand == Shape{shape.back()} && graph.shape(source.inputs[1]).size() > 1;
}

bool fuse_addition(Graph& graph, Uses& uses, int index) {
  const Node& add = node_at(graph, index);
  if (!add.op->is_addition || add.inputs.size() != 2) return false;
  const Shape& shape = graph.shape(add.outputs[0]);
  // The later of two candidates, so that its operands exist.
  std::array<int, 2> sides{0, 1};
  if (uses.producer(add.inputs[0]) < uses.producer(add.inputs[1])) std::swap(sides[0], sides[1]);
  for (int side : sides) {
    const ValueId own = add.inputs[static_cast<std::size_t>(side)], other = add.inputs[static_cast<std::size_t>(1 - side)];
    Node* source = own == other ? nullptr : absorbing(graph, uses, own);
    if (source == nullptr || graph.shape(own) != shape) continue;
    const int residual = source->op->residual_input;
    if (!shape.empty() && takes_bias(graph, *source, graph.shape(other), shape)) {
      set_input(*source, source->op->bias_input, other);
      if (source->attributes.has("beta")) source->attributes.set("beta", 1.0);  // a factor of the bias that was absent
    } else if (residual >= 0 && !has_input(*source, residual) && graph.shape(other) == shape) {
      set_input(*source, residual, other);
    } else {
      continue;
    }
    take_over(graph, uses, *source, index);
    return true;
  }
  return false;
}

void fuse_clamp(Graph& graph, Uses& uses, int index) {
  const Node& node = node_at(graph, index);
  if (node.op->as_clamp == nullptr || node.outputs.size() != 1) return;
  Node* source = absorbing(graph, uses, node.inputs[0]);
  if (source == nullptr || !source->op->takes_activation) return;
  const Clamp clamp = node.op->as_clamp(node);
  source->attributes.set("activation_lo", clamp.lo);
  source->attributes.set("activation_hi", clamp.hi);
  take_over(graph, uses, *source, index);
}

/// Integers of which nothing but their float32 is read.
void fuse_conversion(Graph& graph, Uses& uses, int index) {
  const Node& node = node_at(graph, index);
  if (node.op != &op("Cast") || graph.type(node.outputs[0]).dtype != DType::f32) return;
  Node* source = absorbing(graph, uses, node.inputs[0]);
  if (source == nullptr || !source->op->gives_float || source->attributes.has(as_float)) return;
  source->attributes.set(as_float, std::int64_t{1});
  take_over(graph, uses, *source, index);
}

/// Factors that are known to be ones need neither flash nor multiplications.
void drop_units(Graph& graph) {
  for (Node& node : graph.nodes) {
    const int input = node.op->unit_input;
    if (input < 0 || !has_input(node, input)) continue;
    const Value& factors = graph.value(node.inputs[static_cast<std::size_t>(input)]);
    if (factors.role != Role::constant) continue;
    const std::vector<double> numbers = numbers_of(factors);
    if (std::all_of(numbers.begin(), numbers.end(), [](double number) { return number == 1.0; })) set_input(node, input, no_value);
  }
}

}  // namespace

void simplify(Graph& graph) {
  drop_units(graph);
  // New nodes (the folded weights) must stand before the node that uses them, so the list is rebuilt.
  const Uses uses(graph);
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  std::vector<int> place(nodes.size(), -1);  // index in the new list
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    Node node = std::move(nodes[n]);
    const int from = node.op->channel_affine == nullptr ? -1 : uses.producer(node.inputs[0]);
    if (from >= 0 && uses.is_single(node.inputs[0])) {
      Node source = graph.nodes[static_cast<std::size_t>(place[static_cast<std::size_t>(from)])];
      if (source.op->absorb_affine != nullptr && source.op->can_absorb_affine(graph, source)) {
        if (const std::optional<ChannelAffine> affine = node.op->channel_affine(graph, node)) {
          source.op->absorb_affine(graph, source, *affine);
          source.outputs = {node.outputs[0]};
          node = std::move(source);
        }
      }
    }
    place[n] = static_cast<int>(graph.nodes.size());
    graph.nodes.push_back(std::move(node));
  }
  remove_dead(graph);
}

void delay_clamps(Graph& graph) {
  const Uses uses(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& pool = graph.nodes[n];
    const int from = pool.op->selects_maximum ? uses.producer(pool.inputs[0]) : -1;
    if (from < 0 || !uses.is_single(pool.inputs[0]) || pool.outputs.size() != 1) continue;
    Node& clamp = node_at(graph, from);
    if (clamp.op->as_clamp == nullptr || !std::isinf(clamp.op->as_clamp(clamp).hi)) continue;
    // The pool takes the clamp's operand and computes a new value; the clamp stands behind it and computes what the pool did.
    const Value pooled = graph.value(pool.outputs[0]);
    Node moved = clamp;
    moved.inputs[0] = add_value(graph, {pooled.name + "/before_clamp", pooled.type});
    moved.outputs = pool.outputs;
    pool.inputs[0] = clamp.inputs[0];
    pool.outputs = {moved.inputs[0]};
    std::swap(clamp, pool);
    graph.nodes[n] = std::move(moved);
  }
}

void fuse(Graph& graph) {
  Uses uses(graph);
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    fuse_conversion(graph, uses, n);
    if (!fuse_addition(graph, uses, n)) fuse_clamp(graph, uses, n);
  }
  // What was moved left its original behind, whose result nobody reads; but two nodes must not compute one value meanwhile.
  remove_dead(graph);
}

}  // namespace tinytc
