// The arrays of an .npz or .npy file; see npy.h. Minizip (of zlib) reads the archive and checks each array's CRC.
#include <fmt/format.h>
#include <minizip/unzip.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "compiler/npy.h"

namespace tinytc {

namespace {

constexpr std::size_t chunk_bytes = 1 << 20;  // memory grows with what is read, not with what a damaged directory claims
constexpr std::size_t longest_name = 1024;    // bytes
constexpr std::string_view suffix = ".npy";

using Archive = std::unique_ptr<void, int (*)(unzFile)>;

std::vector<std::byte> read_file(std::ifstream& in) {
  std::vector<std::byte> bytes;
  while (in) {
    const std::size_t old = bytes.size();
    bytes.resize(old + chunk_bytes);
    in.read(reinterpret_cast<char*>(bytes.data() + old), static_cast<std::streamsize>(chunk_bytes));
    bytes.resize(old + static_cast<std::size_t>(in.gcount()));
  }
  return bytes;
}

/// The bytes of the archive's current file.
std::vector<std::byte> read_entry(unzFile archive, std::uint64_t size) {
  if (unzOpenCurrentFile(archive) != UNZ_OK) throw UserError("is truncated, damaged, or packed in another way than numpy does");
  std::vector<std::byte> bytes;
  int count = 0;
  do {
    const std::size_t old = bytes.size();
    bytes.resize(old + chunk_bytes);
    count = unzReadCurrentFile(archive, bytes.data() + old, chunk_bytes);
    bytes.resize(old + static_cast<std::size_t>(std::max(count, 0)));
  } while (count > 0 && bytes.size() <= size);
  const bool is_whole = unzCloseCurrentFile(archive) == UNZ_OK && count == 0 && bytes.size() == size;
  if (!is_whole) throw UserError("is truncated or damaged");
  return bytes;
}

Array read_array(unzFile archive) {
  std::string name(longest_name, '\0');
  unz_file_info64 info{};
  if (unzGetCurrentFileInfo64(archive, &info, name.data(), longest_name, nullptr, 0, nullptr, 0) != UNZ_OK || info.size_filename >= longest_name)
    throw UserError("the archive's directory is damaged");
  name.resize(info.size_filename);
  if (!name.ends_with(suffix)) throw UserError(fmt::format("'{}' in it is no array (.npy)", printable(name)));
  name.resize(name.size() - suffix.size());
  try {
    if ((info.flag & 1) != 0) throw UserError("is encrypted");
    Array array = parse_npy(read_entry(archive, info.uncompressed_size));
    array.name = name;
    return array;
  } catch (const UserError& error) {
    throw UserError(fmt::format("array '{}': {}", printable(name), error.what()));
  }
}

/// Minizip takes an archive whose last record lacks bytes. This one must be whole, and, as numpy writes no comment, the last in the file.
void check_end(std::ifstream& in) {
  constexpr std::streamoff end_bytes = 22;
  char end[end_bytes] = {};
  in.clear();
  in.seekg(-end_bytes, std::ios::end);
  in.read(end, end_bytes);
  const bool is_end = in && std::string_view(end, end_bytes).starts_with("PK\x05\x06") && end[20] == 0 && end[21] == 0;
  if (!is_end) throw UserError("is truncated or no zip archive");
}

std::vector<Array> read_archive(const std::filesystem::path& path) {
  const Archive archive(unzOpen64(path.c_str()), unzClose);
  if (archive == nullptr) throw UserError("is empty or no zip archive");
  std::vector<Array> arrays;
  int status = unzGoToFirstFile(archive.get());
  for (; status == UNZ_OK; status = unzGoToNextFile(archive.get())) {
    arrays.push_back(read_array(archive.get()));
    for (std::size_t i = 0; i + 1 < arrays.size(); ++i)
      if (arrays[i].name == arrays.back().name) throw UserError(fmt::format("array '{}' is there twice", printable(arrays[i].name)));
  }
  unz_global_info64 info{};
  if (unzGetGlobalInfo64(archive.get(), &info) != UNZ_OK || info.number_entry != arrays.size()) throw UserError("the archive's directory is damaged");
  return arrays;
}

}  // namespace

std::vector<Array> read_arrays(const std::filesystem::path& path) {
  try {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) throw UserError("is a folder, expected an .npz or .npy file");
    std::ifstream in(path, std::ios::binary);
    if (!in) throw UserError("cannot be read");
    char first[2] = {};
    in.read(first, 2);
    if (in.gcount() == 0) throw UserError("is empty, expected an .npz or .npy file");
    if (first[0] == 'P' && first[1] == 'K') {
      check_end(in);
      return read_archive(path);
    }
    if (first[0] != '\x93') throw UserError("is neither an .npz nor an .npy file");
    in.clear();
    in.seekg(0);
    return {parse_npy(read_file(in))};
  } catch (const UserError& error) {
    throw UserError(fmt::format("{}: {}", printable(path.filename().string()), error.what()));
  }
}

}  // namespace tinytc
