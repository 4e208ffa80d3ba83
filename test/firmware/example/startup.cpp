// The least that a Cortex-M4F needs before main(): vector table, floating-point unit, variables.
#include <cstdint>

#include "semihosting.h"

extern "C" {
extern std::uint32_t stack_top[], data_begin[], data_end[], bss_begin[], bss_end[];
extern const std::uint32_t data_load[];
[[noreturn]] void reset();
[[noreturn]] void fault();
}
int main();

void fault() { semihosting::stop(false); }

void reset() {
  *reinterpret_cast<volatile std::uint32_t*>(0xE000ED88U) |= 0xFU << 20;  // CPACR: access to the FPU
  __asm__ volatile("dsb\nisb" ::: "memory");
  const std::uint32_t* from = data_load;
  for (std::uint32_t* to = data_begin; to < data_end; ++to) *to = *from++;
  for (std::uint32_t* to = bss_begin; to < bss_end; ++to) *to = 0;
  semihosting::stop(main() == 0);
}

namespace {
using Handler = void (*)();
__attribute__((section(".vectors"), used)) const Handler vectors[16] = {
    reinterpret_cast<Handler>(stack_top), reset, fault, fault, fault, fault, fault, fault,
    fault, fault, fault, fault, fault, fault, fault, fault,
};
}  // namespace
