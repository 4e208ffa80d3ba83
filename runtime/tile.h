// Register tiles: the inner block of convolutions and matrix products.
//
// A tile holds the running sums of P pixels x C channels in registers and adds, for k = 0, 1, ... n-1 in this
// order, x[pixel][k] * w[k][channel]: one load serves several products. Sums stand in an array that is only
// ever indexed by constants, so that it lives in registers: sum of pixel p and channel c at [4 * p + c].
#ifndef TINYTC_RUNTIME_TILE_H
#define TINYTC_RUNTIME_TILE_H

#include "runtime/activation.h"
#include "runtime/base.h"

// Whether the inner blocks (tile_block.h, dense_block.h, depthwise_block.h) are assembly.
#if defined(__thumb2__) && defined(__ARM_FP) && (__ARM_FP & 4)
#define TINYTC_TILE_ASSEMBLY 1
#endif

namespace tinytc {

/// Where a tile's operands lie, in elements: x[k * x_step + pixel * x_pixel], w[k * w_step + channel *
/// w_channel].
struct TileStrides {
  int x_pixel;
  int x_step;
  int w_channel;
  int w_step;
};

/// Adds the products of one k.
template <int P, int C, typename T>
TINYTC_INLINE void tile_step(T (&sum)[16], const T* x, int x_pixel, const T* w, int w_channel) {
  const T w0 = w[0];
  const T w1 = C > 1 ? w[w_channel] : T(0);
  const T w2 = C > 2 ? w[2 * w_channel] : T(0);
  const T w3 = C > 3 ? w[3 * w_channel] : T(0);
  const T x0 = x[0];
  const T x1 = P > 1 ? x[x_pixel] : T(0);
  const T x2 = P > 2 ? x[2 * x_pixel] : T(0);
  const T x3 = P > 3 ? x[3 * x_pixel] : T(0);
  sum[0] = mul_add(sum[0], x0, w0);
  if (C > 1) sum[1] = mul_add(sum[1], x0, w1);
  if (C > 2) sum[2] = mul_add(sum[2], x0, w2);
  if (C > 3) sum[3] = mul_add(sum[3], x0, w3);
  if (P > 1) sum[4] = mul_add(sum[4], x1, w0);
  if (P > 1 && C > 1) sum[5] = mul_add(sum[5], x1, w1);
  if (P > 1 && C > 2) sum[6] = mul_add(sum[6], x1, w2);
  if (P > 1 && C > 3) sum[7] = mul_add(sum[7], x1, w3);
  if (P > 2) sum[8] = mul_add(sum[8], x2, w0);
  if (P > 2 && C > 1) sum[9] = mul_add(sum[9], x2, w1);
  if (P > 2 && C > 2) sum[10] = mul_add(sum[10], x2, w2);
  if (P > 2 && C > 3) sum[11] = mul_add(sum[11], x2, w3);
  if (P > 3) sum[12] = mul_add(sum[12], x3, w0);
  if (P > 3 && C > 1) sum[13] = mul_add(sum[13], x3, w1);
  if (P > 3 && C > 2) sum[14] = mul_add(sum[14], x3, w2);
  if (P > 3 && C > 3) sum[15] = mul_add(sum[15], x3, w3);
}

/// Adds n products to every sum.
template <int P, int C, typename T>
TINYTC_INLINE void tile_run(T (&sum)[16], const TileStrides& strides, const T* x, const T* w, int n) {
  for (int k = 0; k < n; ++k) {
    tile_step<P, C>(sum, x, strides.x_pixel, w, strides.w_channel);
    x += strides.x_step;
    w += strides.w_step;
  }
}

/// sum + x[0] w0 + x[1] w1 + x[2] w2 + x[3] w3, in this order.
template <typename T>
TINYTC_INLINE T tile_dot4(T sum, const T* x, T w0, T w1, T w2, T w3) {
  sum = mul_add(sum, x[0], w0);
  sum = mul_add(sum, x[1], w1);
  sum = mul_add(sum, x[2], w2);
  return mul_add(sum, x[3], w3);
}

/// Adds n products to the sums [4 * p] of P pixels x 1 channel; x and w contiguous, pixels x_pixel elements
/// apart.
template <int P, typename T>
TINYTC_INLINE void tile_dot(T (&sum)[16], const T* x, int x_pixel, const T* w, int n) {
  const int full = n / 4 * 4;
  for (int k = 0; k < full; k += 4) {
    const T w0 = w[0];
    const T w1 = w[1];
    const T w2 = w[2];
    const T w3 = w[3];
    sum[0] = tile_dot4(sum[0], x, w0, w1, w2, w3);
    if (P > 1) sum[4] = tile_dot4(sum[4], x + x_pixel, w0, w1, w2, w3);
    if (P > 2) sum[8] = tile_dot4(sum[8], x + 2 * x_pixel, w0, w1, w2, w3);
    if (P > 3) sum[12] = tile_dot4(sum[12], x + 3 * x_pixel, w0, w1, w2, w3);
    x += 4;
    w += 4;
  }
  for (int k = full; k < n; ++k) {
    tile_step<P, 1>(sum, x, x_pixel, w, 1);
    ++x;
    ++w;
  }
}

/// Adds x times 16 neighbouring weights to 16 sums.
template <typename T>
TINYTC_INLINE void tile_step_row(T (&sum)[16], T x, const T* w) {
  sum[0] = mul_add(sum[0], x, w[0]);
  sum[1] = mul_add(sum[1], x, w[1]);
  sum[2] = mul_add(sum[2], x, w[2]);
  sum[3] = mul_add(sum[3], x, w[3]);
  sum[4] = mul_add(sum[4], x, w[4]);
  sum[5] = mul_add(sum[5], x, w[5]);
  sum[6] = mul_add(sum[6], x, w[6]);
  sum[7] = mul_add(sum[7], x, w[7]);
  sum[8] = mul_add(sum[8], x, w[8]);
  sum[9] = mul_add(sum[9], x, w[9]);
  sum[10] = mul_add(sum[10], x, w[10]);
  sum[11] = mul_add(sum[11], x, w[11]);
  sum[12] = mul_add(sum[12], x, w[12]);
  sum[13] = mul_add(sum[13], x, w[13]);
  sum[14] = mul_add(sum[14], x, w[14]);
  sum[15] = mul_add(sum[15], x, w[15]);
}

/// Starts every sum of a channel at its bias, or at zero where bias is null.
template <int P, int C, typename T>
TINYTC_INLINE void tile_start(T (&sum)[16], const T* bias) {
  const T b0 = bias != nullptr ? bias[0] : T(0);
  const T b1 = bias != nullptr && C > 1 ? bias[C > 1 ? 1 : 0] : T(0);
  const T b2 = bias != nullptr && C > 2 ? bias[C > 2 ? 2 : 0] : T(0);
  const T b3 = bias != nullptr && C > 3 ? bias[C > 3 ? 3 : 0] : T(0);
  sum[0] = sum[4] = sum[8] = sum[12] = b0;
  sum[1] = sum[5] = sum[9] = sum[13] = b1;
  sum[2] = sum[6] = sum[10] = sum[14] = b2;
  sum[3] = sum[7] = sum[11] = sum[15] = b3;
}

/// Starts 16 sums at 16 neighbouring biases, or at zero where bias is null.
template <typename T>
TINYTC_INLINE void tile_start_row(T (&sum)[16], const T* bias) {
  const int one = bias != nullptr ? 1 : 0;
  const T zero = T(0);
  const T* from = bias != nullptr ? bias : &zero;
  sum[0] = from[0];
  sum[1] = from[one];
  sum[2] = from[2 * one];
  sum[3] = from[3 * one];
  sum[4] = from[4 * one];
  sum[5] = from[5 * one];
  sum[6] = from[6 * one];
  sum[7] = from[7 * one];
  sum[8] = from[8 * one];
  sum[9] = from[9 * one];
  sum[10] = from[10 * one];
  sum[11] = from[11 * one];
  sum[12] = from[12 * one];
  sum[13] = from[13 * one];
  sum[14] = from[14 * one];
  sum[15] = from[15 * one];
}

/// Finishes a pixel's C sums: adds the residual (unless null), clamps, stores. The residual may be y itself.
template <int C, typename T>
TINYTC_INLINE void tile_store(T s0, T s1, T s2, T s3, const T* residual, const Activation<T>& activation,
                              T* y) {
  if (residual != nullptr) {
    s0 += residual[0];
    if (C > 1) s1 += residual[1];
    if (C > 2) s2 += residual[2];
    if (C > 3) s3 += residual[3];
  }
  y[0] = activate(activation, s0);
  if (C > 1) y[1] = activate(activation, s1);
  if (C > 2) y[2] = activate(activation, s2);
  if (C > 3) y[3] = activate(activation, s3);
}

/// Finishes a tile whose pixels lie y_pixel elements apart in y and residual.
template <int P, int C, typename T>
TINYTC_INLINE void tile_finish(const T (&sum)[16], const T* residual, const Activation<T>& activation, T* y,
                               int y_pixel) {
  const int step = residual != nullptr ? y_pixel : 0;
  tile_store<C>(sum[0], sum[1], sum[2], sum[3], residual, activation, y);
  if (P > 1) tile_store<C>(sum[4], sum[5], sum[6], sum[7], residual + step, activation, y + y_pixel);
  if (P > 2)
    tile_store<C>(sum[8], sum[9], sum[10], sum[11], residual + 2 * step, activation, y + 2 * y_pixel);
  if (P > 3)
    tile_store<C>(sum[12], sum[13], sum[14], sum[15], residual + 3 * step, activation, y + 3 * y_pixel);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_TILE_H
