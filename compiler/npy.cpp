// One .npy file in memory; see npy.h. The header is a Python dictionary with exactly three entries; the parser knows that and no more.
#include "compiler/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace tinytc {

namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t most_dimensions = 32;  // numpy's own limit up to version 1

static_assert(std::endian::native == std::endian::little);

struct Header {
  std::string type;  // "<f4"
  bool fortran_order = false;
  Shape shape;
};

[[noreturn]] void damaged(const std::string& what) { throw UserError("not a valid .npy array: " + what); }

/// Reads the text of a header from left to right; blanks between words do not count.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  Header parse() {
    Header header;
    int entries = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && header.type.empty()) header.type = quoted();
      else if (key == "fortran_order") header.fortran_order = boolean();
      else if (key == "shape") header.shape = shape();
      else damaged(fmt::format("its header has an entry '{}'", printable(key)));
      seen_ |= key[0] == 'd' ? 1 : key[0] == 'f' ? 2 : 4;
      if (++entries > 3) damaged("its header has an entry twice");
      if (!accept(',') && !next_is('}')) damaged("its header has no comma between entries");
    }
    if (seen_ != 7 || !at_end()) damaged("its header is not descr, fortran_order and shape");
    return header;
  }

 private:
  void skip_blanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool next_is(char c) {
    skip_blanks();
    return !text_.empty() && text_[0] == c;
  }
  bool at_end() {
    skip_blanks();
    return text_.empty();
  }
  bool accept(char c) {
    const bool is_there = next_is(c);
    if (is_there) text_.remove_prefix(1);
    return is_there;
  }
  void expect(char c) {
    if (!accept(c)) damaged(fmt::format("its header lacks a '{}'", c));
  }
  bool accept_word(std::string_view word) {
    skip_blanks();
    const bool is_there = text_.starts_with(word);
    if (is_there) text_.remove_prefix(word.size());
    return is_there;
  }

  std::string quoted() {
    if (next_is('[')) throw UserError("it holds records of several fields, expected plain numbers");
    const char quote = next_is('"') ? '"' : '\'';
    expect(quote);
    const std::size_t end = text_.find(quote);
    if (end == std::string_view::npos || end == 0) damaged("its header has an open or empty string");
    const std::string word(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return word;
  }

  bool boolean() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) damaged("fortran_order is neither True nor False");
    return false;
  }

  Shape shape() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      std::int64_t extent = -1;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0) damaged("an extent of its shape is not a number");
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      shape.push_back(extent);
      if (!accept(',') && !next_is(')')) damaged("its shape is no tuple");
      if (shape.size() > most_dimensions) damaged("its shape has too many extents");
    }
    return shape;
  }

  std::string_view text_;
  int seen_ = 0;  // entries, a bit each
};

DType dtype_of(const std::string& type) {
  static constexpr std::pair<std::string_view, DType> types[] = {
      {"f4", DType::f32}, {"f8", DType::f64}, {"i1", DType::i8},  {"u1", DType::u8},  {"i2", DType::i16},    {"u2", DType::u16},
      {"i4", DType::i32}, {"u4", DType::u32}, {"i8", DType::i64}, {"u8", DType::u64}, {"b1", DType::boolean}};
  for (const auto& [name, dtype] : types)
    if (type.size() == 3 && type.substr(1) == name && (type[0] == '<' || type[0] == '>' || (type[0] == '|' && size_of(dtype) == 1))) return dtype;
  throw UserError(fmt::format("its elements are '{}', expected float32, float64, integers or booleans", printable(type)));
}

/// Elements of a shape; a UserError when they, `size` bytes each, are not exactly `bytes`.
std::size_t checked_count(const Shape& shape, std::size_t size, std::size_t bytes) {
  const bool is_empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  std::size_t count = is_empty ? 0 : 1;
  for (std::int64_t extent : shape) {
    if (count != 0 && static_cast<std::uint64_t>(extent) > bytes / size / count)
      damaged(fmt::format("{} bytes of elements are fewer than its shape needs; is it truncated?", bytes));
    count *= static_cast<std::size_t>(extent);
  }
  if (count * size != bytes) damaged(fmt::format("{} bytes of elements, its shape needs {}", bytes, count * size));
  return count;
}

/// Row-major elements from column-major ones.
std::vector<std::byte> transposed(const std::vector<std::byte>& data, const Shape& shape, std::size_t size) {
  std::vector<std::byte> result(data.size());
  std::vector<std::size_t> strides(shape.size(), 1), at(shape.size(), 0);
  for (std::size_t d = 1; d < shape.size(); ++d) strides[d] = strides[d - 1] * static_cast<std::size_t>(shape[d - 1]);
  std::size_t from = 0;
  for (std::size_t to = 0; to < data.size(); to += size) {
    std::memcpy(result.data() + to, data.data() + from * size, size);
    for (std::size_t d = shape.size(); d-- > 0;) {
      from += strides[d];
      if (++at[d] < static_cast<std::size_t>(shape[d])) break;
      from -= strides[d] * at[d];
      at[d] = 0;
    }
  }
  return result;
}

template <typename T>
double element(const std::vector<std::byte>& data, std::size_t index) {
  T value;
  std::memcpy(&value, data.data() + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

}  // namespace

double number_at(const Array& array, std::size_t index) {
  switch (array.dtype) {
    case DType::f32: return element<float>(array.data, index);
    case DType::f64: return element<double>(array.data, index);
    case DType::i8: return element<std::int8_t>(array.data, index);
    case DType::u8: case DType::boolean: return element<std::uint8_t>(array.data, index);
    case DType::i16: return element<std::int16_t>(array.data, index);
    case DType::u16: return element<std::uint16_t>(array.data, index);
    case DType::i32: return element<std::int32_t>(array.data, index);
    case DType::u32: return element<std::uint32_t>(array.data, index);
    case DType::i64: return element<std::int64_t>(array.data, index);
    case DType::u64: return element<std::uint64_t>(array.data, index);
  }
  throw InternalError("an array of unknown elements");
}

Array parse_npy(const std::vector<std::byte>& bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto byte = [&](std::size_t at) { return std::to_integer<std::size_t>(bytes[at]); };
  if (bytes.size() < 12 || !text.starts_with(magic)) damaged("it does not begin like one");
  const std::size_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0) damaged(fmt::format("format version {}.{}, expected 1.0, 2.0 or 3.0", version, byte(7)));
  const std::size_t begin = version == 1 ? 10 : 12;
  const std::size_t length = version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - begin) damaged("its header is truncated");
  const Header header = HeaderText(text.substr(begin, length)).parse();

  Array array{"", dtype_of(header.type), header.shape, {bytes.begin() + static_cast<std::ptrdiff_t>(begin + length), bytes.end()}};
  const auto size = static_cast<std::size_t>(size_of(array.dtype));
  checked_count(array.shape, size, array.data.size());
  const auto step = static_cast<std::ptrdiff_t>(size);
  if (header.type[0] == '>')
    for (auto at = array.data.begin(); at != array.data.end(); at += step) std::reverse(at, at + step);
  if (header.fortran_order && array.shape.size() > 1) array.data = transposed(array.data, array.shape, size);
  return array;
}

}  // namespace tinytc
