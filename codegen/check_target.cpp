// A run of Clang over nothing; see check_target.h.
#include "codegen/check_target.h"

#include <clang/Basic/TargetInfo.h>
#include <clang/Frontend/FrontendActions.h>
#include <fmt/format.h>

#include "codegen/clang_session.h"

namespace tinytc {

std::string target_problem(const TargetConfig& target) {
  ClangInput input;
  input.target = target;
  ClangSession session(input);
  clang::SyntaxOnlyAction nothing;
  if (!session.run(nothing)) return session.errors().empty() ? "Clang does not take this target" : session.errors();
  const llvm::Triple& triple = session.compiler().getTarget().getTriple();
  const bool has_generator = triple.isX86() || triple.isARM() || triple.isThumb() || triple.isRISCV();  // audit_machine.cpp registers these
  return has_generator ? "" : fmt::format("no code generator for '{}'; name a stand-in with types of the same size (Arm, RISC-V or x86)", target.triple);
}

}  // namespace tinytc
