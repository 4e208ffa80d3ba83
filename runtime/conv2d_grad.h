// Gradients of conv2d. The input gradient is also the forward pass of a transposed convolution.
//
// conv2d_input_grad splits the input pixels by their position modulo the stride: within one such phase the
// taps that reach a pixel are the same everywhere, so each phase is an ordinary correlation of dy with stride
// 1 and a flipped sub-kernel. conv2d_weight_grad hands each finished sum to a sink, so that no gradient
// buffer need exist.
#ifndef TINYTC_RUNTIME_CONV2D_GRAD_H
#define TINYTC_RUNTIME_CONV2D_GRAD_H

#include "runtime/activation.h"
#include "runtime/base.h"
#include "runtime/conv2d.h"
#include "runtime/correlate.h"
#include "runtime/gradient_phase.h"
#include "runtime/tile.h"

namespace tinytc {

/// Position of weight (o, i, ky, kx) of ONNX's [out_c][in_c / groups][kernel_h][kernel_w] in the packed order
/// of conv2d_input_grad: group, phase of rows, phase of columns, block of four input channels (the last one
/// narrower), then the phase's taps in flipped order, each [out_c / groups][width]. As many elements as plain
/// order.
constexpr int conv2d_input_grad_pack_index(const Conv2dShape& s, int o, int i, int ky, int kx) {
  const int group_out = s.out_c / s.groups;
  const int group_in = s.in_c / s.groups;
  int at = o / group_out * group_out * group_in * s.kernel_h * s.kernel_w;
  for (int py = 0; py < min_of(s.stride_h, s.in_h); ++py) {
    GradientPhase v = gradient_phase(py, s.pad_top, s.stride_h, s.dilation_h, s.kernel_h);
    for (int px = 0; px < min_of(s.stride_w, s.in_w); ++px) {
      GradientPhase h = gradient_phase(px, s.pad_left, s.stride_w, s.dilation_w, s.kernel_w);
      const int taps = v.count * h.count * group_out;
      if (ky >= v.first && (ky - v.first) % v.spacing == 0 && kx >= h.first &&
          (kx - h.first) % h.spacing == 0) {
        const int row = v.count - 1 - (ky - v.first) / v.spacing;
        const int column = h.count - 1 - (kx - h.first) / h.spacing;
        const int width = i < group_in / 4 * 4 ? 4 : 1;
        return at + (i - i % width) * taps + ((row * h.count + column) * group_out + o % group_out) * width +
               i % width;
      }
      at += group_in * taps;
    }
  }
  return at;  // a tap that reaches no pixel: the free places stand at the group's end, one such tap is as
              // good as another
}

/// Scratch in elements: one block of four input channels when the weights are plain.
constexpr int conv2d_input_grad_scratch(const Conv2dShape& s) {
  return s.packed ? 0 : min_of(4, s.in_c / s.groups) * s.kernel_h * s.kernel_w * (s.out_c / s.groups);
}

constexpr long long conv2d_input_grad_macs(const Conv2dShape& s) { return conv2d_macs(s); }
constexpr long long conv2d_weight_grad_macs(const Conv2dShape& s) { return conv2d_macs(s); }

/// Copies `count` input channels, at most four, of one phase from plain order (w at the group's first output
/// and the first of these input channels) into packed order.
template <typename T>
TINYTC_INLINE void conv2d_input_grad_pack_block(const Conv2dShape& s, const GradientPhase& v,
                                                const GradientPhase& h, const T* w, int count, T* packed) {
  const int taps = s.kernel_h * s.kernel_w;
  const int outputs = s.out_c / s.groups;
  const int w_output = s.in_c / s.groups * taps;
  const int width = count == 4 ? 4 : 1;
  for (int c = 0; c < count; ++c) {
    T* to = packed + (width == 4 ? c : c * v.count * h.count * outputs);
    for (int row = 0; row < v.count; ++row) {
      for (int column = 0; column < h.count; ++column) {
        const int ky = v.first + (v.count - 1 - row) * v.spacing;
        const int kx = h.first + (h.count - 1 - column) * h.spacing;
        for (int o = 0; o < outputs; ++o) {
          *to = w[o * w_output + c * taps + ky * s.kernel_w + kx];
          to += width;
        }
      }
    }
  }
}

/// dx = activation(conv^T(dy, w) + bias + residual): the gradient of conv2d by its input (bias and residual
/// null, or residual a gradient to add to), or ConvTranspose forward (the shape is that of the convolution
/// which maps its output to its input). dy: [batch][out_h][out_w][out_c]; w: plain or in the order of
/// conv2d_input_grad_pack_index; bias: [in_c] or null; residual: as dx or null, may be dx itself; dx:
/// [batch][in_h][in_w][in_c], must not overlap dy; scratch: conv2d_input_grad_scratch elements. Sums run over
/// ky and kx downwards, then output channels upwards, from the bias.
template <typename T>
TINYTC_INLINE void conv2d_input_grad(const Conv2dShape& shape, const T* dy, const T* w, const T* bias,
                                     const T* residual, const Activation<T>& activation, T* dx, T* scratch) {
  Conv2dShape s = conv2d_flat(shape);
  const int in_c = s.in_c / s.groups;
  const int out_c = s.out_c / s.groups;
  const int width = s.packed ? in_c : 4;
  const int taps = s.kernel_h * s.kernel_w;
  for (int group = 0; group < s.groups; ++group) {
    const T* packed = w + group * out_c * in_c * taps;
    for (int phase = 0; phase < s.stride_h * s.stride_w; ++phase) {
      const int py = phase / s.stride_w;
      const int px = phase % s.stride_w;
      GradientPhase v = gradient_phase(py, s.pad_top, s.stride_h, s.dilation_h, s.kernel_h);
      GradientPhase h = gradient_phase(px, s.pad_left, s.stride_w, s.dilation_w, s.kernel_w);
      const int rows = (s.in_h - py + s.stride_h - 1) / s.stride_h;
      const int columns = (s.in_w - px + s.stride_w - 1) / s.stride_w;
      for (int block = 0; block < in_c && rows > 0 && columns > 0; block += width) {
        const int channels = in_c % width == 0 ? width : min_of(width, in_c - block);
        const T* weights = packed;
        if (s.packed) {
          packed += in_c * v.count * h.count * out_c;
        } else {
          conv2d_input_grad_pack_block(s, v, h, w + (group * out_c * in_c + block) * taps, channels, scratch);
          weights = scratch;
        }
        const int c = group * in_c + block;
        const int at = (py * s.in_w + px) * s.in_c + c;
        Correlation g{s.batch,
                      s.out_h,
                      s.out_w,
                      s.out_c,
                      rows,
                      columns,
                      s.stride_w * s.in_c,
                      s.stride_h * s.in_w * s.in_c,
                      s.in_h * s.in_w * s.in_c,
                      out_c,
                      channels,
                      v.count,
                      h.count,
                      1,
                      1,
                      v.dilation,
                      h.dilation,
                      v.pad,
                      h.pad};
        correlate(g, dy + group * out_c, weights, bias != nullptr ? bias + c : nullptr,
                  residual != nullptr ? residual + at : nullptr, activation, dx + at);
      }
    }
  }
}

/// The value of lane j of a weight-gradient tile at output column ox, zero where the lane's tap lies outside
/// the image.
template <typename T>
TINYTC_INLINE T conv2d_weight_grad_lane(const Conv2dShape& s, const T* x, int ox, int column, int lane) {
  const int kx = (column + lane) / (s.in_c / s.groups);
  const int ix = ox * s.stride_w + kx * s.dilation_w - s.pad_left;
  return ix >= 0 && ix < s.in_w ? x[lane] : T(0);
}

/// Output columns first..last at which only some lanes of the tile lie inside the image.
template <int O, int J, typename T>
TINYTC_INLINE void conv2d_weight_grad_border(const Conv2dShape& s, T (&sum)[16], const T* x_row,
                                             const T* dy_row, int column, int first, int last) {
  for (int ox = first; ox < last; ++ox) {
    const T* at = x_row + ox * s.stride_w * s.in_c;
    T x[4] = {T(0), T(0), T(0), T(0)};
    for (int lane = 0; lane < J; ++lane) {
      x[lane] = conv2d_weight_grad_lane(s, at, ox, column, lane);
    }
    tile_step<O, J>(sum, dy_row + ox * s.out_c, 1, x, 1);
  }
}

/// Hands one output channel's J finished sums to the sink; position: of (o, 0, ky, 0) in the plain tensor.
template <int J, typename T, typename Sink>
TINYTC_INLINE void conv2d_weight_grad_sink(const Conv2dShape& s, T s0, T s1, T s2, T s3, int position,
                                           int column, const Sink& sink) {
  const int channels = s.in_c / s.groups;
  const int taps = s.kernel_h * s.kernel_w;
  sink(position + column % channels * taps + column / channels, s0);
  if (J > 1) sink(position + (column + 1) % channels * taps + (column + 1) / channels, s1);
  if (J > 2) sink(position + (column + 2) % channels * taps + (column + 2) / channels, s2);
  if (J > 3) sink(position + (column + 3) % channels * taps + (column + 3) / channels, s3);
}

/// O output channels from o on x J neighbouring columns (column = kx * channels + i) of kernel row ky: sums
/// dy * x over all images and pixels in order.
template <int O, int J, typename T, typename Sink>
TINYTC_INLINE void conv2d_weight_grad_tile(const Conv2dShape& s, const T* x, const T* dy, int o, int ky,
                                           int column, const Sink& sink) {
  const int channels = s.in_c / s.groups;
  const int kx = column / channels;
  const int x_offset =
      (kx * s.dilation_w - s.pad_left) * s.in_c + o / (s.out_c / s.groups) * channels + column % channels;
  Range rows = output_range(s.out_h, s.stride_h, ky * s.dilation_h - s.pad_top, s.in_h);
  Range left = output_range(s.out_w, s.stride_w, kx * s.dilation_w - s.pad_left, s.in_w);
  Range right =
      output_range(s.out_w, s.stride_w, (column + J - 1) / channels * s.dilation_w - s.pad_left, s.in_w);
  TileStrides strides{1, s.out_c, 1, s.stride_w * s.in_c};
  // Taps further right reach the image earlier and leave it earlier.
  const int inner = min_of(left.first, right.last);
  const int inner_last = max_of(inner, right.last);
  T sum[16];
  tile_start<O, J>(sum, static_cast<const T*>(nullptr));
  for (int image = 0; image < s.batch; ++image) {
    for (int oy = rows.first; oy < rows.last; ++oy) {
      const int iy = oy * s.stride_h + ky * s.dilation_h - s.pad_top;
      const T* x_row = x + (image * s.in_h + iy) * s.in_w * s.in_c + x_offset;
      const T* dy_row = dy + (image * s.out_h + oy) * s.out_w * s.out_c + o;
      conv2d_weight_grad_border<O, J>(s, sum, x_row, dy_row, column, right.first, inner);
      tile_run<O, J>(sum, strides, dy_row + inner * s.out_c, x_row + inner * strides.w_step,
                     inner_last - inner);
      conv2d_weight_grad_border<O, J>(s, sum, x_row, dy_row, column, inner_last, left.last);
    }
  }
  const int taps = s.kernel_h * s.kernel_w;
  const int position = o * channels * taps + ky * s.kernel_w;
  conv2d_weight_grad_sink<J>(s, sum[0], sum[1], sum[2], sum[3], position, column, sink);
  if (O > 1)
    conv2d_weight_grad_sink<J>(s, sum[4], sum[5], sum[6], sum[7], position + channels * taps, column, sink);
  if (O > 2)
    conv2d_weight_grad_sink<J>(s, sum[8], sum[9], sum[10], sum[11], position + 2 * channels * taps, column,
                               sink);
  if (O > 3)
    conv2d_weight_grad_sink<J>(s, sum[12], sum[13], sum[14], sum[15], position + 3 * channels * taps, column,
                               sink);
}

/// All weights of O output channels from o on.
template <int O, typename T, typename Sink>
TINYTC_INLINE void conv2d_weight_grad_outputs(const Conv2dShape& s, const T* x, const T* dy, int o,
                                              const Sink& sink) {
  const int channels = s.in_c / s.groups;
  // Taps (kx, i) of one kernel row neighbour each other in x if nothing lies between them.
  const bool merged = s.dilation_w == 1 && s.groups == 1;
  const int length = merged ? s.kernel_w * channels : channels;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int first = 0; first < s.kernel_w * channels; first += length) {
      const int full = first + length / 4 * 4;
      for (int column = first; column < full; column += 4) {
        conv2d_weight_grad_tile<O, 4>(s, x, dy, o, ky, column, sink);
      }
      for (int column = full; column < first + length; ++column) {
        conv2d_weight_grad_tile<O, 1>(s, x, dy, o, ky, column, sink);
      }
    }
  }
}

/// Gradient of conv2d by its weights: sink(position in plain ONNX order, finished sum), once a weight.
/// x: [batch][in_h][in_w][in_c]; dy: [batch][out_h][out_w][out_c]. Sums run over image, row, column.
template <typename T, typename Sink>
TINYTC_INLINE void conv2d_weight_grad(const Conv2dShape& shape, const T* x, const T* dy, Sink sink) {
  Conv2dShape s = conv2d_flat(shape);
  const int outputs = s.out_c / s.groups;
  for (int first = 0; first < s.out_c; first += outputs) {
    const int full = first + outputs / 4 * 4;
    for (int o = first; o < full; o += 4) {
      conv2d_weight_grad_outputs<4>(s, x, dy, o, sink);
    }
    for (int o = full; o < first + outputs; ++o) {
      conv2d_weight_grad_outputs<1>(s, x, dy, o, sink);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_CONV2D_GRAD_H
