// The table of operators as text, for --list-ops and the README.
#pragma once

#include <string>
#include <vector>

namespace tinytc {

/// A line an ONNX operator: its name, then "inference and training" or "inference". Behind those of the table come `rewritten` ones, which
/// import writes with them, unless the table has them as well: "as others of these".
std::string operators_text(const std::vector<std::string>& rewritten);

}  // namespace tinytc
