// Numbers as C++ literals.
#pragma once

#include "compiler/graph.h"

namespace tinytc {

/// A floating or integer literal that reads back as exactly this element of `dtype` (f64 for double).
std::string number_literal(double value, DType dtype);

}  // namespace tinytc
