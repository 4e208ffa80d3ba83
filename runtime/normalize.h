// LayerNormalization and BatchNormalization with their gradients.
//
// LayerNorm works on [rows][width] and normalises each row; BatchNorm works on [outer][channels][inner] and
// normalises each channel (channels-last: inner = 1). Means and reciprocal standard deviations that a
// backward pass needs are outputs. Parameter gradients go to sinks. All tensors row-major; every kernel
// writes y or dx in ascending order after it has read what the statistics need.
#ifndef TINYTC_RUNTIME_NORMALIZE_H
#define TINYTC_RUNTIME_NORMALIZE_H

#include "runtime/bias_grad.h"
#include "runtime/elementwise.h"
#include "runtime/entry.h"
#include "runtime/math_bits.h"
#include "runtime/sinks.h"

namespace tinytc {

/// `rows` rows of `width` elements.
struct LayerNormShape {
  int rows;
  int width;
};
template <typename V>
constexpr void visit(const LayerNormShape& s, V&& v) {
  v("rows", s.rows);
  v("width", s.width);
}

/// y = (x - mean) / sqrt(variance + epsilon) * scale + bias for each row; ONNX LayerNormalization. scale,
/// bias: [width] or null; mean, inverse (of the standard deviation): [rows] or null where nobody needs them.
template <typename T>
TINYTC_INLINE void layer_norm(const LayerNormShape& shape, T epsilon, const T* x, const T* scale,
                              const T* bias, T* y, T* mean, T* inverse) {
  const T width = static_cast<T>(shape.width);
  for (int row = 0; row < shape.rows; ++row) {
    const T* from = x + row * shape.width;
    T* to = y + row * shape.width;
    T sum = 0;
    for (int i = 0; i < shape.width; ++i) sum += from[i];
    const T center = sum / width;
    T squares = 0;
    for (int i = 0; i < shape.width; ++i) squares = mul_add(squares, from[i] - center, from[i] - center);
    const T factor = static_cast<T>(1) / math_sqrt(squares / width + epsilon);
    for (int i = 0; i < shape.width; ++i) {
      const T normal = rounded((from[i] - center) * factor);
      const T scaled = scale == nullptr ? normal : rounded(normal * scale[i]);
      to[i] = bias == nullptr ? scaled : scaled + bias[i];
    }
    if (mean != nullptr) mean[row] = center;
    if (inverse != nullptr) inverse[row] = factor;
  }
}
constexpr int layer_norm_lead_x(const LayerNormShape&) { return 0; }

/// dx = inverse * (g - mean(g) - n mean(g n)), where g = dy * scale and n is the normalised x. x, dy, dx:
/// [rows][width]; scale: [width] or null; mean, inverse: [rows].
template <typename T>
TINYTC_INLINE void layer_norm_grad(const LayerNormShape& shape, const T* x, const T* scale, const T* mean,
                                   const T* inverse, const T* dy, T* dx) {
  const T width = static_cast<T>(shape.width);
  for (int row = 0; row < shape.rows; ++row) {
    const int start = row * shape.width;
    T sum = 0;
    T projection = 0;
    for (int i = 0; i < shape.width; ++i) {
      const T g = scale == nullptr ? dy[start + i] : rounded(dy[start + i] * scale[i]);
      sum += g;
      projection = mul_add(projection, g, (x[start + i] - mean[row]) * inverse[row]);
    }
    sum = sum / width;
    projection = projection / width;
    for (int i = 0; i < shape.width; ++i) {
      const T g = scale == nullptr ? dy[start + i] : rounded(dy[start + i] * scale[i]);
      const T normal = (x[start + i] - mean[row]) * inverse[row];
      dx[start + i] = inverse[row] * mul_add(g - sum, -projection, normal);
    }
  }
}
constexpr int layer_norm_grad_lead_x(const LayerNormShape&) { return 0; }
constexpr int layer_norm_grad_lead_dy(const LayerNormShape&) { return 0; }

/// The gradient of scale: for each column the sum over the rows of dy * normalised x. x, dy: [rows][width];
/// mean, inverse: [rows].
template <typename T, typename Sink>
TINYTC_INLINE void layer_norm_scale_grad(const LayerNormShape& shape, const T* x, const T* mean,
                                         const T* inverse, const T* dy, Sink sink) {
  for (int i = 0; i < shape.width; ++i) {
    T sum = 0;
    for (int row = 0; row < shape.rows; ++row) {
      const int at = row * shape.width + i;
      sum = mul_add(sum, dy[at], (x[at] - mean[row]) * inverse[row]);
    }
    sink(i, sum);
  }
}

/// inverse = 1 / sqrt(variance + epsilon), `count` elements each: what the gradients of a BatchNorm with
/// frozen statistics take.
template <typename T>
TINYTC_INLINE void inverse_deviation(const ElementwiseShape& shape, T epsilon, const T* variance,
                                     T* inverse) {
  for (int i = 0; i < shape.count; ++i) inverse[i] = static_cast<T>(1) / math_sqrt(variance[i] + epsilon);
}
constexpr int inverse_deviation_lead_variance(const ElementwiseShape&) { return 0; }

/// y = (x - mean) / sqrt(variance + epsilon) * scale + bias with given statistics; ONNX BatchNormalization
/// for inference. scale, bias, mean, variance: [channels]; scratch: 2 * channels elements, the factor and the
/// offset of each channel.
template <typename T>
TINYTC_INLINE void batch_norm(const ChannelShape& shape, T epsilon, const T* x, const T* scale, const T* bias,
                              const T* mean, const T* variance, T* y, T* scratch) {
  T* offset = scratch + shape.channels;
  for (int c = 0; c < shape.channels; ++c) {
    scratch[c] = scale[c] / math_sqrt(variance[c] + epsilon);
    offset[c] = mul_add(bias[c], -mean[c], scratch[c]);
  }
  for (int o = 0; o < shape.outer; ++o) {
    for (int c = 0; c < shape.channels; ++c) {
      const int start = (o * shape.channels + c) * shape.inner;
      for (int i = 0; i < shape.inner; ++i) y[start + i] = mul_add(offset[c], x[start + i], scratch[c]);
    }
  }
}
constexpr int batch_norm_scratch(const ChannelShape& s) { return 2 * s.channels; }
constexpr int batch_norm_lead_x(const ChannelShape&) { return 0; }
constexpr int batch_norm_macs(const ChannelShape& s) { return s.outer * s.channels * s.inner; }

/// dx = dy * scale * inverse: BatchNorm with frozen statistics. scale, inverse: [channels].
template <typename T>
TINYTC_INLINE void batch_norm_frozen_grad(const ChannelShape& shape, const T* scale, const T* inverse,
                                          const T* dy, T* dx) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int c = 0; c < shape.channels; ++c) {
      const int start = (o * shape.channels + c) * shape.inner;
      const T factor = scale[c] * inverse[c];
      for (int i = 0; i < shape.inner; ++i) dx[start + i] = dy[start + i] * factor;
    }
  }
}
constexpr int batch_norm_frozen_grad_lead_dy(const ChannelShape&) { return 0; }

/// mean, variance (the mean of squared differences) and inverse = 1 / sqrt(variance + epsilon) of each channel
/// of this batch, [channels] each. x: [outer][channels][inner].
template <typename T>
TINYTC_INLINE void batch_statistics(const ChannelShape& shape, T epsilon, const T* x, T* mean, T* variance,
                                    T* inverse) {
  const T count = static_cast<T>(shape.outer * shape.inner);
  for (int c = 0; c < shape.channels; ++c) {
    T sum = 0;
    for (int o = 0; o < shape.outer; ++o) {
      for (int i = 0; i < shape.inner; ++i) sum += x[(o * shape.channels + c) * shape.inner + i];
    }
    const T center = sum / count;
    T squares = 0;
    for (int o = 0; o < shape.outer; ++o) {
      for (int i = 0; i < shape.inner; ++i) {
        const T difference = x[(o * shape.channels + c) * shape.inner + i] - center;
        squares = mul_add(squares, difference, difference);
      }
    }
    mean[c] = center;
    variance[c] = squares / count;
    inverse[c] = static_cast<T>(1) / math_sqrt(variance[c] + epsilon);
  }
}

/// How running statistics move towards a batch's: r = r * momentum + batch * (1 - momentum), ONNX's momentum
/// (PyTorch's is 1 - momentum). `correction` multiplies the variance: n / (n - 1) for the unbiased one, which
/// PyTorch keeps.
template <typename T>
struct RunningStep {
  T momentum, correction;
  TINYTC_INLINE T mean(T running, T batch) const { return moved(running, batch); }
  TINYTC_INLINE T variance(T running, T batch) const { return moved(running, rounded(batch * correction)); }

 private:
  TINYTC_INLINE T moved(T running, T batch) const {
    return mul_add(rounded(running * momentum), static_cast<T>(1) - momentum, batch);
  }
};

/// Moves the running statistics. All tensors: `count` elements.
template <typename T>
TINYTC_INLINE void running_statistics(const ElementwiseShape& shape, const RunningStep<T>& step,
                                      const T* mean, const T* variance, T* running_mean,
                                      T* running_variance) {
  for (int c = 0; c < shape.count; ++c) {
    running_mean[c] = step.mean(running_mean[c], mean[c]);
    running_variance[c] = step.variance(running_variance[c], variance[c]);
  }
}

/// checked[0] = loss[0], or NaN if running_statistics would make any of the running ones infinite or NaN: the
/// variance of finite inputs can exceed the largest number, and normalises them to 0, which no loss shows.
template <typename T>
TINYTC_INLINE void check_statistics(const ElementwiseShape& shape, const RunningStep<T>& step, const T* mean,
                                    const T* variance, const T* running_mean, const T* running_variance,
                                    const T* loss, T* checked) {
  bool finite = true;
  for (int c = 0; c < shape.count; ++c) {
    finite = finite && is_finite(step.mean(running_mean[c], mean[c])) &&
             is_finite(step.variance(running_variance[c], variance[c]));
  }
  checked[0] = finite ? loss[0] : not_a_number<T>();
}
constexpr int check_statistics_lead_loss(const ElementwiseShape&) { return 0; }

/// y = (x - mean) * inverse * scale + bias: BatchNorm for training, after batch_statistics. mean, inverse,
/// scale, bias: [channels].
template <typename T>
TINYTC_INLINE void batch_norm_train(const ChannelShape& shape, const T* x, const T* scale, const T* bias,
                                    const T* mean, const T* inverse, T* y) {
  for (int o = 0; o < shape.outer; ++o) {
    for (int c = 0; c < shape.channels; ++c) {
      const int start = (o * shape.channels + c) * shape.inner;
      const T factor = scale[c] * inverse[c];
      for (int i = 0; i < shape.inner; ++i) y[start + i] = mul_add(bias[c], x[start + i] - mean[c], factor);
    }
  }
}
constexpr int batch_norm_train_lead_x(const ChannelShape&) { return 0; }

/// dx = scale * inverse * (dy - mean(dy) - n mean(dy n)), where n is the normalised x: BatchNorm with the
/// batch's own statistics. x, dy, dx: [outer][channels][inner]; scratch: 2 * channels elements, the two
/// means.
template <typename T>
TINYTC_INLINE void batch_norm_train_grad(const ChannelShape& shape, const T* x, const T* scale, const T* mean,
                                         const T* inverse, const T* dy, T* dx, T* scratch) {
  const T count = static_cast<T>(shape.outer * shape.inner);
  T* projection = scratch + shape.channels;
  for (int c = 0; c < shape.channels; ++c) {
    T sum = 0;
    T product = 0;
    for (int o = 0; o < shape.outer; ++o) {
      for (int i = 0; i < shape.inner; ++i) {
        const int at = (o * shape.channels + c) * shape.inner + i;
        sum += dy[at];
        product = mul_add(product, dy[at], (x[at] - mean[c]) * inverse[c]);
      }
    }
    scratch[c] = sum / count;
    projection[c] = product / count;
  }
  for (int o = 0; o < shape.outer; ++o) {
    for (int c = 0; c < shape.channels; ++c) {
      const T factor = scale[c] * inverse[c];
      for (int i = 0; i < shape.inner; ++i) {
        const int at = (o * shape.channels + c) * shape.inner + i;
        const T normal = (x[at] - mean[c]) * inverse[c];
        dx[at] = factor * mul_add(dy[at] - scratch[c], -projection[c], normal);
      }
    }
  }
}
constexpr int batch_norm_train_grad_scratch(const ChannelShape& s) { return 2 * s.channels; }
constexpr int batch_norm_train_grad_lead_x(const ChannelShape&) { return 0; }
constexpr int batch_norm_train_grad_lead_dy(const ChannelShape&) { return 0; }

/// The gradient of scale, with frozen statistics or the batch's: the sum of dy * (x - mean) * inverse over
/// each channel.
template <typename T, typename Sink>
TINYTC_INLINE void batch_norm_scale_grad(const ChannelShape& shape, const T* x, const T* mean,
                                         const T* inverse, const T* dy, Sink sink) {
  for (int c = 0; c < shape.channels; ++c) {
    T sum = 0;
    for (int o = 0; o < shape.outer; ++o) {
      for (int i = 0; i < shape.inner; ++i) {
        const int at = (o * shape.channels + c) * shape.inner + i;
        sum = mul_add(sum, dy[at], (x[at] - mean[c]) * inverse[c]);
      }
    }
    sink(c, sum);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_NORMALIZE_H
