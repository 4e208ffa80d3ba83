// The functions of a parsed source, who calls whom, and what is forbidden in any place. Internal to audit();
// includes Clang.
#pragma once

#include <clang/AST/ASTContext.h>
#include <clang/AST/Decl.h>
#include <clang/AST/Expr.h>

#include <map>
#include <string>
#include <vector>

#include "codegen/audit.h"
#include "codegen/audit_graph.h"

namespace tinytc {

/// Every function with a body that code is made for: template instances, lambdas' operators, implicit
/// constructors and destructors that are used; in source order.
struct AuditedSource {
  clang::ASTContext& context;
  std::vector<const clang::FunctionDecl*> functions;      ///< definitions
  std::map<const clang::FunctionDecl*, int> function_of;  ///< by canonical declaration
  CallGraph calls;                                        ///< with repetitions removed
  std::vector<std::vector<int>> order;                    ///< components of `calls`, callees first
  std::vector<bool> address_taken;                        ///< by function

  int find(const clang::FunctionDecl* function) const;  ///< -1 if it has no body
  unsigned line(clang::SourceLocation location) const;
  std::string name(int function) const;
};

/// Lists functions and calls, and adds what is forbidden to the report.
AuditedSource audit_ast(clang::ASTContext& context, const AuditRequest& request, AuditReport& report);

}  // namespace tinytc
