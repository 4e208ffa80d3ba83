// One pass over the characters; a function per kind of token.
#include "codegen/source_lexer.h"

#include <string>
#include <utility>

namespace tinytc {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_identifier_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}
bool is_identifier_part(char c) { return is_identifier_start(c) || is_digit(c); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<SourceToken> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') line_start_ = true;
      if (is_blank(c) || (c == '\\' && peek(1) == '\n')) {
        ++at_;
        continue;
      }
      const std::size_t begin = at_;
      const SourceToken::Kind kind = token(c);
      tokens_.push_back({kind, begin, at_});
      if (kind != SourceToken::Kind::comment) line_start_ = false;
    }
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  /// Moves past the token that starts with c.
  SourceToken::Kind token(char c) {
    if (c == '/' && (peek(1) == '/' || peek(1) == '*')) {
      comment();
      return SourceToken::Kind::comment;
    }
    if (c == '#' && line_start_) {
      directive();
      return SourceToken::Kind::directive;
    }
    if (is_identifier_start(c)) return identifier();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
      return SourceToken::Kind::literal;
    }
    if (c == '"' || c == '\'') {
      quoted(c);
      return SourceToken::Kind::literal;
    }
    ++at_;
    return SourceToken::Kind::punctuation;
  }

  void comment() {
    if (text_[at_ + 1] == '*') {
      const std::size_t close = text_.find("*/", at_ + 2);
      at_ = close == std::string_view::npos ? text_.size() : close + 2;
      return;
    }
    to_line_end();
  }

  /// To the newline that ends the logical line.
  void to_line_end() {
    while (at_ < text_.size() && !(text_[at_] == '\n' && text_[at_ - 1] != '\\')) ++at_;
  }

  void directive() {
    while (at_ < text_.size() && !(text_[at_] == '\n' && text_[at_ - 1] != '\\')) {
      if (text_[at_] == '/' && (peek(1) == '*' || peek(1) == '/')) {
        comment();
      } else {
        ++at_;
      }
    }
  }

  SourceToken::Kind identifier() {
    const std::size_t begin = at_;
    while (is_identifier_part(peek(0))) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    const bool prefix = word == "L" || word == "u" || word == "U" || word == "u8";
    const bool raw = word == "R" || word == "LR" || word == "uR" || word == "UR" || word == "u8R";
    if (raw && peek(0) == '"') {
      raw_string();
      return SourceToken::Kind::literal;
    }
    if (prefix && (peek(0) == '"' || peek(0) == '\'')) {
      quoted(peek(0));
      return SourceToken::Kind::literal;
    }
    return SourceToken::Kind::identifier;
  }

  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string_view::npos) {
      at_ = text_.size();
      return;
    }
    std::string close = ")";
    close.append(text_.substr(at_ + 1, open - at_ - 1)).push_back('"');
    const std::size_t found = text_.find(close, open);
    at_ = found == std::string_view::npos ? text_.size() : found + close.size();
  }

  void number() {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = peek(0);
      const char before = text_[at_ - 1];
      const bool sign =
          (c == '+' || c == '-') && (before == 'e' || before == 'E' || before == 'p' || before == 'P');
      const bool separator = c == '\'' && is_identifier_part(peek(1));
      if (!is_identifier_part(c) && c != '.' && !separator && !sign) break;
    }
  }

  void quoted(char quote) {
    for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    if (at_ < text_.size()) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool line_start_ = true;
  std::vector<SourceToken> tokens_;
};

void collect_identifiers(std::string_view text, std::vector<std::string_view>& found) {
  for (const SourceToken& token : tokenize(text)) {
    const std::string_view word = text.substr(token.begin, token.end - token.begin);
    if (token.kind == SourceToken::Kind::identifier) found.push_back(word);
    if (token.kind == SourceToken::Kind::directive) collect_identifiers(word.substr(1), found);
  }
}

}  // namespace

std::vector<SourceToken> tokenize(std::string_view text) { return Lexer(text).run(); }

std::vector<std::string_view> identifiers_of(std::string_view text) {
  std::vector<std::string_view> found;
  collect_identifiers(text, found);
  return found;
}

std::string_view directive_name(std::string_view directive, std::string_view* rest) {
  std::size_t begin = 1;
  while (begin < directive.size() && (directive[begin] == ' ' || directive[begin] == '\t')) ++begin;
  std::size_t end = begin;
  while (end < directive.size() && is_identifier_part(directive[end])) ++end;
  if (rest) *rest = directive.substr(end);
  return directive.substr(begin, end - begin);
}

}  // namespace tinytc
