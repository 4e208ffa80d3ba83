// The inner blocks of int8 convolutions and dense layers: dot products of widened inputs with paired weights
// (see q_patch.h).
#ifndef TINYTC_RUNTIME_Q_DOT_H
#define TINYTC_RUNTIME_Q_DOT_H

#include "runtime/q_patch.h"

namespace tinytc {

/// Adds one word of one pixel and one pair of channels.
TINYTC_INLINE void q_pair_step(std::int32_t& both, std::int32_t& first, std::uint32_t x, std::uint32_t w) {
  both = q_dual(both, x, w);
  first = q_dual(first, x, q_even_bytes(w));
}

/// The second channel's sum.
TINYTC_INLINE std::int32_t q_pair_second(std::int32_t both, std::int32_t first) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(both) - static_cast<std::uint32_t>(first)) >> 8;
}

/// Start value of the sum of both channels.
TINYTC_INLINE std::int32_t q_pair_start(std::int32_t first, std::int32_t second) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(first) +
                                   (static_cast<std::uint32_t>(second) << 8));
}

/// Two pixels x four channels: sum[4 * p + c] = bias[c] + sum over words. x: 2 * words, pixels alternating;
/// w: 2 * words, channels (0, 1) and (2, 3) alternating.
TINYTC_INLINE void q_block_2x4(int words, const std::uint32_t* x, const std::uint32_t* w,
                               const std::int32_t (&bias)[4], std::int32_t (&sum)[8]) {
  std::int32_t first01 = bias[0];
  std::int32_t first23 = bias[2];
  std::int32_t both01 = q_pair_start(bias[0], bias[1]);
  std::int32_t both23 = q_pair_start(bias[2], bias[3]);
  std::int32_t next_first01 = first01;
  std::int32_t next_first23 = first23;
  std::int32_t next_both01 = both01;
  std::int32_t next_both23 = both23;
  for (int k = 0; k < words; ++k) {
    q_pair_step(both01, first01, x[0], w[0]);
    q_pair_step(both23, first23, x[0], w[1]);
    q_pair_step(next_both01, next_first01, x[1], w[0]);
    q_pair_step(next_both23, next_first23, x[1], w[1]);
    x += 2;
    w += 2;
  }
  sum[0] = first01;
  sum[1] = q_pair_second(both01, first01);
  sum[2] = first23;
  sum[3] = q_pair_second(both23, first23);
  sum[4] = next_first01;
  sum[5] = q_pair_second(next_both01, next_first01);
  sum[6] = next_first23;
  sum[7] = q_pair_second(next_both23, next_first23);
}

/// One row x eight channels: sum[c] = bias[c] + sum over words. x: `words`; w: 4 * words, channel pairs
/// alternating.
TINYTC_INLINE void q_block_1x8(int words, const std::uint32_t* x, const std::uint32_t* w,
                               const std::int32_t (&bias)[8], std::int32_t (&sum)[8]) {
  std::int32_t first[4];
  std::int32_t both[4];
  for (int c = 0; c < 4; ++c) {
    first[c] = bias[2 * c];
    both[c] = q_pair_start(bias[2 * c], bias[2 * c + 1]);
  }
  for (int k = 0; k < words; ++k) {
    q_pair_step(both[0], first[0], x[k], w[0]);
    q_pair_step(both[1], first[1], x[k], w[1]);
    q_pair_step(both[2], first[2], x[k], w[2]);
    q_pair_step(both[3], first[3], x[k], w[3]);
    w += 4;
  }
  for (int c = 0; c < 4; ++c) {
    sum[2 * c] = first[c];
    sum[2 * c + 1] = q_pair_second(both[c], first[c]);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DOT_H
