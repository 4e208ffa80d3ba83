// Product of two int8 activations on cores with dual multiplications: the shapes, sums and results of
// q_matmul.
//
// Four columns of b are put into scratch, each contiguous (unless they are so in b), and meet all rows of a,
// two at a time, which are widened as inputs of dense layers are (q_plain_dot.h). Zero points stay out of the
// inner loop: sum (a - za)(b - zb) = sum a b - za sum b - zb sum a + k za zb.
#ifndef TINYTC_RUNTIME_Q_PAIRED_MATMUL_H
#define TINYTC_RUNTIME_Q_PAIRED_MATMUL_H

#include "runtime/q_base.h"
#include "runtime/q_dense.h"
#include "runtime/q_plain_dot.h"

namespace tinytc {

/// Whether this kernel has the shape: rows of a are contiguous.
constexpr bool q_paired_matmul_serves(const QMatmulShape& s) { return s.a_column == 1; }

constexpr long long q_paired_matmul_macs(const QMatmulShape& s) { return q_matmul_macs(s); }

/// Columns that are taken at a time: four, or as many of short ones as make 256 bytes.
TINYTC_INLINE constexpr int q_paired_matmul_columns(const QMatmulShape& s) {
  return s.k >= 64 ? 4 : min_of((s.n + 3) / 4 * 4, 256 / s.k / 4 * 4);
}

/// Scratch in words: two widened rows, and of the columns what is subtracted from their sums, and their
/// bytes.
constexpr int q_paired_matmul_scratch(const QMatmulShape& s) {
  const int columns = q_paired_matmul_columns(s);
  return 2 * q_plain_words(s.k) + columns + (s.b_row == 1 ? 0 : columns * s.k / 4);
}

/// Copies four neighbouring columns, `s.k` bytes apart. corrections: their sums times a's zero point.
TINYTC_INLINE void q_matmul_copy_four(const QMatmulShape& s, const std::int8_t* b, std::int8_t* to,
                                      std::int32_t* corrections) {
  std::int32_t s0 = 0;
  std::int32_t s1 = 0;
  std::int32_t s2 = 0;
  std::int32_t s3 = 0;
  for (int k = 0; k < s.k; ++k) {
    const std::uint32_t four = q_load(b);
    to[0] = static_cast<std::int8_t>(four & 0xFFU);
    to[s.k] = static_cast<std::int8_t>((four >> 8) & 0xFFU);
    to[2 * s.k] = static_cast<std::int8_t>((four >> 16) & 0xFFU);
    to[3 * s.k] = static_cast<std::int8_t>(four >> 24);
    s0 += static_cast<std::int8_t>(four & 0xFFU);
    s1 += static_cast<std::int8_t>((four >> 8) & 0xFFU);
    s2 += static_cast<std::int8_t>((four >> 16) & 0xFFU);
    s3 += static_cast<std::int8_t>(four >> 24);
    b += s.b_row;
    ++to;
  }
  corrections[0] = s.a_zero_point * s0;
  corrections[1] = s.a_zero_point * s1;
  corrections[2] = s.a_zero_point * s2;
  corrections[3] = s.a_zero_point * s3;
}

/// Copies one column, or only adds it up where columns are contiguous.
TINYTC_INLINE std::int32_t q_matmul_copy_one(const QMatmulShape& s, const std::int8_t* b, std::int8_t* to) {
  std::int32_t sum = 0;
  for (int k = 0; k < s.k; ++k) {
    const std::int8_t value = b[k * s.b_row];
    if (s.b_row != 1) to[k] = value;
    sum += value;
  }
  return sum;
}

/// The sum of two widened rows' elements, words alternating.
TINYTC_INLINE void q_matmul_row_sums(const QMatmulShape& s, const std::uint32_t* words,
                                     std::int32_t (&sums)[2]) {
  std::int32_t s0 = 0;
  std::int32_t s1 = 0;
  const std::uint32_t one = 0x00010001U;
  for (int k = 0; k < q_plain_words(s.k) / 4; ++k) {
    s0 = q_dual(q_dual(q_dual(q_dual(s0, words[0], one), words[2], one), words[4], one), words[6], one);
    s1 = q_dual(q_dual(q_dual(q_dual(s1, words[1], one), words[3], one), words[5], one), words[7], one);
    words += 8;
  }
  if (q_plain_words(s.k) % 4 != 0) {
    s0 = q_dual(q_dual(s0, words[0], one), words[2], one);
    s1 = q_dual(q_dual(s1, words[1], one), words[3], one);
  }
  sums[0] = s0;
  sums[1] = s1;
}

/// Results of two rows and two columns from widened rows. second: from the first column to the second, which
/// may be the first again (0); apart: from its result to the other one's (1 or 0). sum: where the sums start.
TINYTC_INLINE void q_matmul_two_by_two(const QMatmulShape& s, const std::uint32_t* words,
                                       const std::int8_t* column, int second, std::int32_t (&sum)[4],
                                       const QScale& scale, const QOutput& out, int apart, std::int8_t* y0,
                                       std::int8_t* y1) {
  q_plain_2x2(s.k, words, column, column + second, sum);
  y0[0] = q_requantized(sum[0], scale, 0, out);
  y0[apart] = q_requantized(sum[1], scale, 0, out);
  y1[0] = q_requantized(sum[2], scale, 0, out);
  y1[apart] = q_requantized(sum[3], scale, 0, out);
}

/// All rows times `width` columns. column, corrections: of b, contiguous, `column_step` apart; y: the first
/// row's result of the first column.
TINYTC_INLINE void q_matmul_panel(const QMatmulShape& s, const std::int8_t* a, const std::int8_t* column,
                                  int column_step, const std::int32_t* corrections, int width,
                                  const QScale& scale, const QOutput& out, std::int8_t* y,
                                  std::uint32_t* words) {
  const int both = s.k * s.a_zero_point * s.b_zero_point;
  for (int m = 0; m < s.m; m += 2) {
    const int second = min_of(m + 1, s.m - 1);
    q_plain_widen_two(a + m * s.a_row, a + second * s.a_row, s.k, words);
    std::int32_t row_sums[2] = {0, 0};
    if (s.b_zero_point != 0) q_matmul_row_sums(s, words, row_sums);
    const int start0 = both - s.b_zero_point * row_sums[0];
    const int start1 = both - s.b_zero_point * row_sums[1];
    for (int n = 0; n < width / 2 * 2; n += 2) {
      const int left = corrections[n];
      const int right = corrections[n + 1];
      std::int32_t sum[4] = {start0 - left, start0 - right, start1 - left, start1 - right};
      q_matmul_two_by_two(s, words, column + n * column_step, column_step, sum, scale, out, 1,
                          y + m * s.n + n, y + second * s.n + n);
    }
    if (width % 2 != 0) {
      const int n = width - 1;
      const int last = corrections[n];
      std::int32_t sum[4] = {start0 - last, start0 - last, start1 - last, start1 - last};
      q_matmul_two_by_two(s, words, column + n * column_step, 0, sum, scale, out, 0, y + m * s.n + n,
                          y + second * s.n + n);
    }
  }
}

/// Makes `width` columns contiguous and computes what is subtracted from their sums. b: the first one's first
/// element.
TINYTC_INLINE void q_matmul_copy(const QMatmulShape& s, const std::int8_t* b, int width,
                                 std::int32_t* corrections, std::int8_t* bytes) {
  const int fours = s.b_column == 1 && s.b_row != 1 ? width / 4 * 4 : 0;
  for (int c = 0; c < fours; c += 4) q_matmul_copy_four(s, b + c, bytes + c * s.k, corrections + c);
  for (int c = fours; c < width; ++c) {
    corrections[c] = s.a_zero_point * q_matmul_copy_one(s, b + c * s.b_column, bytes + c * s.k);
  }
}

/// One product of the batch.
TINYTC_INLINE void q_paired_matmul_product(const QMatmulShape& s, const std::int8_t* a, const std::int8_t* b,
                                           const QScale& scale, const QOutput& out, std::int8_t* y,
                                           std::uint32_t* scratch) {
  const int columns = q_paired_matmul_columns(s);
  std::int32_t* corrections = reinterpret_cast<std::int32_t*>(scratch + 2 * q_plain_words(s.k));
  std::int8_t* bytes = reinterpret_cast<std::int8_t*>(corrections + columns);
  const bool copied = s.b_row != 1;
  for (int n = 0; n < s.n; n += columns) {
    const int width = min_of(columns, s.n - n);
    const std::int8_t* from = b + n * s.b_column;
    q_matmul_copy(s, from, width, corrections, bytes);
    q_matmul_panel(s, a, copied ? bytes : from, copied ? s.k : s.b_column, corrections, width, scale, out,
                   y + n, scratch);
  }
}

/// y = clamp(zero point + round(scale * a b)); scale: one entry. k is at most 32,768: sums fit 31 bits.
/// scratch: q_paired_matmul_scratch words. y overlaps neither operand.
TINYTC_INLINE void q_paired_matmul(const QMatmulShape& s, const std::int8_t* a, const std::int8_t* b,
                                   const QScale& scale, const QOutput& out, std::int8_t* y,
                                   std::uint32_t* scratch) {
  // Here no store to y can change them.
  const std::int32_t multiplier = scale.multiplier[0];
  const std::int8_t shift = scale.shift != nullptr ? scale.shift[0] : std::int8_t{0};
  const QScale one{&multiplier, scale.shift != nullptr ? &shift : nullptr};
  for (int batch = 0; batch < q_matmul_batches(s); ++batch) {
    q_paired_matmul_product(s, a + q_matmul_offset(s, s.a_batch, batch),
                            b + q_matmul_offset(s, s.b_batch, batch), one, out, y + batch * s.m * s.n,
                            scratch);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_PAIRED_MATMUL_H
