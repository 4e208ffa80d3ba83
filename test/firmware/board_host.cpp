// board.h on the host, so that one main.cpp runs on the device and natively and the outputs can be compared.
#include "board.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace board {
namespace {
std::vector<std::FILE*> files;

int add_file(std::FILE* file) {
  if (file == nullptr) return -1;
  files.push_back(file);
  return static_cast<int>(files.size()) - 1;
}
}  // namespace

void print(const char* text) { std::fputs(text, stdout); }
void print(int value) { std::printf("%d", value); }
void print_unsigned(std::uint32_t value) { std::printf("%lu", static_cast<unsigned long>(value)); }
void print(float value) { std::printf("%.6f", static_cast<double>(value)); }

void print_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  std::printf("%08lx", static_cast<unsigned long>(bits));
}

void report(const char* name, std::uint32_t value) {
  std::printf("\n@tinytc %s %lu\n", name, static_cast<unsigned long>(value));
}

void exit(int code) { std::exit(code); }

int open_read(const char* path) { return add_file(std::fopen(path, "rb")); }
int open_write(const char* path) { return add_file(std::fopen(path, "wb")); }

std::size_t file_size(int file) {
  std::FILE* f = files[static_cast<std::size_t>(file)];
  const long position = std::ftell(f);
  std::fseek(f, 0, SEEK_END);
  const long size = std::ftell(f);
  std::fseek(f, position, SEEK_SET);
  return size < 0 ? 0 : static_cast<std::size_t>(size);
}

std::size_t read(int file, void* out, std::size_t size) {
  return std::fread(out, 1, size, files[static_cast<std::size_t>(file)]);
}

std::size_t write(int file, const void* data, std::size_t size) {
  return std::fwrite(data, 1, size, files[static_cast<std::size_t>(file)]);
}

void close(int file) { std::fclose(files[static_cast<std::size_t>(file)]); }

void stack_paint() {}
std::size_t stack_used() { return 0; }

}  // namespace board
