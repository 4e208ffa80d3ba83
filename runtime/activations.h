// The unary functors of `unary` and `unary_grad` (runtime/elementwise.h).
//
// `forward(x)` is ONNX's definition. `gradient(x, y)` is the derivative at x, where y = forward(x); it uses y
// rather than x where it can, because y is often kept anyway. At a kink it is what PyTorch's autograd gives.
// Attributes are fields of type T.
#ifndef TINYTC_RUNTIME_ACTIVATIONS_H
#define TINYTC_RUNTIME_ACTIVATIONS_H

#include <cstdint>

#include "runtime/elementwise.h"
#include "runtime/integers.h"
#include "runtime/math.h"

namespace tinytc {

/// max(x, 0); NaN stays NaN.
template <typename T>
struct Relu {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return x < 0 ? static_cast<T>(0) : x; }
  TINYTC_INLINE T gradient(T, T y) const { return y > 0 ? static_cast<T>(1) : static_cast<T>(0); }
};

/// x above 0, alpha x below; alpha >= 0 (LeakyReluAnySlope takes the others).
template <typename T>
struct LeakyRelu {
  static constexpr bool needs_x = false, needs_y = true;
  T alpha;
  TINYTC_INLINE T forward(T x) const { return x < 0 ? alpha * x : x; }
  TINYTC_INLINE T gradient(T, T y) const { return y > 0 ? static_cast<T>(1) : alpha; }
};

/// LeakyRelu whose alpha may be negative, so that y does not tell the sign of x.
template <typename T>
struct LeakyReluAnySlope {
  static constexpr bool needs_x = true, needs_y = false;
  T alpha;
  TINYTC_INLINE T forward(T x) const { return x < 0 ? alpha * x : x; }
  TINYTC_INLINE T gradient(T x, T) const { return x > 0 ? static_cast<T>(1) : alpha; }
};

/// x above 0, alpha (e^x - 1) below; alpha >= 0.
template <typename T>
struct Elu {
  static constexpr bool needs_x = false, needs_y = true;
  T alpha;
  TINYTC_INLINE T forward(T x) const { return x < 0 ? alpha * math_expm1(x) : x; }
  TINYTC_INLINE T gradient(T, T y) const { return y > 0 ? static_cast<T>(1) : y + alpha; }
};

/// gamma x above 0, gamma alpha (e^x - 1) below; gamma > 0, alpha >= 0.
template <typename T>
struct Selu {
  static constexpr bool needs_x = false, needs_y = true;
  T alpha;
  T gamma;
  TINYTC_INLINE T forward(T x) const { return x < 0 ? gamma * (alpha * math_expm1(x)) : gamma * x; }
  TINYTC_INLINE T gradient(T, T y) const { return y > 0 ? gamma : mul_add(y, gamma, alpha); }
};

/// x above 0, alpha (e^(x / alpha) - 1) below; alpha > 0.
template <typename T>
struct Celu {
  static constexpr bool needs_x = false, needs_y = true;
  T alpha;
  TINYTC_INLINE T forward(T x) const { return x < 0 ? alpha * math_expm1(x / alpha) : x; }
  TINYTC_INLINE T gradient(T, T y) const { return y > 0 ? static_cast<T>(1) : y / alpha + static_cast<T>(1); }
};

/// 1 / (1 + e^-x).
template <typename T>
struct Sigmoid {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return math_sigmoid(x); }
  TINYTC_INLINE T gradient(T, T y) const { return y * (static_cast<T>(1) - y); }
};

/// The hyperbolic tangent.
template <typename T>
struct Tanh {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return math_tanh(x); }
  TINYTC_INLINE T gradient(T, T y) const { return (static_cast<T>(1) - y) * (static_cast<T>(1) + y); }
};

/// alpha x + beta, cut off at 0 and 1.
template <typename T>
struct HardSigmoid {
  static constexpr bool needs_x = false, needs_y = true;
  T alpha;
  T beta;
  TINYTC_INLINE T forward(T x) const {
    const T line = mul_add(beta, alpha, x);
    return line < 0 ? static_cast<T>(0) : (line > static_cast<T>(1) ? static_cast<T>(1) : line);
  }
  TINYTC_INLINE T gradient(T, T y) const {
    return y > 0 && y < static_cast<T>(1) ? alpha : static_cast<T>(0);
  }
};

/// x times (x / 6 + 1 / 2) cut off at 0 and 1.
template <typename T>
struct HardSwish {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const {
    const T gate = (x + static_cast<T>(3)) / static_cast<T>(6);
    return gate < 0 ? static_cast<T>(0) : (gate > static_cast<T>(1) ? x : x * gate);
  }
  TINYTC_INLINE T gradient(T x, T) const {
    if (x <= static_cast<T>(-3)) return static_cast<T>(0);
    return x < static_cast<T>(3) ? x / static_cast<T>(3) + static_cast<T>(0.5) : static_cast<T>(1);
  }
};

/// log(1 + e^x).
template <typename T>
struct Softplus {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return math_softplus(x); }
  TINYTC_INLINE T gradient(T, T y) const { return -math_expm1(-y); }
};

/// x / (1 + |x|).
template <typename T>
struct Softsign {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return x / (static_cast<T>(1) + math_abs(x)); }
  TINYTC_INLINE T gradient(T, T y) const {
    const T rest = static_cast<T>(1) - math_abs(y);
    return rest * rest;
  }
};

/// x times the normal distribution function, x / 2 (1 + erf(x / sqrt(2))).
template <typename T>
struct Gelu {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const {
    const T half = static_cast<T>(0.5) * x;
    return mul_add(half, half, math_erf(x * static_cast<T>(0.70710678118654752)));
  }
  TINYTC_INLINE T gradient(T x, T) const {
    const T cumulative =
        mul_add(static_cast<T>(0.5), static_cast<T>(0.5), math_erf(x * static_cast<T>(0.70710678118654752)));
    const T density = static_cast<T>(0.39894228040143268) * math_exp(static_cast<T>(-0.5) * x * x);
    return mul_add(cumulative, x, density);
  }
};

/// The tanh form: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
template <typename T>
struct GeluTanh {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const {
    const T cubic = mul_add(x, x * x * x, static_cast<T>(0.044715));
    const T half = static_cast<T>(0.5) * x;
    return mul_add(half, half, math_tanh(static_cast<T>(0.79788456080286536) * cubic));
  }
  TINYTC_INLINE T gradient(T x, T) const {
    const T scale = static_cast<T>(0.79788456080286536);
    const T cubic = mul_add(x, x * x * x, static_cast<T>(0.044715));
    const T t = math_tanh(scale * cubic);
    const T inner = scale * mul_add(static_cast<T>(1), static_cast<T>(0.134145) * x, x);
    const T half = static_cast<T>(0.5);
    return mul_add(mul_add(half, half, t), half * x * (static_cast<T>(1) - t) * (static_cast<T>(1) + t),
                   inner);
  }
};

/// x times sigmoid(alpha x); alpha = 1 is SiLU.
template <typename T>
struct Swish {
  static constexpr bool needs_x = true, needs_y = false;
  T alpha;
  TINYTC_INLINE T forward(T x) const { return x * math_sigmoid(alpha * x); }
  TINYTC_INLINE T gradient(T x, T) const {
    const T s = math_sigmoid(alpha * x);
    return mul_add(s, alpha * x * s, static_cast<T>(1) - s);
  }
};

/// x tanh(softplus(x)).
template <typename T>
struct Mish {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return x * math_tanh(math_softplus(x)); }
  TINYTC_INLINE T gradient(T x, T) const {
    const T t = math_tanh(math_softplus(x));
    return mul_add(t, x * math_sigmoid(x), (static_cast<T>(1) - t) * (static_cast<T>(1) + t));
  }
};

/// x cut off at `low` and `high`. The gradient at both is 0, as for PyTorch's ReLU6 and hardtanh (its clamp
/// gives 1).
template <typename T>
struct Clip {
  static constexpr bool needs_x = false, needs_y = true;
  T low;
  T high;
  TINYTC_INLINE T forward(T x) const {
    const T raised = x < low ? low : x;
    return high < raised ? high : raised;
  }
  TINYTC_INLINE T gradient(T, T y) const {
    return y > low && y < high ? static_cast<T>(1) : static_cast<T>(0);
  }
};

/// x above alpha, else 0.
template <typename T>
struct ThresholdedRelu {
  static constexpr bool needs_x = true, needs_y = false;
  T alpha;
  TINYTC_INLINE T forward(T x) const { return x > alpha ? x : static_cast<T>(0); }
  TINYTC_INLINE T gradient(T x, T) const { return x > alpha ? static_cast<T>(1) : static_cast<T>(0); }
};

/// The square root, correctly rounded.
template <typename T>
struct Sqrt {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return math_sqrt(x); }
  TINYTC_INLINE T gradient(T, T y) const { return static_cast<T>(0.5) / y; }
};

/// e^x.
template <typename T>
struct Exp {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return math_exp(x); }
  TINYTC_INLINE T gradient(T, T y) const { return y; }
};

/// The natural logarithm.
template <typename T>
struct Log {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return math_log(x); }
  TINYTC_INLINE T gradient(T x, T) const { return static_cast<T>(1) / x; }
};

/// sin x.
template <typename T>
struct Sin {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return math_sin(x); }
  TINYTC_INLINE T gradient(T x, T) const { return math_cos(x); }
};

/// cos x.
template <typename T>
struct Cos {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return math_cos(x); }
  TINYTC_INLINE T gradient(T x, T) const { return -math_sin(x); }
};

/// The error function.
template <typename T>
struct Erf {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return math_erf(x); }
  TINYTC_INLINE T gradient(T x, T) const { return static_cast<T>(1.1283791670955126) * math_exp(-(x * x)); }
};

/// 1 / x.
template <typename T>
struct Reciprocal {
  static constexpr bool needs_x = false, needs_y = true;
  TINYTC_INLINE T forward(T x) const { return static_cast<T>(1) / x; }
  TINYTC_INLINE T gradient(T, T y) const { return -(y * y); }
};

/// |x|; also for integers, whose smallest value stays.
template <typename T>
struct Abs {
  static constexpr bool needs_x = true, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return x < 0 ? negated(x) : (x == 0 ? static_cast<T>(0) : x); }
  TINYTC_INLINE T gradient(T x, T) const { return static_cast<T>(x > 0 ? 1 : (x < 0 ? -1 : 0)); }
};

/// -x.
template <typename T>
struct Neg {
  static constexpr bool needs_x = false, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return negated(x); }
  TINYTC_INLINE T gradient(T, T) const { return static_cast<T>(-1); }
};

/// -1, 0 or 1.
template <typename T>
struct Sign {
  static constexpr bool needs_x = false, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return static_cast<T>(x > 0 ? 1 : (x < 0 ? -1 : 0)); }
  TINYTC_INLINE T gradient(T, T) const { return static_cast<T>(0); }
};

/// The largest whole number not above x.
template <typename T>
struct Floor {
  static constexpr bool needs_x = false, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return math_floor(x); }
  TINYTC_INLINE T gradient(T, T) const { return static_cast<T>(0); }
};

/// The smallest whole number not below x.
template <typename T>
struct Ceil {
  static constexpr bool needs_x = false, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return math_ceil(x); }
  TINYTC_INLINE T gradient(T, T) const { return static_cast<T>(0); }
};

/// The nearest whole number, ties to even.
template <typename T>
struct Round {
  static constexpr bool needs_x = false, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return math_round(x); }
  TINYTC_INLINE T gradient(T, T) const { return static_cast<T>(0); }
};

/// x itself: a copy.
template <typename T>
struct Identity {
  static constexpr bool needs_x = false, needs_y = false;
  TINYTC_INLINE T forward(T x) const { return x; }
  TINYTC_INLINE T gradient(T, T) const { return static_cast<T>(1); }
};

/// Logical not of 0 and 1 (T is std::uint8_t); no gradient.
template <typename T>
struct Not {
  TINYTC_INLINE T forward(T x) const { return static_cast<T>(x == 0 ? 1 : 0); }
};

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_ACTIVATIONS_H
