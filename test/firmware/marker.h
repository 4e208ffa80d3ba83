// Marks regions of firmware code whose instructions and cycles the emulator counts.
//
//     TINYTC_REGION_BEGIN("predict");
//     model.predict();
//     TINYTC_REGION_END("predict");
//
// A marker is one NOP, which itself is not counted, and a record (address, kind, name) in a section that is
// not loaded; the same name at several places is one region. Regions may nest and interleave, but one region
// must be closed before it opens again. Names are string literals of letters, digits and "_.-/ ". The
// compiler keeps memory accesses and calls on their side of a marker, but may move pure register arithmetic
// across it: measure calls of noinline functions. On the host a marker is a compiler barrier.
#ifndef TINYTC_TEST_FIRMWARE_MARKER_H
#define TINYTC_TEST_FIRMWARE_MARKER_H

#if defined(__arm__) || defined(__riscv)
#define TINYTC_REGION_MARK(kind, name)                       \
  __asm__ volatile(                                          \
      "1: nop\n"                                             \
      ".pushsection .debug_tinytc_regions,\"\",%%progbits\n" \
      ".4byte 1b\n"                                          \
      ".byte " kind                                          \
      "\n"                                                   \
      ".asciz \"" name                                       \
      "\"\n"                                                 \
      ".popsection" ::                                       \
          : "memory")
#else
#define TINYTC_REGION_MARK(kind, name) __asm__ volatile("" ::: "memory")
#endif

#define TINYTC_REGION_BEGIN(name) TINYTC_REGION_MARK("'b'", name)
#define TINYTC_REGION_END(name) TINYTC_REGION_MARK("'e'", name)

#endif  // TINYTC_TEST_FIRMWARE_MARKER_H
