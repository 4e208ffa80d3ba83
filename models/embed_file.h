// Puts a file into the program's constants, thus into flash: sample data that is too large for RAM.
#ifndef TINYTC_MODELS_EMBED_FILE_H_
#define TINYTC_MODELS_EMBED_FILE_H_

#include <cstdint>

// TINYTC_EMBED_FILE(name, "path"): defines `const std::uint8_t name[]`, the content, and name_end behind its last byte. At namespace
// level, once per program and name; the path is relative to the assembler's working folder or absolute.
#define TINYTC_EMBED_FILE(name, path)           \
  extern "C" const std::uint8_t name[];         \
  extern "C" const std::uint8_t name##_end[];   \
  __asm__(                                      \
      ".pushsection .rodata." #name ",\"a\"\n"  \
      ".balign 4\n"                             \
      ".global " #name "\n"                     \
      ".global " #name "_end\n" #name ":\n"     \
      ".incbin \"" path "\"\n" #name "_end:\n"  \
      ".byte 0\n"                               \
      ".popsection\n");

#endif  // TINYTC_MODELS_EMBED_FILE_H_
