// Arrays in numpy's file formats: .npy (one array) and .npz (a zip archive of .npy files, as numpy.savez and savez_compressed write).
#pragma once

#include <filesystem>

#include "compiler/graph.h"

namespace tinytc {

/// An array of numbers or booleans.
struct Array {
  std::string name;             // of an array in an .npz; empty for an .npy
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::byte> data;  // row-major, in the byte order of this machine; byte_count elements x size_of(dtype)
};

/// The elements as double, row-major. Integers beyond 2^53 are rounded.
double number_at(const Array& array, std::size_t index);

/// The bytes of an .npy file, format versions 1 to 3 (numpy's documentation, numpy.lib.format): little and big endian, C and Fortran order.
/// UserError, without the file's name in front: damaged, truncated, or elements that are neither f32, f64, integers nor booleans.
Array parse_npy(const std::vector<std::byte>& bytes);

/// All arrays of a file; its first bytes say which format it has. UserError that begins with the file's name, and names the array.
std::vector<Array> read_arrays(const std::filesystem::path& path);

}  // namespace tinytc
