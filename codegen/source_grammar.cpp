// See source_grammar.h: brackets are counted, and a few keywords tell what a brace belongs to.
#include "codegen/source_grammar.h"

#include <algorithm>

#include "compiler/diagnostics.h"

namespace tinytc {
namespace {

/// Nesting of brackets inside a declaration, all kinds counted together.
struct Nesting {
  int depth = 0;
  bool ended = false;  ///< the end of the declaration was passed in this arm
};

/// The token behind `template <...>` headers that start at token i.
std::size_t skip_template_header(const SourceTokens& source, std::size_t i) {
  while (source.is(i, "template") && source.is(i + 1, "<")) {
    int angles = 0, others = 0;
    for (++i; i < source.tokens.size(); ++i) {
      if (source.is(i, "(") || source.is(i, "{") || source.is(i, "[")) ++others;
      if (source.is(i, ")") || source.is(i, "}") || source.is(i, "]")) --others;
      if (others == 0 && source.is(i, "<")) ++angles;
      if (others == 0 && source.is(i, ">") && --angles == 0) break;
    }
    ++i;
  }
  return i;
}

}  // namespace

std::string_view SourceTokens::directive_kind(std::size_t i, std::string_view* rest) const {
  return is_directive(i) ? directive_name(word(i), rest) : std::string_view();
}

int SourceTokens::newlines(std::size_t from, std::size_t to) const {
  return static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(from),
                                     text.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
}

void SourceTokens::fail(std::size_t offset, const std::string& message) const {
  throw InternalError(path + ":" + std::to_string(newlines(0, offset) + 1) + ": " + message);
}

std::size_t scope_opening(const SourceTokens& source, std::size_t i) {
  if (source.is(i, "extern") && i + 2 < source.tokens.size() &&
      source.tokens[i + 1].kind == SourceToken::Kind::literal && source.is(i + 2, "{"))
    return i + 2;
  if (source.is(i, "inline") && source.is(i + 1, "namespace")) ++i;
  if (!source.is(i, "namespace")) return 0;
  for (; i < source.tokens.size() && !source.is(i, ";") && !source.is(i, "="); ++i) {
    if (source.is(i, "{")) return i;
  }
  return 0;
}

std::size_t declaration_end(const SourceTokens& source, std::size_t first,
                            const std::set<std::string_view>& body_macros) {
  std::vector<Nesting> arms;  // state at each #if that is open inside the declaration
  Nesting now;
  bool class_key = false, parenthesis = false, initializer = false, operator_name = false;
  const bool body_macro = body_macros.count(source.word(first)) && source.is(first + 1, "(");
  for (std::size_t i = skip_template_header(source, first); i < source.tokens.size(); ++i) {
    bool ends = false;
    if (source.is_directive(i)) {
      const std::string_view kind = source.directive_kind(i);
      const bool opens = kind == "if" || kind == "ifdef" || kind == "ifndef";
      if (!opens && arms.empty() && (kind == "else" || kind == "elif" || kind == "endif")) {
        source.fail(source.tokens[first].begin, "this declaration straddles the boundary of an #if group");
      }
      if (opens) arms.push_back(now);
      if (kind == "else" || kind == "elif") now = arms.back();
      if (kind == "endif") arms.pop_back();
      ends = kind == "endif" && arms.empty() && now.ended;
    } else if (source.is(i, "(") || source.is(i, "[") || source.is(i, "{")) {
      const bool attribute =
          source.is(i - 1, "__attribute__") || source.is(i - 1, "alignas") || source.is(i - 1, "decltype");
      if (now.depth == 0 && source.is(i, "(") && !attribute) parenthesis = true;
      operator_name = false;
      ++now.depth;
    } else if (source.is(i, ")") || source.is(i, "]") || source.is(i, "}")) {
      if (--now.depth < 0) source.fail(source.tokens[i].begin, "brackets do not match");
      if (now.depth == 0 && source.is(i, "}") && !initializer && (!class_key || parenthesis)) {
        ends = !source.is(i + 1, ",") && !source.is(i + 1, "{") && !source.is(i + 1, ";");
      }
      if (now.depth == 0 && source.is(i, ")") && body_macro) ends = !source.is(i + 1, ";");
    } else if (now.depth == 0) {
      class_key = class_key || source.is(i, "struct") || source.is(i, "class") || source.is(i, "union") ||
                  source.is(i, "enum");
      operator_name = operator_name || source.is(i, "operator");
      initializer = initializer || (source.is(i, "=") && !operator_name);
      ends = source.is(i, ";");
    }
    if (ends && arms.empty()) return i;
    now.ended = now.ended || ends;
  }
  source.fail(source.tokens[first].begin, "this declaration has no end");
}

}  // namespace tinytc
