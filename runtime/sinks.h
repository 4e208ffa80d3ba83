// Where finished gradients go: a sink is called once for each weight with the finished sum and stores, adds,
// or updates at once.
//
// A kernel for a weight gradient takes a sink by value and calls `sink(index, gradient)`; `index` is the
// weight's position in the plain ONNX tensor. With an optimizer as the sink, no buffer of gradients ever
// exists. The update formulas are those of torch.optim, in the same order of operations; per-weight state
// (velocity, moments) starts at 0.
#ifndef TINYTC_RUNTIME_SINKS_H
#define TINYTC_RUNTIME_SINKS_H

#include "runtime/elementwise.h"
#include "runtime/math_bits.h"

namespace tinytc {

/// Stores the gradient.
template <typename T>
struct StoreGradient {
  T* out;
  TINYTC_INLINE void operator()(int index, T gradient) const { out[index] = gradient; }
};

/// Adds the gradient to what is there (`--accumulate`, tied weights).
template <typename T>
struct AddGradient {
  T* out;
  TINYTC_INLINE void operator()(int index, T gradient) const { out[index] += gradient; }
};

/// torch.optim.SGD without momentum: w -= learning_rate (g + weight_decay w).
template <typename T>
struct Sgd {
  T* w;
  T learning_rate, weight_decay;
  TINYTC_INLINE void operator()(int index, T gradient) const {
    const T decayed = weight_decay == 0 ? gradient : mul_add(gradient, weight_decay, w[index]);
    w[index] = mul_add(w[index], -learning_rate, decayed);
  }
};

/// torch.optim.SGD with momentum (dampening 0): v = momentum v + g; w -= learning_rate (nesterov ? g +
/// momentum v : v).
template <typename T>
struct Momentum {
  T* w;
  T* velocity;
  T learning_rate, momentum, weight_decay;
  bool nesterov;
  TINYTC_INLINE void operator()(int index, T gradient) const {
    const T decayed = weight_decay == 0 ? gradient : mul_add(gradient, weight_decay, w[index]);
    const T speed = mul_add(decayed, momentum, velocity[index]);
    velocity[index] = speed;
    w[index] = mul_add(w[index], -learning_rate, nesterov ? mul_add(decayed, momentum, speed) : speed);
  }
};

/// Adam's constants. The complements 1 - beta are given apart because float would lose most of their digits.
template <typename T>
struct AdamSettings {
  T beta1, beta2, one_minus_beta1, one_minus_beta2, epsilon, weight_decay;
};

/// Once a training step, before the first Adam or AdamW sink of it. `corrections`: 2 elements of optimizer
/// state, 1 - beta^steps, that start at 0. `step`: 3 elements out: learning_rate / corrections[0], 1 /
/// sqrt(corrections[1]), and AdamW's 1 - learning_rate * weight_decay.
template <typename T>
TINYTC_INLINE void adam_step(const AdamSettings<T>& settings, T learning_rate, T* corrections, T* step) {
  corrections[0] = mul_add(settings.one_minus_beta1, settings.beta1, corrections[0]);
  corrections[1] = mul_add(settings.one_minus_beta2, settings.beta2, corrections[1]);
  step[0] = learning_rate / corrections[0];
  step[1] = static_cast<T>(1) / math_sqrt(corrections[1]);
  step[2] = mul_add(static_cast<T>(1), -learning_rate, settings.weight_decay);
}

/// The part that Adam and AdamW share: moves w[index] along the moments of `gradient`, starting from
/// `weight`.
template <typename T>
TINYTC_INLINE void adam_update(const AdamSettings<T>& settings, const T* step, T weight, T gradient, T* w,
                               T* m, T* v) {
  const T first = mul_add(*m, settings.one_minus_beta1, gradient - *m);
  const T second =
      mul_add(rounded(settings.beta2 * *v), rounded(settings.one_minus_beta2 * gradient), gradient);
  *m = first;
  *v = second;
  const T divisor = mul_add(settings.epsilon, math_sqrt(second), step[1]);
  *w = mul_add(weight, -step[0], first / divisor);
}

/// torch.optim.Adam; `step` from adam_step. weight_decay is added to the gradient.
template <typename T>
struct Adam {
  T* w;
  T* m;
  T* v;
  AdamSettings<T> settings;
  T step[3];
  TINYTC_INLINE void operator()(int index, T gradient) const {
    const T weight = w[index];
    const T decayed =
        settings.weight_decay == 0 ? gradient : mul_add(gradient, settings.weight_decay, weight);
    adam_update(settings, step, weight, decayed, w + index, m + index, v + index);
  }
};

/// torch.optim.AdamW; `step` from adam_step. Weights decay by themselves.
template <typename T>
struct AdamW {
  T* w;
  T* m;
  T* v;
  AdamSettings<T> settings;
  T step[3];
  TINYTC_INLINE void operator()(int index, T gradient) const {
    const T weight = w[index] * step[2];
    adam_update(settings, step, rounded(weight), gradient, w + index, m + index, v + index);
  }
};

/// The sinks above from the `step` that adam_step has written.
template <typename T>
TINYTC_INLINE Adam<T> adam_sink(const AdamSettings<T>& settings, const T* step, T* w, T* m, T* v) {
  return Adam<T>{w, m, v, settings, {step[0], step[1], step[2]}};
}
template <typename T>
TINYTC_INLINE AdamW<T> adamw_sink(const AdamSettings<T>& settings, const T* step, T* w, T* m, T* v) {
  return AdamW<T>{w, m, v, settings, {step[0], step[1], step[2]}};
}

/// Hands `count` gradients to a sink: an update from a buffer of gradients.
template <typename T, typename Sink>
TINYTC_INLINE void apply_sink(const ElementwiseShape& shape, Sink sink, const T* gradient) {
  for (int i = 0; i < shape.count; ++i) sink(i, gradient[i]);
}

/// The same with `scale * gradient`: the mean over several steps.
template <typename T, typename Sink>
TINYTC_INLINE void apply_scaled_sink(const ElementwiseShape& shape, Sink sink, const T* gradient, T scale) {
  for (int i = 0; i < shape.count; ++i) sink(i, rounded(scale * gradient[i]));
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_SINKS_H
