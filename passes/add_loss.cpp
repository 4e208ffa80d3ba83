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
    throw UserError(fmt::format("--loss: the graph has {} outputs, one is needed", graph.outputs.size()));
  ValueId prediction = graph.outputs[0];
  Location location{"loss", kind.op, -1};
  std::string op_name = kind.op;
  const int producer = producers(graph)[static_cast<std::size_t>(prediction)];
  if (producer >= 0) {
    const Node& last = graph.nodes[static_cast<std::size_t>(producer)];
    if (std::find(kind.final_ops.begin(), kind.final_ops.end(), last.op->name) != kind.final_ops.end()) {
      prediction = last.inputs[0];
      op_name = kind.op_before;
    }
  }
  const ValueId label = add_value(graph, {"label", label_type(graph.type(prediction), kind.class_labels), Role::label});
  graph.inputs.push_back(label);
  graph.loss = add_node(graph, op_name, {prediction, label}, 1, {}, location, "loss").front();
}

}  // namespace tinytc
