// The backward pass and the updates, on random graphs: gradients against differences of the loss, updated
// weights against the gradients.
#include <catch2/catch.hpp>

#include <cmath>

#include "compiler/lower.h"
#include "compiler/verify.h"
#include "passes/add_update.h"
#include "passes/choose_layout.h"
#include "passes/fuse.h"
#include "passes/order_calls.h"
#include "passes/plan_memory.h"
#include "passes/remove_dead.h"
#include "test/codegen/random_graph.h"

namespace tinytc::test {

namespace {

/// A random graph and, as its loss, the weighted mean of its outputs' tanh: bounded, so that no term drowns
/// the others.
RandomGraph with_loss(unsigned seed, DType dtype) {
  RandomGraph random(seed, {.dtype = dtype, .nodes = 14, .sums_any_order = true, .trains = true});
  Graph& graph = random.graph;
  const auto node = [&](const std::string& name, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return add_node(graph, name, std::move(inputs), 1, std::move(attributes), {name, name, 0}, "loss")
        .front();
  };
  for (ValueId id : graph.outputs) {
    const Shape shape = graph.shape(id);
    const ValueId weights = add_constant(graph, "weights", dtype, shape, random.draw_numbers(shape));
    const ValueId term =
        node("ReduceMean", {node("Mul", {node("Tanh", {id}), weights})}, {{"keepdims", std::int64_t{0}}});
    graph.loss = graph.loss == no_value ? term : node("Add", {graph.loss, term});
  }
  graph.outputs.clear();
  remove_dead(graph);
  return random;
}

bool has_parameter(const Graph& graph) {
  return std::any_of(graph.values.begin(), graph.values.end(),
                     [](const Value& value) { return value.role == Role::parameter; });
}

/// As main.cpp makes firmware of a graph, with a search for order and places.
Program compiled(Graph graph) {
  choose_layout(graph);
  verify(graph, "layout");
  fuse(graph);
  verify(graph, "fuse");
  Program program;
  lower(graph, Entry::run, program);
  order_calls(program, 2000);
  plan_memory(program, 2000);
  return program;
}

std::vector<double> numbers(DType dtype, const Tensor& tensor) {
  const auto count = static_cast<std::int64_t>(tensor.size()) / size_of(dtype);
  return numbers_of({"", {dtype, {count}}, Role::constant, tensor});
}

/// Parameters as inputs, so that one compilation serves all their values; outputs are their gradients, then
/// the loss.
struct GradientModel {
  std::vector<Tensor> feeds;
  std::vector<std::size_t> feed_of;  // by parameter that has a gradient
  std::unique_ptr<HostModel> model;

  GradientModel(RandomGraph random, DType) {
    Graph& graph = random.graph;
    const std::vector<ParameterGradient> gradients = add_backward(graph);
    verify(graph, "backward");
    feeds = random.feeds;
    for (const ParameterGradient& pair : gradients) {
      Value& parameter = graph.value(pair.parameter);
      feed_of.push_back(feeds.size());
      feeds.push_back(parameter.data);
      parameter.role = Role::input;
      parameter.data.clear();
      graph.inputs.push_back(pair.parameter);
      graph.outputs.push_back(pair.gradient);
    }
    remove_dead(graph);
    model = std::make_unique<HostModel>(compiled(graph));
  }
  double loss(const std::vector<Tensor>& inputs) { return numbers(DType::f64, model->run(inputs).back())[0]; }
};

/// The derivative along `direction` by the five-point formula.
double slope(GradientModel& model, std::size_t feed, const std::vector<double>& direction, double step) {
  const auto at = [&](double distance) {
    std::vector<Tensor> inputs = model.feeds;
    std::vector<double> moved = numbers(DType::f64, inputs[feed]);
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += distance * direction[i];
    inputs[feed] = encode(DType::f64, moved);
    return model.loss(inputs);
  };
  return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
}

}  // namespace

TEST_CASE("gradients of random graphs agree with differences of the loss") {
  int checked = 0, not_zero = 0;
  for (unsigned seed = 1; seed <= 10; ++seed) {
    RandomGraph random = with_loss(seed, DType::f64);
    if (!has_parameter(random.graph)) continue;
    GradientModel model(random, DType::f64);
    const std::vector<Tensor> results = model.model->run(model.feeds);
    for (std::size_t p = 0; p < model.feed_of.size(); ++p) {
      INFO("seed " << seed << ", parameter " << p);
      const std::vector<double> gradient = numbers(DType::f64, results[p]);
      const std::vector<double> direction = random.draw_numbers({static_cast<std::int64_t>(gradient.size())});
      double expected = 0, scale = 1;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        expected += gradient[i] * direction[i];
        scale += std::fabs(gradient[i] * direction[i]);
      }
      // The formula's error is step^4 / 30 times the fifth derivative, and rounding adds 1e-16 / step. With
      // step 1e-4 both stay below 1e-8 here; a wrong or missing term is of the gradient's own size.
      const double numeric = slope(model, model.feed_of[p], direction, 1e-4);
      CHECK(std::fabs(numeric - expected) <= 1e-7 * scale);
      ++checked;
      not_zero += std::fabs(numeric) > 1e-6 ? 1 : 0;
    }
  }
  CHECK(checked > 20);
  CHECK(not_zero > checked / 2);
}

TEST_CASE("a training step of random graphs moves every weight against its gradient") {
  constexpr float rate = 0.25F;
  for (unsigned seed = 101; seed <= 110; ++seed) {
    const RandomGraph random = with_loss(seed, DType::f32);
    if (!has_parameter(random.graph)) continue;
    Graph step = random.graph, gradients = random.graph;
    add_update(step, add_backward(step), {});
    remove_dead(step);
    verify(step, "update");
    const std::vector<ParameterGradient> pairs = add_backward(gradients);
    for (const ParameterGradient& pair : pairs) gradients.outputs.push_back(pair.gradient);
    std::vector<Tensor> feeds = random.feeds;
    const std::vector<Tensor> expected = HostModel(compiled(gradients)).run(feeds);
    feeds.push_back(encode(DType::f32, {rate}));
    HostModel model(compiled(step));
    CHECK(model.run(feeds).back() == expected.back());  // the loss, bit for bit
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const Value& parameter = random.graph.value(pairs[p].parameter);
      const std::vector<double> before = numbers(DType::f32, parameter.data),
                                after = numbers(DType::f32, model.persistent(parameter.name));
      const std::vector<double> gradient = numbers(DType::f32, expected[p]);
      INFO("seed " << seed << ", parameter " << printable(parameter.name));
      double worst = 0;
      for (std::size_t i = 0; i < before.size(); ++i)
        worst = std::max(worst, std::fabs(after[i] - (before[i] - rate * gradient[i])) /
                                    std::max(1.0, std::fabs(gradient[i])));
      CHECK(worst <= 1e-6);  // a few roundings of 6e-8
    }
  }
}

}  // namespace tinytc::test
