// Transforming a tile of inputs of an exact integer Winograd convolution; one function for all layers. See
// q_winograd.h.
#ifndef TINYTC_RUNTIME_Q_WINOGRAD_TILE_H
#define TINYTC_RUNTIME_Q_WINOGRAD_TILE_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"

namespace tinytc {

/// Where a tile's inputs are and go.
struct QWinogradTile {
  const std::int8_t* top;   ///< row 0 at column 0, which may lie outside the image
  const std::int8_t* body;  ///< the same place in the image; rows 1 .. 5 count from it
  int row_step;             ///< in elements
  int channels;
  Range rows;             ///< of 0 .. 5: those inside the image
  Range columns;          ///< the same
  std::uint32_t padding;  ///< four channels of padding
  std::uint32_t* room;    ///< 108 words
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

#if defined(TINYTC_DSP)
/// Arguments of the assembly, which knows their offsets. Steps in bytes.
struct QWinogradFourArguments {
  const std::int8_t* top;
  const std::int8_t* body;
  int row_step;
  int pixel_step;
  std::uint32_t* room;
  std::uint32_t* u;
  int u_step;
};

// q_winograd_six of r6 - r11 in place but for the third result, in r12, and the fourth, in r8.
#define TINYTC_Q_WINOGRAD_SIX  \
  "sub r12, r10, r8, lsl #2\n" \
  "sub lr, r9, r7, lsl #2\n"   \
  "sub r10, r10, r8\n"         \
  "sub r11, r11, r9\n"         \
  "sub r9, r9, r7\n"           \
  "sub r6, r6, r8\n"           \
  "add r7, r12, lr\n"          \
  "sub r12, r12, lr\n"         \
  "add r6, r10, r6, lsl #2\n"  \
  "sub r11, r11, r9, lsl #2\n" \
  "add r8, r10, r9, lsl #1\n"  \
  "sub r10, r10, r9, lsl #1\n"
// Six rows of a column, bytes 0 and 2 or (ROTATION) 1 and 3 of each, + 128.
#define TINYTC_Q_WINOGRAD_COLUMN(ROTATION) \
  "ldr r6, [r0]\n"                         \
  "ldr r7, [r1, r3]\n"                     \
  "ldr r8, [r1, r3, lsl #1]\n"             \
  "ldr r9, [r2]\n"                         \
  "ldr r10, [r2, r3]\n"                    \
  "ldr r11, [r2, r3, lsl #1]\n"            \
  "sxtab16 r6, r4, r6" ROTATION            \
  "\n"                                     \
  "sxtab16 r7, r4, r7" ROTATION            \
  "\n"                                     \
  "sxtab16 r8, r4, r8" ROTATION            \
  "\n"                                     \
  "sxtab16 r9, r4, r9" ROTATION            \
  "\n"                                     \
  "sxtab16 r10, r4, r10" ROTATION          \
  "\n"                                     \
  "sxtab16 r11, r4, r11" ROTATION "\n" TINYTC_Q_WINOGRAD_SIX

/// q_winograd_four_channels in assembly. On the stack: 0 bytes of a pixel, 4 room, 8 u, 12 bytes between
/// positions, 16 columns left, 20 r7, 24 arguments.
TINYTC_NOINLINE inline void q_winograd_transform(const QWinogradFourArguments& arguments) {
  register const QWinogradFourArguments* at asm("r0") = &arguments;
  asm volatile(
      "sub sp, sp, #32\n"
      "str r0, [sp, #24]\n"
      "str r7, [sp, #20]\n"
      "ldm r0, {r1, r2, r3, r4, r5, r6, r8}\n"
      "mov r7, #6\n"
      "stm sp, {r4, r5, r6, r8}\n"
      "str r7, [sp, #16]\n"
      "mov r0, r1\n"
      "mov r1, r2\n"
      "add r2, r2, r3\n"
      "add r2, r2, r3, lsl #1\n"
      "mov r4, #0x00800080\n"
      "1:\n" TINYTC_Q_WINOGRAD_COLUMN("")
      "str r6, [r5]\n"
      "str r7, [r5, #24]\n"
      "str r12, [r5, #48]\n"
      "str r8, [r5, #72]\n"
      "str r10, [r5, #96]\n"
      "str r11, [r5, #120]\n" TINYTC_Q_WINOGRAD_COLUMN(", ror #8")
      "str r6, [r5, #144]\n"
      "str r7, [r5, #168]\n"
      "str r12, [r5, #192]\n"
      "str r8, [r5, #216]\n"
      "str r10, [r5, #240]\n"
      "str r11, [r5, #264]\n"
      "ldr r6, [sp]\n"
      "ldr r7, [sp, #16]\n"
      "add r5, r5, #4\n"
      "add r0, r0, r6\n"
      "add r1, r1, r6\n"
      "add r2, r2, r6\n"
      "subs r7, r7, #1\n"
      "str r7, [sp, #16]\n"
      "bne 1b\n"
      "ldr r0, [sp, #4]\n"
      "ldr r1, [sp, #8]\n"
      "ldr r2, [sp, #12]\n"
      "add r4, r1, #8\n"
      "add r5, r0, #144\n"
      "2:\n"
      "add r3, r1, r2\n"
      "add r3, r3, r2, lsl #1\n"
      "3:\n"
      "ldr r6, [r0], #4\n"
      "ldr r7, [r0], #4\n"
      "ldr r8, [r0], #4\n"
      "ldr r9, [r0], #4\n"
      "ldr r10, [r0], #4\n"
      "ldr r11, [r0], #4\n"
      "add r10, r10, #0x3200\n"
      "add r11, r11, #0x3200\n" TINYTC_Q_WINOGRAD_SIX
      "str r6, [r1]\n"
      "str r7, [r1, r2]\n"
      "str r12, [r1, r2, lsl #1]\n"
      "str r8, [r3]\n"
      "str r10, [r3, r2]\n"
      "str r11, [r3, r2, lsl #1]\n"
      "add r1, r3, r2\n"
      "add r1, r1, r2, lsl #1\n"
      "add r3, r1, r2\n"
      "add r3, r3, r2, lsl #1\n"
      "cmp r0, r5\n"
      "bne 3b\n"
      "cbz r4, 4f\n"
      "mov r1, r4\n"
      "movs r4, #0\n"
      "add r5, r5, #144\n"
      "b 2b\n"
      "4:\n"
      "ldr r0, [sp, #24]\n"
      "ldr r7, [sp, #20]\n"
      "add sp, sp, #32\n"
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}
#endif

/// B^T d B of four channels. top: row 0 of the tile, body + row_step, ...: rows 1 to 5; steps in elements;
/// room: 72 words; u: [36] every `u_step` words, channels (0, 2); channels (1, 3) two words behind.
TINYTC_INLINE void q_winograd_four_channels(const std::int8_t* top, const std::int8_t* body, int row_step,
                                            int pixel_step, std::uint32_t* room, std::uint32_t* u,
                                            int u_step) {
#if defined(TINYTC_DSP)
  q_winograd_transform(QWinogradFourArguments{top, body, row_step, pixel_step, room, u, 4 * u_step});
#else
  for (int k = 0; k < 12; ++k) {
    std::uint32_t d[6];
    for (int y = 0; y < 6; ++y) {
      const std::int8_t* at = (y == 0 ? top : body + y * row_step) + k % 6 * pixel_step;
      const std::uint32_t word = (q_load(at) ^ 0x80808080U) >> (k < 6 ? 0 : 8);
      d[y] = word & 0x00FF00FFU;
    }
    q_winograd_six(d[0], d[1], d[2], d[3], d[4], d[5], 6, room + k / 6 * 36 + k % 6);
  }
  for (int k = 0; k < 12; ++k) {
    const std::uint32_t* d = room + 6 * k;
    q_winograd_six(d[0], d[1], d[2], d[3], d[4] + 0x3200U, d[5] + 0x3200U, u_step,
                   u + k % 6 * 6 * u_step + k / 6 * 2);
  }
#endif
}

/// Four channels of a tile of which parts lie outside the image, as a tile of its own: [6][6][4].
TINYTC_INLINE void q_winograd_gather(const QWinogradTile& t, int c, std::uint32_t* words) {
  for (int k = 0; k < 36; ++k) words[k] = t.padding;
  for (int y = t.rows.first; y < t.rows.last; ++y) {
    const std::int8_t* from = (y == 0 ? t.top : t.body + y * t.row_step) + c;
    for (int x = t.columns.first; x < t.columns.last; ++x) words[6 * y + x] = q_load(from + x * t.channels);
  }
}

/// B^T d B of all channels of a tile.
TINYTC_NOINLINE inline void q_winograd_tile(const QWinogradTile& t) {
  const bool inside = t.rows.first == 0 && t.rows.last == 6 && t.columns.first == 0 && t.columns.last == 6;
  for (int c = 0; c < t.channels; c += 4) {
    if (inside) {
      q_winograd_four_channels(t.top + c, t.body + c, t.row_step, t.channels, t.room, t.u + c, t.channels);
    } else {
      q_winograd_gather(t, c, t.room + 72);
      const std::int8_t* tile = reinterpret_cast<const std::int8_t*>(t.room + 72);
      q_winograd_four_channels(tile, tile, 24, 4, t.room, t.u + c, t.channels);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_WINOGRAD_TILE_H
