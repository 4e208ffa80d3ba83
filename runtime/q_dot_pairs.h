// The inner block of int8 convolutions: two pixels by four output channels (see q_patch.h and q_dot.h).
//
// A block of weights is one stream of words, [start][words of a patch][2][4 multipliers], which one pointer
// walks through. The starts are those of the sums (q_pair_start of both channels, bias of the first) of two
// channel pairs.
#ifndef TINYTC_RUNTIME_Q_DOT_PAIRS_H
#define TINYTC_RUNTIME_Q_DOT_PAIRS_H

#include "runtime/q_dot.h"

#if defined(TINYTC_DSP)
// r0: x, r1: weights, r2 - r5: operands, r6 - lr: sums (both, first) of channel pairs.
#define TINYTC_Q_STEP_2X4           \
  TINYTC_Q_LOAD_2("r2", "r3", "r0") \
  TINYTC_Q_LOAD_2("r4", "r5", "r1") \
  "smlad r6, r2, r4, r6\n"          \
  "smlad r10, r3, r4, r10\n"        \
  "sxtb16 r4, r4\n"                 \
  "smlad r8, r2, r5, r8\n"          \
  "smlad r12, r3, r5, r12\n"        \
  "sxtb16 r5, r5\n"                 \
  "smlad r7, r2, r4, r7\n"          \
  "smlad r11, r3, r4, r11\n"        \
  "smlad r9, r2, r5, r9\n"          \
  "smlad lr, r3, r5, lr\n"
#if defined(TINYTC_WIDE_LOADS)
#define TINYTC_Q_STEP_2X4_BYTES 48
#else
#define TINYTC_Q_STEP_2X4_BYTES 56
#endif
// The loop over words, which is entered in the middle. [sp, #4]: end of x. Most layers' words fit one turn;
// the carry flag, which no instruction of a block changes, says whether they do not.
#if defined(TINYTC_SMALL)
#define TINYTC_Q_LONG 8
#define TINYTC_Q_LONG_LOOP                 \
  "1:\n" TINYTC_Q_EIGHT(TINYTC_Q_STEP_2X4) \
  "ldr r2, [sp, #4]\n"                     \
  "cmp r0, r2\n"                           \
  "bne 1b\n"
#else
#define TINYTC_Q_LONG 32
#define TINYTC_Q_LONG_LOOP                                \
  "8:\n"                                                  \
  "ldr r2, [sp, #4]\n"                                    \
  "teq r0, r2\n"                                          \
  "beq.w 7f\n"                                            \
  "1:\n" TINYTC_Q_FOUR(TINYTC_Q_EIGHT(TINYTC_Q_STEP_2X4)) \
  "bcs.w 8b\n"                                            \
  "7:\n"
#endif
// Copies the arguments to the stack, and r7 behind them; r1: weights. The bytes to leave out become the
// address at which the loop is entered. A pair that is widened already goes straight to its blocks.
#define TINYTC_Q_PAIRS_ENTER                         \
  "sub sp, sp, #72\n"                                \
  "ldm r0!, {r1, r2, r3, r4, r5, r6, r8, r9}\n"      \
  "stm sp, {r1, r2, r3, r4, r5, r6, r8, r9}\n"       \
  "add lr, sp, #32\n"                                \
  "mov r1, r4\n"                                     \
  ".p2align 2\n"                                     \
  "adr.w r4, 1f\n"                                   \
  "add r4, r4, r3\n"                                 \
  "orr r4, r4, #1\n"                                 \
  "str r4, [sp, #8]\n"                               \
  "ldm r0, {r2, r3, r4, r5, r6, r8, r9, r10, r11}\n" \
  "stm lr, {r2, r3, r4, r5, r6, r8, r9, r10, r11}\n" \
  "str r7, [sp, #68]\n"                              \
  "cbnz r3, 4f\n"                                    \
  "asrs r8, r9, #1\n"                                \
  "b.w 2f\n"
#if defined(TINYTC_WIDE_LOADS)
#define TINYTC_Q_LOAD_RUNS    \
  "ldrd r2, r11, [sp, #44]\n" \
  "ldrd r10, r7, [sp, #52]\n"
#define TINYTC_Q_LOAD_OUTPUT \
  "ldrd r0, r5, [sp, #16]\n" \
  "ldm r1!, {r2, r3, r4}\n"
#define TINYTC_Q_LOAD_PLACE  \
  "ldr r2, [r1], #4\n"       \
  "ldrd r3, r6, [sp, #24]\n" \
  "ldr r10, [sp, #32]\n"
#else
#define TINYTC_Q_LOAD_RUNS \
  "ldr r2, [sp, #44]\n"    \
  "ldr r11, [sp, #48]\n"   \
  "ldr r10, [sp, #52]\n"   \
  "ldr r7, [sp, #56]\n"
#define TINYTC_Q_LOAD_OUTPUT \
  "ldr r0, [sp, #16]\n"      \
  "ldr r5, [sp, #20]\n"      \
  "ldr r2, [r1], #4\n"       \
  "ldr r3, [r1], #4\n"       \
  "ldr r4, [r1], #4\n"
#define TINYTC_Q_LOAD_PLACE \
  "ldr r2, [r1], #4\n"      \
  "ldr r3, [sp, #24]\n"     \
  "ldr r6, [sp, #28]\n"     \
  "ldr r10, [sp, #32]\n"
#endif
// Widens a pair's inputs, eight elements of each a turn; a turn of four enters in the middle. r7: see
// QPairArguments::runs.
#define TINYTC_Q_WIDEN_FOUR \
  "ldr r8, [r0], #4\n"      \
  "ldr r9, [r2], #4\n"      \
  "sxtb16 r5, r8\n"         \
  "sxtb16 r6, r9\n"         \
  "sxtb16 r8, r8, ror #8\n" \
  "sxtb16 r9, r9, ror #8\n" TINYTC_Q_STORE_4("r5", "r6", "r8", "r9", "r3")
// Goes to the next run, and behind the last one takes the rests (see q_rest_lane), last run first.
#if defined(TINYTC_SMALL)
#define TINYTC_Q_NEXT_RUN
#else
#define TINYTC_Q_NEXT_RUN                                                        \
  "add r0, r0, r10\n"                                                            \
  "add r2, r2, r10\n"                                                            \
  "subs r7, r7, #2\n"                                                            \
  "bpl 5b\n"                                                                     \
  "ldr r5, [sp, #60]\n"                                                          \
  "ldr r4, [sp, #64]\n"                                                          \
  "cmp r5, #0\n"                                                                 \
  "beq.w 14f\n"                                                                  \
  "lsrs r12, r5, #1\n"                                                           \
  "sub r0, r0, r10\n"                                                            \
  "sub r2, r2, r10\n"                                                            \
  "beq 13f\n"                                                                    \
  "bcc 11f\n"                                                                    \
  "ldrsb r5, [r0]\n"                                                             \
  "ldrsb r6, [r2]\n"                                                             \
  "ldrsb r8, [r0, r4]\n"                                                         \
  "ldrsb r9, [r2, r4]\n"                                                         \
  "ldrsb r10, [r0, r4, lsl #1]\n"                                                \
  "ldrsb r11, [r2, r4, lsl #1]\n"                                                \
  "pkhbt r5, r5, r8, lsl #16\n"                                                  \
  "pkhbt r6, r6, r9, lsl #16\n" TINYTC_Q_STORE_4("r5", "r6", "r10", "r11", "r3") \
  "subs r12, r12, #1\n"                                                          \
  "beq 14f\n"                                                                    \
  "add r0, r0, r4, lsl #1\n"                                                     \
  "add r2, r2, r4, lsl #1\n"                                                     \
  "add r0, r0, r4\n"                                                             \
  "add r2, r2, r4\n"                                                             \
  "11:\n"                                                                        \
  "ldrsb r5, [r0]\n"                                                             \
  "ldrsb r6, [r2]\n"                                                             \
  "ldrsb r8, [r0, r4]\n"                                                         \
  "ldrsb r9, [r2, r4]\n"                                                         \
  "add r0, r0, r4, lsl #1\n"                                                     \
  "add r2, r2, r4, lsl #1\n"                                                     \
  "pkhbt r5, r5, r8, lsl #16\n"                                                  \
  "pkhbt r6, r6, r9, lsl #16\n"                                                  \
  "str r5, [r3], #4\n"                                                           \
  "str r6, [r3], #4\n"                                                           \
  "subs r12, r12, #1\n"                                                          \
  "bne 11b\n"                                                                    \
  "b 14f\n"                                                                      \
  "13:\n"                                                                        \
  "ldrsb r5, [r0]\n"                                                             \
  "ldrsb r6, [r2]\n"                                                             \
  "str r5, [r3]\n"                                                               \
  "str r6, [r3, #4]\n"                                                           \
  "14:\n"                                                                        \
  "asrs r8, r7, #1\n"                                                            \
  "b.w 2f\n"
#endif
#define TINYTC_Q_WIDEN_PAIR                              \
  "4:\n"                                                 \
  "ldr r0, [sp, #36]\n"                                  \
  "ldr r3, [sp]\n" TINYTC_Q_LOAD_RUNS                    \
  "add r5, r0, r2, lsl #1\n"                             \
  "add r2, r2, r0\n"                                     \
  "str r5, [sp, #36]\n"                                  \
  "5:\n"                                                 \
  "lsrs lr, r11, #1\n"                                   \
  "bcs 10f\n"                                            \
  "sub lr, lr, #1\n"                                     \
  "6:\n" TINYTC_Q_WIDEN_FOUR "10:\n" TINYTC_Q_WIDEN_FOUR \
  "subs lr, lr, #1\n"                                    \
  "bpl 6b\n"                                             \
  "asrs r8, r7, #1\n"                                    \
  "bmi.w 2f\n" TINYTC_Q_NEXT_RUN
#endif

namespace tinytc {

/// Words of a block of four channels whose patches have `words`.
TINYTC_INLINE constexpr int q_pair_block_words(int words) { return 2 * words + 8; }

/// Arguments of the assembly, which knows their offsets. Distances in elements.
struct QPairArguments {
  const std::uint32_t* x;  ///< widened patches of a pair of pixels
  const std::uint32_t* x_end;
  int skip;                ///< bytes of code to leave out at first
  const std::uint32_t* w;  ///< blocks
  int rounding;            ///< 256 zero_point + 128
  int zero_point;
  std::int8_t* y;
  int next;  ///< from the first pixel's output to the second's
  const std::int8_t* y_end;
  const std::int8_t* source;  ///< the first pixel's inputs; null: x holds the only pair's, widened
  int pairs;
  int apart;  ///< from a pixel's inputs to the next pixel's
  int fours;  ///< elements of a run / 4
  int gap;    ///< from the last four of a run to the next run
  int runs;   ///< q_pair_runs
  int rests;  ///< runs, if each has one element behind its last four, or 0
  int back;   ///< from a run to the one before
};

#if defined(TINYTC_DSP)
/// How often a run follows another (-1: one run without a rest), and whether the words take several turns of
/// the loop, as the lowest bit.
TINYTC_INLINE constexpr int q_pair_runs(int runs, int words) {
  return 2 * (runs - 1) + (words - 1 > TINYTC_Q_LONG ? 1 : 0);
}

TINYTC_INLINE constexpr int q_skip_2x4(int words) {
  return q_skip(words - 1, TINYTC_Q_LONG, TINYTC_Q_STEP_2X4_BYTES);
}

/// Pairs of pixels, blocks of four channels until y_end: bias + sum over words (at least 1), requantized with
/// one multiply, clamped to int8; four channels are stored at once. With a source each pair's patches are
/// widened into x first, and its outputs follow the last pair's.
TINYTC_NOINLINE inline void q_bytes_2x4(const QPairArguments& arguments) {
  register const QPairArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_PAIRS_ENTER TINYTC_Q_WIDEN_PAIR TINYTC_Q_LONG_LOOP
      TINYTC_Q_LOAD_OUTPUT TINYTC_Q_FINISH_PAIR("r7", "r6", "r2", "r3")
      TINYTC_Q_FINISH_PAIR("r11", "r10", "r2", "r3")
      "bfi r7, r6, #8, #8\n"
      "bfi r11, r10, #8, #8\n" TINYTC_Q_LOAD_PLACE TINYTC_Q_FINISH_PAIR("r9", "r8", "r4", "r2")
      TINYTC_Q_FINISH_PAIR("lr", "r12", "r4", "r2")
      "bfi r7, r9, #16, #8\n"
      "bfi r11, lr, #16, #8\n"
      "bfi r7, r8, #24, #8\n"
      "bfi r11, r12, #24, #8\n"
      "str r11, [r3, r6]\n"
      "str r7, [r3], #4\n"
      "teq r3, r10\n"
      "str r3, [sp, #24]\n"
      "beq 3f\n"
      "2:\n"  // the next block: the first word's step starts the sums
      "ldr r0, [sp]\n" TINYTC_Q_LOAD_4("r6", "r7", "r8", "r9", "r1")
      TINYTC_Q_LOAD_2("r2", "r3", "r0")
      TINYTC_Q_LOAD_2("r4", "r5", "r1")
      "smlad r10, r3, r4, r6\n"
      "smlad r6, r2, r4, r6\n"
      "sxtb16 r4, r4\n"
      "smlad r12, r3, r5, r8\n"
      "smlad r8, r2, r5, r8\n"
      "sxtb16 r5, r5\n"
      "smlad r11, r3, r4, r7\n"
      "smlad r7, r2, r4, r7\n"
      "smlad lr, r3, r5, r9\n"
      "smlad r9, r2, r5, r9\n"
      "ldr pc, [sp, #8]\n"
      "3:\n"  // the next pair
      "ldr r5, [sp, #40]\n"
      "ldr r1, [sp, #12]\n"
      "add r3, r3, r6\n"
      "subs r5, r5, #1\n"
      "str r3, [sp, #24]\n"
      "add r3, r3, r6\n"
      "str r5, [sp, #40]\n"
      "str r3, [sp, #32]\n"
      "bne.w 4b\n"
      "ldr r7, [sp, #68]\n"
      "add sp, sp, #72\n"
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}

/// q_block_2x4 in assembly.
TINYTC_NOINLINE inline void q_sums_2x4(int words, const std::uint32_t* x, const std::uint32_t* w,
                                       std::int32_t* sum) {
  const QBlockArguments arguments{x, x + 2 * words, q_skip(words, TINYTC_Q_SHORT, TINYTC_Q_STEP_2X4_BYTES),
                                  w, nullptr,       sum,
                                  0, nullptr,       nullptr,
                                  0};
  register const QBlockArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_ENTER
               "ldr r1, [r0, #12]\n"
               "ldr r0, [r0]\n"
               "ldm r1!, {r6, r7, r8, r9}\n"
               "mov r10, r6\n"
               "mov r11, r7\n"
               "mov r12, r8\n"
               "mov lr, r9\n" TINYTC_Q_LOOP(TINYTC_Q_SHORT_TURN(TINYTC_Q_STEP_2X4)) TINYTC_Q_STORE_SUMS
               "pop {r0, r1, r2, r7}\n"
               : "+r"(at)
               :
               : TINYTC_Q_CLOBBERS);
}
#endif

/// Two pixels x four channels: sum[4 * p + c] = bias[c] + sum over words. x: 2 * words, pixels alternating;
/// w: a block.
TINYTC_INLINE void q_block_2x4(int words, const std::uint32_t* x, const std::uint32_t* w,
                               std::int32_t (&sum)[8]) {
#if defined(TINYTC_DSP)
  q_sums_2x4(words, x, w, sum);
#else
  std::int32_t both01 = static_cast<std::int32_t>(w[0]);
  std::int32_t first01 = static_cast<std::int32_t>(w[1]);
  std::int32_t both23 = static_cast<std::int32_t>(w[2]);
  std::int32_t first23 = static_cast<std::int32_t>(w[3]);
  w += 4;
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
#endif
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DOT_PAIRS_H
