// Names and patterns that users write on the command line.
#pragma once

#include <string>
#include <vector>

namespace tinytc {

/// Whether `text` fits a pattern in which `*` stands for any characters and `?` for one.
bool matches_glob(const std::string& pattern, const std::string& text);

/// The parts of a list with commas between them; an empty text is one empty part.
std::vector<std::string> split_list(const std::string& list);

}  // namespace tinytc
