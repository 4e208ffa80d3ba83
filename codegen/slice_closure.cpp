// A worklist over declarations. A declaration's place in the text decides to which node of the tree it
// belongs; a node that is newly kept hands all its declarations to the visitor. Template instantiations are
// visited one by one as they are reached, so that what only another instantiation needs stays out.
#include "codegen/slice_closure.h"

#include <clang/AST/ASTConsumer.h>
#include <clang/AST/ASTContext.h>
#include <clang/AST/RecursiveASTVisitor.h>

#include <vector>

#include "codegen/clang_session.h"
#include "compiler/diagnostics.h"

namespace tinytc {
namespace {

using namespace clang;

/// Finds the silent conversions in the arguments of calls that stand in the main file.
class ConversionCheck : public RecursiveASTVisitor<ConversionCheck> {
 public:
  ConversionCheck(ASTContext& context, std::string& errors) : context_(context), errors_(errors) {}

  bool VisitCallExpr(CallExpr* call) {
    const FunctionDecl* callee = call->getDirectCallee();
    if (!callee || context_.getSourceManager().isInMainFile(callee->getLocation())) return true;
    for (const Expr* argument : call->arguments()) check(argument, *callee);
    return true;
  }

 private:
  void check(const Expr* argument, const FunctionDecl& callee) {
    for (const Expr* at = argument->IgnoreParens(); const auto* cast = dyn_cast<ImplicitCastExpr>(at);
         at = cast->getSubExpr()->IgnoreParens()) {
      if (!changes_value(cast->getCastKind()) || keeps_constant(*cast)) continue;
      const SourceManager& sources = context_.getSourceManager();
      if (!errors_.empty()) errors_ += '\n';
      errors_ += "program.cpp:" + std::to_string(sources.getPresumedLineNumber(cast->getBeginLoc())) +
                 ": argument of '" + callee.getNameAsString() + "' is converted silently from '" +
                 cast->getSubExpr()->getType().getAsString() + "' to '" + cast->getType().getAsString() + "'";
      return;
    }
  }

  /// An integer constant that the other type can hold.
  bool keeps_constant(const ImplicitCastExpr& cast) const {
    Expr::EvalResult before, after;
    if (cast.getCastKind() != CK_IntegralCast || !cast.getSubExpr()->EvaluateAsInt(before, context_))
      return false;
    return cast.EvaluateAsInt(after, context_) &&
           llvm::APSInt::isSameValue(before.Val.getInt(), after.Val.getInt());
  }

  static bool changes_value(CastKind kind) {
    switch (kind) {
      case CK_IntegralCast:
      case CK_FloatingCast:
      case CK_IntegralToFloating:
      case CK_FloatingToIntegral:
      case CK_IntegralToBoolean:
      case CK_FloatingToBoolean:
      case CK_PointerToBoolean:
      case CK_BooleanToSignedIntegral:
      case CK_IntegralToPointer:
      case CK_PointerToIntegral:
        return true;
      default:
        return false;
    }
  }

  ASTContext& context_;
  std::string& errors_;
};

class Closure : public RecursiveASTVisitor<Closure> {
 public:
  Closure(ASTContext& context, const SourceTree& tree, std::set<int>& kept)
      : context_(context), tree_(tree), kept_(kept) {}

  void run() {
    index(context_.getTranslationUnitDecl());
    for (Decl* root : roots_) pending_.push_back(root);
    do {
      while (!pending_.empty()) {
        Decl* next = pending_.back();
        pending_.pop_back();
        TraverseDecl(next);
      }
    } while (settle_overloads());
  }

  bool shouldVisitImplicitCode() const { return true; }
  bool shouldVisitTemplateInstantiations() const { return true; }

  // Instantiations are reached one by one; of a class template, all specialisations that somebody wrote are
  // kept.
  bool TraverseTemplateInstantiations(FunctionTemplateDecl*) { return true; }
  bool TraverseTemplateInstantiations(ClassTemplateDecl* made) {
    for (ClassTemplateSpecializationDecl* one : made->specializations()) {
      if (one->isExplicitSpecialization()) reach(one);
    }
    SmallVector<ClassTemplatePartialSpecializationDecl*, 4> partial;
    made->getPartialSpecializations(partial);
    for (ClassTemplatePartialSpecializationDecl* one : partial) reach(one);
    return true;
  }
  bool TraverseTemplateInstantiations(VarTemplateDecl* made) {
    for (VarTemplateSpecializationDecl* one : made->specializations()) {
      if (one->isExplicitSpecialization()) reach(one);
    }
    SmallVector<VarTemplatePartialSpecializationDecl*, 4> partial;
    made->getPartialSpecializations(partial);
    for (VarTemplatePartialSpecializationDecl* one : partial) reach(one);
    return true;
  }

  bool VisitDeclRefExpr(DeclRefExpr* use) {
    reach(use->getDecl());
    reach(use->getFoundDecl());
    return true;
  }
  bool VisitMemberExpr(MemberExpr* use) {
    reach(use->getMemberDecl());
    return true;
  }
  bool VisitCXXConstructExpr(CXXConstructExpr* use) {
    reach(use->getConstructor());
    return true;
  }
  bool VisitOverloadExpr(OverloadExpr* use) {
    std::vector<NamedDecl*> candidates(use->decls_begin(), use->decls_end());
    if (!candidates.empty()) overloads_.push_back(std::move(candidates));
    return true;
  }
  bool VisitCXXDefaultArgExpr(CXXDefaultArgExpr* use) { return TraverseStmt(use->getExpr()); }
  bool VisitCXXDefaultInitExpr(CXXDefaultInitExpr* use) { return TraverseStmt(use->getExpr()); }
  bool VisitExpr(Expr* use) {
    reach_type(use->getType());
    return true;
  }
  bool VisitValueDecl(ValueDecl* made) {
    reach_type(made->getType());
    return true;
  }
  bool VisitUsingDecl(UsingDecl* made) {
    for (UsingShadowDecl* shadow : made->shadows()) reach(shadow->getTargetDecl());
    return true;
  }
  bool VisitTypedefType(TypedefType* use) {
    reach(use->getDecl());
    return true;
  }
  bool VisitUsingType(UsingType* use) {
    reach(use->getFoundDecl());
    return true;
  }
  bool VisitTagType(TagType* use) {
    reach(use->getDecl());
    return true;
  }
  bool VisitInjectedClassNameType(InjectedClassNameType* use) {
    reach(use->getDecl());
    return true;
  }
  bool VisitTemplateSpecializationType(TemplateSpecializationType* use) {
    reach(use->getTemplateName().getAsTemplateDecl());
    return true;
  }
  bool TraverseTemplateName(TemplateName name) {
    reach(name.getAsTemplateDecl());
    return RecursiveASTVisitor::TraverseTemplateName(name);
  }
  bool TraverseNestedNameSpecifierLoc(NestedNameSpecifierLoc name) {
    if (name) {
      if (NamespaceAliasDecl* alias = name.getNestedNameSpecifier()->getAsNamespaceAlias()) reach(alias);
    }
    return RecursiveASTVisitor::TraverseNestedNameSpecifierLoc(name);
  }

 private:
  /// Lists the namespace-level declarations of each node, and the main file's as roots.
  void index(DeclContext* scope) {
    const SourceManager& sources = context_.getSourceManager();
    for (Decl* one : scope->decls()) {
      if (one->isImplicit() && !isa<LinkageSpecDecl>(one)) continue;
      if (isa<NamespaceDecl>(one) || isa<LinkageSpecDecl>(one)) {
        index(cast<DeclContext>(one));
      } else if (sources.isInMainFile(sources.getExpansionLoc(one->getLocation()))) {
        roots_.push_back(one);
      } else if (const int node = node_of(one); node >= 0) {
        decls_[node].push_back(one);
      }
    }
  }

  int node_of(const Decl* one) const {
    if (one->getLocation().isInvalid()) return -1;
    const SourceManager& sources = context_.getSourceManager();
    const auto [file, offset] = sources.getDecomposedExpansionLoc(one->getLocation());
    const OptionalFileEntryRef entry = sources.getFileEntryRefForID(file);
    return entry ? tree_.declaration_at(header_path(entry->getName()), offset) : -1;
  }

  /// Keeps the text of a declaration and of all that declares the same thing, and visits an instantiation of
  /// a template.
  void reach(Decl* one) {
    if (!one || !reached_.insert(one).second) return;
    for (Decl* other : one->redecls()) keep(other);
    if (auto* shadow = dyn_cast<UsingShadowDecl>(one)) reach(shadow->getIntroducer());
    if (auto* function = dyn_cast<FunctionDecl>(one)) {
      if (function->isTemplateInstantiation()) pending_.push_back(definition(function));
      reach(function->getTemplateInstantiationPattern());
      reach(function->getPrimaryTemplate());
      if (function->isDefaulted() && function->isImplicit()) pending_.push_back(function);
    } else if (auto* record = dyn_cast<ClassTemplateSpecializationDecl>(one)) {
      if (!record->isExplicitSpecialization()) pending_.push_back(record);
      reach(record->getSpecializedTemplate());
    } else if (auto* variable = dyn_cast<VarDecl>(one)) {
      if (isTemplateInstantiation(variable->getTemplateSpecializationKind())) pending_.push_back(variable);
      reach(variable->getTemplateInstantiationPattern());
      if (auto* made = dyn_cast<VarTemplateSpecializationDecl>(one)) reach(made->getSpecializedTemplate());
    }
  }

  static Decl* definition(FunctionDecl* function) {
    FunctionDecl* defined = function->getDefinition();
    return defined ? defined : function;
  }

  void reach_type(QualType type) {
    if (type.isNull()) return;
    const clang::Type* plain = type.getCanonicalType().getTypePtr();
    while (plain->isPointerType() || plain->isReferenceType() || plain->isArrayType()) {
      plain = plain->isArrayType() ? plain->getArrayElementTypeNoTypeQual()
                                   : plain->getPointeeType().getTypePtr();
    }
    if (const auto* tag = dyn_cast<TagType>(plain)) reach(tag->getDecl());
  }

  void keep(const Decl* one) {
    const int node = node_of(one);
    if (node < 0 || !kept_.insert(node).second) return;
    const auto found = decls_.find(node);
    if (found != decls_.end()) pending_.insert(pending_.end(), found->second.begin(), found->second.end());
  }

  /// A name in a template that no instantiation resolved still has to be found by the compiler: keeps all its
  /// candidates, unless one is kept already. True if there is more to visit.
  bool settle_overloads() {
    for (const std::vector<NamedDecl*>& candidates : overloads_) {
      bool known = false;
      for (NamedDecl* one : candidates) known = known || node_of(one) < 0 || kept_.count(node_of(one));
      if (known) continue;
      for (NamedDecl* one : candidates) reach(one);
    }
    overloads_.clear();
    return !pending_.empty();
  }

  ASTContext& context_;
  const SourceTree& tree_;
  std::set<int>& kept_;
  std::map<int, std::vector<Decl*>> decls_;
  std::vector<Decl*> roots_, pending_;
  std::set<const Decl*> reached_;
  std::vector<std::vector<NamedDecl*>> overloads_;
};

class Consumer : public ASTConsumer {
 public:
  Consumer(const SourceTree& tree, std::set<int>& kept, std::string& errors)
      : tree_(tree), kept_(kept), errors_(errors) {}

  void HandleTranslationUnit(ASTContext& context) override {
    if (context.getDiagnostics().hasErrorOccurred()) return;
    const SourceManager& sources = context.getSourceManager();
    for (Decl* one : context.getTranslationUnitDecl()->decls()) {
      if (sources.isInMainFile(one->getLocation())) ConversionCheck(context, errors_).TraverseDecl(one);
    }
    Closure(context, tree_, kept_).run();
  }

 private:
  const SourceTree& tree_;
  std::set<int>& kept_;
  std::string& errors_;
};

class Action : public ASTFrontendAction {
 public:
  Action(const SourceTree& tree, std::set<int>& kept, std::string& errors)
      : tree_(tree), kept_(kept), errors_(errors) {}
  std::unique_ptr<ASTConsumer> CreateASTConsumer(CompilerInstance&, StringRef) override {
    return std::make_unique<Consumer>(tree_, kept_, errors_);
  }

 private:
  const SourceTree& tree_;
  std::set<int>& kept_;
  std::string& errors_;
};

}  // namespace

std::set<int> reached_declarations(const SliceRequest& request, const TargetConfig& arm,
                                   const SourceTree& tree) {
  ClangInput input;
  for (const std::string& header : request.headers) input.text += "#include \"" + header + "\"\n";
  input.text += "#line 1 \"/program.cpp\"\n" + request.program;
  for (const auto& [path, text] : request.own_headers) input.headers.emplace_back(path, text);
  input.target = arm;
  std::set<int> kept;
  std::string conversions;
  Action action(tree, kept, conversions);
  ClangSession session(input);
  const std::string where = "the kernel calls do not compile for " + arm.triple + " " + arm.cpu + ":\n";
  if (!session.run(action)) throw InternalError(where + session.errors());
  if (!conversions.empty()) throw InternalError(where + conversions);
  return kept;
}

}  // namespace tinytc
