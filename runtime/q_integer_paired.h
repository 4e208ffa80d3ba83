// q_integer_dense with paired weights (q_patch.h), eight output channels a block, for cores with dual
// multiplications.
#ifndef TINYTC_RUNTIME_Q_INTEGER_PAIRED_H
#define TINYTC_RUNTIME_Q_INTEGER_PAIRED_H

#include "runtime/q_integer.h"

namespace tinytc {

/// Whether q_dense_pack may pair weights for inputs less their zero point: none is -128, and no sum reaches
/// 2^23 in size. Inputs and zero point lie in one range of 255 steps, so a sum is largest where the inputs of
/// weights of one sign lie at its end and the others, with the zero point, at the other. w: [out][in].
constexpr bool q_integer_pairable(const QDenseShape& s, const std::int8_t* w) {
  for (int o = 0; o < s.out; ++o) {
    std::int64_t positive = 0;
    std::int64_t negative = 0;
    for (int k = 0; k < s.in; ++k) {
      const int weight = w[o * s.in + k];
      if (weight == -128) return false;
      positive += max_of(weight, 0);
      negative += max_of(-weight, 0);
    }
    if (255 * max_of(positive, negative) >= 1 << 23) return false;
  }
  return true;
}

constexpr long long q_integer_dense_paired_macs(const QDenseShape& s) { return q_dense_macs(s); }

/// Scratch in words: a widened row.
constexpr int q_integer_dense_paired_scratch(const QDenseShape& s) { return q_run_words(s.in); }

/// Widens x - zero of `elements` in the order of q_widen_run; unused lanes are 0.
template <typename X>
TINYTC_INLINE void q_integer_widen_run(const X* x, int elements, int zero, std::uint32_t* words) {
  const int fours = elements / 4;
  q_integer_widen(x, 4 * fours, zero, 1, words);
  const X* last = x + 4 * fours;
  std::uint32_t* to = words + 2 * fours;
  const int rest = elements % 4;
  if (rest == 1) to[0] = q_lanes(last[0] - zero, 0);
  if (rest >= 2) to[0] = q_lanes(last[0] - zero, last[1] - zero);
  if (rest == 3) to[1] = q_lanes(last[2] - zero, 0);
}

/// q_integer_dense with weights that q_integer_pairable has accepted, from q_dense_pack. y must not overlap
/// x; scratch: q_integer_dense_paired_scratch words.
template <typename X, typename Y>
TINYTC_INLINE void q_integer_dense_paired(const QDenseShape& s, const X* x, const X* x_zero,
                                          const std::uint32_t* w, const std::int32_t* w_zero, Y* y,
                                          std::uint32_t* scratch) {
  const std::int32_t none[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  const int words = q_run_words(s.in);
  for (int row = 0; row < s.rows; ++row) {
    q_integer_widen_run(x + row * s.in, s.in, q_integer_zero(x_zero), scratch);
    const std::int32_t inputs = w_zero != nullptr ? q_integer_sum(words, 1, scratch) : 0;
    for (int o = 0; o < s.out; o += 8) {
      std::int32_t sum[8];
      q_block_1x8(words, scratch, w + o / 2 * words, none, sum);
      for (int c = 0; c < min_of(8, s.out - o); ++c)
        y[row * s.out + o + c] = q_integer_result<Y>(sum[c], inputs, w_zero, o + c);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_INTEGER_PAIRED_H
