// The kernel headers as a tree of text pieces: namespaces, #if groups, macros, includes and declarations, in
// the order in which a compiler would meet them. A slice marks the pieces that it keeps and prints the tree.
//
// The tree is made from the text alone, without preprocessing, so it holds every arm of every #if. A piece
// "declaration" is all the text of one namespace-level declaration up to its `;` or `}`, with its attributes
// and comments.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tinytc {

struct SourceNode {
  enum class Kind {
    file,         ///< children: what the file holds (its include guard is dropped)
    scope,        ///< `namespace x {` or `extern "C" {`; children inside
    conditional,  ///< one #if ... #endif; children are its branches
    branch,       ///< one #if / #ifdef / #elif / #else with its directive in [begin, end)
    declaration,
    macro,    ///< #define or #undef of `name`
    error,    ///< #error
    include,  ///< #include; `name` is the path; children: the file, where it is included first
  };
  Kind kind;
  int parent = -1;
  int file = -1;                   ///< index into SourceTree::files
  std::size_t begin = 0, end = 0;  ///< bytes of the file, comments in front included; of a scope: its opening
  std::size_t close_begin = 0,
              close_end = 0;   ///< of a scope or conditional: its end with the comment behind it
  bool blank_before = false;   ///< an empty line stands in front
  bool system = false;         ///< of an include: <...>
  std::string_view name = {};  ///< of a macro or include; of a branch: its directive alone
  std::vector<std::string_view> identifiers = {};  ///< outside comments; candidates for uses of macros
  std::vector<int> children = {};
};

struct SourceFile {
  std::string path;
  std::string_view text;
  int root = -1;                  ///< node of kind file
  std::vector<int> declarations;  ///< nodes, by position
};

struct SourceTree {
  std::vector<SourceFile> files;
  std::vector<SourceNode> nodes;
  std::vector<int> roots;  ///< include nodes of the requested headers

  std::string_view text(int node) const;
  /// The declaration that covers byte `offset` of file `path`; -1 if none does.
  int declaration_at(std::string_view path, std::size_t offset) const;

  std::map<std::string, int, std::less<>> file_of_path;
};

/// Builds the tree of `headers` (paths as in #include "...") and of all that they include. `texts` maps each
/// path to its text, which must outlive the tree. Throws InternalError with file and line for what a slice
/// could not carry over: a missing header; an #include inside a namespace or, for a <...> that not every
/// target has, inside #if; a header included first under one #if and then under another condition; a
/// declaration that straddles the boundary of an #if group; #pragma; file-scope asm; a namespace-level
/// static_assert, using-directive or using-declaration
/// (`using X = ...;` is fine).
SourceTree parse_headers(const std::vector<std::string>& headers,
                         const std::map<std::string, std::string_view>& texts);

}  // namespace tinytc
