// Depthwise 2-D convolution (1-D with height 1) and its gradients in float: output channel o reads input
// channel o / multiplier.
//
// Activations are channels-last. Weights are plain ONNX [channels * multiplier][1][kernel_h][kernel_w]
// (trained tensors) or packed [kernel_h][kernel_w][channels * multiplier].
#ifndef TINYTC_RUNTIME_DEPTHWISE_CONV2D_H
#define TINYTC_RUNTIME_DEPTHWISE_CONV2D_H

#include "runtime/activation.h"
#include "runtime/base.h"
#include "runtime/correlate.h"

namespace tinytc {

/// Shape of a depthwise convolution; its gradients use the same. Bottom and right padding is whatever out_h
/// and out_w imply.
struct DepthwiseConv2dShape {
  int batch;
  int in_h;
  int in_w;
  int channels;
  int multiplier;  ///< output channels per input channel
  int out_h;
  int out_w;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int dilation_h;
  int dilation_w;
  int pad_top;
  int pad_left;
  int packed;  ///< 1: weights in packed order, 0: plain ONNX order
};

template <typename V>
constexpr void visit(const DepthwiseConv2dShape& s, V&& v) {
  v("batch", s.batch);
  v("in_h", s.in_h);
  v("in_w", s.in_w);
  v("channels", s.channels);
  v("multiplier", s.multiplier);
  v("out_h", s.out_h);
  v("out_w", s.out_w);
  v("kernel_h", s.kernel_h);
  v("kernel_w", s.kernel_w);
  v("stride_h", s.stride_h);
  v("stride_w", s.stride_w);
  v("dilation_h", s.dilation_h);
  v("dilation_w", s.dilation_w);
  v("pad_top", s.pad_top);
  v("pad_left", s.pad_left);
  v("packed", s.packed);
}

/// Nominal multiply-accumulates of the forward pass and of either gradient.
constexpr long long depthwise_conv2d_macs(const DepthwiseConv2dShape& s) {
  return static_cast<long long>(s.batch) * s.out_h * s.out_w * s.channels * s.multiplier * s.kernel_h *
         s.kernel_w;
}
constexpr long long depthwise_conv2d_input_grad_macs(const DepthwiseConv2dShape& s) {
  return depthwise_conv2d_macs(s);
}
constexpr long long depthwise_conv2d_weight_grad_macs(const DepthwiseConv2dShape& s) {
  return depthwise_conv2d_macs(s);
}

/// Position of weight (o, ky, kx) in packed order; also valid for the input gradient.
constexpr int depthwise_conv2d_pack_index(const DepthwiseConv2dShape& s, int o, int ky, int kx) {
  return (ky * s.kernel_w + kx) * s.channels * s.multiplier + o;
}

/// Elements from a weight to that of the next tap (along kx) of the same channel, and to the same tap of the
/// next channel.
TINYTC_INLINE constexpr int depthwise_tap_stride(const DepthwiseConv2dShape& s) {
  return s.packed ? s.channels * s.multiplier : 1;
}
TINYTC_INLINE constexpr int depthwise_channel_stride(const DepthwiseConv2dShape& s) {
  return s.packed ? 1 : s.kernel_h * s.kernel_w;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: every element
/// that is written before a later read must lie below it. Rows are finished channel by channel.
constexpr int depthwise_conv2d_lead_x(const DepthwiseConv2dShape& s) {
  const int out_c = s.channels * s.multiplier;
  int column = s.in_w;  // leftmost column read
  for (int ox = 0; ox < s.out_w; ++ox) {
    const int ix = ox * s.stride_w - s.pad_left;
    const Range taps = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
    column = taps.first < taps.last ? min_of(column, ix + taps.first * s.dilation_w) : column;
  }
  int lead = -s.batch * s.in_h * s.in_w * s.channels;
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    for (int c = 0; c < out_c && rows.first < rows.last && column < s.in_w; ++c) {
      const int y = row / s.out_h * s.in_h + iy + rows.first * s.dilation_h;
      const int read = (y * s.in_w + column) * s.channels + c / s.multiplier;
      const int written = c > 0 ? (row * s.out_w + s.out_w - 1) * out_c + c : row * s.out_w * out_c;
      lead = written > 0 ? max_of(lead, written - read) : lead;
    }
  }
  return lead;
}

/// y = activation(depthwise(x, w) + bias + residual). x: [batch][in_h][in_w][channels]; bias: [channels *
/// multiplier] or null; residual: as y or null, may be y itself; y: [batch][out_h][out_w][channels *
/// multiplier], may overlap x from depthwise_conv2d_lead_x on. Sums run over kx, then ky, starting at the
/// bias.
template <typename T>
TINYTC_INLINE void depthwise_conv2d(const DepthwiseConv2dShape& s, const T* x, const T* w, const T* bias,
                                    const T* residual, const Activation<T>& activation, T* y) {
  const int out_c = s.channels * s.multiplier;
  const int tap = depthwise_tap_stride(s);
  const int channel = depthwise_channel_stride(s);
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    const Range rows = tap_range(iy, s.dilation_h, s.kernel_h, s.in_h);
    for (int o = 0; o < out_c; ++o) {
      const T* w_o = w + o * channel;
      const T* x_row = x + (row / s.out_h * s.in_h + iy) * s.in_w * s.channels + o / s.multiplier;
      for (int ox = 0; ox < s.out_w; ++ox) {
        const int ix = ox * s.stride_w - s.pad_left;
        const Range columns = tap_range(ix, s.dilation_w, s.kernel_w, s.in_w);
        T sum = bias != nullptr ? bias[o] : T(0);
        for (int kx = columns.first; kx < columns.last; ++kx) {
          for (int ky = rows.first; ky < rows.last; ++ky) {
            sum = mul_add(sum, x_row[(ky * s.dilation_h * s.in_w + ix + kx * s.dilation_w) * s.channels],
                          w_o[(ky * s.kernel_w + kx) * tap]);
          }
        }
        const int at = (row * s.out_w + ox) * out_c + o;
        if (residual != nullptr) {
          sum += residual[at];
        }
        y[at] = activate(activation, sum);
      }
    }
  }
}

/// dx = activation(depthwise^T(dy, w) + bias + residual): the gradient by the input, or a depthwise
/// ConvTranspose forward. dy: [batch][out_h][out_w][channels * multiplier]; bias: [channels] or null;
/// residual: as dx or null, may be dx itself; dx: [batch][in_h][in_w][channels], must not overlap dy. Sums
/// run over kx, then ky, then the multiplier, starting at the bias.
template <typename T>
TINYTC_INLINE void depthwise_conv2d_input_grad(const DepthwiseConv2dShape& s, const T* dy, const T* w,
                                               const T* bias, const T* residual,
                                               const Activation<T>& activation, T* dx) {
  const int out_c = s.channels * s.multiplier;
  const int tap = depthwise_tap_stride(s);
  const int channel = depthwise_channel_stride(s);
  for (int row = 0; row < s.batch * s.in_h; ++row) {
    const T* dy_image = dy + row / s.in_h * s.out_h * s.out_w * out_c;
    for (int c = 0; c < s.channels; ++c) {
      for (int ix = 0; ix < s.in_w; ++ix) {
        T sum = bias != nullptr ? bias[c] : T(0);
        for (int kx = 0; kx < s.kernel_w; ++kx) {
          const int across = ix + s.pad_left - kx * s.dilation_w;
          if (across < 0 || across % s.stride_w != 0 || across / s.stride_w >= s.out_w) {
            continue;
          }
          for (int ky = 0; ky < s.kernel_h; ++ky) {
            const int down = row % s.in_h + s.pad_top - ky * s.dilation_h;
            if (down < 0 || down % s.stride_h != 0 || down / s.stride_h >= s.out_h) {
              continue;
            }
            const T* at =
                dy_image + (down / s.stride_h * s.out_w + across / s.stride_w) * out_c + c * s.multiplier;
            const T* weight = w + (ky * s.kernel_w + kx) * tap + c * s.multiplier * channel;
            for (int m = 0; m < s.multiplier; ++m) {
              sum = mul_add(sum, at[m], weight[m * channel]);
            }
          }
        }
        const int at = (row * s.in_w + ix) * s.channels + c;
        if (residual != nullptr) {
          sum += residual[at];
        }
        dx[at] = activate(activation, sum);
      }
    }
  }
}

/// Gradient of depthwise_conv2d by its weights: sink(position in plain ONNX order, finished sum), once a
/// weight. x: [batch][in_h][in_w][channels]; dy: [batch][out_h][out_w][channels * multiplier]. Sums run over
/// image, row, column.
template <typename T, typename Sink>
TINYTC_INLINE void depthwise_conv2d_weight_grad(const DepthwiseConv2dShape& s, const T* x, const T* dy,
                                                Sink sink) {
  const int out_c = s.channels * s.multiplier;
  for (int o = 0; o < out_c; ++o) {
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      const Range rows = output_range(s.out_h, s.stride_h, ky * s.dilation_h - s.pad_top, s.in_h);
      for (int kx = 0; kx < s.kernel_w; ++kx) {
        const Range columns = output_range(s.out_w, s.stride_w, kx * s.dilation_w - s.pad_left, s.in_w);
        T sum = T(0);
        for (int image = 0; image < s.batch; ++image) {
          for (int oy = rows.first; oy < rows.last; ++oy) {
            const int iy = oy * s.stride_h + ky * s.dilation_h - s.pad_top;
            const T* x_row = x +
                             ((image * s.in_h + iy) * s.in_w + kx * s.dilation_w - s.pad_left) * s.channels +
                             o / s.multiplier;
            const T* dy_row = dy + (image * s.out_h + oy) * s.out_w * out_c + o;
            for (int ox = columns.first; ox < columns.last; ++ox) {
              sum = mul_add(sum, dy_row[ox * out_c], x_row[ox * s.stride_w * s.channels]);
            }
          }
        }
        sink((o * s.kernel_h + ky) * s.kernel_w + kx, sum);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_DEPTHWISE_CONV2D_H
