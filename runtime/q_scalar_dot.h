// The inner blocks of int8 convolutions and dense layers on cores that multiply one pair of numbers at a
// time: Cortex-M0+, Cortex-M3, RISC-V and every other core without Armv7E-M's dual multiplications.
//
// Weights are stored as w + 128, one unsigned byte each, in the order of use: a core without a signed load at
// constant offsets (Armv6-M) reads them with one instruction, and any int8 weight fits. What that adds to a
// sum, 128 times the sum of the inputs, is the same for all output channels and is subtracted from the biases
// at the start. Sums are modulo 2^32; the true sum fits.
//
// Compilers spill eight sums on these cores; the assembly keeps them in registers. It finds its arguments
// through r0, keeps r7 (which may be the frame pointer) on the stack, and enters its unrolled loop in the
// middle, so that no count needs a tail. The portable twins give the same bits.
#ifndef TINYTC_RUNTIME_Q_SCALAR_DOT_H
#define TINYTC_RUNTIME_Q_SCALAR_DOT_H

#include "runtime/q_base.h"

// Which assembly: Armv7-M has multiply-accumulate on all registers, Armv6-M (and v8-M's baseline, which adds
// nothing that helps here) multiplies into one of eight low registers and adds to all of them.
#if defined(__arm__) && defined(__thumb2__) && !defined(__ARM_FEATURE_DSP)
#define TINYTC_Q_V7M 1
#elif defined(__arm__) && defined(__thumb__) && !defined(__thumb2__)
#define TINYTC_Q_V6M 1
#endif

#if defined(TINYTC_Q_V6M)
// The loop is longer than a conditional branch reaches.
#define TINYTC_Q_SCALAR_AGAIN \
  "beq 2f\n"                  \
  "b 1b\n"                    \
  "2:\n"
// One element of two pixels (r2, r3), one weight: sums P0, P1. `ADD` is adds where the sum is a low register.
#define TINYTC_Q_MULTIPLY_2(OFFSET, ADD, P0, P1) \
  "ldrb r4, [r1, #" OFFSET                       \
  "]\n"                                          \
  "movs r5, r4\n"                                \
  "muls r5, r2, r5\n"                            \
  "muls r4, r3, r4\n" ADD " " P0 ", " P0 ", r5\n" ADD " " P1 ", " P1 ", r4\n"
// One element of two pixels, four channels. 50 bytes.
#define TINYTC_Q_SCALAR_2X4(O0, O1, O2, O3)                                                    \
  "ldm r0!, {r2, r3}\n" TINYTC_Q_MULTIPLY_2(O0, "add", "r8", "r9")                             \
      TINYTC_Q_MULTIPLY_2(O1, "add", "r10", "r11") TINYTC_Q_MULTIPLY_2(O2, "add", "r12", "lr") \
          TINYTC_Q_MULTIPLY_2(O3, "adds", "r6", "r7")
#define TINYTC_Q_SCALAR_LOOP_2X4              \
  TINYTC_Q_SCALAR_2X4("0", "1", "2", "3")     \
  TINYTC_Q_SCALAR_2X4("4", "5", "6", "7")     \
  TINYTC_Q_SCALAR_2X4("8", "9", "10", "11")   \
  TINYTC_Q_SCALAR_2X4("12", "13", "14", "15") \
  TINYTC_Q_SCALAR_2X4("16", "17", "18", "19") \
  TINYTC_Q_SCALAR_2X4("20", "21", "22", "23") \
  TINYTC_Q_SCALAR_2X4("24", "25", "26", "27") \
  TINYTC_Q_SCALAR_2X4("28", "29", "30", "31")
// One element of a row (r2), one weight.
#define TINYTC_Q_MULTIPLY_1(OFFSET, ADD, SUM) \
  "ldrb r4, [r1, #" OFFSET                    \
  "]\n"                                       \
  "muls r4, r2, r4\n" ADD " " SUM ", " SUM ", r4\n"
// One element of a row, eight channels. 52 bytes.
#define TINYTC_Q_SCALAR_1X8(X, O0, O1, O2, O3, O4, O5, O6, O7)                              \
  "ldrb r2, [r0, #" X                                                                       \
  "]\n"                                                                                     \
  "sxtb r2, r2\n" TINYTC_Q_MULTIPLY_1(O0, "add", "r8") TINYTC_Q_MULTIPLY_1(O1, "add", "r9") \
      TINYTC_Q_MULTIPLY_1(O2, "add", "r10") TINYTC_Q_MULTIPLY_1(O3, "add", "r11")           \
          TINYTC_Q_MULTIPLY_1(O4, "add", "r12") TINYTC_Q_MULTIPLY_1(O5, "add", "lr")        \
              TINYTC_Q_MULTIPLY_1(O6, "adds", "r6") TINYTC_Q_MULTIPLY_1(O7, "adds", "r7")
#define TINYTC_Q_SCALAR_LOOP_1X8                                           \
  TINYTC_Q_SCALAR_1X8("0", "0", "1", "2", "3", "4", "5", "6", "7")         \
  TINYTC_Q_SCALAR_1X8("1", "8", "9", "10", "11", "12", "13", "14", "15")   \
  TINYTC_Q_SCALAR_1X8("2", "16", "17", "18", "19", "20", "21", "22", "23") \
  TINYTC_Q_SCALAR_1X8("3", "24", "25", "26", "27", "28", "29", "30", "31")
#endif

#if defined(TINYTC_Q_V7M)
#define TINYTC_Q_SCALAR_AGAIN "bne 1b\n"
#define TINYTC_Q_MULTIPLY_2(OFFSET, P0, P1) \
  "ldrb r4, [r1, #" OFFSET                  \
  "]\n"                                     \
  "mla " P0 ", r2, r4, " P0                 \
  "\n"                                      \
  "mla " P1 ", r3, r4, " P1 "\n"
// One element of two pixels, four channels. 42 bytes.
#define TINYTC_Q_SCALAR_2X4(O0, O1, O2, O3)                                                       \
  "ldm r0!, {r2, r3}\n" TINYTC_Q_MULTIPLY_2(O0, "r8", "r9") TINYTC_Q_MULTIPLY_2(O1, "r10", "r11") \
      TINYTC_Q_MULTIPLY_2(O2, "r12", "lr") TINYTC_Q_MULTIPLY_2(O3, "r6", "r7")
#define TINYTC_Q_SCALAR_LOOP_2X4              \
  TINYTC_Q_SCALAR_2X4("0", "1", "2", "3")     \
  TINYTC_Q_SCALAR_2X4("4", "5", "6", "7")     \
  TINYTC_Q_SCALAR_2X4("8", "9", "10", "11")   \
  TINYTC_Q_SCALAR_2X4("12", "13", "14", "15") \
  TINYTC_Q_SCALAR_2X4("16", "17", "18", "19") \
  TINYTC_Q_SCALAR_2X4("20", "21", "22", "23") \
  TINYTC_Q_SCALAR_2X4("24", "25", "26", "27") \
  TINYTC_Q_SCALAR_2X4("28", "29", "30", "31")
#define TINYTC_Q_MULTIPLY_1(OFFSET, SUM) \
  "ldrb r4, [r1, #" OFFSET               \
  "]\n"                                  \
  "mla " SUM ", r2, r4, " SUM "\n"
// One element of a row, eight channels. 52 bytes.
#define TINYTC_Q_SCALAR_1X8(X, O0, O1, O2, O3, O4, O5, O6, O7)                                     \
  "ldrsb r2, [r0, #" X "]\n" TINYTC_Q_MULTIPLY_1(O0, "r8") TINYTC_Q_MULTIPLY_1(O1, "r9")           \
      TINYTC_Q_MULTIPLY_1(O2, "r10") TINYTC_Q_MULTIPLY_1(O3, "r11") TINYTC_Q_MULTIPLY_1(O4, "r12") \
          TINYTC_Q_MULTIPLY_1(O5, "lr") TINYTC_Q_MULTIPLY_1(O6, "r6") TINYTC_Q_MULTIPLY_1(O7, "r7")
#define TINYTC_Q_SCALAR_LOOP_1X8                                           \
  TINYTC_Q_SCALAR_1X8("0", "0", "1", "2", "3", "4", "5", "6", "7")         \
  TINYTC_Q_SCALAR_1X8("1", "8", "9", "10", "11", "12", "13", "14", "15")   \
  TINYTC_Q_SCALAR_1X8("2", "16", "17", "18", "19", "20", "21", "22", "23") \
  TINYTC_Q_SCALAR_1X8("3", "24", "25", "26", "27", "28", "29", "30", "31")
#endif

#if defined(TINYTC_Q_V6M) || defined(TINYTC_Q_V7M)
#define TINYTC_Q_SCALAR 1
// Keeps the arguments, the end of x and r7 on the stack; r1: where the weights would start if the first turn
// of the loop were whole.
#define TINYTC_Q_SCALAR_ENTER \
  ".syntax unified\n"         \
  "ldr r1, [r0, #4]\n"        \
  "push {r0, r1, r7}\n"       \
  "ldr r1, [r0, #12]\n"       \
  "ldr r2, [r0, #32]\n"       \
  "subs r1, r1, r2\n"
// Runs the steps until r0 is the end of x.
#define TINYTC_Q_SCALAR_LOOP(STEPS, NEXT) \
  "ldr r2, [r0, #8]\n"                    \
  "ldr r0, [r0]\n"                        \
  "add pc, r2\n"                          \
  "nop\n"                                 \
  "1:\n" STEPS "adds r1, #32\n" NEXT      \
  "ldr r2, [sp, #4]\n"                    \
  "cmp r0, r2\n" TINYTC_Q_SCALAR_AGAIN
// Weights and biases of the next block; the end.
#define TINYTC_Q_SCALAR_LEAVE \
  "ldr r0, [sp]\n"            \
  "str r1, [r0, #12]\n"       \
  "pop {r0, r1, r7}\n"
#endif

namespace tinytc {

/// Arguments of the blocks; the assembly knows their offsets. Each call leaves w and bias at the next block.
struct QScalarArguments {
  const void* x;
  const void* x_end;
  int skip;  ///< bytes of code to leave out in the first turn of a loop
  const std::uint8_t* w;
  const std::int32_t* bias;
  std::int32_t correction[2];  ///< -128 times the sum of the pixel's inputs
  std::int32_t* sum;           ///< 8
  int skipped;                 ///< bytes of weights that the first turn would have read before w
};

#if defined(TINYTC_Q_SCALAR)
/// q_scalar_block_2x4 in assembly.
TINYTC_NOINLINE inline void q_scalar_sums_2x4(QScalarArguments& arguments) {
  register QScalarArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_SCALAR_ENTER
               "ldr r2, [r0, #16]\n"
               "ldm r2!, {r4, r5, r6, r7}\n"
               "str r2, [r0, #16]\n"
               "ldr r2, [r0, #20]\n"
               "ldr r3, [r0, #24]\n"
               "mov r8, r4\n"
               "mov r9, r4\n"
               "mov r10, r5\n"
               "mov r11, r5\n"
               "mov r12, r6\n"
               "mov lr, r6\n"
               "add r8, r8, r2\n"
               "add r9, r9, r3\n"
               "add r10, r10, r2\n"
               "add r11, r11, r3\n"
               "add r12, r12, r2\n"
               "add lr, lr, r3\n"
               "adds r6, r7, r2\n"
               "adds r7, r7, r3\n" TINYTC_Q_SCALAR_LOOP(TINYTC_Q_SCALAR_LOOP_2X4, "")
               "ldr r0, [sp]\n"
               "ldr r2, [r0, #28]\n"
               "mov r3, r8\n"
               "mov r4, r10\n"
               "mov r5, r12\n"
               "stm r2!, {r3, r4, r5, r6}\n"
               "mov r3, r9\n"
               "mov r4, r11\n"
               "mov r5, lr\n"
               "stm r2!, {r3, r4, r5, r7}\n" TINYTC_Q_SCALAR_LEAVE
               : "+r"(at)
               :
               : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/// q_scalar_block_1x8 in assembly.
TINYTC_NOINLINE inline void q_scalar_sums_1x8(QScalarArguments& arguments) {
  register QScalarArguments* at asm("r0") = &arguments;
  asm volatile(TINYTC_Q_SCALAR_ENTER
               "ldr r2, [r0, #16]\n"
               "ldr r3, [r0, #20]\n"
               "ldm r2!, {r4, r5, r6, r7}\n"
               "adds r4, r4, r3\n"
               "adds r5, r5, r3\n"
               "adds r6, r6, r3\n"
               "adds r7, r7, r3\n"
               "mov r8, r4\n"
               "mov r9, r5\n"
               "mov r10, r6\n"
               "mov r11, r7\n"
               "ldm r2!, {r4, r5, r6, r7}\n"
               "str r2, [r0, #16]\n"
               "adds r4, r4, r3\n"
               "adds r5, r5, r3\n"
               "adds r6, r6, r3\n"
               "adds r7, r7, r3\n"
               "mov r12, r4\n"
               "mov lr, r5\n" TINYTC_Q_SCALAR_LOOP(TINYTC_Q_SCALAR_LOOP_1X8, "adds r0, #4\n")
               "ldr r0, [sp]\n"
               "ldr r2, [r0, #28]\n"
               "mov r3, r8\n"
               "mov r4, r9\n"
               "mov r5, r10\n"
               "stm r2!, {r3, r4, r5}\n"
               "mov r3, r11\n"
               "mov r4, r12\n"
               "mov r5, lr\n"
               "stm r2!, {r3, r4, r5, r6, r7}\n" TINYTC_Q_SCALAR_LEAVE
               : "+r"(at)
               :
               : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}
#endif

/// Steps of an unrolled loop of `unrolled` steps that the first turn leaves out, for `count` of them.
TINYTC_INLINE constexpr int q_scalar_skipped(int count, int unrolled) {
  return (unrolled - count % unrolled) % unrolled;
}

/// Arguments of q_scalar_block_2x4. x: `count` elements of two pixels, alternating; sums: of the inputs.
TINYTC_INLINE QScalarArguments q_scalar_arguments_2x4(int count, const std::uint32_t* x, std::int32_t sum0,
                                                      std::int32_t sum1, const std::uint8_t* w,
                                                      const std::int32_t* bias, std::int32_t (&sum)[8]) {
#if defined(TINYTC_Q_V6M)
  const int step_bytes = 50;
#else
  const int step_bytes = 42;
#endif
  const int skipped = q_scalar_skipped(count, 8);
  return QScalarArguments{x,   x + 2 * count, skipped * step_bytes, w, bias, {-128 * sum0, -128 * sum1},
                          sum, 4 * skipped};
}

/// Stores four sums modulo 2^32.
TINYTC_INLINE void q_scalar_store(std::int32_t* sum, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                  std::uint32_t d) {
  sum[0] = static_cast<std::int32_t>(a);
  sum[1] = static_cast<std::int32_t>(b);
  sum[2] = static_cast<std::int32_t>(c);
  sum[3] = static_cast<std::int32_t>(d);
}

/// Two pixels x four channels: sum[4 * p + c] = bias[c] - 128 (sum of x) + sum of x w. w: [count][4]. Moves
/// the arguments on to the next four channels.
TINYTC_INLINE void q_scalar_block_2x4(int count, QScalarArguments& arguments) {
#if defined(TINYTC_Q_SCALAR)
  static_cast<void>(count);
  q_scalar_sums_2x4(arguments);
#else
  const std::uint32_t* x = static_cast<const std::uint32_t*>(arguments.x);
  const std::uint8_t* w = arguments.w;
  const std::uint32_t correction0 = static_cast<std::uint32_t>(arguments.correction[0]);
  const std::uint32_t correction1 = static_cast<std::uint32_t>(arguments.correction[1]);
  const std::int32_t* bias = arguments.bias;
  std::uint32_t a0 = static_cast<std::uint32_t>(bias[0]) + correction0;
  std::uint32_t a1 = static_cast<std::uint32_t>(bias[1]) + correction0;
  std::uint32_t a2 = static_cast<std::uint32_t>(bias[2]) + correction0;
  std::uint32_t a3 = static_cast<std::uint32_t>(bias[3]) + correction0;
  std::uint32_t b0 = static_cast<std::uint32_t>(bias[0]) + correction1;
  std::uint32_t b1 = static_cast<std::uint32_t>(bias[1]) + correction1;
  std::uint32_t b2 = static_cast<std::uint32_t>(bias[2]) + correction1;
  std::uint32_t b3 = static_cast<std::uint32_t>(bias[3]) + correction1;
  for (int k = 0; k < count; ++k) {
    const std::uint32_t w0 = w[0];
    const std::uint32_t w1 = w[1];
    const std::uint32_t w2 = w[2];
    const std::uint32_t w3 = w[3];
    a0 += x[0] * w0;
    a1 += x[0] * w1;
    a2 += x[0] * w2;
    a3 += x[0] * w3;
    b0 += x[1] * w0;
    b1 += x[1] * w1;
    b2 += x[1] * w2;
    b3 += x[1] * w3;
    x += 2;
    w += 4;
  }
  q_scalar_store(arguments.sum, a0, a1, a2, a3);
  q_scalar_store(arguments.sum + 4, b0, b1, b2, b3);
  arguments.w += 4 * count;
  arguments.bias += 4;
#endif
}

/// Arguments of q_scalar_block_1x8. x_sum: of the row.
TINYTC_INLINE QScalarArguments q_scalar_arguments_1x8(int count, const std::int8_t* x, std::int32_t x_sum,
                                                      const std::uint8_t* w, const std::int32_t* bias,
                                                      std::int32_t (&sum)[8]) {
  const int skipped = q_scalar_skipped(count, 4);
  return QScalarArguments{x - skipped, x + count, skipped * 52, w, bias, {-128 * x_sum, 0}, sum, 8 * skipped};
}

/// One row x eight channels: sum[c] = bias[c] - 128 (sum of x) + sum of x w. w: [count][8]. Moves the
/// arguments on to the next eight channels.
TINYTC_INLINE void q_scalar_block_1x8(int count, QScalarArguments& arguments) {
#if defined(TINYTC_Q_SCALAR)
  static_cast<void>(count);
  q_scalar_sums_1x8(arguments);
#else
  const std::int8_t* x = static_cast<const std::int8_t*>(arguments.x_end) - count;
  const std::uint8_t* w = arguments.w;
  const std::uint32_t correction = static_cast<std::uint32_t>(arguments.correction[0]);
  const std::int32_t* bias = arguments.bias;
  std::uint32_t s0 = static_cast<std::uint32_t>(bias[0]) + correction;
  std::uint32_t s1 = static_cast<std::uint32_t>(bias[1]) + correction;
  std::uint32_t s2 = static_cast<std::uint32_t>(bias[2]) + correction;
  std::uint32_t s3 = static_cast<std::uint32_t>(bias[3]) + correction;
  std::uint32_t s4 = static_cast<std::uint32_t>(bias[4]) + correction;
  std::uint32_t s5 = static_cast<std::uint32_t>(bias[5]) + correction;
  std::uint32_t s6 = static_cast<std::uint32_t>(bias[6]) + correction;
  std::uint32_t s7 = static_cast<std::uint32_t>(bias[7]) + correction;
  for (int k = 0; k < count; ++k) {
    const std::uint32_t value = static_cast<std::uint32_t>(x[k]);
    s0 += value * w[0];
    s1 += value * w[1];
    s2 += value * w[2];
    s3 += value * w[3];
    s4 += value * w[4];
    s5 += value * w[5];
    s6 += value * w[6];
    s7 += value * w[7];
    w += 8;
  }
  q_scalar_store(arguments.sum, s0, s1, s2, s3);
  q_scalar_store(arguments.sum + 4, s4, s5, s6, s7);
  arguments.w += 8 * count;
  arguments.bias += 8;
#endif
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_SCALAR_DOT_H
