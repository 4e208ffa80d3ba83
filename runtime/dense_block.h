// The inner block of dense layers: one row of inputs against eight columns of weights, in the assembly and in
// the portable form that the head of tile_block.h describes. Sums stand in s0-s7, the inputs of four k in
// s8-s11, weights and then their products in s12-s27.
#ifndef TINYTC_RUNTIME_DENSE_BLOCK_H
#define TINYTC_RUNTIME_DENSE_BLOCK_H

#include "runtime/base.h"
#include "runtime/tile.h"

#if defined(TINYTC_TILE_ASSEMBLY)
// Four k of 1 row x 8 columns: inputs and all eight columns at byte offsets a0 .. a3.
#define TINYTC_DENSE_STEP(a0, a1, a2, a3) \
  "vldr.32 s8, [%[x], #" #a0              \
  "]\n"                                   \
  "vldr.32 s9, [%[x], #" #a1              \
  "]\n"                                   \
  "vldr.32 s10, [%[x], #" #a2             \
  "]\n"                                   \
  "vldr.32 s11, [%[x], #" #a3             \
  "]\n"                                   \
  "vldr.32 s12, [%[w0], #" #a0            \
  "]\n"                                   \
  "vldr.32 s13, [%[w0], #" #a1            \
  "]\n"                                   \
  "vldr.32 s14, [%[w0], #" #a2            \
  "]\n"                                   \
  "vldr.32 s15, [%[w0], #" #a3            \
  "]\n"                                   \
  "vldr.32 s16, [%[w1], #" #a0            \
  "]\n"                                   \
  "vldr.32 s17, [%[w1], #" #a1            \
  "]\n"                                   \
  "vldr.32 s18, [%[w1], #" #a2            \
  "]\n"                                   \
  "vldr.32 s19, [%[w1], #" #a3            \
  "]\n"                                   \
  "vldr.32 s20, [%[w2], #" #a0            \
  "]\n"                                   \
  "vldr.32 s21, [%[w2], #" #a1            \
  "]\n"                                   \
  "vldr.32 s22, [%[w2], #" #a2            \
  "]\n"                                   \
  "vldr.32 s23, [%[w2], #" #a3            \
  "]\n"                                   \
  "vldr.32 s24, [%[w3], #" #a0            \
  "]\n"                                   \
  "vldr.32 s25, [%[w3], #" #a1            \
  "]\n"                                   \
  "vldr.32 s26, [%[w3], #" #a2            \
  "]\n"                                   \
  "vldr.32 s27, [%[w3], #" #a3            \
  "]\n"                                   \
  "vmul.f32 s12, s12, s8\n"               \
  "vmul.f32 s16, s16, s8\n"               \
  "vmul.f32 s20, s20, s8\n"               \
  "vmul.f32 s24, s24, s8\n"               \
  "vmul.f32 s13, s13, s9\n"               \
  "vmul.f32 s17, s17, s9\n"               \
  "vmul.f32 s21, s21, s9\n"               \
  "vmul.f32 s25, s25, s9\n"               \
  "vmul.f32 s14, s14, s10\n"              \
  "vmul.f32 s18, s18, s10\n"              \
  "vmul.f32 s22, s22, s10\n"              \
  "vmul.f32 s26, s26, s10\n"              \
  "vmul.f32 s15, s15, s11\n"              \
  "vmul.f32 s19, s19, s11\n"              \
  "vmul.f32 s23, s23, s11\n"              \
  "vmul.f32 s27, s27, s11\n"              \
  "vadd.f32 %[s0], %[s0], s12\n"          \
  "vadd.f32 %[s1], %[s1], s16\n"          \
  "vadd.f32 %[s2], %[s2], s20\n"          \
  "vadd.f32 %[s3], %[s3], s24\n"          \
  "vadd.f32 %[s0], %[s0], s13\n"          \
  "vadd.f32 %[s1], %[s1], s17\n"          \
  "vadd.f32 %[s2], %[s2], s21\n"          \
  "vadd.f32 %[s3], %[s3], s25\n"          \
  "vadd.f32 %[s0], %[s0], s14\n"          \
  "vadd.f32 %[s1], %[s1], s18\n"          \
  "vadd.f32 %[s2], %[s2], s22\n"          \
  "vadd.f32 %[s3], %[s3], s26\n"          \
  "vadd.f32 %[s0], %[s0], s15\n"          \
  "vadd.f32 %[s1], %[s1], s19\n"          \
  "vadd.f32 %[s2], %[s2], s23\n"          \
  "vadd.f32 %[s3], %[s3], s27\n"          \
  "vldr.32 s12, [%[w4], #" #a0            \
  "]\n"                                   \
  "vldr.32 s13, [%[w4], #" #a1            \
  "]\n"                                   \
  "vldr.32 s14, [%[w4], #" #a2            \
  "]\n"                                   \
  "vldr.32 s15, [%[w4], #" #a3            \
  "]\n"                                   \
  "vldr.32 s16, [%[w5], #" #a0            \
  "]\n"                                   \
  "vldr.32 s17, [%[w5], #" #a1            \
  "]\n"                                   \
  "vldr.32 s18, [%[w5], #" #a2            \
  "]\n"                                   \
  "vldr.32 s19, [%[w5], #" #a3            \
  "]\n"                                   \
  "vldr.32 s20, [%[w6], #" #a0            \
  "]\n"                                   \
  "vldr.32 s21, [%[w6], #" #a1            \
  "]\n"                                   \
  "vldr.32 s22, [%[w6], #" #a2            \
  "]\n"                                   \
  "vldr.32 s23, [%[w6], #" #a3            \
  "]\n"                                   \
  "vldr.32 s24, [%[w7], #" #a0            \
  "]\n"                                   \
  "vldr.32 s25, [%[w7], #" #a1            \
  "]\n"                                   \
  "vldr.32 s26, [%[w7], #" #a2            \
  "]\n"                                   \
  "vldr.32 s27, [%[w7], #" #a3            \
  "]\n"                                   \
  "vmul.f32 s12, s12, s8\n"               \
  "vmul.f32 s16, s16, s8\n"               \
  "vmul.f32 s20, s20, s8\n"               \
  "vmul.f32 s24, s24, s8\n"               \
  "vmul.f32 s13, s13, s9\n"               \
  "vmul.f32 s17, s17, s9\n"               \
  "vmul.f32 s21, s21, s9\n"               \
  "vmul.f32 s25, s25, s9\n"               \
  "vmul.f32 s14, s14, s10\n"              \
  "vmul.f32 s18, s18, s10\n"              \
  "vmul.f32 s22, s22, s10\n"              \
  "vmul.f32 s26, s26, s10\n"              \
  "vmul.f32 s15, s15, s11\n"              \
  "vmul.f32 s19, s19, s11\n"              \
  "vmul.f32 s23, s23, s11\n"              \
  "vmul.f32 s27, s27, s11\n"              \
  "vadd.f32 %[s4], %[s4], s12\n"          \
  "vadd.f32 %[s5], %[s5], s16\n"          \
  "vadd.f32 %[s6], %[s6], s20\n"          \
  "vadd.f32 %[s7], %[s7], s24\n"          \
  "vadd.f32 %[s4], %[s4], s13\n"          \
  "vadd.f32 %[s5], %[s5], s17\n"          \
  "vadd.f32 %[s6], %[s6], s21\n"          \
  "vadd.f32 %[s7], %[s7], s25\n"          \
  "vadd.f32 %[s4], %[s4], s14\n"          \
  "vadd.f32 %[s5], %[s5], s18\n"          \
  "vadd.f32 %[s6], %[s6], s22\n"          \
  "vadd.f32 %[s7], %[s7], s26\n"          \
  "vadd.f32 %[s4], %[s4], s15\n"          \
  "vadd.f32 %[s5], %[s5], s19\n"          \
  "vadd.f32 %[s6], %[s6], s23\n"          \
  "vadd.f32 %[s7], %[s7], s27\n"
#endif

namespace tinytc {

/// One row x eight columns, neighbouring k in both factors: sum[c] += x[k] * w[c * w_column + k] for k = 0 ..
/// 4 * quads - 1.
template <typename T>
TINYTC_INLINE void dense_block(T (&sum)[8], const T* x, const T* w, int w_column, int quads) {
  for (int q = 0; q < quads; ++q) {
    for (int k = 4 * q; k < 4 * q + 4; ++k) {
      sum[0] = mul_add(sum[0], x[k], w[k]);
      sum[1] = mul_add(sum[1], x[k], w[k + w_column]);
      sum[2] = mul_add(sum[2], x[k], w[k + 2 * w_column]);
      sum[3] = mul_add(sum[3], x[k], w[k + 3 * w_column]);
      sum[4] = mul_add(sum[4], x[k], w[k + 4 * w_column]);
      sum[5] = mul_add(sum[5], x[k], w[k + 5 * w_column]);
      sum[6] = mul_add(sum[6], x[k], w[k + 6 * w_column]);
      sum[7] = mul_add(sum[7], x[k], w[k + 7 * w_column]);
    }
  }
}

#if defined(TINYTC_TILE_ASSEMBLY)
/// The same in assembly, 16 k a turn.
TINYTC_INLINE void dense_block(float (&sum)[8], const float* x, const float* w, int w_column, int quads) {
  const float *w1, *w2, *w3, *w4, *w5, *w6;
  int w7 = 4 * w_column;
  int turns;
  asm volatile(
      "add %[w1], %[w0], %[w7]\n"
      "add %[w2], %[w1], %[w7]\n"
      "add %[w3], %[w2], %[w7]\n"
      "add %[w4], %[w3], %[w7]\n"
      "add %[w5], %[w4], %[w7]\n"
      "add %[w6], %[w5], %[w7]\n"
      "add %[w7], %[w6], %[w7]\n"
      "lsrs %[turns], %[quads], #2\n"
      "beq 2f\n"
      "1:\n"
      TINYTC_DENSE_STEP(0, 4, 8, 12)
      TINYTC_DENSE_STEP(16, 20, 24, 28)
      TINYTC_DENSE_STEP(32, 36, 40, 44)
      TINYTC_DENSE_STEP(48, 52, 56, 60)
      "add %[x], #64\n"
      "add %[w0], #64\n"
      "add %[w1], #64\n"
      "add %[w2], #64\n"
      "add %[w3], #64\n"
      "add %[w4], #64\n"
      "add %[w5], #64\n"
      "add %[w6], #64\n"
      "add %[w7], #64\n"
      "subs %[turns], #1\n"
      "bne 1b\n"
      "2:\n"
      "ands %[turns], %[quads], #3\n"
      "beq 4f\n"
      "3:\n"
      TINYTC_DENSE_STEP(0, 4, 8, 12)
      "add %[x], #16\n"
      "add %[w0], #16\n"
      "add %[w1], #16\n"
      "add %[w2], #16\n"
      "add %[w3], #16\n"
      "add %[w4], #16\n"
      "add %[w5], #16\n"
      "add %[w6], #16\n"
      "add %[w7], #16\n"
      "subs %[turns], #1\n"
      "bne 3b\n"
      "4:\n"
      : [s0] "+t"(sum[0]), [s1] "+t"(sum[1]), [s2] "+t"(sum[2]), [s3] "+t"(sum[3]), [s4] "+t"(sum[4]), [s5] "+t"(sum[5]), [s6] "+t"(sum[6]), [s7] "+t"(sum[7]), [x] "+&r"(x), [w0] "+&r"(w), [w1] "=&r"(w1), [w2] "=&r"(w2), [w3] "=&r"(w3), [w4] "=&r"(w4), [w5] "=&r"(w5), [w6] "=&r"(w6), [w7] "+&r"(w7), [turns] "=&r"(turns)
      : [quads] "r"(quads)
      : "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "cc", "memory");
}
#endif

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_DENSE_BLOCK_H
