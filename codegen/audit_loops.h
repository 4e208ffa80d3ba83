// Judges every loop: does it end after a number of iterations that no data decides? Internal to audit();
// includes Clang.
#pragma once

#include <clang/AST/Stmt.h>

#include <vector>

#include "codegen/audit_flow.h"

namespace tinytc {

/// A `for` loop that counts: `variable` goes from its start by `step` until `condition` with `end` fails.
struct CountedLoop {
  int function;
  const clang::ForStmt* statement;
  const clang::VarDecl* variable;
  const clang::Expr* end;                ///< what the variable is compared with
  const clang::Expr* side;               ///< the side of the comparison that holds the variable
  clang::BinaryOperatorKind comparison;  ///< with the variable on the left
  const clang::Expr* step;               ///< null for ++ and --
  bool down;                             ///< the step is subtracted
  bool scaled;                           ///< the step multiplies, divides or shifts
};

/// Adds a violation for each loop without a bound and an entry in report.loops for each loop; returns the
/// counted ones, by the position of their entry.
std::vector<std::pair<std::size_t, CountedLoop>> audit_loops(const AuditedSource& source, DataFlow& flow,
                                                             AuditReport& report);

}  // namespace tinytc
