// Dense int8 layers for cores without dual multiplications: q_dense with the blocks of q_scalar_dot.h. Inputs
// are read where they are, so there is no scratch.
#ifndef TINYTC_RUNTIME_Q_SCALAR_DENSE_H
#define TINYTC_RUNTIME_Q_SCALAR_DENSE_H

#include "runtime/q_dense.h"
#include "runtime/q_scalar_dot.h"

namespace tinytc {

constexpr long long q_scalar_dense_macs(const QDenseShape& s) { return q_dense_macs(s); }

/// Bytes of the stored weights: [blocks of 8 channels][in][8].
constexpr int q_scalar_dense_packed_bytes(const QDenseShape& s) { return (s.out + 7) / 8 * 8 * s.in; }

/// Stores weights as w + 128; channels that fill up a block get weight 0. w: [out][in].
constexpr void q_scalar_dense_pack(const QDenseShape& s, const std::int8_t* w, std::uint8_t* packed) {
  for (int k = 0; k < q_scalar_dense_packed_bytes(s); ++k) packed[k] = 128;
  for (int o = 0; o < s.out; ++o) {
    for (int k = 0; k < s.in; ++k) {
      packed[(o / 8 * s.in + k) * 8 + o % 8] = static_cast<std::uint8_t>(w[o * s.in + k] + 128);
    }
  }
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: every eight
/// outputs read the row again.
constexpr int q_scalar_dense_lead_x(const QDenseShape& s) {
  const int last_block = (s.out - 1) / 8 * 8;
  return last_block == 0 ? q_dense_lead_x(s) : last_block + max_of(0, (s.rows - 1) * (s.out - s.in));
}

/// q_dense with w stored by q_scalar_dense_pack; y may overlap x from q_scalar_dense_lead_x on.
TINYTC_INLINE void q_scalar_dense(const QDenseShape& s, const std::int8_t* x, const std::uint8_t* w,
                                  const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                  std::int8_t* y) {
  std::int32_t rest[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int c = s.out / 8 * 8; c < s.out; ++c) rest[c % 8] = bias[c];
  for (int row = 0; row < s.rows; ++row) {
    const std::int8_t* from = x + row * s.in;
    int x_sum = 0;
    for (int k = 0; k < s.in; ++k) x_sum += from[k];
    std::int32_t sum[8];
    QScalarArguments arguments = q_scalar_arguments_1x8(s.in, from, x_sum, w, bias, sum);
    for (int o = 0; o < s.out; o += 8) {
      const int width = min_of(8, s.out - o);
      if (width < 8) arguments.bias = rest;
      q_scalar_block_1x8(s.in, arguments);
      for (int c = 0; c < width; ++c) y[row * s.out + o + c] = q_requantized(sum[c], scale, o + c, out);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_SCALAR_DENSE_H
