// Start-up of a 32-bit RISC-V core in machine mode (QEMU's "virt" machine).
#include <cstdint>

extern "C" {
[[noreturn]] void board_start();
[[noreturn]] void board_fault(std::uint32_t cause, std::uint32_t address);
void board_reset();
void board_exception();
}

// The first instruction that runs: global pointer, stack, trap vector.
__attribute__((naked, section(".vectors"), used)) void board_reset() {
  asm volatile(
      ".option push\n"
      ".option norelax\n"
      "la gp, __global_pointer$\n"
      ".option pop\n"
      ".option arch, +zicsr\n"
      "la sp, tinytc_stack_top\n"
      "la t0, board_exception\n"
      "csrw mtvec, t0\n"
      "j board_start\n");
}

// Every trap is an error here: nothing enables interrupts. It runs on a fresh stack, as the old one may be
// the reason.
__attribute__((naked, aligned(4))) void board_exception() {
  asm volatile(
      ".option arch, +zicsr\n"
      "la sp, tinytc_stack_top\n"
      "csrr a0, mcause\n"
      "csrr a1, mepc\n"
      "j board_fault\n");
}
