// Writes the emitted files, all or none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tinytc {

struct OutputFile {
  std::string name;  // without a folder
  std::string text;
};

/// Puts the files into `folder`, which is made if it is missing. Everything is first written under temporary names and renamed once all of
/// it is on disk, so that a failure leaves the folder as it was. A file that already has the same content is not touched: build systems
/// then see no change. Throws UserError naming the file or folder and the reason.
void write_files(const std::filesystem::path& folder, const std::vector<OutputFile>& files);

}  // namespace tinytc
