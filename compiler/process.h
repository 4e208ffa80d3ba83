// Runs a tool of the machine, such as the target's own compiler, without a shell.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tinytc {

/// A folder for temporary files, removed with everything in it.
class TemporaryFolder {
 public:
  /// Throws UserError when the system's folder for temporary files cannot be used.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Runs arguments[0], found on PATH, in `folder`; returns what it wrote to standard output, nothing when it is missing or its exit code is
/// not 0. What it writes to standard error goes to the file `errors`, which may be relative to the folder.
std::optional<std::string> run_tool(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                                    const std::string& errors = "/dev/null");

}  // namespace tinytc
