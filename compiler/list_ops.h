// The table of operators as text, for --list-ops and the README.
#pragma once

#include <string>

namespace tinytc {

/// A line an ONNX operator: its name and "inference and training" or "inference".
std::string operators_text();

}  // namespace tinytc
