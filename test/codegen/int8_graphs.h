// Small int8 graphs with seeded random numbers, and their execution as a target would have it, for tests that a pass keeps every bit.
#pragma once

#include <random>

#include "codegen/execute.h"
#include "compiler/lower.h"
#include "passes/choose_layout.h"
#include "passes/plan_memory.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

/// A core's kernels.
struct Core {
  bool dual_multiply = true, has_vectors = false;
};

/// Runs a graph that has its layout.
inline std::vector<Tensor> run_on(const Core& core, const Graph& graph, const std::vector<Tensor>& inputs) {
  Program program;
  program.dual_multiply = core.dual_multiply;
  program.has_vectors = core.has_vectors;
  lower(graph, Entry::run, program);
  plan_memory(program, 0);
  return HostModel(std::move(program)).run(inputs);
}

struct Int8Builder : GraphBuilder {
  explicit Int8Builder(unsigned seed) : random(seed) {}
  std::mt19937 random;

  int number(int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random); }
  std::vector<double> numbers(std::int64_t count, int lo, int hi) {
    std::vector<double> list;
    for (std::int64_t i = 0; i < count; ++i) list.push_back(number(lo, hi));
    return list;
  }
  ValueId stored(const std::string& name, DType dtype, const Shape& shape, const std::vector<double>& list) {
    return add_constant(graph, name, dtype, shape, list);
  }
  ValueId bytes(const std::string& name, const Shape& shape) { return input(name, shape, DType::i8); }

  /// A convolution kernel x kernel of [1,C,H,W] to `outputs` channels, with padding that keeps the size where `stride` is 1.
  ValueId conv(ValueId x, std::int64_t outputs, std::int64_t kernel, std::int64_t stride = 1) {
    const std::int64_t inputs = graph.shape(x)[1];
    Attributes attributes{{"pads", Shape(4, kernel / 2)}, {"strides", Shape{stride, stride}}, {"x_zero_point", std::int64_t{number(-128, 127)}}};
    set_output(attributes);
    return node("Int8Conv", {x, stored("w", DType::i8, {outputs, inputs, kernel, kernel}, numbers(outputs * inputs * kernel * kernel, -127, 127)),
                             stored("b", DType::i32, {outputs}, numbers(outputs, -3000, 3000)), stored("m", DType::i32, {outputs}, numbers(outputs, 1 << 22, 1 << 25))},
                std::move(attributes));
  }
  ValueId sum(ValueId a, ValueId b) {
    Attributes attributes{{"a_scale", 0.3 + 0.2 * number(0, 3)}, {"b_scale", 0.9 - 0.5 * number(0, 3)},
                          {"a_zero_point", std::int64_t{number(-128, 127)}}, {"b_zero_point", std::int64_t{number(-128, 127)}}};
    set_output(attributes);
    return node("Int8Sum", {a, b}, std::move(attributes));
  }
  /// Some output zero point; in every second case a ReLU.
  void set_output(Attributes& attributes) {
    const int zero_point = number(-60, 60);
    attributes.set("y_zero_point", std::int64_t{zero_point});
    attributes.set("y_lo", std::int64_t{number(0, 1) == 0 ? -128 : zero_point});
    attributes.set("y_hi", std::int64_t{127});
  }

  /// An input of random bytes (every third time -128 and 127 only) for each of the graph's.
  std::vector<Tensor> feeds() {
    std::vector<Tensor> list;
    for (ValueId id : graph.inputs) {
      Tensor feed(static_cast<std::size_t>(byte_count(graph.type(id))));
      const bool extreme = number(0, 2) == 0;
      for (std::byte& byte : feed) byte = static_cast<std::byte>(extreme ? 127 + number(0, 1) : number(0, 255));
      list.push_back(std::move(feed));
    }
    return list;
  }
};

}  // namespace tinytc
