// Compiles C++ source in process, for the machine that tinytc runs on, and hands out the addresses of its
// functions.
//
// Clang sees the headers carried inside tinytc and nothing else; the code runs in tinytc's own process, so a
// wild pointer in it is a wild pointer of tinytc's. It may call memcpy, memmove, memset and memcmp.
#pragma once

#include <memory>
#include <string>

namespace tinytc {

class CompiledProgram {
 public:
  /// Compiles `source` (C++14; may include kernel headers and <cstdint>, <cstddef>, <cstring>). Optimisation
  /// levels 0 to 3: 0 compiles about five times faster and runs about five times slower than 1. Results are
  /// the same bits at every level, and the same as those of the firmware: no fast-math, no contraction beyond
  /// what the source allows. Throws InternalError with Clang's or the linker's message.
  ///
  /// Several programs may live at once. They may be compiled in several threads at once, and a symbol may be
  /// looked up from any thread; the compiled functions themselves are as thread-safe as their source.
  explicit CompiledProgram(const std::string& source, int optimisation_level = 1);
  ~CompiledProgram();
  CompiledProgram(CompiledProgram&&) noexcept;
  CompiledProgram& operator=(CompiledProgram&&) noexcept;

  /// The address of an `extern "C"` function or object; valid as long as this object lives.
  /// Throws InternalError if there is none, or if it needs a function that does not exist.
  void* symbol(const std::string& name) const;

  /// The same as a function: `program.function<float(const float*)>("run")`.
  template <typename Signature>
  Signature* function(const std::string& name) const {
    return reinterpret_cast<Signature*>(symbol(name));
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tinytc
