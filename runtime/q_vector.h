// The inner blocks of int8 convolutions and dense layers for cores that multiply vectors of 16 int8 (Arm's
// Helium, the M-profile Vector Extension): dot products of 16 elements an instruction, with requantization.
//
// A patch of K elements stands in memory as it is, and what lies between K and the next multiple of 16 meets
// weights that are 0. Weights of a block of channels (4 or 8) are one stream, which the block reads from
// front to back: for every 16 elements the channels' 16 weights each, then the biases, then the multipliers.
//
// An accumulating multiplication (VMLADAVA) adds to an even general-purpose register, of which there are
// eight; pointers live in the odd ones. So the assembly needs all registers, keeps r7 itself (it may be the
// frame pointer) and has its arguments on the stack. The loop is entered in the middle, so that no count
// needs a tail. The portable twins read the same weights and give the same bits.
#ifndef TINYTC_RUNTIME_Q_VECTOR_H
#define TINYTC_RUNTIME_Q_VECTOR_H

#include "runtime/q_base.h"

#if defined(TINYTC_MVE)
#define TINYTC_QV_CLOBBERS                                                                                 \
  "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", "q2", "q3", "cc", \
      "memory"
// 16 elements of two pixels (r3, r5) and four channels (r1); MUL is vmladav or vmladava. 56 bytes.
#define TINYTC_QV_STEP_2X4(MUL)                          \
  "vldrb.8 q0, [r3], #16\n"                              \
  "vldrw.32 q2, [r1], #16\n"                             \
  "vldrb.8 q1, [r5], #16\n" MUL                          \
  ".s8 r0, q0, q2\n"                                     \
  "vldrw.32 q3, [r1], #16\n" MUL ".s8 r8, q1, q2\n" MUL  \
  ".s8 r2, q0, q3\n"                                     \
  "vldrw.32 q2, [r1], #16\n" MUL ".s8 r10, q1, q3\n" MUL \
  ".s8 r4, q0, q2\n"                                     \
  "vldrw.32 q3, [r1], #16\n" MUL ".s8 r12, q1, q2\n" MUL ".s8 r6, q0, q3\n" MUL ".s8 lr, q1, q3\n"
// 16 elements of one row (r3) and eight channels (r1). 68 bytes.
#define TINYTC_QV_STEP_1X8(MUL)  \
  "vldrb.8 q0, [r3], #16\n"      \
  "vldrw.32 q1, [r1], #16\n"     \
  "vldrw.32 q2, [r1], #16\n" MUL \
  ".s8 r0, q0, q1\n"             \
  "vldrw.32 q1, [r1], #16\n" MUL \
  ".s8 r2, q0, q2\n"             \
  "vldrw.32 q2, [r1], #16\n" MUL \
  ".s8 r4, q0, q1\n"             \
  "vldrw.32 q1, [r1], #16\n" MUL \
  ".s8 r6, q0, q2\n"             \
  "vldrw.32 q2, [r1], #16\n" MUL \
  ".s8 r8, q0, q1\n"             \
  "vldrw.32 q1, [r1], #16\n" MUL \
  ".s8 r10, q0, q2\n"            \
  "vldrw.32 q2, [r1], #16\n" MUL ".s8 r12, q0, q1\n" MUL ".s8 lr, q0, q2\n"
#define TINYTC_QV_EIGHT(STEP) STEP STEP STEP STEP STEP STEP STEP STEP
// Copies the arguments to the stack and r7 behind them; the first block's registers.
#define TINYTC_QV_ENTER                             \
  "sub sp, sp, #40\n"                               \
  "ldm r0, {r1, r2, r3, r4, r5, r6, r8, r9, r10}\n" \
  "stm sp, {r1, r2, r3, r4, r5, r6, r8, r9, r10}\n" \
  "str r7, [sp, #36]\n"                             \
  "mov r1, r5\n"                                    \
  "mov r11, r3\n"                                   \
  "mov r9, r4\n"                                    \
  "mov r7, r6\n"                                    \
  "sub r6, r8, r6\n"
// One block's sums: the first step starts them, r9 bytes of the others are left out at first.
#define TINYTC_QV_SUMS(STEP) \
  STEP("vmladav")            \
  "add pc, r9\n"                         \
  "nop\n"                                \
  "1:\n" TINYTC_QV_EIGHT(STEP("vmladava")) \
  "cmp r3, r11\n"                         \
  "bne 1b\n"
#define TINYTC_QV_LEAVE \
  "ldr r7, [sp, #36]\n" \
  "add sp, sp, #40\n"
#endif

namespace tinytc {

/// Elements of a vector.
constexpr int q_vector = 16;

/// Vectors that hold `elements`.
TINYTC_INLINE constexpr int q_vectors(int elements) { return (elements + q_vector - 1) / q_vector; }

/// Words of the weights of one block of `channels` channels.
TINYTC_INLINE constexpr int q_vector_block_words(int channels, int elements) {
  return channels * (q_vectors(elements) * q_vector / 4 + 2);
}

/// Weights of one output channel: element k = tap * inputs + input stands at input * taps + tap.
struct QVectorOrder {
  int inputs;
  int taps;
};

/// Puts a block of `channels` channels (4 or 8), of which `width` exist, into words. w, bias, multiplier: of
/// its first channel.
constexpr void q_vector_pack(int channels, int width, const QVectorOrder& order, const std::int8_t* w,
                             const std::int32_t* bias, const std::int32_t* multiplier, std::uint32_t* words) {
  const int elements = order.inputs * order.taps;
  for (int k = 0; k < q_vector_block_words(channels, elements); ++k) words[k] = 0;
  std::uint32_t* numbers = words + channels * q_vectors(elements) * q_vector / 4;
  for (int c = 0; c < width; ++c) {
    for (int k = 0; k < elements; ++k) {
      const int byte = (k / q_vector * channels + c) * q_vector + k % q_vector;
      const std::uint32_t weight =
          static_cast<std::uint32_t>(w[c * elements + k % order.inputs * order.taps + k / order.inputs]) &
          0xFFU;
      words[byte / 4] |= weight << (byte % 4 * 8);
    }
    const int place =
        channels == 4 ? c : c % 2 * 4 + c / 2;  // 8: even channels in one vector, odd in another
    numbers[place] = static_cast<std::uint32_t>(bias[c]);
    numbers[channels + place] = static_cast<std::uint32_t>(multiplier[c]);
  }
}

/// Channel c of a block, portably. x: `elements`; words: the block's.
TINYTC_INLINE std::int8_t q_vector_channel(int channels, int elements, const std::int8_t* x, int c,
                                           const std::uint32_t* words, int zero_point) {
  const std::uint32_t* numbers = words + channels * q_vectors(elements) * q_vector / 4;
  const int place = channels == 4 ? c : c % 2 * 4 + c / 2;
  std::int32_t sum = static_cast<std::int32_t>(numbers[place]);
  for (int k = 0; k < elements; ++k) {
    const int byte = (k / q_vector * channels + c) * q_vector + k % q_vector;
    const std::uint32_t word = words[byte / 4] >> (byte % 4 * 8);
    sum = q_add_wrapping(sum, x[k] * static_cast<std::int8_t>(word & 0xFFU));
  }
  const std::int32_t multiplier = static_cast<std::int32_t>(numbers[channels + place]);
  return q_clamp(q_multiply_high(zero_point, sum, multiplier), QOutput{zero_point, -128, 127});
}

#if defined(TINYTC_MVE)
/// Arguments of the assembly, which knows their offsets.
struct QVectorArguments {
  const std::int8_t* x0;
  const std::int8_t* x1;
  const std::int8_t* x0_end;
  int skip;  ///< bytes of code to leave out at first
  const std::uint32_t* w;
  std::int8_t* y;
  const std::int8_t* y_end;
  int next;  ///< from the first pixel's output to the second's
  int zero_point;
};

/// Bytes of code that the first turn of a loop of eight steps leaves out.
TINYTC_INLINE constexpr int q_vector_skip(int vectors, int step_bytes) {
  return vectors == 1 ? 8 * step_bytes : (8 - (vectors - 1) % 8) % 8 * step_bytes;
}

/// Two pixels, blocks of four channels from y to y_end, the last one perhaps narrower. Each sum is rounded
/// with one multiply; narrowing to 16 bits before the zero point is added changes no clamped result.
TINYTC_NOINLINE inline void q_vector_bytes_2x4(const QVectorArguments& arguments) {
  register const QVectorArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_QV_ENTER
      "vctp.32 r6\n"
      "2:\n"
      "ldrd r3, r5, [sp]\n" TINYTC_QV_SUMS(TINYTC_QV_STEP_2X4)
      "vldrw.32 q2, [r1], #16\n"
      "vmov q0[2], q0[0], r0, r4\n"
      "vmov q0[3], q0[1], r2, r6\n"
      "vldrw.32 q3, [r1], #16\n"
      "vadd.i32 q0, q0, q2\n"
      "vmov q1[2], q1[0], r8, r12\n"
      "vmov q1[3], q1[1], r10, lr\n"
      "vrmulh.s32 q0, q0, q3\n"
      "vadd.i32 q1, q1, q2\n"
      "ldrd r2, r4, [sp, #28]\n"
      "vrmulh.s32 q1, q1, q3\n"
      "vqmovnb.s32 q0, q0\n"
      "add r2, r2, r7\n"
      "vqmovnt.s32 q0, q1\n"
      "ldr r6, [sp, #24]\n"
      "vqadd.s16 q0, q0, r4\n"
      "vqmovnb.s16 q0, q0\n"
      "vpst\n"
      "vstrbt.32 q0, [r7], #4\n"
      "vshr.u32 q0, q0, #16\n"
      "subs r6, r6, r7\n"
      "vpst\n"
      "vstrbt.32 q0, [r2]\n"
      "vctp.32 r6\n"
      "bgt 2b\n" TINYTC_QV_LEAVE
      : "+r"(at)
      :
      : TINYTC_QV_CLOBBERS);
}

/// One row (x0), blocks of eight channels from y to y_end; as q_vector_bytes_2x4.
TINYTC_NOINLINE inline void q_vector_bytes_1x8(const QVectorArguments& arguments) {
  register const QVectorArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_QV_ENTER
      "vctp.16 r6\n"
      "2:\n"
      "ldr r3, [sp]\n" TINYTC_QV_SUMS(TINYTC_QV_STEP_1X8)
      "vldrw.32 q2, [r1], #16\n"
      "vmov q0[2], q0[0], r0, r8\n"
      "vmov q0[3], q0[1], r4, r12\n"
      "vldrw.32 q3, [r1], #16\n"
      "vadd.i32 q0, q0, q2\n"
      "vmov q1[2], q1[0], r2, r10\n"
      "vmov q1[3], q1[1], r6, lr\n"
      "vldrw.32 q2, [r1], #16\n"
      "vadd.i32 q1, q1, q3\n"
      "ldr r4, [sp, #32]\n"
      "vrmulh.s32 q0, q0, q2\n"
      "vldrw.32 q3, [r1], #16\n"
      "vqmovnb.s32 q0, q0\n"
      "vrmulh.s32 q1, q1, q3\n"
      "ldr r6, [sp, #24]\n"
      "vqmovnt.s32 q0, q1\n"
      "vqadd.s16 q0, q0, r4\n"
      "vqmovnb.s16 q0, q0\n"
      "vpst\n"
      "vstrbt.16 q0, [r7], #8\n"
      "subs r6, r6, r7\n"
      "vctp.16 r6\n"
      "bgt 2b\n" TINYTC_QV_LEAVE
      : "+r"(at)
      :
      : TINYTC_QV_CLOBBERS);
}
#endif

/// Two pixels, `channels` output channels: y0[c] = clamp(zero point + round(scale (bias + sum))), y1 the same
/// of x1. x0, x1: `elements`, readable up to a multiple of 16; w: blocks of four; y1 may be y0.
TINYTC_INLINE void q_vector_two(int elements, int channels, const std::int8_t* x0, const std::int8_t* x1,
                                const std::uint32_t* w, int zero_point, std::int8_t* y0, std::int8_t* y1) {
#if defined(TINYTC_MVE)
  const int vectors = q_vectors(elements);
  q_vector_bytes_2x4(QVectorArguments{x0, x1, x0 + vectors * q_vector, q_vector_skip(vectors, 56), w, y0,
                                      y0 + channels, static_cast<int>(y1 - y0), zero_point});
#else
  for (int c = 0; c < channels; ++c) {
    const std::uint32_t* words = w + c / 4 * q_vector_block_words(4, elements);
    y0[c] = q_vector_channel(4, elements, x0, c % 4, words, zero_point);
    y1[c] = q_vector_channel(4, elements, x1, c % 4, words, zero_point);
  }
#endif
}

/// One row, `channels` output channels; w: blocks of eight.
TINYTC_INLINE void q_vector_one(int elements, int channels, const std::int8_t* x, const std::uint32_t* w,
                                int zero_point, std::int8_t* y) {
#if defined(TINYTC_MVE)
  const int vectors = q_vectors(elements);
  q_vector_bytes_1x8(QVectorArguments{x, x, x + vectors * q_vector, q_vector_skip(vectors, 68), w, y,
                                      y + channels, 0, zero_point});
#else
  for (int c = 0; c < channels; ++c) {
    const std::uint32_t* words = w + c / 8 * q_vector_block_words(8, elements);
    y[c] = q_vector_channel(8, elements, x, c % 8, words, zero_point);
  }
#endif
}

/// Copies `count` bytes between places that do not overlap.
TINYTC_INLINE void q_vector_copy(const std::int8_t* from, int count, std::int8_t* to) {
#if defined(TINYTC_MVE)
  asm volatile(
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [from] "+r"(from), [to] "+r"(to)
      : [count] "r"(count)
      : "q0", "lr", "memory");
#else
  for (int k = 0; k < count; ++k) to[k] = from[k];
#endif
}

/// Sets `count` bytes.
TINYTC_INLINE void q_vector_fill(int value, int count, std::int8_t* to) {
#if defined(TINYTC_MVE)
  asm volatile(
      "vdup.8 q0, %[value]\n"
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+r"(to)
      : [count] "r"(count), [value] "r"(value)
      : "q0", "lr", "memory");
#else
  for (int k = 0; k < count; ++k) to[k] = static_cast<std::int8_t>(value);
#endif
}

/// Clamps `count` bytes to bounds that are narrower than int8's.
TINYTC_INLINE void q_vector_clamp(const QOutput& out, int count, std::int8_t* y) {
  if (out.lo == -128 && out.hi == 127) return;
#if defined(TINYTC_MVE)
  asm volatile(
      "vdup.8 q1, %[lo]\n"
      "vdup.8 q2, %[hi]\n"
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[y]]\n"
      "vmax.s8 q0, q0, q1\n"
      "vmin.s8 q0, q0, q2\n"
      "vstrb.8 q0, [%[y]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [y] "+r"(y)
      : [count] "r"(count), [lo] "r"(out.lo), [hi] "r"(out.hi)
      : "q0", "q1", "q2", "lr", "memory");
#else
  for (int k = 0; k < count; ++k) y[k] = static_cast<std::int8_t>(min_of(max_of<int>(y[k], out.lo), out.hi));
#endif
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_VECTOR_H
