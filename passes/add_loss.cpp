// The loss on a graph's output; see add_loss.h.
#include "passes/add_loss.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/op.h"

namespace tinytc {

namespace {

struct LossKind {
  std::string name;  // of the option
  std::string op;    // on the output
  bool class_labels;
  // A final node with one of these operators is stepped over, and `op_before` is put on its input.
  std::vector<std::string> final_ops;
  std::string op_before;
};

const std::vector<LossKind>& table() {
  static const std::vector<LossKind> kinds{
      {"cross-entropy", "SoftmaxCrossEntropyLoss", true, {"Softmax", "LogSoftmax"}, "SoftmaxCrossEntropyLoss"},
      {"mse", "MeanSquaredErrorLoss", false, {}, ""},
      {"binary-cross-entropy", "BinaryCrossEntropyLoss", false, {"Sigmoid"}, "BinaryCrossEntropyWithLogitsLoss"},
      {"l1", "L1Loss", false, {}, ""},
      {"huber", "HuberLoss", false, {}, ""},
  };
  return kinds;
}

const LossKind& find_kind(const std::string& name) {
  for (const LossKind& kind : table())
    if (kind.name == name) return kind;
  std::string known;
  for (const LossKind& kind : table()) known += (known.empty() ? "" : ", ") + kind.name;
  throw UsageError(fmt::format("--loss {}: unknown\n  hint: one of {}", printable(name), known));
}

TensorType label_type(const TensorType& prediction, bool class_labels) {
  if (!class_labels) return prediction;
  Shape shape = prediction.shape;
  if (!shape.empty()) shape.erase(shape.begin() + (shape.size() > 1 ? 1 : 0));
  return {DType::i32, shape};
}

/// Class labels count classes along axis 1 (the only one of a vector); a final softmax along another axis means other classes.
void check_axis(const Graph& graph, const Node& last, const LossKind& kind) {
  if (!kind.class_labels) return;
  const auto rank = static_cast<std::int64_t>(graph.shape(last.inputs[0]).size());
  const std::int64_t given = last.attributes.get_int("axis", -1), axis = given < 0 ? given + rank : given, classes = rank > 1 ? 1 : 0;
  if (axis != classes)
    throw UserError(node_message(last.location, fmt::format("--loss {}: its classes are on axis {}, not {}", kind.name, axis, classes),
                                 {describe(graph.type(last.outputs[0]))}, "transpose the output, or flatten all but the classes into axis 0"));
}

/// "label", or the next such name that no value has.
std::string label_name(const Graph& graph) {
  std::string name = "label";
  const auto is_taken = [&](const Value& value) { return value.name == name; };
  while (std::any_of(graph.values.begin(), graph.values.end(), is_taken)) name += "_";
  return name;
}

}  // namespace

std::vector<std::string> loss_kinds() {
  std::vector<std::string> names;
  for (const LossKind& kind : table()) names.push_back(kind.name);
  return names;
}

void add_loss(Graph& graph, const std::string& name) {
  const LossKind& kind = find_kind(name);
  if (graph.loss != no_value) throw UserError("--loss: the graph ends in a loss of its own\n  hint: leave --loss away");
  if (graph.outputs.size() != 1)
    throw UserError(fmt::format(
        "--loss: the graph has {} outputs, one is needed\n  hint: export the output that learns alone, or a graph that ends in the sum of its losses",
        graph.outputs.size()));
  ValueId prediction = graph.outputs[0];
  Location location{"loss", kind.op, -1};
  std::string op_name = kind.op;
  const int producer = producers(graph)[static_cast<std::size_t>(prediction)];
  if (producer >= 0) {
    const Node& last = graph.nodes[static_cast<std::size_t>(producer)];
    if (std::find(kind.final_ops.begin(), kind.final_ops.end(), last.op->name) != kind.final_ops.end()) {
      check_axis(graph, last, kind);
      prediction = last.inputs[0];
      op_name = kind.op_before;
    }
  }
  const ValueId label = add_value(graph, {label_name(graph), label_type(graph.type(prediction), kind.class_labels), Role::label});
  graph.inputs.push_back(label);
  graph.loss = add_node(graph, op_name, {prediction, label}, 1, {}, location, "loss").front();
}

}  // namespace tinytc
