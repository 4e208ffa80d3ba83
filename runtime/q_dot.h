// The inner blocks of int8 dense layers: dot products of widened inputs with paired weights (see q_patch.h),
// with requantization; and what they share with those of convolutions (q_dot_pairs.h).
//
// Compilers spill eight sums; the assembly for Armv7E-M and Armv8-M's DSP extension needs all 14 free
// registers. It finds its arguments through r0, keeps them and r7 (which may be the frame pointer, so the
// compiler cannot lend it) on the stack, and enters its unrolled loop in the middle, so that no count needs a
// tail. Each loop ends after as many turns as its word count and block count say. The portable twins give the
// same bits.
#ifndef TINYTC_RUNTIME_Q_DOT_H
#define TINYTC_RUNTIME_Q_DOT_H

#include "runtime/q_patch.h"

#if defined(TINYTC_DSP)
// Two neighbouring words. A Cortex-M7 loads both with one instruction in the time of one; others take longer
// for that than for two loads in a row.
#if defined(TINYTC_WIDE_LOADS)
#define TINYTC_Q_LOAD_2(FIRST, SECOND, FROM) "ldrd " FIRST ", " SECOND ", [" FROM "], #8\n"
#define TINYTC_Q_LOAD_4(A, B, C, D, FROM) "ldm " FROM "!, {" A ", " B ", " C ", " D "}\n"
#define TINYTC_Q_STORE_4(A, B, C, D, TO) "stm " TO "!, {" A ", " B ", " C ", " D "}\n"
#define TINYTC_Q_STEP_1X8_BYTES 60
#else
#define TINYTC_Q_LOAD_2(FIRST, SECOND, FROM) \
  "ldr " FIRST ", [" FROM                    \
  "], #4\n"                                  \
  "ldr " SECOND ", [" FROM "], #4\n"
#define TINYTC_Q_LOAD_4(A, B, C, D, FROM) TINYTC_Q_LOAD_2(A, B, FROM) TINYTC_Q_LOAD_2(C, D, FROM)
#define TINYTC_Q_STORE_4(A, B, C, D, TO) \
  "str " A ", [" TO                      \
  "], #4\n"                              \
  "str " B ", [" TO                      \
  "], #4\n"                              \
  "str " C ", [" TO                      \
  "], #4\n"                              \
  "str " D ", [" TO "], #4\n"
#define TINYTC_Q_STEP_1X8_BYTES 68
#endif
// One word of x, four pairs of channels: the first three pairs' loads and the last one's stand as the core
// likes them.
#if defined(TINYTC_WIDE_LOADS)
#define TINYTC_Q_STEP_1X8_LOADS TINYTC_Q_LOAD_2("r3", "r4", "r1")
#define TINYTC_Q_STEP_1X8_MORE TINYTC_Q_LOAD_2("r5", "r3", "r1")
#else
#define TINYTC_Q_STEP_1X8_LOADS     \
  TINYTC_Q_LOAD_2("r3", "r4", "r1") \
  "ldr r5, [r1], #4\n"
#define TINYTC_Q_STEP_1X8_MORE "ldr r3, [r1], #4\n"
#endif
#define TINYTC_Q_STEP_1X8                         \
  "ldr r2, [r0], #4\n" TINYTC_Q_STEP_1X8_LOADS    \
  "smlad r6, r2, r3, r6\n"                        \
  "sxtb16 r3, r3\n"                               \
  "smlad r7, r2, r3, r7\n" TINYTC_Q_STEP_1X8_MORE \
  "smlad r8, r2, r4, r8\n"                        \
  "sxtb16 r4, r4\n"                               \
  "smlad r9, r2, r4, r9\n"                        \
  "smlad r10, r2, r5, r10\n"                      \
  "sxtb16 r5, r5\n"                               \
  "smlad r11, r2, r5, r11\n"                      \
  "smlad r12, r2, r3, r12\n"                      \
  "sxtb16 r3, r3\n"                               \
  "smlad lr, r2, r3, lr\n"
#define TINYTC_Q_FOUR(STEPS) STEPS STEPS STEPS STEPS
#define TINYTC_Q_EIGHT(STEP) STEP STEP STEP STEP STEP STEP STEP STEP
// Steps of a turn.
#if defined(TINYTC_SMALL)
#define TINYTC_Q_SHORT 4
#define TINYTC_Q_SHORT_TURN(STEP) TINYTC_Q_FOUR(STEP)
#else
#define TINYTC_Q_SHORT 8
#define TINYTC_Q_SHORT_TURN(STEP) TINYTC_Q_EIGHT(STEP)
#endif
// Runs a step for every word. [sp, #4]: end of x, [sp, #8]: bytes of code to leave out at first.
#define TINYTC_Q_LOOP(STEPS) \
  "ldr r2, [sp, #8]\n"       \
  "add pc, r2\n"             \
  "nop\n"                    \
  "1:\n" STEPS               \
  "ldr r2, [sp, #4]\n"       \
  "cmp r0, r2\n"             \
  "bne 1b\n"
// Sums' start from biases in r3 - r10.
#define TINYTC_Q_START_1X8     \
  "add r12, r9, r10, lsl #8\n" \
  "mov lr, r9\n"               \
  "add r10, r7, r8, lsl #8\n"  \
  "mov r11, r7\n"              \
  "add r8, r5, r6, lsl #8\n"   \
  "mov r9, r5\n"               \
  "add r6, r3, r4, lsl #8\n"   \
  "mov r7, r3\n"
// Separates the pairs and stores eight sums.
#define TINYTC_Q_STORE_SUMS    \
  "sub r6, r6, r7\n"           \
  "sub r8, r8, r9\n"           \
  "sub r10, r10, r11\n"        \
  "sub r12, r12, lr\n"         \
  "asr r6, r6, #8\n"           \
  "asr r8, r8, #8\n"           \
  "asr r10, r10, #8\n"         \
  "asr r12, r12, #8\n"         \
  "ldr r0, [sp]\n"             \
  "ldr r0, [r0, #20]\n"        \
  "strd r7, r6, [r0]\n"        \
  "strd r9, r8, [r0, #8]\n"    \
  "strd r11, r10, [r0, #16]\n" \
  "strd lr, r12, [r0, #24]\n"
// Keeps arguments and r7 on the stack.
#define TINYTC_Q_ENTER \
  "ldr r1, [r0, #4]\n" \
  "ldr r2, [r0, #8]\n" \
  "push {r0, r1, r2, r7}\n"
// Copies the ten arguments to the stack, and r7 behind them; r1: weights.
#define TINYTC_Q_FRAME                                   \
  "sub sp, sp, #48\n"                                    \
  "ldm r0, {r1, r2, r3, r4, r5, r6, r8, r9, r10, r11}\n" \
  "stm sp, {r1, r2, r3, r4, r5, r6, r8, r9, r10, r11}\n" \
  "str r7, [sp, #40]\n"                                  \
  "mov r1, r4\n"
// r2: multipliers behind the first two, in r3 and r4; r5: zero point; r0: its share of the second channel.
#if defined(TINYTC_WIDE_LOADS)
#define TINYTC_Q_LOAD_SCALES \
  "ldrd r2, r5, [sp, #20]\n" \
  "ldr r0, [sp, #36]\n"      \
  "ldm r2!, {r3, r4}\n"
#else
#define TINYTC_Q_LOAD_SCALES \
  "ldr r2, [sp, #20]\n"      \
  "ldr r5, [sp, #24]\n"      \
  "ldr r0, [sp, #36]\n"      \
  "ldr r3, [r2], #4\n"       \
  "ldr r4, [r2], #4\n"
#endif
// The sums of a channel pair become int8. The first channel takes one rounding multiply with r5, its zero
// point. Both - first is 256 times the second channel's sum t, and with r0 = 256 zero point + 128
//   floor((r0 + floor(256 t M / 2^32)) / 256) = zero point + floor((t M + 2^31) / 2^32)
// exactly, so the division by 256 is the shift of the saturation.
#define TINYTC_Q_FINISH_PAIR(FIRST, BOTH, M0, M1) \
  "sub " BOTH ", " BOTH ", " FIRST                \
  "\n"                                            \
  "smmlar " FIRST ", " FIRST ", " M0              \
  ", r5\n"                                        \
  "smmla " BOTH ", " BOTH ", " M1                 \
  ", r0\n"                                        \
  "ssat " FIRST ", #8, " FIRST                    \
  "\n"                                            \
  "ssat " BOTH ", #8, " BOTH ", asr #8\n"
#endif

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

/// Arguments of the assembly, which knows their offsets.
struct QBlockArguments {
  const std::uint32_t* x;
  const std::uint32_t* x_end;
  int skip;  ///< bytes of code to leave out at first
  const std::uint32_t* w;
  const std::int32_t* bias;
  const std::int32_t* multiplier;
  int zero_point;
  std::int8_t* y;
  const std::int8_t* y_end;
  int rounding;  ///< 256 zero_point + 128
};

#if defined(TINYTC_DSP)
/// Bytes of code that the first turn of a loop of `steps` steps leaves out; all of them for 0 words.
TINYTC_INLINE constexpr int q_skip(int words, int steps, int step_bytes) {
  return words == 0 ? steps * step_bytes : (steps - words % steps) % steps * step_bytes;
}
TINYTC_INLINE constexpr int q_skip_1x8(int words) {
  return q_skip(words, TINYTC_Q_SHORT, TINYTC_Q_STEP_1X8_BYTES);
}

/// One row, blocks of eight channels while y is not y_end: bias + sum over words, requantized with one
/// multiply, clamped to int8.
TINYTC_NOINLINE inline void q_bytes_1x8(const QBlockArguments& arguments) {
  register const QBlockArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_FRAME
      "2:\n"
      "ldr r2, [sp, #16]\n"
      "ldr r0, [sp]\n"
      "ldm r2!, {r3, r4, r5, r6, r7, r8, r9, r10}\n"
      "str r2, [sp, #16]\n" TINYTC_Q_START_1X8 TINYTC_Q_LOOP(TINYTC_Q_SHORT_TURN(TINYTC_Q_STEP_1X8))
      TINYTC_Q_LOAD_SCALES TINYTC_Q_FINISH_PAIR("r7", "r6", "r3", "r4")
      "ldm r2!, {r3, r4}\n" TINYTC_Q_FINISH_PAIR("r9", "r8", "r3", "r4")
      "ldm r2!, {r3, r4}\n" TINYTC_Q_FINISH_PAIR("r11", "r10", "r3", "r4")
      "ldm r2!, {r3, r4}\n" TINYTC_Q_FINISH_PAIR("lr", "r12", "r3", "r4")
      "str r2, [sp, #20]\n"
      "ldrd r2, r3, [sp, #28]\n"
      "strb r7, [r2], #1\n"
      "strb r6, [r2], #1\n"
      "strb r9, [r2], #1\n"
      "strb r8, [r2], #1\n"
      "strb r11, [r2], #1\n"
      "strb r10, [r2], #1\n"
      "strb lr, [r2], #1\n"
      "strb r12, [r2], #1\n"
      "str r2, [sp, #28]\n"
      "cmp r2, r3\n"
      "bne 2b\n"
      "ldr r7, [sp, #40]\n"
      "add sp, sp, #48\n"
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}

/// q_block_1x8 in assembly.
TINYTC_NOINLINE inline void q_sums_1x8(int words, const std::uint32_t* x, const std::uint32_t* w,
                                       const std::int32_t* bias, std::int32_t* sum) {
  const QBlockArguments arguments{x, x + words, q_skip_1x8(words), w, bias, sum, 0, nullptr, nullptr, 0};
  register const QBlockArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_ENTER
               "ldr r2, [r0, #16]\n"
               "ldr r1, [r0, #12]\n"
               "ldr r0, [r0]\n"
               "ldm r2, {r3, r4, r5, r6, r7, r8, r9, r10}\n" TINYTC_Q_START_1X8 TINYTC_Q_LOOP(
                   TINYTC_Q_SHORT_TURN(TINYTC_Q_STEP_1X8)) TINYTC_Q_STORE_SUMS "pop {r0, r1, r2, r7}\n"
               : "+r"(at)
               :
               : TINYTC_Q_CLOBBERS);
}
#endif

/// One row x eight channels: sum[c] = bias[c] + sum over words. x: `words`; w: 4 * words, channel pairs
/// alternating.
TINYTC_INLINE void q_block_1x8(int words, const std::uint32_t* x, const std::uint32_t* w,
                               const std::int32_t* bias, std::int32_t (&sum)[8]) {
#if defined(TINYTC_DSP)
  q_sums_1x8(words, x, w, bias, sum);
#else
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
#endif
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DOT_H
