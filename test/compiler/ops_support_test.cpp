// Runs tables of type-rule cases; see ops_support.h.
#include "test/compiler/ops_support.h"

#include <catch2/catch.hpp>

namespace tinytc {

namespace {

/// The outputs' types, or the message of the UserError.
std::vector<TensorType> types_of(const TypeCase& test, std::string& error) {
  Graph graph;
  Node node{&op(test.op), {}, {}, test.attributes, {"the node", test.op, 3}};
  for (std::size_t i = 0; i < test.inputs.size(); ++i)
    node.inputs.push_back(add_value(graph, {"input" + std::to_string(i), test.inputs[i], Role::input}));
  node.outputs.assign(std::max<std::size_t>(1, test.outputs.size()), no_value);
  try {
    return infer_types(graph, node);
  } catch (const UserError& e) {
    error = e.what();
    return {};
  }
}

}  // namespace

void check_types(const std::vector<TypeCase>& cases) {
  for (const TypeCase& test : cases) {
    INFO(test.op << (test.inputs.empty() ? "" : " of " + describe(test.inputs[0]))
                 << (test.error.empty() ? "" : ": " + test.error));
    std::string error;
    const std::vector<TensorType> types = types_of(test, error);
    if (!test.error.empty()) {
      CHECK_THAT(error, Catch::Contains(test.error));
      CHECK_THAT(error, Catch::Contains("node 'the node' (" + test.op + ", #3)"));
      continue;
    }
    CHECK(error == "");
    REQUIRE(types.size() >= test.outputs.size());
    for (std::size_t i = 0; i < test.outputs.size(); ++i)
      CHECK(describe(types[i]) == describe(test.outputs[i]));
  }
}

TEST_CASE("a message about a type names the node, its inputs and where they come from") {
  Graph graph;
  const ValueId x = add_value(graph, {"x", f32({2, 3}), Role::input});
  const ValueId w = add_value(graph, {"w", f32({4}), Role::parameter});
  const ValueId y = add_node(graph, "Relu", {x}, 1, {}, {"relu1", "Relu", 0}, "y").front();
  try {
    add_node(graph, "Add", {y, w}, 1, {}, {"add1", "Add", 1}, "z");
    FAIL("no error");
  } catch (const UserError& error) {
    CHECK(
        std::string(error.what()) ==
        "node 'add1' (Add, #1): shapes cannot be broadcast together: input 1 has extent 4 where 3 is needed\n"
        "  f32[2,3]  from node 'relu1' (Relu, #0)\n"
        "  f32[4]  parameter 'w'");
  }
}

TEST_CASE("every operator has a type rule and every operator has a lowering") {
  for (const OpDef* row : all_ops()) {
    INFO(row->name);
    CHECK(row->infer != nullptr);
    CHECK(row->min_inputs >= 0);
    CHECK((row->max_inputs < 0 || row->max_inputs >= row->min_inputs));
    for (const Update& update : row->updates)
      CHECK(update.output < (row->max_outputs < 0 ? 100 : row->max_outputs));
  }
}

}  // namespace tinytc
