// Finds out whether the graph is a training graph: one of its outputs is a loss, one of its inputs the loss's
// target.
//
// Recognised are a scalar output of
//   SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss (with or without a LogSoftmax before it),
//   the square (Mul with itself, Pow 2) or Abs of a Sub,
//   LogSoftmax or Log times a target of the same shape (class probabilities),
// each under any chain of means, sums, signs and constant factors; whose target is an input of the graph that
// nothing else reads.
#include <algorithm>
#include <optional>

#include "compiler/import_onnx_steps.h"
#include "compiler/op.h"

namespace tinytc::importer {

namespace {

struct Loss {
  ValueId prediction = no_value;
  ValueId target = no_value;  // an input of the graph
};

struct View {
  const Graph& graph;
  std::vector<int> producer;
  std::vector<int> uses;                  // reads by nodes and as output
  std::vector<std::vector<int>> readers;  // nodes

  const Node* node_of(ValueId id) const {
    const int i = id == no_value ? -1 : producer[static_cast<std::size_t>(id)];
    return i < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(i)];
  }
};

bool is(const Node* node, std::initializer_list<const char*> names) {
  return node != nullptr &&
         std::any_of(names.begin(), names.end(), [&](const char* name) { return node->op->name == name; });
}

bool same_inputs(const Node& a, const Node& b) { return a.op == b.op && a.inputs == b.inputs; }

/// Whether one node reads the value, or several that compute the same: some exporters compute the two factors
/// of a square apart.
bool has_one_reader(const View& view, ValueId id) {
  const std::vector<int>& readers = view.readers[static_cast<std::size_t>(id)];
  const auto node = [&](int i) -> const Node& { return view.graph.nodes[static_cast<std::size_t>(i)]; };
  return !readers.empty() && static_cast<int>(readers.size()) == view.uses[static_cast<std::size_t>(id)] &&
         std::all_of(readers.begin(), readers.end(),
                     [&](int i) { return same_inputs(node(i), node(readers[0])); });
}

/// The graph input that `id` is but for its shape or type, if nothing else reads it; else no_value.
ValueId sole_input(const View& view, ValueId id) {
  while (id != no_value && view.graph.value(id).role == Role::computed) {
    const Node* node = view.node_of(id);
    if (!is(node, {"Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}) || !has_one_reader(view, id))
      return no_value;
    id = node->inputs[0];
  }
  return id != no_value && view.graph.value(id).role == Role::input && has_one_reader(view, id) ? id
                                                                                                : no_value;
}

/// The Sub under a square or an absolute value; null if there is none.
const Node* difference(const View& view, const Node* node) {
  if (is(node, {"Abs"})) return view.node_of(node->inputs[0]);
  if (is(node, {"Mul"})) {
    const Node* left = view.node_of(node->inputs[0]);
    const Node* right = view.node_of(node->inputs[1]);
    return left != nullptr && right != nullptr && (left == right || same_inputs(*left, *right)) ? left
                                                                                                : nullptr;
  }
  if (!is(node, {"Pow"})) return nullptr;
  const Value& exponent = view.graph.value(node->inputs[1]);
  const bool is_two = !exponent.data.empty() && tinytc::element_count(exponent.type.shape) == 1 &&
                      numbers_of(exponent)[0] == 2.0;
  return is_two ? view.node_of(node->inputs[0]) : nullptr;
}

/// The operands of `node` as prediction and target, in whichever order; nullopt if neither is an input that
/// nothing else reads.
std::optional<Loss> operands(const View& view, const Node& node) {
  for (const std::size_t side : {std::size_t{1}, std::size_t{0}}) {
    const ValueId target = sole_input(view, node.inputs[side]);
    const ValueId prediction = node.inputs[1 - side];
    if (target != no_value && view.graph.value(prediction).role == Role::computed)
      return Loss{prediction, target};
  }
  return std::nullopt;
}

/// What is left of a loss when means, sums, signs and constant factors are taken off.
const Node* below_scaling(const View& view, const Node* node) {
  while (node != nullptr) {
    const bool is_unary = is(node, {"ReduceMean", "ReduceSum", "Neg", "Squeeze", "Reshape"});
    const bool is_scaled = is(node, {"Mul", "Div"}) && !view.graph.value(node->inputs[1]).data.empty();
    if (!is_unary && !is_scaled) return node;
    node = view.node_of(node->inputs[0]);
  }
  return nullptr;
}

std::optional<Loss> loss_at(const View& view, ValueId output) {
  const Node* node = view.node_of(output);
  if (node == nullptr || tinytc::element_count(view.graph.shape(output)) != 1) return std::nullopt;
  node = below_scaling(view, node);
  if (is(node, {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"})) {
    const ValueId target = sole_input(view, node->inputs[1]);
    return target == no_value ? std::nullopt : std::optional(Loss{node->inputs[0], target});
  }
  const Node* sub = difference(view, node);
  if (is(sub, {"Sub"})) return operands(view, *sub);
  if (!is(node, {"Mul"})) return std::nullopt;
  const std::optional<Loss> loss = operands(view, *node);
  return loss && is(view.node_of(loss->prediction), {"LogSoftmax", "Log"}) ? loss : std::nullopt;
}

/// A loss node's second output, the log-probabilities, does not depend on the target but its node does: where
/// it is asked for, a LogSoftmax computes it, so that a prediction needs no target.
void take_out_log_probabilities(Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& loss = graph.nodes[i];
    if (loss.op->name != "SoftmaxCrossEntropyLoss" || loss.outputs.size() < 2 || loss.outputs[1] == no_value)
      continue;
    Node softmax;
    softmax.op = &op("LogSoftmax");
    softmax.inputs = {loss.inputs[0]};
    softmax.outputs = {loss.outputs[1]};
    softmax.attributes = {{"axis", std::int64_t{1}}};
    softmax.location = loss.location;
    loss.outputs.pop_back();
    graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i), std::move(softmax));
    ++i;
  }
}

/// Makes class indices 32 bits wide, as firmware passes them; exporters declare 64. What only reshapes them on the way to the loss follows.
void narrow_labels(Graph& graph, const View& view, ValueId id) {
  if (graph.type(id).dtype != DType::i64) return;
  graph.value(id).type.dtype = DType::i32;
  for (const int i : view.readers[static_cast<std::size_t>(id)]) {
    const Node& reader = graph.nodes[static_cast<std::size_t>(i)];
    if (is(&reader, {"Reshape", "Squeeze", "Unsqueeze", "Flatten"})) narrow_labels(graph, view, reader.outputs[0]);
  }
}

}  // namespace

void recognise_loss(Graph& graph) {
  take_out_log_probabilities(graph);
  const View view{graph, producers(graph), use_counts(graph), consumers(graph)};
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId output = graph.outputs[i];
    const std::optional<Loss> loss = loss_at(view, output);
    if (!loss) continue;
    graph.loss = output;
    graph.value(loss->target).role = Role::label;
    narrow_labels(graph, view, loss->target);
    graph.outputs.erase(graph.outputs.begin() + static_cast<std::ptrdiff_t>(i));
    if (graph.outputs.empty()) graph.outputs.push_back(loss->prediction);
    return;
  }
}

}  // namespace tinytc::importer
