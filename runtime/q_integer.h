// Products of integers whose zero points come while the model runs (ONNX MatMulInteger, ConvInteger): results
// are sums of (x - x zero point)(w - w zero point), exact modulo 2^32.
//
// X is std::int8_t or std::uint8_t. Y is std::int32_t, or float for the same integers rounded to nearest.
// x_zero points to one element, or is null for 0. Activations are channels-last
// [batch][height][width][channels].
//
// Where weights are known they are packed: int8 in rows as the inputs stand, with what does not fit a byte as
// an int32 zero point by output channel (w_zero; null where all are 0). The other kernels take any weights in
// ONNX's order, int8 or uint8, with w_zero of their own type: null for 0, else w_zero[o * zero_step].
#ifndef TINYTC_RUNTIME_Q_INTEGER_H
#define TINYTC_RUNTIME_Q_INTEGER_H

#include "runtime/correlate.h"
#include "runtime/q_conv2d.h"
#include "runtime/q_dense.h"
#include "runtime/q_integer_dot.h"

namespace tinytc {

constexpr long long q_integer_dense_macs(const QDenseShape& s) { return q_dense_macs(s); }

/// Scratch in words: a widened row, or two.
constexpr int q_integer_dense_scratch(const QDenseShape& s) {
  return q_plain_words(s.in) * (s.rows > 1 ? 2 : 1);
}

/// y[rows][out] = (x[rows][in] - x_zero)(w[out][in] - w_zero[out])^T, packed weights. y must not overlap x;
/// scratch: q_integer_dense_scratch words.
template <typename X, typename Y>
TINYTC_INLINE void q_integer_dense(const QDenseShape& s, const X* x, const X* x_zero, const std::int8_t* w,
                                   const std::int32_t* w_zero, Y* y, std::uint32_t* scratch) {
  const int zero = q_integer_zero(x_zero);
  for (int row = 0; row + 1 < s.rows; row += 2) {
    q_integer_widen(x + row * s.in, s.in, zero, 2, scratch);
    q_integer_widen(x + (row + 1) * s.in, s.in, zero, 2, scratch + 1);
    q_integer_two_rows(s.in, s.out, scratch, w, w_zero, y + row * s.out, y + (row + 1) * s.out);
  }
  if (s.rows % 2 == 0) return;
  q_integer_widen(x + (s.rows - 1) * s.in, s.in, zero, 1, scratch);
  q_integer_row(s.in, s.out, scratch, w, w_zero, y + (s.rows - 1) * s.out);
}

constexpr long long q_integer_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Scratch in words: the widened patches of two pixels, and the bytes of one.
constexpr int q_integer_conv2d_scratch(const QConv2dShape& s) {
  return 2 * q_plain_words(q_conv2d_taps(s)) + (q_conv2d_taps(s) + 3) / 4;
}

/// Copies neighbouring bytes.
template <typename X>
TINYTC_INLINE void q_integer_copy(const X* from, int count, X* to) {
  for (int k = 0; k < count / 4; ++k) {
    q_store(reinterpret_cast<std::int8_t*>(to), q_load(reinterpret_cast<const std::int8_t*>(from)));
    from += 4;
    to += 4;
  }
  for (int k = 0; k < count % 4; ++k) to[k] = from[k];
}

/// The elements that an output pixel reads of one group, in the order of packed weights; in the padding
/// `zero`. x: at the group's first channel; bytes: q_conv2d_taps elements. Where they are neighbours they
/// stay in place.
template <typename X>
TINYTC_INLINE const X* q_integer_patch(const QConv2dShape& s, const X* x, int pixel, int zero, X* bytes) {
  const QPatchPlace at = q_conv2d_place(s, pixel);
  const QRuns cut = q_conv2d_runs(s);
  const int channels = s.in_c / s.groups;
  const int run_taps = cut.elements / channels;
  const X* image = x + at.image;
  if (cut.runs == 1 && at.inside) return image + (at.y * s.in_w + at.x) * s.in_c;
  X* to = bytes;
  for (int run = 0; run < cut.runs; ++run) {
    const int y = at.y + run / (cut.runs / s.kernel_h) * s.dilation_h;
    const int column = at.x + run % (cut.runs / s.kernel_h) * s.dilation_w;
    const Range taps = y >= 0 && y < s.in_h ? tap_range(column, 1, run_taps, s.in_w) : Range{0, 0};
    const int first = taps.first < taps.last ? taps.first * channels : 0;
    const int last = taps.first < taps.last ? taps.last * channels : 0;
    for (int k = 0; k < first; ++k) to[k] = static_cast<X>(zero);
    if (first < last)
      q_integer_copy(image + (y * s.in_w + column) * s.in_c + first, last - first, to + first);
    for (int k = last; k < cut.elements; ++k) to[k] = static_cast<X>(zero);
    to += cut.elements;
  }
  return bytes;
}

/// A convolution with weights packed by q_conv2d_bare_pack. y: [batch][out_h][out_w][out_c], must not overlap
/// x; scratch: q_integer_conv2d_scratch words.
template <typename X, typename Y>
TINYTC_INLINE void q_integer_conv2d(const QConv2dShape& s, const X* x, const X* x_zero, const std::int8_t* w,
                                    const std::int32_t* w_zero, Y* y, std::uint32_t* scratch) {
  const int zero = q_integer_zero(x_zero);
  const int in_c = s.in_c / s.groups;
  const int out_c = s.out_c / s.groups;
  const int taps = q_conv2d_taps(s);
  const int pixels = s.batch * s.out_h * s.out_w;
  X* bytes = reinterpret_cast<X*>(scratch + 2 * q_plain_words(taps));
  for (int pixel = 0; pixel < pixels; pixel += 2) {
    const int next = min_of(pixel + 1, pixels - 1);
    for (int g = 0; g < s.groups; ++g) {
      for (int k = 0; k < 2; ++k) {
        const X* patch = q_integer_patch(s, x + g * in_c, k == 0 ? pixel : next, zero, bytes);
        q_integer_widen(patch, taps, zero, 2, scratch + k);
      }
      q_integer_two_rows(taps, out_c, scratch, w + g * out_c * taps,
                         w_zero != nullptr ? w_zero + g * out_c : w_zero, y + pixel * s.out_c + g * out_c,
                         y + next * s.out_c + g * out_c);
    }
  }
}

/// Where a kernel lies on the image: the input position of tap (0, 0), and which taps lie inside.
struct QIntegerWindow {
  int y;
  int x;
  Range rows;
  Range columns;
};
TINYTC_INLINE QIntegerWindow q_integer_window(const QConv2dShape& s, const QPatchPlace& at) {
  return QIntegerWindow{at.y, at.x, tap_range(at.y, s.dilation_h, s.kernel_h, s.in_h),
                        tap_range(at.x, s.dilation_w, s.kernel_w, s.in_w)};
}

/// Whether q_integer_depthwise takes the layer: each output channel reads its own input channel.
constexpr bool q_integer_depthwise_serves(const QConv2dShape& s) {
  return s.groups == s.in_c && s.out_c == s.in_c && s.in_c >= 4;
}

/// Puts ONNX weights [out_c][1][kernel_h][kernel_w] into the order [kernel_h][kernel_w][out_c].
constexpr void q_integer_depthwise_pack(const QConv2dShape& s, const std::int8_t* w, std::int8_t* packed) {
  const int plane = s.kernel_h * s.kernel_w;
  for (int k = 0; k < s.out_c * plane; ++k) packed[k % plane * s.out_c + k / plane] = w[k];
}

/// Four channels of one pixel. x: the image at the first of them; w: its weights; w_zero: theirs, or null.
template <typename X, typename Y>
TINYTC_INLINE void q_integer_depthwise_four(const QConv2dShape& s, const X* x, int zero,
                                            const QIntegerWindow& window, const std::int8_t* w,
                                            const std::int32_t* w_zero, Y* y) {
  const int shift = (q_is_unsigned<X>() ? 128 : 0) - zero;
  const std::uint32_t offset = q_lanes(shift, shift);
  const std::uint32_t even =
      w_zero != nullptr ? q_lanes(-static_cast<int>(w_zero[0]), -static_cast<int>(w_zero[2])) : 0U;
  const std::uint32_t odd =
      w_zero != nullptr ? q_lanes(-static_cast<int>(w_zero[1]), -static_cast<int>(w_zero[3])) : 0U;
  std::int32_t sum[4] = {0, 0, 0, 0};
  for (int ky = window.rows.first; ky < window.rows.last; ++ky) {
    const int row = (window.y + ky * s.dilation_h) * s.in_w + window.x;
    for (int kx = window.columns.first; kx < window.columns.last; ++kx) {
      const X* from = x + (row + kx * s.dilation_w) * s.in_c;
      const std::uint32_t four = q_integer_signed<X>(q_load(reinterpret_cast<const std::int8_t*>(from)));
      const std::uint32_t weights = q_load(w + (ky * s.kernel_w + kx) * s.out_c);
      const std::uint32_t x_even = q_add_even_bytes(offset, four);
      const std::uint32_t x_odd = q_add_odd_bytes(offset, four);
      const std::uint32_t w_even = q_add_even_bytes(even, weights);
      const std::uint32_t w_odd = q_add_odd_bytes(odd, weights);
      sum[0] = q_add_wrapping(sum[0], q_low(x_even) * q_low(w_even));
      sum[1] = q_add_wrapping(sum[1], q_low(x_odd) * q_low(w_odd));
      sum[2] = q_add_wrapping(sum[2], q_high(x_even) * q_high(w_even));
      sum[3] = q_add_wrapping(sum[3], q_high(x_odd) * q_high(w_odd));
    }
  }
  for (int c = 0; c < 4; ++c) y[c] = static_cast<Y>(sum[c]);
}

/// A convolution of one output channel for each input channel (q_integer_depthwise_serves), with weights from
/// q_integer_depthwise_pack; the last four channels may be computed twice. y: as above.
template <typename X, typename Y>
TINYTC_INLINE void q_integer_depthwise(const QConv2dShape& s, const X* x, const X* x_zero,
                                       const std::int8_t* w, const std::int32_t* w_zero, Y* y) {
  const int zero = q_integer_zero(x_zero);
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const QPatchPlace at = q_conv2d_place(s, pixel);
    const QIntegerWindow window = q_integer_window(s, at);
    for (int k = 0; k < s.out_c; k += 4) {
      const int c = min_of(k, s.out_c - 4);
      q_integer_depthwise_four(s, x + at.image + c, zero, window, w + c,
                               w_zero != nullptr ? w_zero + c : w_zero, y + pixel * s.out_c + c);
    }
  }
}

/// sum + a b modulo 2^32.
TINYTC_INLINE std::uint32_t q_integer_add(std::uint32_t sum, int a, int b) {
  return sum + static_cast<std::uint32_t>(a * b);
}

/// The sum of output channel o. x: the image.
template <typename X, typename W>
TINYTC_INLINE std::int32_t q_integer_conv2d_sum(const QConv2dShape& s, const X* x, int zero,
                                                const QIntegerWindow& window, const W* w, int w_zero, int o) {
  const int channels = s.in_c / s.groups;
  const int plane = s.kernel_h * s.kernel_w;
  const X* group = x + o / (s.out_c / s.groups) * channels;
  const W* weights = w + o * channels * plane;
  std::uint32_t sum = 0;
  for (int ky = window.rows.first; ky < window.rows.last; ++ky) {
    const int row = (window.y + ky * s.dilation_h) * s.in_w + window.x;
    for (int kx = window.columns.first; kx < window.columns.last; ++kx) {
      const X* pixel = group + (row + kx * s.dilation_w) * s.in_c;
      for (int i = 0; i < channels; ++i)
        sum = q_integer_add(sum, pixel[i] - zero, weights[i * plane + ky * s.kernel_w + kx] - w_zero);
    }
  }
  return static_cast<std::int32_t>(sum);
}

/// A convolution with any weights, [out_c][in_c / groups][kernel_h][kernel_w], without scratch: weights that
/// are not known, and depthwise ones of few channels or with several outputs each. y: as above.
template <typename X, typename W, typename Y>
TINYTC_INLINE void q_integer_conv2d_plain(const QConv2dShape& s, const X* x, const X* x_zero, const W* w,
                                          const W* w_zero, int zero_step, Y* y) {
  const int zero = q_integer_zero(x_zero);
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const QPatchPlace at = q_conv2d_place(s, pixel);
    const QIntegerWindow window = q_integer_window(s, at);
    for (int o = 0; o < s.out_c; ++o) {
      const int offset = w_zero != nullptr ? static_cast<int>(w_zero[o * zero_step]) : 0;
      y[pixel * s.out_c + o] =
          static_cast<Y>(q_integer_conv2d_sum(s, x + at.image, zero, window, w, offset, o));
    }
  }
}

/// y[b][m][n] = sum over k of (a[m][k] - a_zero)(b[k][n] - b_zero[n]), any operands; the shape's own zero
/// points are not used. y must not overlap a or b.
template <typename A, typename B, typename Y>
TINYTC_INLINE void q_integer_matmul(const QMatmulShape& s, const A* a, const A* a_zero, const B* b,
                                    const B* b_zero, int zero_step, Y* y) {
  const int zero = q_integer_zero(a_zero);
  for (int batch = 0; batch < q_matmul_batches(s); ++batch) {
    const A* left = a + q_matmul_offset(s, s.a_batch, batch);
    const B* right = b + q_matmul_offset(s, s.b_batch, batch);
    for (int at = 0; at < s.m * s.n; ++at) {
      const A* row = left + at / s.n * s.a_row;
      const B* column = right + at % s.n * s.b_column;
      const int offset = b_zero != nullptr ? static_cast<int>(b_zero[at % s.n * zero_step]) : 0;
      std::uint32_t sum = 0;
      for (int k = 0; k < s.k; ++k)
        sum = q_integer_add(sum, row[k * s.a_column] - zero, column[k * s.b_row] - offset);
      y[batch * s.m * s.n + at] = static_cast<Y>(static_cast<std::int32_t>(sum));
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_INTEGER_H
