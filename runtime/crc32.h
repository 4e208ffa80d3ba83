// CRC-32 of checkpoints (ISO-HDLC: polynomial 0x04C11DB7 reflected, as in Ethernet and zlib), four bits at a
// time: 64 bytes of table.
#ifndef TINYTC_RUNTIME_CRC32_H
#define TINYTC_RUNTIME_CRC32_H

#include "runtime/base.h"

namespace tinytc {

/// Remainders of the sixteen 4-bit values; crc32_update's step.
constexpr std::uint32_t crc32_nibbles[16] = {
    0x00000000U, 0x1DB71064U, 0x3B6E20C8U, 0x26D930ACU, 0x76DC4190U, 0x6B6B51F4U, 0x4DB26158U, 0x5005713CU,
    0xEDB88320U, 0xF00F9344U, 0xD6D6A3E8U, 0xCB61B38CU, 0x9B64C2B0U, 0x86D3D2D4U, 0xA00AE278U, 0xBDBDF21CU};

/// Goes on with a CRC over `size` more bytes. Start with 0; feeding parts one after the other equals feeding
/// the whole.
TINYTC_INLINE std::uint32_t crc32(std::uint32_t crc, const std::uint8_t* data, std::size_t size) {
  crc = ~crc;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    crc = crc32_nibbles[crc & 15U] ^ (crc >> 4);
    crc = crc32_nibbles[crc & 15U] ^ (crc >> 4);
  }
  return ~crc;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_CRC32_H
