// The tensors of q_checksums.cpp, which fills them with seeded random numbers, what it hashes, and the draws
// of shapes that its families of kernels share.
#ifndef TINYTC_TEST_RUNTIME_Q_CHECKSUM_DATA_H
#define TINYTC_TEST_RUNTIME_Q_CHECKSUM_DATA_H

#include "runtime/crc32.h"
#include "runtime/q_conv2d_shape.h"
#include "runtime/q_dot.h"
#include "runtime/random.h"

namespace {

using namespace tinytc;

constexpr int size = 4000;
std::int8_t x[size];
std::int16_t x16[2000];
std::int8_t y[size];
std::int32_t y32[size];
std::uint32_t w[size / 2];
std::uint32_t paired[size / 2];
std::uint32_t scratch[size / 2];
std::int8_t paired_weights[2 * size];
std::int32_t bias[64];
std::int32_t multiplier[64];
std::int8_t shift[64];
std::uint32_t crc = 0;
std::uint32_t counter = 0;

int integer(int low, int high) {
  const std::uint32_t bits = random_bits(7, counter++) >> 8;
  return low + static_cast<int>(bits % static_cast<std::uint32_t>(high - low + 1));
}

void hash(int count) {
  for (int i = 0; i < count; ++i) {
    const std::uint8_t byte = static_cast<std::uint8_t>(y[i]);
    crc = crc32(crc, &byte, 1);
  }
}

void fill_tensors() {
  for (std::int8_t& value : x) value = static_cast<std::int8_t>(integer(-128, 127));
  for (std::int16_t& value : x16) value = static_cast<std::int16_t>(integer(-32768, 32767));
  for (std::uint32_t& word : w) {
    int weight[4];
    for (int& value : weight) value = integer(-127, 127);
    word = q_paired_word(weight[0], weight[1], weight[2], weight[3]);
  }
  for (std::int8_t& value : paired_weights) value = static_cast<std::int8_t>(integer(-127, 127));
  for (int c = 0; c < 64; ++c) {
    bias[c] = integer(-20000, 20000);
    // One in four has many ties.
    multiplier[c] = integer(0, 3) == 0 ? integer(1, 8) << 26 : integer(1000000, 40000000);
    shift[c] = static_cast<std::int8_t>(integer(30, 34));
  }
}

int one_or_two() { return integer(0, 3) == 0 ? 2 : 1; }

/// Up to `in` and `out` channels a group.
void random_channels(QConv2dShape& s, int groups, int in, int out) {
  s.groups = groups;
  s.in_c = groups * integer(1, in);
  s.out_c = groups * integer(1, out);
}

/// Channels in words, and one input pixel to an output pixel or an even width: what one call of the assembly
/// takes whole rows of. Most windows leave over one element a kernel row when cut into fours.
void row_geometry(QConv2dShape& s) {
  s.groups = 1;
  s.out_c = 4 * integer(1, 4);
  if (integer(0, 1) == 0) {
    s.kernel_h = s.kernel_w = s.stride_h = s.stride_w = 1;
    s.pad_top = s.pad_left = 0;
    s.out_h = s.in_h;
    s.out_w = s.in_w;
    s.in_c = 4 * integer(1, 5);
    return;
  }
  s.batch = s.dilation_h = s.dilation_w = 1;
  s.kernel_h = integer(1, 7);
  s.kernel_w = integer(1, 5);
  const int one_left = s.kernel_w == 1 ? 5 : s.kernel_w % 4;  // of an odd width times these channels
  s.in_c = s.kernel_w % 2 == 1 && integer(0, 3) != 0 ? one_left : integer(1, 8);
  s.pad_top = integer(0, s.kernel_h - 1);
  s.pad_left = integer(0, s.kernel_w - 1);
  s.out_h = integer(1, 4);
  s.out_w = 2 * integer(1, 4);
  s.in_h = max_of(1, (s.out_h - 1) * s.stride_h + s.kernel_h - s.pad_top - integer(0, 1));
  s.in_w = (s.out_w - 1) * s.stride_w + s.kernel_w - s.pad_left + 1 - integer(0, 1);
}

}  // namespace

#endif  // TINYTC_TEST_RUNTIME_Q_CHECKSUM_DATA_H
