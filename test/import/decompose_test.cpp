// Operators written with others by rules of our own. Their numbers are held to ONNX's by the node tests
// (test/conformance), their gradients follow from those of what they become.
#include <algorithm>

#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

using Names = std::vector<std::string>;

const Names kNormalization = {"Reshape", "LayerNormalization", "Reshape", "Reshape", "Mul", "Reshape", "Add"};

/// Operators in alphabetical order: which of independent nodes stands first does not matter.
Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

const Node& node_of(const Graph& graph, const std::string& op) {
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [&](const Node& node) { return node.op->name == op; });
  REQUIRE(found != graph.nodes.end());
  return *found;
}

}  // namespace

TEST_CASE("InstanceNormalization is a LayerNormalization of one row a channel") {
  const Graph graph = import_graph(
      "g (float[2,3,4,5] x, float[3] s, float[3] b) => (float[2,3,4,5] y) { y = "
      "InstanceNormalization<epsilon "
      "= 0.25>(x, s, b) }");
  CHECK(sorted(operators_of(graph)) == sorted(kNormalization));
  const Node& norm = node_of(graph, "LayerNormalization");
  CHECK(graph.shape(norm.inputs[0]) == Shape{6, 20});
  CHECK(norm.attributes.get_float("epsilon", 0) == 0.25);
}

TEST_CASE("GroupNormalization is a LayerNormalization of one row a group") {
  const Graph graph = import_graph(
      "g (float[2,6,4] x, float[6] s, float[6] b) => (float[2,6,4] y) { y = GroupNormalization<num_groups = "
      "3>(x, s, b) }");
  CHECK(sorted(operators_of(graph)) == sorted(kNormalization));
  CHECK(graph.shape(node_of(graph, "LayerNormalization").inputs[0]) == Shape{6, 8});
}

TEST_CASE("GatherND with known indices is a Gather of rows") {
  const Graph graph = import_graph(
      "g (float[2,3,4] x) => (float[3,4] y) <int64[3,2] i = {0, 1, -1, -3, 1, 2}> { y = GatherND(x, i) }");
  CHECK(operators_of(graph) == Names{"Reshape", "Gather", "Reshape"});
  const Node& gather = node_of(graph, "Gather");
  CHECK(graph.shape(gather.inputs[0]) == Shape{6, 4});
  CHECK(integers_of(graph.value(gather.inputs[1])) == std::vector<std::int64_t>{1, 3, 5});
}

TEST_CASE("GatherND with indices that are not known, or outside, is refused") {
  CHECK_THROWS_WITH(import_graph("g (float[2,3] x, int64[2,2] i) => (float[2] y) { y = GatherND(x, i) }"),
                    Catch::Contains("not supported") && Catch::Contains("GatherND (1 node)"));
  CHECK_THROWS_WITH(
      import_graph("g (float[2,3] x) => (float[1] y) <int64[1,2] i = {2, 0}> { y = GatherND(x, i) }"),
      Catch::Contains("GatherND"));
}

}  // namespace tinytc::test
