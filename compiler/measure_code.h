// What the emitted source weighs once it is compiled: code bytes and stack, by the target's own compiler.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "targets/target.h"

namespace tinytc {

/// Figures of compiled code. Bytes.
struct CodeFigures {
  std::string source;  // who says so: "arm-none-eabi-g++ 12.2.1 -O2", "Clang's estimate"
  std::int64_t code_bytes = 0;   // code and its constants, without tables of weights and without library routines
  std::int64_t stack_bytes = 0;  // along the deepest path; a routine of the compiler's library counts `library_stack_bytes`
  std::map<std::string, std::int64_t> function_bytes = {};  // by unqualified name: "call_conv2d"
  std::vector<std::string> deepest_path = {};          // unqualified names, outermost first
  std::vector<std::string> library_calls = {};         // symbols from elsewhere, sorted
};

/// The most that a routine of libgcc or a copy of memory is taken to push.
constexpr std::int64_t library_stack_bytes = 48;

/// Flags with which emitted code is measured, beside the target's own.
extern const std::vector<std::string> measuring_flags;

/// "call_gemm" of "net::(anonymous namespace)::call_gemm(float const*) [clone .constprop.0]".
std::string unqualified(const std::string& demangled);

/// What comes of asking the target's compiler.
struct Measured {
  std::optional<CodeFigures> figures;
  std::string complaint;  // without figures: what the compiler says against the target's flags, empty if there is no compiler
};

/// Compiles NAME.h and NAME.cpp with the target's own GCC and reads the object's symbols and GCC's call graph with stack use
/// (-fcallgraph-info, GCC 10 and later). No figures when the target has no GCC, it is not installed, or it does not understand the flags. The
/// audit has shown before that the call graph has no cycles and no indirect calls.
Measured measure_with_gcc(const Target& target, const std::string& name, const std::string& header, const std::string& source);

// The parts, for tests.

/// Adds sections and symbols to the figures: `listing` as `objdump -h -w -t -C` prints it (nm would load the linker's plugin first, which
/// takes ten times as long).
void read_object(const std::string& listing, CodeFigures& figures);
/// Sets the stack figures from GCC's call graph.
void read_call_graph(const std::string& graph, CodeFigures& figures);

}  // namespace tinytc
