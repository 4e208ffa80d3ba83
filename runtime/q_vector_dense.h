// Dense layers in int8 for cores with vectors of 16 int8 (q_vector.h).
#ifndef TINYTC_RUNTIME_Q_VECTOR_DENSE_H
#define TINYTC_RUNTIME_Q_VECTOR_DENSE_H

#include "runtime/q_dense.h"
#include "runtime/q_vector.h"

namespace tinytc {

/// Words of the packed weights, biases and multipliers.
constexpr int q_vector_dense_words(const QDenseShape& s) {
  return (s.out + 7) / 8 * q_vector_block_words(8, s.in);
}

/// Packs a layer. w: [out][in]; bias, multiplier: [out]; words: q_vector_dense_words.
constexpr void q_vector_dense_pack(const QDenseShape& s, const std::int8_t* w, const std::int32_t* bias,
                                   const std::int32_t* multiplier, std::uint32_t* words) {
  for (int o = 0; o < s.out; o += 8) {
    q_vector_pack(8, min_of(8, s.out - o), QVectorOrder{s.in, 1}, w + o * s.in, bias + o, multiplier + o,
                  words + o / 8 * q_vector_block_words(8, s.in));
  }
}

/// Scratch in words: a row, up to a multiple of a vector.
constexpr int q_vector_dense_scratch(const QDenseShape& s) { return q_vectors(s.in) * q_vector / 4; }

constexpr long long q_vector_dense_macs(const QDenseShape& s) { return q_dense_macs(s); }

/// Smallest distance in elements, address of x minus address of y, at which y may run over x.
constexpr int q_vector_dense_lead_x(const QDenseShape& s) { return q_dense_lead_x(s); }

/// y = clamp(zero point + round(scale * (bias + x W^T))) with scales below 0.5. x:
/// [rows][in]; w: made by q_vector_dense_pack; y: [rows][out], may overlap x from q_vector_dense_lead_x on;
/// scratch: q_vector_dense_scratch words.
TINYTC_INLINE void q_vector_dense(const QDenseShape& s, const std::int8_t* x, const std::uint32_t* w,
                                  const QOutput& out, std::int8_t* y, std::uint32_t* scratch) {
  std::int8_t* row = reinterpret_cast<std::int8_t*>(scratch);
  for (int r = 0; r < s.rows; ++r) {
    q_vector_copy(x + r * s.in, s.in, row);
    q_vector_one(s.in, s.out, row, w, out.zero_point, y + r * s.out);
    q_vector_clamp(out, s.out, y + r * s.out);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_VECTOR_DENSE_H
