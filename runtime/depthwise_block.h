// Inner blocks of depthwise convolution in Thumb-2 with a single-precision FPU beside portable twins of the
// same order of operations; see tile_block.h. Products replace the inputs in their registers.
#ifndef TINYTC_RUNTIME_DEPTHWISE_BLOCK_H
#define TINYTC_RUNTIME_DEPTHWISE_BLOCK_H

#include "runtime/base.h"
#include "runtime/tile.h"

namespace tinytc {

/// The taps of a depthwise tile, in elements. x_row and w_row lead from behind a row's last tap to the next
/// row's first.
struct DepthwiseTaps {
  int rows;
  int columns;
  int x_tap;
  int w_tap;
  int x_row;
  int w_row;
};

/// Adds one tap of P (4 or 1) pixels x 4 channels: sum[4 * p + c] += x[p * x_pixel + c] * w[c * w_channel].
template <int P, typename T>
TINYTC_INLINE void depthwise_step(T (&sum)[16], const T* x, int x_pixel, const T* w, int w_channel) {
  const T w0 = w[0];
  const T w1 = w[w_channel];
  const T w2 = w[2 * w_channel];
  const T w3 = w[3 * w_channel];
  sum[0] = mul_add(sum[0], x[0], w0);
  sum[1] = mul_add(sum[1], x[1], w1);
  sum[2] = mul_add(sum[2], x[2], w2);
  sum[3] = mul_add(sum[3], x[3], w3);
  if (P > 1) {
    sum[4] = mul_add(sum[4], x[x_pixel], w0);
    sum[5] = mul_add(sum[5], x[x_pixel + 1], w1);
    sum[6] = mul_add(sum[6], x[x_pixel + 2], w2);
    sum[7] = mul_add(sum[7], x[x_pixel + 3], w3);
    sum[8] = mul_add(sum[8], x[2 * x_pixel], w0);
    sum[9] = mul_add(sum[9], x[2 * x_pixel + 1], w1);
    sum[10] = mul_add(sum[10], x[2 * x_pixel + 2], w2);
    sum[11] = mul_add(sum[11], x[2 * x_pixel + 3], w3);
    sum[12] = mul_add(sum[12], x[3 * x_pixel], w0);
    sum[13] = mul_add(sum[13], x[3 * x_pixel + 1], w1);
    sum[14] = mul_add(sum[14], x[3 * x_pixel + 2], w2);
    sum[15] = mul_add(sum[15], x[3 * x_pixel + 3], w3);
  }
}

/// Adds one tap of one pixel x 16 channels: sum[c] += x[c] * w[c * w_channel].
template <typename T>
TINYTC_INLINE void depthwise_step_wide(T (&sum)[16], const T* x, const T* w, int w_channel) {
  sum[0] = mul_add(sum[0], x[0], w[0]);
  sum[1] = mul_add(sum[1], x[1], w[w_channel]);
  sum[2] = mul_add(sum[2], x[2], w[2 * w_channel]);
  sum[3] = mul_add(sum[3], x[3], w[3 * w_channel]);
  sum[4] = mul_add(sum[4], x[4], w[4 * w_channel]);
  sum[5] = mul_add(sum[5], x[5], w[5 * w_channel]);
  sum[6] = mul_add(sum[6], x[6], w[6 * w_channel]);
  sum[7] = mul_add(sum[7], x[7], w[7 * w_channel]);
  sum[8] = mul_add(sum[8], x[8], w[8 * w_channel]);
  sum[9] = mul_add(sum[9], x[9], w[9 * w_channel]);
  sum[10] = mul_add(sum[10], x[10], w[10 * w_channel]);
  sum[11] = mul_add(sum[11], x[11], w[11 * w_channel]);
  sum[12] = mul_add(sum[12], x[12], w[12 * w_channel]);
  sum[13] = mul_add(sum[13], x[13], w[13 * w_channel]);
  sum[14] = mul_add(sum[14], x[14], w[14 * w_channel]);
  sum[15] = mul_add(sum[15], x[15], w[15 * w_channel]);
}

/// Four pixels x four channels: bias (or zero where it is null), then all taps. Weights of neighbouring
/// channels neighbour.
template <typename T>
TINYTC_INLINE void depthwise_block(T (&sum)[16], const DepthwiseTaps& taps, const T* x, int x_pixel,
                                   const T* w, const T* bias) {
  tile_start<4, 4>(sum, bias);
  for (int ky = 0; ky < taps.rows; ++ky) {
    for (int kx = 0; kx < taps.columns; ++kx) {
      depthwise_step<4>(sum, x, x_pixel, w, 1);
      x += taps.x_tap;
      w += taps.w_tap;
    }
    x += taps.x_row;
    w += taps.w_row;
  }
}

/// One pixel x 16 channels: bias (or zero where it is null), then all taps. Weights of neighbouring channels
/// neighbour.
template <typename T>
TINYTC_INLINE void depthwise_block_wide(T (&sum)[16], const DepthwiseTaps& taps, const T* x, const T* w,
                                        const T* bias) {
  tile_start_row(sum, bias);
  for (int ky = 0; ky < taps.rows; ++ky) {
    for (int kx = 0; kx < taps.columns; ++kx) {
      depthwise_step_wide(sum, x, w, 1);
      x += taps.x_tap;
      w += taps.w_tap;
    }
    x += taps.x_row;
    w += taps.w_row;
  }
}

#if defined(TINYTC_TILE_ASSEMBLY)
/// depthwise_block in assembly.
TINYTC_INLINE void depthwise_block(float (&sum)[16], const DepthwiseTaps& taps, const float* x, int x_pixel,
                                   const float* w, const float* bias) {
  const float zeros[4] = {0.0F, 0.0F, 0.0F, 0.0F};
  const int steps[3] = {taps.columns, 4 * taps.x_row, 4 * taps.w_row};
  const float* start = bias != nullptr ? bias : zeros;
  int rows = taps.rows;
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
      "beq 3f\n"
      "1:\n"
      "ldr %[start], [%[steps]]\n"
      "cmp %[start], #0\n"
      "beq 3f\n"
      "2:\n"
      "vldr.32 s16, [%[w], #0]\n"
      "vldr.32 s17, [%[w], #4]\n"
      "vldr.32 s18, [%[w], #8]\n"
      "vldr.32 s19, [%[w], #12]\n"
      "vldr.32 s20, [%[x], #0]\n"
      "vldr.32 s21, [%[x], #4]\n"
      "vldr.32 s22, [%[x], #8]\n"
      "vldr.32 s23, [%[x], #12]\n"
      "vldr.32 s24, [r12, #0]\n"
      "vldr.32 s25, [r12, #4]\n"
      "vldr.32 s26, [r12, #8]\n"
      "vldr.32 s27, [r12, #12]\n"
      "vldr.32 s28, [lr, #0]\n"
      "vldr.32 s29, [lr, #4]\n"
      "vldr.32 s30, [lr, #8]\n"
      "vldr.32 s31, [lr, #12]\n"
      "vmul.f32 s20, s20, s16\n"
      "vmul.f32 s21, s21, s17\n"
      "vmul.f32 s22, s22, s18\n"
      "vmul.f32 s23, s23, s19\n"
      "vmul.f32 s24, s24, s16\n"
      "vmul.f32 s25, s25, s17\n"
      "vmul.f32 s26, s26, s18\n"
      "vmul.f32 s27, s27, s19\n"
      "vmul.f32 s28, s28, s16\n"
      "vmul.f32 s29, s29, s17\n"
      "vmul.f32 s30, s30, s18\n"
      "vmul.f32 s31, s31, s19\n"
      "vadd.f32 %[s0], %[s0], s20\n"
      "vadd.f32 %[s1], %[s1], s21\n"
      "vadd.f32 %[s2], %[s2], s22\n"
      "vadd.f32 %[s3], %[s3], s23\n"
      "vadd.f32 %[s4], %[s4], s24\n"
      "vadd.f32 %[s5], %[s5], s25\n"
      "vadd.f32 %[s6], %[s6], s26\n"
      "vadd.f32 %[s7], %[s7], s27\n"
      "vadd.f32 %[s8], %[s8], s28\n"
      "vadd.f32 %[s9], %[s9], s29\n"
      "vadd.f32 %[s10], %[s10], s30\n"
      "vadd.f32 %[s11], %[s11], s31\n"
      "vldr.32 s20, [%[x3], #0]\n"
      "vldr.32 s21, [%[x3], #4]\n"
      "vldr.32 s22, [%[x3], #8]\n"
      "vldr.32 s23, [%[x3], #12]\n"
      "vmul.f32 s20, s20, s16\n"
      "vmul.f32 s21, s21, s17\n"
      "vmul.f32 s22, s22, s18\n"
      "vmul.f32 s23, s23, s19\n"
      "vadd.f32 %[s12], %[s12], s20\n"
      "vadd.f32 %[s13], %[s13], s21\n"
      "vadd.f32 %[s14], %[s14], s22\n"
      "vadd.f32 %[s15], %[s15], s23\n"
      "add %[x], %[x], %[tap]\n"
      "add r12, r12, %[tap]\n"
      "add lr, lr, %[tap]\n"
      "add %[x3], %[x3], %[tap]\n"
      "add %[w], %[w_tap]\n"
      "subs %[start], #1\n"
      "bne 2b\n"
      "ldr %[start], [%[steps], #4]\n"
      "add %[x], %[x], %[start]\n"
      "add r12, r12, %[start]\n"
      "add lr, lr, %[start]\n"
      "add %[x3], %[x3], %[start]\n"
      "ldr %[start], [%[steps], #8]\n"
      "add %[w], %[start]\n"
      "subs %[rows], #1\n"
      "bne 1b\n"
      "3:\n"
      : [s0] "=&t"(sum[0]), [s1] "=&t"(sum[1]), [s2] "=&t"(sum[2]), [s3] "=&t"(sum[3]), [s4] "=&t"(sum[4]),
        [s5] "=&t"(sum[5]), [s6] "=&t"(sum[6]), [s7] "=&t"(sum[7]), [s8] "=&t"(sum[8]), [s9] "=&t"(sum[9]),
        [s10] "=&t"(sum[10]), [s11] "=&t"(sum[11]), [s12] "=&t"(sum[12]), [s13] "=&t"(sum[13]),
        [s14] "=&t"(sum[14]), [s15] "=&t"(sum[15]), [x] "+&r"(x), [x3] "+&r"(x3), [w] "+&r"(w),
        [rows] "+&r"(rows), [start] "+&r"(start)
      : [tap] "r"(4 * taps.x_tap), [w_tap] "r"(4 * taps.w_tap), [steps] "r"(steps)
      : "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29",
        "s30", "s31", "r12", "lr", "cc", "memory");
}

/// depthwise_block_wide in assembly.
TINYTC_INLINE void depthwise_block_wide(float (&sum)[16], const DepthwiseTaps& taps, const float* x,
                                        const float* w, const float* bias) {
  const float zeros[16] = {};
  const int steps[3] = {taps.columns, 4 * taps.x_row, 4 * taps.w_row};
  const float* start = bias != nullptr ? bias : zeros;
  int rows = taps.rows;
  asm volatile(
      "vldr.32 %[s0], [%[start], #0]\n"
      "vldr.32 %[s1], [%[start], #4]\n"
      "vldr.32 %[s2], [%[start], #8]\n"
      "vldr.32 %[s3], [%[start], #12]\n"
      "vldr.32 %[s4], [%[start], #16]\n"
      "vldr.32 %[s5], [%[start], #20]\n"
      "vldr.32 %[s6], [%[start], #24]\n"
      "vldr.32 %[s7], [%[start], #28]\n"
      "vldr.32 %[s8], [%[start], #32]\n"
      "vldr.32 %[s9], [%[start], #36]\n"
      "vldr.32 %[s10], [%[start], #40]\n"
      "vldr.32 %[s11], [%[start], #44]\n"
      "vldr.32 %[s12], [%[start], #48]\n"
      "vldr.32 %[s13], [%[start], #52]\n"
      "vldr.32 %[s14], [%[start], #56]\n"
      "vldr.32 %[s15], [%[start], #60]\n"
      "cmp %[rows], #0\n"
      "beq 3f\n"
      "1:\n"
      "ldr %[start], [%[steps]]\n"
      "cmp %[start], #0\n"
      "beq 3f\n"
      "2:\n"
      "vldr.32 s16, [%[w], #0]\n"
      "vldr.32 s17, [%[w], #4]\n"
      "vldr.32 s18, [%[w], #8]\n"
      "vldr.32 s19, [%[w], #12]\n"
      "vldr.32 s20, [%[w], #16]\n"
      "vldr.32 s21, [%[w], #20]\n"
      "vldr.32 s22, [%[w], #24]\n"
      "vldr.32 s23, [%[w], #28]\n"
      "vldr.32 s24, [%[x], #0]\n"
      "vldr.32 s25, [%[x], #4]\n"
      "vldr.32 s26, [%[x], #8]\n"
      "vldr.32 s27, [%[x], #12]\n"
      "vldr.32 s28, [%[x], #16]\n"
      "vldr.32 s29, [%[x], #20]\n"
      "vldr.32 s30, [%[x], #24]\n"
      "vldr.32 s31, [%[x], #28]\n"
      "vmul.f32 s24, s24, s16\n"
      "vmul.f32 s25, s25, s17\n"
      "vmul.f32 s26, s26, s18\n"
      "vmul.f32 s27, s27, s19\n"
      "vmul.f32 s28, s28, s20\n"
      "vmul.f32 s29, s29, s21\n"
      "vmul.f32 s30, s30, s22\n"
      "vmul.f32 s31, s31, s23\n"
      "vadd.f32 %[s0], %[s0], s24\n"
      "vadd.f32 %[s1], %[s1], s25\n"
      "vadd.f32 %[s2], %[s2], s26\n"
      "vadd.f32 %[s3], %[s3], s27\n"
      "vadd.f32 %[s4], %[s4], s28\n"
      "vadd.f32 %[s5], %[s5], s29\n"
      "vadd.f32 %[s6], %[s6], s30\n"
      "vadd.f32 %[s7], %[s7], s31\n"
      "vldr.32 s16, [%[w], #32]\n"
      "vldr.32 s17, [%[w], #36]\n"
      "vldr.32 s18, [%[w], #40]\n"
      "vldr.32 s19, [%[w], #44]\n"
      "vldr.32 s20, [%[w], #48]\n"
      "vldr.32 s21, [%[w], #52]\n"
      "vldr.32 s22, [%[w], #56]\n"
      "vldr.32 s23, [%[w], #60]\n"
      "vldr.32 s24, [%[x], #32]\n"
      "vldr.32 s25, [%[x], #36]\n"
      "vldr.32 s26, [%[x], #40]\n"
      "vldr.32 s27, [%[x], #44]\n"
      "vldr.32 s28, [%[x], #48]\n"
      "vldr.32 s29, [%[x], #52]\n"
      "vldr.32 s30, [%[x], #56]\n"
      "vldr.32 s31, [%[x], #60]\n"
      "vmul.f32 s24, s24, s16\n"
      "vmul.f32 s25, s25, s17\n"
      "vmul.f32 s26, s26, s18\n"
      "vmul.f32 s27, s27, s19\n"
      "vmul.f32 s28, s28, s20\n"
      "vmul.f32 s29, s29, s21\n"
      "vmul.f32 s30, s30, s22\n"
      "vmul.f32 s31, s31, s23\n"
      "vadd.f32 %[s8], %[s8], s24\n"
      "vadd.f32 %[s9], %[s9], s25\n"
      "vadd.f32 %[s10], %[s10], s26\n"
      "vadd.f32 %[s11], %[s11], s27\n"
      "vadd.f32 %[s12], %[s12], s28\n"
      "vadd.f32 %[s13], %[s13], s29\n"
      "vadd.f32 %[s14], %[s14], s30\n"
      "vadd.f32 %[s15], %[s15], s31\n"
      "add %[x], %[tap]\n"
      "add %[w], %[w_tap]\n"
      "subs %[start], #1\n"
      "bne 2b\n"
      "ldr %[start], [%[steps], #4]\n"
      "add %[x], %[start]\n"
      "ldr %[start], [%[steps], #8]\n"
      "add %[w], %[start]\n"
      "subs %[rows], #1\n"
      "bne 1b\n"
      "3:\n"
      : [s0] "=&t"(sum[0]), [s1] "=&t"(sum[1]), [s2] "=&t"(sum[2]), [s3] "=&t"(sum[3]), [s4] "=&t"(sum[4]),
        [s5] "=&t"(sum[5]), [s6] "=&t"(sum[6]), [s7] "=&t"(sum[7]), [s8] "=&t"(sum[8]), [s9] "=&t"(sum[9]),
        [s10] "=&t"(sum[10]), [s11] "=&t"(sum[11]), [s12] "=&t"(sum[12]), [s13] "=&t"(sum[13]),
        [s14] "=&t"(sum[14]), [s15] "=&t"(sum[15]), [x] "+&r"(x), [w] "+&r"(w), [rows] "+&r"(rows),
        [start] "+&r"(start)
      : [tap] "r"(4 * taps.x_tap), [w_tap] "r"(4 * taps.w_tap), [steps] "r"(steps)
      : "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29",
        "s30", "s31", "cc", "memory");
}
#endif

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_DEPTHWISE_BLOCK_H
