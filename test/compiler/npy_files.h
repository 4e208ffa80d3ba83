// Files of numpy's for tests: those in data/ (data/make.py wrote them), and arrays made here.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "compiler/npy.h"

namespace tinytc {

inline std::filesystem::path numpy_file(const std::string& name) { return std::filesystem::path(TINYTC_SOURCE_DIR "/test/compiler/data") / name; }

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

/// An .npy file of version 1 with that header, which is not padded, and elements.
inline std::string npy_text(const std::string& header, const std::string& elements) {
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() % 256) + static_cast<char>(header.size() / 256) + header + elements;
}

inline std::string elements_of(const std::vector<float>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)};
}

/// An .npy file of floats; `shape` as in Python, "(2, 3)".
inline std::string npy_floats(const std::string& shape, const std::vector<float>& numbers) {
  return npy_text("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }\n", elements_of(numbers));
}

/// A file that is removed with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    std::string name = (std::filesystem::temp_directory_path() / "tinytc-samples-XXXXXX").string();
    const int descriptor = mkstemp(name.data());
    REQUIRE(descriptor >= 0);
    close(descriptor);
    path_ = name;
    write(text);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The message of the UserError that `call` ends with; "" when it ends well.
template <typename Call>
std::string refusal_of(const Call& call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

}  // namespace tinytc
