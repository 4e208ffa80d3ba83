// Recursive descent over the tokens of each header: items() reads what stands in a file, a namespace or a
// branch of an #if; declaration() finds where a declaration ends, which is all the C++ grammar that is
// needed.
#include "codegen/source_tree.h"

#include <algorithm>
#include <set>

#include "codegen/source_lexer.h"
#include "compiler/diagnostics.h"

namespace tinytc {
namespace {

using Kind = SourceNode::Kind;
using Token = SourceToken;

/// Nesting of brackets inside a declaration, all kinds counted together.
struct Nesting {
  int depth = 0;
  bool ended = false;  ///< the end of the declaration was passed in this arm
};

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
  std::size_t declaration_end(std::size_t first);
  std::size_t skip_template_header(std::size_t i) const;
  std::size_t scope_opening(std::size_t i) const;
  void check_declaration(int node, std::size_t first);
  void strip_guard();

  int add(Kind kind, int parent, std::size_t first, std::size_t last);
  void attach_comments(SourceNode& node, std::size_t first);
  std::size_t with_trailing_comment(std::size_t last);
  std::string condition_of(int node) const;
  std::string_view directive_kind(std::size_t i, std::string_view* rest = nullptr) const;

  std::string_view word(std::size_t i) const {
    return i < tokens_.size() ? text_.substr(tokens_[i].begin, tokens_[i].end - tokens_[i].begin)
                              : std::string_view();
  }
  bool is(std::size_t i, std::string_view expected) const {
    return i < tokens_.size() && word(i) == expected;
  }
  bool is_directive(std::size_t i) const {
    return i < tokens_.size() && tokens_[i].kind == Token::Kind::directive;
  }
  int newlines(std::size_t from, std::size_t to) const {
    return static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(from),
                                       text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
  }
  [[noreturn]] void fail(std::size_t offset, const std::string& message) const {
    throw InternalError(tree_.files[static_cast<std::size_t>(file_)].path + ":" +
                        std::to_string(newlines(0, offset) + 1) + ": " + message);
  }
  SourceNode& node(int index) { return tree_.nodes[static_cast<std::size_t>(index)]; }
  const SourceNode& node(int index) const { return tree_.nodes[static_cast<std::size_t>(index)]; }

  SourceTree& tree_;
  const Texts& texts_;
  std::set<std::string_view>&
      body_macros_;  ///< macros that end in a function's body: NAME(...) is a whole declaration
  int file_ = -1;
  std::string_view text_;
  std::vector<Token> tokens_;    ///< without comments
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
  text_ = found->second;
  for (const Token& token : tokenize(text_))
    (token.kind == Token::Kind::comment ? comments_ : tokens_).push_back(token);
  const int root = static_cast<int>(tree_.nodes.size());
  SourceNode file_node{Kind::file};
  file_node.parent = include_node;
  file_node.file = file_;
  tree_.nodes.push_back(std::move(file_node));
  node(include_node).children.push_back(root);
  tree_.files.back().root = root;
  strip_guard();
  items(root);
  if (next_ < tokens_.size())
    fail(tokens_[next_].begin, "'" + std::string(word(next_)) + "' does not match anything");
}

/// Skips `#ifndef X` / `#define X` at the start and removes the last #endif, or skips `#pragma once`.
void TreeBuilder::strip_guard() {
  std::string_view pragma;
  if (directive_kind(0, &pragma) == "pragma" && pragma.find("once") != std::string_view::npos) {
    next_ = 1;
    last_end_ = tokens_[0].end;
    return;
  }
  std::string_view opened, defined;
  if (directive_kind(0, &opened) != "ifndef" || directive_kind(1, &defined) != "define") return;
  const auto ids = identifiers_of(opened), names = identifiers_of(defined);
  if (ids.empty() || names.empty() || ids[0] != names[0] || directive_kind(tokens_.size() - 1) != "endif")
    return;
  next_ = 2;
  last_end_ = tokens_[1].end;
  tokens_.pop_back();
}

std::string_view TreeBuilder::directive_kind(std::size_t i, std::string_view* rest) const {
  return is_directive(i) ? directive_name(word(i), rest) : std::string_view();
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
    if (tokens_[i].kind == Token::Kind::identifier) made.identifiers.push_back(word(i));
    if (is_directive(i)) {
      for (std::string_view name : identifiers_of(word(i).substr(1))) made.identifiers.push_back(name);
    }
  }
  const int index = static_cast<int>(tree_.nodes.size());
  tree_.nodes.push_back(std::move(made));
  node(parent).children.push_back(index);
  return index;
}

/// Sets the beginning of a piece: the first of the comments above it that no empty line separates from it.
void TreeBuilder::attach_comments(SourceNode& made, std::size_t first) {
  made.begin = tokens_[first].begin;
  auto comment = std::lower_bound(comments_.begin(), comments_.end(), made.begin,
                                  [](const Token& token, std::size_t at) { return token.begin < at; });
  while (comment != comments_.begin()) {
    --comment;
    if (comment->begin < last_end_ || newlines(comment->end, made.begin) > 1) break;
    made.begin = comment->begin;
  }
  const std::string_view gap = text_.substr(last_end_, made.begin - last_end_);
  made.blank_before = std::count(gap.begin(), gap.end(), '\n') > 1;
}

/// The end of token `last`, or of the comment that follows it on the same line.
std::size_t TreeBuilder::with_trailing_comment(std::size_t last) {
  std::size_t end = tokens_[last].end;
  auto comment = std::lower_bound(comments_.begin(), comments_.end(), end,
                                  [](const Token& token, std::size_t at) { return token.begin < at; });
  const bool more = last + 1 < tokens_.size();
  if (comment != comments_.end() && newlines(end, comment->begin) == 0 &&
      (!more || newlines(end, tokens_[last + 1].begin) > 0)) {
    end = comment->end;
  }
  return end;
}

/// Reads until the end of the file, a `}` or the end of the branch.
void TreeBuilder::items(int parent) {
  while (next_ < tokens_.size()) {
    if (is_directive(next_)) {
      const std::string_view kind = directive_kind(next_);
      if (kind == "endif" || kind == "else" || kind == "elif") return;
      if (kind == "if" || kind == "ifdef" || kind == "ifndef") {
        conditional(parent);
      } else {
        directive(parent);
      }
    } else if (is(next_, "}")) {
      return;
    } else if (is(next_, ";")) {
      last_end_ = tokens_[next_++].end;
    } else if (const std::size_t open = scope_opening(next_)) {
      scope(parent, open);
    } else {
      declaration(parent);
    }
  }
}

/// If a namespace or `extern "C"` block opens at token i: its `{`, else 0.
std::size_t TreeBuilder::scope_opening(std::size_t i) const {
  if (is(i, "extern") && i + 2 < tokens_.size() && tokens_[i + 1].kind == Token::Kind::literal &&
      is(i + 2, "{"))
    return i + 2;
  if (is(i, "inline") && is(i + 1, "namespace")) ++i;
  if (!is(i, "namespace")) return 0;
  for (; i < tokens_.size() && !is(i, ";") && !is(i, "="); ++i) {
    if (is(i, "{")) return i;
  }
  return 0;
}

void TreeBuilder::scope(int parent, std::size_t open) {
  const int made = add(Kind::scope, parent, next_, open);
  next_ = open + 1;
  items(made);
  if (!is(next_, "}")) fail(node(made).begin, "this scope does not end inside the same #if branch");
  node(made).close_begin = tokens_[next_].begin;
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
  const std::size_t start = tokens_[next_].begin;
  do {
    const int branch = add(Kind::branch, group, next_, next_);
    node(branch).name = word(next_++);
    items(branch);
    if (next_ >= tokens_.size() || is(next_, "}"))
      fail(start, "a brace closes what was opened outside this #if group");
  } while (directive_kind(next_) != "endif");
  const SourceNode& first = node(node(group).children.front());
  node(group).blank_before = first.blank_before;
  node(group).begin = first.begin;
  node(group).close_begin = tokens_[next_].begin;
  node(group).close_end = node(group).end = last_end_ = with_trailing_comment(next_);
  ++next_;
}

void TreeBuilder::directive(int parent) {
  std::string_view rest;
  const std::string_view kind = directive_kind(next_, &rest);
  if (kind == "include") {
    include(parent, rest);
  } else if (kind == "define" || kind == "undef") {
    const int made = add(Kind::macro, parent, next_, next_);
    SourceNode& macro = node(made);
    macro.identifiers.erase(macro.identifiers.begin());
    if (macro.identifiers.empty()) fail(macro.begin, "a macro without a name");
    macro.name = macro.identifiers.front();
    if (word(next_).back() == '}') body_macros_.insert(macro.name);
  } else if (kind == "error") {
    node(add(Kind::error, parent, next_, next_)).identifiers.clear();
  } else {
    fail(tokens_[next_].begin, "a slice cannot carry over '#" + std::string(kind) + "'");
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
  if (close == std::string_view::npos) fail(offset, "an #include of a macro cannot be sliced");
  node(made).system = rest[open] == '<';
  node(made).name = rest.substr(open + 1, close - open - 1);
  node(made).identifiers.clear();
  for (int at = parent; at >= 0; at = node(at).parent) {
    if (node(at).kind == Kind::scope) fail(offset, "an #include inside a namespace cannot be sliced");
  }
  const std::string condition = condition_of(made);
  if (node(made).system) {
    const bool everywhere =
        node(made).name == "cstdint" || node(made).name == "cstddef" || node(made).name == "cstring";
    if (!condition.empty() && !everywhere) fail(offset, "a system header cannot be included under an #if");
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
    fail(offset, "'" + path + "' was included before under another #if; include it outside every #if first");
  }
}

void TreeBuilder::declaration(int parent) {
  const std::size_t first = next_;
  const std::size_t last = declaration_end(first);
  const int made = add(Kind::declaration, parent, first, last);
  check_declaration(made, first);
  tree_.files[static_cast<std::size_t>(file_)].declarations.push_back(made);
  next_ = last + 1;
}

/// The token behind `template <...>` headers that start at token i.
std::size_t TreeBuilder::skip_template_header(std::size_t i) const {
  while (is(i, "template") && is(i + 1, "<")) {
    int angles = 0, others = 0;
    for (++i; i < tokens_.size(); ++i) {
      if (is(i, "(") || is(i, "{") || is(i, "[")) ++others;
      if (is(i, ")") || is(i, "}") || is(i, "]")) --others;
      if (others == 0 && is(i, "<")) ++angles;
      if (others == 0 && is(i, ">") && --angles == 0) break;
    }
    ++i;
  }
  return i;
}

/// The last token of the declaration that starts at token `first`. A `;` outside brackets ends it; so does
/// the `}` of a function's body. After the `}` of a class, an enumeration or an initializer it goes on to the
/// `;`.
std::size_t TreeBuilder::declaration_end(std::size_t first) {
  std::vector<Nesting> arms;  // state at each #if that is open inside the declaration
  Nesting now;
  bool class_key = false, parenthesis = false, initializer = false, operator_name = false;
  const bool body_macro = body_macros_.count(word(first)) && is(first + 1, "(");
  for (std::size_t i = skip_template_header(first); i < tokens_.size(); ++i) {
    bool ends = false;
    if (is_directive(i)) {
      const std::string_view kind = directive_kind(i);
      const bool opens = kind == "if" || kind == "ifdef" || kind == "ifndef";
      if (!opens && arms.empty() && (kind == "else" || kind == "elif" || kind == "endif")) {
        fail(tokens_[first].begin, "this declaration straddles the boundary of an #if group");
      }
      if (opens) arms.push_back(now);
      if (kind == "else" || kind == "elif") now = arms.back();
      if (kind == "endif") arms.pop_back();
      ends = kind == "endif" && arms.empty() && now.ended;
    } else if (is(i, "(") || is(i, "[") || is(i, "{")) {
      const bool attribute = is(i - 1, "__attribute__") || is(i - 1, "alignas") || is(i - 1, "decltype");
      if (now.depth == 0 && is(i, "(") && !attribute) parenthesis = true;
      operator_name = false;
      ++now.depth;
    } else if (is(i, ")") || is(i, "]") || is(i, "}")) {
      if (--now.depth < 0) fail(tokens_[i].begin, "brackets do not match");
      if (now.depth == 0 && is(i, "}") && !initializer && (!class_key || parenthesis)) {
        ends = !is(i + 1, ",") && !is(i + 1, "{") && !is(i + 1, ";");
      }
      if (now.depth == 0 && is(i, ")") && body_macro) ends = !is(i + 1, ";");
    } else if (now.depth == 0) {
      class_key = class_key || is(i, "struct") || is(i, "class") || is(i, "union") || is(i, "enum");
      operator_name = operator_name || is(i, "operator");
      initializer = initializer || (is(i, "=") && !operator_name);
      ends = is(i, ";");
    }
    if (ends && arms.empty()) return i;
    now.ended = now.ended || ends;
  }
  fail(tokens_[first].begin, "this declaration has no end");
}

/// Refuses declarations that nothing can refer to by name, and which a slice would therefore lose.
void TreeBuilder::check_declaration(int index, std::size_t first) {
  const std::string_view start = word(first);
  std::string lost;
  if (start == "static_assert" || start == "_Static_assert") lost = "static_assert outside a function";
  if (start == "asm" || start == "__asm__" || start == "__asm") lost = "file-scope asm";
  if (start == "using" && !is(first + 2, "=") && !is(first + 2, "[")) lost = "a namespace-level using";
  if (!lost.empty()) fail(node(index).begin, "a slice would lose " + lost);
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
