// Interleaves two rows of four channels into words of one channel and two rows each, for depthwise
// convolutions.
//
// The assembly takes two columns at a time, so that loads stand side by side and every word is stored without
// address arithmetic; GCC keeps four pointers and moves each. The portable twin gives the same bits.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_PAIRS_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_PAIRS_H

#include "runtime/q_base.h"

namespace tinytc {

#if defined(TINYTC_DSP) && !defined(TINYTC_SMALL)
/// Two columns at a time, `twos` (at least 1) times; moves low, high and words on. Steps and width in bytes.
TINYTC_INLINE void q_depthwise_two_columns(const std::int8_t*& low, int low_step, const std::int8_t*& high,
                                           int high_step, int twos, int width, std::uint32_t*& words) {
  std::uint32_t* words2 = words + width / 2;
  std::uint32_t a, b, c, d, e;
  asm volatile(
      "1:\n"
      "ldr %[a], [%[low]]\n"
      "ldr %[b], [%[high]]\n"
      "ldr %[c], [%[low], %[low_step]]\n"
      "ldr %[d], [%[high], %[high_step]]\n"
      "add %[low], %[low], %[low_step], lsl #1\n"
      "add %[high], %[high], %[high_step], lsl #1\n"
      "pkhbt %[e], %[a], %[b], lsl #16\n"
      "pkhtb %[a], %[b], %[a], asr #16\n"
      "pkhbt %[b], %[c], %[d], lsl #16\n"
      "pkhtb %[c], %[d], %[c], asr #16\n"
      "sxtb16 %[d], %[e]\n"
      "sxtb16 %[e], %[e], ror #8\n"
      "str %[e], [%[words], %[width]]\n"
      "str %[d], [%[words]], #4\n"
      "sxtb16 %[d], %[b]\n"
      "sxtb16 %[b], %[b], ror #8\n"
      "str %[b], [%[words], %[width]]\n"
      "str %[d], [%[words]], #4\n"
      "sxtb16 %[d], %[a]\n"
      "sxtb16 %[a], %[a], ror #8\n"
      "str %[a], [%[words2], %[width]]\n"
      "str %[d], [%[words2]], #4\n"
      "sxtb16 %[d], %[c]\n"
      "sxtb16 %[c], %[c], ror #8\n"
      "str %[c], [%[words2], %[width]]\n"
      "str %[d], [%[words2]], #4\n"
      "subs %[twos], %[twos], #1\n"
      "bne 1b\n"
      : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [low] "+&r"(low),
        [high] "+&r"(high), [words] "+&r"(words), [words2] "+&r"(words2), [twos] "+&r"(twos)
      : [low_step] "r"(low_step), [high_step] "r"(high_step), [width] "r"(width)
      : "cc", "memory");
}
#endif

/// Four channels of one word row. low, high: the two rows at the image's first column, `*_step` elements
/// apart from column to column (0: a row of padding).
TINYTC_INLINE void q_depthwise_pairs(const std::int8_t* low, int low_step, const std::int8_t* high,
                                     int high_step, int columns, int width, std::uint32_t* words) {
#if defined(TINYTC_DSP) && !defined(TINYTC_SMALL)
  if (columns >= 2) q_depthwise_two_columns(low, low_step, high, high_step, columns / 2, 4 * width, words);
  const int left = columns < 2 ? columns : columns % 2;
#else
  const int left = columns;
#endif
  std::uint32_t* words1 = words + width;
  std::uint32_t* words2 = words1 + width;
  std::uint32_t* words3 = words2 + width;
  for (int k = 0; k < left; ++k) {
    const std::uint32_t a = q_load(low);
    const std::uint32_t b = q_load(high);
    low += low_step;
    high += high_step;
    const std::uint32_t first = q_low_halves(a, b);
    const std::uint32_t second = q_high_halves(a, b);
    words[k] = q_even_bytes(first);
    words1[k] = q_odd_bytes(first);
    words2[k] = q_even_bytes(second);
    words3[k] = q_odd_bytes(second);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_PAIRS_H
