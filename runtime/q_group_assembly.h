// The assembly of int8 convolutions with groups (q_group_dot.h): pairs of pixels by all of a group's output
// channels, as Armv7E-M and Armv8-M's DSP extension have it.
//
// As in q_dot.h, loops over words are unrolled and entered in the middle, and arguments stand on the stack. A
// pair goes through its blocks of four channels (labels 1 to 10), then through a block of two (20, 21) or one
// (31, 34); a run that ends leads to the next one's first turn, or to the block's end.
#ifndef TINYTC_RUNTIME_Q_GROUP_ASSEMBLY_H
#define TINYTC_RUNTIME_Q_GROUP_ASSEMBLY_H

#include "runtime/q_base.h"
#include "runtime/q_dot.h"

#if defined(TINYTC_DSP)
// r0: x, r5: from the first pixel's to the second's, r1: weights, r2 - r4: operands; sums (both, first) of
// channel pairs: r6 - r9 of the first pixel, r10 - lr of the second.
#define TINYTC_Q_GROUP_LOADS \
  "ldr r3, [r0, r5]\n"       \
  "ldr r2, [r0], #4\n"       \
  "ldr r4, [r1], #4\n"
#define TINYTC_Q_GROUP_PAIR(BOTH, FIRST, NEXT_BOTH, NEXT_FIRST) \
  "smlad " BOTH ", r2, r4, " BOTH                               \
  "\n"                                                          \
  "smlad " NEXT_BOTH ", r3, r4, " NEXT_BOTH                     \
  "\n"                                                          \
  "sxtb16 r4, r4\n"                                             \
  "smlad " FIRST ", r2, r4, " FIRST                             \
  "\n"                                                          \
  "smlad " NEXT_FIRST ", r3, r4, " NEXT_FIRST "\n"
#define TINYTC_Q_GROUP_STEP_4               \
  TINYTC_Q_GROUP_LOADS TINYTC_Q_GROUP_PAIR( \
      "r6", "r7", "r10", "r11") "ldr r4, [r1], #4\n" TINYTC_Q_GROUP_PAIR("r8", "r9", "r12", "lr")
#define TINYTC_Q_GROUP_STEP_2 TINYTC_Q_GROUP_LOADS TINYTC_Q_GROUP_PAIR("r6", "r7", "r10", "r11")
#define TINYTC_Q_GROUP_STEP_1 \
  TINYTC_Q_GROUP_LOADS        \
  "smlad r6, r2, r4, r6\n"    \
  "smlad r10, r3, r4, r10\n"
#define TINYTC_Q_GROUP_STEP_4_BYTES 54
#define TINYTC_Q_GROUP_STEP_2_BYTES 30
#define TINYTC_Q_GROUP_STEP_1_BYTES 18
// Steps of a turn.
#if defined(TINYTC_SMALL)
#define TINYTC_Q_GROUP_STEPS 4
#define TINYTC_Q_GROUP_TURN(STEP) TINYTC_Q_FOUR(STEP)
#else
#define TINYTC_Q_GROUP_STEPS 16
#define TINYTC_Q_GROUP_TURN(STEP) TINYTC_Q_EIGHT(STEP) TINYTC_Q_EIGHT(STEP)
#endif
// Copies the arguments to the stack, and behind them [sp, #64]: end of the pair's last run, [sp, #68]: of
// this run, [sp, #72]: channels of whole blocks, [sp, #76]: r7, [sp, #80]: from a pair to the next, [sp,
// #84]: whether a single pixel follows. Leaves r3, r4: code to leave out, r12: channels of the rest.
#define TINYTC_Q_GROUP_FRAME                      \
  "sub sp, sp, #88\n"                             \
  "ldm r0!, {r1, r2, r3, r4, r5, r6, r8, r9}\n"   \
  "stm sp, {r1, r2, r3, r4, r5, r6, r8, r9}\n"    \
  "add r10, sp, #32\n"                            \
  "ldm r0!, {r1, r2, r5, r6, r9, r11, r12, lr}\n" \
  "stm r10, {r1, r2, r5, r6, r9, r11, r12, lr}\n" \
  "ldr r2, [r0]\n"                                \
  "ldr r5, [r0, #4]\n"                            \
  "sub r1, r1, r8\n"                              \
  "str r2, [sp, #80]\n"                           \
  "str r5, [sp, #84]\n"                           \
  "str r7, [sp, #76]\n"                           \
  "str r1, [sp, #72]\n"
// The bytes to leave out become the addresses at which the loops are entered.
#define TINYTC_Q_GROUP_ENTRIES \
  ".p2align 2\n"               \
  "adr.w r2, 1f\n"             \
  "add r3, r3, r2\n"           \
  "orr r3, r3, #1\n"           \
  "str r3, [sp, #8]\n"         \
  "cmp r12, #1\n"              \
  ".p2align 2\n"               \
  "adr.w r2, 21f\n"            \
  "bne 40f\n"                  \
  ".p2align 2\n"               \
  "adr.w r2, 31f\n"            \
  "40:\n"                      \
  "add r4, r4, r2\n"           \
  "orr r4, r4, #1\n"           \
  "str r4, [sp, #12]\n"
// Starts a pair, whose x, y and y_end are in r0, r5 and r3. The carry flag, which no instruction of a block
// changes, says whether runs take several turns.
#define TINYTC_Q_GROUP_FIRST \
  "ldr r0, [sp]\n"           \
  "ldr r3, [sp, #32]\n"      \
  "ldr r5, [sp, #24]\n"      \
  "2:\n"
#define TINYTC_Q_GROUP_START \
  "ldr r1, [sp, #4]\n"       \
  "ldr r2, [sp, #52]\n"      \
  "ldr r4, [sp, #60]\n"      \
  "add r2, r2, r0\n"         \
  "str r2, [sp, #64]\n"      \
  "lsrs r4, r4, #1\n"        \
  "teq r3, r5\n"             \
  "beq.w 4f\n"
// Behind a run: leaves to AGAIN while it takes more turns, to NEXT if another run follows.
#define TINYTC_Q_GROUP_RUN_END(HERE, AGAIN, NEXT) \
  "bcs.w " AGAIN "\n" HERE                        \
  ":\n"                                           \
  "ldr r2, [sp, #64]\n"                           \
  "ldr r3, [sp, #48]\n"                           \
  "teq r0, r2\n"                                  \
  "bne.w " NEXT "\n"
// What stands beside the straight way: the next run of a loop, its first one of several turns, a further
// turn.
#define TINYTC_Q_GROUP_NEXT(ENTRY, NEXT, MANY) \
  NEXT ":\n"                                   \
       "add r0, r0, r3\n"                      \
       "bcs " MANY                             \
       "f\n"                                   \
       "ldr pc, [sp, #" ENTRY "]\n" MANY       \
       ":\n"                                   \
       "ldr r2, [sp, #44]\n"                   \
       "add r2, r2, r0\n"                      \
       "str r2, [sp, #68]\n"                   \
       "ldr pc, [sp, #" ENTRY "]\n"
#define TINYTC_Q_GROUP_AGAIN(LABEL, LOOP, HERE) \
  LABEL                                         \
  ":\n"                                         \
  "ldr r2, [sp, #68]\n"                         \
  "teq r0, r2\n"                                \
  "bne.w " LOOP                                 \
  "\n"                                          \
  "b.w " HERE "\n"
#define TINYTC_Q_GROUP_FOUR \
  "3:\n"                                                                                                  \
  "ldr r0, [sp]\n"                                                                                        \
  "ldr r5, [sp, #40]\n"                                                                                   \
  "ldr r6, [r1], #4\n"                                                                                    \
  "ldr r7, [r1], #4\n"                                                                                    \
  "ldr r8, [r1], #4\n"                                                                                    \
  "ldr r9, [r1], #4\n"                                                                                    \
  "mov r10, r6\n"                                                                                         \
  "mov r11, r7\n"                                                                                         \
  "mov r12, r8\n"                                                                                         \
  "mov lr, r9\n"                                                                                          \
  "bcs.w 8f\n"                                                                                            \
  "ldr pc, [sp, #8]\n"                                                                                    \
  "1:\n" TINYTC_Q_GROUP_TURN(TINYTC_Q_GROUP_STEP_4) TINYTC_Q_GROUP_RUN_END("10", "9f", "7f")              \
  "ldr r0, [sp, #16]\n"                                                                                   \
  "ldr r5, [sp, #20]\n"                                                                                   \
  "ldr r2, [r1], #4\n"                                                                                    \
  "ldr r3, [r1], #4\n"                                                                                    \
  "ldr r4, [r1], #4\n" TINYTC_Q_FINISH_PAIR("r7", "r6", "r2", "r3")                                       \
  TINYTC_Q_FINISH_PAIR("r11", "r10", "r2", "r3")                                                          \
  "bfi r7, r6, #8, #8\n"                                                                                  \
  "bfi r11, r10, #8, #8\n"                                                                                \
  "ldr r2, [r1], #4\n"                                                                                    \
  "ldr r3, [sp, #24]\n"                                                                                   \
  "ldr r6, [sp, #28]\n"                                                                                   \
  "ldr r10, [sp, #32]\n" TINYTC_Q_FINISH_PAIR("r9", "r8", "r4", "r2")                                     \
  TINYTC_Q_FINISH_PAIR("lr", "r12", "r4", "r2")                                                           \
  "bfi r7, r9, #16, #8\n"                                                                                 \
  "bfi r11, lr, #16, #8\n"                                                                                \
  "teq r3, r10\n"                                                                                         \
  "beq.w 12f\n"                                                                                           \
  "bfi r7, r8, #24, #8\n"                                                                                 \
  "bfi r11, r12, #24, #8\n"                                                                               \
  "str r11, [r3, r6]\n"                                                                                   \
  "str r7, [r3], #4\n"                                                                                    \
  "teq r3, r10\n"                                                                                         \
  "str r3, [sp, #24]\n"                                                                                   \
  "bne.w 3b\n"
// Channels behind whole blocks: three take a block of four.
#define TINYTC_Q_GROUP_REST \
  "4:\n"                    \
  "ldr r2, [sp, #56]\n"     \
  "cbz r2, 41f\n"           \
  "teq r2, #3\n"            \
  "beq.w 3b\n"              \
  "ldr r0, [sp]\n"          \
  "ldr r5, [sp, #40]\n"     \
  "ldr r6, [r1], #4\n"      \
  "mov r10, r6\n"           \
  "teq r2, #1\n"            \
  "ite ne\n"                \
  "ldrne r7, [r1], #4\n"    \
  "moveq r7, r6\n"          \
  "mov r11, r7\n"           \
  "bcs.w 28f\n"             \
  "ldr pc, [sp, #12]\n"     \
  "41:\n"                   \
  "b.w 66f\n"
#define TINYTC_Q_GROUP_TWO \
  "21:\n" TINYTC_Q_GROUP_TURN(TINYTC_Q_GROUP_STEP_2) TINYTC_Q_GROUP_RUN_END("20", "29f", "27f")  \
  "ldr r0, [sp, #16]\n"                                                                          \
  "ldr r5, [sp, #20]\n"                                                                          \
  "ldr r2, [r1], #4\n"                                                                           \
  "ldr r3, [r1], #4\n" TINYTC_Q_FINISH_PAIR("r7", "r6", "r2", "r3")                              \
  TINYTC_Q_FINISH_PAIR("r11", "r10", "r2", "r3")                                                 \
  "ldr r3, [sp, #24]\n"                                                                          \
  "ldr r8, [sp, #28]\n"                                                                          \
  "bfi r7, r6, #8, #8\n"                                                                         \
  "bfi r11, r10, #8, #8\n"                                                                       \
  "strh r11, [r3, r8]\n"                                                                         \
  "strh r7, [r3]\n"                                                                              \
  "b.w 66f\n"
#define TINYTC_Q_GROUP_ONE \
  "31:\n" TINYTC_Q_GROUP_TURN(TINYTC_Q_GROUP_STEP_1) TINYTC_Q_GROUP_RUN_END("34", "39f", "27f")  \
  "ldr r5, [sp, #20]\n"                                                                          \
  "ldr r3, [sp, #24]\n"                                                                          \
  "ldr r8, [sp, #28]\n"                                                                          \
  "ldr r2, [r1]\n"                                                                               \
  "smmlar r6, r6, r2, r5\n"                                                                      \
  "smmlar r10, r10, r2, r5\n"                                                                    \
  "ssat r6, #8, r6\n"                                                                            \
  "ssat r10, #8, r10\n"                                                                          \
  "strb r10, [r3, r8]\n"                                                                         \
  "strb r6, [r3]\n"                                                                              \
  "b.w 66f\n"
// TINYTC_Q_FINISH_PAIR with the zero point and its share elsewhere.
#define TINYTC_Q_FINISH_PAIR_AT(FIRST, BOTH, M0, M1, ZERO, ROUNDING) \
  "sub " BOTH ", " BOTH ", " FIRST                                   \
  "\n"                                                               \
  "smmlar " FIRST ", " FIRST ", " M0 ", " ZERO                       \
  "\n"                                                               \
  "smmla " BOTH ", " BOTH ", " M1 ", " ROUNDING                      \
  "\n"                                                               \
  "ssat " FIRST ", #8, " FIRST                                       \
  "\n"                                                               \
  "ssat " BOTH ", #8, " BOTH ", asr #8\n"
// Patches of two words: the pair's four stay in r2 - r5, and each two channels are a block. r0: y.
#define TINYTC_Q_GROUP_SMALL \
  "ldr r1, [sp, #4]\n"                                                                                  \
  "ldr r9, [sp, #40]\n"                                                                                 \
  "ldr r2, [r0]\n"                                                                                      \
  "ldr r3, [r0, #4]\n"                                                                                  \
  "add r9, r9, r0\n"                                                                                    \
  "mov r0, r5\n"                                                                                        \
  "ldr r4, [r9]\n"                                                                                      \
  "ldr r5, [r9, #4]\n"                                                                                  \
  "3:\n"                                                                                                \
  "ldm r1!, {r6, r7, r8, r9}\n"                                                                         \
  "smlad r10, r4, r8, r6\n"                                                                             \
  "smlad r6, r2, r8, r6\n"                                                                              \
  "smlad r10, r5, r9, r10\n"                                                                            \
  "smlad r6, r3, r9, r6\n"                                                                              \
  "sxtb16 r8, r8\n"                                                                                     \
  "sxtb16 r9, r9\n"                                                                                     \
  "smlad r11, r4, r8, r7\n"                                                                             \
  "smlad r7, r2, r8, r7\n"                                                                              \
  "smlad r11, r5, r9, r11\n"                                                                            \
  "smlad r7, r3, r9, r7\n"                                                                              \
  "ldr r8, [r1], #4\n"                                                                                  \
  "ldr r9, [r1], #4\n"                                                                                  \
  "ldr r12, [sp, #16]\n"                                                                                \
  "ldr lr, [sp, #20]\n" TINYTC_Q_FINISH_PAIR_AT("r7", "r6", "r8", "r9", "lr", "r12")                    \
  TINYTC_Q_FINISH_PAIR_AT("r11", "r10", "r8", "r9", "lr", "r12")                                        \
  "ldr r8, [sp, #28]\n" \
  "ldr r9, [sp, #32]\n" \
  "strb r11, [r0, r8]\n" \
  "strb r7, [r0], #1\n" \
  "teq r0, r9\n" \
  "beq 6f\n" \
  "strb r10, [r0, r8]\n" \
  "strb r6, [r0], #1\n" \
  "teq r0, r9\n" \
  "bne 3b\n"
// Three channels' bytes; behind them what the next pair needs.
#define TINYTC_Q_GROUP_THREE \
  "12:\n"                    \
  "strh r11, [r3, r6]\n"     \
  "add r6, r6, r3\n"         \
  "lsr r11, r11, #16\n"      \
  "strb r11, [r6, #2]\n"     \
  "strh r7, [r3]\n"          \
  "lsr r7, r7, #16\n"        \
  "strb r7, [r3, #2]\n"      \
  "66:\n"                    \
  "ldr r9, [sp, #32]\n"      \
  "ldr r8, [sp, #28]\n"
// The next pair; at last a single pixel, twice. r8: from the first pixel's output to the second's, r9: y_end.
#define TINYTC_Q_GROUP_END(STORE_Y) \
  "6:\n"                            \
  "ldr r0, [sp]\n"                  \
  "ldr r2, [sp, #36]\n"             \
  "ldr r5, [sp, #72]\n"             \
  "ldr r6, [sp, #80]\n"             \
  "add r3, r9, r8, lsl #1\n"        \
  "sub r5, r3, r5\n"                \
  "add r0, r0, r6\n"                \
  "subs r2, r2, #1\n"               \
  "str r0, [sp]\n"                  \
  "str r2, [sp, #36]\n"             \
  "str r3, [sp, #32]\n" STORE_Y     \
  "bne.w 2b\n"                      \
  "ldr r4, [sp, #84]\n"             \
  "cbz r4, 42f\n"                   \
  "str r2, [sp, #84]\n"             \
  "str r2, [sp, #40]\n"             \
  "str r2, [sp, #28]\n"             \
  "str r4, [sp, #36]\n"             \
  "b.w 2b\n"                        \
  "42:\n"                           \
  "ldr r7, [sp, #76]\n"             \
  "add sp, sp, #88\n"
#endif

namespace tinytc {

/// Arguments of the assembly, which knows their offsets. Distances in bytes.
struct QGroupArguments {
  const std::int16_t* x;
  const std::uint32_t* w;  ///< a group's blocks
  int skip;                ///< of code to leave out at first, in blocks of four
  int rest_skip;           ///< in the last block
  int rounding;            ///< 256 zero_point + 128
  int zero_point;
  std::int8_t* y;
  int next;                  ///< from the first pixel's output to the second's
  const std::int8_t* y_end;  ///< of whole blocks, or of all channels (small patches)
  int pairs;
  int apart;
  int run;   ///< length
  int gap;   ///< from the end of a run to the next
  int span;  ///< from x to the end of its last run
  int rest;  ///< channels behind whole blocks
  int many;  ///< whether runs take several turns
  int step;  ///< from a pair's x to the next pair's
  int odd;   ///< 1: another pixel follows
};

#if defined(TINYTC_DSP)
/// Pairs of pixels (at least one), whose outputs follow one another, and a single one: bias + sum over words
/// (at least 1), requantized with one multiply, clamped to int8.
TINYTC_NOINLINE inline void q_group_bytes(const QGroupArguments& arguments) {
  register const QGroupArguments* at asm("r0") = &arguments;
  asm volatile(
      TINYTC_Q_GROUP_FRAME TINYTC_Q_GROUP_ENTRIES TINYTC_Q_GROUP_FIRST TINYTC_Q_GROUP_START
          TINYTC_Q_GROUP_FOUR TINYTC_Q_GROUP_REST TINYTC_Q_GROUP_TWO TINYTC_Q_GROUP_ONE TINYTC_Q_GROUP_NEXT(
              "8", "7", "8") TINYTC_Q_GROUP_NEXT("12", "27", "28") TINYTC_Q_GROUP_AGAIN("9", "1b", "10b")
              TINYTC_Q_GROUP_AGAIN("29", "21b", "20b") TINYTC_Q_GROUP_AGAIN("39", "31b", "34b")
                  TINYTC_Q_GROUP_THREE TINYTC_Q_GROUP_END("str r5, [sp, #24]\n")
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}

/// The same where q_group_is_small.
TINYTC_NOINLINE inline void q_group_small_bytes(const QGroupArguments& arguments) {
  register const QGroupArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_GROUP_FRAME TINYTC_Q_GROUP_FIRST TINYTC_Q_GROUP_SMALL TINYTC_Q_GROUP_END("")
               : "+r"(at)
               :
               : TINYTC_Q_CLOBBERS);
}
#endif

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_GROUP_ASSEMBLY_H
