// Looks for assignments, and for non-const pointers and references that are made; see audit_changes.h.
#include "codegen/audit_changes.h"

#include <clang/AST/RecursiveASTVisitor.h>

namespace tinytc {

using namespace clang;

Place named_place(const Expr* expression) {
  const FieldDecl* field = nullptr;
  for (;;) {
    expression = expression->IgnoreParenImpCasts();
    if (const auto* member = dyn_cast<MemberExpr>(expression); member && !member->isArrow()) {
      field = dyn_cast<FieldDecl>(member->getMemberDecl());
      expression = member->getBase();
    } else if (const auto* element = dyn_cast<ArraySubscriptExpr>(expression)) {
      field = nullptr;
      expression = element->getBase();
    } else {
      break;
    }
  }
  const auto* use = dyn_cast<DeclRefExpr>(expression);
  return {use ? dyn_cast<VarDecl>(use->getDecl()) : nullptr, field};
}

namespace {

/// Collects assigned places, and those to which a pointer or reference gets out.
class Changes : public RecursiveASTVisitor<Changes> {
 public:
  std::set<Place> changed;

  bool VisitBinaryOperator(BinaryOperator* made) { return !made->isAssignmentOp() || note(made->getLHS()); }
  bool VisitUnaryOperator(UnaryOperator* made) {
    const bool changes =
        made->isIncrementDecrementOp() ||
        (made->getOpcode() == UO_AddrOf && !made->getType()->getPointeeType().isConstQualified());
    return !changes || note(made->getSubExpr());
  }
  bool VisitCallExpr(CallExpr* call) {
    const FunctionDecl* callee = call->getDirectCallee();
    const unsigned skipped = isa<CXXOperatorCallExpr>(call) && isa_and_nonnull<CXXMethodDecl>(callee) ? 1 : 0;
    if (const auto* method = dyn_cast_or_null<CXXMethodDecl>(callee);
        method && method->isInstance() && !method->isConst()) {
      if (skipped) note(call->getArg(0));
      if (const auto* on = dyn_cast<CXXMemberCallExpr>(call)) note(on->getImplicitObjectArgument());
    }
    for (unsigned i = skipped; callee && i < call->getNumArgs() && i - skipped < callee->getNumParams();
         ++i) {
      passed(call->getArg(i), callee->getParamDecl(i - skipped)->getType());
    }
    return true;
  }
  bool VisitVarDecl(VarDecl* made) {
    if (made->hasInit()) passed(made->getInit(), made->getType());
    return true;
  }
  bool VisitLambdaExpr(LambdaExpr* lambda) {
    for (const LambdaCapture& capture : lambda->captures()) {
      if (capture.getCaptureKind() == LCK_ByRef && capture.capturesVariable())
        check({dyn_cast<VarDecl>(capture.getCapturedVar()), nullptr});
    }
    return true;
  }

 private:
  bool note(const Expr* target) {
    check(named_place(target));
    return true;
  }
  void check(const Place& place) {
    if (place.variable) changed.insert(place);
  }
  /// A value of this type is made from the expression: can what the expression names be changed through it?
  void passed(const Expr* from, QualType type) {
    const bool name = type->isReferenceType() || type->isPointerType();
    if (!name || type->getPointeeType().isConstQualified()) return;
    if (type->isReferenceType() || from->IgnoreParenImpCasts()->getType()->isArrayType())
      check(named_place(from));
  }
};

}  // namespace

std::set<Place> changed_places(const Stmt* statement) {
  Changes changes;
  changes.TraverseStmt(const_cast<Stmt*>(statement));
  return std::move(changes.changed);
}

}  // namespace tinytc
