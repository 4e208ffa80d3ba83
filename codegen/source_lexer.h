// Cuts C++ text into tokens without preprocessing it, so that both arms of every #if are seen.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace tinytc {

struct SourceToken {
  enum class Kind { comment, directive, identifier, literal, punctuation };
  Kind kind;
  std::size_t begin, end;  ///< bytes in the text; a directive reaches to the end of its last continued line,
                           ///< without the newline
};

/// All tokens of `text`. Punctuation is one character a token. Raw strings, digit separators, line
/// continuations are understood.
std::vector<SourceToken> tokenize(std::string_view text);

/// The identifiers in `text` outside comments and literals, also inside directives, in order, with
/// repetitions. The views point into `text`.
std::vector<std::string_view> identifiers_of(std::string_view text);

/// "define" of `#  define X 1`; empty for the null directive. `rest` receives what follows.
std::string_view directive_name(std::string_view directive, std::string_view* rest);

}  // namespace tinytc
