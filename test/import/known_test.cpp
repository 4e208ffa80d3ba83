// Operands that must be known and that nodes compute from constants: who runs graphs is asked for them.
#include <cstring>

#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

/// Answers every question with the next of the given numbers and keeps the graphs that were asked about.
struct Oracle {
  std::vector<float> answers;
  std::vector<Graph> asked = {};
  std::size_t next = 0;

  ImportOptions options() {
    ImportOptions result;
    result.evaluate = [this](const Graph& graph) {
      asked.push_back(graph);
      std::vector<std::vector<std::byte>> results;
      for (ValueId id : graph.outputs) {
        std::vector<std::byte> bytes(static_cast<std::size_t>(byte_count(graph.type(id))));
        std::memcpy(bytes.data(), &answers.at(next++), sizeof(float));
        results.push_back(std::move(bytes));
      }
      return results;
    };
    return result;
  }
};

const char* const clipped = "g (float[4] x) => (float[4] y) <int8 q = {6}, float s = {0.5}> { lo = DequantizeLinear(q, s) y = Clip(x, lo) }";

}  // namespace

TEST_CASE("a bound behind a DequantizeLinear of constants is known") {
  Oracle oracle{{3}};
  const Graph graph = import_graph(clipped, 21, oracle.options());
  CHECK(operators_of(graph) == std::vector<std::string>{"Clip"});
  CHECK(graph.nodes[0].attributes.get_float("min", 0) == 3);
  REQUIRE(oracle.asked.size() == 1);
  CHECK(operators_of(oracle.asked[0]) == std::vector<std::string>{"DequantizeLinear"});
  CHECK(oracle.asked[0].inputs.empty());
  CHECK(message_of([] { import_graph(clipped); }).find("'lo' (min) must be known at compile time") != std::string::npos);
}

TEST_CASE("one operand that must be known may need another, and what they come from is not trained") {
  Oracle oracle{{0.25F, 3}};
  const Graph graph = import_graph(
      "g (float[4] x) => (float[4] y, float[2] z) <float[2] w = {1, 2}, float[2] v = {3, 4}, int8 q = {6}> "
      "{ s = ReduceMax<keepdims = 0>(w) lo = DequantizeLinear(q, s) y = Clip(x, lo) z = Mul(w, v) }",
      21, oracle.options());
  CHECK(operators_of(graph) == std::vector<std::string>{"Clip", "Mul"});
  REQUIRE(oracle.asked.size() == 2);
  CHECK(operators_of(oracle.asked[0]) == std::vector<std::string>{"ReduceMax"});
  CHECK(operators_of(oracle.asked[1]) == std::vector<std::string>{"DequantizeLinear"});
  CHECK(input_of(graph, graph.nodes[1], 0).role == Role::constant);
  CHECK(input_of(graph, graph.nodes[1], 1).role == Role::parameter);
}

TEST_CASE("an operand that depends on an input is not known") {
  Oracle oracle{{}};
  const std::string message = message_of([&] {
    import_graph("g (float[4] x, int8 q) => (float[4] y) <float s = {0.5}> { lo = DequantizeLinear(q, s) y = Clip(x, lo) }", 21, oracle.options());
  });
  CHECK(message.find("'lo' (min) must be known at compile time") != std::string::npos);
  CHECK(oracle.asked.empty());
}

}  // namespace tinytc::test
