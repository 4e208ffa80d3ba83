// Symbolic extents: the batch, --batch, --dim, and what is left open.
#include "test/import/model_text.h"

namespace tinytc::test {

namespace {
const std::string kBatch = "g (float[N,3] x) => (float[N,3] y) { y = Neg(x) }";
const std::string kSequence = "g (float[N,time,3] x) => (float[N,time,3] y) { y = Neg(x) }";
}  // namespace

TEST_CASE("a symbolic batch becomes 1, or what --batch says") {
  REQUIRE(import_graph(kBatch).type(0).shape == Shape{1, 3});
  const Graph graph = import_graph(kBatch, 21, {.batch = 4});
  REQUIRE(graph.shape(graph.inputs[0]) == Shape{4, 3});
  REQUIRE(graph.shape(graph.outputs[0]) == Shape{4, 3});
}

TEST_CASE("A symbol of any name is bound by --dim, the batch's too") {
  REQUIRE(import_graph(kSequence, 21, {.dims = {{"time", 7}}}).type(0).shape == Shape{1, 7, 3});
  REQUIRE(import_graph(kSequence, 21, {.dims = {{"time", 7}, {"N", 2}}}).type(0).shape == Shape{2, 7, 3});
}

TEST_CASE("One dimension may not get different numbers from --batch and --dim") {
  REQUIRE_THROWS_AS(import_graph(kSequence, 21, {.batch = 4, .dims = {{"time", 7}, {"N", 3}}}), UsageError);
  REQUIRE_THROWS_WITH(import_graph(kSequence, 21, {.batch = 4, .dims = {{"time", 7}, {"N", 3}}}), Catch::Contains("--batch 4 and --dim N=3"));
  REQUIRE(import_graph(kSequence, 21, {.batch = 4, .dims = {{"time", 7}, {"N", 4}}}).type(0).shape == Shape{4, 7, 3});
}

TEST_CASE("an extent without a name is called INPUT[AXIS]") {
  auto model = parse_text(
      "<ir_version: 8, opset_import: [\"\" : 21]> g (float[1,5] x) => (float[1,5] y) { y = Neg(x) }");
  auto* dim = model.mutable_graph()
                  ->mutable_input(0)
                  ->mutable_type()
                  ->mutable_tensor_type()
                  ->mutable_shape()
                  ->mutable_dim(1);
  dim->clear_dim_value();
  model.mutable_graph()->clear_value_info();
  const std::string message = message_of([&] { import_model(model); });
  REQUIRE_THAT(message, Catch::Contains("--dim 'x[1]=N'"));
  REQUIRE(import_model(model, {.dims = {{"x[1]", 6}}}).type(0).shape == Shape{1, 6});
  dim->set_dim_value(-1);  // how some exporters write "open"
  REQUIRE(import_model(model, {.dims = {{"x[1]", 6}}}).type(0).shape == Shape{1, 6});
}

TEST_CASE("a symbol on another axis than the first is no batch") {
  const std::string graph = "g (float[n,4] x, float[4,n] z) => (float[n,n] y) { y = MatMul(x, z) }";
  REQUIRE_THAT(message_of([&] { import_graph(graph); }), Catch::Contains("--dim 'n=N'"));
  const Graph bound = import_graph(graph, 21, {.dims = {{"n", 2}}});
  REQUIRE(bound.shape(bound.outputs[0]) == Shape{2, 2});
}

TEST_CASE("every open dimension is named at once, with where it is") {
  const std::string message =
      message_of([] { import_graph("g (float[N,a,b] x) => (float[N,a,b] y) { y = Neg(x) }"); });
  REQUIRE_THAT(message, Catch::Contains("'a' at axis 1 of input 'x'") &&
                            Catch::Contains("'b' at axis 2 of input 'x'"));
  REQUIRE_THAT(message, Catch::Contains("hint: add --dim 'a=N' --dim 'b=N'"));
}

TEST_CASE("options that name nothing of the model are mistakes") {
  REQUIRE_THAT(
      message_of([] { import_graph(kSequence, 21, {.dims = {{"tme", 7}, {"time", 7}}}); }),
      Catch::Contains("--dim tme: the model has no open dimension of that name; it has: 'N', 'time'"));
  REQUIRE_THAT(message_of([] { import_graph(kSequence, 21, {.dims = {{"time", 0}}}); }),
               Catch::Contains("must be at least 1"));
  REQUIRE_THAT(
      message_of([] { import_graph("g (float[1,3] x) => (float[1,3] y) { y = Neg(x) }", 21, {.batch = 2}); }),
      Catch::Contains("the model's batch is fixed"));
  REQUIRE_NOTHROW(import_graph("g (float[2,3] x) => (float[2,3] y) { y = Neg(x) }", 21, {.batch = 2}));
}

}  // namespace tinytc::test
