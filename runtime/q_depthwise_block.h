// The inner block of int8 depthwise 3x3 convolutions: all channels of two output rows with stride 1, or of
// one with stride 2, from two word rows (see q_depthwise_ring.h). Assembly for Armv7E-M and Armv8-M's DSP
// extension; the portable twin is q_depthwise_channel.
//
// Six registers hold a channel's weights, so the rest comes from the stack each time, in as few groups of
// loads as the free registers allow. Two columns are taken at a time, and, but in small code, two such pairs
// a turn.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_BLOCK_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_BLOCK_H

#include "runtime/q_base.h"
#include "runtime/q_depthwise_shape.h"

#if defined(TINYTC_DSP)
// One kernel column of two output rows: WORD_A, WORD_B: words of A and B.
#define TINYTC_Q_TAP(WORD_A, WORD_B, UPPER, LOWER, ROW0, ROW1) \
  "smlad " ROW0 ", " WORD_A ", " UPPER ", " ROW0               \
  "\n"                                                         \
  "smlatb " ROW1 ", " WORD_A ", " UPPER ", " ROW1              \
  "\n"                                                         \
  "smlabt " ROW0 ", " WORD_B ", " LOWER ", " ROW0              \
  "\n"                                                         \
  "smlad " ROW1 ", " WORD_B ", " LOWER ", " ROW1 "\n"
// The first kernel column: sums start from r8, the bias; row 1's takes the place of WORD_A.
#define TINYTC_Q_FIRST_TAP(WORD_A, WORD_B, ROW0) \
  "smlad " ROW0 ", " WORD_A                      \
  ", r7, r8\n"                                   \
  "smlatb " WORD_A ", " WORD_A                   \
  ", r7, r8\n"                                   \
  "smlabt " ROW0 ", " WORD_B ", r9, " ROW0       \
  "\n"                                           \
  "smlad " WORD_A ", " WORD_B ", r9, " WORD_A "\n"

// The stack: 0 end of the pairs of columns, 4 y, 8 row, 12 pixel, 16 multiplier, 20 zero point, 24 bias, 28
// w, 32 biases, 36 multipliers, 40 y of the channel, 44 columns, 48 end of A, 52 r7.
#define TINYTC_Q_DEPTHWISE_ENTER        \
  "sub sp, sp, #56\n"                   \
  "str r7, [sp, #52]\n"                 \
  "ldm r0!, {r1, r2, r3, r4, r5, r6}\n" \
  "str r5, [sp, #8]\n"                  \
  "str r4, [sp, #12]\n"                 \
  "str r6, [sp, #20]\n"                 \
  "str r3, [sp, #44]\n"                 \
  "ldm r0, {r3, r4, r5, r6, r8}\n"      \
  "add r0, sp, #28\n"                   \
  "stm r0, {r3, r4, r5, r6}\n"          \
  "str r8, [sp, #48]\n"                 \
  "mov r0, r1\n"                        \
  "mov r1, r2\n"
// Sets up a channel. r7, r9 - lr: upper and lower pairs of the kernel columns.
#define TINYTC_Q_DEPTHWISE_CHANNEL     \
  "1:\n"                               \
  "ldr r3, [sp, #28]\n"                \
  "ldr r4, [sp, #32]\n"                \
  "ldr r5, [sp, #36]\n"                \
  "ldr r6, [sp, #40]\n"                \
  "ldr r11, [sp, #44]\n"               \
  "ldr r8, [r4], #4\n"                 \
  "ldr r9, [r5], #4\n"                 \
  "ldr r10, [r3], #4\n"                \
  "ldr r12, [r3], #4\n"                \
  "ldr lr, [r3], #4\n"                 \
  "str r4, [sp, #32]\n"                \
  "str r3, [sp, #28]\n"                \
  "str r5, [sp, #36]\n"                \
  "str r6, [sp, #4]\n"                 \
  "add r6, r6, #1\n"                   \
  "add r3, r11, r0\n"                  \
  "str r8, [sp, #24]\n"                \
  "str r6, [sp, #40]\n"                \
  "str r9, [sp, #16]\n"                \
  "str r3, [sp]\n" TINYTC_Q_TEST_PAIRS \
  "sxtb16 r7, r10\n"                   \
  "sxtb16 r9, r10, ror #8\n"           \
  "sxtb16 r10, r12\n"                  \
  "sxtb16 r11, r12, ror #8\n"          \
  "sxtb16 r12, lr\n"                   \
  "sxtb16 lr, lr, ror #8\n" TINYTC_Q_ENTER_PAIRS
// One pair of columns with stride 1. r2: pixel, r5: y behind it.
#define TINYTC_Q_DEPTHWISE_ROWS(LOAD_END)            \
  "ldr r8, [sp, #24]\n"                              \
  "ldr r2, [r0], #8\n"                               \
  "ldr r3, [r1], #8\n"                               \
  "ldr r4, [r0, #-4]\n"                              \
  "ldr r5, [r1, #-4]\n"                              \
  TINYTC_Q_FIRST_TAP("r2", "r3", "r6")               \
  TINYTC_Q_TAP("r4", "r5", "r10", "r11", "r6", "r2") \
  TINYTC_Q_FIRST_TAP("r4", "r5", "r3")               \
  "ldr r5, [r0]\n"                                   \
  "ldr r8, [r1]\n"                                   \
  TINYTC_Q_TAP("r5", "r8", "r12", "lr", "r6", "r2")  \
  TINYTC_Q_TAP("r5", "r8", "r10", "r11", "r3", "r4") \
  "ldr r5, [r0, #4]\n"                               \
  "ldr r8, [r1, #4]\n"                               \
  TINYTC_Q_TAP("r5", "r8", "r12", "lr", "r3", "r4")  \
  "ldrd r5, r8, [sp, #16]\n"                         \
  "smmlar r6, r6, r5, r8\n"                          \
  "smmlar r2, r2, r5, r8\n"                          \
  "smmlar r3, r3, r5, r8\n"                          \
  "smmlar r4, r4, r5, r8\n"                          \
  "ldrd r5, r8, [sp, #4]\n"                          \
  "ssat r6, #8, r6\n"                                \
  "ssat r2, #8, r2\n"                                \
  "ssat r3, #8, r3\n"                                \
  "ssat r4, #8, r4\n"                                \
  "strb r2, [r5, r8]\n"                              \
  "strb r6, [r5]\n"                                  \
  "ldr r2, [sp, #12]\n" LOAD_END                     \
  "add r5, r5, r2\n"                                 \
  "strb r4, [r5, r8]\n"                              \
  "strb r3, [r5]\n"                                  \
  "add r5, r5, r2\n"                                 \
  "str r5, [sp, #4]\n"
// One pair of columns with stride 2.
#define TINYTC_Q_DEPTHWISE_ROW(LOAD_END) \
  "ldr r5, [sp, #24]\n"                  \
  "ldr r2, [r0], #16\n"                  \
  "ldr r3, [r1], #16\n"                  \
  "ldr r4, [r0, #-12]\n"                 \
  "ldr r6, [r1, #-12]\n"                 \
  "ldr r8, [r0, #-8]\n"                  \
  "smlad r2, r2, r7, r5\n"               \
  "smlabt r2, r3, r9, r2\n"              \
  "smlad r2, r4, r10, r2\n"              \
  "smlabt r2, r6, r11, r2\n"             \
  "smlad r2, r8, r12, r2\n"              \
  "smlad r8, r8, r7, r5\n"               \
  "ldr r3, [r1, #-8]\n"                  \
  "ldr r4, [r0, #-4]\n"                  \
  "ldr r5, [r1, #-4]\n"                  \
  "ldr r6, [r0]\n"                       \
  "smlabt r2, r3, lr, r2\n"              \
  "smlabt r8, r3, r9, r8\n"              \
  "smlad r8, r4, r10, r8\n"              \
  "smlabt r8, r5, r11, r8\n"             \
  "smlad r8, r6, r12, r8\n"              \
  "ldr r3, [r1]\n"                       \
  "ldr r4, [sp, #16]\n"                  \
  "ldr r5, [sp, #20]\n"                  \
  "ldr r6, [sp, #4]\n"                   \
  "smlabt r8, r3, lr, r8\n"              \
  "smmlar r2, r2, r4, r5\n"              \
  "smmlar r8, r8, r4, r5\n"              \
  "ldr r3, [sp, #12]\n" LOAD_END         \
  "ssat r2, #8, r2\n"                    \
  "ssat r8, #8, r8\n"                    \
  "strb r2, [r6]\n"                      \
  "strb r8, [r6, r3]\n"                  \
  "add r6, r6, r3, lsl #1\n"             \
  "str r6, [sp, #4]\n"
// A turn is two pairs of columns; an odd number of them starts with the second.
#if defined(TINYTC_SMALL)
#define TINYTC_Q_TEST_PAIRS
#define TINYTC_Q_ENTER_PAIRS
#define TINYTC_Q_TURN(PAIR, END)                    \
  "2:\n" PAIR("ldr " END ", [sp]\n") "cmp r0, " END \
                                     "\n"           \
                                     "blo 2b\n"
#else
#define TINYTC_Q_TEST_PAIRS "tst r11, #2\n"
#define TINYTC_Q_ENTER_PAIRS "bne.w 3f\n"
#define TINYTC_Q_TURN(PAIR, END)                                    \
  "2:\n" PAIR("") "3:\n" PAIR("ldr " END ", [sp]\n") "cmp r0, " END \
                                                     "\n"           \
                                                     "blo.w 2b\n"
#endif
// The next channel, REST bytes behind the last column, or the end; what follows is a single column.
#define TINYTC_Q_DEPTHWISE_LEAVE(END, REST) \
  "tst " END                                \
  ", #1\n"                                  \
  "bne 5f\n"                                \
  "4:\n"                                    \
  "ldr r2, [sp, #48]\n"                     \
  "add r0, r0, #" REST                      \
  "\n"                                      \
  "add r1, r1, #" REST                      \
  "\n"                                      \
  "cmp r0, r2\n"                            \
  "bne.w 1b\n"                              \
  "b 6f\n"                                  \
  "5:\n"
#define TINYTC_Q_DEPTHWISE_EXIT \
  "b 4b\n"                      \
  "6:\n"                        \
  "ldr r7, [sp, #52]\n"         \
  "add sp, sp, #56\n"

#endif

namespace tinytc {

/// The kernel columns of a channel, twice: (k0, k1) and (k1, k2). In packed weights a column is the bytes k0,
/// k1, k1, k2.
struct QDepthwiseTaps {
  std::uint32_t upper[3];
  std::uint32_t lower[3];
};
TINYTC_INLINE QDepthwiseTaps q_depthwise_taps(const std::int8_t* w) {
  QDepthwiseTaps taps;
  for (int kx = 0; kx < 3; ++kx) {
    const std::uint32_t column = q_load(w + 4 * kx);
    taps.upper[kx] = q_even_bytes(column);
    taps.lower[kx] = q_odd_bytes(column);
  }
  return taps;
}

/// Adds a kernel column to output row 0.
TINYTC_INLINE std::int32_t q_depthwise_row0(std::int32_t sum, std::uint32_t a, std::uint32_t b,
                                            std::uint32_t upper, std::uint32_t lower) {
  return q_low_high(q_dual(sum, a, upper), b, lower);
}
/// Adds a kernel column to output row 1.
TINYTC_INLINE std::int32_t q_depthwise_row1(std::int32_t sum, std::uint32_t a, std::uint32_t b,
                                            std::uint32_t upper, std::uint32_t lower) {
  return q_dual(q_high_low(sum, a, upper), b, lower);
}

/// One channel of one or two output rows. a, b: the channel's word rows; y: the channel in the first output
/// row's first pixel.
TINYTC_INLINE void q_depthwise_channel(const QDepthwiseConv2dShape& s, const std::uint32_t* a,
                                       const std::uint32_t* b, const QDepthwiseTaps& taps, std::int32_t bias,
                                       const QScale& scale, int c, const QOutput& out, bool two,
                                       std::int8_t* y) {
  std::int8_t* y1 = y + s.out_w * s.channels;
  for (int ox = 0; ox < s.out_w; ++ox) {
    std::int32_t row0 = bias;
    std::int32_t row1 = bias;
    for (int kx = 0; kx < 3; ++kx) {
      row0 = q_depthwise_row0(row0, a[kx], b[kx], taps.upper[kx], taps.lower[kx]);
      if (two) row1 = q_depthwise_row1(row1, a[kx], b[kx], taps.upper[kx], taps.lower[kx]);
    }
    y[ox * s.channels] = q_requantized(row0, scale, c, out);
    if (two) y1[ox * s.channels] = q_requantized(row1, scale, c, out);
    a += s.stride_w;
    b += s.stride_w;
  }
}

#if defined(TINYTC_DSP)
/// Arguments of the assembly, which knows their offsets. Advances in bytes.
struct QDepthwiseArguments {
  const std::uint32_t* a;
  const std::uint32_t* b;
  int columns;  ///< q_depthwise_columns
  int pixel;    ///< from an output pixel to the next
  int row;      ///< from output row 0 to row 1, or 0: there is no row 1
  int zero_point;
  const std::int8_t* w;
  const std::int32_t* bias;
  const std::int32_t* multiplier;
  std::int8_t* y;
  const std::uint32_t* a_end;  ///< behind the last channel's
};

/// What a word address is compared with to see whether a pair of columns is left: a little less than the
/// bytes of all pairs. Bit 0: a single column follows, bit 1: the number of pairs is odd. width: at least 2.
TINYTC_INLINE constexpr int q_depthwise_columns(int width, int stride) {
  return width / 2 * 8 * stride - 4 + width % 2 + width / 2 % 2 * 2;
}

/// All channels of two output rows with stride 1, clamped to int8.
TINYTC_NOINLINE inline void q_depthwise_rows(const QDepthwiseArguments& arguments) {
  register const QDepthwiseArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_DEPTHWISE_ENTER TINYTC_Q_DEPTHWISE_CHANNEL
      TINYTC_Q_TURN(TINYTC_Q_DEPTHWISE_ROWS, "r6") TINYTC_Q_DEPTHWISE_LEAVE("r6", "8")
      "ldr r8, [sp, #24]\n"
      "ldr r2, [r0], #4\n"
      "ldr r3, [r1], #4\n"
      TINYTC_Q_FIRST_TAP("r2", "r3", "r6")
      "ldr r4, [r0]\n"
      "ldr r5, [r1]\n"
      "ldr r3, [r0, #4]\n"
      "ldr r8, [r1, #4]\n"
      TINYTC_Q_TAP("r4", "r5", "r10", "r11", "r6", "r2")
      TINYTC_Q_TAP("r3", "r8", "r12", "lr", "r6", "r2")
      "ldr r3, [sp, #16]\n"
      "ldr r4, [sp, #20]\n"
      "ldr r5, [sp, #4]\n"
      "ldr r8, [sp, #8]\n"
      "smmlar r6, r6, r3, r4\n"
      "smmlar r2, r2, r3, r4\n"
      "ssat r6, #8, r6\n"
      "ssat r2, #8, r2\n"
      "strb r2, [r5, r8]\n"
      "strb r6, [r5]\n" TINYTC_Q_DEPTHWISE_EXIT
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}

/// All channels of one output row with stride 2, clamped to int8.
TINYTC_NOINLINE inline void q_depthwise_row(const QDepthwiseArguments& arguments) {
  register const QDepthwiseArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_DEPTHWISE_ENTER TINYTC_Q_DEPTHWISE_CHANNEL
      TINYTC_Q_TURN(TINYTC_Q_DEPTHWISE_ROW, "r4") TINYTC_Q_DEPTHWISE_LEAVE("r4", "4")
      "ldr r5, [sp, #24]\n"
      "ldr r2, [r0], #8\n"
      "ldr r3, [r1], #8\n"
      "ldr r4, [r0, #-4]\n"
      "ldr r6, [r1, #-4]\n"
      "ldr r8, [r0]\n"
      "smlad r2, r2, r7, r5\n"
      "smlabt r2, r3, r9, r2\n"
      "smlad r2, r4, r10, r2\n"
      "smlabt r2, r6, r11, r2\n"
      "smlad r2, r8, r12, r2\n"
      "ldr r3, [r1]\n"
      "ldr r4, [sp, #16]\n"
      "ldr r5, [sp, #20]\n"
      "ldr r6, [sp, #4]\n"
      "smlabt r2, r3, lr, r2\n"
      "smmlar r2, r2, r4, r5\n"
      "ssat r2, #8, r2\n"
      "strb r2, [r6]\n" TINYTC_Q_DEPTHWISE_EXIT
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}

#endif

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_BLOCK_H
