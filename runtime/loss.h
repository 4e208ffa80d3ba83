// Losses and their gradients: cross-entropy and negative log likelihood over class indices; squared,
// absolute, Huber and binary cross-entropy between two tensors.
//
// `reduction`: 0 none (one loss a position), 1 mean, 2 sum (one loss). As in PyTorch and ONNX, the mean of a
// weighted cross-entropy is divided by the sum of the weights of the labels that are not ignored; without
// any, it is NaN. Definitions: docs of torch.nn.
#ifndef TINYTC_RUNTIME_LOSS_H
#define TINYTC_RUNTIME_LOSS_H

#include <cstdint>

#include "runtime/math.h"
#include "runtime/softmax.h"

namespace tinytc {

/// How the losses of positions become one.
struct LossReduction {
  int reduction;     // 0 none, 1 mean, 2 sum
  int ignore_index;  // positions with this label do not count; -1 and below never match a class
};
template <typename V>
constexpr void visit(const LossReduction& s, V&& v) {
  v("reduction", s.reduction);
  v("ignore_index", s.ignore_index);
}

/// Whether each of `count` labels is a class or `ignore_index`: to be asked before a training step changes
/// anything.
TINYTC_INLINE bool labels_valid(const ElementwiseShape& shape, int classes, int ignore_index,
                                const std::int32_t* label) {
  bool valid = true;
  for (int i = 0; i < shape.count; ++i) {
    valid = valid && ((label[i] >= 0 && label[i] < classes) || label[i] == ignore_index);
  }
  return valid;
}

/// Whether a label takes part. A label that is no class is left out, so that no memory outside the tensors is
/// ever touched.
TINYTC_INLINE bool label_counts(const LossReduction& how, int classes, std::int32_t label) {
  return label >= 0 && label < classes && label != how.ignore_index;
}

/// What the gradient of a position is multiplied by: 1, or 1 / (sum of the weights that count).
template <typename T>
TINYTC_INLINE T label_scale(const AxisShape& shape, const LossReduction& how, const std::int32_t* label,
                            const T* weight) {
  if (how.reduction != 1) return static_cast<T>(1);
  T total = 0;
  for (int p = 0; p < shape.outer * shape.inner; ++p) {
    if (!label_counts(how, shape.axis, label[p])) continue;
    total += weight == nullptr ? static_cast<T>(1) : weight[label[p]];
  }
  return static_cast<T>(1) / total;
}

/// Adds up (or stores, without reduction) the weighted negative log probabilities that
/// `log_probability(position of the label, outer, inner)` gives.
template <typename T, typename F>
TINYTC_INLINE void label_loss(const AxisShape& shape, const LossReduction& how, F log_probability,
                              const std::int32_t* label, const T* weight, T* loss) {
  T sum = 0;
  T total = 0;
  for (int p = 0; p < shape.outer * shape.inner; ++p) {
    const bool counts = label_counts(how, shape.axis, label[p]);
    const int chosen = counts ? static_cast<int>(label[p]) : 0;
    const T share = counts ? (weight == nullptr ? static_cast<T>(1) : weight[chosen]) : static_cast<T>(0);
    const T term =
        counts ? -(share * log_probability.at(p / shape.inner, chosen, p % shape.inner)) : static_cast<T>(0);
    if (how.reduction == 0) loss[p] = term;
    sum += rounded(term);
    total += share;
  }
  if (how.reduction != 0) loss[0] = how.reduction == 1 ? sum / total : sum;
}

/// The log probability at [outer][label][inner] of logits, computed when asked for.
template <typename T>
struct LogProbabilityOfLogits {
  AxisShape shape;
  const T* logits;
  TINYTC_INLINE T at(int outer, int label, int inner) const {
    const T* line = logits + outer * shape.axis * shape.inner + inner;
    T largest = line[0];
    for (int k = 1; k < shape.axis; ++k) largest = max_of(largest, line[k * shape.inner]);
    T sum = 0;
    for (int k = 0; k < shape.axis; ++k) sum += math_exp(line[k * shape.inner] - largest);
    return line[label * shape.inner] - largest - math_log(sum);
  }
};

/// The log probability at [outer][label][inner] of a tensor of log probabilities.
template <typename T>
struct StoredLogProbability {
  AxisShape shape;
  const T* log_probability;
  TINYTC_INLINE T at(int outer, int label, int inner) const {
    return log_probability[(outer * shape.axis + label) * shape.inner + inner];
  }
};

/// Softmax cross-entropy with class labels; ONNX SoftmaxCrossEntropyLoss. logits: [outer][axis =
/// classes][inner]; label: [outer][inner]; weight: [classes] or null; loss: [outer][inner] or 1 element.
template <typename T>
TINYTC_INLINE void softmax_cross_entropy(const AxisShape& shape, const LossReduction& how, const T* logits,
                                         const std::int32_t* label, const T* weight, T* loss) {
  label_loss(shape, how, LogProbabilityOfLogits<T>{shape, logits}, label, weight, loss);
}

/// dlogits = dloss * weight * (softmax(logits) - one_hot(label)), divided as the mean is. dloss: as loss;
/// dlogits as logits, may lie on them. scratch: softmax_cross_entropy_grad_scratch elements, null if 0.
template <typename T>
TINYTC_INLINE void softmax_cross_entropy_grad(const AxisShape& shape, const LossReduction& how,
                                              const T* logits, const std::int32_t* label, const T* weight,
                                              const T* dloss, T* dlogits, T* scratch) {
  softmax(shape, logits, dlogits, scratch);
  const T scale = label_scale(shape, how, label, weight);
  for (int p = 0; p < shape.outer * shape.inner; ++p) {
    const bool counts = label_counts(how, shape.axis, label[p]);
    const int chosen = counts ? static_cast<int>(label[p]) : 0;
    const T share = weight == nullptr ? scale : weight[chosen] * scale;
    const T factor = counts ? share * dloss[how.reduction == 0 ? p : 0] : static_cast<T>(0);
    T* line = dlogits + (p / shape.inner) * shape.axis * shape.inner + p % shape.inner;
    for (int k = 0; k < shape.axis; ++k) {
      const T difference = line[k * shape.inner] - (k == chosen ? static_cast<T>(1) : static_cast<T>(0));
      line[k * shape.inner] = counts ? difference * factor : static_cast<T>(0);
    }
  }
}
constexpr int softmax_cross_entropy_grad_scratch(const AxisShape& s) { return softmax_scratch(s); }
constexpr int softmax_cross_entropy_grad_lead_logits(const AxisShape&) { return 0; }

/// Negative log likelihood; ONNX NegativeLogLikelihoodLoss. Arguments as softmax_cross_entropy, with log
/// probabilities for logits.
template <typename T>
TINYTC_INLINE void negative_log_likelihood(const AxisShape& shape, const LossReduction& how,
                                           const T* log_probability, const std::int32_t* label,
                                           const T* weight, T* loss) {
  label_loss(shape, how, StoredLogProbability<T>{shape, log_probability}, label, weight, loss);
}

/// dx = -dloss * weight at the label, 0 elsewhere. dx: [outer][classes][inner].
template <typename T>
TINYTC_INLINE void negative_log_likelihood_grad(const AxisShape& shape, const LossReduction& how,
                                                const std::int32_t* label, const T* weight, const T* dloss,
                                                T* dx) {
  const T scale = label_scale(shape, how, label, weight);
  for (int p = 0; p < shape.outer * shape.inner; ++p) {
    const bool counts = label_counts(how, shape.axis, label[p]);
    const int chosen = counts ? static_cast<int>(label[p]) : 0;
    const T share = weight == nullptr ? scale : weight[chosen] * scale;
    T* line = dx + (p / shape.inner) * shape.axis * shape.inner + p % shape.inner;
    for (int k = 0; k < shape.axis; ++k) {
      const bool hit = counts && k == chosen;
      line[k * shape.inner] = hit ? -(share * dloss[how.reduction == 0 ? p : 0]) : static_cast<T>(0);
    }
  }
}

/// Losses between a prediction x and a target t of the same shape: `value(x, t)` and the derivative by x,
/// `gradient(x, t)`.
template <typename T>
struct SquaredError {
  TINYTC_INLINE T value(T x, T t) const { return (x - t) * (x - t); }
  TINYTC_INLINE T gradient(T x, T t) const { return static_cast<T>(2) * (x - t); }
};
template <typename T>
struct AbsoluteError {
  TINYTC_INLINE T value(T x, T t) const { return math_abs(x - t); }
  TINYTC_INLINE T gradient(T x, T t) const { return static_cast<T>(x > t ? 1 : (x < t ? -1 : 0)); }
};
/// Quadratic up to `delta`, linear beyond (torch.nn.HuberLoss).
template <typename T>
struct Huber {
  T delta;
  TINYTC_INLINE T value(T x, T t) const {
    const T distance = math_abs(x - t);
    const T half = static_cast<T>(0.5);
    return distance < delta ? half * distance * distance : delta * (distance - rounded(half * delta));
  }
  TINYTC_INLINE T gradient(T x, T t) const {
    const T difference = x - t;
    return difference > delta ? delta : (difference < -delta ? -delta : difference);
  }
};
/// x is a probability; its logarithms are cut off at -100 (torch.nn.BCELoss).
template <typename T>
struct BinaryCrossEntropy {
  TINYTC_INLINE T value(T x, T t) const {
    const T limit = static_cast<T>(-100);
    const T one = static_cast<T>(1);
    return mul_add(-rounded(t * max_of(math_log(x), limit)), t - one, max_of(math_log1p(-x), limit));
  }
  TINYTC_INLINE T gradient(T x, T t) const {
    return (x - t) / max_of((static_cast<T>(1) - x) * x, static_cast<T>(1e-12));
  }
};
/// x is a logit (torch.nn.BCEWithLogitsLoss).
template <typename T>
struct BinaryCrossEntropyWithLogits {
  TINYTC_INLINE T value(T x, T t) const { return mul_add(math_softplus(-x), static_cast<T>(1) - t, x); }
  TINYTC_INLINE T gradient(T x, T t) const { return math_sigmoid(x) - t; }
};

/// loss of x against target, `count` elements each; loss: `count` elements or 1.
template <typename T, typename F>
TINYTC_INLINE void pointwise_loss(const ElementwiseShape& shape, int reduction, F f, const T* x,
                                  const T* target, T* loss) {
  T sum = 0;
  for (int i = 0; i < shape.count; ++i) {
    const T value = rounded(f.value(x[i], target[i]));
    if (reduction == 0) loss[i] = value;
    sum += value;
  }
  if (reduction != 0) loss[0] = reduction == 1 ? sum / static_cast<T>(shape.count) : sum;
}

/// dx = dloss * f'(x, target), divided by `count` for the mean. dloss: as loss. (The gradient by a target is
/// the negative one for the first three losses.)
template <typename T, typename F>
TINYTC_INLINE void pointwise_loss_grad(const ElementwiseShape& shape, int reduction, F f, const T* x,
                                       const T* target, const T* dloss, T* dx) {
  const T scale =
      reduction == 0 ? static_cast<T>(1) : dloss[0] / static_cast<T>(reduction == 1 ? shape.count : 1);
  for (int i = 0; i < shape.count; ++i) {
    dx[i] = f.gradient(x[i], target[i]) * (reduction == 0 ? dloss[i] : scale);
  }
}
constexpr int pointwise_loss_grad_lead_x(const ElementwiseShape&) { return 0; }
constexpr int pointwise_loss_grad_lead_target(const ElementwiseShape&) { return 0; }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_LOSS_H
