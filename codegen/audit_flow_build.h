// Builds the edges of one function; internal to audit_flow.
#pragma once

#include "codegen/audit_flow.h"

namespace tinytc {

/// Fills `functions[index]` from its body; the functions that it calls are filled already.
void build_flow(const AuditedSource& source, int index, std::vector<FlowFunction>& functions);

/// The nodes of an expression of a function that build_flow has filled.
FlowValue flow_of(const AuditedSource& source, int index, std::vector<FlowFunction>& functions,
                  const clang::Expr* expression);

}  // namespace tinytc
