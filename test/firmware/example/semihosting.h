// Prints and stops through the emulator. A firmware on a real board has a serial port instead.
#pragma once

#include <cstdint>

namespace semihosting {

inline void call(std::uint32_t operation, const void* argument) {
  register std::uint32_t r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

inline void print(const char* text) { call(0x04, text); }

/// Prints thousandths as a decimal number: 1234 as "1.234".
inline void print_thousandths(std::int32_t value) {
  char text[16];
  char* at = text + sizeof text - 1;
  *at = '\0';
  std::uint32_t rest = value < 0 ? 0U - static_cast<std::uint32_t>(value) : static_cast<std::uint32_t>(value);
  for (int digit = 0; digit < 4 || rest > 0; ++digit, rest /= 10) {
    if (digit == 3) *--at = '.';
    *--at = static_cast<char>('0' + rest % 10);
  }
  if (value < 0) *--at = '-';
  print(at);
}

/// Ends the emulation with exit code 0 if `good`, else 1.
[[noreturn]] inline void stop(bool good) {
  const std::uintptr_t application_exit = 0x20026, runtime_error = 0x20023;
  for (;;) call(0x18, reinterpret_cast<const void*>(good ? application_exit : runtime_error));
}

}  // namespace semihosting
