// Small graphs for tests, one line a value.
#pragma once

#include "compiler/op.h"

namespace tinytc {

struct GraphBuilder {
  Graph graph;

  ValueId input(const std::string& name, Shape shape, DType dtype = DType::f32, Role role = Role::input) {
    const ValueId id = add_value(graph, {name, {dtype, std::move(shape)}, role});
    graph.inputs.push_back(id);
    return id;
  }
  /// Elements 1, 2, 3, ... unless they are given.
  ValueId constant(const std::string& name, Shape shape, std::vector<double> numbers = {},
                   Role role = Role::constant) {
    for (std::int64_t i = static_cast<std::int64_t>(numbers.size()); i < element_count(shape); ++i)
      numbers.push_back(static_cast<double>(i + 1));
    const ValueId id = add_constant(graph, name, DType::f32, shape, numbers);
    graph.value(id).role = role;
    return id;
  }
  ValueId parameter(const std::string& name, Shape shape, std::vector<double> numbers = {}) {
    return constant(name, std::move(shape), std::move(numbers), Role::parameter);
  }
  /// The first output; it is named like the node.
  ValueId node(const std::string& op_name, std::vector<ValueId> inputs, Attributes attributes = {},
               int outputs = 1) {
    const auto index = static_cast<int>(graph.nodes.size());
    const std::string name = op_name + std::to_string(index);
    const ValueId id = add_node(graph, op_name, std::move(inputs), outputs, std::move(attributes),
                                {name, op_name, index}, name)
                           .front();
    graph.value(id).name = name;
    return id;
  }
  void output(ValueId id) { graph.outputs.push_back(id); }
};

/// Operators of the graph's nodes, in order.
inline std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op->name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace tinytc
