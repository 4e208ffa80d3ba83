// Writes the emitted files; see write_files.h.
#include "compiler/write_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "compiler/diagnostics.h"

namespace tinytc {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw UserError(fmt::format("{}: cannot be written: {}", printable(path.string(), 400), why));
}

/// What is at the path; following it may itself fail (a folder that may not be searched, a loop of links, a name that is too long).
fs::file_type type_of(const fs::path& path, const fs::path& blamed) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::none || type == fs::file_type::unknown) refuse(blamed, error ? error.message() : "what is there cannot be told");
  return type;
}

bool has_content(const fs::path& path, const std::string& text) {
  if (type_of(path, path) != fs::file_type::regular) return false;
  std::ifstream file(path, std::ios::binary);
  return file && std::string(std::istreambuf_iterator<char>(file), {}) == text;
}

/// Files under temporary names; those that were not renamed are removed at the end, and so are folders that were made in vain.
class Draft {
 public:
  explicit Draft(const fs::path& folder) {
    std::error_code error;
    fs::path path = fs::absolute(folder, error).lexically_normal();
    if (error) refuse(folder, error.message());
    for (; type_of(path, folder) == fs::file_type::not_found && path.has_relative_path(); path = path.parent_path())
      if (path.has_filename()) made_.push_back(path);  // innermost first
    fs::create_directories(folder, error);
    if (error) {
      remove_leftovers();
      refuse(folder, error.message());
    }
  }
  ~Draft() { remove_leftovers(); }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void add(const fs::path& final_path, const std::string& text) {
    if (type_of(final_path, final_path) == fs::file_type::directory) refuse(final_path, "it is a folder");
    const fs::path draft = final_path.parent_path() / fmt::format(".{}.{}.part", final_path.filename().string(), getpid());
    moves_.emplace_back(draft, final_path);
    errno = 0;
    std::ofstream file(draft, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) refuse(final_path, errno != 0 ? std::strerror(errno) : "writing failed");
  }

  void commit() {
    for (const auto& [draft, final_path] : moves_) {
      std::error_code error;
      fs::rename(draft, final_path, error);
      if (error) refuse(final_path, error.message());
    }
    moves_.clear();
    made_.clear();
  }

 private:
  void remove_leftovers() {
    std::error_code ignored;  // best effort after a failure that is reported anyway
    for (const auto& [draft, final_path] : moves_) fs::remove(draft, ignored);
    for (const fs::path& folder : made_) fs::remove(folder, ignored);  // only when empty
  }
  std::vector<std::pair<fs::path, fs::path>> moves_;  // draft, final
  std::vector<fs::path> made_;
};

}  // namespace

void write_files(const fs::path& folder, const std::vector<OutputFile>& files) {
  const fs::file_type type = type_of(folder, folder);
  if (type != fs::file_type::not_found && type != fs::file_type::directory) refuse(folder, "it is not a folder");
  Draft draft(folder);
  for (const OutputFile& file : files)
    if (!has_content(folder / file.name, file.text)) draft.add(folder / file.name, file.text);
  draft.commit();
}

}  // namespace tinytc
