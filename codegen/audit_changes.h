// Which variables a statement may change. Internal to audit(); includes Clang.
#pragma once

#include <clang/AST/Decl.h>
#include <clang/AST/Expr.h>

#include <set>

namespace tinytc {

/// A variable, or the field of it that the others do not touch.
struct Place {
  const clang::VarDecl* variable = nullptr;
  const clang::FieldDecl* field = nullptr;  ///< null: all of it

  bool operator<(const Place& other) const {
    return variable != other.variable ? variable < other.variable : field < other.field;
  }
  bool overlaps(const Place& other) const {
    return variable == other.variable && (!field || !other.field || field == other.field);
  }
};

/// The place that an expression names, without inner fields and elements; no variable for what stands behind
/// a pointer.
Place named_place(const clang::Expr* expression);
inline const clang::VarDecl* named_variable(const clang::Expr* expression) {
  return named_place(expression).variable;
}

/// The places that a statement assigns, or to which it lets a pointer or reference out that can change them.
std::set<Place> changed_places(const clang::Stmt* statement);

}  // namespace tinytc
