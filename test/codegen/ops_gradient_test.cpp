// Every gradient rule against central differences, in double.
//
// For each case the rule is asked for the gradients of sum(y * dy) with a random dy. All cases form one
// graph, which is compiled once; a run with element k of each case's input j moved serves all cases.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>

#include "test/codegen/ops_cases.h"

namespace tinytc {

namespace {

// The five-point formula has an error of step^4 / 30 times the fifth derivative (about 1e-12 here) plus
// rounding noise of about 1e-15 / step; both are far below the tolerance. Kinks are kept more than 2 steps
// away by the choice of inputs.
constexpr double step = 1e-3;
constexpr double tolerance =
    1e-7;  // the project's bound for gradient checks, relative to the larger of 1 and the gradient

/// A case in the graph, by positions in the graph's inputs and outputs.
struct Placed {
  const GradientCase* test;
  std::vector<int> feeds;      // by operand; -1: not an input
  std::vector<int> outputs;    // outputs of the graph that are y
  std::vector<int> dy;         // feeds with the weights of those
  std::vector<int> gradients;  // by operand: output of the graph; -1: none
};

std::vector<double> draw(const Operand& operand, std::size_t offset, std::size_t total,
                         std::mt19937& random) {
  if (!operand.numbers.empty()) return operand.numbers;
  const auto count = static_cast<std::size_t>(element_count(operand.shape));
  std::vector<double> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    // Multiples of a number that is coprime to `total` visit each slot once: magnitudes are distinct within
    // the case.
    const double slot = static_cast<double>((offset + i) * 37 % total) + 0.5;
    const double size = operand.low + (operand.high - operand.low) * slot / static_cast<double>(total);
    numbers.push_back(operand.is_signed && random() % 2 == 0 ? -size : size);
  }
  return numbers;
}

class GradientGraph {
 public:
  explicit GradientGraph(const std::vector<GradientCase>& cases) {
    for (const GradientCase& test : cases) add(test);
  }
  Graph graph;
  std::vector<std::vector<double>> feeds;
  std::vector<Placed> placed;

 private:
  void add(const GradientCase& test) {
    Placed place{&test, {}, {}, {}, {}};
    std::size_t total = 0, offset = 0;
    for (const Operand& operand : test.inputs)
      total += static_cast<std::size_t>(element_count(operand.shape));
    while (total % 37 == 0) ++total;
    std::vector<ValueId> inputs;
    for (const Operand& operand : test.inputs) {
      const std::size_t before = feeds.size();
      inputs.push_back(add_operand(graph, operand, draw(operand, offset, total, random_), name(), feeds));
      place.feeds.push_back(feeds.size() > before ? static_cast<int>(before) : -1);
      offset += static_cast<std::size_t>(element_count(operand.shape));
    }
    add_node(graph, test.op, inputs, test.outputs, test.attributes,
             {test.op, test.op, static_cast<int>(placed.size())}, name());
    differentiate(place, graph.nodes.size() - 1);
    placed.push_back(std::move(place));
  }

  void differentiate(Placed& place, std::size_t index) {
    const Node node = graph.nodes[index];
    std::vector<ValueId> output_gradients(node.outputs.size(), no_value);
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      const TensorType type = graph.type(node.outputs[o]);
      if (!is_float(type.dtype) || static_cast<int>(o) >= place.test->counted) continue;
      place.outputs.push_back(output(node.outputs[o]));
      place.dy.push_back(static_cast<int>(feeds.size()));
      output_gradients[o] =
          add_operand(graph, any(type.shape), weights(element_count(type.shape)), name(), feeds);
    }
    std::vector<bool> needed;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      needed.push_back(place.feeds[i] >= 0 && is_float(graph.type(node.inputs[i]).dtype));
    GradientContext context(graph, index, output_gradients, needed);
    node.op->gradient(context);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      INFO(place.test->op << ", input " << i);
      const bool has = i < context.input_gradients().size() && context.input_gradients()[i] != no_value;
      REQUIRE((has || !needed[i]));
      if (needed[i])
        CHECK(describe(graph.type(context.input_gradients()[i])) == describe(graph.type(node.inputs[i])));
      place.gradients.push_back(needed[i] ? output(context.input_gradients()[i]) : -1);
    }
  }

  std::vector<double> weights(std::int64_t count) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < count; ++i)
      numbers.push_back(0.5 + static_cast<double>(random_() % 1000) / 1000);
    return numbers;
  }

  int output(ValueId id) {
    graph.outputs.push_back(id);
    return static_cast<int>(graph.outputs.size() - 1);
  }
  std::string name() { return "v" + std::to_string(names_++); }

  std::mt19937 random_{7};
  int names_ = 0;
};

using Numbers = std::vector<std::vector<double>>;

/// sum(y * dy) of a case.
double weighted_sum(const Placed& place, const Numbers& feeds, const Numbers& results) {
  double sum = 0;
  for (std::size_t o = 0; o < place.outputs.size(); ++o) {
    const auto& y = results[static_cast<std::size_t>(place.outputs[o])];
    const auto& dy = feeds[static_cast<std::size_t>(place.dy[o])];
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
  }
  return sum;
}

/// Sums of all cases with element k of their input j moved by `distance`.
std::vector<double> moved_sums(NumberModel& model, const GradientGraph& all, std::size_t j, std::size_t k,
                               double distance) {
  Numbers feeds = all.feeds;
  for (const Placed& place : all.placed) {
    if (j >= place.gradients.size() || place.gradients[j] < 0) continue;
    auto& numbers = feeds[static_cast<std::size_t>(place.feeds[j])];
    if (k < numbers.size()) numbers[k] += distance;
  }
  const Numbers results = model.run(feeds);
  std::vector<double> sums;
  for (const Placed& place : all.placed) sums.push_back(weighted_sum(place, feeds, results));
  return sums;
}

/// Largest numbers of inputs and of elements of one of them.
std::pair<std::size_t, std::size_t> extent_of(const GradientGraph& all) {
  std::size_t inputs = 0, elements = 0;
  for (const Placed& place : all.placed) {
    inputs = std::max(inputs, place.gradients.size());
    for (std::size_t i = 0; i < place.gradients.size(); ++i)
      if (place.gradients[i] >= 0)
        elements = std::max(elements, all.feeds[static_cast<std::size_t>(place.feeds[i])].size());
  }
  return {inputs, elements};
}

void check(const std::vector<GradientCase>& cases) {
  const GradientGraph all(cases);
  NumberModel model(all.graph);
  const Numbers results = model.run(all.feeds);
  std::vector<double> largest(all.placed.size(), 0.0);
  const auto [inputs, elements] = extent_of(all);
  for (std::size_t j = 0; j < inputs; ++j)
    for (std::size_t k = 0; k < elements; ++k) {
      const auto far_up = moved_sums(model, all, j, k, 2 * step), up = moved_sums(model, all, j, k, step);
      const auto down = moved_sums(model, all, j, k, -step),
                 far_down = moved_sums(model, all, j, k, -2 * step);
      for (std::size_t c = 0; c < all.placed.size(); ++c) {
        const Placed& place = all.placed[c];
        if (j >= place.gradients.size() || place.gradients[j] < 0) continue;
        const auto& gradient = results[static_cast<std::size_t>(place.gradients[j])];
        if (k >= gradient.size()) continue;
        const double numeric = (8 * (up[c] - down[c]) - (far_up[c] - far_down[c])) / (12 * step);
        largest[c] = std::max(largest[c], std::fabs(numeric));
        INFO(place.test->op << " (case " << c << "), input " << j << ", element " << k);
        CHECK(std::fabs(gradient[k] - numeric) <= tolerance * std::max(1.0, std::fabs(numeric)));
      }
    }
  for (std::size_t c = 0; c < all.placed.size(); ++c) {
    INFO(all.placed[c].test->op << " (case " << c << ")");
    CHECK(largest[c] > 0);
  }
}

}  // namespace

Graph gradient_graph(std::vector<std::vector<double>>& feeds) {
  GradientGraph all(gradient_cases());
  feeds = std::move(all.feeds);
  return std::move(all.graph);
}

TEST_CASE("gradient rules agree with central differences") { check(gradient_cases()); }

}  // namespace tinytc
