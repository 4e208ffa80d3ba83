// Elementwise int8 kernels: sums and products of two tensors with numpy's broadcasting, requantization,
// tables for any unary function, and conversion from and to float.
//
// How scales become integers stands in docs/quantization.md and in runtime/q_scale.h.
#ifndef TINYTC_RUNTIME_Q_ELEMENTWISE_H
#define TINYTC_RUNTIME_Q_ELEMENTWISE_H

#include "runtime/elementwise.h"
#include "runtime/q_base.h"

namespace tinytc {

/// (a a_multiplier + b b_multiplier + offset) / 2^shift, rounded; `offset` holds the output's zero point and
/// a half, so that rounding is a shift. Multipliers lie within +-2^21, shift in [1, 22], so no sum leaves 32
/// bits.
struct QSum {
  std::int32_t a_multiplier;
  std::int32_t b_multiplier;
  std::int32_t offset;  ///< with a half; if even is 1, one less
  int shift;
  int even;  ///< 1: ties go to even; 0: up, for scales that have none
  int odd;   ///< the zero point's lowest bit: it is the result without its zero point that gets even
};

/// (a - a_zero_point)(b - b_zero_point) times one entry of a scale.
struct QProduct {
  int a_zero_point;
  int b_zero_point;
  std::int32_t multiplier;
  int shift;  ///< 0: multiplier / 2^32, ties up; else multiplier / 2^shift, ties to even
};

TINYTC_INLINE std::int8_t q_sum_element(const QSum& f, int a, int b, const QOutput& out) {
  const int sum = static_cast<int>(f.offset + a * f.a_multiplier + b * f.b_multiplier);
  return q_clamp((sum + (((sum >> f.shift) ^ f.odd) & f.even)) >> f.shift, out);
}
TINYTC_INLINE std::int8_t q_product_element(const QProduct& f, int a, int b, const QOutput& out) {
  const std::int32_t product = (a - f.a_zero_point) * (b - f.b_zero_point);
  if (f.shift == 0) return q_clamp(q_multiply_high(out.zero_point, product, f.multiplier), out);
  return q_clamp(q_multiply_even(out.zero_point, product, f.multiplier, f.shift), out);
}

/// Byte k of a word, signed.
TINYTC_INLINE int q_byte(std::uint32_t word, int k) {
  return static_cast<std::int8_t>((word >> (8 * k)) & 0xFFU);
}

/// Four sums of neighbouring elements.
TINYTC_INLINE void q_sum_four(const QSum& f, std::uint32_t a, std::uint32_t b, const QOutput& out,
                              std::int8_t* y) {
  y[0] = q_sum_element(f, q_byte(a, 0), q_byte(b, 0), out);
  y[1] = q_sum_element(f, q_byte(a, 1), q_byte(b, 1), out);
  y[2] = q_sum_element(f, q_byte(a, 2), q_byte(b, 2), out);
  y[3] = q_sum_element(f, q_byte(a, 3), q_byte(b, 3), out);
}

#if defined(TINYTC_MVE)
// One row of sums, four at a time. `prepare` comes before the loop; `round` adds one to sums in q0 that are
// to go to the even number above.
#define TINYTC_Q_ADD_ROW(prepare, round)           \
  asm volatile(                                    \
      "ldrd r4, r5, [%[numbers]]\n"                \
      "vdup.32 q2, r4\n"                           \
      "vdup.32 q3, r5\n" prepare                   \
      "ldrd r4, r5, [%[numbers], #8]\n"            \
      "ldrd r6, r8, [%[numbers], #16]\n"           \
      "wlstp.32 lr, %[count], 2f\n"                \
      "1:\n"                                       \
      "vldrb.s32 q0, [%[a]], #4\n"                 \
      "vldrb.s32 q1, [%[b]], #4\n"                 \
      "vmul.i32 q0, q0, r4\n"                      \
      "vmla.s32 q0, q1, r5\n"                      \
      "vadd.i32 q0, q0, r6\n" round                \
      "vshl.s32 q0, r8\n"                          \
      "vmax.s32 q0, q0, q2\n"                      \
      "vmin.s32 q0, q0, q3\n"                      \
      "vstrb.32 q0, [%[y]], #4\n"                  \
      "letp lr, 1b\n"                              \
      "2:\n"                                       \
      : [a] "+l"(a), [b] "+l"(b), [y] "+l"(y)      \
      : [count] "r"(count), [numbers] "r"(numbers) \
      : "r4", "r5", "r6", "r8", "q0", "q1", "q2", "q3", "q4", "q5", "lr", "memory")

/// One row of q_add of neighbouring elements.
TINYTC_INLINE void q_add_row(int count, const QSum& f, const QOutput& out, const std::int8_t* a,
                             const std::int8_t* b, std::int8_t* y) {
  const int numbers[8] = {out.lo,
                          out.hi,
                          static_cast<int>(f.a_multiplier),
                          static_cast<int>(f.b_multiplier),
                          static_cast<int>(f.offset),
                          -f.shift,
                          f.odd,
                          1};
  if (f.even == 0) {
    TINYTC_Q_ADD_ROW("", "");
  } else {
    TINYTC_Q_ADD_ROW("ldrd r4, r5, [%[numbers], #24]\nvdup.32 q4, r4\nvdup.32 q5, r5\n",
                     "vmov q1, q0\nvshl.s32 q1, r8\nveor q1, q1, q4\nvand q1, q1, q5\nvadd.i32 q0, q0, q1\n");
  }
}
#else
#if defined(TINYTC_DSP)
/// Arguments of the assembly, which knows their offsets.
struct QSumArguments {
  const std::int8_t* a;
  const std::int8_t* b;
  std::int8_t* y;
  const std::int8_t* y_end;
  int a_multiplier;
  int b_multiplier;
  int offset;
};

// Four sums. r0, r1: operands, r2: y, r4, r5: multipliers times 256, r6: offset, r7: mask of the upper bytes
// of halves. An element in an upper byte is 256 times itself, so the multiplication's shift right by 16 takes
// zeros only. With `even`, the last bit of what a sum would be rounded to is added to it.
#define TINYTC_Q_SUM_FOUR               \
  "ldr r8, [r0], #4\n"                  \
  "ldr r10, [r1], #4\n"                 \
  "and r9, r7, r8, lsl #8\n"            \
  "and r8, r7, r8\n"                    \
  "and r11, r7, r10, lsl #8\n"          \
  "and r10, r7, r10\n"                  \
  "smlawb r12, r4, r9, r6\n"            \
  "smlawt r9, r4, r9, r6\n"             \
  "smlawb lr, r4, r8, r6\n"             \
  "smlawt r8, r4, r8, r6\n"             \
  "smlawb r12, r5, r11, r12\n"          \
  "smlawt r9, r5, r11, r9\n"            \
  "smlawb lr, r5, r10, lr\n"            \
  "smlawt r8, r5, r10, r8\n"            \
  ".if %c[even]\n"                      \
  "ubfx r10, r12, #%c[shift], #1\n"     \
  "ubfx r11, lr, #%c[shift], #1\n"      \
  "add r12, r12, r10\n"                 \
  "add lr, lr, r11\n"                   \
  "ubfx r10, r9, #%c[shift], #1\n"      \
  "ubfx r11, r8, #%c[shift], #1\n"      \
  "add r9, r9, r10\n"                   \
  "add r8, r8, r11\n"                   \
  ".endif\n"                            \
  "ssat r12, #8, r12, asr #%c[shift]\n" \
  "ssat lr, #8, lr, asr #%c[shift]\n"   \
  "ssat r9, #8, r9, asr #%c[shift]\n"   \
  "ssat r8, #8, r8, asr #%c[shift]\n"   \
  "strb r12, [r2], #1\n"                \
  "strb lr, [r2], #1\n"                 \
  "strb r9, [r2], #1\n"                 \
  "strb r8, [r2], #1\n"
// Turns of a loop of 16 elements, as many as there are.
#if defined(TINYTC_SMALL)
#define TINYTC_Q_SUM_SIXTEENS ""
#else
#define TINYTC_Q_SUM_SIXTEENS                                                    \
  "sub r3, r3, #16\n"                                                            \
  "b 2f\n"                                                                       \
  "1:\n" TINYTC_Q_SUM_FOUR TINYTC_Q_SUM_FOUR TINYTC_Q_SUM_FOUR TINYTC_Q_SUM_FOUR \
  "2:\n"                                                                         \
  "cmp r2, r3\n"                                                                 \
  "bls 1b\n"                                                                     \
  "add r3, r3, #16\n"
#endif

/// Sums in fours, while y is not y_end. even: QSum's, for even zero points.
template <int shift, int even>
TINYTC_NOINLINE void q_sum_bytes(const QSumArguments& arguments) {
  register const QSumArguments* at asm("r0") = &arguments;
  asm volatile(
      "push {r0, r7}\n"
      "ldm r0, {r0, r1, r2, r3, r4, r5, r6}\n"
      "mov r7, #0xFF00FF00\n" TINYTC_Q_SUM_SIXTEENS
      "b 4f\n"
      "3:\n" TINYTC_Q_SUM_FOUR
      "4:\n"
      "cmp r2, r3\n"
      "bne 3b\n"
      "pop {r0, r7}\n"
      : "+r"(at)
      : [shift] "i"(shift), [even] "i"(even)
      : TINYTC_Q_CLOBBERS);
}

template <int shift>
TINYTC_INLINE void q_sum_rounded(const QSum& f, const QSumArguments& arguments) {
  if (f.even == 0) {
    q_sum_bytes<shift, 0>(arguments);
  } else {
    q_sum_bytes<shift, 1>(arguments);
  }
}

/// The shift at which the assembly computes a sum: 21 leaves room for results of up to 1,024 steps before
/// they are clamped, and scales of one half and more have no other.
TINYTC_INLINE constexpr int q_sum_shift(const QSum& f) { return f.shift < 22 ? 21 : 22; }

/// The offset at that shift: below a half by one, as at the smaller one.
TINYTC_INLINE constexpr std::int64_t q_sum_offset(const QSum& f) {
  const std::int64_t unit = std::int64_t{1} << (q_sum_shift(f) - f.shift);
  return unit * f.offset + (unit - 1) * f.even;
}

/// Whether all sums fit 32 bits at that shift, and the multipliers 24 bits.
TINYTC_INLINE constexpr bool q_sum_is_narrow(const QSum& f) {
  const std::int64_t unit = std::int64_t{1} << (q_sum_shift(f) - f.shift);
  const std::int64_t a = unit * f.a_multiplier;
  const std::int64_t b = unit * f.b_multiplier;
  const std::int64_t size = 128 * ((a < 0 ? -a : a) + (b < 0 ? -b : b)) + 1;
  const std::int64_t offset = q_sum_offset(f);
  const std::int64_t limit = std::int64_t{1} << 31;
  return max_of(a < 0 ? -a : a, b < 0 ? -b : b) < 1 << 23 && (offset < 0 ? -offset : offset) + size < limit;
}
#endif

/// One row of q_add of neighbouring elements.
TINYTC_INLINE void q_add_row(int count, const QSum& f, const QOutput& out, const std::int8_t* a,
                             const std::int8_t* b, std::int8_t* y) {
  const int fours = count / 4 * 4;
#if defined(TINYTC_DSP)
  // Arguments and a call cost as much as assembly saves on eight elements.
  const bool is_fast =
      count >= 12 && out.lo == -128 && out.hi == 127 && (f.even & f.odd) == 0 && q_sum_is_narrow(f);
  if (is_fast) {
    const int unit = 1 << (q_sum_shift(f) - f.shift);
    const QSumArguments arguments{a,
                                  b,
                                  y,
                                  y + fours,
                                  static_cast<int>(f.a_multiplier) * unit * 256,
                                  static_cast<int>(f.b_multiplier) * unit * 256,
                                  static_cast<int>(q_sum_offset(f))};
    if (f.shift < 22) {
      q_sum_rounded<21>(f, arguments);
    } else {
      q_sum_rounded<22>(f, arguments);
    }
  }
#else
  const bool is_fast = false;
#endif
  for (int i = 0; i < fours && !is_fast; i += 4) {
    q_sum_four(f, q_load(a + i), q_load(b + i), out, y + i);
  }
  for (int i = fours; i < count; ++i) y[i] = q_sum_element(f, a[i], b[i], out);
}
#endif

/// y = clamp(a + b), rescaled; also a - b. y may lie on an operand of its own shape. `out.zero_point` is not
/// used: the offset holds it.
TINYTC_INLINE void q_add(const BroadcastShape& shape, const QSum& f, const QOutput& out, const std::int8_t* a,
                         const std::int8_t* b, std::int8_t* y) {
  const int outer = shape.rank - 1;
  const int inner = shape.dims[outer];
  const int a_stride = shape.a_strides[outer];
  const int b_stride = shape.b_strides[outer];
  const int rows = element_count(outer, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int row = 0; row < rows; ++row) {
    const std::int8_t* a_row = a + offset_of(outer, index, shape.a_strides);
    const std::int8_t* b_row = b + offset_of(outer, index, shape.b_strides);
    std::int8_t* y_row = y + row * inner;
    if (a_stride == 1 && b_stride == 1) {
      q_add_row(inner, f, out, a_row, b_row, y_row);
    } else {
      for (int i = 0; i < inner; ++i) {
        y_row[i] = q_sum_element(f, a_row[i * a_stride], b_row[i * b_stride], out);
      }
    }
    next_index(outer, shape.dims, index);
  }
}
constexpr int q_add_lead_a(const BroadcastShape& s) { return broadcast_lead(s.rank, s.dims, s.a_strides); }
constexpr int q_add_lead_b(const BroadcastShape& s) { return broadcast_lead(s.rank, s.dims, s.b_strides); }

/// y = clamp(zero point + round(scale (a - za)(b - zb))). y may lie on an operand of its own shape.
TINYTC_INLINE void q_mul(const BroadcastShape& shape, const QProduct& f, const QOutput& out,
                         const std::int8_t* a, const std::int8_t* b, std::int8_t* y) {
  const int outer = shape.rank - 1;
  const int inner = shape.dims[outer];
  const int a_stride = shape.a_strides[outer];
  const int b_stride = shape.b_strides[outer];
  const int rows = element_count(outer, shape.dims);
  int index[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int row = 0; row < rows; ++row) {
    const std::int8_t* a_row = a + offset_of(outer, index, shape.a_strides);
    const std::int8_t* b_row = b + offset_of(outer, index, shape.b_strides);
    std::int8_t* y_row = y + row * inner;
    for (int i = 0; i < inner; ++i) {
      y_row[i] = q_product_element(f, a_row[i * a_stride], b_row[i * b_stride], out);
    }
    next_index(outer, shape.dims, index);
  }
}
constexpr int q_mul_lead_a(const BroadcastShape& s) { return broadcast_lead(s.rank, s.dims, s.a_strides); }
constexpr int q_mul_lead_b(const BroadcastShape& s) { return broadcast_lead(s.rank, s.dims, s.b_strides); }

/// y = x at another scale and zero point: q_add with one operand (b_multiplier is not used).
TINYTC_INLINE void q_requantize(const ElementwiseShape& shape, const QSum& f, const QOutput& out,
                                const std::int8_t* x, std::int8_t* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = q_sum_element(f, x[i], 0, out);
}
constexpr int q_requantize_lead_x(const ElementwiseShape&) { return 0; }

/// y = table[x + 128]: any function of one int8 (sigmoid, tanh, hard-swish, gelu, ...), made at compile time.
/// table: 256 entries.
TINYTC_INLINE void q_table(const ElementwiseShape& shape, const std::int8_t* table, const std::int8_t* x,
                           std::int8_t* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = table[x[i] + 128];
}
constexpr int q_table_lead_x(const ElementwiseShape&) { return 0; }

/// A tensor seen as [outer][channels][inner], with one scale a channel; per-tensor scales have channels 1.
struct QuantizeShape {
  int outer;
  int channels;
  int inner;
};
template <typename V>
constexpr void visit(const QuantizeShape& s, V&& v) {
  v("outer", s.outer);
  v("channels", s.channels);
  v("inner", s.inner);
}

/// The integer nearest to x, halves to even, for |x| < 2^22: adding 1.5 * 2^23 leaves it in the low bits.
TINYTC_INLINE int q_nearest_even(float x) {
  const float shifted = rounded(x + 12582912.0F);
  return static_cast<int>(rounded(shifted - 12582912.0F));
}

/// ONNX QuantizeLinear: y = clamp(nearest_even(x / scale) + zero point) to Q's range. Q: an integer type of
/// 8 or 16 bits. NaN becomes the lowest value. scale: [channels]; zero_point: [channels] or null (0).
template <typename Q>
TINYTC_INLINE void quantize_linear(const QuantizeShape& shape, const float* x, const float* scale,
                                   const std::int32_t* zero_point, Q* y) {
  const bool is_signed = static_cast<Q>(-1) < static_cast<Q>(1);
  const int span = sizeof(Q) == 1 ? 256 : 65536;
  const int least = is_signed ? -span / 2 : 0;
  const int largest = least + span - 1;
  for (int row = 0; row < shape.outer * shape.channels; ++row) {
    const int channel = row % shape.channels;
    const int zero = zero_point != nullptr ? static_cast<int>(zero_point[channel]) : 0;
    for (int i = row * shape.inner; i < (row + 1) * shape.inner; ++i) {
      const float ratio = rounded(x[i] / scale[channel]);
      const float above = ratio > -131072.0F ? ratio : -131072.0F;
      const float bounded = above < 131072.0F ? above : 131072.0F;
      y[i] = static_cast<Q>(min_of(max_of(q_nearest_even(bounded) + zero, least), largest));
    }
  }
}

/// Smallest distance in elements of x, address of x minus address of y, at which y may run over x, for
/// stored elements of one byte, which may alias floats: y then never gets ahead of x.
constexpr int quantize_linear_lead_x(const QuantizeShape&) { return 0; }

/// ONNX DequantizeLinear: y = (x - zero point) scale. x: integers of 8, 16 or 32 bits; scale: [channels];
/// zero_point: [channels] or null (0).
template <typename Q>
TINYTC_INLINE void dequantize_linear(const QuantizeShape& shape, const Q* x, const float* scale,
                                     const std::int32_t* zero_point, float* y) {
  for (int row = 0; row < shape.outer * shape.channels; ++row) {
    const int channel = row % shape.channels;
    const std::int32_t zero = zero_point != nullptr ? zero_point[channel] : 0;
    for (int i = row * shape.inner; i < (row + 1) * shape.inner; ++i) {
      y[i] = rounded(static_cast<float>(static_cast<std::int32_t>(x[i]) - zero) * scale[channel]);
    }
  }
}

/// Smallest distance in elements of x, address of x minus address of y, at which y may run over x, for
/// stored elements of one byte: x at the end of y.
constexpr int dequantize_linear_lead_x(const QuantizeShape& s) {
  return 3 * (s.outer * s.channels * s.inner - 1);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_ELEMENTWISE_H
