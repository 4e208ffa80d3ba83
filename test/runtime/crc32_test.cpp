// CRC-32 against its published check value.
#include "runtime/crc32.h"

#include <catch2/catch.hpp>
#include <cstring>

TEST_CASE("CRC-32 of '123456789' is the check value of CRC-32/ISO-HDLC") {
  const char* text = "123456789";
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text);
  CHECK(tinytc::crc32(0, bytes, 9) == 0xCBF43926U);
  CHECK(tinytc::crc32(tinytc::crc32(0, bytes, 4), bytes + 4, 5) == 0xCBF43926U);
  CHECK(tinytc::crc32(0, bytes, 0) == 0U);
}
