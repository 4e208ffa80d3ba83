// One parse; the AST's audits; code generation if they found nothing. See audit.h.
#include "codegen/audit.h"

#include <clang/CodeGen/CodeGenAction.h>
#include <clang/Frontend/MultiplexConsumer.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <tuple>

#include "codegen/audit_ast.h"
#include "codegen/audit_flow.h"
#include "codegen/audit_loops.h"
#include "codegen/audit_machine.h"
#include "codegen/audit_ranges.h"
#include "codegen/clang_session.h"
#include "compiler/diagnostics.h"

namespace tinytc {
namespace {

using namespace clang;

/// The longest chain of calls in the source.
int call_depth(const AuditedSource& source) {
  return static_cast<int>(
      heaviest_path(source.calls, std::vector<std::int64_t>(source.calls.size(), 1)).size());
}

class AuditConsumer : public ASTConsumer {
 public:
  AuditConsumer(const AuditRequest& request, AuditReport& report) : request_(request), report_(report) {}

  void HandleTranslationUnit(ASTContext& context) override {
    if (context.getDiagnostics().hasErrorOccurred()) return;
    const AuditedSource source = audit_ast(context, request_, report_);
    for (const std::vector<int>& component : source.order) {
      if (is_recursion(source.calls, component)) return;  // what follows needs an order of the functions
    }
    report_.source_call_depth = call_depth(source);
    DataFlow flow(source);
    compute_iterations(source, flow, audit_loops(source, flow, report_), report_);
  }

 private:
  const AuditRequest& request_;
  AuditReport& report_;
};

/// Audits the AST, and lets Clang go on to LLVM's IR.
class CompileAction : public EmitLLVMOnlyAction {
 public:
  CompileAction(const AuditRequest& request, AuditReport& report, llvm::LLVMContext& context)
      : EmitLLVMOnlyAction(&context), request_(request), report_(report) {}

  std::unique_ptr<ASTConsumer> CreateASTConsumer(CompilerInstance& compiler, StringRef file) override {
    std::vector<std::unique_ptr<ASTConsumer>> consumers;
    consumers.push_back(std::make_unique<AuditConsumer>(request_, report_));
    if (request_.machine_code) consumers.push_back(EmitLLVMOnlyAction::CreateASTConsumer(compiler, file));
    return std::make_unique<MultiplexConsumer>(std::move(consumers));
  }
  void EndSourceFileAction() override {
    if (request_.machine_code) EmitLLVMOnlyAction::EndSourceFileAction();
  }

 private:
  const AuditRequest& request_;
  AuditReport& report_;
};

/// Violations in source order, each once (a function template has several instances).
void sort_violations(std::vector<AuditViolation>& violations) {
  const auto key = [](const AuditViolation& one) { return std::tie(one.line, one.function, one.message); };
  std::sort(violations.begin(), violations.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  const auto same = [&](const auto& a, const auto& b) { return key(a) == key(b); };
  violations.erase(std::unique(violations.begin(), violations.end(), same), violations.end());
}

}  // namespace

AuditReport audit(const AuditRequest& request) {
  AuditReport report;
  ClangInput input;
  input.name = request.name;
  input.text = request.source;
  for (const auto& [path, text] : request.headers) input.headers.emplace_back(path, text);
  input.target = request.target;
  input.flags = {std::string("-O") + request.optimisation, "-mrelocation-model", "static"};
  llvm::LLVMContext context;
  CompileAction action(request, report, context);
  ClangSession session(input);
  const bool compiled = session.run(action);
  for (const ClangMessage& message : session.messages()) {
    require(!message.error || message.line > 0,
            "the audit cannot run for " + request.target.triple + ": " + message.text);
    if (message.error) report.violations.push_back({"", message.line, "does not compile: " + message.text});
  }
  sort_violations(report.violations);
  if (!compiled || !report.violations.empty() || !request.machine_code) return report;
  std::unique_ptr<llvm::Module> module = action.takeModule();
  require(module != nullptr, "Clang made no module of the audited source");
  measure_machine_code(*module, request.target, request.optimisation, report);
  return report;
}

}  // namespace tinytc
