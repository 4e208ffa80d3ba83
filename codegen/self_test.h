// Inputs and expected outputs for the emitted self-test.
#pragma once

#include "codegen/emit_model.h"

namespace tinytc {

/// `count` runs of the prediction graph on the host, on inputs that depend on nothing but their position: reals uniform in [-1, 1),
/// integers zero (an index is in range whatever it selects). The firmware must compute the same bits.
std::vector<SelfTest> make_self_tests(const Graph& prediction, int count);

}  // namespace tinytc
