// Which exporter-made and hand-written training graphs are recognised. The models are made by make_models.py
// beside this file.
#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

struct Expected {
  const char* file;
  const char* label;
  DType label_type;
  const char* loss;
  std::vector<std::string> outputs;
};

}  // namespace

TEST_CASE("losses of exporters are recognised") {
  const Expected rows[] = {
      {"loss_sce", "label", DType::i32, "loss", {"y"}},
      {"loss_sce_weighted", "label", DType::i32, "loss", {"log_prob"}},
      {"loss_nll_sum", "label", DType::i32, "loss", {"y"}},
      {"loss_mse_sub_mul", "target", DType::f32, "loss", {"y"}},
      {"loss_mse_sub_pow", "target", DType::f32, "loss", {"y"}},
      {"loss_one_hot", "target", DType::f32, "loss", {"y"}},
      {"loss_cross_entropy_dynamo", "target", DType::i32, "loss", {"linear_2"}},
      {"loss_cross_entropy_legacy", "target", DType::i32, "loss", {"/body/fc3/Gemm_output_0"}},
      {"loss_nll_dynamo", "target", DType::i32, "loss", {"log_softmax"}},
      {"loss_nll_legacy", "target", DType::i32, "loss", {"/body/fc3/Gemm_output_0"}},
      {"loss_mse_dynamo", "target", DType::f32, "loss", {"linear_2"}},
      {"loss_mse_legacy", "target", DType::f32, "loss", {"/body/fc3/Gemm_output_0"}},
  };
  for (const Expected& row : rows) {
    INFO(row.file);
    const Graph graph = import_onnx(std::string(TINYTC_SOURCE_DIR "/test/import/data/") + row.file + ".onnx");
    REQUIRE(graph.loss != no_value);
    CHECK(graph.value(graph.loss).name == row.loss);
    std::vector<std::string> labels, outputs;
    for (const ValueId id : graph.inputs)
      if (graph.value(id).role == Role::label) {
        labels.push_back(graph.value(id).name);
        CHECK(graph.type(id).dtype == row.label_type);
      }
    for (const ValueId id : graph.outputs) outputs.push_back(graph.value(id).name);
    CHECK(labels == std::vector<std::string>{row.label});
    CHECK(outputs == row.outputs);
  }
}

TEST_CASE("predictions do not depend on the label") {
  // The second output of SoftmaxCrossEntropyLoss is the log-probabilities: asked for as a prediction, they
  // come from a LogSoftmax.
  const Graph graph = import_onnx(TINYTC_SOURCE_DIR "/test/import/data/loss_sce_weighted.onnx");
  std::vector<bool> needs_label(graph.values.size(), false);
  for (const ValueId id : graph.inputs)
    needs_label[static_cast<std::size_t>(id)] = graph.value(id).role == Role::label;
  for (const Node& node : graph.nodes)
    for (const ValueId input : node.inputs)
      if (input != no_value && needs_label[static_cast<std::size_t>(input)])
        for (const ValueId output : node.outputs)
          if (output != no_value) needs_label[static_cast<std::size_t>(output)] = true;
  for (const ValueId output : graph.outputs) CHECK(!needs_label[static_cast<std::size_t>(output)]);
  CHECK(needs_label[static_cast<std::size_t>(graph.loss)]);
}

TEST_CASE("what only looks like a loss is none") {
  // the "target" is read elsewhere, too
  const Graph shared = import_graph(
      "g (float[1,3] x, float[1,3] t) => (float l, float[1,3] y) "
      "{ p = Exp(x) d = Sub(p, t) s = Mul(d, d) l = ReduceMean<keepdims = 0>(s) y = Neg(t) }");
  REQUIRE(shared.loss == no_value);
  REQUIRE(shared.outputs.size() == 2);
  // not a scalar
  const Graph vector = import_graph(
      "g (float[2,3] x, float[2,3] t) => (float[2] l) { p = Exp(x) d = Sub(p, t) s = Mul(d, d) "
      "a = Constant<value_ints = [1]>() l = ReduceMean<keepdims = 0>(s, a) }");
  REQUIRE(vector.loss == no_value);
  // the product of two inputs' functions
  REQUIRE(import_graph("g (float[1,3] x, float[1,3] t) => (float l) { p = Exp(x) m = Mul(p, t) l = "
                       "ReduceSum<keepdims = 0>(m) }")
              .loss == no_value);
}

TEST_CASE("mean absolute error and a scaled squared error are recognised") {
  REQUIRE(import_graph("g (float[1,3] x, float[1,3] t) => (float l) "
                       "{ p = Exp(x) d = Sub(t, p) s = Abs(d) l = ReduceMean<keepdims = 0>(s) }")
              .loss != no_value);
  REQUIRE(import_graph(
              "g (float[1,3] x, float[1,3] t) => (float l) <float half = {0.5}> "
              "{ p = Exp(x) d = Sub(p, t) s = Mul(d, d) r = ReduceSum<keepdims = 0>(s) l = Mul(r, half) }")
              .loss != no_value);
}

}  // namespace tinytc::test
