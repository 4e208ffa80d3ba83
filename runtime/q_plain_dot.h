// Dot products of widened inputs with rows of int8 weights as ONNX stores them: nothing is packed, so weights
// may change between calls and have any value.
//
// A row's elements stand in memory one after the other, so inputs are put into that order instead of weights.
// Four elements (k0 .. k3) are the words (k0, k2) (k1, k3) of an input, and a row's four bytes are widened to
// the same two words when they are read. The elements behind the last four stand in the upper lanes of one
// more four whose lower lanes are 0: a row's last four bytes meet it, whatever the length of rows, and no
// byte beside a row is read. Sums are modulo 2^32, exact wherever the result fits.
#ifndef TINYTC_RUNTIME_Q_PLAIN_DOT_H
#define TINYTC_RUNTIME_Q_PLAIN_DOT_H

#include "runtime/q_base.h"
#include "runtime/q_dot.h"
#include "runtime/q_patch.h"

namespace tinytc {

/// Words of one widened input of `elements`.
TINYTC_INLINE constexpr int q_plain_words(int elements) { return (elements + 3) / 4 * 2; }

/// The four behind a row's last full one. end: behind the row's last element. Lanes below the `elements` % 4
/// upper ones may hold anything.
TINYTC_INLINE std::uint32_t q_plain_rest(const std::int8_t* end, int elements) {
  if (elements >= 4) return q_load(end - 4);
  std::uint32_t word = 0;
  for (int k = 0; k < elements; ++k)
    word = (word >> 8) | (static_cast<std::uint32_t>(end[k - elements]) << 24);
  return word;
}

/// Widens the elements behind the last full four of x into words[0] and words[step].
TINYTC_INLINE void q_plain_widen_rest(const std::int8_t* x, int elements, int step, std::uint32_t* words) {
  const int rest = elements % 4;
  if (rest == 0) return;
  const std::uint32_t four = q_plain_rest(x + elements, elements) & ~(0xFFFFFFFFU >> (8 * rest));
  words[0] = q_even_bytes(four);
  words[step] = q_odd_bytes(four);
}

/// Widens an input into every `step`-th word.
TINYTC_INLINE void q_plain_widen(const std::int8_t* x, int elements, int step, std::uint32_t* words) {
  const int full = elements / 4 * 4;
  q_widen_run(x, full, step, words);
  q_plain_widen_rest(x, elements, step, words + full / 2 * step);
}

/// Widens two inputs side by side: words 0, 2, .. and 1, 3, ...
TINYTC_INLINE void q_plain_widen_two(const std::int8_t* x0, const std::int8_t* x1, int elements,
                                     std::uint32_t* words) {
  const int full = elements / 4 * 4;
  q_widen_runs(x0, x1, full, words);
  q_plain_widen_rest(x0, elements, 2, words + full);
  q_plain_widen_rest(x1, elements, 2, words + full + 1);
}

/// Adds four elements of two inputs, four words, times four of two rows: sum[2 * input + row].
TINYTC_INLINE void q_plain_four_2x2(const std::uint32_t* x, std::uint32_t first, std::uint32_t second,
                                    std::int32_t (&sum)[4]) {
  for (int p = 0; p < 2; ++p) {
    sum[2 * p] = q_dual(q_dual(sum[2 * p], x[p], q_even_bytes(first)), x[2 + p], q_odd_bytes(first));
    sum[2 * p + 1] =
        q_dual(q_dual(sum[2 * p + 1], x[p], q_even_bytes(second)), x[2 + p], q_odd_bytes(second));
  }
}

/// q_plain_four_2x2 from memory; the pointers advance.
TINYTC_INLINE void q_plain_step_2x2(const std::uint32_t*& x, const std::int8_t*& first,
                                    const std::int8_t*& second, std::int32_t (&sum)[4]) {
#if defined(TINYTC_DSP)
  // Twelve registers, as many as a compiler can spare.
  std::uint32_t x0, x1, a, b, even;
  asm volatile(
      TINYTC_Q_LOAD_2("%[x0]", "%[x1]", "%[x]")
      "ldr %[a], [%[first]], #4\n"
      "ldr %[b], [%[second]], #4\n"
      "sxtb16 %[even], %[a]\n"
      "smlad %[sum0], %[x0], %[even], %[sum0]\n"
      "smlad %[sum2], %[x1], %[even], %[sum2]\n"
      "sxtb16 %[even], %[b]\n"
      "smlad %[sum1], %[x0], %[even], %[sum1]\n"
      "smlad %[sum3], %[x1], %[even], %[sum3]\n"
      TINYTC_Q_LOAD_2("%[x0]", "%[x1]", "%[x]")
      "sxtb16 %[a], %[a], ror #8\n"
      "sxtb16 %[b], %[b], ror #8\n"
      "smlad %[sum0], %[x0], %[a], %[sum0]\n"
      "smlad %[sum2], %[x1], %[a], %[sum2]\n"
      "smlad %[sum1], %[x0], %[b], %[sum1]\n"
      "smlad %[sum3], %[x1], %[b], %[sum3]\n"
      : [x0] "=&r"(x0), [x1] "=&r"(x1), [a] "=&r"(a), [b] "=&r"(b), [even] "=&r"(even), [x] "+&r"(x),
        [first] "+&r"(first), [second] "+&r"(second), [sum0] "+&r"(sum[0]), [sum1] "+&r"(sum[1]),
        [sum2] "+&r"(sum[2]), [sum3] "+&r"(sum[3])
      :
      : "memory");
#else
  q_plain_four_2x2(x, q_load(first), q_load(second), sum);
  x += 4;
  first += 4;
  second += 4;
#endif
}

/// Adds to the sums of two inputs and two rows: sum[2 * input + row]. x: from q_plain_widen, the inputs'
/// words alternating.
TINYTC_INLINE void q_plain_2x2(int elements, const std::uint32_t* x, const std::int8_t* first,
                               const std::int8_t* second, std::int32_t (&sum)[4]) {
  for (int k = 0; k < elements / 16; ++k) {
    q_plain_step_2x2(x, first, second, sum);
    q_plain_step_2x2(x, first, second, sum);
    q_plain_step_2x2(x, first, second, sum);
    q_plain_step_2x2(x, first, second, sum);
  }
  if (elements / 8 % 2 != 0) {
    q_plain_step_2x2(x, first, second, sum);
    q_plain_step_2x2(x, first, second, sum);
  }
  if (elements / 4 % 2 != 0) q_plain_step_2x2(x, first, second, sum);
  const int rest = elements % 4;
  if (rest == 0) return;
  q_plain_four_2x2(x, q_plain_rest(first + rest, elements), q_plain_rest(second + rest, elements), sum);
}

/// Adds four elements of one input, two words, times four of two rows.
TINYTC_INLINE void q_plain_four_1x2(const std::uint32_t* x, std::uint32_t first, std::uint32_t second,
                                    std::int32_t (&sum)[2]) {
  sum[0] = q_dual(q_dual(sum[0], x[0], q_even_bytes(first)), x[1], q_odd_bytes(first));
  sum[1] = q_dual(q_dual(sum[1], x[0], q_even_bytes(second)), x[1], q_odd_bytes(second));
}

/// q_plain_four_1x2 from memory; the pointers advance.
TINYTC_INLINE void q_plain_step_1x2(const std::uint32_t*& x, const std::int8_t*& first,
                                    const std::int8_t*& second, std::int32_t (&sum)[2]) {
#if defined(TINYTC_DSP)
  std::uint32_t x0, x1, a, b, even;
  asm volatile(
      TINYTC_Q_LOAD_2("%[x0]", "%[x1]", "%[x]")
      "ldr %[a], [%[first]], #4\n"
      "ldr %[b], [%[second]], #4\n"
      "sxtb16 %[even], %[a]\n"
      "sxtb16 %[a], %[a], ror #8\n"
      "smlad %[sum0], %[x0], %[even], %[sum0]\n"
      "sxtb16 %[even], %[b]\n"
      "sxtb16 %[b], %[b], ror #8\n"
      "smlad %[sum1], %[x0], %[even], %[sum1]\n"
      "smlad %[sum0], %[x1], %[a], %[sum0]\n"
      "smlad %[sum1], %[x1], %[b], %[sum1]\n"
      : [x0] "=&r"(x0), [x1] "=&r"(x1), [a] "=&r"(a), [b] "=&r"(b), [even] "=&r"(even), [x] "+&r"(x),
        [first] "+&r"(first), [second] "+&r"(second), [sum0] "+&r"(sum[0]), [sum1] "+&r"(sum[1])
      :
      : "memory");
#else
  q_plain_four_1x2(x, q_load(first), q_load(second), sum);
  x += 2;
  first += 4;
  second += 4;
#endif
}

/// Adds to the sums of one input and two rows. x: from q_plain_widen.
TINYTC_INLINE void q_plain_1x2(int elements, const std::uint32_t* x, const std::int8_t* first,
                               const std::int8_t* second, std::int32_t (&sum)[2]) {
  for (int k = 0; k < elements / 16; ++k) {
    q_plain_step_1x2(x, first, second, sum);
    q_plain_step_1x2(x, first, second, sum);
    q_plain_step_1x2(x, first, second, sum);
    q_plain_step_1x2(x, first, second, sum);
  }
  if (elements / 8 % 2 != 0) {
    q_plain_step_1x2(x, first, second, sum);
    q_plain_step_1x2(x, first, second, sum);
  }
  if (elements / 4 % 2 != 0) q_plain_step_1x2(x, first, second, sum);
  const int rest = elements % 4;
  if (rest == 0) return;
  q_plain_four_1x2(x, q_plain_rest(first + rest, elements), q_plain_rest(second + rest, elements), sum);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_PLAIN_DOT_H
