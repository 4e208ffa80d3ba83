// The shape of int8 depthwise convolutions.
#ifndef TINYTC_RUNTIME_Q_DEPTHWISE_SHAPE_H
#define TINYTC_RUNTIME_Q_DEPTHWISE_SHAPE_H

#include "runtime/base.h"

namespace tinytc {

/// Sizes in pixels, channels, taps. Bottom and right padding is whatever out_h and out_w imply.
struct QDepthwiseConv2dShape {
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
  int x_zero_point;  ///< what padding reads as
  int packed;        ///< 1: weights in packed order, 0: plain ONNX order
};

template <typename V>
constexpr void visit(const QDepthwiseConv2dShape& s, V&& v) {
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
  v("x_zero_point", s.x_zero_point);
  v("packed", s.packed);
}

/// Nominal multiply-accumulates.
constexpr long long q_depthwise_conv2d_macs(const QDepthwiseConv2dShape& s) {
  return static_cast<long long>(s.batch) * s.out_h * s.out_w * s.channels * s.multiplier * s.kernel_h *
         s.kernel_w;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_DEPTHWISE_SHAPE_H
