// The inner blocks that decide the speed of convolutions, in Thumb-2 with a single-precision FPU (Cortex-M4F,
// M7, M33, M55), beside portable twins of the same order of operations and therefore the same bits.
//
// Compilers spill 16 sums and their products; the assembly keeps sums in s0-s15, weights in s16-s19, inputs
// in s20-s23 and products in s24-s31. Loads stand together, where the core pipelines them, and no sum waits
// for the product before it. Operands that the assembly changes are early-clobbered ("+&r"): an input of
// equal value must not share their register. Each loop ends after exactly as many turns as its count argument
// says.
#ifndef TINYTC_RUNTIME_TILE_BLOCK_H
#define TINYTC_RUNTIME_TILE_BLOCK_H

#include "runtime/base.h"
#include "runtime/tile.h"

#if defined(TINYTC_TILE_ASSEMBLY)
// One k of 4 pixels x 4 channels: x at byte offset `at` of each pixel, four weights from byte offset `w0` on.
#define TINYTC_TILE_STEP(at, w0, w1, w2, w3) \
  "vldr.32 s16, [%[w], #" #w0                \
  "]\n"                                      \
  "vldr.32 s17, [%[w], #" #w1                \
  "]\n"                                      \
  "vldr.32 s18, [%[w], #" #w2                \
  "]\n"                                      \
  "vldr.32 s19, [%[w], #" #w3                \
  "]\n"                                      \
  "vldr.32 s20, [%[x], #" #at                \
  "]\n"                                      \
  "vldr.32 s21, [r12, #" #at                 \
  "]\n"                                      \
  "vldr.32 s22, [lr, #" #at                  \
  "]\n"                                      \
  "vldr.32 s23, [%[x3], #" #at               \
  "]\n"                                      \
  "vmul.f32 s24, s20, s16\n"                 \
  "vmul.f32 s25, s20, s17\n"                 \
  "vmul.f32 s26, s20, s18\n"                 \
  "vmul.f32 s27, s20, s19\n"                 \
  "vmul.f32 s28, s21, s16\n"                 \
  "vmul.f32 s29, s21, s17\n"                 \
  "vmul.f32 s30, s21, s18\n"                 \
  "vmul.f32 s31, s21, s19\n"                 \
  "vadd.f32 %[s0], %[s0], s24\n"             \
  "vadd.f32 %[s1], %[s1], s25\n"             \
  "vadd.f32 %[s2], %[s2], s26\n"             \
  "vadd.f32 %[s3], %[s3], s27\n"             \
  "vadd.f32 %[s4], %[s4], s28\n"             \
  "vadd.f32 %[s5], %[s5], s29\n"             \
  "vadd.f32 %[s6], %[s6], s30\n"             \
  "vadd.f32 %[s7], %[s7], s31\n"             \
  "vmul.f32 s24, s22, s16\n"                 \
  "vmul.f32 s25, s22, s17\n"                 \
  "vmul.f32 s26, s22, s18\n"                 \
  "vmul.f32 s27, s22, s19\n"                 \
  "vmul.f32 s28, s23, s16\n"                 \
  "vmul.f32 s29, s23, s17\n"                 \
  "vmul.f32 s30, s23, s18\n"                 \
  "vmul.f32 s31, s23, s19\n"                 \
  "vadd.f32 %[s8], %[s8], s24\n"             \
  "vadd.f32 %[s9], %[s9], s25\n"             \
  "vadd.f32 %[s10], %[s10], s26\n"           \
  "vadd.f32 %[s11], %[s11], s27\n"           \
  "vadd.f32 %[s12], %[s12], s28\n"           \
  "vadd.f32 %[s13], %[s13], s29\n"           \
  "vadd.f32 %[s14], %[s14], s30\n"           \
  "vadd.f32 %[s15], %[s15], s31\n"
#endif

namespace tinytc {

/// Four pixels x four channels, all taps: sum[4 * p + c] = bias[c] + sum over rows r and k of
/// x[p * x_pixel + r * x_row + k] * w[r * w_row + 4 * k + c]. bias may be null. Strides in elements.
template <typename T>
TINYTC_INLINE void tile_block(T (&sum)[16], const T* x, int x_pixel, int x_row, const T* w, int w_row,
                              int rows, int n, const T* bias) {
  tile_start<4, 4>(sum, bias);
  for (int r = 0; r < rows; ++r) {
    tile_run<4, 4>(sum, TileStrides{x_pixel, 1, 1, 4}, x + r * x_row, w + r * w_row, n);
  }
}

#if defined(TINYTC_TILE_ASSEMBLY)
/// The same in assembly.
TINYTC_INLINE void tile_block(float (&sum)[16], const float* x, int x_pixel, int x_row, const float* w,
                              int w_row, int rows, int n, const float* bias) {
  const float zeros[4] = {0.0F, 0.0F, 0.0F, 0.0F};
  const float* start = bias != nullptr ? bias : zeros;
  int x3 = 4 * x_pixel;
  // r12 and lr: inputs of pixels 1 and 2.
  asm volatile(
      "vldr.32 %[s0], [%[start], #0]\n"
      "vldr.32 %[s1], [%[start], #4]\n"
      "vldr.32 %[s2], [%[start], #8]\n"
      "vldr.32 %[s3], [%[start], #12]\n"
      "add r12, %[x], %[x3]\n"
      "add lr, r12, %[x3]\n"
      "add %[x3], lr, %[x3]\n"
      "vmov.f32 %[s4], %[s0]\n"
      "vmov.f32 %[s5], %[s1]\n"
      "vmov.f32 %[s6], %[s2]\n"
      "vmov.f32 %[s7], %[s3]\n"
      "vmov.f32 %[s8], %[s0]\n"
      "vmov.f32 %[s9], %[s1]\n"
      "vmov.f32 %[s10], %[s2]\n"
      "vmov.f32 %[s11], %[s3]\n"
      "vmov.f32 %[s12], %[s0]\n"
      "vmov.f32 %[s13], %[s1]\n"
      "vmov.f32 %[s14], %[s2]\n"
      "vmov.f32 %[s15], %[s3]\n"
      "cmp %[rows], #0\n"
      "beq 5f\n"
      "1:\n"
      "lsrs %[start], %[n], #2\n"
      "beq 3f\n"
      "2:\n"
      TINYTC_TILE_STEP(0, 0, 4, 8, 12)
      TINYTC_TILE_STEP(4, 16, 20, 24, 28)
      TINYTC_TILE_STEP(8, 32, 36, 40, 44)
      TINYTC_TILE_STEP(12, 48, 52, 56, 60)
      "add %[x], #16\n"
      "add r12, #16\n"
      "add lr, #16\n"
      "add %[x3], #16\n"
      "add %[w], #64\n"
      "subs %[start], #1\n"
      "bne 2b\n"
      "3:\n"
      "ands %[start], %[n], #3\n"
      "beq 4f\n"
      "6:\n"
      TINYTC_TILE_STEP(0, 0, 4, 8, 12)
      "add %[x], #4\n"
      "add r12, #4\n"
      "add lr, #4\n"
      "add %[x3], #4\n"
      "add %[w], #16\n"
      "subs %[start], #1\n"
      "bne 6b\n"
      "4:\n"
      "subs %[rows], #1\n"
      "beq 5f\n"
      "add %[x], %[row]\n"
      "add r12, %[row]\n"
      "add lr, %[row]\n"
      "add %[x3], %[row]\n"
      "add %[w], %[w_row]\n"
      "b 1b\n"
      "5:\n"
      : [s0] "=&t"(sum[0]), [s1] "=&t"(sum[1]), [s2] "=&t"(sum[2]), [s3] "=&t"(sum[3]), [s4] "=&t"(sum[4]), [s5] "=&t"(sum[5]), [s6] "=&t"(sum[6]), [s7] "=&t"(sum[7]), [s8] "=&t"(sum[8]), [s9] "=&t"(sum[9]), [s10] "=&t"(sum[10]), [s11] "=&t"(sum[11]), [s12] "=&t"(sum[12]), [s13] "=&t"(sum[13]), [s14] "=&t"(sum[14]), [s15] "=&t"(sum[15]),
        [x] "+&r"(x), [x3] "+&r"(x3), [w] "+&r"(w), [rows] "+&r"(rows), [start] "+&r"(start)
      : [row] "r"(4 * (x_row - n)), [w_row] "r"(4 * w_row - 16 * n), [n] "r"(n)
      : "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", "r12", "lr", "cc", "memory");
}
#endif

/// One pixel x four channels, all taps: sum[c] = bias[c] + sum over rows r and k of x[r * x_row + k] * w[r *
/// w_row + 4 * k + c]. bias may be null. Strides in elements.
template <typename T>
TINYTC_INLINE void pixel_block(T (&sum)[16], const T* x, int x_row, const T* w, int w_row, int rows, int n,
                               const T* bias) {
  tile_start<1, 4>(sum, bias);
  for (int r = 0; r < rows; ++r) {
    tile_run<1, 4>(sum, TileStrides{0, 1, 1, 4}, x + r * x_row, w + r * w_row, n);
  }
}

#if defined(TINYTC_TILE_ASSEMBLY)
/// The same in assembly, four k a turn.
TINYTC_INLINE void pixel_block(float (&sum)[16], const float* x, int x_row, const float* w, int w_row,
                               int rows, int n, const float* bias) {
  const float zeros[4] = {0.0F, 0.0F, 0.0F, 0.0F};
  const float* start = bias != nullptr ? bias : zeros;
  asm volatile(
      "vldr.32 %[s0], [%[start], #0]\n"
      "vldr.32 %[s1], [%[start], #4]\n"
      "vldr.32 %[s2], [%[start], #8]\n"
      "vldr.32 %[s3], [%[start], #12]\n"
      "cmp %[rows], #0\n"
      "beq 5f\n"
      "1:\n"
      "lsrs %[start], %[n], #2\n"
      "beq 3f\n"
      "2:\n"
      "vldr.32 s8, [%[x], #0]\n"
      "vldr.32 s9, [%[x], #4]\n"
      "vldr.32 s10, [%[x], #8]\n"
      "vldr.32 s11, [%[x], #12]\n"
      "vldr.32 s12, [%[w], #0]\n"
      "vldr.32 s13, [%[w], #4]\n"
      "vldr.32 s14, [%[w], #8]\n"
      "vldr.32 s15, [%[w], #12]\n"
      "vldr.32 s16, [%[w], #16]\n"
      "vldr.32 s17, [%[w], #20]\n"
      "vldr.32 s18, [%[w], #24]\n"
      "vldr.32 s19, [%[w], #28]\n"
      "vldr.32 s20, [%[w], #32]\n"
      "vldr.32 s21, [%[w], #36]\n"
      "vldr.32 s22, [%[w], #40]\n"
      "vldr.32 s23, [%[w], #44]\n"
      "vldr.32 s24, [%[w], #48]\n"
      "vldr.32 s25, [%[w], #52]\n"
      "vldr.32 s26, [%[w], #56]\n"
      "vldr.32 s27, [%[w], #60]\n"
      "vmul.f32 s12, s12, s8\n"
      "vmul.f32 s13, s13, s8\n"
      "vmul.f32 s14, s14, s8\n"
      "vmul.f32 s15, s15, s8\n"
      "vmul.f32 s16, s16, s9\n"
      "vmul.f32 s17, s17, s9\n"
      "vmul.f32 s18, s18, s9\n"
      "vmul.f32 s19, s19, s9\n"
      "vmul.f32 s20, s20, s10\n"
      "vmul.f32 s21, s21, s10\n"
      "vmul.f32 s22, s22, s10\n"
      "vmul.f32 s23, s23, s10\n"
      "vmul.f32 s24, s24, s11\n"
      "vmul.f32 s25, s25, s11\n"
      "vmul.f32 s26, s26, s11\n"
      "vmul.f32 s27, s27, s11\n"
      "vadd.f32 %[s0], %[s0], s12\n"
      "vadd.f32 %[s1], %[s1], s13\n"
      "vadd.f32 %[s2], %[s2], s14\n"
      "vadd.f32 %[s3], %[s3], s15\n"
      "vadd.f32 %[s0], %[s0], s16\n"
      "vadd.f32 %[s1], %[s1], s17\n"
      "vadd.f32 %[s2], %[s2], s18\n"
      "vadd.f32 %[s3], %[s3], s19\n"
      "vadd.f32 %[s0], %[s0], s20\n"
      "vadd.f32 %[s1], %[s1], s21\n"
      "vadd.f32 %[s2], %[s2], s22\n"
      "vadd.f32 %[s3], %[s3], s23\n"
      "vadd.f32 %[s0], %[s0], s24\n"
      "vadd.f32 %[s1], %[s1], s25\n"
      "vadd.f32 %[s2], %[s2], s26\n"
      "vadd.f32 %[s3], %[s3], s27\n"
      "add %[x], #16\n"
      "add %[w], #64\n"
      "subs %[start], #1\n"
      "bne 2b\n"
      "3:\n"
      "ands %[start], %[n], #3\n"
      "beq 4f\n"
      "6:\n"
      "vldr.32 s8, [%[x], #0]\n"
      "vldr.32 s12, [%[w], #0]\n"
      "vldr.32 s13, [%[w], #4]\n"
      "vldr.32 s14, [%[w], #8]\n"
      "vldr.32 s15, [%[w], #12]\n"
      "vmul.f32 s12, s12, s8\n"
      "vmul.f32 s13, s13, s8\n"
      "vmul.f32 s14, s14, s8\n"
      "vmul.f32 s15, s15, s8\n"
      "vadd.f32 %[s0], %[s0], s12\n"
      "vadd.f32 %[s1], %[s1], s13\n"
      "vadd.f32 %[s2], %[s2], s14\n"
      "vadd.f32 %[s3], %[s3], s15\n"
      "add %[x], #4\n"
      "add %[w], #16\n"
      "subs %[start], #1\n"
      "bne 6b\n"
      "4:\n"
      "subs %[rows], #1\n"
      "beq 5f\n"
      "add %[x], %[row]\n"
      "add %[w], %[w_row]\n"
      "b 1b\n"
      "5:\n"
      : [s0] "=&t"(sum[0]), [s1] "=&t"(sum[1]), [s2] "=&t"(sum[2]), [s3] "=&t"(sum[3]), [x] "+&r"(x),
        [w] "+&r"(w), [rows] "+&r"(rows), [start] "+&r"(start)
      : [row] "r"(4 * (x_row - n)), [w_row] "r"(4 * w_row - 16 * n), [n] "r"(n)
      : "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22",
        "s23", "s24", "s25", "s26", "s27", "cc", "memory");
}
#endif

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_TILE_BLOCK_H
