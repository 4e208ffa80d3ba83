// What of a model's text may stand in a message or a comment.
#include "compiler/diagnostics.h"

#include <catch2/catch.hpp>

namespace tinytc {

TEST_CASE("printable keeps harmless text and escapes the rest") {
  CHECK(printable("fc1.weight") == "fc1.weight");
  CHECK(printable("Gewicht_\xC3\xA4\xE6\xBC\xA2\xF0\x9F\x98\x80") ==
        "Gewicht_\xC3\xA4\xE6\xBC\xA2\xF0\x9F\x98\x80");
  CHECK(printable("a\nb\\c\x7F") == "a\\nb\\\\c\\x7f");
  CHECK(printable("\xFF\xE6\xBC") == "\\xff\\xe6\\xbc");
  CHECK(printable(std::string(200, 'x'), 10) == std::string(10, 'x') + "...");
}

TEST_CASE("printable escapes characters that would reorder or break the line") {
  for (const char* text : {"\xE2\x80\xAE", "\xE2\x80\xAA", "\xE2\x81\xA6", "\xE2\x81\xA9", "\xE2\x80\x8E",
                           "\xE2\x80\xA8", "\xE2\x80\xA9", "\xD8\x9C", "\xC2\x85"}) {
    INFO(std::string(text));
    CHECK(printable(text).substr(0, 2) == "\\x");
  }
  for (const char* text : {"\xE2\x80\x93", "\xE2\x82\xAC", "\xC2\xB5"})
    CHECK(printable(text) == text);  // en dash, euro, micro
}

}  // namespace tinytc
