// Layout rules: an operator on permuted operands, put back, gives what it gives on the operands themselves.
//
// The graph of all gradient cases (forward and gradient nodes) runs twice: as it is, and with every node that
// has a permuting rule between Transposes.
#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>

#include "test/codegen/ops_cases.h"

namespace tinytc {

namespace {

/// The next axes first: a permutation that is not its own inverse from rank 3 on.
Ints rotation(std::size_t rank) {
  Ints perm(rank);
  for (std::size_t k = 0; k < rank; ++k) perm[k] = static_cast<std::int64_t>((k + 1) % rank);
  return perm;
}

Ints inverse(const Ints& perm) {
  Ints result(perm.size());
  for (std::size_t k = 0; k < perm.size(); ++k)
    result[static_cast<std::size_t>(perm[k])] = static_cast<std::int64_t>(k);
  return result;
}

bool all_fit(const Graph& graph, const Node& node, std::size_t rank) {
  for (ValueId id : node.inputs)
    if (id != no_value && graph.shape(id).size() != rank && !graph.shape(id).empty()) return false;
  return true;
}

/// Whether the node takes this permutation; then its attributes are rewritten.
bool permute(const Graph& graph, Node& node, const Ints& perm) {
  if (node.op->layout.permute != nullptr) return node.op->layout.permute(node, perm);
  return node.op->layout.elementwise && all_fit(graph, node, perm.size());
}

ValueId transposed(Graph& graph, ValueId id, const Ints& perm) {
  return add_node(graph, "Transpose", {id}, 1, {{"perm", perm}}, {},
                  "t" + std::to_string(graph.values.size()))
      .front();
}

/// Appends the node between Transposes.
void add_permuted(Graph& graph, Node node, const Ints& perm) {
  for (ValueId& id : node.inputs)
    if (id != no_value && graph.shape(id).size() == perm.size()) id = transposed(graph, id, perm);
  const std::vector<ValueId> wanted = node.outputs;
  const std::vector<TensorType> types = infer_types(graph, node);
  for (std::size_t o = 0; o < wanted.size(); ++o) {
    if (wanted[o] == no_value || graph.shape(wanted[o]).size() != perm.size()) continue;
    node.outputs[o] = add_value(graph, {"p" + std::to_string(graph.values.size()), types[o]});
  }
  graph.nodes.push_back(node);
  for (std::size_t o = 0; o < wanted.size(); ++o)
    if (node.outputs[o] != wanted[o])
      graph.nodes.push_back(
          {&op("Transpose"), {node.outputs[o]}, {wanted[o]}, {{"perm", inverse(perm)}}, node.location});
}

}  // namespace

TEST_CASE("operators with a layout rule give the same on permuted operands") {
  std::vector<std::vector<double>> feeds;
  const Graph plain = gradient_graph(feeds);
  Graph changed = plain;
  std::set<std::string> permuted;
  changed.nodes.clear();
  for (const Node& node : plain.nodes) {
    const std::size_t rank = node.inputs.empty() ? 0 : plain.shape(node.inputs[0]).size();
    Node copy = node;
    if (rank < 2 || !permute(plain, copy, rotation(rank))) {
      changed.nodes.push_back(node);
      continue;
    }
    permuted.insert(node.op->name);
    add_permuted(changed, copy, rotation(rank));
  }
  CHECK(permuted.size() > 60);  // about as many rows have such a rule
  const auto expected = NumberModel(plain).run(feeds), actual = NumberModel(changed).run(feeds);
  const std::vector<int> producer = producers(plain);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const int node = producer[static_cast<std::size_t>(plain.outputs[i])];
    INFO("output of " << (node < 0 ? "an input" : plain.nodes[static_cast<std::size_t>(node)].op->name));
    REQUIRE(actual[i].size() == expected[i].size());
    // Sums may be taken in another order.
    for (std::size_t k = 0; k < expected[i].size(); ++k)
      CHECK(std::fabs(actual[i][k] - expected[i][k]) < 1e-12 * (1 + std::fabs(expected[i][k])));
  }
}

}  // namespace tinytc
