// Quantizing whole graphs with samples: against the same graph in single precision.
#include "codegen/quantize_model.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "codegen/observe.h"
#include "compiler/verify.h"
#include "passes/equalize.h"
#include "passes/fuse_quantized.h"
#include "test/codegen/random_graph.h"
#include "test/compiler/graph_builder.h"

namespace tinytc::test {

namespace {

Samples draw(const Graph& graph, int count, unsigned seed) {
  std::mt19937 random(seed);
  Samples samples;
  samples.count = count;
  for (ValueId id : graph.inputs) {
    std::vector<float> numbers;
    for (std::int64_t i = 0; i < count * element_count(graph.shape(id)); ++i) numbers.push_back(static_cast<float>(random() % 2001) / 1000.0F - 1.0F);
    samples.inputs.push_back(std::move(numbers));
  }
  return samples;
}

using Outputs = std::vector<std::vector<double>>;  // [output][elements of all samples]

Outputs run(const Graph& graph, const Samples& samples) {
  HostModel model(graph);
  Outputs outputs(graph.outputs.size());
  for (int s = 0; s < samples.count; ++s) {
    const std::vector<Tensor> results = model.run(sample_arguments(samples, graph, s));
    for (std::size_t o = 0; o < results.size(); ++o)
      for (double number : numbers_of({"", graph.type(graph.outputs[o]), Role::constant, results[o]})) outputs[o].push_back(number);
  }
  return outputs;
}

double mean_square(const std::vector<double>& a, const std::vector<double>* b = nullptr) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - (b != nullptr ? (*b)[i] : 0), 2);
  return sum / static_cast<double>(std::max<std::size_t>(a.size(), 1));
}

/// A convolution, a ReLU and another convolution; `spread`: how much larger each channel between them is than the one before it.
struct TwoLayers : GraphBuilder {
  explicit TwoLayers(double spread) {
    std::mt19937 random(3);
    const auto numbers = [&](std::int64_t count) {
      std::vector<double> result;
      for (std::int64_t i = 0; i < count; ++i) result.push_back(static_cast<double>(random() % 2001) / 1000.0 - 1.0);
      return result;
    };
    std::vector<double> w = numbers(8 * 3 * 9), b = numbers(8), v = numbers(4 * 8);
    for (std::size_t c = 0; c < 8; ++c) {
      const double factor = std::pow(spread, static_cast<double>(c));
      for (std::size_t i = 0; i < 27; ++i) w[c * 27 + i] *= factor;
      b[c] *= factor;
      for (std::size_t o = 0; o < 4; ++o) v[o * 8 + c] /= factor;
    }
    const ValueId x = input("x", {1, 3, 6, 6});
    const ValueId y = node("Relu", {node("Conv", {x, constant("w", {8, 3, 3, 3}, w), constant("b", {8}, b)})});
    output(node("Conv", {y, constant("v", {4, 8, 1, 1}, v)}));
  }
};

double error_of(const Graph& real, const QuantizeOptions& options) {
  const Samples samples = draw(real, 40, 1), others = draw(real, 40, 2);
  Graph graph = real;
  quantize_model(graph, samples, options);
  fuse_quantized(graph);
  return mean_square(run(graph, others)[0], &run(real, others).front());
}

}  // namespace

TEST_CASE("Equalization keeps every bit of the float network") {
  TwoLayers b(2.3);
  Graph graph = b.graph;
  const std::vector<EqualizedPair> pairs = find_pairs(graph);
  REQUIRE(pairs.size() == 1);
  std::vector<double> largest;
  for (int c = 0; c < 8; ++c) largest.push_back(10 * std::pow(2.3, c));
  REQUIRE(equalize(graph, pairs[0], largest));
  const Samples samples = draw(graph, 3, 5);
  CHECK(run(graph, samples) == run(b.graph, samples));
}

TEST_CASE("Equalization lowers the error of a network whose channels differ much") {
  TwoLayers b(2);
  // 128 steps between the smallest and the largest channel: without it the smallest has one step of int8.
  CHECK(error_of(b.graph, {Calibration::minmax, {}, true}) < 0.25 * error_of(b.graph, {}));
}

TEST_CASE("Bias correction takes the mean error away") {
  // Every weight of a channel is 0.35 of a step above a stored number: the sum of positive inputs is always too small.
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 64});
  std::vector<double> weights(64 * 2, 10.35);
  weights[0] = weights[1] = 127;
  b.output(b.node("Gemm", {b.node("Relu", {x}), b.constant("w", {64, 2}, weights)}));
  const Samples samples = draw(b.graph, 50, 7), others = draw(b.graph, 50, 8);
  Graph graph = b.graph;
  quantize_model(graph, samples, {});
  const Outputs real = run(b.graph, others), stored = run(graph, others);
  double mean = 0;
  for (std::size_t i = 0; i < real[0].size(); ++i) mean += (stored[0][i] - real[0][i]) / static_cast<double>(real[0].size());
  // Uncorrected it is 64 inputs * 0.25 on average * 0.35 = 5.6. What is left: the output's rounding (a step is near 3, uniform over 100
  // outputs: deviation 0.09) and the difference of the two sets' inputs (deviation 0.33 per input, 64 of them, 50 samples: 0.35 * 0.37 = 0.13).
  CHECK(std::abs(mean) < 0.6);
}

TEST_CASE("Scores that attention masks stay in float32 between int8 products, whatever the mask's number and the method") {
  for (const double number : {-std::numeric_limits<double>::infinity(), double{std::numeric_limits<float>::lowest()}, -1e9})
    for (const Calibration method : {Calibration::minmax, Calibration::percentile, Calibration::mse, Calibration::entropy}) {
      INFO(number << " " << name_of(method));
      GraphBuilder b;
      const ValueId x = b.input("x", {4, 4});
      const auto product = [&](ValueId y, double scale) {
        std::vector<double> w;
        for (int i = 0; i < 16; ++i) w.push_back(scale * (i * 5 % 7 - 3));
        return b.node("MatMul", {y, b.constant("w", {4, 4}, w)});
      };
      std::vector<double> mask(16, 0);
      for (std::size_t i = 0; i < 4; ++i) std::fill(mask.begin() + static_cast<std::ptrdiff_t>(i * 5 + 1), mask.begin() + static_cast<std::ptrdiff_t>(i * 4 + 4), number);
      const ValueId shares = b.node("Softmax", {b.node("Add", {product(x, 0.5), b.constant("mask", {4, 4}, mask)})});
      b.output(b.node("MatMul", {shares, product(x, 0.25)}));
      Graph graph = b.graph;
      const Samples samples = draw(graph, 20, 3);
      quantize_model(graph, samples, {method, {}, false});
      fuse_quantized(graph);
      const Names names = ops_of(graph);
      for (const char* real : {"Add", "Softmax"}) CHECK_THAT(names, Catch::VectorContains(std::string(real)));
      CHECK(std::count(names.begin(), names.end(), "Int8Dense") == 2);
      CHECK(std::count(names.begin(), names.end(), "Int8MatMul") == 1);
      // Scores and values are off by half a step of 255 on average, shares less than the scores: 40 dB against all of the signal.
      const Outputs real = run(b.graph, samples), stored = run(graph, samples);
      CHECK(mean_square(stored[0], &real[0]) < 1e-3 * mean_square(real[0]));
    }
}

TEST_CASE("Random graphs: quantized is near to float, and every node says where it computes") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    INFO("seed " << seed);
    RandomOptions few;
    few.nodes = 12;
    RandomGraph random(seed, few);
    const Samples samples = draw(random.graph, 6, seed);
    Graph graph = random.graph;
    std::erase_if(graph.outputs, [&](ValueId id) { return graph.value(id).role != Role::computed || graph.type(id).dtype != DType::f32; });
    const Graph real = graph;
    try {
      quantize_model(graph, samples, {});
    } catch (const UserError&) {
      continue;  // nothing in it has an int8 form, or it is not finite
    }
    verify(graph, "quantize");
    fuse_quantized(graph);
    verify(graph, "fuse_quantized");
    const Outputs stored = run(graph, samples), wanted = run(real, samples);
    for (std::size_t o = 0; o < stored.size(); ++o) {
      const auto [lo, hi] = std::minmax_element(wanted[o].begin(), wanted[o].end());
      // The samples are those of calibration, so nothing is clipped: a tensor's rounding error is at most half of 1/255 of its range. A dozen
      // operators one behind the other, some of which amplify, stay below a tenth of the range; a wrong scale or zero point does not.
      const double range = std::max({*hi, 0.0}) - std::min({*lo, 0.0});
      CHECK(std::sqrt(mean_square(stored[o], &wanted[o])) <= 0.1 * range + 1e-6);
    }
  }
}

TEST_CASE("Refused: quantized already, nothing to quantize") {
  TwoLayers b(1);
  const Samples samples = draw(b.graph, 4, 1);
  Graph graph = b.graph;
  quantize_model(graph, samples, {});
  CHECK_THROWS_WITH(quantize_model(graph, samples, {}), Catch::Contains("quantized already"));
  GraphBuilder light;
  light.output(light.node("Sigmoid", {light.input("x", {1, 3})}));
  CHECK_THROWS_WITH(quantize_model(light.graph, draw(light.graph, 2, 1), {}), Catch::Contains("no operator of the model has an int8 form"));
  Graph real = TwoLayers(1).graph;
  CHECK_THROWS_WITH(quantize_model(real, Samples{}, {}), Catch::Contains("no sample"));
}

}  // namespace tinytc::test
