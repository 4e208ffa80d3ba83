// Depthwise 3x3 in int8 through a ring of two widened rows of row pairs.
//
// Word row t of a channel holds (row 2t - pad, row 2t - pad + 1) of the padded image as int16 lanes, column
// after column, so that one dual multiply takes two taps of a kernel column. From word rows t (A) and t + 1
// (B) come output rows 2t and 2t + 1 with stride 1, output row t with stride 2:
//   row 0 += A (k0, k1) + B.low k2,   row 1 += A.high k0 + B (k1, k2).
// All channels' word row t + 1 is read before anything of step t is written, so y may replace x.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_RING_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_RING_H

#include "runtime/q_base.h"
#include "runtime/q_depthwise_pairs.h"
#include "runtime/q_depthwise_shape.h"

namespace tinytc {

/// Whether the ring serves this shape.
TINYTC_INLINE constexpr bool q_depthwise_has_ring(const QDepthwiseConv2dShape& s) {
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h <= 2 && s.dilation_h == 1 &&
         s.dilation_w == 1 && s.multiplier == 1 && s.pad_top >= 0 && s.pad_left >= 0;
}

/// Columns of a word row.
TINYTC_INLINE constexpr int q_depthwise_ring_width(const QDepthwiseConv2dShape& s) {
  return (s.out_w - 1) * s.stride_w + 3;
}

/// Scratch in words: two word rows of all channels.
TINYTC_INLINE constexpr int q_depthwise_ring_words(const QDepthwiseConv2dShape& s) {
  return 2 * s.channels * q_depthwise_ring_width(s);
}

/// Output rows of a step.
TINYTC_INLINE constexpr int q_depthwise_ring_rows(const QDepthwiseConv2dShape& s) {
  return s.stride_h == 1 ? 2 : 1;
}

/// Smallest distance at which y may run over x: what is written before a word row is read lies below it.
constexpr int q_depthwise_ring_lead(const QDepthwiseConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  const int rows = q_depthwise_ring_rows(s);
  for (int image = 0; image < s.batch; ++image) {
    for (int t = 0; t < (s.out_h + rows - 1) / rows; ++t) {
      const int row = t == 0 ? 0 : max_of(0, 2 * (t + 1) - s.pad_top);
      const int written = (image * s.out_h + t * rows) * s.out_w * s.channels;
      const int read = (image * s.in_h + row) * s.in_w * s.channels;
      if (row < s.in_h && written > 0) lead = max_of(lead, written - read);
    }
  }
  return lead;
}

/// Word row t of all channels of an image. words: [channels][width].
TINYTC_INLINE void q_depthwise_fill(const QDepthwiseConv2dShape& s, const std::int8_t* x, int t,
                                    std::uint32_t* words) {
  const std::int8_t zero = static_cast<std::int8_t>(s.x_zero_point);
  const std::int8_t padding[4] = {zero, zero, zero, zero};
  const int width = q_depthwise_ring_width(s);
  const int row = 2 * t - s.pad_top;
  const int columns = min_of(s.in_w, width - s.pad_left);
  const bool has_low = row >= 0 && row < s.in_h;
  const bool has_high = row + 1 >= 0 && row + 1 < s.in_h;
  const std::int8_t* low = has_low ? x + row * s.in_w * s.channels : padding;
  const std::int8_t* high = has_high ? x + (row + 1) * s.in_w * s.channels : padding;
  const int low_step = has_low ? s.channels : 0;
  const int high_step = has_high ? s.channels : 0;
  const int fours = s.channels / 4 * 4;
  for (int c = 0; c < fours; c += 4) {
    q_depthwise_pairs(low + (has_low ? c : 0), low_step, high + (has_high ? c : 0), high_step, columns, width,
                      words + c * width + s.pad_left);
  }
  for (int c = fours; c < s.channels; ++c) {
    std::uint32_t* to = words + c * width + s.pad_left;
    const std::int8_t* a = low + (has_low ? c : 0);
    const std::int8_t* b = high + (has_high ? c : 0);
    for (int k = 0; k < columns; ++k) to[k] = q_lanes(a[k * low_step], b[k * high_step]);
  }
}

/// Fills the columns beside the image in both word rows, which keep them.
TINYTC_INLINE void q_depthwise_clear(const QDepthwiseConv2dShape& s, std::uint32_t* words) {
  const std::uint32_t word = q_lanes(s.x_zero_point, s.x_zero_point);
  const int width = q_depthwise_ring_width(s);
  const int before = min_of(s.pad_left, width);
  for (int c = 0; c < 2 * s.channels; ++c) {
    for (int k = 0; k < before; ++k) words[c * width + k] = word;
    for (int k = s.pad_left + s.in_w; k < width; ++k) words[c * width + k] = word;
  }
}

/// The kernel columns of a channel, twice: (k0, k1) and (k1, k2).
struct QDepthwiseTaps {
  std::uint32_t upper[3];
  std::uint32_t lower[3];
};
TINYTC_INLINE QDepthwiseTaps q_depthwise_taps(const std::int8_t* w) {
  QDepthwiseTaps taps;
  for (int kx = 0; kx < 3; ++kx) {
    const std::uint32_t column = q_load(w + 4 * kx);
    const std::uint32_t even = q_even_bytes(column);
    const std::uint32_t odd = q_odd_bytes(column);
    taps.upper[kx] = q_low_halves(even, odd);
    taps.lower[kx] = (odd & 0xFFFFU) | (even & 0xFFFF0000U);
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
  int pairs;  ///< from a channel's first word to its last pair of columns' end
  int pixel;  ///< from an output pixel to the next
  int row;    ///< from output row 0 to row 1, or 0: there is no row 1
  int zero_point;
  const std::int8_t* w;
  const std::int32_t* bias;
  const std::int32_t* multiplier;
  std::int8_t* y;
  int channels;
  int odd;   ///< whether a single column is left
  int rest;  ///< from the end of the pairs to the next channel's words
};

// One kernel column of two output rows: r2: word of A, r3: word of B.
#define TINYTC_Q_TAP(UPPER, LOWER, ROW0, ROW1) \
  "smlad " ROW0 ", r2, " UPPER ", " ROW0       \
  "\n"                                         \
  "smlatb " ROW1 ", r2, " UPPER ", " ROW1      \
  "\n"                                         \
  "smlabt " ROW0 ", r3, " LOWER ", " ROW0      \
  "\n"                                         \
  "smlad " ROW1 ", r3, " LOWER ", " ROW1 "\n"
// The first kernel column: sums start from r8, the bias.
#define TINYTC_Q_FIRST_TAP(UPPER, LOWER, ROW0, ROW1) \
  "smlatb " ROW1 ", r2, " UPPER                      \
  ", r8\n"                                           \
  "smlad " ROW0 ", r2, " UPPER                       \
  ", r8\n"                                           \
  "smlad " ROW1 ", r3, " LOWER ", " ROW1             \
  "\n"                                               \
  "smlabt " ROW0 ", r3, " LOWER ", " ROW0 "\n"
#define TINYTC_Q_EXPAND(WORD, UPPER, LOWER) \
  "sxtb16 r2, " WORD                        \
  "\n"                                      \
  "sxtb16 r3, " WORD                        \
  ", ror #8\n"                              \
  "pkhbt " UPPER                            \
  ", r2, r3, lsl #16\n"                     \
  "pkhbt " LOWER ", r3, r2\n"

// Sets up the stack, then a channel: 0 end of the pairs, 4 y, 8 row, 12 pixel, 16 multiplier, 20 zero point,
// 24 bias, 28 w, 32 biases, 36 multipliers, 40 y of the channel, 44 pairs, 48 rest, 52 odd, 56 channels, 60
// r7, 64 arguments. r7, r9 - lr: upper and lower pairs of the kernel columns.
#define TINYTC_Q_DEPTHWISE_ENTER                                                            \
  "sub sp, sp, #68\n"                                                                       \
  "str r0, [sp, #64]\n"                                                                     \
  "str r7, [sp, #60]\n"                                                                     \
  "ldm r0, {r1, r2, r3, r4, r5, r6}\n"                                                      \
  "str r5, [sp, #8]\n"                                                                      \
  "str r4, [sp, #12]\n"                                                                     \
  "str r6, [sp, #20]\n"                                                                     \
  "str r3, [sp, #44]\n"                                                                     \
  "add r0, r0, #24\n"                                                                       \
  "ldm r0, {r3, r4, r5, r6, r8, r9, r10}\n"                                                 \
  "add r0, sp, #28\n"                                                                       \
  "stm r0, {r3, r4, r5, r6}\n"                                                              \
  "str r8, [sp, #56]\n"                                                                     \
  "str r9, [sp, #52]\n"                                                                     \
  "str r10, [sp, #48]\n"                                                                    \
  "mov r0, r1\n"                                                                            \
  "mov r1, r2\n"                                                                            \
  "1:\n"                                                                                    \
  "ldr r3, [sp, #28]\n"                                                                     \
  "ldr r4, [sp, #32]\n"                                                                     \
  "ldr r5, [sp, #36]\n"                                                                     \
  "ldr r6, [sp, #40]\n"                                                                     \
  "ldr r8, [r4], #4\n"                                                                      \
  "ldr r9, [r5], #4\n"                                                                      \
  "ldr r10, [r3], #4\n"                                                                     \
  "ldr r12, [r3], #4\n"                                                                     \
  "ldr lr, [r3], #4\n"                                                                      \
  "ldr r11, [sp, #44]\n"                                                                    \
  "str r3, [sp, #28]\n"                                                                     \
  "str r4, [sp, #32]\n"                                                                     \
  "str r5, [sp, #36]\n"                                                                     \
  "str r6, [sp, #4]\n"                                                                      \
  "add r6, r6, #1\n"                                                                        \
  "add r11, r11, r0\n"                                                                      \
  "str r6, [sp, #40]\n"                                                                     \
  "str r9, [sp, #16]\n"                                                                     \
  "str r8, [sp, #24]\n"                                                                     \
  "str r11, [sp]\n" TINYTC_Q_EXPAND("r10", "r7", "r9") TINYTC_Q_EXPAND("r12", "r10", "r11") \
      TINYTC_Q_EXPAND("lr", "r12", "lr")
// The next channel, or the end.
#define TINYTC_Q_DEPTHWISE_LEAVE \
  "4:\n"                         \
  "ldr r2, [sp, #48]\n"          \
  "ldr r3, [sp, #56]\n"          \
  "add r0, r0, r2\n"             \
  "add r1, r1, r2\n"             \
  "subs r3, r3, #1\n"            \
  "str r3, [sp, #56]\n"          \
  "bne 1b\n"                     \
  "ldr r0, [sp, #64]\n"          \
  "ldr r7, [sp, #60]\n"          \
  "add sp, sp, #68\n"

/// All channels of two output rows with stride 1, clamped to int8.
TINYTC_NOINLINE inline void q_depthwise_rows(const QDepthwiseArguments& arguments) {
  register const QDepthwiseArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_DEPTHWISE_ENTER
      "2:\n"  // two columns
      "ldr r8, [sp, #24]\n"
      "ldr r2, [r0], #8\n"
      "ldr r3, [r1], #8\n" TINYTC_Q_FIRST_TAP("r7", "r9", "r4", "r5")
      "ldr r2, [r0, #-4]\n"
      "ldr r3, [r1, #-4]\n" TINYTC_Q_TAP("r10", "r11", "r4", "r5")
      "smlad r6, r2, r7, r8\n"
      "smlatb r8, r2, r7, r8\n"
      "smlabt r6, r3, r9, r6\n"
      "smlad r8, r3, r9, r8\n"
      "ldr r2, [r0]\n"
      "ldr r3, [r1]\n" TINYTC_Q_TAP("r12", "lr", "r4", "r5") TINYTC_Q_TAP("r10", "r11", "r6", "r8")
      "ldr r2, [r0, #4]\n"
      "ldr r3, [r1, #4]\n" TINYTC_Q_TAP("r12", "lr", "r6", "r8")
      "ldrd r2, r3, [sp, #16]\n"
      "smmlar r4, r4, r2, r3\n"
      "smmlar r5, r5, r2, r3\n"
      "smmlar r6, r6, r2, r3\n"
      "smmlar r8, r8, r2, r3\n"
      "ldrd r2, r3, [sp, #4]\n"
      "ssat r4, #8, r4\n"
      "ssat r5, #8, r5\n"
      "ssat r6, #8, r6\n"
      "ssat r8, #8, r8\n"
      "strb r5, [r2, r3]\n"
      "strb r4, [r2]\n"
      "ldr r4, [sp, #12]\n"
      "ldr r5, [sp]\n"
      "add r2, r2, r4\n"
      "strb r8, [r2, r3]\n"
      "strb r6, [r2]\n"
      "add r2, r2, r4\n"
      "cmp r0, r5\n"
      "str r2, [sp, #4]\n"
      "bne 2b\n"
      "ldr r2, [sp, #52]\n"
      "ldr r8, [sp, #24]\n"
      "cbz r2, 4f\n"
      "ldr r2, [r0], #4\n"
      "ldr r3, [r1], #4\n" TINYTC_Q_FIRST_TAP("r7", "r9", "r4", "r5")
      "ldr r2, [r0]\n"
      "ldr r3, [r1]\n" TINYTC_Q_TAP("r10", "r11", "r4", "r5")
      "ldr r2, [r0, #4]\n"
      "ldr r3, [r1, #4]\n" TINYTC_Q_TAP("r12", "lr", "r4", "r5")
      "ldr r2, [sp, #16]\n"
      "ldr r3, [sp, #20]\n"
      "ldr r6, [sp, #4]\n"
      "ldr r8, [sp, #8]\n"
      "smmlar r4, r4, r2, r3\n"
      "smmlar r5, r5, r2, r3\n"
      "ssat r4, #8, r4\n"
      "ssat r5, #8, r5\n"
      "strb r5, [r6, r8]\n"
      "strb r4, [r6]\n" TINYTC_Q_DEPTHWISE_LEAVE
      : "+r"(at)
      :
      : TINYTC_Q_CLOBBERS);
}

/// All channels of one output row with stride 2, clamped to int8.
TINYTC_NOINLINE inline void q_depthwise_row(const QDepthwiseArguments& arguments) {
  register const QDepthwiseArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_DEPTHWISE_ENTER
               "2:\n"  // two columns
               "ldr r5, [sp, #24]\n"
               "ldr r2, [r0], #16\n"
               "ldr r3, [r1], #16\n"
               "smlad r4, r2, r7, r5\n"
               "smlabt r4, r3, r9, r4\n"
               "ldr r2, [r0, #-12]\n"
               "ldr r3, [r1, #-12]\n"
               "ldr r8, [r0, #-8]\n"
               "ldr r6, [r1, #-8]\n"
               "smlad r4, r2, r10, r4\n"
               "smlabt r4, r3, r11, r4\n"
               "smlad r4, r8, r12, r4\n"
               "smlad r8, r8, r7, r5\n"
               "smlabt r4, r6, lr, r4\n"
               "smlabt r8, r6, r9, r8\n"
               "ldr r2, [r0, #-4]\n"
               "ldr r3, [r1, #-4]\n"
               "ldr r5, [r0]\n"
               "ldr r6, [r1]\n"
               "smlad r8, r2, r10, r8\n"
               "smlabt r8, r3, r11, r8\n"
               "smlad r8, r5, r12, r8\n"
               "smlabt r8, r6, lr, r8\n"
               "ldr r2, [sp, #16]\n"
               "ldr r3, [sp, #20]\n"
               "ldr r5, [sp, #4]\n"
               "ldr r6, [sp, #12]\n"
               "smmlar r4, r4, r2, r3\n"
               "smmlar r8, r8, r2, r3\n"
               "ldr r2, [sp]\n"
               "ssat r4, #8, r4\n"
               "ssat r8, #8, r8\n"
               "strb r4, [r5]\n"
               "strb r8, [r5, r6]\n"
               "add r5, r5, r6, lsl #1\n"
               "cmp r0, r2\n"
               "str r5, [sp, #4]\n"
               "bne 2b\n"
               "ldr r2, [sp, #52]\n"
               "ldr r5, [sp, #24]\n"
               "cbz r2, 4f\n"
               "ldr r2, [r0], #8\n"
               "ldr r3, [r1], #8\n"
               "smlad r4, r2, r7, r5\n"
               "smlabt r4, r3, r9, r4\n"
               "ldr r2, [r0, #-4]\n"
               "ldr r3, [r1, #-4]\n"
               "ldr r5, [r0]\n"
               "ldr r6, [r1]\n"
               "smlad r4, r2, r10, r4\n"
               "smlabt r4, r3, r11, r4\n"
               "smlad r4, r5, r12, r4\n"
               "smlabt r4, r6, lr, r4\n"
               "ldr r2, [sp, #16]\n"
               "ldr r3, [sp, #20]\n"
               "ldr r5, [sp, #4]\n"
               "smmlar r4, r4, r2, r3\n"
               "ssat r4, #8, r4\n"
               "strb r4, [r5]\n" TINYTC_Q_DEPTHWISE_LEAVE
               : "+r"(at)
               :
               : TINYTC_Q_CLOBBERS);
}

/// The arguments of one step. a, b: word rows; y: the first of its output rows.
TINYTC_INLINE QDepthwiseArguments q_depthwise_arguments(const QDepthwiseConv2dShape& s,
                                                        const std::uint32_t* a, const std::uint32_t* b,
                                                        const std::int8_t* w, const std::int32_t* bias,
                                                        const QScale& scale, const QOutput& out, bool two,
                                                        std::int8_t* y) {
  const int pairs = s.out_w / 2 * 8 * s.stride_w;
  const int single = s.out_w % 2 * 4 * s.stride_w;
  return QDepthwiseArguments{a,
                             b,
                             pairs,
                             s.channels,
                             two ? s.out_w * s.channels : 0,
                             out.zero_point,
                             w,
                             bias,
                             scale.multiplier,
                             y,
                             s.channels,
                             single,
                             q_depthwise_ring_width(s) * 4 - pairs - single};
}
#endif

/// All channels of a step.
TINYTC_INLINE void q_depthwise_step_rows(const QDepthwiseConv2dShape& s, const std::uint32_t* a,
                                         const std::uint32_t* b, const std::int8_t* w,
                                         const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                         bool two, std::int8_t* y) {
#if defined(TINYTC_DSP)
  if (s.stride_h == s.stride_w && s.out_w >= 2 && scale.shift == nullptr && out.lo == -128 && out.hi == 127) {
    const QDepthwiseArguments arguments = q_depthwise_arguments(s, a, b, w, bias, scale, out, two, y);
    if (s.stride_h == 1) {
      q_depthwise_rows(arguments);
    } else {
      q_depthwise_row(arguments);
    }
    return;
  }
#endif
  const int width = q_depthwise_ring_width(s);
  for (int c = 0; c < s.channels; ++c) {
    q_depthwise_channel(s, a + c * width, b + c * width, q_depthwise_taps(w + 12 * c), bias[c], scale, c, out,
                        two, y + c);
  }
}

/// See q_depthwise_conv2d.
TINYTC_INLINE void q_depthwise_ring(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                    const std::int8_t* w, const std::int32_t* bias, const QScale& scale,
                                    const QOutput& out, std::int8_t* y, std::uint32_t* scratch) {
  const int width = q_depthwise_ring_width(s);
  const int rows = q_depthwise_ring_rows(s);
  q_depthwise_clear(s, scratch);
  for (int image = 0; image < s.batch; ++image) {
    const std::int8_t* from = x + image * s.in_h * s.in_w * s.channels;
    q_depthwise_fill(s, from, 0, scratch);
    for (int t = 0; t < (s.out_h + rows - 1) / rows; ++t) {
      const std::uint32_t* a = scratch + t % 2 * s.channels * width;
      std::uint32_t* b = scratch + (t + 1) % 2 * s.channels * width;
      std::int8_t* to = y + (image * s.out_h + t * rows) * s.out_w * s.channels;
      const bool two = rows == 2 && t * 2 + 1 < s.out_h;
      q_depthwise_fill(s, from, t + 1, b);
      q_depthwise_step_rows(s, a, b, w, bias, scale, out, two, to);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_RING_H
