// Takes out of the kernel headers exactly the declarations that a program reaches, verbatim with their
// comments, so that the emitted source needs no header of tinytc's.
//
// How it works: source_tree reads the headers as text; slice_closure parses the program once per target
// configuration with Clang, lets Sema resolve every call, and collects what is reached; slice_text adds the
// macros that the kept text uses and prints the union, whole #if groups included.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/target_config.h"

namespace tinytc {

struct SliceRequest {
  std::vector<std::string> headers;  ///< to include, as in #include "runtime/base.h"
  std::string program;  ///< the C++14 that calls the kernels; weight tables as `extern const float w[...];`
  std::vector<TargetConfig> arms;  ///< usually slice_arms(target)
  std::map<std::string, std::string>
      own_headers;  ///< further headers, by path; they come before the ones inside the program
};

struct SliceResult {
  std::vector<std::string> includes;  ///< standard headers to include first, sorted: "<cstdint>"
  /// Macros and `namespace tinytc { ... }` blocks in a working order. May stand inside other namespaces, also
  /// twice in one source.
  std::string text;
  std::vector<std::string>
      macros;  ///< names that `text` leaves defined, sorted; for those who #undef them at the end
};

/// Slices; same request, same bytes. One parse of the program per arm; cost is linear in headers and program.
///
/// A declaration is kept if the program reaches it in any arm: through calls, types, template instantiations
/// (only those that the program causes), default arguments, constants. All redeclarations of it come with it,
/// and all specialisations of a kept class template. An overload that no reached call picks stays out. What
/// only one arm calls is unused in the others: kernels are TINYTC_INLINE, which marks them so that no
/// compiler warns.
///
/// Throws InternalError with Clang's messages and the offending lines if the program does not compile in one
/// arm; if an argument of a call is converted silently (integer to another width or sign other than a
/// constant that fits, float to double, integer to float, and so on); or if a header holds what a slice would
/// lose (see parse_headers).
SliceResult slice(const SliceRequest& request);

}  // namespace tinytc
