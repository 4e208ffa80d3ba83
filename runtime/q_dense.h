// Dense layers in int8 (Gemm with constant weights) and products of two activations (MatMul).
//
// Weights of a dense layer are paired (q_patch.h), eight output channels a block; the row is widened into
// scratch once.
#ifndef TINYTC_RUNTIME_Q_DENSE_H
#define TINYTC_RUNTIME_Q_DENSE_H

#include "runtime/q_base.h"
#include "runtime/q_dot.h"
#include "runtime/q_patch.h"

namespace tinytc {

/// y[rows][out] = x[rows][in] W^T. With two rows or more q_conv2d with a 1x1 kernel is faster.
struct QDenseShape {
  int rows;
  int in;
  int out;
};
template <typename V>
constexpr void visit(const QDenseShape& s, V&& v) {
  v("rows", s.rows);
  v("in", s.in);
  v("out", s.out);
}
constexpr long long q_dense_macs(const QDenseShape& s) {
  return static_cast<long long>(s.rows) * s.in * s.out;
}

/// Words of the paired weights: [blocks of 8 channels][words of a row][4].
constexpr int q_dense_packed_words(const QDenseShape& s) { return (s.out + 7) / 8 * q_run_words(s.in) * 4; }

/// Pairs weights. w: [out][in], which q_pairable has accepted; packed: q_dense_packed_words words.
constexpr void q_dense_pack(const QDenseShape& s, const std::int8_t* w, std::uint32_t* packed) {
  for (int k = 0; k < q_dense_packed_words(s); ++k) packed[k] = 0;
  for (int o = 0; o < s.out; ++o) {
    for (int k = 0; k < s.in; ++k) {
      const int lane = q_run_lane(s.in, k);
      std::uint32_t& word = packed[(o / 8 * q_run_words(s.in) + lane / 2) * 4 + o % 8 / 2];
      const int value =
          (lane % 2 == 0 ? q_low(word) : q_high(word)) + (o % 2 == 0 ? 1 : 256) * w[o * s.in + k];
      word = lane % 2 == 0 ? q_lanes(value, q_high(word)) : q_lanes(q_low(word), value);
    }
  }
}

/// Scratch in words: a widened row.
constexpr int q_dense_scratch(const QDenseShape& s) { return q_run_words(s.in); }

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: rows are read
/// whole.
constexpr int q_dense_lead_x(const QDenseShape& s) {
  return s.rows == 1 ? -s.in : max_of((s.rows - 1) * (s.out - s.in), s.out - s.in);
}

#if defined(TINYTC_DSP)
/// `count` output channels of a row of `words`: whole blocks of eight into place, the rest by way of a block
/// of its own.
TINYTC_INLINE void q_dense_bytes(int words, int count, const std::uint32_t* x, const std::uint32_t* w,
                                 const std::int32_t* bias, const std::int32_t* multiplier, int zero_point,
                                 std::int8_t* y) {
  const int skip = q_skip_1x8(words);
  const int rounding = 256 * zero_point + 128;
  const int whole = count / 8 * 8;
  if (whole > 0) {
    q_bytes_1x8(QBlockArguments{x, x + words, skip, w, bias, multiplier, zero_point, y, y + whole, rounding});
  }
  if (whole == count) return;
  std::int32_t last_bias[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  std::int32_t last_multiplier[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  std::int8_t last[8];
  for (int c = whole; c < count; ++c) {
    last_bias[c - whole] = bias[c];
    last_multiplier[c - whole] = multiplier[c];
  }
  q_bytes_1x8(QBlockArguments{x, x + words, skip, w + whole / 2 * words, last_bias, last_multiplier,
                              zero_point, last, last + 8, rounding});
  for (int c = whole; c < count; ++c) y[c] = last[c - whole];
}
#endif

/// One row of q_dense. x: the widened row.
TINYTC_INLINE void q_dense_row(const QDenseShape& s, const std::uint32_t* x, const std::uint32_t* w,
                               const std::int32_t* bias, const QScale& scale, const QOutput& out,
                               std::int8_t* y) {
  const int words = q_run_words(s.in);
#if defined(TINYTC_DSP)
  if (scale.shift == nullptr && out.lo == -128 && out.hi == 127) {
    q_dense_bytes(words, s.out, x, w, bias, scale.multiplier, out.zero_point, y);
    return;
  }
#endif
  for (int o = 0; o < s.out; o += 8) {
    const int width = min_of(8, s.out - o);
    std::int32_t start[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    std::int32_t sum[8];
    for (int c = 0; c < width; ++c) start[c] = bias[o + c];
    q_block_1x8(words, x, w + o / 2 * words, start, sum);
    for (int c = 0; c < width; ++c) y[o + c] = q_requantized(sum[c], scale, o + c, out);
  }
}

/// y = clamp(zero point + round(scale * (bias + x W^T))). x: [rows][in]; w: paired by q_dense_pack; bias:
/// [out], with -x_zero_point * (sum of the channel's weights) folded in; y: [rows][out], may overlap x from
/// q_dense_lead_x on; scratch: q_dense_scratch words.
TINYTC_INLINE void q_dense(const QDenseShape& s, const std::int8_t* x, const std::uint32_t* w,
                           const std::int32_t* bias, const QScale& scale, const QOutput& out, std::int8_t* y,
                           std::uint32_t* scratch) {
  for (int row = 0; row < s.rows; ++row) {
    q_widen_run(x + row * s.in, s.in, 1, scratch);
    q_dense_row(s, scratch, w, bias, scale, out, y + row * s.out);
  }
}

/// y[b][m][n] = sum over k of (a[m][k] - a_zero_point)(b[k][n] - b_zero_point). Strides in elements; y is
/// row-major and dense.
struct QMatmulShape {
  int m;
  int n;
  int k;
  int a_row;
  int a_column;
  int b_row;
  int b_column;
  int a_zero_point;
  int b_zero_point;
  int batch_rank;  ///< used entries of the arrays below; 0: one product
  int batch_dims[6];
  int a_batch[6];  ///< strides of a by batch dimension; 0 broadcasts
  int b_batch[6];
};
template <typename V>
constexpr void visit(const QMatmulShape& s, V&& v) {
  v("m", s.m);
  v("n", s.n);
  v("k", s.k);
  v("a_row", s.a_row);
  v("a_column", s.a_column);
  v("b_row", s.b_row);
  v("b_column", s.b_column);
  v("a_zero_point", s.a_zero_point);
  v("b_zero_point", s.b_zero_point);
  v("batch_rank", s.batch_rank);
  v("batch_dims", s.batch_dims);
  v("a_batch", s.a_batch);
  v("b_batch", s.b_batch);
}

/// Number of products in the batch.
TINYTC_INLINE constexpr int q_matmul_batches(const QMatmulShape& s) {
  int batches = 1;
  for (int d = 0; d < s.batch_rank; ++d) batches *= s.batch_dims[d];
  return batches;
}
constexpr long long q_matmul_macs(const QMatmulShape& s) {
  return static_cast<long long>(q_matmul_batches(s)) * s.m * s.n * s.k;
}

/// Element offset of product `index` of the batch.
TINYTC_INLINE constexpr int q_matmul_offset(const QMatmulShape& s, const int (&strides)[6], int index) {
  int offset = 0;
  for (int d = s.batch_rank - 1; d >= 0; --d) {
    offset += index % s.batch_dims[d] * strides[d];
    index /= s.batch_dims[d];
  }
  return offset;
}

/// Where a product of one pair of matrices is: a, b and y from their first elements.
struct QMatmulOperands {
  const std::int8_t* a;
  const std::int8_t* b;
  const std::int32_t* bias;
  std::int8_t* y;
};

/// Adds one element of a row times one of each of four columns. Written out, as compilers keep only then the
/// sums in registers.
TINYTC_INLINE void q_matmul_step(int value, const int (&columns)[4], int (&sums)[4]) {
  sums[0] += value * columns[0];
  sums[1] += value * columns[1];
  sums[2] += value * columns[2];
  sums[3] += value * columns[3];
}

/// The result at (row, column) from its sum.
TINYTC_INLINE void q_matmul_finish(const QMatmulShape& s, const QMatmulOperands& at, const QScale& scale,
                                   bool per_column, const QOutput& out, int row, int column, int sum) {
  const int bias = at.bias != nullptr ? static_cast<int>(at.bias[column]) : 0;
  at.y[row * s.n + column] = q_requantized(bias + sum, scale, per_column ? column : 0, out);
}

/// The same of four columns.
TINYTC_INLINE void q_matmul_finish_four(const QMatmulShape& s, const QMatmulOperands& at, const QScale& scale,
                                        bool per_column, const QOutput& out, int row, int column,
                                        const int (&sums)[4]) {
  q_matmul_finish(s, at, scale, per_column, out, row, column, sums[0]);
  q_matmul_finish(s, at, scale, per_column, out, row, column + 1, sums[1]);
  q_matmul_finish(s, at, scale, per_column, out, row, column + 2, sums[2]);
  q_matmul_finish(s, at, scale, per_column, out, row, column + 3, sums[3]);
}

/// Results of two rows and four columns from `column` on.
TINYTC_INLINE void q_matmul_block(const QMatmulShape& s, const QMatmulOperands& at, const QScale& scale,
                                  bool per_column, const QOutput& out, int first_row, int second_row,
                                  int column) {
  int first[4] = {};
  int second[4] = {};
  const std::int8_t* a = at.a + first_row * s.a_row;
  const std::int8_t* b = at.b + column * s.b_column;
  const int between = (second_row - first_row) * s.a_row;
  for (int k = 0; k < s.k; ++k) {
    const int columns[4] = {b[0] - s.b_zero_point, b[s.b_column] - s.b_zero_point,
                            b[2 * s.b_column] - s.b_zero_point, b[3 * s.b_column] - s.b_zero_point};
    q_matmul_step(a[0] - s.a_zero_point, columns, first);
    q_matmul_step(a[between] - s.a_zero_point, columns, second);
    a += s.a_column;
    b += s.b_row;
  }
  q_matmul_finish_four(s, at, scale, per_column, out, first_row, column, first);
  q_matmul_finish_four(s, at, scale, per_column, out, second_row, column, second);
}

/// The result at (row, column).
TINYTC_INLINE void q_matmul_one(const QMatmulShape& s, const QMatmulOperands& at, const QScale& scale,
                                bool per_column, const QOutput& out, int row, int column) {
  const std::int8_t* a = at.a + row * s.a_row;
  const std::int8_t* b = at.b + column * s.b_column;
  int sum = 0;
  for (int k = 0; k < s.k; ++k)
    sum += (a[k * s.a_column] - s.a_zero_point) * (b[k * s.b_row] - s.b_zero_point);
  q_matmul_finish(s, at, scale, per_column, out, row, column, sum);
}

/// One product of the batch. The last block of a side that its size does not divide computes some results
/// again.
TINYTC_INLINE void q_matmul_product(const QMatmulShape& s, const QMatmulOperands& at, const QScale& scale,
                                    bool per_column, const QOutput& out) {
  for (int m = 0; m < s.m; m += 2) {
    const int second = min_of(m + 1, s.m - 1);
    for (int n = 0; n < s.n && s.n >= 4; n += 4)
      q_matmul_block(s, at, scale, per_column, out, m, second, min_of(n, s.n - 4));
    for (int n = 0; n < s.n && s.n < 4; ++n) {
      q_matmul_one(s, at, scale, per_column, out, m, n);
      q_matmul_one(s, at, scale, per_column, out, second, n);
    }
  }
}

/// y = clamp(zero point + round(scale * (bias + a b))); bias: [n] or null; scale: one entry for all columns,
/// or [n] where `per_column`. k is at most 32,768: sums fit 31 bits.
TINYTC_INLINE void q_matmul(const QMatmulShape& s, const std::int8_t* a, const std::int8_t* b,
                            const std::int32_t* bias, const QScale& scale, bool per_column,
                            const QOutput& out, std::int8_t* y) {
  for (int batch = 0; batch < q_matmul_batches(s); ++batch) {
    const QMatmulOperands at{a + q_matmul_offset(s, s.a_batch, batch),
                             b + q_matmul_offset(s, s.b_batch, batch), bias, y + batch * s.m * s.n};
    q_matmul_product(s, at, scale, per_column, out);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DENSE_H
