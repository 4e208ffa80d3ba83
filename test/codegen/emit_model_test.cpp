// The interface of the emitted class: names of arguments and results, regions, refusals. That it compiles
// with -Werror and computes the right thing is tested on emitted programs (test/emitted).
#include "codegen/emit_model.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

#include "compiler/lower.h"
#include "passes/make_entries.h"
#include "passes/plan_memory.h"
#include "test/codegen/codegen_support.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

EmittedModel emitted(const Graph& model, const TrainingOptions* training = nullptr,
                     const std::vector<std::string>& defines = {}) {
  Program program;
  program.name = "m";
  for (const auto& [entry, graph] : make_entries(model, training)) lower(graph, entry, program);
  plan_memory(program, 0);
  EmitOptions options;
  options.name = "m";
  TargetConfig target = test::cortex_m4();
  target.defines = defines;
  options.arms = slice_arms(target);
  EmittedModel text = emit_model(program, options);  // Clang's Sema judges the text: an InternalError if it is no C++
  text.finished.wait();  // it reads the program
  return text;
}

Graph squared_loss(GraphBuilder b, ValueId y, ValueId target) {
  b.output(y);
  b.graph.loss = b.node("MeanSquaredErrorLoss", {y, target});
  return b.graph;
}

}  // namespace

TEST_CASE("arguments called like keywords, methods, kernels' functions or parameters get other names") {
  GraphBuilder b;
  std::vector<ValueId> inputs;
  for (const char* name :
       {"class_", "predict", "call_concat", "at", "arena_", "learning_rate", "model", "int", "*/ \n"})
    inputs.push_back(b.input(name, {2}));
  const ValueId y = b.node("Concat", inputs, {{"axis", std::int64_t{0}}});
  b.graph.value(y).name = "copy_bytes";
  b.output(y);
  CHECK_THAT(
      emitted(b.graph).header,
      Catch::Contains(
          "predict(const float* class_value, const float* x_predict, const float* x_call_concat, const "
          "float* x_at, "
          "const float* arena, const float* x_learning_rate, const float* x_model, const float* x_int, "));
}

TEST_CASE("a result that is another's value, an input or a constant is an argument of its own") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2}), y = b.node("Neg", {x});
  for (ValueId id : {y, y, x, b.constant("c", {3})}) b.output(id);
  const std::string header = emitted(b.graph).header;
  CHECK_THAT(header,
             Catch::Contains("predict(const float* x, float* Neg0, float* Neg0_n2, float* x_n2, float* c)"));
  CHECK_THAT(header, Catch::Contains("output_Neg0_n2()") && Catch::Contains("output_c()"));
}

TEST_CASE("a model of constants has no memory") {
  GraphBuilder b;
  b.output(b.constant("c", {3}));
  const EmittedModel model = emitted(b.graph);
  CHECK_THAT(model.header, Catch::Contains("predict(float* c)") && !Catch::Contains("arena_["));
  CHECK(model.table_bytes == 12);
}

TEST_CASE("an input or output without elements is refused") {
  GraphBuilder b;
  b.output(b.node("Neg", {b.input("x", {0, 4})}));
  CHECK_THROWS_AS(emitted(b.graph), UserError);
}

TEST_CASE("only a single argument may be the model's own region") {
  const TrainingOptions training;
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3}), y = b.node("MatMul", {x, b.parameter("w", {3, 4})});
  SECTION("a target of real numbers is a second one") {
    const std::string header =
        emitted(squared_loss(b, y, b.input("t", {2, 4}, DType::f32, Role::label)), &training).header;
    CHECK_THAT(header, Catch::Contains("must not be the model's own regions"));
  }
  SECTION("a class index is not") {
    GraphBuilder c;
    const ValueId scores = c.node("MatMul", {c.input("x", {1, 3}), c.parameter("w", {3, 4})});
    const ValueId label = c.input("t", {1}, DType::i32, Role::label);
    c.output(scores);
    c.graph.loss = c.node("SoftmaxCrossEntropyLoss", {scores, label});
    const EmittedModel model = emitted(c.graph, &training);
    CHECK_THAT(model.header,
               Catch::Contains("may be the model's own region") &&
                   Catch::Contains("train_step(const float* x, std::int32_t t, float learning_rate)"));
    CHECK_THAT(model.finished.get().source, Catch::Contains("labels_in_range(&t, 1, 4, 0)"));
  }
}

TEST_CASE("a measured source has only the elements that a compiler looks at") {
  std::vector<double> late(600, 1.0);
  late[400] = 7;
  GraphBuilder b;
  ValueId y = b.input("x", {600});
  for (const auto& [name, numbers] : std::map<std::string, std::vector<double>>{{"counted", {}}, {"equal", std::vector<double>(600, 3.0)}, {"late", late}})
    y = b.node("Add", {y, b.constant(name, {600}, numbers)});
  b.output(y);
  const EmittedModel model = emitted(b.graph);
  const auto count = [](const std::string& source, const std::string& table) {
    const std::size_t start = source.find(" w_" + table + "[600] = {");
    REQUIRE(start != std::string::npos);
    const auto first = source.begin() + static_cast<std::ptrdiff_t>(start);
    return std::count(first, std::find(first, source.end(), '}'), 'F');  // 1.0F
  };
  for (const char* table : {"counted", "equal", "late"}) CHECK(count(model.finished.get().source, table) == 600);
  CHECK(count(model.source_for_measuring, "counted") == 256);
  CHECK(count(model.source_for_measuring, "equal") == 600);  // compilers fold every read of it
  CHECK(count(model.source_for_measuring, "late") == 401);   // up to the first that differs
}

TEST_CASE("loading a checkpoint clears sums of gradients and nothing else") {
  TrainingOptions training;
  training.accumulate = true;
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3}), y = b.node("MatMul", {x, b.parameter("gradient_w", {3, 4})});
  const std::string source =
      emitted(squared_loss(b, y, b.input("t", {2, 4}, DType::f32, Role::label)), &training).finished.get().source;
  const std::string load = source.substr(source.find("Status Model::load"));
  std::size_t cleared = 0;
  for (std::size_t at = load.find("memset"); at < load.find("Status::ok"); at = load.find("memset", at + 1))
    ++cleared;
  CHECK(cleared == 2);  // the sum and the count
}

TEST_CASE("what kernels have to know of the target is stated before them") {
  GraphBuilder b;
  b.output(b.node("Neg", {b.input("x", {2})}));
  CHECK_THAT(emitted(b.graph).finished.get().source, !Catch::Contains("#define TINYTC_FAST 1"));
  const std::string source = emitted(b.graph, nullptr, {"TINYTC_FAST=1"}).finished.get().source;
  CHECK_THAT(source, Catch::Contains("#ifndef TINYTC_FAST\n#define TINYTC_FAST 1\n#endif\n"));
  CHECK(source.find("#define TINYTC_FAST 1") < source.find("namespace m {"));
}

}  // namespace tinytc
