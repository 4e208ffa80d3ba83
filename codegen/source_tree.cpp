// Recursive descent over the tokens of each header: items() reads what stands in a file, a namespace or a
// branch of an #if. Where a declaration or a namespace's opening ends, source_grammar.h says.
#include "codegen/source_tree.h"

#include <algorithm>
#include <set>

#include "codegen/source_grammar.h"
#include "compiler/diagnostics.h"

namespace tinytc {
namespace {

using Kind = SourceNode::Kind;
using Token = SourceToken;

class TreeBuilder {
 public:
  using Texts = std::map<std::string, std::string_view>;
  TreeBuilder(SourceTree& tree, const Texts& texts, std::set<std::string_view>& body_macros)
      : tree_(tree), texts_(texts), body_macros_(body_macros) {}

  /// Parses `path` below the include node.
  void file(int include_node, const std::string& path);

 private:
  void items(int parent);
  void scope(int parent, std::size_t open);
  void conditional(int parent);
  void directive(int parent);
  void include(int parent, std::string_view rest);
  void declaration(int parent);
  void check_declaration(int node, std::size_t first);
  void strip_guard();

  int add(Kind kind, int parent, std::size_t first, std::size_t last);
  void attach_comments(SourceNode& node, std::size_t first);
  std::size_t with_trailing_comment(std::size_t last);
  std::string condition_of(int node) const;

  SourceNode& node(int index) { return tree_.nodes[static_cast<std::size_t>(index)]; }
  const SourceNode& node(int index) const { return tree_.nodes[static_cast<std::size_t>(index)]; }

  SourceTree& tree_;
  const Texts& texts_;
  std::set<std::string_view>&
      body_macros_;  ///< macros that end in a function's body: NAME(...) is a whole declaration
  int file_ = -1;
  SourceTokens source_;
  std::vector<Token> comments_;  ///< by position
  std::size_t next_ = 0;         ///< token to read
  std::size_t last_end_ = 0;     ///< end of the previous piece, its trailing comment included
};

void TreeBuilder::file(int include_node, const std::string& path) {
  const auto found = texts_.find(path);
  require(found != texts_.end(), "kernel header '" + path + "' does not exist");
  file_ = static_cast<int>(tree_.files.size());
  tree_.files.push_back({path, found->second, -1, {}});
  tree_.file_of_path[path] = file_;
  source_ = {path, found->second, {}};
  for (const Token& token : tokenize(source_.text))
    (token.kind == Token::Kind::comment ? comments_ : source_.tokens).push_back(token);
  const int root = static_cast<int>(tree_.nodes.size());
  SourceNode file_node{Kind::file};
  file_node.parent = include_node;
  file_node.file = file_;
  tree_.nodes.push_back(std::move(file_node));
  node(include_node).children.push_back(root);
  tree_.files.back().root = root;
  strip_guard();
  items(root);
  if (next_ < source_.tokens.size())
    source_.fail(source_.tokens[next_].begin,
                 "'" + std::string(source_.word(next_)) + "' does not match anything");
}

/// Skips `#ifndef X` / `#define X` at the start and removes the last #endif, or skips `#pragma once`.
void TreeBuilder::strip_guard() {
  std::string_view pragma;
  if (source_.directive_kind(0, &pragma) == "pragma" && pragma.find("once") != std::string_view::npos) {
    next_ = 1;
    last_end_ = source_.tokens[0].end;
    return;
  }
  std::string_view opened, defined;
  if (source_.directive_kind(0, &opened) != "ifndef" || source_.directive_kind(1, &defined) != "define")
    return;
  const auto ids = identifiers_of(opened), names = identifiers_of(defined);
  if (ids.empty() || names.empty() || ids[0] != names[0] ||
      source_.directive_kind(source_.tokens.size() - 1) != "endif")
    return;
  next_ = 2;
  last_end_ = source_.tokens[1].end;
  source_.tokens.pop_back();
}

/// Adds a piece made of tokens [first, last]; comments right above it and behind it on its line belong to it.
int TreeBuilder::add(Kind kind, int parent, std::size_t first, std::size_t last) {
  SourceNode made{kind};
  made.parent = parent;
  made.file = file_;
  attach_comments(made, first);
  made.end = with_trailing_comment(last);
  last_end_ = made.end;
  for (std::size_t i = first; i <= last; ++i) {
    if (source_.tokens[i].kind == Token::Kind::identifier) made.identifiers.push_back(source_.word(i));
    if (source_.is_directive(i)) {
      for (std::string_view name : identifiers_of(source_.word(i).substr(1)))
        made.identifiers.push_back(name);
    }
  }
  const int index = static_cast<int>(tree_.nodes.size());
  tree_.nodes.push_back(std::move(made));
  node(parent).children.push_back(index);
  return index;
}

/// Sets the beginning of a piece: the first of the comments above it that no empty line separates from it.
void TreeBuilder::attach_comments(SourceNode& made, std::size_t first) {
  made.begin = source_.tokens[first].begin;
  auto comment = std::lower_bound(comments_.begin(), comments_.end(), made.begin,
                                  [](const Token& token, std::size_t at) { return token.begin < at; });
  while (comment != comments_.begin()) {
    --comment;
    if (comment->begin < last_end_ || source_.newlines(comment->end, made.begin) > 1) break;
    made.begin = comment->begin;
  }
  const std::string_view gap = source_.text.substr(last_end_, made.begin - last_end_);
  made.blank_before = std::count(gap.begin(), gap.end(), '\n') > 1;
}

/// The end of token `last`, or of the comment that follows it on the same line.
std::size_t TreeBuilder::with_trailing_comment(std::size_t last) {
  std::size_t end = source_.tokens[last].end;
  auto comment = std::lower_bound(comments_.begin(), comments_.end(), end,
                                  [](const Token& token, std::size_t at) { return token.begin < at; });
  const bool more = last + 1 < source_.tokens.size();
  if (comment != comments_.end() && source_.newlines(end, comment->begin) == 0 &&
      (!more || source_.newlines(end, source_.tokens[last + 1].begin) > 0)) {
    end = comment->end;
  }
  return end;
}

/// Reads until the end of the file, a `}` or the end of the branch.
void TreeBuilder::items(int parent) {
  while (next_ < source_.tokens.size()) {
    if (source_.is_directive(next_)) {
      const std::string_view kind = source_.directive_kind(next_);
      if (kind == "endif" || kind == "else" || kind == "elif") return;
      if (kind == "if" || kind == "ifdef" || kind == "ifndef") {
        conditional(parent);
      } else {
        directive(parent);
      }
    } else if (source_.is(next_, "}")) {
      return;
    } else if (source_.is(next_, ";")) {
      last_end_ = source_.tokens[next_++].end;
    } else if (const std::size_t open = scope_opening(source_, next_)) {
      scope(parent, open);
    } else {
      declaration(parent);
    }
  }
}

void TreeBuilder::scope(int parent, std::size_t open) {
  const int made = add(Kind::scope, parent, next_, open);
  next_ = open + 1;
  items(made);
  if (!source_.is(next_, "}"))
    source_.fail(node(made).begin, "this scope does not end inside the same #if branch");
  node(made).close_begin = source_.tokens[next_].begin;
  node(made).close_end = last_end_ = with_trailing_comment(next_);
  ++next_;
}

void TreeBuilder::conditional(int parent) {
  const int group = static_cast<int>(tree_.nodes.size());
  SourceNode made{Kind::conditional};
  made.parent = parent;
  made.file = file_;
  tree_.nodes.push_back(std::move(made));
  node(parent).children.push_back(group);
  const std::size_t start = source_.tokens[next_].begin;
  do {
    const int branch = add(Kind::branch, group, next_, next_);
    node(branch).name = source_.word(next_++);
    items(branch);
    if (next_ >= source_.tokens.size() || source_.is(next_, "}"))
      source_.fail(start, "a brace closes what was opened outside this #if group");
  } while (source_.directive_kind(next_) != "endif");
  const SourceNode& first = node(node(group).children.front());
  node(group).blank_before = first.blank_before;
  node(group).begin = first.begin;
  node(group).close_begin = source_.tokens[next_].begin;
  node(group).close_end = node(group).end = last_end_ = with_trailing_comment(next_);
  ++next_;
}

void TreeBuilder::directive(int parent) {
  std::string_view rest;
  const std::string_view kind = source_.directive_kind(next_, &rest);
  if (kind == "include") {
    include(parent, rest);
  } else if (kind == "define" || kind == "undef") {
    const int made = add(Kind::macro, parent, next_, next_);
    SourceNode& macro = node(made);
    macro.identifiers.erase(macro.identifiers.begin());
    if (macro.identifiers.empty()) source_.fail(macro.begin, "a macro without a name");
    macro.name = macro.identifiers.front();
    if (source_.word(next_).back() == '}') body_macros_.insert(macro.name);
  } else if (kind == "error") {
    node(add(Kind::error, parent, next_, next_)).identifiers.clear();
  } else {
    source_.fail(source_.tokens[next_].begin, "a slice cannot carry over '#" + std::string(kind) + "'");
  }
  ++next_;
}

/// The conditions under which a piece stands, across includes, as one text; empty outside every #if.
std::string TreeBuilder::condition_of(int index) const {
  std::string conditions;
  for (int at = index; at >= 0; at = node(at).parent) {
    if (node(at).kind != Kind::branch) continue;
    std::string path;
    for (int branch : node(node(at).parent).children) {
      path.append(node(branch).name).push_back('\n');
      if (branch == at) break;
    }
    conditions.insert(0, path);
  }
  return conditions;
}

void TreeBuilder::include(int parent, std::string_view rest) {
  const int made = add(Kind::include, parent, next_, next_);
  const std::size_t offset = node(made).begin;
  const std::size_t open = rest.find_first_of("<\"");
  const std::size_t close = open == std::string_view::npos ? open : rest.find_first_of(">\"", open + 1);
  if (close == std::string_view::npos) source_.fail(offset, "an #include of a macro cannot be sliced");
  node(made).system = rest[open] == '<';
  node(made).name = rest.substr(open + 1, close - open - 1);
  node(made).identifiers.clear();
  for (int at = parent; at >= 0; at = node(at).parent) {
    if (node(at).kind == Kind::scope) source_.fail(offset, "an #include inside a namespace cannot be sliced");
  }
  const std::string condition = condition_of(made);
  if (node(made).system) {
    const bool everywhere =
        node(made).name == "cstdint" || node(made).name == "cstddef" || node(made).name == "cstring";
    if (!condition.empty() && !everywhere)
      source_.fail(offset, "a system header cannot be included under an #if");
    return;
  }
  const std::string path(node(made).name);
  const auto known = tree_.file_of_path.find(path);
  if (known == tree_.file_of_path.end()) {
    TreeBuilder(tree_, texts_, body_macros_).file(made, path);
    return;
  }
  const int first = tree_.files[static_cast<std::size_t>(known->second)].root;
  if (const std::string before = condition_of(first); !before.empty() && before != condition) {
    source_.fail(offset,
                 "'" + path + "' was included before under another #if; include it outside every #if first");
  }
}

void TreeBuilder::declaration(int parent) {
  const std::size_t first = next_;
  const std::size_t last = declaration_end(source_, first, body_macros_);
  const int made = add(Kind::declaration, parent, first, last);
  check_declaration(made, first);
  tree_.files[static_cast<std::size_t>(file_)].declarations.push_back(made);
  next_ = last + 1;
}

/// Refuses declarations that nothing can refer to by name, and which a slice would therefore lose.
void TreeBuilder::check_declaration(int index, std::size_t first) {
  const std::string_view start = source_.word(first);
  std::string lost;
  if (start == "static_assert" || start == "_Static_assert") lost = "static_assert outside a function";
  if (start == "asm" || start == "__asm__" || start == "__asm") lost = "file-scope asm";
  if (start == "using" && !source_.is(first + 2, "=") && !source_.is(first + 2, "["))
    lost = "a namespace-level using";
  if (!lost.empty()) source_.fail(node(index).begin, "a slice would lose " + lost);
}

}  // namespace

std::string_view SourceTree::text(int index) const {
  const SourceNode& piece = nodes[static_cast<std::size_t>(index)];
  return files[static_cast<std::size_t>(piece.file)].text.substr(piece.begin, piece.end - piece.begin);
}

int SourceTree::declaration_at(std::string_view path, std::size_t offset) const {
  const auto found = file_of_path.find(path);
  if (found == file_of_path.end()) return -1;
  const std::vector<int>& pieces = files[static_cast<std::size_t>(found->second)].declarations;
  auto after = std::upper_bound(pieces.begin(), pieces.end(), offset, [this](std::size_t at, int piece) {
    return at < nodes[static_cast<std::size_t>(piece)].begin;
  });
  if (after == pieces.begin()) return -1;
  const int piece = *--after;
  return offset < nodes[static_cast<std::size_t>(piece)].end ? piece : -1;
}

SourceTree parse_headers(const std::vector<std::string>& headers,
                         const std::map<std::string, std::string_view>& texts) {
  SourceTree tree;
  std::set<std::string_view> body_macros;
  for (const std::string& header : headers) {
    if (tree.file_of_path.count(header)) continue;
    const int root = static_cast<int>(tree.nodes.size());
    SourceNode made{SourceNode::Kind::include};
    tree.nodes.push_back(std::move(made));
    tree.roots.push_back(root);
    TreeBuilder(tree, texts, body_macros).file(root, header);
  }
  return tree;
}

}  // namespace tinytc
