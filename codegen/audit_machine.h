// Compiles a parsed source to machine code for its target, in memory, and measures it. Internal to audit();
// includes LLVM.
#pragma once

#include <memory>

#include "codegen/audit.h"

namespace llvm {
class Module;
}

namespace tinytc {

/// Fills the machine-code half of the report. Throws InternalError if LLVM has no back end for the module's
/// target.
void measure_machine_code(llvm::Module& module, const TargetConfig& target, char optimisation,
                          AuditReport& report);

}  // namespace tinytc
