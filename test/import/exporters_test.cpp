// The same network from different exporters gives the same operators and the same parameters. The models are
// made by make_models.py.
#include <algorithm>
#include <map>

#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

using Names = std::vector<std::string>;

Graph import_data(const std::string& name, const ImportOptions& options = {}) {
  return import_onnx(TINYTC_SOURCE_DIR "/test/import/data/" + name + ".onnx", options);
}

std::map<std::string, std::vector<double>> parameters_of(const Graph& graph) {
  std::map<std::string, std::vector<double>> parameters;
  for (const Value& value : graph.values)
    if (value.role == Role::parameter) parameters[value.name] = numbers_of(value);
  return parameters;
}

/// The sums of all parameters, sorted: exporters rename and transpose weights but do not change them.
std::vector<double> parameter_sums(const Graph& graph) {
  std::vector<double> sums;
  for (const auto& [name, numbers] : parameters_of(graph)) {
    double sum = 0;
    for (const double number : numbers) sum += number;
    sums.push_back(sum);
  }
  std::sort(sums.begin(), sums.end());
  return sums;
}

}  // namespace

TEST_CASE("an MLP is the same from every exporter and opset") {
  const Graph reference = import_data("mlp_dynamo");
  REQUIRE(operators_of(reference) == Names{"Gemm", "Relu", "Gemm", "Tanh", "Gemm"});
  for (const char* name : {"mlp_legacy", "mlp_opset9", "mlp_dynamic", "mlp_legacy_dynamic"}) {
    INFO(name);
    const Graph graph = import_data(name);
    CHECK(operators_of(graph) == operators_of(reference));
    CHECK(parameters_of(graph) == parameters_of(reference));
    CHECK(graph.shape(graph.outputs[0]) == reference.shape(reference.outputs[0]));
  }
  const Graph batch = import_data("mlp_dynamic", {.batch = 8});
  REQUIRE(batch.shape(batch.outputs[0])[0] == 8);
}

TEST_CASE("convolutional networks are the same from both exporters") {
  for (const auto& [one, other] : {std::pair{"cnn_bn_dynamo", "cnn_bn_legacy"},
                                   std::pair{"depthwise_residual_dynamo", "depthwise_residual_legacy"},
                                   std::pair{"depthwise_residual_dynamo", "depthwise_residual_dynamic"},
                                   std::pair{"autoencoder_dynamo", "autoencoder_legacy"}}) {
    INFO(one << " and " << other);
    const Graph a = import_data(one);
    const Graph b = import_data(other);
    CHECK(a.nodes.size() == b.nodes.size());
    // Both fold batch norm into the convolution, in float32 and not in the same order: a few last bits of each weight.
    const auto sums_a = parameter_sums(a), sums_b = parameter_sums(b);
    REQUIRE(sums_a.size() == sums_b.size());
    for (std::size_t i = 0; i < sums_a.size(); ++i) CHECK(sums_a[i] == Approx(sums_b[i]).margin(1e-6));
    CHECK(a.type(a.outputs[0]) == b.type(b.outputs[0]));
  }
}

TEST_CASE("transformers are read from both exporters") {
  const Graph reference = import_data("transformer_dynamo");
  for (const char* name : {"transformer_legacy", "transformer_dynamic"}) {
    INFO(name);
    const Graph graph = import_data(name);
    CHECK(graph.type(graph.outputs[0]) == reference.type(reference.outputs[0]));
  }
  CHECK(import_data("encoder_layer_dynamo").type(import_data("encoder_layer_dynamo").outputs[0]).shape ==
        import_data("encoder_layer_legacy").type(import_data("encoder_layer_legacy").outputs[0]).shape);
}

TEST_CASE("the benchmark models are read") {
  const std::filesystem::path folder = TINYTC_SOURCE_DIR "/../shared/models";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: ../shared is absent");
    return;
  }
  for (const char* name : {"mlperf_tiny/kws", "mlperf_tiny/ic", "mlperf_tiny/vww", "mlperf_tiny/ad",
                           "mcunet/mbv2_w035_128", "mcunet/mcunet5fps"}) {
    INFO(name);
    const Graph graph = import_onnx(folder / (std::string(name) + "_float.onnx"));
    CHECK(graph.nodes.size() > 10);
    CHECK(graph.outputs.size() == 1);
  }
}

}  // namespace tinytc::test
