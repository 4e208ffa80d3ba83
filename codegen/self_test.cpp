// Inputs and expected outputs for the emitted self-test; see self_test.h.
#include "codegen/self_test.h"

#include "codegen/execute.h"

namespace tinytc {

namespace {

/// Numerical Recipes' linear congruential generator; the upper 16 bits as a number in [-1, 1), exact in every float type.
class Uniform {
 public:
  explicit Uniform(std::uint32_t seed) : state_(seed) {}
  double next() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<double>(state_ >> 16) / 32768.0 - 1.0;
  }

 private:
  std::uint32_t state_;
};

Tensor make_input(const TensorType& type, Uniform& uniform) {
  std::vector<double> numbers(static_cast<std::size_t>(element_count(type.shape)), 0.0);
  if (is_float(type.dtype))
    for (double& number : numbers) number = uniform.next();
  return encode(type.dtype, numbers);
}

}  // namespace

std::vector<SelfTest> make_self_tests(const Graph& prediction, int count) {
  HostModel model(prediction);
  std::vector<SelfTest> tests;
  for (int i = 0; i < count; ++i) {
    Uniform uniform(static_cast<std::uint32_t>(i + 1));
    SelfTest test;
    for (ValueId id : prediction.inputs) test.inputs.push_back(make_input(prediction.type(id), uniform));
    test.outputs = model.run(test.inputs);
    tests.push_back(std::move(test));
  }
  return tests;
}

}  // namespace tinytc
