// The table of operators as text; see list_ops.h.
#include "compiler/list_ops.h"

#include <fmt/format.h>

#include "compiler/op.h"

namespace tinytc {

std::string operators_text(const std::vector<std::string>& rewritten) {
  std::string text;
  for (const OpDef* row : all_ops())
    if (row->is_public) text += fmt::format("{:<40} {}\n", row->name, row->gradient != nullptr ? "inference and training" : "inference");
  for (const std::string& name : rewritten)
    if (find_op(name) == nullptr) text += fmt::format("{:<40} as others of these\n", name);
  return text;
}

}  // namespace tinytc
