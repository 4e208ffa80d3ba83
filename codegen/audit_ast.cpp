// Two walks: the first lists functions and judges declarations, the second judges the statements of each
// function and notes its calls.
#include "codegen/audit_ast.h"

#include <clang/AST/RecursiveASTVisitor.h>
#include <clang/Basic/SourceManager.h>

#include <algorithm>
#include <set>

namespace tinytc {
namespace {

using namespace clang;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Declarations : public RecursiveASTVisitor<Declarations> {
 public:
  Declarations(AuditedSource& source, AuditReport& report) : source_(source), report_(report) {}

  bool shouldVisitTemplateInstantiations() const { return true; }
  bool shouldVisitImplicitCode() const { return true; }

  bool VisitFunctionDecl(FunctionDecl* function) {
    if (function->isDependentContext() || !function->doesThisDeclarationHaveABody()) return true;
    if (source_.function_of.emplace(function->getCanonicalDecl(), static_cast<int>(source_.functions.size()))
            .second) {
      source_.functions.push_back(function);
    }
    return true;
  }

  bool VisitCXXMethodDecl(CXXMethodDecl* method) {
    if (method->isVirtual() && !method->isDependentContext()) add(method, "a virtual function");
    return true;
  }

  bool VisitVarDecl(VarDecl* variable) {
    if (!variable->hasGlobalStorage() || variable->getDeclContext()->isDependentContext()) return true;
    const QualType type = variable->getType();
    if (type->isDependentType()) return true;
    if (variable->getTLSKind() != VarDecl::TLS_None) add(variable, "thread_local data");
    if (!type.isConstant(source_.context) && !variable->isConstexpr()) {
      add(variable, variable->isStaticLocal() ? "a static local that can change"
                                              : "data outside functions that can change");
    }
    if (variable->isThisDeclarationADefinition() == VarDecl::DeclarationOnly) return true;
    if (variable->hasInit() && !variable->hasConstantInitialization())
      add(variable, "an initializer that runs at start-up");
    if (variable->needsDestruction(source_.context) != QualType::DK_none)
      add(variable, "a destructor that runs at exit");
    return true;
  }

 private:
  void add(const NamedDecl* where, const std::string& what) {
    report_.violations.push_back(
        {"", source_.line(where->getLocation()), what + ": '" + where->getQualifiedNameAsString() + "'"});
  }

  AuditedSource& source_;
  AuditReport& report_;
};

/// The statements of one function.
class Statements : public RecursiveASTVisitor<Statements> {
 public:
  Statements(AuditedSource& source, const AuditRequest& request, AuditReport& report, int function)
      : source_(source), request_(request), report_(report), function_(function) {}

  bool shouldVisitImplicitCode() const { return true; }
  bool shouldVisitTemplateInstantiations() const { return true; }

  void run() {
    const FunctionDecl* function = source_.functions[static_cast<std::size_t>(function_)];
    if (const auto* constructor = dyn_cast<CXXConstructorDecl>(function)) {
      for (const CXXCtorInitializer* one : constructor->inits()) TraverseStmt(one->getInit());
    }
    if (const auto* destructor = dyn_cast<CXXDestructorDecl>(function)) members_of(destructor->getParent());
    for (const ParmVarDecl* parameter : function->parameters()) destroyed(parameter->getType());
    TraverseStmt(function->getBody());
    std::vector<int>& calls = source_.calls[static_cast<std::size_t>(function_)];
    std::sort(calls.begin(), calls.end());
    calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
  }

  // A lambda's body and a local class's functions are functions of their own.
  bool TraverseLambdaExpr(LambdaExpr* lambda) {
    for (Expr* captured : lambda->capture_inits()) TraverseStmt(captured);
    return true;
  }
  bool TraverseCXXRecordDecl(CXXRecordDecl*) { return true; }
  // A function that a template is given is used where the instance names its parameter.
  bool TraverseTemplateArgumentLoc(const TemplateArgumentLoc&) { return true; }

  bool VisitCallExpr(CallExpr* call) {
    if (isa<CXXPseudoDestructorExpr>(call->getCallee()->IgnoreParens())) return true;
    if (const FunctionDecl* callee = call->getDirectCallee()) {
      callees_.insert(call->getCallee()->IgnoreParenImpCasts());
      calls(callee, call->getBeginLoc());
    } else {
      add(call->getBeginLoc(), "an indirect call");
    }
    return true;
  }
  bool VisitCXXConstructExpr(CXXConstructExpr* made) {
    calls(made->getConstructor(), made->getBeginLoc());
    return true;
  }
  bool VisitCXXInheritedCtorInitExpr(CXXInheritedCtorInitExpr* made) {
    calls(made->getConstructor(), made->getBeginLoc());
    return true;
  }
  bool VisitCXXBindTemporaryExpr(CXXBindTemporaryExpr* made) {
    destroyed(made->getType());
    return true;
  }
  bool VisitVarDecl(VarDecl* variable) {
    if (variable->hasLocalStorage()) destroyed(variable->getType());
    if (variable->getType()->isVariablyModifiedType())
      add(variable->getLocation(), "a variable-length array");
    return true;
  }
  bool VisitDeclRefExpr(DeclRefExpr* use) {
    if (const auto* function = dyn_cast<FunctionDecl>(use->getDecl()); function && !callees_.count(use)) {
      if (const int index = source_.find(function); index >= 0)
        source_.address_taken[static_cast<std::size_t>(index)] = true;
    }
    return true;
  }
  bool VisitCXXDefaultArgExpr(CXXDefaultArgExpr* use) { return TraverseStmt(use->getExpr()); }
  bool VisitCXXDefaultInitExpr(CXXDefaultInitExpr* use) { return TraverseStmt(use->getExpr()); }
  bool VisitCXXNewExpr(CXXNewExpr* at) { return add(at->getBeginLoc(), "heap use: new"); }
  bool VisitCXXDeleteExpr(CXXDeleteExpr* at) { return add(at->getBeginLoc(), "heap use: delete"); }
  bool VisitCXXThrowExpr(CXXThrowExpr* at) { return add(at->getBeginLoc(), "throw"); }
  bool VisitCXXTryStmt(CXXTryStmt* at) { return add(at->getBeginLoc(), "try"); }
  bool VisitCXXDynamicCastExpr(CXXDynamicCastExpr* at) { return add(at->getBeginLoc(), "dynamic_cast"); }
  bool VisitCXXTypeidExpr(CXXTypeidExpr* at) { return add(at->getBeginLoc(), "typeid"); }
  bool VisitGotoStmt(GotoStmt* at) { return add(at->getBeginLoc(), "goto"); }
  bool VisitIndirectGotoStmt(IndirectGotoStmt* at) { return add(at->getBeginLoc(), "goto"); }

 private:
  bool add(SourceLocation where, const std::string& what) {
    report_.violations.push_back({source_.name(function_), source_.line(where), what});
    return true;
  }

  void calls(const FunctionDecl* callee, SourceLocation where) {
    const int index = source_.find(callee);
    if (index >= 0) {
      source_.calls[static_cast<std::size_t>(function_)].push_back(index);
    } else if (!callee->isTrivial() && !callee->isDefaulted()) {
      external(callee, where);
    }
  }

  void external(const FunctionDecl* callee, SourceLocation where) {
    static const std::set<std::string> heap = {"malloc",        "calloc",         "realloc",  "free",
                                               "aligned_alloc", "posix_memalign", "memalign", "valloc",
                                               "reallocarray",  "strdup"};
    static const std::set<std::string> library = {"memcpy", "memmove", "memset", "memcmp"};
    const std::string name = callee->getNameAsString();
    const bool global = callee->getDeclContext()->getRedeclContext()->isTranslationUnit();
    if (name.find("alloca") != std::string::npos && (name == "alloca" || callee->getBuiltinID())) {
      add(where, "alloca");
    } else if ((global && heap.count(name)) || callee->isReplaceableGlobalAllocationFunction()) {
      add(where, "heap use: " + name);
    } else if (name.rfind("__builtin_", 0) == 0 || (global && library.count(name))) {
      return;
    } else if (!contains(request_.allowed_calls, name) &&
               !contains(request_.allowed_calls, callee->getQualifiedNameAsString())) {
      add(where, "a call of '" + callee->getQualifiedNameAsString() + "', which has no body here");
    }
  }

  /// Leaving a scope calls the destructor of an object of this type.
  void destroyed(QualType type) {
    const CXXRecordDecl* record = type->getBaseElementTypeUnsafe()->getAsCXXRecordDecl();
    if (type->isReferenceType() || type->isPointerType() || !record || !record->hasDefinition()) return;
    if (const CXXDestructorDecl* destructor = record->getDestructor();
        destructor && !record->hasTrivialDestructor()) {
      calls(destructor, destructor->getLocation());
    }
  }

  void members_of(const CXXRecordDecl* record) {
    for (const FieldDecl* field : record->fields()) destroyed(field->getType());
    for (const CXXBaseSpecifier& base : record->bases()) destroyed(base.getType());
  }

  AuditedSource& source_;
  const AuditRequest& request_;
  AuditReport& report_;
  int function_;
  std::set<const Expr*> callees_;
};

/// Functions of one component call each other.
void report_recursion(const AuditedSource& source, AuditReport& report) {
  for (const std::vector<int>& component : source.order) {
    if (!is_recursion(source.calls, component)) continue;
    std::string names;
    for (int function : component) names += (names.empty() ? "'" : ", '") + source.name(function) + "'";
    const FunctionDecl* first = source.functions[static_cast<std::size_t>(component.front())];
    report.violations.push_back(
        {source.name(component.front()), source.line(first->getLocation()), "recursion: " + names});
  }
}

}  // namespace

int AuditedSource::find(const FunctionDecl* function) const {
  const auto found = function_of.find(function->getCanonicalDecl());
  return found == function_of.end() ? -1 : found->second;
}

unsigned AuditedSource::line(SourceLocation location) const {
  return location.isValid() ? context.getSourceManager().getPresumedLineNumber(
                                  context.getSourceManager().getExpansionLoc(location))
                            : 0;
}

std::string AuditedSource::name(int function) const {
  std::string text;
  llvm::raw_string_ostream out(text);
  PrintingPolicy policy(context.getLangOpts());
  policy.SuppressUnwrittenScope = true;
  functions[static_cast<std::size_t>(function)]->getNameForDiagnostic(out, policy, true);
  return text;
}

AuditedSource audit_ast(ASTContext& context, const AuditRequest& request, AuditReport& report) {
  AuditedSource source{context, {}, {}, {}, {}, {}};
  Declarations(source, report).TraverseDecl(context.getTranslationUnitDecl());
  source.calls.resize(source.functions.size());
  source.address_taken.assign(source.functions.size(), false);
  for (std::size_t i = 0; i < source.functions.size(); ++i) {
    Statements(source, request, report, static_cast<int>(i)).run();
  }
  source.order = components(source.calls);
  report_recursion(source, report);
  return source;
}

}  // namespace tinytc
