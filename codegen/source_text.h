// Pieces of C++ text: identifiers from any model name, comments that cannot be escaped from, tables of numbers.
#pragma once

#include <map>
#include <string>

#include "compiler/literal.h"

namespace tinytc {

/// Makes identifiers that are unique among those it made: letters, digits and underscores of `name` behind `prefix`, at most 40 of them,
/// with a number where two would be equal, and never a keyword. The prefix keeps reserved names away, so it must not be empty or reserved.
class Identifiers {
 public:
  std::string make(const std::string& prefix, const std::string& name);

 private:
  std::map<std::string, int> used_;  // the largest number behind each word so far
};

/// Whether `name` can be a namespace and file name: a letter, then letters, digits and underscores, no keyword, no double underscore.
bool is_identifier(const std::string& name);

/// "// text" on one line: control characters and backslashes are escaped, so nothing of the text reaches the compiler.
std::string comment(const std::string& text);

/// The text as a C string literal, quotes included; at most `limit` bytes of it.
std::string string_literal(const std::string& text, std::size_t limit = 4096);

/// The initializer list "{...}" of a table's elements, several a line.
std::string table_initializer(DType dtype, const std::vector<std::byte>& data);

/// 1234567 -> "1,234,567".
std::string with_commas(std::int64_t number);

}  // namespace tinytc
