// For each loop: read its condition and its step, then make sure that nothing else changes the variables in
// them.
#include "codegen/audit_loops.h"

#include <clang/AST/RecursiveASTVisitor.h>

#include <algorithm>
#include <optional>
#include <set>

#include "codegen/audit_changes.h"

namespace tinytc {
namespace {

using namespace clang;

/// The places in local variables that an expression reads.
class Reads : public RecursiveASTVisitor<Reads> {
 public:
  std::vector<Place> found;
  bool TraverseMemberExpr(MemberExpr* read) {
    const bool simple = !read->isArrow() && isa<DeclRefExpr>(read->getBase()->IgnoreParenImpCasts());
    if (!simple) return RecursiveASTVisitor::TraverseMemberExpr(read);
    found.push_back(named_place(read));
    return true;
  }
  bool VisitDeclRefExpr(DeclRefExpr* read) {
    if (const Place place = named_place(read); place.variable) found.push_back(place);
    return true;
  }
  bool holds(const VarDecl* variable) const {
    return std::any_of(found.begin(), found.end(),
                       [&](const Place& place) { return place.variable == variable; });
  }
};

void split(const Expr* expression, BinaryOperatorKind by, std::vector<const Expr*>& parts) {
  expression = expression->IgnoreParenImpCasts();
  if (const auto* made = dyn_cast<BinaryOperator>(expression); made && made->getOpcode() == by) {
    split(made->getLHS(), by, parts);
    split(made->getRHS(), by, parts);
  } else {
    parts.push_back(expression);
  }
}

/// Whether `side` is the variable, or the variable plus or minus what does not hold it.
bool counts(const Expr* side, const VarDecl* variable) {
  side = side->IgnoreParenImpCasts();
  if (const auto* use = dyn_cast<DeclRefExpr>(side)) return use->getDecl() == variable;
  const auto* sum = dyn_cast<BinaryOperator>(side);
  if (!sum || !sum->isAdditiveOp()) return false;
  Reads left, right;
  left.TraverseStmt(const_cast<Expr*>(sum->getLHS()));
  right.TraverseStmt(const_cast<Expr*>(sum->getRHS()));
  if (left.holds(variable) && !right.holds(variable)) return counts(sum->getLHS(), variable);
  return sum->getOpcode() == BO_Add && !left.holds(variable) && counts(sum->getRHS(), variable);
}

std::optional<llvm::APSInt> constant(const ASTContext& context, const Expr* expression) {
  Expr::EvalResult result;
  if (!expression || !expression->EvaluateAsInt(result, context)) return std::nullopt;
  return result.Val.getInt();
}

/// Reads one part of the step: ++i, i += c, i >>= 1, ...
bool read_step(const Expr* part, const ASTContext& context, CountedLoop& loop) {
  if (const auto* made = dyn_cast<UnaryOperator>(part); made && made->isIncrementDecrementOp()) {
    loop.variable = named_variable(made->getSubExpr());
    loop.down = made->isDecrementOp();
    return loop.variable && isa<DeclRefExpr>(made->getSubExpr()->IgnoreParenImpCasts());
  }
  const auto* made = dyn_cast<CompoundAssignOperator>(part);
  if (!made || !isa<DeclRefExpr>(made->getLHS()->IgnoreParenImpCasts())) return false;
  loop.variable = named_variable(made->getLHS());
  loop.step = made->getRHS();
  const auto fixed = constant(context, loop.step);
  const BinaryOperatorKind kind = made->getOpcode();
  loop.scaled = kind == BO_MulAssign || kind == BO_DivAssign || kind == BO_ShlAssign || kind == BO_ShrAssign;
  loop.down = kind == BO_SubAssign || kind == BO_DivAssign || kind == BO_ShrAssign;
  if (!loop.scaled && kind != BO_AddAssign && kind != BO_SubAssign) return false;
  if (fixed && fixed->isNegative()) loop.down = !loop.down;
  const bool by_one = kind == BO_MulAssign || kind == BO_DivAssign;
  if (loop.scaled) return fixed && fixed->sgt(by_one ? 1 : 0);
  return loop.variable && (!fixed || !fixed->isZero());
}

/// Whether a comparison ends a loop that counts as `loop` says; fills in its sides.
bool read_condition(const Expr* part, CountedLoop& loop) {
  const auto* compared = dyn_cast<BinaryOperator>(part);
  if (!compared || !compared->isComparisonOp() || compared->getOpcode() == BO_EQ) return false;
  const bool left = counts(compared->getLHS(), loop.variable);
  if (!left && !counts(compared->getRHS(), loop.variable)) return false;
  loop.side = left ? compared->getLHS() : compared->getRHS();
  loop.end = left ? compared->getRHS() : compared->getLHS();
  loop.comparison = left ? compared->getOpcode() : BinaryOperator::reverseComparisonOp(compared->getOpcode());
  if (loop.comparison == BO_NE) return loop.step == nullptr;
  return loop.down == (loop.comparison == BO_GT || loop.comparison == BO_GE);
}

class LoopAudit : public RecursiveASTVisitor<LoopAudit> {
 public:
  LoopAudit(const AuditedSource& source, DataFlow& flow, int function, AuditReport& report,
            std::vector<std::pair<std::size_t, CountedLoop>>& counted)
      : source_(source), flow_(flow), function_(function), report_(report), counted_(counted) {}

  bool shouldVisitTemplateInstantiations() const { return true; }
  bool shouldVisitImplicitCode() const { return true; }
  bool TraverseLambdaExpr(LambdaExpr*) { return true; }
  bool TraverseCXXRecordDecl(CXXRecordDecl*) { return true; }

  bool VisitForStmt(ForStmt* loop) {
    CountedLoop counted{function_, loop, nullptr, nullptr, nullptr, BO_LT, nullptr, false, false};
    const std::string wrong = judge(loop, counted);
    if (wrong.empty()) counted_.emplace_back(report_.loops.size(), counted);
    return add(loop->getBeginLoc(), loop->getBody(), wrong);
  }
  bool VisitWhileStmt(WhileStmt* loop) {
    return add(loop->getBeginLoc(), loop->getBody(), "'while' does not count");
  }
  bool VisitDoStmt(DoStmt* loop) {
    const auto fixed = constant(source_.context, loop->getCond());
    return (fixed && fixed->isZero()) || add(loop->getBeginLoc(), loop->getBody(), "'do' does not count");
  }
  bool VisitCXXForRangeStmt(CXXForRangeStmt* loop) {
    const QualType range = loop->getRangeInit()->getType();
    const auto* array = source_.context.getAsConstantArrayType(range.getNonReferenceType());
    add(loop->getBeginLoc(), loop->getBody(), array ? "" : "the range is not an array of fixed size");
    if (array)
      report_.loops.back().most_iterations = static_cast<std::int64_t>(array->getSize().getZExtValue());
    return true;
  }

 private:
  /// n of the TINYTC_BOUNDED(n) that begins a body: a call of bounded_loop<n>().
  std::optional<llvm::APSInt> stated_bound(const Stmt* body) const {
    const auto* block = dyn_cast<CompoundStmt>(body);
    if (!block || block->body_empty()) return std::nullopt;
    const auto* call = dyn_cast<CallExpr>(block->body_front());
    const FunctionDecl* callee = call ? call->getDirectCallee() : nullptr;
    if (!callee || callee->getNameAsString() != "bounded_loop" || !callee->getTemplateSpecializationArgs())
      return std::nullopt;
    return callee->getTemplateSpecializationArgs()->get(0).getAsIntegral();
  }

  bool add(SourceLocation where, const Stmt* body, const std::string& wrong) {
    AuditLoop loop{source_.name(function_), source_.line(where), -1};
    if (const auto stated = stated_bound(body)) {
      loop.most_iterations = stated->getExtValue();
    } else if (!wrong.empty()) {
      report_.violations.push_back({loop.function, loop.line, "a loop without a bound: " + wrong});
    }
    report_.loops.push_back(std::move(loop));
    return true;
  }

  /// What is wrong with a for loop; empty if it is bounded.
  std::string judge(ForStmt* loop, CountedLoop& counted) {
    if (!loop->getCond() || !loop->getInc()) return "it has no condition or no step";
    std::vector<const Expr*> steps, conditions;
    split(loop->getInc(), BO_Comma, steps);
    split(loop->getCond(), BO_LAnd, conditions);
    std::string wrong = "its condition does not compare an integer that its step moves towards the end";
    for (const Expr* step : steps) {
      for (const Expr* condition : conditions) {
        CountedLoop tried = counted;
        if (!read_step(step, source_.context, tried) || !tried.variable->getType()->isIntegerType()) continue;
        if (!read_condition(condition, tried)) continue;
        wrong = judge_variables(*loop, steps, step, tried);
        if (!wrong.empty()) continue;
        counted = tried;
        return "";
      }
    }
    return wrong;
  }

  std::string judge_variables(ForStmt& loop, const std::vector<const Expr*>& steps, const Expr* step,
                              const CountedLoop& counted) {
    Reads reads;
    reads.TraverseStmt(const_cast<Expr*>(counted.end));
    reads.TraverseStmt(const_cast<Expr*>(counted.side));
    if (counted.step) reads.TraverseStmt(const_cast<Expr*>(counted.step));
    std::set<Place> changed = changed_places(loop.getBody());
    changed.merge(changed_places(loop.getCond()));
    for (const Expr* other : steps) {
      if (other != step) changed.merge(changed_places(other));
    }
    for (const Place& read : reads.found) {
      const bool fixed =
          std::none_of(changed.begin(), changed.end(), [&](const Place& one) { return one.overlaps(read); });
      if (!fixed) return "'" + read.variable->getNameAsString() + "' changes inside it";
    }
    if (flow_.depends_on_data(function_, counted.end)) return "its end depends on data";
    if (counted.step && flow_.depends_on_data(function_, counted.step)) return "its step depends on data";
    if (flow_.depends_on_data(function_, counted.side)) return "its start depends on data";
    return "";
  }

  const AuditedSource& source_;
  DataFlow& flow_;
  int function_;
  AuditReport& report_;
  std::vector<std::pair<std::size_t, CountedLoop>>& counted_;
};

}  // namespace

std::vector<std::pair<std::size_t, CountedLoop>> audit_loops(const AuditedSource& source, DataFlow& flow,
                                                             AuditReport& report) {
  std::vector<std::pair<std::size_t, CountedLoop>> counted;
  for (std::size_t i = 0; i < source.functions.size(); ++i) {
    LoopAudit(source, flow, static_cast<int>(i), report, counted)
        .TraverseStmt(source.functions[i]->getBody());
  }
  return counted;
}

}  // namespace tinytc
