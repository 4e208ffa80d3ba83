// value() gives the nodes of an expression, by kind of expression; the Visit functions add the edges of
// statements.
#include "codegen/audit_flow_build.h"

#include <clang/AST/RecursiveASTVisitor.h>

#include <algorithm>

namespace tinytc {
namespace {

using namespace clang;

void append(std::vector<int>& to, const std::vector<int>& from) {
  for (int node : from) {
    if (std::find(to.begin(), to.end(), node) == to.end()) to.push_back(node);
  }
}
FlowValue both(FlowValue a, const FlowValue& b) {
  append(a.ints, b.ints);
  append(a.rest, b.rest);
  return a;
}
/// Everything of an object, as seen through a pointer to it.
FlowValue pointer_to(const FlowValue& object) {
  FlowValue pointer{{}, object.rest};
  append(pointer.rest, object.ints);
  return pointer;
}
/// What stands behind a pointer.
FlowValue behind(const FlowValue& pointer) { return {pointer.rest, pointer.rest}; }

bool is_integer(QualType type) {
  const clang::Type* element = type.getNonReferenceType()->getBaseElementTypeUnsafe();
  return element->isIntegralOrEnumerationType();
}
/// The part of a value that something of this type can hold.
FlowValue of_type(FlowValue value, QualType type) {
  const clang::Type* element = type.getNonReferenceType()->getBaseElementTypeUnsafe();
  if (element->isRecordType()) return value;
  if (is_integer(type)) return {value.ints, {}};
  return {{}, value.rest};
}

class Builder : public RecursiveASTVisitor<Builder> {
 public:
  Builder(const AuditedSource& source, int index, std::vector<FlowFunction>& functions)
      : source_(source),
        functions_(functions),
        flow_(functions[static_cast<std::size_t>(index)]),
        function_(source.functions[static_cast<std::size_t>(index)]) {}

  bool shouldVisitImplicitCode() const { return true; }
  bool shouldVisitTemplateInstantiations() const { return true; }

  void run() {
    flow_.edges.resize(3);
    if (const auto* method = dyn_cast<CXXMethodDecl>(function_); method && method->isInstance()) {
      flow_.arguments.push_back(new_node());
      has_object_ = true;
    }
    for (const ParmVarDecl* parameter : function_->parameters())
      flow_.arguments.push_back(node_of(parameter));
    if (const auto* constructor = dyn_cast<CXXConstructorDecl>(function_)) {
      for (const CXXCtorInitializer* one : constructor->inits()) {
        TraverseStmt(one->getInit());
        assign(object(), value(one->getInit()));
      }
    }
    TraverseStmt(function_->getBody());
    summarize();
  }

  void resume() {
    has_object_ = isa<CXXMethodDecl>(function_) && cast<CXXMethodDecl>(function_)->isInstance();
  }

  FlowValue value(const Expr* expression);

  bool TraverseLambdaExpr(LambdaExpr* lambda) {
    for (Expr* captured : lambda->capture_inits()) TraverseStmt(captured);
    return true;
  }
  bool TraverseCXXRecordDecl(CXXRecordDecl*) { return true; }

  bool VisitVarDecl(VarDecl* variable) {
    if (!variable->hasInit() || isa<ParmVarDecl>(variable)) return true;
    const FlowValue init = value(variable->getInit());
    const FlowValue made = variable_value(variable);
    assign(made, of_type(init, variable->getType()));
    alias(made, init, variable->getType());
    return true;
  }
  bool VisitBinaryOperator(BinaryOperator* made) {
    if (made->isAssignmentOp())
      assign(value(made->getLHS()), converted(made->getRHS(), made->getLHS()->getType()));
    return true;
  }
  bool VisitReturnStmt(ReturnStmt* made) {
    if (made->getRetValue()) assign({{1}, {2}}, value(made->getRetValue()));
    return true;
  }
  bool VisitCallExpr(CallExpr* made) {
    value(made);
    return true;
  }
  bool VisitCXXConstructExpr(CXXConstructExpr* made) {
    value(made);
    return true;
  }

 private:
  int new_node() {
    flow_.edges.resize(flow_.edges.size() + 2);
    return static_cast<int>(flow_.edges.size()) - 2;
  }
  int node_of(const VarDecl* variable) {
    const auto [found, added] = flow_.variables.emplace(variable, 0);
    if (added) found->second = new_node();
    return found->second;
  }
  FlowValue pair(int node) const { return {{node}, {node + 1}}; }
  FlowValue object() const { return has_object_ ? pair(flow_.arguments.front()) : FlowValue{}; }

  void edge(int from, int to) {
    std::vector<int>& out = flow_.edges[static_cast<std::size_t>(from)];
    if (from != to && (out.empty() || out.back() != to)) out.push_back(to);
  }
  void edges(const std::vector<int>& from, const std::vector<int>& to) {
    for (int a : from) {
      for (int b : to) edge(a, b);
    }
  }
  void assign(const FlowValue& to, const FlowValue& from) {
    edges(from.ints, to.ints);
    edges(from.rest, to.rest);
  }
  /// What is written through a pointer or reference reaches what it was made from.
  void alias(const FlowValue& name, const FlowValue& target, QualType type) {
    const bool writes =
        (type->isReferenceType() || type->isPointerType()) && !type->getPointeeType().isConstQualified();
    if (writes || type->isRecordType()) {
      if (!type->isPointerType())
        edges(name.ints, type->isReferenceType() ? target.ints : std::vector<int>{});
      edges(name.rest, target.rest);
    }
  }

  FlowValue variable_value(const VarDecl* variable);
  FlowValue converted(const Expr* expression, QualType type);
  FlowValue conversion(const CastExpr* expression);
  FlowValue member(const MemberExpr* expression);
  FlowValue binary(const BinaryOperator* expression);
  FlowValue unary(const UnaryOperator* expression);
  FlowValue call(const CallExpr* expression);
  FlowValue construct(const CXXConstructExpr* expression);
  FlowValue apply(const Expr* expression, int callee, std::vector<FlowValue> arguments, QualType type,
                  bool makes_object);
  FlowValue children(const Stmt* expression);
  void summarize();

  bool is_constant(const Expr* expression) const {
    Expr::EvalResult result;
    return !expression->isValueDependent() && expression->EvaluateAsInt(result, source_.context);
  }

  const AuditedSource& source_;
  std::vector<FlowFunction>& functions_;
  FlowFunction& flow_;
  const FunctionDecl* function_;
  bool has_object_ = false;
};

FlowValue Builder::value(const Expr* given) {
  const Expr* expression = given->IgnoreParens();
  if (const auto* made = dyn_cast<CastExpr>(expression)) return conversion(made);
  if (const auto* made = dyn_cast<MemberExpr>(expression)) return member(made);
  if (const auto* made = dyn_cast<BinaryOperator>(expression)) return binary(made);
  if (const auto* made = dyn_cast<UnaryOperator>(expression)) return unary(made);
  if (const auto* made = dyn_cast<CallExpr>(expression)) return call(made);
  if (const auto* made = dyn_cast<CXXConstructExpr>(expression)) return construct(made);
  if (isa<CXXThisExpr>(expression)) return pointer_to(object());
  if (isa<UnaryExprOrTypeTraitExpr>(expression)) return {};
  if (const auto* made = dyn_cast<DeclRefExpr>(expression)) {
    if (made->refersToEnclosingVariableOrCapture()) return of_type(object(), made->getType());
    const auto* variable = dyn_cast<VarDecl>(made->getDecl());
    return variable ? variable_value(variable) : FlowValue{};
  }
  if (const auto* made = dyn_cast<ArraySubscriptExpr>(expression)) {
    return of_type(behind(value(made->getBase())), made->getType());
  }
  if (const auto* made = dyn_cast<ConditionalOperator>(expression)) {
    return both(value(made->getTrueExpr()), value(made->getFalseExpr()));
  }
  if (const auto* made = dyn_cast<LambdaExpr>(expression)) {
    FlowValue captured;
    for (const Expr* one : made->capture_inits()) captured = both(std::move(captured), value(one));
    return captured;
  }
  if (const auto* made = dyn_cast<CXXDefaultArgExpr>(expression)) return value(made->getExpr());
  if (const auto* made = dyn_cast<CXXDefaultInitExpr>(expression)) return value(made->getExpr());
  return children(expression);
}

FlowValue Builder::children(const Stmt* expression) {
  FlowValue all;
  for (const Stmt* child : expression->children()) {
    if (const auto* part = dyn_cast_or_null<Expr>(child)) all = both(std::move(all), value(part));
  }
  return all;
}

/// A variable outside functions is a constant if its value is visible, else data.
FlowValue Builder::variable_value(const VarDecl* variable) {
  if (!variable->hasGlobalStorage()) return of_type(pair(node_of(variable)), variable->getType());
  const bool constant = variable->getType().isConstant(source_.context) || variable->isConstexpr();
  if (constant && variable->getAnyInitializer()) return {};
  return of_type({{0}, {0}}, variable->getType());
}

/// An assigned value in the type of what it is assigned to.
FlowValue Builder::converted(const Expr* expression, QualType type) {
  const FlowValue from = value(expression);
  if (is_integer(type) && !is_integer(expression->getType())) return {from.rest, {}};
  return from;
}

FlowValue Builder::conversion(const CastExpr* expression) {
  const FlowValue from = value(expression->getSubExpr());
  switch (expression->getCastKind()) {
    case CK_ArrayToPointerDecay:
      return pointer_to(from);
    case CK_FloatingToIntegral:
    case CK_PointerToIntegral:
      return {from.rest, {}};
    case CK_IntegralToFloating:
    case CK_IntegralToPointer:
      return {{}, from.ints};
    case CK_IntegralToBoolean:
    case CK_FloatingToBoolean:
    case CK_PointerToBoolean:
    case CK_NullToPointer:
      return {};
    default:
      return from;
  }
}

FlowValue Builder::member(const MemberExpr* expression) {
  if (const auto* variable = dyn_cast<VarDecl>(expression->getMemberDecl())) return variable_value(variable);
  const Expr* base = expression->getBase();
  if (isa<CXXThisExpr>(base->IgnoreParenImpCasts())) return of_type(object(), expression->getType());
  const FlowValue from = value(base);
  return of_type(expression->isArrow() ? behind(from) : from, expression->getType());
}

FlowValue Builder::binary(const BinaryOperator* expression) {
  const Expr* left = expression->getLHS();
  const Expr* right = expression->getRHS();
  if (expression->isComparisonOp() || expression->isLogicalOp()) return {};
  if (expression->isAssignmentOp()) return value(left);
  if (expression->getOpcode() == BO_Comma) return value(right);
  if (expression->getOpcode() == BO_Rem && is_constant(right)) return {};
  if (expression->getOpcode() == BO_And && (is_constant(right) || is_constant(left))) return {};
  if (expression->getType()->isPointerType()) return value(left->getType()->isPointerType() ? left : right);
  const FlowValue from = both(value(left), value(right));
  if (left->getType()->isPointerType()) return {from.rest, {}};
  return from;
}

FlowValue Builder::unary(const UnaryOperator* expression) {
  const FlowValue from = value(expression->getSubExpr());
  if (expression->getOpcode() == UO_LNot) return {};
  if (expression->getOpcode() == UO_AddrOf) return pointer_to(from);
  if (expression->getOpcode() == UO_Deref) return of_type(behind(from), expression->getType());
  return from;
}

FlowValue Builder::call(const CallExpr* expression) {
  if (const auto known = flow_.results.find(expression); known != flow_.results.end()) return known->second;
  const FunctionDecl* callee = expression->getDirectCallee();
  std::vector<FlowValue> arguments;
  if (const auto* method = dyn_cast<CXXMemberCallExpr>(expression)) {
    const Expr* on = method->getImplicitObjectArgument();
    const bool self = isa<CXXThisExpr>(on->IgnoreParenImpCasts());
    arguments.push_back(self ? object() : on->getType()->isPointerType() ? behind(value(on)) : value(on));
  }
  for (const Expr* argument : expression->arguments()) arguments.push_back(value(argument));
  const int index = callee ? source_.find(callee) : -1;
  const QualType type = expression->getCallReturnType(source_.context);
  if (index >= 0) return apply(expression, index, std::move(arguments), type, false);
  // A builtin's result comes from its arguments; memcpy and the like also copy behind them.
  FlowValue all;
  for (const FlowValue& argument : arguments) all = both(std::move(all), argument);
  const bool copies = callee && callee->getNameAsString().find("mem") != std::string::npos;
  if (copies && arguments.size() > 1) edges(arguments[1].rest, arguments[0].rest);
  const bool builtin = callee && callee->getNameAsString().rfind("__builtin_", 0) == 0;
  if (!builtin && !copies) all = both(std::move(all), {{0}, {0}});
  FlowValue result = is_integer(type) ? FlowValue{all.ints, {}} : of_type(all, type);
  if (is_integer(type)) append(result.ints, all.rest);
  return flow_.results.emplace(expression, std::move(result)).first->second;
}

FlowValue Builder::construct(const CXXConstructExpr* expression) {
  if (const auto known = flow_.results.find(expression); known != flow_.results.end()) return known->second;
  const int index = source_.find(expression->getConstructor());
  if (index < 0) return children(expression);
  std::vector<FlowValue> arguments(1);
  for (const Expr* argument : expression->arguments()) arguments.push_back(value(argument));
  return apply(expression, index, std::move(arguments), expression->getType(), true);
}

/// Adds the edges of a call by the callee's summary. A constructor's object is the result.
FlowValue Builder::apply(const Expr* expression, int callee, std::vector<FlowValue> arguments, QualType type,
                         bool makes_object) {
  const FlowValue result = pair(new_node());
  if (makes_object) arguments[0] = result;
  const auto nodes = [&](int at) -> std::vector<int> {
    const auto argument = static_cast<std::size_t>(at / 2);
    if (argument >= arguments.size()) return {};
    return at % 2 ? arguments[argument].rest : arguments[argument].ints;
  };
  for (const auto& [from, to] : functions_[static_cast<std::size_t>(callee)].summary.edges) {
    const std::vector<int> sources = from == FlowSummary::from_data ? std::vector<int>{0} : nodes(from);
    if (to == FlowSummary::result_ints) {
      edges(sources, result.ints);
    } else if (to == FlowSummary::result_rest) {
      edges(sources, result.rest);
      if (type->isPointerType() || type->isReferenceType()) edges(result.rest, sources);
    } else {
      edges(sources, nodes(to));
    }
  }
  flow_.calls.push_back({callee, expression, std::move(arguments)});
  return flow_.results.emplace(expression, makes_object ? result : of_type(result, type)).first->second;
}

/// Finds which arguments reach the result and which reach what other arguments point to.
void Builder::summarize() {
  std::vector<std::pair<int, int>> sources = {{FlowSummary::from_data, 0}};  // name in the summary, node
  for (std::size_t i = 0; i < flow_.arguments.size(); ++i) {
    sources.emplace_back(2 * static_cast<int>(i), flow_.arguments[i]);
    sources.emplace_back(2 * static_cast<int>(i) + 1, flow_.arguments[i] + 1);
  }
  std::vector<int> seen(flow_.edges.size(), -2), queue;
  for (const auto& [name, start] : sources) {
    queue.assign(1, start);
    seen[static_cast<std::size_t>(start)] = name;
    while (!queue.empty()) {
      const int at = queue.back();
      queue.pop_back();
      for (int next : flow_.edges[static_cast<std::size_t>(at)]) {
        if (seen[static_cast<std::size_t>(next)] == name) continue;
        seen[static_cast<std::size_t>(next)] = name;
        queue.push_back(next);
      }
    }
    for (const auto& [target, node] : sources) {
      if (target != name && node != 0 && seen[static_cast<std::size_t>(node)] == name)
        flow_.summary.edges.emplace_back(name, target);
    }
    if (seen[1] == name) flow_.summary.edges.emplace_back(name, FlowSummary::result_ints);
    if (seen[2] == name) flow_.summary.edges.emplace_back(name, FlowSummary::result_rest);
  }
}

}  // namespace

void build_flow(const AuditedSource& source, int index, std::vector<FlowFunction>& functions) {
  Builder(source, index, functions).run();
}

FlowValue flow_of(const AuditedSource& source, int index, std::vector<FlowFunction>& functions,
                  const Expr* expression) {
  Builder builder(source, index, functions);
  builder.resume();
  return builder.value(expression);
}

}  // namespace tinytc
