// Names and text from models as C++: whatever they contain, nothing of them reaches the compiler as code.
#include "codegen/source_text.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <limits>

namespace tinytc {

TEST_CASE("identifiers are words, unique, and no keywords") {
  Identifiers names;
  CHECK(names.make("w_", "conv1.weight") == "w_conv1_weight");
  CHECK(names.make("w_", "conv1/weight") == "w_conv1_weight_n2");
  CHECK(names.make("w_", "conv1_weight") == "w_conv1_weight_n3");
  CHECK(names.make("w_", "conv1_weight_n2") == "w_conv1_weight_n2_n2");  // taken by the second
  CHECK(names.make("w_", "*/ \"\n\xF0\x9F\x98\x80") == "w");
  CHECK(names.make("w_", std::string(4096, 'a')).size() == 40);
  CHECK(names.make("c", "lass_") != "class");
  CHECK(names.make("i", "nt") != "int");
  CHECK(names.make("a", "__b") == "a_b");  // two underscores are reserved
}

TEST_CASE("a name of the emitted files must be an identifier") {
  for (const char* good : {"gesture", "a1", "A_b"}) CHECK(is_identifier(good));
  for (const char* bad : {"", "1a", "_a", "a__b", "class", "std", "a-b", "a b", "typeof"})
    CHECK_FALSE(is_identifier(bad));
  CHECK_FALSE(is_identifier(std::string(65, 'a')));
}

TEST_CASE("comments stay on their line") {
  for (const char* text : {"a\nint x;", "a\\", "a\r", "\xE2\x80\xA8", "a\x01"}) {
    const std::string line = comment(text);
    CHECK(line.substr(0, 3) == "// ");
    CHECK(line.find_first_of("\n\r") == std::string::npos);
    CHECK(line.find("\xE2\x80\xA8") == std::string::npos);
    CHECK(line.back() != '\\');
  }
}

TEST_CASE("string literals end where they should") {
  CHECK(string_literal("a\"b\\") == "\"a\\\"b\\\\\"");
  CHECK(string_literal("?\?/\n") == "\"\\077\\077/\\012\"");
  CHECK(string_literal(std::string("\0001", 2)) ==
        "\"\\0001\"");  // octal escapes take three digits: the 1 stands for itself
}

TEST_CASE("numbers read back as the same elements") {
  CHECK(number_literal(0.1F, DType::f32) == "0.1F");
  CHECK(number_literal(-0.0, DType::f32) == "-0.0F");
  CHECK(number_literal(1e300, DType::f32) == "__builtin_inff()");  // too large for a float
  CHECK(number_literal(-1e40, DType::f32) == "-__builtin_inff()");
  CHECK(number_literal(1, DType::f64) == "1.0");
  CHECK(std::strtof(number_literal(std::numeric_limits<float>::denorm_min(), DType::f32).c_str(), nullptr) ==
        std::numeric_limits<float>::denorm_min());
  CHECK(std::stod(number_literal(1.0 / 3, DType::f64)) == 1.0 / 3);
  CHECK(number_literal(-std::numeric_limits<double>::infinity(), DType::f32) == "-__builtin_inff()");
  CHECK(number_literal(-7, DType::i32) == "std::int32_t{-7}");
}

TEST_CASE("tables hold the extreme elements of every type") {
  CHECK_THAT(table_initializer(DType::i32, encode(DType::i32, {-2147483648.0, 2147483647.0})),
             Catch::Contains("(-2147483647 - 1), 2147483647,"));
  CHECK_THAT(table_initializer(DType::i64, encode(DType::i64, {-9223372036854775808.0})),
             Catch::Contains("(-9223372036854775807LL - 1),"));
  CHECK_THAT(table_initializer(DType::u32, encode(DType::u32, {4294967295.0})),
             Catch::Contains("4294967295U,"));
  CHECK_THAT(table_initializer(DType::i8, encode(DType::i8, {-128, 127})), Catch::Contains("-128, 127,"));
  CHECK_THAT(table_initializer(DType::boolean, encode(DType::boolean, {1, 0})), Catch::Contains("1, 0,"));
}

TEST_CASE("digits are grouped in threes") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1234567) == "1,234,567");
  CHECK(with_commas(-1000) == "-1,000");
}

}  // namespace tinytc
