// Pieces of C++ text; see source_text.h.
#include "codegen/source_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace tinytc {

namespace {

constexpr std::array keywords{
    "alignas",   "alignof",   "and",      "and_eq",       "asm",       "auto",      "bitand",   "bitor",     "bool",      "break",
    "case",      "catch",     "char",     "char8_t",      "char16_t",  "char32_t",  "class",    "compl",     "concept",   "const",
    "consteval", "constexpr", "constinit", "const_cast",  "continue",  "co_await",  "co_return", "co_yield", "decltype",  "default",
    "delete",    "do",        "double",   "dynamic_cast", "else",      "enum",      "explicit", "export",    "extern",    "false",
    "float",     "for",       "friend",   "goto",         "if",        "inline",    "int",      "long",      "mutable",   "namespace",
    "new",       "noexcept",  "not",      "not_eq",       "nullptr",   "operator",  "or",       "or_eq",     "private",   "protected",
    "public",    "register",  "reinterpret_cast", "requires", "return", "short",    "signed",   "sizeof",    "static",    "static_assert",
    "static_cast", "struct",  "switch",   "template",     "this",      "thread_local", "throw", "true",      "try",       "typedef",
    "typeid",    "typename",  "union",    "unsigned",     "using",     "virtual",   "void",     "volatile",  "wchar_t",   "while",
    "xor",       "xor_eq",    "std",      "tinytc",       "linux",     "unix",      "main",     "restrict", "typeof",   "NULL"};

bool is_keyword(const std::string& name) {
  return std::find_if(keywords.begin(), keywords.end(), [&](const char* word) { return name == word; }) != keywords.end();
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

template <typename T>
std::string integers(const std::vector<std::byte>& data) {
  std::string out;
  const std::size_t count = data.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, data.data() + i * sizeof(T), sizeof(T));
    out += i % 16 == 0 ? "\n    " : " ";
    if constexpr (sizeof(T) == 8) {
      if (element == std::numeric_limits<T>::min() && element != 0) {
        out += "(-9223372036854775807LL - 1),";
        continue;
      }
      out += fmt::format("{}{},", element, std::is_signed_v<T> ? "LL" : "ULL");
    } else if constexpr (std::is_same_v<T, std::int32_t>) {
      out += element == std::numeric_limits<T>::min() ? "(-2147483647 - 1)," : fmt::format("{},", element);
    } else {
      out += fmt::format("{}{},", element, std::is_same_v<T, std::uint32_t> ? "U" : "");
    }
  }
  return out;
}

template <typename T>
std::string reals(const std::vector<std::byte>& data) {
  std::string out;
  const std::size_t count = data.size() / sizeof(T);
  out.reserve(count * 16);
  for (std::size_t i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, data.data() + i * sizeof(T), sizeof(T));
    out += i % 8 == 0 ? "\n    " : " ";
    out += number_literal(static_cast<double>(element), sizeof(T) == 4 ? DType::f32 : DType::f64);
    out += ',';
  }
  return out;
}

}  // namespace

std::string Identifiers::make(const std::string& prefix, const std::string& name) {
  std::string word = prefix;
  for (char c : name) {
    if (word.size() >= 40) break;
    if (is_word(c) && !(c == '_' && word.back() == '_')) word += c;
    else if (!is_word(c) && word.back() != '_') word += '_';
  }
  while (word.back() == '_' && word.size() > 1) word.pop_back();
  if (is_keyword(word)) word += "_value";
  if (used_.emplace(word, 1).second) return word;
  std::string unique;
  do unique = fmt::format("{}_n{}", word, ++used_[word]);
  while (!used_.emplace(unique, 1).second);
  return unique;
}

bool is_identifier(const std::string& name) {
  if (name.empty() || std::isalpha(static_cast<unsigned char>(name[0])) == 0 || !std::all_of(name.begin(), name.end(), is_word))
    return false;
  if (name.find("__") != std::string::npos || name.size() > 64) return false;
  return !is_keyword(name);
}

std::string comment(const std::string& text) { return "// " + printable(text, 400) + (text.ends_with('\\') ? " " : ""); }

std::string string_literal(const std::string& text, std::size_t limit) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size() && i < limit; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '"' || byte == '\\') out += fmt::format("\\{}", text[i]);
    else if (byte < 0x20 || byte > 0x7E || byte == '?') out += fmt::format("\\{:03o}", byte);
    else out += text[i];
  }
  return out + "\"";
}

std::string table_initializer(DType dtype, const std::vector<std::byte>& data) {
  const auto body = [&]() -> std::string {
    switch (dtype) {
      case DType::f32: return reals<float>(data);
      case DType::f64: return reals<double>(data);
      case DType::i8: return integers<std::int8_t>(data);
      case DType::u8:
      case DType::boolean: return integers<std::uint8_t>(data);
      case DType::i16: return integers<std::int16_t>(data);
      case DType::u16: return integers<std::uint16_t>(data);
      case DType::i32: return integers<std::int32_t>(data);
      case DType::u32: return integers<std::uint32_t>(data);
      case DType::i64: return integers<std::int64_t>(data);
      case DType::u64: return integers<std::uint64_t>(data);
    }
    throw InternalError("unknown dtype");
  };
  return "{" + body() + "}";
}

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number < 0 ? -number : number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return (number < 0 ? "-" : "") + digits;
}

}  // namespace tinytc
