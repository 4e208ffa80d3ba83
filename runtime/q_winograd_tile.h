// The parts of an exact integer Winograd convolution that all layers share: transforming a tile, the products
// of two tiles, and transforming and finishing results. See q_winograd.h.
#ifndef TINYTC_RUNTIME_Q_WINOGRAD_TILE_H
#define TINYTC_RUNTIME_Q_WINOGRAD_TILE_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_dot.h"

namespace tinytc {

/// Where a tile's inputs are and go.
struct QWinogradTile {
  const std::int8_t* top;   ///< row 0 at column 0, which may lie outside the image
  const std::int8_t* body;  ///< the same place in the image; rows 1 .. 5 count from it
  int row_step;             ///< in elements
  int channels;
  Range rows;             ///< of 0 .. 5: those inside the image
  Range columns;          ///< the same
  std::uint32_t padding;  ///< four channels of padding, + 128
  std::uint32_t* room;    ///< 72 words
  std::uint32_t* u;       ///< [36][channels / 2], every second word
};

/// B^T d: six words of two channels, each every `step` words.
TINYTC_INLINE void q_winograd_six(std::uint32_t d0, std::uint32_t d1, std::uint32_t d2, std::uint32_t d3,
                                  std::uint32_t d4, std::uint32_t d5, int step, std::uint32_t* t) {
  const std::uint32_t a = d4 - (d2 << 2);
  const std::uint32_t b = d3 - (d1 << 2);
  t[step] = a + b;
  t[2 * step] = a - b;
  const std::uint32_t c = d4 - d2;
  const std::uint32_t e = d3 - d1;
  t[3 * step] = c + (e << 1);
  t[4 * step] = c - (e << 1);
  t[0] = c + ((d0 - d2) << 2);
  t[5 * step] = (d5 - d3) - (e << 2);
}

/// Bytes 0 and 2, and 1 and 3, as lanes of values from 0 to 255.
TINYTC_INLINE std::uint32_t q_even_unsigned(std::uint32_t word) { return word & 0x00FF00FFU; }
TINYTC_INLINE std::uint32_t q_odd_unsigned(std::uint32_t word) { return (word >> 8) & 0x00FF00FFU; }

/// One column of a tile, four channels. word: its six rows; corner: what is added in rows 4 and 5.
TINYTC_INLINE void q_winograd_column(const std::uint32_t (&word)[6], std::uint32_t corner,
                                     std::uint32_t* room) {
  q_winograd_six(q_even_unsigned(word[0]), q_even_unsigned(word[1]), q_even_unsigned(word[2]),
                 q_even_unsigned(word[3]), q_even_unsigned(word[4]) + corner,
                 q_even_unsigned(word[5]) + corner, 6, room);
  q_winograd_six(q_odd_unsigned(word[0]), q_odd_unsigned(word[1]), q_odd_unsigned(word[2]),
                 q_odd_unsigned(word[3]), q_odd_unsigned(word[4]) + corner, q_odd_unsigned(word[5]) + corner,
                 6, room + 36);
}

/// B^T d B of all channels of a tile.
TINYTC_NOINLINE inline void q_winograd_tile(const QWinogradTile& t) {
  const std::uint32_t flip = 0x80808080U;
  for (int c = 0; c < t.channels; c += 4) {
    const std::int8_t* top = t.top + c;
    const std::int8_t* body = t.body + c;
    for (int x = 0; x < 6; ++x) {
      std::uint32_t word[6] = {t.padding, t.padding, t.padding, t.padding, t.padding, t.padding};
      if (x >= t.columns.first && x < t.columns.last) {
        if (t.rows.first == 0 && t.rows.last > 0) word[0] = q_load(top) ^ flip;
        for (int y = 1; y < 6; ++y) {
          if (y >= t.rows.first && y < t.rows.last) word[y] = q_load(body + y * t.row_step) ^ flip;
        }
      }
      q_winograd_column(word, x < 4 ? 0 : 0x3200U, t.room + x);
      top += t.channels;
      body += t.channels;
    }
    const int step = t.channels;
    for (int k = 0; k < 12; ++k) {
      const std::uint32_t* from = t.room + 6 * k;
      q_winograd_six(from[0], from[1], from[2], from[3], from[4], from[5], step,
                     t.u + k % 6 * 6 * step + c + k / 6 * 2);
    }
  }
}

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

/// 2^shift times a sum becomes int8.
TINYTC_INLINE std::int8_t q_winograd_finish(std::uint32_t value, int shift, const QScale& scale, int c,
                                            const QOutput& out) {
  const std::int32_t exact = static_cast<std::int32_t>(value * 0x38E38E39U);
#if defined(TINYTC_DSP)
  if (scale.shift == nullptr && out.lo == -128 && out.hi == 127) {
    // The floor of a floor: see TINYTC_Q_FINISH_PAIR.
    int result;
    asm("smmla %0, %1, %2, %3"
        : "=r"(result)
        : "r"(exact), "r"(scale.multiplier[c]), "r"((2 * out.zero_point + 1) * (1 << shift) / 2));
    return q_clamp(result >> shift, out);
  }
#endif
  return q_requantized(exact >> shift, scale, c, out);
}

/// Results of two tiles from their products, which it overwrites.
TINYTC_NOINLINE inline void q_winograd_result(const QWinogradResult& at, const QScale& scale,
                                              const QOutput& out, std::uint32_t* products) {
  constexpr int bits[4] = {0, 1, 2, 2};
  for (int k = 0; k < 8; ++k) {
    const int column = k / 4 * 4;
    const int columns = min_of(4, at.columns - column);
    if (k % 4 >= at.width || columns <= 0) continue;
    std::uint32_t* m = products + k;
    for (int j = 0; j < 6; ++j) {
      const QWinogradFour four = q_winograd_four(m + 8 * j, 48);
      for (int i = 0; i < 4; ++i) m[48 * i + 8 * j] = four.v[i];
    }
    std::int8_t* to = at.y + column * at.channels + at.first + k % 4;
    for (int i = 0; i < at.rows; ++i) {
      const QWinogradFour four = q_winograd_four(m + 48 * i, 8);
      for (int j = 0; j < 4; ++j) {
        if (j < columns)
          to[j * at.channels] =
              q_winograd_finish(four.v[j], 6 - bits[i] - bits[j], scale, at.first + k % 4, out);
      }
      to += at.row_step;
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_WINOGRAD_TILE_H
