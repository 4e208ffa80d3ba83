// value() is interval arithmetic on an expression; field() follows `shape.dims[d]` to the constant struct
// that it comes from, through arguments of all calls. What is not understood is unknown, which is always
// right.
#include "codegen/audit_ranges.h"

#include <clang/AST/ExprCXX.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "codegen/audit_changes.h"

namespace tinytc {
namespace {

using namespace clang;

struct Range {
  std::int64_t low, high;
};
using MaybeRange = std::optional<Range>;

MaybeRange join(const MaybeRange& a, const MaybeRange& b) {
  if (!a || !b) return std::nullopt;
  return Range{std::min(a->low, b->low), std::max(a->high, b->high)};
}

/// Steps from an object to a number in it: a field, or null for any element of an array. Outermost first.
using Path = std::vector<const FieldDecl*>;

/// Joins over several sources; no source at all is unknown.
class Joined {
 public:
  void add(const MaybeRange& one) {
    range_ = any_ ? join(range_, one) : one;
    any_ = true;
  }
  MaybeRange range() const { return range_; }

 private:
  MaybeRange range_;
  bool any_ = false;
};

/// The numbers at a path in a constant.
MaybeRange in_constant(const APValue& value, const Path& path, std::size_t at) {
  if (at == path.size()) {
    if (!value.isInt() || !value.getInt().isRepresentableByInt64()) return std::nullopt;
    return Range{value.getInt().getExtValue(), value.getInt().getExtValue()};
  }
  if (path[at]) {
    if (!value.isStruct()) return std::nullopt;
    return in_constant(value.getStructField(path[at]->getFieldIndex()), path, at + 1);
  }
  if (!value.isArray()) return std::nullopt;
  Joined all;
  for (unsigned i = 0; i < value.getArrayInitializedElts(); ++i)
    all.add(in_constant(value.getArrayInitializedElt(i), path, at + 1));
  if (value.hasArrayFiller()) all.add(in_constant(value.getArrayFiller(), path, at + 1));
  return all.range();
}

class Ranges {
 public:
  Ranges(const AuditedSource& source, const DataFlow& flow,
         const std::vector<std::pair<std::size_t, CountedLoop>>& loops)
      : source_(source), callers_(source.functions.size()), called_(source.functions.size(), false) {
    for (const FlowFunction& function : flow.functions()) {
      for (const FlowCall& call : function.calls) {
        callers_[static_cast<std::size_t>(call.callee)].push_back(call.expression);
        called_[static_cast<std::size_t>(call.callee)] = true;
      }
    }
    for (const FunctionDecl* function : source.functions) {
      for (const Place& place : changed_places(function->getBody())) changed_.insert(place.variable);
    }
    for (const auto& [entry, loop] : loops) loops_[loop.variable] = &loop;
  }

  /// The most iterations of a loop; -1 if unknown.
  std::int64_t iterations(const CountedLoop& loop);

 private:
  MaybeRange value(const Expr* expression);
  MaybeRange operation(const BinaryOperator& made);
  MaybeRange chosen(const ConditionalOperator& made);
  MaybeRange call(const CallExpr& made);
  MaybeRange variable(const VarDecl* read);
  MaybeRange counter(const CountedLoop& loop);
  MaybeRange field(const Expr* object, Path path);
  MaybeRange field_of_variable(const VarDecl* object, const Path& path);
  MaybeRange over_callers(const ParmVarDecl* parameter, const Path* path);
  MaybeRange start(const CountedLoop& loop);

  const AuditedSource& source_;
  std::vector<std::vector<const Expr*>> callers_;
  std::vector<bool> called_;
  std::set<const VarDecl*> changed_;
  std::map<const VarDecl*, const CountedLoop*> loops_;
  std::map<const VarDecl*, Range> bound_;  ///< parameters of the small function that is being looked into
  std::map<std::pair<const VarDecl*, Path>, MaybeRange> known_;
  int depth_ = 0;
};

const Expr* plain(const Expr* expression) {
  for (;;) {
    expression = expression->IgnoreParenImpCasts();
    if (const auto* made = dyn_cast<MaterializeTemporaryExpr>(expression)) {
      expression = made->getSubExpr();
    } else if (const auto* full = dyn_cast<FullExpr>(expression)) {
      expression = full->getSubExpr();
    } else if (const auto* copied = dyn_cast<CXXConstructExpr>(expression);
               copied && copied->getNumArgs() == 1 && copied->getConstructor()->isCopyOrMoveConstructor()) {
      expression = copied->getArg(0);
    } else if (const auto* cast = dyn_cast<ExplicitCastExpr>(expression)) {
      expression = cast->getSubExpr();
    } else if (const auto* replaced = dyn_cast<SubstNonTypeTemplateParmExpr>(expression)) {
      expression = replaced->getReplacement();
    } else {
      return expression;
    }
  }
}

MaybeRange Ranges::value(const Expr* given) {
  if (!given->getType()->isIntegralOrEnumerationType()) return std::nullopt;
  Expr::EvalResult result;
  if (given->EvaluateAsInt(result, source_.context)) return in_constant(result.Val, {}, 0);
  const Expr* expression = plain(given);
  if (!expression->getType()->isIntegralOrEnumerationType()) return std::nullopt;
  if (const auto* made = dyn_cast<BinaryOperator>(expression)) return operation(*made);
  if (const auto* made = dyn_cast<ConditionalOperator>(expression)) return chosen(*made);
  if (const auto* made = dyn_cast<CallExpr>(expression)) return call(*made);
  if (const auto* made = dyn_cast<DeclRefExpr>(expression)) {
    const auto* read = dyn_cast<VarDecl>(made->getDecl());
    return read ? variable(read) : std::nullopt;
  }
  if (const auto* made = dyn_cast<UnaryOperator>(expression); made && made->getOpcode() == UO_Minus) {
    const MaybeRange of = value(made->getSubExpr());
    if (of && of->low > std::numeric_limits<std::int64_t>::min()) return Range{-of->high, -of->low};
    return std::nullopt;
  }
  if (isa<MemberExpr>(expression) || isa<ArraySubscriptExpr>(expression)) return field(expression, {});
  return std::nullopt;
}

MaybeRange Ranges::operation(const BinaryOperator& made) {
  const MaybeRange a = value(made.getLHS()), b = value(made.getRHS());
  if (!a || !b) return std::nullopt;
  const BinaryOperatorKind kind = made.getOpcode();
  if (kind == BO_Rem && b->low > 0)
    return Range{a->low < 0 ? 1 - b->high : 0, std::min(std::max<std::int64_t>(a->high, 0), b->high - 1)};
  if ((kind == BO_Div && b->low <= 0) || (kind == BO_Shr && (a->low < 0 || b->low < 0 || b->high > 31)))
    return std::nullopt;
  const std::int64_t xs[2] = {a->low, a->high}, ys[2] = {b->low, b->high};
  Joined all;
  for (std::int64_t x : xs) {
    for (std::int64_t y : ys) {
      std::int64_t result = 0;
      bool failed = false;
      switch (kind) {
        case BO_Add:
          failed = __builtin_add_overflow(x, y, &result);
          break;
        case BO_Sub:
          failed = __builtin_sub_overflow(x, y, &result);
          break;
        case BO_Mul:
          failed = __builtin_mul_overflow(x, y, &result);
          break;
        case BO_Div:
          result = x / y;
          break;
        case BO_Shr:
          result = x >> y;
          break;
        default:
          failed = true;
      }
      all.add(failed ? MaybeRange() : Range{result, result});
    }
  }
  return all.range();
}

/// a < b ? a : b is the smaller one; any other choice may be either.
MaybeRange Ranges::chosen(const ConditionalOperator& made) {
  const MaybeRange yes = value(made.getTrueExpr()), no = value(made.getFalseExpr());
  const auto* compared = dyn_cast<BinaryOperator>(made.getCond()->IgnoreParenImpCasts());
  const VarDecl* first = named_variable(made.getTrueExpr());
  if (!yes || !no || !compared || !compared->isRelationalOp() || !first) return join(yes, no);
  const VarDecl* second = named_variable(made.getFalseExpr());
  const VarDecl* left = named_variable(compared->getLHS());
  const VarDecl* right = named_variable(compared->getRHS());
  const bool less = compared->getOpcode() == BO_LT || compared->getOpcode() == BO_LE;
  if (!second || !((left == first && right == second) || (left == second && right == first)))
    return join(yes, no);
  const bool smaller = less == (left == first);
  if (smaller) return Range{std::min(yes->low, no->low), std::min(yes->high, no->high)};
  return Range{std::max(yes->low, no->low), std::max(yes->high, no->high)};
}

/// A call of a function that is one return statement is looked into.
MaybeRange Ranges::call(const CallExpr& made) {
  const FunctionDecl* callee = made.getDirectCallee();
  const int index = callee && depth_ < 8 ? source_.find(callee) : -1;
  if (index < 0 || isa<CXXMethodDecl>(callee)) return std::nullopt;
  const FunctionDecl* function = source_.functions[static_cast<std::size_t>(index)];
  const auto* body = dyn_cast<CompoundStmt>(function->getBody());
  if (!body || body->size() != 1 || !isa<ReturnStmt>(body->body_front())) return std::nullopt;
  std::map<const VarDecl*, Range> arguments;
  for (unsigned i = 0; i < made.getNumArgs(); ++i) {
    if (const MaybeRange range = value(made.getArg(i))) arguments[function->getParamDecl(i)] = *range;
  }
  ++depth_;
  std::swap(bound_, arguments);
  const MaybeRange result = value(cast<ReturnStmt>(body->body_front())->getRetValue());
  std::swap(bound_, arguments);
  --depth_;
  return result;
}

MaybeRange Ranges::variable(const VarDecl* read) {
  if (const auto found = bound_.find(read); found != bound_.end()) return found->second;
  if (const auto loop = loops_.find(read); loop != loops_.end()) return counter(*loop->second);
  if (changed_.count(read)) return std::nullopt;
  if (const auto* parameter = dyn_cast<ParmVarDecl>(read)) return over_callers(parameter, nullptr);
  return read->hasInit() ? value(read->getInit()) : std::nullopt;
}

/// The value with which a loop starts, if its variable is its own.
MaybeRange Ranges::start(const CountedLoop& loop) {
  const auto* made = dyn_cast_or_null<DeclStmt>(loop.statement->getInit());
  if (!made || !loop.variable->hasInit()) return std::nullopt;
  for (const Decl* one : made->decls()) {
    if (one == loop.variable) return value(loop.variable->getInit());
  }
  return std::nullopt;
}

/// The values of a loop's variable inside the loop.
MaybeRange Ranges::counter(const CountedLoop& loop) {
  const MaybeRange from = start(loop), to = value(loop.end);
  if (!from || !to || loop.scaled || loop.comparison == BO_NE ||
      plain(loop.side)->getStmtClass() != Stmt::DeclRefExprClass) {
    return std::nullopt;
  }
  const std::int64_t open = loop.comparison == BO_LT || loop.comparison == BO_GT ? 1 : 0;
  if (loop.down) return Range{std::min(to->low + open, from->low), from->high};
  return Range{from->low, std::max(to->high - open, from->high)};
}

/// A number inside an object that an expression names.
MaybeRange Ranges::field(const Expr* given, Path path) {
  const Expr* object = plain(given);
  if (const auto* made = dyn_cast<MemberExpr>(object)) {
    const auto* member = dyn_cast<FieldDecl>(made->getMemberDecl());
    if (!member) return std::nullopt;
    path.insert(path.begin(), member);
    return field(made->getBase(), std::move(path));
  }
  if (const auto* made = dyn_cast<ArraySubscriptExpr>(object)) {
    path.insert(path.begin(), nullptr);
    return field(made->getBase(), std::move(path));
  }
  if (const auto* made = dyn_cast<InitListExpr>(object);
      made && !path.empty() && path.front() && made->isSemanticForm()) {
    const unsigned index = path.front()->getFieldIndex();
    if (index >= made->getNumInits() || made->getType()->isUnionType()) return std::nullopt;
    path.erase(path.begin());
    return path.empty() ? value(made->getInit(index)) : field(made->getInit(index), std::move(path));
  }
  if (const auto* made = dyn_cast<DeclRefExpr>(object)) {
    if (const auto* read = dyn_cast<VarDecl>(made->getDecl())) return field_of_variable(read, path);
  }
  return std::nullopt;
}

MaybeRange Ranges::field_of_variable(const VarDecl* object, const Path& path) {
  const bool constant = object->isConstexpr() || object->getType().isConstant(source_.context);
  if (constant && object->getAnyInitializer()) {
    if (const APValue* fixed = object->evaluateValue()) return in_constant(*fixed, path, 0);
  }
  if (!object->hasLocalStorage() || changed_.count(object)) return std::nullopt;
  if (const auto* parameter = dyn_cast<ParmVarDecl>(object)) return over_callers(parameter, &path);
  return object->hasInit() ? field(object->getInit(), path) : std::nullopt;
}

/// A parameter, or a number inside it, joined over all calls.
MaybeRange Ranges::over_callers(const ParmVarDecl* parameter, const Path* path) {
  const auto key = std::make_pair(static_cast<const VarDecl*>(parameter), path ? *path : Path());
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  MaybeRange& result = known_[key];  // unknown while it is being computed
  const auto* function = dyn_cast<FunctionDecl>(parameter->getDeclContext());
  const int index = function ? source_.find(function) : -1;
  if (index < 0 || is_entry(source_, index, called_)) return std::nullopt;
  Joined all;
  std::map<const VarDecl*, Range> none;
  std::swap(bound_, none);
  const unsigned position = parameter->getFunctionScopeIndex();
  for (const Expr* one : callers_[static_cast<std::size_t>(index)]) {
    const Expr* argument = nullptr;
    if (const auto* called = dyn_cast<CallExpr>(one)) {
      const unsigned first = isa<CXXOperatorCallExpr>(one) && isa<CXXMethodDecl>(function) ? 1 : 0;
      if (position + first < called->getNumArgs()) argument = called->getArg(position + first);
    } else if (const auto* made = dyn_cast<CXXConstructExpr>(one); made && position < made->getNumArgs()) {
      argument = made->getArg(position);
    }
    all.add(!argument ? MaybeRange() : path ? field(argument, *path) : value(argument));
  }
  std::swap(bound_, none);
  return result = all.range();
}

std::int64_t Ranges::iterations(const CountedLoop& loop) {
  const MaybeRange from = start(loop), to = value(loop.end);
  const MaybeRange by = loop.step ? value(loop.step) : Range{1, 1};
  if (!from || !to || !by || loop.scaled || !isa<DeclRefExpr>(plain(loop.side))) return -1;
  const std::int64_t step = std::min(std::abs(by->low), std::abs(by->high));
  if (by->low <= 0 && by->high >= 0) return -1;
  const std::int64_t closed = loop.comparison == BO_LE || loop.comparison == BO_GE ? 1 : 0;
  const std::int64_t span = loop.down ? from->high - to->low + closed : to->high - from->low + closed;
  return span <= 0 ? 0 : (span + step - 1) / step;
}

}  // namespace

void compute_iterations(const AuditedSource& source, const DataFlow& flow,
                        const std::vector<std::pair<std::size_t, CountedLoop>>& loops, AuditReport& report) {
  Ranges ranges(source, flow, loops);
  for (const auto& [entry, loop] : loops) {
    std::int64_t& most = report.loops[entry].most_iterations;
    if (most < 0) most = ranges.iterations(loop);
  }
}

}  // namespace tinytc
