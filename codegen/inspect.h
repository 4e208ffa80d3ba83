// Judges and weighs the emitted source before anything is written.
#pragma once

#include "codegen/emit_model.h"
#include "compiler/measure_code.h"

namespace tinytc {

/// Audits the source for the target and measures its code: by the target's own GCC where it is installed, else Clang's estimate. Throws
/// InternalError listing the violations if the audit finds any.
CodeFigures inspect(const EmittedModel& model, const EmitOptions& options, const Target& target, const TargetConfig& config);

}  // namespace tinytc
