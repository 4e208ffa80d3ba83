// The table of operators as text; see list_ops.h.
#include "compiler/list_ops.h"

#include <fmt/format.h>

#include "compiler/op.h"

namespace tinytc {

std::string operators_text() {
  std::string text;
  for (const OpDef* row : all_ops())
    if (row->is_public) text += fmt::format("{:<32} {}\n", row->name, row->gradient != nullptr ? "inference and training" : "inference");
  return text;
}

}  // namespace tinytc
