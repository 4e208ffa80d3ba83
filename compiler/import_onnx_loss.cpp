// Finds out whether the graph is a training graph: one of its outputs is a loss, one of its inputs the loss's target.
//
// Recognised are a scalar output of
//   SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss (with or without a LogSoftmax before it),
//   ReduceMean or ReduceSum of the square (Mul with itself, Pow 2) or Abs of a Sub,
// whose target is an input of the graph that nothing else reads. The nodes stay as they are.
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
  std::vector<int> uses;

  const Node* node_of(ValueId id) const {
    const int i = id == no_value ? -1 : producer[static_cast<std::size_t>(id)];
    return i < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(i)];
  }
};

bool is(const Node* node, std::initializer_list<const char*> names) {
  return node != nullptr && std::any_of(names.begin(), names.end(), [&](const char* name) { return node->op->name == name; });
}

/// The graph input that `id` is but for its shape or type, if nothing else reads it; else no_value.
ValueId sole_input(const View& view, ValueId id) {
  while (id != no_value && view.graph.value(id).role == Role::computed) {
    const Node* node = view.node_of(id);
    if (!is(node, {"Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}) || view.uses[static_cast<std::size_t>(id)] != 1) return no_value;
    id = node->inputs[0];
  }
  if (id == no_value || view.graph.value(id).role != Role::input || view.uses[static_cast<std::size_t>(id)] != 1) return no_value;
  return id;
}

/// The Sub under a square or an absolute value; null if there is none.
const Node* difference(const View& view, const Node* node) {
  if (is(node, {"Mul"}) && node->inputs[0] == node->inputs[1]) return view.node_of(node->inputs[0]);
  if (is(node, {"Abs"})) return view.node_of(node->inputs[0]);
  if (!is(node, {"Pow"})) return nullptr;
  const Value& exponent = view.graph.value(node->inputs[1]);
  const bool is_two = !exponent.data.empty() && tinytc::element_count(exponent.type.shape) == 1 && numbers_of(exponent)[0] == 2.0;
  return is_two ? view.node_of(node->inputs[0]) : nullptr;
}

std::optional<Loss> loss_at(const View& view, ValueId output) {
  const Node* node = view.node_of(output);
  if (node == nullptr || tinytc::element_count(view.graph.shape(output)) != 1) return std::nullopt;
  if (is(node, {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"})) {
    if (node->outputs[0] != output) return std::nullopt;
    const ValueId target = sole_input(view, node->inputs[1]);
    if (target == no_value) return std::nullopt;
    return Loss{node->inputs[0], target};
  }
  if (!is(node, {"ReduceMean", "ReduceSum"})) return std::nullopt;
  const Node* sub = difference(view, view.node_of(node->inputs[0]));
  if (!is(sub, {"Sub"})) return std::nullopt;
  for (const std::size_t side : {std::size_t{1}, std::size_t{0}}) {
    const ValueId target = sole_input(view, sub->inputs[side]);
    const ValueId prediction = sub->inputs[1 - side];
    if (target != no_value && view.graph.value(prediction).role == Role::computed) return Loss{prediction, target};
  }
  return std::nullopt;
}

}  // namespace

void recognise_loss(Graph& graph) {
  const View view{graph, producers(graph), use_counts(graph)};
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId output = graph.outputs[i];
    const std::optional<Loss> loss = loss_at(view, output);
    if (!loss) continue;
    graph.loss = output;
    graph.value(loss->target).role = Role::label;
    graph.outputs.erase(graph.outputs.begin() + static_cast<std::ptrdiff_t>(i));
    if (graph.outputs.empty()) graph.outputs.push_back(loss->prediction);
    return;
  }
}

}  // namespace tinytc::importer
