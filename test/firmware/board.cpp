// board.h on an emulated board: everything that is the same on Cortex-M and RISC-V.
//
// How to read it: board_start is called by the start-up code of the core with a valid stack; it sets up
// memory, runs main and exits. The symbols of the linker script (see scripts/emulation/link.py) give the
// borders of memory.
#include "board.h"

#include "semihosting.h"

extern "C" {
extern std::uint32_t tinytc_data_load[], tinytc_data_begin[], tinytc_data_end[];
extern std::uint32_t tinytc_bss_begin[], tinytc_bss_end[];
extern std::uint32_t tinytc_stack_bottom[], tinytc_stack_top[];
using Constructor = void (*)();
extern Constructor tinytc_constructors_begin[], tinytc_constructors_end[];
int main(int argc, char** argv);
[[noreturn]] void board_start();
[[noreturn]] void board_fault(std::uint32_t cause, std::uint32_t address);
}

namespace board {
namespace {

constexpr std::uint32_t paint_pattern = 0xc5a39e71u;
constexpr int fault_exit_code = 125;
constexpr int max_arguments = 16;

std::uint32_t* painted_top = nullptr;

inline __attribute__((always_inline)) std::uint32_t* stack_pointer() {
  std::uint32_t* sp;
#if defined(__riscv)
  asm volatile("mv %0, sp" : "=r"(sp));
#else
  asm volatile("mov %0, sp" : "=r"(sp));
#endif
  return sp;
}

// Fills what lies below the stack pointer: nothing interrupts, so nothing there is in use.
inline __attribute__((always_inline)) void paint() {
  painted_top = stack_pointer();
  for (volatile std::uint32_t* word = tinytc_stack_bottom; word < painted_top; ++word) *word = paint_pattern;
}

// The deepest word of the stack that no longer holds the paint.
const volatile std::uint32_t* deepest_used() {
  const volatile std::uint32_t* word = tinytc_stack_bottom;
  while (word < tinytc_stack_top && *word == paint_pattern) ++word;
  return word;
}

char command_line[512];
char* arguments[max_arguments + 1];

// Splits the command line at spaces; the emulator hands over what scripts/emulate got as --args.
int read_arguments() {
  struct {
    char* text;
    std::uintptr_t size;
  } block = {command_line, sizeof command_line};
  if (semihosting(sys_get_cmdline, &block) != 0) return 0;
  int count = 0;
  bool in_word = false;
  for (char* c = command_line; *c != '\0'; ++c) {
    if (*c == ' ') {
      *c = '\0';
      in_word = false;
    } else if (!in_word && count < max_arguments) {
      arguments[count++] = c;
      in_word = true;
    }
  }
  return count;
}

std::uintptr_t text_length(const char* text) {
  std::uintptr_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

int open_file(const char* path, std::uintptr_t mode) {
  const std::uintptr_t block[] = {reinterpret_cast<std::uintptr_t>(path), mode, text_length(path)};
  return static_cast<int>(semihosting(sys_open, block));
}

void print_hexadecimal(std::uint32_t value) {
  char text[9];
  for (int i = 0; i < 8; ++i) text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
  text[8] = '\0';
  print(text);
}

}  // namespace

void print(const char* text) { semihosting(sys_write0, text); }

void print_unsigned(std::uint32_t value) {
  char text[11];
  char* start = text + 10;
  *start = '\0';
  do {
    *--start = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  print(start);
}

void print(int value) {
  if (value < 0) print("-");
  print_unsigned(value < 0 ? 0u - static_cast<std::uint32_t>(value) : static_cast<std::uint32_t>(value));
}

void print_bits(float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  print_hexadecimal(bits);
}

void print(float value) {
  if (value != value) return print("nan");
  if (value < 0) print("-");
  const float size = value < 0 ? -value : value;
  if (size > 4e9f) return print("inf");
  const std::uint32_t whole = static_cast<std::uint32_t>(size);
  const std::uint32_t millionths =
      static_cast<std::uint32_t>((size - static_cast<float>(whole)) * 1e6f + 0.5f) % 1000000u;
  print_unsigned(whole);
  char text[8] = {'.', '0', '0', '0', '0', '0', '0', '\0'};
  for (std::uint32_t i = 6, rest = millionths; i > 0; --i, rest /= 10)
    text[i] = static_cast<char>('0' + rest % 10);
  print(text);
}

void report(const char* name, std::uint32_t value) {
  print("\n@tinytc ");
  print(name);
  print(" ");
  print_unsigned(value);
  print("\n");
}

void exit(int code) {
  const std::uintptr_t application_exit = 0x20026;
  const std::uintptr_t block[] = {application_exit, static_cast<std::uintptr_t>(code)};
  semihosting(sys_exit_extended, block);
  for (;;) {
  }
}

int open_read(const char* path) { return open_file(path, 1); }   // "rb"
int open_write(const char* path) { return open_file(path, 5); }  // "wb"

std::size_t file_size(int file) {
  const std::intptr_t block[] = {file};
  const std::intptr_t size = semihosting(sys_flen, block);
  return size < 0 ? 0 : static_cast<std::size_t>(size);
}

// Both operations return the number of bytes that they did not transfer.
std::size_t read(int file, void* out, std::size_t size) {
  const std::uintptr_t block[] = {static_cast<std::uintptr_t>(file), reinterpret_cast<std::uintptr_t>(out),
                                  size};
  return size - static_cast<std::size_t>(semihosting(sys_read, block));
}

std::size_t write(int file, const void* data, std::size_t size) {
  const std::uintptr_t block[] = {static_cast<std::uintptr_t>(file), reinterpret_cast<std::uintptr_t>(data),
                                  size};
  return size - static_cast<std::size_t>(semihosting(sys_write, block));
}

void close(int file) {
  const std::intptr_t block[] = {file};
  semihosting(sys_close, block);
}

__attribute__((noinline)) void stack_paint() { paint(); }

__attribute__((noinline)) std::size_t stack_used() {
  const volatile std::uint32_t* word = deepest_used();
  return word < painted_top ? static_cast<std::size_t>(painted_top - word) * sizeof *word : 0;
}

}  // namespace board

void board_start() {
  for (std::uint32_t *from = tinytc_data_load, *to = tinytc_data_begin; to < tinytc_data_end;)
    *to++ = *from++;
  for (std::uint32_t* to = tinytc_bss_begin; to < tinytc_bss_end;) *to++ = 0;
  for (Constructor* constructor = tinytc_constructors_begin; constructor < tinytc_constructors_end;
       ++constructor) {
    (*constructor)();
  }
  const int count = board::read_arguments();
  board::paint();
  const int code = main(count, board::arguments);
  // Counted from the top of the stack and found from the bottom, so it holds even if main painted again.
  const volatile std::uint32_t* deepest = board::deepest_used();
  board::report("stack_reserved", static_cast<std::uint32_t>((tinytc_stack_top - tinytc_stack_bottom) * 4));
  board::report("stack_high_water", static_cast<std::uint32_t>((tinytc_stack_top - deepest) * 4));
  if (deepest == tinytc_stack_bottom) {
    board::print("stack overflow: all of the reserved stack was used\n");
    board::exit(board::fault_exit_code);
  }
  board::exit(code);
}

void board_fault(std::uint32_t cause, std::uint32_t address) {
  board::print("fault: cause ");
  board::print_hexadecimal(cause);
  board::print(" at ");
  board::print_hexadecimal(address);
  board::print("\n");
  board::exit(board::fault_exit_code);
}
