// q_dense with weights in plain order and of any value: tensors that are trained, weights of -128, sums too
// large for pairs. The row is widened into scratch once and meets all output channels, two at a time
// (q_plain_dot.h).
#ifndef TINYTC_RUNTIME_Q_DENSE_PLAIN_H
#define TINYTC_RUNTIME_Q_DENSE_PLAIN_H

#include "runtime/q_base.h"
#include "runtime/q_dense.h"
#include "runtime/q_plain_dot.h"

namespace tinytc {

constexpr long long q_dense_plain_macs(const QDenseShape& s) { return q_dense_macs(s); }

/// Scratch in words: a widened row.
constexpr int q_dense_plain_scratch(const QDenseShape& s) { return q_plain_words(s.in); }

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: rows are read
/// whole.
constexpr int q_dense_plain_lead_x(const QDenseShape& s) { return q_dense_lead_x(s); }

/// q_dense with weights in plain order [out][in], of any value, where sums fit 32 bits. y may overlap x from
/// q_dense_plain_lead_x on; scratch: q_dense_plain_scratch words.
TINYTC_INLINE void q_dense_plain(const QDenseShape& s, const std::int8_t* x, const std::int8_t* w,
                                 const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                 std::int8_t* y, std::uint32_t* scratch) {
  for (int row = 0; row < s.rows; ++row) {
    q_plain_widen(x + row * s.in, s.in, 1, scratch);
    for (int o = 0; o < s.out; o += 2) {
      const int next = min_of(o + 1, s.out - 1);
      std::int32_t sum[2] = {bias[o], bias[next]};
      q_plain_1x2(s.in, scratch, w + o * s.in, w + next * s.in, sum);
      y[row * s.out + o] = q_requantized(sum[0], scale, o, out);
      y[row * s.out + next] = q_requantized(sum[1], scale, next, out);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DENSE_PLAIN_H
