// Products of two tiles of an exact integer Winograd convolution, and what becomes of them; one function for
// all layers. See q_winograd.h.
#ifndef TINYTC_RUNTIME_Q_WINOGRAD_RESULT_H
#define TINYTC_RUNTIME_Q_WINOGRAD_RESULT_H

#include "runtime/q_base.h"
#include "runtime/q_dot.h"

namespace tinytc {

#if defined(TINYTC_DSP)
/// Arguments of the assembly, which knows their offsets.
struct QWinogradArguments {
  std::uint32_t* products;
  const std::uint32_t* u_end;
  int skip;
  int position;  ///< bytes of u of a position
  const std::uint32_t* u;
  const std::uint32_t* w;
};

// r0: u, r1: weights, r2 - r5: operands, r6 - r9: sums of the first tile, r10 - lr: of the second. 56 bytes.
#define TINYTC_Q_WINOGRAD_STEP \
  "ldr r2, [r0], #4\n"         \
  "ldr r3, [r0], #4\n"         \
  "ldr r4, [r1], #4\n"         \
  "ldr r5, [r1], #4\n"         \
  "smlad r6, r2, r4, r6\n"     \
  "smlad r10, r3, r4, r10\n"   \
  "smlad r7, r2, r5, r7\n"     \
  "smlad r11, r3, r5, r11\n"   \
  "ldr r4, [r1], #4\n"         \
  "ldr r5, [r1], #4\n"         \
  "smlad r8, r2, r4, r8\n"     \
  "smlad r12, r3, r4, r12\n"   \
  "smlad r9, r2, r5, r9\n"     \
  "smlad lr, r3, r5, lr\n"

/// q_winograd_products in assembly. On the stack: 0 products, 4 end of u, 8 bytes of code to leave out at
/// first, 12 bytes of a position, 16 end of a position, 20 r7, 24 arguments.
TINYTC_NOINLINE inline void q_winograd_dot(const QWinogradArguments& arguments) {
  register const QWinogradArguments* at asm("r0") = &arguments;
  asm volatile(
      "sub sp, sp, #32\n"
      "str r0, [sp, #24]\n"
      "str r7, [sp, #20]\n"
      "ldm r0, {r2, r3, r4, r5, r6, r8}\n"
      "stm sp, {r2, r3, r4, r5}\n"
      "mov r0, r6\n"
      "mov r1, r8\n"
      "1:\n"
      "ldr r2, [sp, #12]\n"
      "ldr r6, [r1], #4\n"
      "ldr r7, [r1], #4\n"
      "ldr r8, [r1], #4\n"
      "ldr r9, [r1], #4\n"
      "add r2, r2, r0\n"
      "str r2, [sp, #16]\n"
      "ldr r2, [r0], #4\n"
      "ldr r3, [r0], #4\n"
      "ldr r4, [r1], #4\n"
      "ldr r5, [r1], #4\n"
      "smlad r10, r3, r4, r6\n"
      "smlad r6, r2, r4, r6\n"
      "smlad r11, r3, r5, r7\n"
      "smlad r7, r2, r5, r7\n"
      "ldr r4, [r1], #4\n"
      "ldr r5, [r1], #4\n"
      "smlad r12, r3, r4, r8\n"
      "smlad r8, r2, r4, r8\n"
      "smlad lr, r3, r5, r9\n"
      "smlad r9, r2, r5, r9\n"
      "ldr r2, [sp, #8]\n"
      "add pc, r2\n"
      "nop\n"
      "2:\n" TINYTC_Q_EIGHT(TINYTC_Q_WINOGRAD_STEP) TINYTC_Q_EIGHT(TINYTC_Q_WINOGRAD_STEP)
      "ldr r2, [sp, #16]\n"
      "cmp r0, r2\n"
      "bne 2b\n"
      "ldr r2, [sp]\n"
      "ldr r3, [sp, #4]\n"
      "stm r2!, {r6, r7, r8, r9, r10, r11, r12, lr}\n"
      "str r2, [sp]\n"
      "cmp r0, r3\n"
      "bne 1b\n"
      "ldr r0, [sp, #24]\n"
      "ldr r7, [sp, #20]\n"
      "add sp, sp, #32\n"
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}
#endif

/// Products of two tiles with four output channels at all 36 positions. words: of a position's channels, at
/// least 2; u: [36][words][2]; w: [36](4 start values, [words][4]); products: [36][2 tiles][4 channels],
/// modulo 2^32.
TINYTC_INLINE void q_winograd_products(int words, const std::uint32_t* u, const std::uint32_t* w,
                                       std::uint32_t* products) {
#if defined(TINYTC_DSP)
  q_winograd_dot(QWinogradArguments{products, u + 72 * words, q_skip(words - 1, 16, 56), 8 * words, u, w});
#else
  for (int p = 0; p < 36; ++p) {
    for (int k = 0; k < 8; ++k) {
      std::int32_t sum = static_cast<std::int32_t>(w[k % 4]);
      for (int i = 0; i < words; ++i) sum = q_dual(sum, u[2 * i + k / 4], w[4 + 4 * i + k % 4]);
      products[k] = static_cast<std::uint32_t>(sum);
    }
    u += 2 * words;
    w += 4 + 4 * words;
    products += 8;
  }
#endif
}

/// Four combinations of six products, `step` words apart: 24, 12, 6 and 6 times a row of A.
struct QWinogradFour {
  std::uint32_t v[4];
};
TINYTC_INLINE QWinogradFour q_winograd_four(const std::uint32_t* m, int step) {
  const std::uint32_t sum12 = m[step] + m[2 * step];
  const std::uint32_t difference12 = m[step] - m[2 * step];
  const std::uint32_t sum34 = m[3 * step] + m[4 * step];
  const std::uint32_t difference34 = m[3 * step] - m[4 * step];
  const std::uint32_t first = m[0] * 3U;
  const std::uint32_t last = m[5 * step] * 3U;
  return QWinogradFour{{sum34 + ((first - (sum12 << 1)) << 1), difference34 - (difference12 << 1),
                        sum34 - sum12, ((difference34 + last) << 1) - difference12}};
}

/// Where results go.
struct QWinogradResult {
  std::int8_t* y;  ///< the first tile's first pixel
  int row_step;    ///< elements between rows
  int channels;    ///< elements between pixels
  int rows;        ///< output rows that exist, up to 4
  int columns;     ///< output columns that exist, from the first tile's first on
  int first;       ///< output channel
  int width;       ///< output channels, up to 4
};

#if defined(TINYTC_DSP)
/// Arguments of the assembly, which knows their offsets.
struct QWinogradFinishArguments {
  std::uint32_t* products;
  std::int8_t* y;
  int row_step;
  int channels;
  int multiplier;
  int rounding;  ///< 64 zero_point + 32
};

// q_winograd_four of r7 - r12; results in r7, r11, lr, r8.
#define TINYTC_Q_WINOGRAD_FOUR  \
  "add lr, r8, r9\n"            \
  "sub r8, r8, r9\n"            \
  "add r9, r10, r11\n"          \
  "sub r10, r10, r11\n"         \
  "add r7, r7, r7, lsl #1\n"    \
  "add r12, r12, r12, lsl #1\n" \
  "sub r7, r7, lr, lsl #1\n"    \
  "add r12, r12, r10\n"         \
  "add r7, r9, r7, lsl #1\n"    \
  "sub r11, r10, r8, lsl #1\n"  \
  "sub lr, r9, lr\n"            \
  "rsb r8, r8, r12, lsl #1\n"
// A row of results: 64 times the sum by a multiplication with 2^k / 9 (r1), then one with the scale (r5),
// whose floor and r6 = 64 zero point + 32 are divided by 64 in the saturation: the floor of a floor, as in
// TINYTC_Q_FINISH_PAIR.
#define TINYTC_Q_WINOGRAD_ROW                    \
  "ldr r7, [r0], #192\n"                         \
  "ldr r8, [r0, #-160]\n"                        \
  "ldr r9, [r0, #-128]\n"                        \
  "ldr r10, [r0, #-96]\n"                        \
  "ldr r11, [r0, #-64]\n"                        \
  "ldr r12, [r0, #-32]\n" TINYTC_Q_WINOGRAD_FOUR \
  "mul r7, r7, r1\n"                             \
  "lsl r11, r11, #1\n"                           \
  "lsl lr, lr, #2\n"                             \
  "lsl r8, r8, #2\n"                             \
  "mul r11, r11, r1\n"                           \
  "mul lr, lr, r1\n"                             \
  "mul r8, r8, r1\n"                             \
  "smmla r7, r7, r5, r6\n"                       \
  "smmla r11, r11, r5, r6\n"                     \
  "smmla lr, lr, r5, r6\n"                       \
  "smmla r8, r8, r5, r6\n"                       \
  "ssat r7, #8, r7, asr #6\n"                    \
  "ssat r11, #8, r11, asr #6\n"                  \
  "ssat lr, #8, lr, asr #6\n"                    \
  "ssat r8, #8, r8, asr #6\n"                    \
  "add r9, r2, r4\n"                             \
  "strb r7, [r2]\n"                              \
  "strb r11, [r2, r4]\n"                         \
  "strb lr, [r2, r4, lsl #1]\n"                  \
  "strb r8, [r9, r4, lsl #1]\n"                  \
  "add r2, r2, r3\n"

/// One channel of a whole tile.
TINYTC_NOINLINE inline void q_winograd_bytes(const QWinogradFinishArguments& arguments) {
  register const QWinogradFinishArguments* at asm("r0") = &arguments;
  asm volatile(
      "sub sp, sp, #8\n"
      "str r0, [sp]\n"
      "str r7, [sp, #4]\n"
      "ldm r0, {r1, r2, r3, r4, r5, r6}\n"
      "mov r0, r1\n"
      "mov r1, #6\n"
      "1:\n"
      "ldr r7, [r0], #32\n"
      "ldr r8, [r0, #160]\n"
      "ldr r9, [r0, #352]\n"
      "ldr r10, [r0, #544]\n"
      "ldr r11, [r0, #736]\n"
      "ldr r12, [r0, #928]\n" TINYTC_Q_WINOGRAD_FOUR
      "str r7, [r0, #-32]\n"
      "str r11, [r0, #160]\n"
      "str lr, [r0, #352]\n"
      "str r8, [r0, #544]\n"
      "subs r1, r1, #1\n"
      "bne 1b\n"
      "sub r0, r0, #192\n"
      "movw r1, #0x8E39\n"
      "movt r1, #0x38E3\n" TINYTC_Q_WINOGRAD_ROW "lsl r1, r1, #1\n" TINYTC_Q_WINOGRAD_ROW
      "lsl r1, r1, #1\n" TINYTC_Q_WINOGRAD_ROW TINYTC_Q_WINOGRAD_ROW
      "ldr r0, [sp]\n"
      "ldr r7, [sp, #4]\n"
      "add sp, sp, #8\n"
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}
#endif

/// One channel of a tile of which `columns` columns exist. m: its products, overwritten; y: its first pixel.
TINYTC_INLINE void q_winograd_channel(const QWinogradResult& at, int columns, int c, const QScale& scale,
                                      const QOutput& out, std::uint32_t* m, std::int8_t* y) {
  constexpr int bits[4] = {0, 1, 2, 2};
  for (int j = 0; j < 6; ++j) {
    const QWinogradFour four = q_winograd_four(m + 8 * j, 48);
    for (int i = 0; i < 4; ++i) m[48 * i + 8 * j] = four.v[i];
  }
  for (int i = 0; i < at.rows; ++i) {
    const QWinogradFour four = q_winograd_four(m + 48 * i, 8);
    for (int j = 0; j < columns; ++j) {
      const std::int32_t exact =
          static_cast<std::int32_t>(four.v[j] * 0x38E38E39U) >> (6 - bits[i] - bits[j]);
      y[i * at.row_step + j * at.channels] = q_requantized(exact, scale, c, out);
    }
  }
}

/// Results of two tiles from their products, which it overwrites.
TINYTC_NOINLINE inline void q_winograd_result(const QWinogradResult& at, const QScale& scale,
                                              const QOutput& out, std::uint32_t* products) {
  for (int column = 0; column < min_of(8, at.columns); column += 4) {
    const int columns = min_of(4, at.columns - column);
    for (int k = 0; k < at.width; ++k) {
      const int c = at.first + k;
      std::uint32_t* m = products + column + k;
      std::int8_t* y = at.y + column * at.channels + c;
#if defined(TINYTC_DSP)
      if (columns == 4 && at.rows == 4 && scale.shift == nullptr && out.lo == -128 && out.hi == 127) {
        q_winograd_bytes(QWinogradFinishArguments{
            m, y, at.row_step, at.channels, static_cast<int>(scale.multiplier[c]), 64 * out.zero_point + 32});
        continue;
      }
#endif
      q_winograd_channel(at, columns, c, scale, out, m, y);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_WINOGRAD_RESULT_H
