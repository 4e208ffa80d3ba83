// Product of two int8 activations on cores with dual multiplications: the shapes, sums and results of
// q_matmul.
//
// Several columns of b are put into scratch, each contiguous (unless they are so in b), and meet all rows of
// a, two at a time, which are widened as inputs of dense layers are (q_plain_dot.h), without their zero
// point. That of b stays out of the inner loop: sum (a - za)(b - zb) = sum (a - za) b - zb sum (a - za).
#ifndef TINYTC_RUNTIME_Q_PAIRED_MATMUL_H
#define TINYTC_RUNTIME_Q_PAIRED_MATMUL_H

#include "runtime/q_base.h"
#include "runtime/q_dense.h"
#include "runtime/q_plain_dot.h"

namespace tinytc {

/// Whether this kernel has the shape: rows of a are contiguous.
constexpr bool q_paired_matmul_serves(const QMatmulShape& s) { return s.a_column == 1; }

constexpr long long q_paired_matmul_macs(const QMatmulShape& s) { return q_matmul_macs(s); }

/// From one column in scratch to the next, in bytes: columns start at words.
TINYTC_INLINE constexpr int q_paired_matmul_step(const QMatmulShape& s) { return (s.k + 3) / 4 * 4; }

/// Bytes before each column in scratch: with them the shortest ones end with a word too.
TINYTC_INLINE constexpr int q_paired_matmul_before(const QMatmulShape& s) { return max_of(0, 4 - s.k); }

/// Columns that are taken at a time: as many as make 1 KB, at least eight, or four of long ones. Rows are
/// widened anew for each lot of columns.
TINYTC_INLINE constexpr int q_paired_matmul_columns(const QMatmulShape& s) {
  const int most = s.k > 256 ? 4 : max_of(8, 1024 / q_paired_matmul_step(s) / 4 * 4);
  return min_of((s.n + 3) / 4 * 4, most);
}

/// Scratch in words: two widened rows, and the columns.
constexpr int q_paired_matmul_scratch(const QMatmulShape& s) {
  const int copied = s.b_row == 1 ? 0 : q_paired_matmul_columns(s) * q_paired_matmul_step(s) / 4;
  return 2 * q_plain_words(s.k) + copied;
}

/// Bytes 0 and 2 of two words: first's 0, second's 0, first's 2, second's 2.
TINYTC_INLINE std::uint32_t q_zip_even(std::uint32_t first, std::uint32_t second) {
  return (first & 0x00FF00FFU) | ((second & 0x00FF00FFU) << 8);
}

/// The same of bytes 1 and 3.
TINYTC_INLINE std::uint32_t q_zip_odd(std::uint32_t first, std::uint32_t second) {
  return ((first >> 8) & 0x00FF00FFU) | (second & 0xFF00FF00U);
}

/// Copies four neighbouring columns: four rows of four bytes at a time change sides.
TINYTC_INLINE void q_matmul_copy_four(const QMatmulShape& s, const std::int8_t* b, std::int8_t* to) {
  const int step = q_paired_matmul_step(s);
  for (int k = 0; k < s.k / 4; ++k) {
    const std::uint32_t r0 = q_load(b);
    const std::uint32_t r1 = q_load(b + s.b_row);
    const std::uint32_t r2 = q_load(b + 2 * s.b_row);
    const std::uint32_t r3 = q_load(b + 3 * s.b_row);
    const std::uint32_t even = q_zip_even(r0, r1);
    const std::uint32_t next_even = q_zip_even(r2, r3);
    const std::uint32_t odd = q_zip_odd(r0, r1);
    const std::uint32_t next_odd = q_zip_odd(r2, r3);
    q_store(to, q_low_halves(even, next_even));
    q_store(to + step, q_low_halves(odd, next_odd));
    q_store(to + 2 * step, q_high_halves(even, next_even));
    q_store(to + 3 * step, q_high_halves(odd, next_odd));
    b += 4 * s.b_row;
    to += 4;
  }
  for (int k = 0; k < s.k % 4; ++k) {
    const std::uint32_t four = q_load(b);
    to[0] = static_cast<std::int8_t>(four & 0xFFU);
    to[step] = static_cast<std::int8_t>((four >> 8) & 0xFFU);
    to[2 * step] = static_cast<std::int8_t>((four >> 16) & 0xFFU);
    to[3 * step] = static_cast<std::int8_t>(four >> 24);
    b += s.b_row;
    ++to;
  }
}

/// Makes `width` columns contiguous. b: the first one's first element. Where four do not divide them, the
/// last four begin among those that are copied already.
TINYTC_INLINE void q_matmul_copy(const QMatmulShape& s, const std::int8_t* b, int width, std::int8_t* bytes) {
  const int step = q_paired_matmul_step(s);
  if (s.b_column == 1 && width >= 4) {
    for (int c = 0; c < width; c += 4) {
      const int first = min_of(c, width - 4);
      q_matmul_copy_four(s, b + first, bytes + first * step);
    }
    return;
  }
  for (int c = 0; c < width; ++c) {
    for (int k = 0; k < s.k; ++k) bytes[c * step + k] = b[c * s.b_column + k * s.b_row];
  }
}

/// Adds four elements of two rows, four words, to their sums.
TINYTC_INLINE void q_matmul_add_four(const std::uint32_t* words, std::int32_t (&sums)[2]) {
  const std::uint32_t one = 0x00010001U;
  sums[0] = q_dual(q_dual(sums[0], words[0], one), words[2], one);
  sums[1] = q_dual(q_dual(sums[1], words[1], one), words[3], one);
}

/// Widens two rows of a as q_plain_widen_two does, less the zero point. sums: those of their elements, unless
/// b's zero point is 0.
TINYTC_INLINE void q_matmul_widen_two(const QMatmulShape& s, const std::int8_t* x0, const std::int8_t* x1,
                                      std::uint32_t* words, std::int32_t (&sums)[2]) {
  const std::uint32_t zero = q_lanes(-s.a_zero_point, -s.a_zero_point);
  for (int k = 0; k < s.k / 4; ++k) {
    const std::uint32_t a = q_load(x0);
    const std::uint32_t b = q_load(x1);
    words[0] = q_add_even_bytes(zero, a);
    words[1] = q_add_even_bytes(zero, b);
    words[2] = q_add_odd_bytes(zero, a);
    words[3] = q_add_odd_bytes(zero, b);
    if (s.b_zero_point != 0) q_matmul_add_four(words, sums);
    x0 += 4;
    x1 += 4;
    words += 4;
  }
  const int rest = s.k % 4;
  if (rest == 0) return;
  const std::uint32_t a = q_plain_rest(x0 + rest, s.k);
  const std::uint32_t b = q_plain_rest(x1 + rest, s.k);
  const std::uint32_t even = rest >= 2 ? 0xFFFF0000U : 0;
  const std::uint32_t odd = rest == 3 ? 0xFFFFFFFFU : 0xFFFF0000U;
  words[0] = q_add_even_bytes(zero, a) & even;
  words[1] = q_add_even_bytes(zero, b) & even;
  words[2] = q_add_odd_bytes(zero, a) & odd;
  words[3] = q_add_odd_bytes(zero, b) & odd;
  if (s.b_zero_point != 0) q_matmul_add_four(words, sums);
}

/// Adds products of two rows and two columns of at most four elements. The words may stay in registers.
TINYTC_INLINE void q_matmul_short(const QMatmulShape& s, const std::uint32_t (&words)[4],
                                  const std::int8_t* column, int second, std::int32_t (&sum)[4]) {
  if (s.b_row == 1) {
    q_plain_four_2x2(words, q_plain_rest(column + s.k, s.k), q_plain_rest(column + second + s.k, s.k), sum);
  } else {
    const std::int8_t* word = column - q_paired_matmul_before(s);
    q_plain_four_2x2(words, q_load(word), q_load(word + second), sum);
  }
}

/// Two rows times `width` columns, as q_matmul_panel has them. words: of both rows; starts: of their sums;
/// y0, y1: their results.
TINYTC_INLINE void q_matmul_two_rows(const QMatmulShape& s, const std::uint32_t* words,
                                     const std::int32_t (&starts)[2], const std::int8_t* column,
                                     int column_step, int width, const QScale& scale, const QOutput& out,
                                     std::int8_t* y0, std::int8_t* y1) {
  const std::uint32_t kept[4] = {words[0], words[1], words[2], words[3]};
  const int apart = s.n % q_paired_matmul_columns(s) == 1 ? min_of(1, width - 1) : 1;
  const int second = apart * column_step;
  for (int n = 0; n < width; n += 2) {
    std::int32_t sum[4] = {starts[0], starts[0], starts[1], starts[1]};
    if (s.k <= 4) {
      q_matmul_short(s, kept, column, second, sum);
    } else {
      q_plain_2x2(s.k, words, column, column + second, sum);
    }
    y0[0] = q_requantized(sum[0], scale, 0, out);
    y0[apart] = q_requantized(sum[1], scale, 0, out);
    y1[0] = q_requantized(sum[2], scale, 0, out);
    y1[apart] = q_requantized(sum[3], scale, 0, out);
    const int on = s.n == 1 ? 0 : s.n % 2 == 0 ? 2 : min_of(2, width - 2 - n);
    column += on * column_step;
    y0 += on;
    y1 += on;
  }
}

/// All rows times `width` columns. column: of b, contiguous, `column_step` apart; y: the first row's result
/// of the first column.
TINYTC_INLINE void q_matmul_panel(const QMatmulShape& s, const std::int8_t* a, const std::int8_t* column,
                                  int column_step, int width, const QScale& scale, const QOutput& out,
                                  std::int8_t* y, std::uint32_t* words) {
  for (int m = 0; m < s.m; m += 2) {
    const int second = min_of(m + 1, s.m - 1);
    std::int32_t sums[2] = {0, 0};
    q_matmul_widen_two(s, a + m * s.a_row, a + second * s.a_row, words, sums);
    const std::int32_t starts[2] = {-s.b_zero_point * sums[0], -s.b_zero_point * sums[1]};
    q_matmul_two_rows(s, words, starts, column, column_step, width, scale, out, y + m * s.n,
                      y + second * s.n);
  }
}

/// One product of the batch.
TINYTC_INLINE void q_paired_matmul_product(const QMatmulShape& s, const std::int8_t* a, const std::int8_t* b,
                                           const QScale& scale, const QOutput& out, std::int8_t* y,
                                           std::uint32_t* scratch) {
  const int columns = q_paired_matmul_columns(s);
  std::int8_t* bytes =
      reinterpret_cast<std::int8_t*>(scratch + 2 * q_plain_words(s.k)) + q_paired_matmul_before(s);
  const bool copied = s.b_row != 1;
  for (int n = 0; n < s.n; n += columns) {
    const int width = min_of(columns, s.n - n);
    const std::int8_t* from = b + n * s.b_column;
    if (copied) q_matmul_copy(s, from, width, bytes);
    q_matmul_panel(s, a, copied ? bytes : from, copied ? q_paired_matmul_step(s) : s.b_column, width, scale,
                   out, y + n, scratch);
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
