// Semihosting: the calls by which firmware asks the emulator (or a debugger) for input, output and exit.
// Source: Arm "Semihosting for AArch32 and AArch64", and the RISC-V semihosting specification, which takes
// over its operations.
#ifndef TINYTC_TEST_FIRMWARE_SEMIHOSTING_H
#define TINYTC_TEST_FIRMWARE_SEMIHOSTING_H

#include <cstdint>

namespace board {

enum SemihostingOperation : int {
  sys_open = 0x01,
  sys_close = 0x02,
  sys_write0 = 0x04,
  sys_write = 0x05,
  sys_read = 0x06,
  sys_flen = 0x0c,
  sys_get_cmdline = 0x15,
  sys_exit_extended = 0x20,
};

/// Performs one operation; `argument` points to its block of word-sized fields. Returns the operation's
/// result.
inline std::intptr_t semihosting(SemihostingOperation operation, const void* argument) {
#if defined(__arm__)
  register std::intptr_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
#elif defined(__riscv)
  register std::intptr_t a0 asm("a0") = operation;
  register const void* a1 asm("a1") = argument;
  // The three instructions must be uncompressed and stand in one page.
  asm volatile(
      ".balign 16\n"
      ".option push\n"
      ".option norvc\n"
      "slli zero, zero, 0x1f\n"
      "ebreak\n"
      "srai zero, zero, 7\n"
      ".option pop"
      : "+r"(a0)
      : "r"(a1)
      : "memory");
  return a0;
#endif
}

}  // namespace board

#endif  // TINYTC_TEST_FIRMWARE_SEMIHOSTING_H
