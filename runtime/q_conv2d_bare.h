// int8 convolutions and depthwise convolutions without scratch: they read inputs and weights where they
// stand, output by output. Several times slower than the kernels that put patches or rows into scratch; for
// plans that would not fit otherwise.
//
// Shapes, results and the meaning of all arguments are those of q_conv2d and q_depthwise_conv2d.
#ifndef TINYTC_RUNTIME_Q_CONV2D_BARE_H
#define TINYTC_RUNTIME_Q_CONV2D_BARE_H

#include "runtime/q_conv2d.h"
#include "runtime/q_depthwise_conv2d.h"

namespace tinytc {

constexpr long long q_conv2d_bare_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Puts ONNX weights [out_c][in_c / groups][kernel_h][kernel_w] into the order of the inputs, channels last.
constexpr void q_conv2d_bare_pack(const QConv2dShape& s, const std::int8_t* w, std::int8_t* packed) {
  const int channels = s.in_c / s.groups;
  const int plane = s.kernel_h * s.kernel_w;
  for (int k = 0; k < s.out_c * q_conv2d_taps(s); ++k) {
    const int tap = k % (channels * plane);
    packed[k] = w[k - tap + tap % channels * plane + tap / channels];
  }
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: the last
/// channel of a pixel is computed when the others are written.
constexpr int q_conv2d_bare_lead_x(const QConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int first = q_conv2d_first_read(s, pixel);
    const int written = pixel * s.out_c + s.out_c - 1;
    if (first >= 0 && written > 0) lead = max_of(lead, written - first * s.in_c);
  }
  return lead;
}

/// sum + the products of neighbouring inputs and weights.
TINYTC_INLINE std::int32_t q_bare_dot(std::int32_t sum, const std::int8_t* x, const std::int8_t* w,
                                      int elements) {
  int rest = elements;
#if defined(TINYTC_DSP)
  rest = elements % 4;
  for (int k = 0; k < elements / 4; ++k) {
    const std::uint32_t inputs = q_load(x);
    const std::uint32_t weights = q_load(w);
    sum = q_dual(sum, q_even_bytes(inputs), q_even_bytes(weights));
    sum = q_dual(sum, q_odd_bytes(inputs), q_odd_bytes(weights));
    x += 4;
    w += 4;
  }
#endif
  for (int k = 0; k < rest; ++k) sum += x[k] * w[k];
  return sum;
}

/// sum + what `elements` inputs in the padding add.
TINYTC_INLINE std::int32_t q_bare_padding(std::int32_t sum, int zero_point, const std::int8_t* w,
                                          int elements) {
  for (int k = 0; k < elements; ++k) sum += zero_point * w[k];
  return sum;
}

/// One output's sum. x: the image at the group's first channel; w: the output channel's weights; (iy, ix):
/// input position of tap (0, 0).
TINYTC_INLINE std::int32_t q_bare_sum(const QConv2dShape& s, const std::int8_t* x, const std::int8_t* w,
                                      int iy, int ix, std::int32_t sum) {
  const QRuns cut = q_conv2d_runs(s);
  const int channels = s.in_c / s.groups;
  const int run_taps = cut.elements / channels;
  for (int run = 0; run < cut.runs; ++run) {
    const int y = iy + run / (cut.runs / s.kernel_h) * s.dilation_h;
    const int column = ix + run % (cut.runs / s.kernel_h) * s.dilation_w;
    const Range taps = y >= 0 && y < s.in_h ? tap_range(column, 1, run_taps, s.in_w) : Range{0, 0};
    const int first = taps.first < taps.last ? taps.first * channels : 0;
    const int last = taps.first < taps.last ? taps.last * channels : 0;
    sum = q_bare_padding(sum, s.x_zero_point, w, first);
    sum = q_bare_dot(sum, x + (y * s.in_w + column) * s.in_c + first, w + first, last - first);
    sum = q_bare_padding(sum, s.x_zero_point, w + last, cut.elements - last);
    w += cut.elements;
  }
  return sum;
}

/// q_conv2d with weights from q_conv2d_bare_pack, of any value where sums fit 32 bits, and without scratch; y
/// may overlap x from q_conv2d_bare_lead_x on.
TINYTC_INLINE void q_conv2d_bare(const QConv2dShape& s, const std::int8_t* x, const std::int8_t* w,
                                 const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                 std::int8_t* y) {
  const int group_out = s.out_c / s.groups;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const QPatchPlace at = q_conv2d_place(s, pixel);
    for (int o = 0; o < s.out_c; ++o) {
      const std::int8_t* from = x + at.image + o / group_out * (s.in_c / s.groups);
      const std::int32_t sum = q_bare_sum(s, from, w + o * q_conv2d_taps(s), at.y, at.x, bias[o]);
      y[pixel * s.out_c + o] = q_requantized(sum, scale, o, out);
    }
  }
}

constexpr long long q_depthwise_bare_macs(const QDepthwiseConv2dShape& s) {
  return q_depthwise_conv2d_macs(s);
}

/// Puts ONNX weights [channels * multiplier][1][kernel_h][kernel_w] into the order of the inputs.
constexpr void q_depthwise_bare_pack(const QDepthwiseConv2dShape& s, const std::int8_t* w,
                                     std::int8_t* packed) {
  const int taps = s.kernel_h * s.kernel_w;
  const int channels = s.channels * s.multiplier;
  for (int k = 0; k < channels * taps; ++k) packed[k % taps * channels + k / taps] = w[k];
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x.
constexpr int q_depthwise_bare_lead_x(const QDepthwiseConv2dShape& s) { return q_depthwise_direct_lead(s); }

/// q_depthwise_conv2d with weights from q_depthwise_bare_pack and without scratch; y may overlap x from
/// q_depthwise_bare_lead_x on.
TINYTC_INLINE void q_depthwise_bare(const QDepthwiseConv2dShape& s, const std::int8_t* x,
                                    const std::int8_t* w, const std::int32_t* bias, const QScale& scale,
                                    const QOutput& out, std::int8_t* y) {
  const int out_c = s.channels * s.multiplier;
  const int fours = s.multiplier == 1 ? s.channels / 4 * 4 : 0;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int iy = pixel / s.out_w % s.out_h * s.stride_h - s.pad_top;
    const int ix = pixel % s.out_w * s.stride_w - s.pad_left;
    const std::int8_t* image = x + pixel / (s.out_w * s.out_h) * s.in_h * s.in_w * s.channels;
    q_depthwise_fours(s, fours, image, iy, ix, w, bias, scale, out, y + pixel * out_c);
    for (int o = fours; o < out_c; ++o) {
      const std::int32_t sum = q_depthwise_sum(s, image + o / s.multiplier, iy, ix, w + o, out_c, bias[o]);
      y[pixel * out_c + o] = q_requantized(sum, scale, o, out);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_CONV2D_BARE_H
