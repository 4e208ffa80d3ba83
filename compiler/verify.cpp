// Checks of a Graph's invariants; see verify.h.
#include "compiler/verify.h"

#include <fmt/format.h>

#include "compiler/op.h"

namespace tinytc {

namespace {

class Verifier {
 public:
  Verifier(const Graph& graph, const std::string& stage) : graph_(graph), stage_(stage), defined_(graph.values.size(), false) {}

  void run() {
    for (std::size_t i = 0; i < graph_.values.size(); ++i) check_value(i);
    for (ValueId id : graph_.inputs) {
      const Role role = graph_.value(check_id(id)).role;
      ensure(role == Role::input || role == Role::label, "a graph input is neither input nor label");
    }
    if (graph_.learning_rate != no_value) check_id(graph_.learning_rate);
    for (const Node& node : graph_.nodes) check_node(node);
    for (ValueId id : graph_.outputs) ensure(defined_at(check_id(id)), "a graph output is not computed");
    if (graph_.loss != no_value) {
      ensure(defined_at(check_id(graph_.loss)), "the loss is not computed");
      ensure(element_count(graph_.shape(graph_.loss)) == 1, "the loss is not a scalar");
    }
  }

 private:
  void ensure(bool condition, const std::string& what) const { require(condition, fmt::format("after {}: {}", stage_, what)); }
  void ensure(bool condition, const Node& node, const std::string& what) const {
    if (!condition) throw InternalError(fmt::format("after {}: {}: {} ({})", stage_, describe(node.location), what, node.op->name));
  }
  bool defined_at(ValueId id) const { return defined_[static_cast<std::size_t>(id)]; }
  ValueId check_id(ValueId id) const {
    ensure(id >= 0 && static_cast<std::size_t>(id) < graph_.values.size(), "a value id is out of range");
    return id;
  }

  void check_value(std::size_t i) {
    const Value& value = graph_.values[i];
    const bool has_data = value.role == Role::constant || value.role == Role::parameter || value.role == Role::state;
    const std::int64_t wanted = has_data ? byte_count(value.type) : 0;
    ensure(static_cast<std::int64_t>(value.data.size()) == wanted, fmt::format("value '{}' has {} bytes of data, not {}",
                                                                               printable(value.name), value.data.size(), wanted));
    defined_[i] = value.role != Role::computed;
  }

  void check_node(const Node& node) {
    ensure(node.op != nullptr, "a node has no operator");
    for (ValueId id : node.inputs)
      if (id != no_value) ensure(defined_at(check_id(id)), node, "reads a value before it is computed, or after its update");
    const std::vector<TensorType> types = infer_types(graph_, node);
    ensure(node.outputs.size() <= types.size(), node, "has more outputs than its rule gives");
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == no_value) continue;
      ensure(graph_.value(check_id(id)).role == Role::computed && !defined_at(id), node, "computes a value that exists already");
      ensure(graph_.type(id) == types[i], node,
             fmt::format("output {} is {}, its rule says {}", i, describe(graph_.type(id)), describe(types[i])));
    }
    for (const Update& update : updates_of(node)) check_update(node, update);
    for (ValueId id : node.outputs)
      if (id != no_value) defined_[static_cast<std::size_t>(id)] = true;
  }

  void check_update(const Node& node, const Update& update) {
    const ValueId old = node.inputs[static_cast<std::size_t>(update.input)];
    const Role role = graph_.value(old).role;
    ensure(role == Role::parameter || role == Role::state, node, "updates what is neither parameter nor state");
    defined_[static_cast<std::size_t>(old)] = false;  // whoever reads it after this stands too late
  }

  const Graph& graph_;
  const std::string& stage_;
  std::vector<bool> defined_;
};

}  // namespace

void verify(const Graph& graph, const std::string& stage) { Verifier(graph, stage).run(); }

}  // namespace tinytc
