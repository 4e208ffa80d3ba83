// Depthwise 3x3 in int8 for cores with vectors of 16 int8 (q_vector.h), stride 1 or 2.
//
// A ring in scratch holds four rows of the padded image, channel after channel, as [channel][column][4]: the
// four bytes of a cell are rows r mod 4 of one column. So 16 neighbouring bytes are a window of 4 x 4
// elements of one channel, and one multiplication with the kernel in its place in that window gives one
// output: four with stride 1, whose other three kernels are the first one shifted by a byte (a row) or a word
// (a column). Rows come in pairs; a step that starts at the ring's second pair has its kernels rotated by two
// bytes.
//
// Pair t + 1 of all channels is read before anything of step t is written, so y may replace x.
#ifndef TINYTC_RUNTIME_Q_VECTOR_DEPTHWISE_H
#define TINYTC_RUNTIME_Q_VECTOR_DEPTHWISE_H

#include "runtime/q_depthwise_ring.h"
#include "runtime/q_vector.h"

#if defined(TINYTC_MVE)
#define TINYTC_QV_RING_CLOBBERS TINYTC_QV_CLOBBERS, "q4", "q5", "q6", "q7"
// Four sums become four bytes at r3 + q3: r5 bias, q2 multiplier, r7 zero point, r11 to the next four.
#define TINYTC_QV_FINISH_FOUR   \
  "vmov q1[2], q1[0], r0, r4\n" \
  "vmov q1[3], q1[1], r2, r6\n" \
  "vadd.i32 q1, q1, r5\n"       \
  "vrmulh.s32 q1, q1, q2\n"     \
  "vadd.i32 q1, q1, r7\n"       \
  "vqmovnb.s32 q1, q1\n"        \
  "vqmovnb.s16 q1, q1\n"        \
  "vpst\n"                      \
  "vstrbt.32 q1, [r3, q3]\n"    \
  "add r3, r3, r11\n"
// Stride 1: two columns of two rows. q4 - q7: kernels of (row 0, column 0), (0, 1), (1, 0), (1, 1).
#define TINYTC_QV_SQUARE    \
  "vldrb.8 q0, [r1], #8\n"  \
  "vmladav.s8 r0, q0, q4\n" \
  "vmladav.s8 r2, q0, q5\n" \
  "vmladav.s8 r4, q0, q6\n" \
  "vmladav.s8 r6, q0, q7\n" TINYTC_QV_FINISH_FOUR
// Stride 2: four columns of a row.
#define TINYTC_QV_FOUR_COLUMNS \
  "vldrb.8 q0, [r1], #8\n"     \
  "vldrb.8 q5, [r1], #8\n"     \
  "vmladav.s8 r0, q0, q4\n"    \
  "vldrb.8 q6, [r1], #8\n"     \
  "vmladav.s8 r2, q5, q4\n"    \
  "vldrb.8 q7, [r1], #8\n"     \
  "vmladav.s8 r4, q6, q4\n"    \
  "vmladav.s8 r6, q7, q4\n" TINYTC_QV_FINISH_FOUR
// All channels. KERNELS makes the others of q4, ROTATE turns them all by two bytes. r1 ring, r8 y, r9
// channels left, r10 weights, r12 arguments.
#define TINYTC_QV_CHANNELS(KERNELS, ROTATE, FOUR) \
  "push {r7}\n"                                   \
  "mov r12, r0\n"                                 \
  "ldr r1, [r12]\n"                               \
  "ldr r10, [r12, #4]\n"                          \
  "ldr r8, [r12, #8]\n"                           \
  "ldr r9, [r12, #12]\n"                          \
  "ldr r7, [r12, #16]\n"                          \
  "ldr r11, [r12, #20]\n"                         \
  "add r6, r12, #48\n"                            \
  "vldrw.32 q3, [r6]\n"                           \
  "2:\n"                                          \
  "vldrw.32 q5, [r10], #4\n"                      \
  "vldrw.32 q4, [r10], #12\n"                     \
  "ldr r4, [r12, #28]\n"                          \
  "movs r0, #0\n"                                 \
  "ldrd r5, r6, [r10], #8\n"                      \
  "vmov.32 q4[3], r0\n" KERNELS                   \
  "vdup.32 q2, r6\n"                              \
  "ldr r2, [r12, #32]\n"                          \
  "cbz r4, 3f\n" ROTATE                           \
  "3:\n"                                          \
  "ldr r6, [r12, #24]\n"                          \
  "vmsr p0, r2\n"                                 \
  "mov r3, r8\n"                                  \
  "add r8, r8, #1\n"                              \
  "wls lr, r6, 4f\n"                              \
  "1:\n" FOUR                                     \
  "le lr, 1b\n"                                   \
  "4:\n"                                          \
  "ldr r6, [r12, #36]\n"                          \
  "cbz r6, 5f\n"                                  \
  "vmsr p0, r6\n" FOUR                            \
  "5:\n"                                          \
  "ldr r6, [r12, #40]\n"                          \
  "subs r9, r9, #1\n"                             \
  "add r1, r1, r6\n"                              \
  "bne 2b\n"                                      \
  "pop {r7}\n"
#endif

namespace tinytc {

/// Whether this kernel serves the shape.
TINYTC_INLINE constexpr bool q_vector_depthwise_takes(const QDepthwiseConv2dShape& s) {
  return q_depthwise_has_ring(s) && s.stride_h == s.stride_w && q_depthwise_ring_width(s) <= 1000;
}

/// Words of the packed weights: for each channel 0, the kernel's columns (three bytes and 0), bias,
/// multiplier.
constexpr int q_vector_depthwise_words(const QDepthwiseConv2dShape& s) { return 6 * s.channels; }

/// Packs a layer. w: plain ONNX [channels][1][3][3]; bias, multiplier: [channels].
constexpr void q_vector_depthwise_pack(const QDepthwiseConv2dShape& s, const std::int8_t* w,
                                       const std::int32_t* bias, const std::int32_t* multiplier,
                                       std::uint32_t* words) {
  for (int c = 0; c < s.channels; ++c) {
    words[6 * c] = 0;
    for (int kx = 0; kx < 3; ++kx) {
      std::uint32_t column = 0;
      for (int ky = 0; ky < 3; ++ky) {
        column |= (static_cast<std::uint32_t>(w[c * 9 + ky * 3 + kx]) & 0xFFU) << (8 * ky);
      }
      words[6 * c + 1 + kx] = column;
    }
    words[6 * c + 4] = static_cast<std::uint32_t>(bias[c]);
    words[6 * c + 5] = static_cast<std::uint32_t>(multiplier[c]);
  }
}

/// Scratch in words: the ring, for a multiple of 16 channels, and what the last windows read beyond it.
constexpr int q_vector_depthwise_scratch(const QDepthwiseConv2dShape& s) {
  return q_vectors(s.channels) * q_vector * q_depthwise_ring_width(s) + 12;
}

constexpr long long q_vector_depthwise_macs(const QDepthwiseConv2dShape& s) {
  return q_depthwise_conv2d_macs(s);
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x.
constexpr int q_vector_depthwise_lead_x(const QDepthwiseConv2dShape& s) { return q_depthwise_ring_lead(s); }

/// Two image rows and where they go. Steps in elements; 0: a row of padding.
struct QVectorRows {
  const std::int8_t* low;
  const std::int8_t* high;
  int low_pixel;
  int high_pixel;
  int low_block;   ///< to the next 16 channels
  int high_block;  ///< to the next 16 channels
  int columns;
  int channels;
  int channel_bytes;  ///< of a channel in the ring
  std::int8_t* ring;
};

#if defined(TINYTC_MVE)
/// Writes a pair of rows into the ring, 16 channels at a time: the bytes of both rows become halfwords of the
/// even and the odd channels, which are scattered.
TINYTC_NOINLINE inline void q_vector_depthwise_scatter(const QVectorRows& rows) {
  register const QVectorRows* at asm("r0") = &rows;
  asm volatile(
      "push {r7}\n"
      "ldrd r1, r2, [r0]\n"
      "ldrd r3, r4, [r0, #8]\n"
      "ldr r5, [r0, #28]\n"
      "ldrd r6, r7, [r0, #32]\n"
      "movs r8, #0\n"
      "vidup.u16 q3, r8, #2\n"
      "vmul.i16 q3, q3, r6\n"
      "vadd.i16 q4, q3, r6\n"
      "lsl r6, r6, #4\n"
      "2:\n"
      "vctp.8 r5\n"
      "mov r9, r1\n"
      "mov r10, r2\n"
      "mov r11, r7\n"
      "ldr lr, [r0, #24]\n"
      "dls lr, lr\n"
      "1:\n"
      "vpstt\n"
      "vldrbt.u8 q0, [r9]\n"
      "vldrbt.u8 q1, [r10]\n"
      "add r9, r9, r3\n"
      "vmov q2, q0\n"
      "add r10, r10, r4\n"
      "vsli.16 q2, q1, #8\n"
      "vsri.16 q1, q0, #8\n"
      "vstrh.16 q2, [r11, q3]\n"
      "vstrh.16 q1, [r11, q4]\n"
      "add r11, r11, #4\n"
      "le lr, 1b\n"
      "ldrd r9, r10, [r0, #16]\n"
      "subs r5, r5, #16\n"
      "add r1, r1, r9\n"
      "add r2, r2, r10\n"
      "add r7, r7, r6\n"
      "bgt 2b\n"
      "pop {r7}\n"
      : "+r"(at)
      :
      : TINYTC_QV_RING_CLOBBERS);
}
#else
TINYTC_INLINE void q_vector_depthwise_scatter(const QVectorRows& rows) {
  for (int c = 0; c < rows.channels; ++c) {
    const std::int8_t* low = rows.low + c / q_vector * rows.low_block + c % q_vector;
    const std::int8_t* high = rows.high + c / q_vector * rows.high_block + c % q_vector;
    for (int k = 0; k < rows.columns; ++k) {
      rows.ring[c * rows.channel_bytes + 4 * k] = low[k * rows.low_pixel];
      rows.ring[c * rows.channel_bytes + 4 * k + 1] = high[k * rows.high_pixel];
    }
  }
}
#endif

/// Pair t of the padded image's rows into the ring.
TINYTC_INLINE void q_vector_depthwise_fill(const QDepthwiseConv2dShape& s, const std::int8_t* x, int t,
                                           std::int8_t* ring) {
  std::int8_t padding[q_vector];
  q_vector_fill(s.x_zero_point, q_vector, padding);
  const int row = 2 * t - s.pad_top;
  const bool has_low = row >= 0 && row < s.in_h;
  const bool has_high = row + 1 >= 0 && row + 1 < s.in_h;
  const int width = q_depthwise_ring_width(s);
  q_vector_depthwise_scatter(QVectorRows{
      has_low ? x + row * s.in_w * s.channels : padding,
      has_high ? x + (row + 1) * s.in_w * s.channels : padding, has_low ? s.channels : 0,
      has_high ? s.channels : 0, has_low ? q_vector : 0, has_high ? q_vector : 0,
      min_of(s.in_w, width - s.pad_left), s.channels, 4 * width, ring + 4 * s.pad_left + t % 2 * 2});
}

#if defined(TINYTC_MVE)
/// Arguments of the assembly, which knows their offsets. Steps in bytes.
struct QVectorDepthwiseArguments {
  const std::int8_t* ring;
  const std::uint32_t* w;
  std::int8_t* y;
  int channels;
  int zero_point;
  int step;       ///< from four outputs to the next
  int fours;      ///< whole fours
  int rotated;    ///< whether the step starts at the ring's second pair
  int mask;       ///< four bits for each of four outputs: which exist
  int last_mask;  ///< of the last four if it is not whole, else 0
  int rest;       ///< from behind the last four's first byte in the ring to the next channel
  int unused;
  int offsets[4];  ///< of four outputs
};

TINYTC_NOINLINE inline void q_vector_depthwise_squares(const QVectorDepthwiseArguments& arguments) {
  register const QVectorDepthwiseArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_QV_CHANNELS("vshl.i32 q6, q4, #8\n"
                                  "vshl.i32 q7, q5, #8\n",
                                  "vrev32.16 q4, q4\n"
                                  "vrev32.16 q5, q5\n"
                                  "vrev32.16 q6, q6\n"
                                  "vrev32.16 q7, q7\n",
                                  TINYTC_QV_SQUARE)
               : "+r"(at)
               :
               : TINYTC_QV_RING_CLOBBERS);
}

TINYTC_NOINLINE inline void q_vector_depthwise_columns(const QVectorDepthwiseArguments& arguments) {
  register const QVectorDepthwiseArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_QV_CHANNELS("", "vrev32.16 q4, q4\n", TINYTC_QV_FOUR_COLUMNS)
               : "+r"(at)
               :
               : TINYTC_QV_RING_CLOBBERS);
}

/// All channels of step t. y: its first output row; two: whether it has a second one.
TINYTC_INLINE void q_vector_depthwise_step(const QDepthwiseConv2dShape& s, const std::int8_t* ring, int t,
                                           const std::uint32_t* w, int zero_point, bool two, std::int8_t* y) {
  const int c = s.channels;
  const int channel = 4 * q_depthwise_ring_width(s);
  if (s.stride_h == 1) {
    const int mask = two ? 0xFFFF : 0xFF;
    const int fours = (s.out_w + 1) / 2;
    q_vector_depthwise_squares(QVectorDepthwiseArguments{ring,
                                                         w,
                                                         y,
                                                         c,
                                                         zero_point,
                                                         2 * c,
                                                         s.out_w / 2,
                                                         t % 2,
                                                         mask,
                                                         s.out_w % 2 != 0 ? mask & 0x0F0F : 0,
                                                         channel - fours * 8,
                                                         0,
                                                         {0, c, s.out_w * c, s.out_w * c + c}});
  } else {
    const int fours = (s.out_w + 3) / 4;
    q_vector_depthwise_columns(QVectorDepthwiseArguments{ring,
                                                         w,
                                                         y,
                                                         c,
                                                         zero_point,
                                                         4 * c,
                                                         s.out_w / 4,
                                                         t % 2,
                                                         0xFFFF,
                                                         (1 << (s.out_w % 4 * 4)) - 1,
                                                         channel - fours * 32,
                                                         0,
                                                         {0, c, 2 * c, 3 * c}});
  }
}
#else
/// One output. cells: the window's first cell; row: of its first element in a cell; words: the channel's.
TINYTC_INLINE std::int8_t q_vector_depthwise_output(const std::int8_t* cells, int row,
                                                    const std::uint32_t* words, int zero_point) {
  std::int32_t sum = static_cast<std::int32_t>(words[4]);
  for (int k = 0; k < 9; ++k) {
    const std::uint32_t weight = (words[1 + k / 3] >> (k % 3 * 8)) & 0xFFU;
    sum = q_add_wrapping(sum, cells[k / 3 * 4 + (row + k % 3) % 4] * static_cast<std::int8_t>(weight));
  }
  const int value = q_multiply_high(zero_point, sum, static_cast<std::int32_t>(words[5]));
  return q_clamp(value, QOutput{zero_point, -128, 127});
}

TINYTC_INLINE void q_vector_depthwise_step(const QDepthwiseConv2dShape& s, const std::int8_t* ring, int t,
                                           const std::uint32_t* w, int zero_point, bool two, std::int8_t* y) {
  for (int c = 0; c < s.channels; ++c) {
    const std::int8_t* channel = ring + c * 4 * q_depthwise_ring_width(s);
    for (int k = 0; k < (two ? 2 : 1) * s.out_w; ++k) {
      const int row = t % 2 * 2 + k / s.out_w;
      const std::int8_t* cells = channel + 4 * (k % s.out_w) * s.stride_w;
      y[k * s.channels + c] = q_vector_depthwise_output(cells, row, w + 6 * c, zero_point);
    }
  }
}
#endif

/// y = clamp(zero point + round(scale * (bias + depthwise(x, w)))) with scales below 0.5 and int8's full
/// range, for shapes that q_vector_depthwise_takes. x: [batch][in_h][in_w][channels]; w: made by
/// q_vector_depthwise_pack; y: [batch][out_h][out_w][channels], may overlap x from q_vector_depthwise_lead_x
/// on; scratch: q_vector_depthwise_scratch words.
TINYTC_INLINE void q_vector_depthwise(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                      const std::uint32_t* w, const QOutput& out, std::int8_t* y,
                                      std::uint32_t* scratch) {
  std::int8_t* ring = reinterpret_cast<std::int8_t*>(scratch);
  const int rows = q_depthwise_ring_rows(s);
  q_vector_fill(s.x_zero_point, 4 * q_depthwise_ring_width(s) * s.channels, ring);
  for (int image = 0; image < s.batch; ++image) {
    const std::int8_t* from = x + image * s.in_h * s.in_w * s.channels;
    q_vector_depthwise_fill(s, from, 0, ring);
    for (int t = 0; t < (s.out_h + rows - 1) / rows; ++t) {
      q_vector_depthwise_fill(s, from, t + 1, ring);
      const bool two = rows == 2 && 2 * t + 1 < s.out_h;
      std::int8_t* to = y + (image * s.out_h + t * rows) * s.out_w * s.channels;
      q_vector_depthwise_step(s, ring, t, w, out.zero_point, two, to);
      q_vector_clamp(out, (two ? 2 : 1) * s.out_w * s.channels, to);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_VECTOR_DEPTHWISE_H
