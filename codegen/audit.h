// Reads an emitted source as a suspicious stranger would, and says what in it firmware must not contain.
// Nothing is handed out with a violation in it.
//
// How it works: Clang parses the source once for the target. audit_ast lists functions, calls and forbidden
// constructs; audit_flow follows which integers depend on data; audit_loops judges each loop by that;
// audit_ranges computes the most iterations; audit_machine compiles for the target and measures. Each
// function (each template instance) is looked at once, so cost is linear in the source; weight tables should
// stand in it as declarations.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/target_config.h"

namespace tinytc {

struct AuditRequest {
  std::string name = "model.cpp";  ///< how messages call the source
  std::string source;              ///< the emitted C++14; weight tables as `extern const float w[...];`
  std::map<std::string, std::string> headers;  ///< what it includes besides the standard headers, by path
  TargetConfig target;
  std::vector<std::string>
      allowed_calls;         ///< functions that the firmware defines, as declared: "gesture_yield"
  bool machine_code = true;  ///< also compile: stack, code size, library calls
  char optimisation = 's';   ///< of that: '0' to '3', 's', 'z'
};

struct AuditViolation {
  std::string function;  ///< "gesture::Model::predict"; empty outside functions
  unsigned line = 0;     ///< of the source; 0 if it stands nowhere
  std::string message;
};

struct AuditLoop {
  std::string function;
  unsigned line = 0;
  std::int64_t most_iterations =
      -1;  ///< over all calls; -1: bounded by constants, but the number was not computed
};

struct AuditFunction {
  std::string name;              ///< demangled; a function inlined everywhere does not appear
  std::int64_t stack_bytes = 0;  ///< its own frame
  std::int64_t code_bytes = 0;
};

struct AuditReport {
  std::vector<AuditViolation> violations;  ///< in source order; empty: the source is accepted
  std::vector<AuditLoop> loops;            ///< all loops, in source order
  int source_call_depth = 0;               ///< longest chain of calls in the source, before inlining

  // With machine_code, and only if there is no violation. These are what Clang's compiler makes of it: an
  // estimate for, not a bound of, the frames and sizes of another compiler's.
  std::vector<AuditFunction> functions;    ///< of the machine code, by name
  std::vector<std::string> library_calls;  ///< symbols that the machine code needs from elsewhere, sorted
  std::int64_t stack_bytes = 0;            ///< along the deepest path; a library routine counts 48 bytes
  std::vector<std::string> deepest_path;   ///< of the machine code, outermost function first
  std::int64_t code_bytes = 0;             ///< sum over functions
};

/// Audits. Refused are: whatever does not compile; new, delete and the malloc family; recursion, also through
/// constructors, operators and destructors; indirect and virtual calls; variable-length arrays and alloca;
/// throw, try, dynamic_cast, typeid; mutable data outside functions and in `static` locals; thread_local;
/// initializers that run before main; destructors that run after it; goto; calls of functions without a body
/// other than memcpy, memmove, memset, memcmp, compiler builtins and `allowed_calls`; and loops without a
/// bound.
///
/// A loop has a bound if it is a `for` over an integer that nothing else changes, with a step of fixed sign
/// towards an end, where neither start, step nor end depend on data: on what stands behind a pointer that an
/// entry point got, in the model's memory, in a table without a visible value, or in an argument of an entry
/// point (a function that nobody in the source calls). Constants, shape structs and whatever is computed from
/// them are no data. An end that data can only choose among constants (by a condition, `% 8`,
/// `& 7`, a table's index) is accepted. Any other loop must begin its body with TINYTC_BOUNDED(n).
///
/// Does not throw on violations; throws InternalError if the target is unknown to Clang.
AuditReport audit(const AuditRequest& request);

}  // namespace tinytc
