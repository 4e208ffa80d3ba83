// The blocks of integer products (q_integer.h): inputs less their zero point, widened, times rows of weights.
//
// The zero point of the inputs is known when the model runs, so it goes off every input where that is
// widened: lanes then hold x - zero, within +-255, and what lies in the padding is 0. Weights stay as they
// are, one byte each, in plain rows (q_plain_dot.h). What does not fit that byte is their zero point: the
// results take it off by the sum of the inputs, which is one more sum for all of them.
#ifndef TINYTC_RUNTIME_Q_INTEGER_DOT_H
#define TINYTC_RUNTIME_Q_INTEGER_DOT_H

#include "runtime/q_base.h"
#include "runtime/q_plain_dot.h"

namespace tinytc {

/// Whether X is uint8 and not int8.
template <typename X>
TINYTC_INLINE constexpr bool q_is_unsigned() {
  return static_cast<X>(-1) > static_cast<X>(0);
}

/// A zero point that is absent is 0.
template <typename X>
TINYTC_INLINE int q_integer_zero(const X* zero) {
  return zero != nullptr ? static_cast<int>(*zero) : 0;
}

/// Four of X's elements as int8: uint8 less 128.
template <typename X>
TINYTC_INLINE std::uint32_t q_integer_signed(std::uint32_t four) {
  return q_is_unsigned<X>() ? four ^ 0x80808080U : four;
}

/// Widens x - zero of `elements` into every `step`-th word, in the order of q_plain_widen; unused lanes are
/// 0.
template <typename X>
TINYTC_SHARED void q_integer_widen(const X* x, int elements, int zero, int step, std::uint32_t* words) {
  const std::int8_t* bytes = reinterpret_cast<const std::int8_t*>(x);
  const int shift = (q_is_unsigned<X>() ? 128 : 0) - zero;
  const std::uint32_t offset = q_lanes(shift, shift);
  for (int k = 0; k < elements / 4; ++k) {
    const std::uint32_t four = q_integer_signed<X>(q_load(bytes));
    words[0] = q_add_even_bytes(offset, four);
    words[step] = q_add_odd_bytes(offset, four);
    bytes += 4;
    words += 2 * step;
  }
  const int rest = elements % 4;
  if (rest == 0) return;
  const std::uint32_t four = q_integer_signed<X>(q_plain_rest(bytes + rest, elements));
  words[0] = q_add_even_bytes(offset, four) & (rest >= 2 ? 0xFFFF0000U : 0U);
  words[step] = q_add_odd_bytes(offset, four) & (rest == 3 ? 0xFFFFFFFFU : 0xFFFF0000U);
}

/// The sum of a widened input's elements: the lanes of every `step`-th word.
TINYTC_INLINE std::int32_t q_integer_sum(int words, int step, const std::uint32_t* x) {
  std::int32_t sum = 0;
  for (int k = 0; k < words; ++k) sum = q_dual(sum, x[k * step], q_lanes(1, 1));
  return sum;
}

/// The result of output channel o: less the weights' zero point times the inputs' sum, modulo 2^32.
/// w_zero: null where all are 0.
template <typename Y>
TINYTC_INLINE Y q_integer_result(std::int32_t sum, std::int32_t inputs, const std::int32_t* w_zero, int o) {
  if (w_zero == nullptr) return static_cast<Y>(sum);
  const std::uint32_t part = static_cast<std::uint32_t>(w_zero[o]) * static_cast<std::uint32_t>(inputs);
  return static_cast<Y>(static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) - part));
}

/// `out` results of one widened input. w: [out][elements]; w_zero: [out] or null.
template <typename Y>
TINYTC_INLINE void q_integer_row(int elements, int out, const std::uint32_t* x, const std::int8_t* w,
                                 const std::int32_t* w_zero, Y* y) {
  const std::int32_t inputs = w_zero != nullptr ? q_integer_sum(q_plain_words(elements), 1, x) : 0;
  for (int o = 0; o < out; o += 2) {
    const int next = min_of(o + 1, out - 1);
    std::int32_t sum[2] = {0, 0};
    q_plain_1x2(elements, x, w + o * elements, w + next * elements, sum);
    y[o] = q_integer_result<Y>(sum[0], inputs, w_zero, o);
    y[next] = q_integer_result<Y>(sum[1], inputs, w_zero, next);
  }
}

/// The same of two inputs, whose words alternate. y1 may be y0 where the inputs are equal.
template <typename Y>
TINYTC_INLINE void q_integer_two_rows(int elements, int out, const std::uint32_t* x, const std::int8_t* w,
                                      const std::int32_t* w_zero, Y* y0, Y* y1) {
  const std::int32_t inputs0 = w_zero != nullptr ? q_integer_sum(q_plain_words(elements), 2, x) : 0;
  const std::int32_t inputs1 = w_zero != nullptr ? q_integer_sum(q_plain_words(elements), 2, x + 1) : 0;
  for (int o = 0; o < out; o += 2) {
    const int next = min_of(o + 1, out - 1);
    std::int32_t sum[4] = {0, 0, 0, 0};
    q_plain_2x2(elements, x, w + o * elements, w + next * elements, sum);
    y0[o] = q_integer_result<Y>(sum[0], inputs0, w_zero, o);
    y0[next] = q_integer_result<Y>(sum[1], inputs0, w_zero, next);
    y1[o] = q_integer_result<Y>(sum[2], inputs1, w_zero, o);
    y1[next] = q_integer_result<Y>(sum[3], inputs1, w_zero, next);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_INTEGER_DOT_H
