// Matrix products in float: Gemm, batched MatMul, dense layers, and their weight gradients handed to a sink.
//
// Rows and columns of both factors are addressed through strides, so that a transposed factor is the same
// kernel. Batch dimensions are collapsed by the compiler into at most six, with stride 0 where a factor is
// broadcast.
#ifndef TINYTC_RUNTIME_GEMM_H
#define TINYTC_RUNTIME_GEMM_H

#include "runtime/activation.h"
#include "runtime/base.h"
#include "runtime/dense_block.h"
#include "runtime/sinks.h"
#include "runtime/tile.h"

namespace tinytc {

/// y[b][m][n] = alpha * sum over k of a[m][k] * b[k][n] + beta * c[m][n]. All strides in elements; y is
/// row-major and dense.
struct GemmShape {
  int m;
  int n;
  int k;
  int a_row;       ///< from a[m][k] to a[m + 1][k]
  int a_column;    ///< from a[m][k] to a[m][k + 1]
  int b_row;       ///< from b[k][n] to b[k + 1][n]
  int b_column;    ///< from b[k][n] to b[k][n + 1]
  int c_row;       ///< from c[m][n] to c[m + 1][n]; 0 broadcasts
  int c_column;    ///< from c[m][n] to c[m][n + 1]; 0 broadcasts
  int batch_rank;  ///< used entries of the arrays below; 0: one product
  int batch_dims[6];
  int a_batch[6];  ///< strides of a by batch dimension; 0 broadcasts
  int b_batch[6];
};

template <typename V>
constexpr void visit(const GemmShape& s, V&& v) {
  v("m", s.m);
  v("n", s.n);
  v("k", s.k);
  v("a_row", s.a_row);
  v("a_column", s.a_column);
  v("b_row", s.b_row);
  v("b_column", s.b_column);
  v("c_row", s.c_row);
  v("c_column", s.c_column);
  v("batch_rank", s.batch_rank);
  v("batch_dims", s.batch_dims);
  v("a_batch", s.a_batch);
  v("b_batch", s.b_batch);
}

/// Number of products in the batch.
TINYTC_INLINE constexpr int gemm_batches(const GemmShape& s) {
  int batches = 1;
  for (int d = 0; d < s.batch_rank; ++d) {
    batches *= s.batch_dims[d];
  }
  return batches;
}

constexpr long long gemm_macs(const GemmShape& s) {
  return static_cast<long long>(gemm_batches(s)) * s.m * s.n * s.k;
}
constexpr long long gemm_grad_macs(const GemmShape& s) { return gemm_macs(s); }

/// Element offset of product `index` of the batch in a factor with these batch strides.
TINYTC_INLINE constexpr int gemm_batch_offset(const GemmShape& s, const int (&strides)[6], int index) {
  int offset = 0;
  for (int d = s.batch_rank - 1; d >= 0; --d) {
    offset += index % s.batch_dims[d] * strides[d];
    index /= s.batch_dims[d];
  }
  return offset;
}

/// One finished element: alpha * sum + beta * c, clamped.
template <typename T>
TINYTC_INLINE T gemm_element(const GemmShape& s, T alpha, T sum, T beta, const T* c, int row, int column,
                             const Activation<T>& activation) {
  T value = alpha == T(1) ? sum : rounded(alpha * sum);
  if (c != nullptr) {
    const T addend = c[row * s.c_row + column * s.c_column];
    value = beta == T(1) ? value + addend : mul_add(value, beta, addend);
  }
  return activate(activation, value);
}

/// Stores the sums of a tile of R rows x C columns as finished elements.
template <typename T>
struct GemmStore {
  const GemmShape& s;
  T alpha;
  T beta;
  const T* c;
  const Activation<T>& activation;
  T* y;

  TINYTC_INLINE void operator()(int row, int column, T sum) const {
    y[row * s.n + column] = gemm_element(s, alpha, sum, beta, c, row, column, activation);
  }
};

/// Hands every sum of a tile to a sink.
template <typename T, typename Sink>
struct GemmSink {
  const GemmShape& s;
  const Sink& sink;
  int first;

  TINYTC_INLINE void operator()(int row, int column, T sum) const { sink(first + row * s.n + column, sum); }
};

/// Delivers a tile's sums of one row.
template <int C, typename T, typename Store>
TINYTC_INLINE void gemm_store_row(T s0, T s1, T s2, T s3, int row, int column, const Store& store) {
  store(row, column, s0);
  if (C > 1) store(row, column + 1, s1);
  if (C > 2) store(row, column + 2, s2);
  if (C > 3) store(row, column + 3, s3);
}

/// One tile of R rows x C columns: sums over k in order, from zero.
template <int R, int C, typename T, typename Store>
TINYTC_INLINE void gemm_tile(const GemmShape& s, const T* a, const T* b, int row, int column,
                             const Store& store) {
  T sum[16];
  tile_start<R, C>(sum, static_cast<const T*>(nullptr));
  TileStrides strides{s.a_row, s.a_column, s.b_column, s.b_row};
  tile_run<R, C>(sum, strides, a + row * s.a_row, b + column * s.b_column, s.k);
  gemm_store_row<C>(sum[0], sum[1], sum[2], sum[3], row, column, store);
  if (R > 1) gemm_store_row<C>(sum[4], sum[5], sum[6], sum[7], row + 1, column, store);
  if (R > 2) gemm_store_row<C>(sum[8], sum[9], sum[10], sum[11], row + 2, column, store);
  if (R > 3) gemm_store_row<C>(sum[12], sum[13], sum[14], sum[15], row + 3, column, store);
}

/// Delivers 16 sums of one row.
template <typename T, typename Store>
TINYTC_INLINE void gemm_store_wide(const T (&sum)[16], int row, int column, const Store& store) {
  gemm_store_row<4>(sum[0], sum[1], sum[2], sum[3], row, column, store);
  gemm_store_row<4>(sum[4], sum[5], sum[6], sum[7], row, column + 4, store);
  gemm_store_row<4>(sum[8], sum[9], sum[10], sum[11], row, column + 8, store);
  gemm_store_row<4>(sum[12], sum[13], sum[14], sum[15], row, column + 12, store);
}

/// One row x 16 neighbouring columns of a row-major b: each weight is read once, in memory order.
template <typename T, typename Store>
TINYTC_INLINE void gemm_wide(const GemmShape& s, const T* a, const T* b, int row, int column,
                             const Store& store) {
  T sum[16];
  tile_start_row(sum, static_cast<const T*>(nullptr));
  a += row * s.a_row;
  b += column;
  for (int k = 0; k < s.k; ++k) {
    tile_step_row(sum, a[0], b);
    a += s.a_column;
    b += s.b_row;
  }
  gemm_store_wide(sum, row, column, store);
}

/// One row x 8 columns, where neighbouring k neighbour in both factors (a dense layer with weights [n][k]):
/// four k at a time.
template <typename T, typename Store>
TINYTC_INLINE void gemm_dense(const GemmShape& s, const T* a, const T* b, int row, int column,
                              const Store& store) {
  T sum[8];
  sum[0] = sum[1] = sum[2] = sum[3] = sum[4] = sum[5] = sum[6] = sum[7] = T(0);
  a += row * s.a_row;
  b += column * s.b_column;
  const int full = s.k / 4 * 4;
  dense_block(sum, a, b, s.b_column, s.k / 4);
  for (int k = full; k < s.k; ++k) {
    sum[0] = mul_add(sum[0], a[k], b[k]);
    sum[1] = mul_add(sum[1], a[k], b[k + s.b_column]);
    sum[2] = mul_add(sum[2], a[k], b[k + 2 * s.b_column]);
    sum[3] = mul_add(sum[3], a[k], b[k + 3 * s.b_column]);
    sum[4] = mul_add(sum[4], a[k], b[k + 4 * s.b_column]);
    sum[5] = mul_add(sum[5], a[k], b[k + 5 * s.b_column]);
    sum[6] = mul_add(sum[6], a[k], b[k + 6 * s.b_column]);
    sum[7] = mul_add(sum[7], a[k], b[k + 7 * s.b_column]);
  }
  gemm_store_row<4>(sum[0], sum[1], sum[2], sum[3], row, column, store);
  gemm_store_row<4>(sum[4], sum[5], sum[6], sum[7], row, column + 4, store);
}

/// R rows, all columns: the widest tile that the strides allow, then narrower ones.
template <int R, typename T, typename Store>
TINYTC_INLINE void gemm_rows(const GemmShape& s, const T* a, const T* b, int row, const Store& store) {
  const bool dense = R == 1 && s.a_column == 1 && s.b_row == 1;
  const int wide = R == 1 && !dense && s.b_column == 1 ? 16 : dense ? 8 : 4;
  const int first = s.n / wide * wide;
  const int full = s.n / 4 * 4;
  for (int column = 0; column < first && R == 1 && wide != 4; column += wide) {
    if (dense) {
      gemm_dense(s, a, b, row, column, store);
    } else {
      gemm_wide(s, a, b, row, column, store);
    }
  }
  for (int column = R == 1 && wide != 4 ? first : 0; column < full; column += 4) {
    gemm_tile<R, 4>(s, a, b, row, column, store);
  }
  for (int column = full; column < s.n; ++column) {
    gemm_tile<R, 1>(s, a, b, row, column, store);
  }
}

/// One product, delivered element by element.
template <typename T, typename Store>
TINYTC_INLINE void gemm_product(const GemmShape& s, const T* a, const T* b, const Store& store) {
  const int full = s.m / 4 * 4;
  for (int row = 0; row < full; row += 4) {
    gemm_rows<4>(s, a, b, row, store);
  }
  for (int row = full; row < s.m; ++row) {
    gemm_rows<1>(s, a, b, row, store);
  }
}

/// y = activation(alpha * a b + beta * c). a, b: addressed by the shape's strides; c: [m][n] by its strides
/// or null (the same for the whole batch); y: [batch][m][n], must not overlap a or b, may be c if its strides
/// are y's. Sums run over k from zero.
template <typename T>
TINYTC_INLINE void gemm(const GemmShape& s, T alpha, const T* a, const T* b, T beta, const T* c,
                        const Activation<T>& activation, T* y) {
  const int batches = gemm_batches(s);
  for (int index = 0; index < batches; ++index) {
    const GemmStore<T> store{s, alpha, beta, c, activation, y + index * s.m * s.n};
    gemm_product(s, a + gemm_batch_offset(s, s.a_batch, index), b + gemm_batch_offset(s, s.b_batch, index),
                 store);
  }
}

/// gemm where there is one product of one row (m 1, batch_rank 0), bit for bit: a dense layer and one sample, which most firmware has.
/// A compiler that gets gemm's tiles of several rows to throw them away takes several times as long.
template <typename T>
TINYTC_INLINE void gemm_row(const GemmShape& s, T alpha, const T* a, const T* b, T beta, const T* c,
                            const Activation<T>& activation, T* y) {
  gemm_rows<1>(s, a, b, 0, GemmStore<T>{s, alpha, beta, c, activation, y});
}

/// What a row's factor of an outer product is multiplied by before its columns: nothing, but plain SGD takes
/// its learning rate along, one multiplication a row instead of one a weight (dy * rate * x is rounded in
/// another order than rate * (dy * x)).
template <typename T, typename Sink>
TINYTC_INLINE T gemm_outer_factor(const Sink&, T a) {
  return a;
}
template <typename T>
TINYTC_INLINE T gemm_outer_factor(const Sgd<T>& sink, T a) {
  return sink.weight_decay == 0 ? rounded(a * -sink.learning_rate) : a;
}

/// Hands one element of an outer product to the sink; factor: from gemm_outer_factor.
template <typename T, typename Sink>
TINYTC_INLINE void gemm_outer_element(const Sink& sink, int index, T factor, T b) {
  sink(index, rounded(factor * b));
}
template <typename T>
TINYTC_INLINE void gemm_outer_element(const Sgd<T>& sink, int index, T factor, T b) {
  if (sink.weight_decay == 0) {
    sink.w[index] = mul_add(sink.w[index], factor, b);
  } else {
    sink(index, rounded(factor * b));
  }
}

/// Four columns of one row of an outer product.
template <typename T, typename Sink>
TINYTC_INLINE void gemm_outer_row(T factor, T b0, T b1, T b2, T b3, int index, const Sink& sink) {
  gemm_outer_element(sink, index, factor, b0);
  gemm_outer_element(sink, index + 1, factor, b1);
  gemm_outer_element(sink, index + 2, factor, b2);
  gemm_outer_element(sink, index + 3, factor, b3);
}

/// R rows of an outer product: four columns at a time, loaded once for all rows.
template <int R, typename T, typename Sink>
TINYTC_INLINE void gemm_outer_rows(const GemmShape& s, const T* a, const T* b, int first, const Sink& sink) {
  const T a0 = gemm_outer_factor(sink, a[0]);
  const T a1 = R > 1 ? gemm_outer_factor(sink, a[s.a_row]) : T(0);
  const T a2 = R > 2 ? gemm_outer_factor(sink, a[2 * s.a_row]) : T(0);
  const T a3 = R > 3 ? gemm_outer_factor(sink, a[3 * s.a_row]) : T(0);
  const int full = s.n / 4 * 4;
  for (int column = 0; column < full; column += 4) {
    const T b0 = b[0];
    const T b1 = b[s.b_column];
    const T b2 = b[2 * s.b_column];
    const T b3 = b[3 * s.b_column];
    gemm_outer_row(a0, b0, b1, b2, b3, first + column, sink);
    if (R > 1) gemm_outer_row(a1, b0, b1, b2, b3, first + s.n + column, sink);
    if (R > 2) gemm_outer_row(a2, b0, b1, b2, b3, first + 2 * s.n + column, sink);
    if (R > 3) gemm_outer_row(a3, b0, b1, b2, b3, first + 3 * s.n + column, sink);
    b += 4 * s.b_column;
  }
  for (int column = full; column < s.n; ++column) {
    gemm_outer_element(sink, first + column, a0, b[0]);
    if (R > 1) gemm_outer_element(sink, first + s.n + column, a1, b[0]);
    if (R > 2) gemm_outer_element(sink, first + 2 * s.n + column, a2, b[0]);
    if (R > 3) gemm_outer_element(sink, first + 3 * s.n + column, a3, b[0]);
    b += s.b_column;
  }
}

/// An outer product (k = 1: the weight gradient of a dense layer with one sample): no sum, every weight is
/// visited once.
template <typename T, typename Sink>
TINYTC_INLINE void gemm_outer(const GemmShape& s, const T* a, const T* b, int first, const Sink& sink) {
  const int full = s.m / 4 * 4;
  for (int row = 0; row < full; row += 4) {
    gemm_outer_rows<4>(s, a + row * s.a_row, b, first + row * s.n, sink);
  }
  for (int row = full; row < s.m; ++row) {
    gemm_outer_rows<1>(s, a + row * s.a_row, b, first + row * s.n, sink);
  }
}

/// The products a b, each finished sum handed to sink(position in [batch][m][n], sum): weight gradients of
/// Gemm and MatMul. Sums run over k from zero; with k = 1 the product itself.
template <typename T, typename Sink>
TINYTC_INLINE void gemm_grad(const GemmShape& s, const T* a, const T* b, Sink sink) {
  const int batches = gemm_batches(s);
  for (int index = 0; index < batches; ++index) {
    const T* a_at = a + gemm_batch_offset(s, s.a_batch, index);
    const T* b_at = b + gemm_batch_offset(s, s.b_batch, index);
    if (s.k == 1) {
      gemm_outer(s, a_at, b_at, index * s.m * s.n, sink);
    } else {
      gemm_product(s, a_at, b_at, GemmSink<T, Sink>{s, sink, index * s.m * s.n});
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_GEMM_H
