// What a test or benchmark firmware can do on every emulated board, and natively on the host: print, report
// figures, read files, measure its stack, stop with an exit code.
//
// The firmware defines `int main(int argc, char** argv)` (argv[1] on from scripts/emulate
// --args); its result is the exit code.
// board_cortex_m.cpp and board_riscv.cpp start the core, board.cpp does the rest through semihosting,
// board_host.cpp does the same natively. None of it needs a heap, libc's stdio or interrupts.
#ifndef TINYTC_TEST_FIRMWARE_BOARD_H
#define TINYTC_TEST_FIRMWARE_BOARD_H

#include <cstddef>
#include <cstdint>

namespace board {

/// Prints a text, a decimal integer, or a float as its 8 hexadecimal digits (exact: for comparing bits
/// between host and device).
void print(const char* text);
void print(int value);
void print_unsigned(std::uint32_t value);
void print_bits(float value);
/// Prints a float in decimal, rounded to 6 digits after the point; for reading, not for comparing. |value| <
/// 4e9, "nan", "inf".
void print(float value);

/// Reports a named figure to scripts/emulate: it appears under "values" of the result instead of the output.
/// The name has no spaces.
void report(const char* name, std::uint32_t value);

/// Ends the program with this exit code (0 to 255).
[[noreturn]] void exit(int code);

/// Opens a file of the host for reading; negative if that fails. Paths are relative to where scripts/emulate
/// was started.
int open_read(const char* path);
/// Opens a file of the host for writing, emptied; negative if that fails.
int open_write(const char* path);
/// Size of an open file in bytes.
std::size_t file_size(int file);
/// Reads up to `size` bytes; returns how many were read, 0 at the end.
std::size_t read(int file, void* out, std::size_t size);
/// Writes `size` bytes; returns how many were written.
std::size_t write(int file, const void* data, std::size_t size);
void close(int file);

/// Paints the unused stack below the caller. Costs no counted region anything if called outside of it.
void stack_paint();
/// Bytes of stack used below the caller of stack_paint since then: the deepest byte overwritten. 0 on the
/// host.
std::size_t stack_used();

}  // namespace board

#endif  // TINYTC_TEST_FIRMWARE_BOARD_H
