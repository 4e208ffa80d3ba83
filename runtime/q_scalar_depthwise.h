// Depthwise 3x3 int8 convolution for cores without dual multiplications: the shapes and results of
// q_depthwise_conv2d where q_depthwise_has_ring says so.
//
// Three rows of the padded image stand in scratch, channel after channel, as x + 128: an unsigned byte at a
// constant offset is one load on every core. Four neighbouring outputs of a row share the loads of weights
// and columns. All of an output row's input rows are read before it is written, so y may replace x.
#ifndef TINYTC_RUNTIME_Q_SCALAR_DEPTHWISE_H
#define TINYTC_RUNTIME_Q_SCALAR_DEPTHWISE_H

#include "runtime/q_base.h"
#include "runtime/q_depthwise_ring.h"
#include "runtime/q_depthwise_shape.h"

namespace tinytc {

constexpr long long q_scalar_depthwise_macs(const QDepthwiseConv2dShape& s) {
  return q_depthwise_conv2d_macs(s);
}

/// Scratch in words: three rows of all channels.
constexpr int q_scalar_depthwise_scratch(const QDepthwiseConv2dShape& s) {
  return (3 * s.channels * q_depthwise_ring_width(s) + 3) / 4;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: what is written
/// before an input row is read lies below it.
constexpr int q_scalar_depthwise_lead_x(const QDepthwiseConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  for (int image = 0; image < s.batch; ++image) {
    for (int r = 0; r < s.out_h; ++r) {
      const int row = r == 0 ? 0 : max_of(0, (r - 1) * s.stride_h + 3 - s.pad_top);
      const int written = (image * s.out_h + r) * s.out_w * s.channels;
      const int read = (image * s.in_h + row) * s.in_w * s.channels;
      if (row < s.in_h && written > 0) lead = max_of(lead, written - read);
    }
  }
  return lead;
}

/// Copies one row of an image: channel c goes to to[c * width ..]. x: [in_w][channels].
TINYTC_INLINE void q_scalar_depthwise_copy(const QDepthwiseConv2dShape& s, const std::int8_t* x, int columns,
                                           int width, std::uint8_t* to) {
  const int fours = s.channels / 4 * 4;
  for (int c = 0; c < fours; c += 4) {
    const std::int8_t* from = x + c;
    std::uint8_t* to1 = to + width;
    std::uint8_t* to2 = to1 + width;
    std::uint8_t* to3 = to2 + width;
    for (int k = 0; k < columns; ++k) {
      const std::uint32_t four = q_load(from) ^ 0x80808080U;
      to[k] = static_cast<std::uint8_t>(four & 0xFFU);
      to1[k] = static_cast<std::uint8_t>((four >> 8) & 0xFFU);
      to2[k] = static_cast<std::uint8_t>((four >> 16) & 0xFFU);
      to3[k] = static_cast<std::uint8_t>(four >> 24);
      from += s.channels;
    }
    to += 4 * width;
  }
  for (int c = fours; c < s.channels; ++c) {
    for (int k = 0; k < columns; ++k) to[k] = static_cast<std::uint8_t>(x[k * s.channels + c] + 128);
    to += width;
  }
}

/// Row `row` of the padded image into its place among the three. x: the image.
TINYTC_INLINE void q_scalar_depthwise_fill(const QDepthwiseConv2dShape& s, const std::int8_t* x, int row,
                                           std::uint8_t* ring) {
  const int width = q_depthwise_ring_width(s);
  const int columns = min_of(s.in_w, width - s.pad_left);
  const int y = row - s.pad_top;
  std::uint8_t* to = ring + row % 3 * s.channels * width;
  if (y >= 0 && y < s.in_h) {
    q_scalar_depthwise_copy(s, x + y * s.in_w * s.channels, columns, width, to + s.pad_left);
    return;
  }
  const std::uint8_t padding = static_cast<std::uint8_t>(s.x_zero_point + 128);
  for (int k = 0; k < s.channels * width; ++k) to[k] = padding;
}

/// Fills all of the ring with padding; the columns beside the image stay so.
TINYTC_INLINE void q_scalar_depthwise_clear(const QDepthwiseConv2dShape& s, std::uint32_t* words) {
  const std::uint32_t padding = static_cast<std::uint32_t>(s.x_zero_point + 128) * 0x01010101U;
  for (int k = 0; k < q_scalar_depthwise_scratch(s); ++k) words[k] = padding;
}

/// What one channel of an output row needs. rows: where its input rows start.
struct QScalarDepthwise {
  const std::uint8_t* rows[3];
  const std::int8_t* w;  ///< 9
  std::int32_t bias;
};

/// Adds one kernel row to an output.
TINYTC_INLINE void q_scalar_depthwise_add(int& sum, const std::uint8_t* x, int w0, int w1, int w2) {
  sum += x[0] * w0;
  sum += x[1] * w1;
  sum += x[2] * w2;
}

/// Adds one kernel row to four neighbouring outputs. Columns that they share are loaded once.
template <int stride>
TINYTC_INLINE void q_scalar_depthwise_fours(const std::uint8_t* x, const std::int8_t* w, int (&sum)[4]) {
  const int w0 = w[0];
  const int w1 = w[1];
  const int w2 = w[2];
  q_scalar_depthwise_add(sum[0], x, w0, w1, w2);
  q_scalar_depthwise_add(sum[1], x + stride, w0, w1, w2);
  q_scalar_depthwise_add(sum[2], x + 2 * stride, w0, w1, w2);
  q_scalar_depthwise_add(sum[3], x + 3 * stride, w0, w1, w2);
}

/// One channel of an output row. y: the channel in the row's first pixel.
template <int stride>
TINYTC_INLINE void q_scalar_depthwise_channel(const QDepthwiseConv2dShape& s, const QScalarDepthwise& at,
                                              const QScale& scale, int c, const QOutput& out,
                                              std::int8_t* y) {
  const std::uint8_t* x0 = at.rows[0];
  const std::uint8_t* x1 = at.rows[1];
  const std::uint8_t* x2 = at.rows[2];
  const int bias = static_cast<int>(at.bias);
  for (int n = 0; n < s.out_w / 4; ++n) {
    int sum[4] = {bias, bias, bias, bias};
    q_scalar_depthwise_fours<stride>(x0, at.w, sum);
    q_scalar_depthwise_fours<stride>(x1, at.w + 3, sum);
    q_scalar_depthwise_fours<stride>(x2, at.w + 6, sum);
    y[0] = q_requantized(sum[0], scale, c, out);
    y[s.channels] = q_requantized(sum[1], scale, c, out);
    y[2 * s.channels] = q_requantized(sum[2], scale, c, out);
    y[3 * s.channels] = q_requantized(sum[3], scale, c, out);
    x0 += 4 * stride;
    x1 += 4 * stride;
    x2 += 4 * stride;
    y += 4 * s.channels;
  }
  for (int n = 0; n < s.out_w % 4; ++n) {
    int sum = bias;
    q_scalar_depthwise_add(sum, x0, at.w[0], at.w[1], at.w[2]);
    q_scalar_depthwise_add(sum, x1, at.w[3], at.w[4], at.w[5]);
    q_scalar_depthwise_add(sum, x2, at.w[6], at.w[7], at.w[8]);
    *y = q_requantized(sum, scale, c, out);
    x0 += stride;
    x1 += stride;
    x2 += stride;
    y += s.channels;
  }
}

/// All channels of output row r. ring: three rows; y: the output row.
TINYTC_INLINE void q_scalar_depthwise_row(const QDepthwiseConv2dShape& s, const std::uint8_t* ring, int r,
                                          const std::int8_t* w, const std::int32_t* bias, const QScale& scale,
                                          const QOutput& out, std::int8_t* y) {
  const int width = q_depthwise_ring_width(s);
  const int row = r * s.stride_h;
  const std::uint8_t* rows[3];
  for (int ky = 0; ky < 3; ++ky) rows[ky] = ring + (row + ky) % 3 * s.channels * width;
  for (int c = 0; c < s.channels; ++c) {
    const QScalarDepthwise at{
        {rows[0] + c * width, rows[1] + c * width, rows[2] + c * width}, w + 9 * c, bias[c]};
    if (s.stride_w == 1) {
      q_scalar_depthwise_channel<1>(s, at, scale, c, out, y + c);
    } else {
      q_scalar_depthwise_channel<2>(s, at, scale, c, out, y + c);
    }
  }
}

/// Whether q_scalar_depthwise serves this shape.
TINYTC_INLINE constexpr bool q_scalar_depthwise_has(const QDepthwiseConv2dShape& s) {
  return q_depthwise_has_ring(s) && s.stride_w <= 2;
}

/// y = clamp(zero point + round(scale * (bias + depthwise(x + 128, w)))), which is q_depthwise_conv2d with
/// -(128
/// + x_zero_point) * (sum of the channel's weights) folded into the bias. x: [batch][in_h][in_w][channels];
/// w: plain ONNX order [channels][1][3][3]; y: [batch][out_h][out_w][channels], may overlap x from
/// q_scalar_depthwise_lead_x on; scratch: q_scalar_depthwise_scratch words.
TINYTC_INLINE void q_scalar_depthwise(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                      const std::int8_t* w, const std::int32_t* bias, const QScale& scale,
                                      const QOutput& out, std::int8_t* y, std::uint32_t* scratch) {
  std::uint8_t* ring = reinterpret_cast<std::uint8_t*>(scratch);
  q_scalar_depthwise_clear(s, scratch);
  for (int image = 0; image < s.batch; ++image) {
    const std::int8_t* from = x + image * s.in_h * s.in_w * s.channels;
    for (int r = 0; r < s.out_h; ++r) {
      const int fresh = r == 0 ? 3 : s.stride_h;
      for (int k = 0; k < fresh; ++k) q_scalar_depthwise_fill(s, from, r * s.stride_h + 3 - fresh + k, ring);
      q_scalar_depthwise_row(s, ring, r, w, bias, scale, out,
                             y + (image * s.out_h + r) * s.out_w * s.channels);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_SCALAR_DEPTHWISE_H
