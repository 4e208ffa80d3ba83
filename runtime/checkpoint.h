// The frame of a checkpoint: a header, the tensors, a CRC-32. All numbers little-endian.
//
//   byte 0   "TTCP"
//        4   format version, 1
//        8   hash of what the checkpoint belongs to: trained tensors' names, shapes, types, the optimizer,
//        the frozen weights
//       16   bytes of tensors
//       20   tensors, one after the other, in ONNX order and layout
//      end   CRC-32 of all bytes before it
#ifndef TINYTC_RUNTIME_CHECKPOINT_H
#define TINYTC_RUNTIME_CHECKPOINT_H

#include "runtime/crc32.h"

namespace tinytc {

constexpr std::uint32_t checkpoint_version = 1;
constexpr std::size_t checkpoint_header_bytes = 20;

TINYTC_INLINE void put_bytes(std::uint8_t* out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
TINYTC_INLINE std::uint64_t get_bytes(const std::uint8_t* in, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(in[i]) << (8 * i);
  return value;
}

/// Writes the header of a checkpoint with `tensor_bytes` bytes of tensors.
TINYTC_NOINLINE inline void put_checkpoint_header(std::uint8_t* out, std::uint64_t hash,
                                                  int tensor_bytes) {
  out[0] = 'T';
  out[1] = 'T';
  out[2] = 'C';
  out[3] = 'P';
  put_bytes(out + 4, checkpoint_version, 4);
  put_bytes(out + 8, hash, 8);
  put_bytes(out + 16, static_cast<std::uint64_t>(tensor_bytes), 4);
}

/// Writes the CRC behind header and tensors.
TINYTC_NOINLINE inline void put_checkpoint_crc(std::uint8_t* out, int tensor_bytes) {
  const std::size_t size = checkpoint_header_bytes + static_cast<std::size_t>(tensor_bytes);
  put_bytes(out + size, crc32(0, out, size), 4);
}

/// What is wrong with a checkpoint, in the order in which it is checked; 0: nothing, 1: bad magic, 2: another
/// model, 3: another format version, 4: CRC mismatch, 5: truncated, 6: no data at all. (The numbers are those
/// of the emitted Status.)
TINYTC_NOINLINE inline int check_checkpoint(const std::uint8_t* in, std::size_t size, std::uint64_t hash,
                                            int tensor_bytes) {
  if (in == nullptr) return 6;
  if (size < checkpoint_header_bytes) return 5;
  if (in[0] != 'T' || in[1] != 'T' || in[2] != 'C' || in[3] != 'P') return 1;
  if (get_bytes(in + 4, 4) != checkpoint_version) return 3;
  if (get_bytes(in + 8, 8) != hash || get_bytes(in + 16, 4) != static_cast<std::uint64_t>(tensor_bytes)) return 2;
  const std::size_t checked = checkpoint_header_bytes + static_cast<std::size_t>(tensor_bytes);
  if (size < checked + 4) return 5;
  return get_bytes(in + checked, 4) == crc32(0, in, checked) ? 0 : 4;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_CHECKPOINT_H
