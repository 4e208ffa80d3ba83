// Numbers as C++ literals; see literal.h.
#include "compiler/literal.h"

#include <fmt/format.h>

#include <cmath>

namespace tinytc {

std::string number_literal(double value, DType dtype) {
  if (!is_float(dtype)) return fmt::format("{}{{{}}}", cpp_type_of(dtype), static_cast<std::int64_t>(value));
  const bool single = dtype == DType::f32;
  if (single) value = static_cast<double>(static_cast<float>(value));  // large ones become infinite
  if (std::isnan(value)) return single ? "__builtin_nanf(\"\")" : "__builtin_nan(\"\")";
  if (std::isinf(value)) return std::string(value < 0 ? "-" : "") + (single ? "__builtin_inff()" : "__builtin_inf()");
  std::string text = single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + (single ? "F" : "");
}

}  // namespace tinytc
