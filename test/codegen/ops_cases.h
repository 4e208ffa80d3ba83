// The cases of ops_gradient_test.cpp and ops_values_test.cpp, and graphs of many cases at once: one
// compilation serves them all.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "compiler/op.h"

namespace tinytc {

/// One input of a case. Without `numbers` the test draws them: distinct magnitudes within [low, high], of
/// both signs if is_signed.
struct Operand {
  Shape shape = {};
  std::vector<double> numbers = {};
  DType dtype = DType::f64;
  Role role = Role::input;
  double low = 0.25, high = 1.45;
  bool is_signed = true;
  bool is_absent = false;  // an optional input that is not given
};

/// Shorthands.
inline Operand any(Shape shape) { return {std::move(shape)}; }
inline Operand between(Shape shape, double low, double high) {
  return {.shape = std::move(shape), .low = low, .high = high, .is_signed = false};
}
inline Operand of(DType dtype, Shape shape, std::vector<double> numbers, Role role = Role::input) {
  return {.shape = std::move(shape), .numbers = std::move(numbers), .dtype = dtype, .role = role};
}
inline Operand constant(Shape shape, std::vector<double> numbers) {
  return of(DType::f64, std::move(shape), std::move(numbers), Role::constant);
}
inline Operand absent() { return {.is_absent = true}; }
inline std::int64_t integer(int value) { return value; }
inline std::string text(const char* value) { return value; }
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<double>;

struct GradientCase {
  std::string op;
  std::vector<Operand> inputs;
  Attributes attributes = {};
  int outputs =
      1;  // all float ones count, except those that share an input's buffer and those from `counted` on
  int counted = 1;
};

struct ValueCase {
  std::string op;
  std::vector<Operand> inputs;
  Attributes attributes;
  std::vector<std::vector<double>> outputs;  // expected elements of the first outputs
};

/// The tables.
const std::vector<GradientCase>& gradient_cases();
const std::vector<ValueCase>& value_cases();
/// The part of them about stored numbers (ops_quantized_cases_test.cpp).
std::vector<ValueCase> quantized_cases();

/// The graph of all gradient cases, forward and gradient nodes, and what its inputs are fed.
Graph gradient_graph(std::vector<std::vector<double>>& feeds);

/// Adds a value for an operand to the graph; a graph input gets `numbers` as an entry of `feeds`. no_value if
/// absent.
ValueId add_operand(Graph& graph, const Operand& operand, const std::vector<double>& numbers,
                    const std::string& name, std::vector<std::vector<double>>& feeds);

/// Runs a compiled graph on numbers.
class NumberModel {
 public:
  explicit NumberModel(const Graph& graph);
  ~NumberModel();
  std::vector<std::vector<double>> run(const std::vector<std::vector<double>>& inputs);

 private:
  struct State;
  State* state_;
};

}  // namespace tinytc
