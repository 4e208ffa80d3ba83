// Start-up of a Cortex-M core: vector table, reset, floating-point unit, faults. Runs on every Cortex-M from
// M0 to M55.
#include <cstdint>

extern "C" {
extern std::uint32_t tinytc_stack_bottom[], tinytc_stack_top[];
[[noreturn]] void board_start();
[[noreturn]] void board_fault(std::uint32_t cause, std::uint32_t address);
void board_reset();
void board_exception();
void board_exception_frame(const std::uint32_t* frame);
}

namespace {
constexpr std::uintptr_t coprocessor_access = 0xe000ed88;         // CPACR
constexpr std::uintptr_t configurable_fault_status = 0xe000ed28;  // CFSR
using Handler = void (*)();
}  // namespace

// Enables the FPU (CP10 and CP11; Helium shares their switch) before any code that might use it, and lets
// Armv8-M watch the stack.
void board_reset() {
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
  asm volatile("msr msplim, %0" ::"r"(tinytc_stack_bottom));
#endif
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  *reinterpret_cast<volatile std::uint32_t*>(coprocessor_access) |= 0xfu << 20;
  asm volatile("dsb\nisb" ::: "memory");
#endif
  board_start();
}

// Every exception is an error here: nothing enables interrupts. Hands the stacked registers over and goes on
// with a fresh stack, as the old one may be the reason. Only Thumb-1 instructions, so that it runs on an M0
// too.
__attribute__((naked)) void board_exception() {
  asm volatile(
      "mrs r0, msp\n"
      "ldr r1, =tinytc_stack_top\n"
      "mov sp, r1\n"
      "ldr r1, =board_exception_frame\n"
      "bx r1\n");
}

void board_exception_frame(const std::uint32_t* frame) {
  const std::uint32_t cause = *reinterpret_cast<volatile std::uint32_t*>(configurable_fault_status);
  // A stack that ran over its end has no frame that could be read.
  const bool has_frame = frame >= tinytc_stack_bottom && frame < tinytc_stack_top;
  board_fault(cause, has_frame ? frame[6] : 0);
}

// Initial stack pointer, reset, and the 14 further system exceptions of the architecture.
__attribute__((section(".vectors"), used)) extern const Handler board_vectors[16];
const Handler board_vectors[16] = {
    reinterpret_cast<Handler>(tinytc_stack_top),
    board_reset,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
    board_exception,
};
