// Reverse-mode differentiation; see add_backward.h. A forward sweep marks what depends on a parameter, a backward sweep asks each node's
// gradient rule (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3).
#include "passes/add_backward.h"

#include <fmt/format.h>

#include "compiler/op.h"

namespace tinytc {

namespace {

class Differentiation {
 public:
  explicit Differentiation(Graph& graph) : graph_(graph), gradient_(graph.values.size(), no_value), needed_(graph.values.size(), false) {}

  std::vector<ParameterGradient> run() {
    mark_needed();
    if (!needed_[index(graph_.loss)]) throw UserError("no trained tensor influences the loss\n  hint: choose others with --train");
    gradient_[index(graph_.loss)] =
        add_constant(graph_, "one", graph_.type(graph_.loss).dtype, graph_.shape(graph_.loss), {1.0});
    const std::size_t forward_nodes = graph_.nodes.size();
    for (std::size_t n = forward_nodes; n-- > 0;) visit(n);
    errors_.throw_if_any();
    std::vector<ParameterGradient> result;
    for (std::size_t i = 0; i < needed_.size(); ++i)
      if (graph_.values[i].role == Role::parameter && gradient_[i] != no_value)
        result.push_back({static_cast<ValueId>(i), gradient_[i]});
    return result;
  }

 private:
  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

  void mark_needed() {
    for (std::size_t i = 0; i < graph_.values.size(); ++i) needed_[i] = graph_.values[i].role == Role::parameter;
    for (const Node& node : graph_.nodes) {
      bool any = false;
      for (ValueId id : node.inputs) any = any || (id != no_value && needed_[index(id)]);
      for (ValueId id : node.outputs)
        if (any && id != no_value && is_float(graph_.type(id).dtype)) needed_[index(id)] = true;
    }
  }

  void visit(std::size_t n) {
    const Node& node = graph_.nodes[n];
    std::vector<ValueId> outputs;
    bool reached = false;
    for (ValueId id : node.outputs) {
      outputs.push_back(id == no_value ? no_value : gradient_[index(id)]);
      reached = reached || outputs.back() != no_value;
    }
    std::vector<bool> needed;
    bool wanted = false;
    for (ValueId id : node.inputs) {
      needed.push_back(id != no_value && needed_[index(id)]);
      wanted = wanted || needed.back();
    }
    if (!reached || !wanted) return;
    if (node.op->gradient == nullptr) {
      errors_.add(node_message(node.location, "has no gradient, but a trained tensor lies before it", {},
                               "train only tensors behind it, e.g. --train last:1"));
      return;
    }
    GradientContext context(graph_, n, std::move(outputs), std::move(needed));
    context.node.op->gradient(context);
    for (std::size_t i = 0; i < context.input_gradients().size(); ++i)
      if (context.needs(static_cast<int>(i))) add(context.node.inputs[i], context.input_gradients()[i], context.node.location);
  }

  void add(ValueId value, ValueId gradient, const Location& location) {
    require(gradient != no_value, fmt::format("{}: its gradient rule left out an input", describe(location)));
    require(graph_.shape(value) == graph_.shape(gradient),
            fmt::format("{}: gradient {} of a value {}", describe(location), describe(graph_.type(gradient)), describe(graph_.type(value))));
    ValueId& sum = gradient_[index(value)];
    sum = sum == no_value ? gradient : add_node(graph_, "Add", {sum, gradient}, 1, {}, location, "gradient/" + location.node).front();
  }

  Graph& graph_;
  std::vector<ValueId> gradient_;  // by forward value; no_value: none yet
  std::vector<bool> needed_;       // by forward value: depends on a parameter
  ErrorList errors_;
};

}  // namespace

std::vector<ParameterGradient> add_backward(Graph& graph) {
  if (graph.loss == no_value)
    throw UserError("training needs a loss\n  hint: the graph has none; add --loss cross-entropy|mse|binary-cross-entropy|l1|huber");
  return Differentiation(graph).run();
}

}  // namespace tinytc
