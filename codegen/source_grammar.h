// The C++ grammar that cutting a header into declarations takes: where a namespace opens and a declaration
// ends.
#pragma once

#include <set>
#include <string>

#include "codegen/source_lexer.h"

namespace tinytc {

/// A header's tokens without its comments. Indices beyond the end are allowed and match nothing.
struct SourceTokens {
  std::string path;  ///< for messages
  std::string_view text;
  std::vector<SourceToken> tokens;

  std::string_view word(std::size_t i) const {
    return i < tokens.size() ? text.substr(tokens[i].begin, tokens[i].end - tokens[i].begin)
                             : std::string_view();
  }
  bool is(std::size_t i, std::string_view expected) const { return i < tokens.size() && word(i) == expected; }
  bool is_directive(std::size_t i) const {
    return i < tokens.size() && tokens[i].kind == SourceToken::Kind::directive;
  }
  /// "define" of a #define; empty for what is no directive. `rest` receives what follows.
  std::string_view directive_kind(std::size_t i, std::string_view* rest = nullptr) const;
  /// Newlines between two bytes of the text.
  int newlines(std::size_t from, std::size_t to) const;
  /// Throws InternalError with the line of byte `offset`.
  [[noreturn]] void fail(std::size_t offset, const std::string& message) const;
};

/// If a namespace or `extern "C"` block opens at token i: its `{`, else 0.
std::size_t scope_opening(const SourceTokens& source, std::size_t i);

/// The last token of the declaration that starts at token `first`. A `;` outside brackets ends it; so does
/// the `}` of a function's body. After the `}` of a class, an enumeration or an initializer it goes on to the
/// `;`. `body_macros` end in a function's body: NAME(...) is a whole declaration. InternalError if it has no
/// end.
std::size_t declaration_end(const SourceTokens& source, std::size_t first,
                            const std::set<std::string_view>& body_macros);

}  // namespace tinytc
