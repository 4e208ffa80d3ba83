// The inner block of depthwise int8 convolutions with lists of taps (q_depthwise_taps.h): all channels, four
// at least, of neighbouring pixels that share a list. Assembly for Armv7E-M and Armv8-M's DSP extension; the
// portable twin is q_depthwise_tap_pixel.
//
// Two taps of four channels are taken at a time, so that their loads stand side by side, and two such pairs a
// turn; an odd tap comes first. Where a turn is entered is the same for all blocks.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_PIXELS_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_PIXELS_H

#include "runtime/q_base.h"

#if defined(TINYTC_DSP)
// The stack: 0 list, 4 its end, 8 x of the pixel, 12 w, 16 y, 20 channels in whole blocks, 24 apart, 28
// channels, 32 pixels, 36 zero point, 40 skip, 44 minus input zero, 48 rest, 52 where a block's taps start,
// 56 r7, 60 four bytes for what the last block computes in vain, 64 y of the rest, 68 y behind the blocks.
// r0: x of the block, r1: its stream, r2: list, r4, r5, r6, r8: sums.
#define TINYTC_Q_PIXELS_ENTER                                         \
  "sub sp, sp, #72\n"                                                 \
  "str r7, [sp, #56]\n"                                               \
  "ldr r1, [r0, #52]\n"                                               \
  ".p2align 2\n"                                                      \
  "adr.w r2, 2f\n"                                                    \
  "add r2, r2, r1\n"                                                  \
  "orr r2, r2, #1\n"                                                  \
  "str r2, [sp, #52]\n"                                               \
  "ldm r0, {r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n" \
  "add r2, r2, r1\n"                                                  \
  "stm sp, {r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n" \
  "add r6, r6, r5\n"                                                  \
  "str r6, [sp, #68]\n"                                               \
  "mov r0, r3\n"                                                      \
  "mov r1, r4\n"
// Adds a tap: X and W hold four inputs and four weights; EXTEND and ADDEND widen inputs.
#define TINYTC_Q_TAP_SUMS(EXTEND, ADDEND, X, W)           \
  EXTEND " r3, " ADDEND X "\n" EXTEND " " X ", " ADDEND X \
         ", ror #8\n"                                     \
         "sxtb16 lr, " W                                  \
         "\n"                                             \
         "sxtb16 " W ", " W                               \
         ", ror #8\n"                                     \
         "smlabb r4, r3, lr, r4\n"                        \
         "smlatt r6, r3, lr, r6\n"                        \
         "smlabb r5, " X ", " W                           \
         ", r5\n"                                         \
         "smlatt r8, " X ", " W ", r8\n"
#define TINYTC_Q_INNER_SUMS(X, W) TINYTC_Q_TAP_SUMS("sxtb16", "", X, W)
#define TINYTC_Q_BORDER_SUMS(X, W) TINYTC_Q_TAP_SUMS("sxtab16", "r7, ", X, W)
#define TINYTC_Q_INNER_PAIR \
  "ldr r9, [r2], #4\n"      \
  "ldr r10, [r2], #4\n"     \
  "ldr r11, [r1], #4\n"     \
  "ldr r12, [r1], #4\n"     \
  "ldr r9, [r0, r9]\n"      \
  "ldr r10, [r0, r10]\n" TINYTC_Q_INNER_SUMS("r9", "r11") TINYTC_Q_INNER_SUMS("r10", "r12")
#define TINYTC_Q_BORDER_PAIR \
  "ldr r9, [r2], #4\n"       \
  "ldr r11, [r2], #4\n"      \
  "ldr r10, [r2], #4\n"      \
  "ldr r12, [r2], #4\n"      \
  "ldr r9, [r0, r9]\n"       \
  "ldr r11, [r1, r11]\n"     \
  "ldr r10, [r0, r10]\n"     \
  "ldr r12, [r1, r12]\n" TINYTC_Q_BORDER_SUMS("r9", "r11") TINYTC_Q_BORDER_SUMS("r10", "r12")
#define TINYTC_Q_INNER_SINGLE \
  "ldr r10, [r2], #4\n"       \
  "ldr r12, [r1], #4\n"       \
  "ldr r10, [r0, r10]\n" TINYTC_Q_INNER_SUMS("r10", "r12")
#define TINYTC_Q_BORDER_SINGLE \
  "ldr r10, [r2], #4\n"        \
  "ldr r12, [r2], #4\n"        \
  "ldr r10, [r0, r10]\n"       \
  "ldr r12, [r1, r12]\n" TINYTC_Q_BORDER_SUMS("r10", "r12")
// All taps of a list, from the place on that the stack tells: one; three more than whole turns; one more;
// none or two more. COMPARE: of r2 with the end.
#define TINYTC_Q_TAPS(SINGLE, PAIR, COMPARE)                                                       \
  "ldr pc, [sp, #52]\n" SINGLE "b.w 4f\n" SINGLE "b.w 3f\n" SINGLE "2:\n" PAIR "3:\n" PAIR COMPARE \
  "blo.w 2b\n"                                                                                     \
  "4:\n"
// The sums become outputs. Then comes the next block; behind the whole ones the last four channels, of which
// the rest is stored; then the next pixel. SKIP: from the multipliers to the next block's biases.
#define TINYTC_Q_PIXELS_LEAVE(SKIP) \
  "ldr r9, [r1], #4\n"              \
  "ldr r10, [r1], #4\n"             \
  "ldr r11, [r1], #4\n"             \
  "ldr r12, [r1], #" SKIP           \
  "\n"                              \
  "ldr r3, [sp, #36]\n"             \
  "ldr lr, [sp, #16]\n"             \
  "ldr r2, [sp, #68]\n"             \
  "smmlar r4, r4, r9, r3\n"         \
  "smmlar r5, r5, r10, r3\n"        \
  "smmlar r6, r6, r11, r3\n"        \
  "smmlar r8, r8, r12, r3\n"        \
  "ssat r4, #8, r4\n"               \
  "ssat r5, #8, r5\n"               \
  "ssat r6, #8, r6\n"               \
  "ssat r8, #8, r8\n"               \
  "add r0, r0, #4\n"                \
  "strb r5, [lr, #1]\n"             \
  "strb r6, [lr, #2]\n"             \
  "strb r8, [lr, #3]\n"             \
  "strb r4, [lr], #4\n"             \
  "cmp lr, r2\n"                    \
  "str lr, [sp, #16]\n"             \
  "bne.w 1b\n"                      \
  "add r3, sp, #64\n"               \
  "ldr r9, [sp, #48]\n"             \
  "cmp r2, r3\n"                    \
  "beq 6f\n"                        \
  "cmp r9, #0\n"                    \
  "beq 7f\n"                        \
  "sub r0, r0, #4\n"                \
  "add r0, r0, r9\n"                \
  "sub r10, r3, #4\n"               \
  "str lr, [sp, #64]\n"             \
  "str r10, [sp, #16]\n"            \
  "str r3, [sp, #68]\n"             \
  "b.w 1b\n"                        \
  "6:\n"                            \
  "ldr lr, [sp, #64]\n"             \
  "cmp r9, #2\n"                    \
  "add lr, lr, r9\n"                \
  "strb r8, [lr, #-1]\n"            \
  "it hs\n"                         \
  "strbhs r6, [lr, #-2]\n"          \
  "it hi\n"                         \
  "strbhi r5, [lr, #-3]\n"          \
  "str lr, [sp, #16]\n"             \
  "7:\n"                            \
  "ldr r0, [sp, #8]\n"              \
  "ldr r1, [sp, #12]\n"             \
  "ldr r2, [sp, #20]\n"             \
  "ldr r3, [sp, #32]\n"             \
  "ldr r9, [sp, #24]\n"             \
  "add r2, r2, lr\n"                \
  "add r0, r0, r9\n"                \
  "str r2, [sp, #68]\n"             \
  "subs r3, r3, #1\n"               \
  "str r0, [sp, #8]\n"              \
  "str r3, [sp, #32]\n"             \
  "bne.w 1b\n"                      \
  "ldr r7, [sp, #56]\n"             \
  "add sp, sp, #72\n"
#endif

namespace tinytc {

/// A tap of a border pixel: offsets in elements of its input, from the image on, and of its weights.
struct QDepthwiseTap {
  std::int32_t x;
  std::int32_t w;
};

#if defined(TINYTC_DSP)
/// Arguments of the assembly, which knows their offsets. Distances in elements.
struct QPixelsArguments {
  const void* list;  ///< offsets of inputs; of border pixels QDepthwiseTap, weights from a block's stream on
  int end;           ///< bytes of the list
  const std::int8_t* x;  ///< what offsets count from
  const std::uint32_t* w;
  std::int8_t* y;
  int whole;                       ///< channels in whole blocks, at least four
  int apart;                       ///< from what a pixel reads to what the next one does
  int channels;                    ///< from a pixel's output to the next one's
  int pixels;                      ///< at least 1
  int zero_point;                  ///< of the output
  int skip;                        ///< of border pixels: bytes of a block's stream before the multipliers
  std::uint32_t minus_input_zero;  ///< twice, as lanes; of border pixels
  int rest;                        ///< channels behind the whole blocks
  int start;                       ///< q_inner_start or q_border_start
};

/// Where the taps of a block start in the code: bytes from the place for an even number of pairs. single,
/// pair, compare: bytes of the code's parts.
TINYTC_INLINE constexpr int q_pixels_start(int taps, int single, int pair, int compare) {
  const bool odd_pairs = taps / 2 % 2 != 0;
  if (taps == 0) return 2 * pair + compare + 4;
  if (taps == 1) return -3 * single - 8;
  if (taps % 2 != 0) return odd_pairs ? -2 * single - 4 : -single;
  return odd_pairs ? pair : 0;
}
TINYTC_INLINE constexpr int q_inner_start(int taps) { return q_pixels_start(taps, 44, 88, 2); }
TINYTC_INLINE constexpr int q_border_start(int taps) { return q_pixels_start(taps, 48, 96, 4); }

/// Pixels all of whose taps lie inside the image, clamped to int8. w: at the first block's biases.
TINYTC_NOINLINE inline void q_depthwise_inner_pixels(const QPixelsArguments& arguments) {
  register const QPixelsArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_PIXELS_ENTER
               "mov r7, r2\n"
               "1:\n"
               "ldr r2, [sp]\n"
               "ldr r4, [r1], #4\n"
               "ldr r5, [r1], #4\n"
               "ldr r6, [r1], #4\n"
               "ldr r8, [r1], #4\n" TINYTC_Q_TAPS(TINYTC_Q_INNER_SINGLE, TINYTC_Q_INNER_PAIR, "cmp r2, r7\n")
                   TINYTC_Q_PIXELS_LEAVE("20")
               : "+r"(at)
               :
               : TINYTC_Q_CLOBBERS);
}

/// Pixels near the border, clamped to int8. w: at the first block's stream.
TINYTC_NOINLINE inline void q_depthwise_border_pixels(const QPixelsArguments& arguments) {
  register const QPixelsArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_PIXELS_ENTER
      "mov r7, r12\n"
      "1:\n"
      "ldr r2, [sp]\n"
      "ldr r4, [r1]\n"
      "ldr r5, [r1, #4]\n"
      "ldr r6, [r1, #8]\n"
      "ldr r8, [r1, #12]\n"
      TINYTC_Q_TAPS(TINYTC_Q_BORDER_SINGLE, TINYTC_Q_BORDER_PAIR, "ldr r3, [sp, #4]\ncmp r2, r3\n")
      "ldr r3, [sp, #40]\n"
      "add r1, r1, r3\n"
      TINYTC_Q_PIXELS_LEAVE("4")
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}
#endif

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_PIXELS_H
