// The binary functors of `binary` and `binary_grad` (runtime/elementwise.h), for floats and integers; and
// Cast.
//
// Integer results wrap around as in numpy; an integer divided by 0 gives 0. No operation is undefined for any
// input. Gradients are for floats; at ties they are PyTorch's.
#ifndef TINYTC_RUNTIME_ARITHMETIC_H
#define TINYTC_RUNTIME_ARITHMETIC_H

#include <cstdint>

#include "runtime/elementwise.h"
#include "runtime/integers.h"
#include "runtime/math.h"

namespace tinytc {

/// a + b.
template <typename T>
struct Add {
  TINYTC_INLINE T forward(T a, T b) const { return wrapping_sum(a, b); }
  TINYTC_INLINE T gradient_a(T, T) const { return static_cast<T>(1); }
  TINYTC_INLINE T gradient_b(T, T) const { return static_cast<T>(1); }
};

/// a - b.
template <typename T>
struct Sub {
  TINYTC_INLINE T forward(T a, T b) const { return wrapping_difference(a, b); }
  TINYTC_INLINE T gradient_a(T, T) const { return static_cast<T>(1); }
  TINYTC_INLINE T gradient_b(T, T) const { return static_cast<T>(-1); }
};

/// a b.
template <typename T>
struct Mul {
  TINYTC_INLINE T forward(T a, T b) const { return wrapping_product(a, b); }
  TINYTC_INLINE T gradient_a(T, T b) const { return b; }
  TINYTC_INLINE T gradient_b(T a, T) const { return a; }
};

/// a / b; integers are truncated towards zero.
template <typename T>
struct Div {
  TINYTC_INLINE T forward(T a, T b) const { return quotient(a, b); }
  TINYTC_INLINE T gradient_a(T, T b) const { return static_cast<T>(1) / b; }
  TINYTC_INLINE T gradient_b(T a, T b) const { return -a / (b * b); }
};

/// The remainder of integers with the sign of b (ONNX Mod, fmod = 0).
template <typename T>
struct Mod {
  TINYTC_INLINE T forward(T a, T b) const { return floor_remainder(a, b); }
};

/// a^b of floats; the gradients are 0 where the exponent or the base is.
template <typename T>
struct Pow {
  TINYTC_INLINE T forward(T a, T b) const { return math_pow(a, b); }
  TINYTC_INLINE T gradient_a(T a, T b) const {
    return b == 0 ? static_cast<T>(0) : b * math_pow(a, b - static_cast<T>(1));
  }
  TINYTC_INLINE T gradient_b(T a, T b) const {
    return a == 0 && b >= 0 ? static_cast<T>(0) : math_pow(a, b) * math_log(a);
  }
};

/// a^b of integers.
template <typename T>
struct IntegerPow {
  TINYTC_INLINE T forward(T a, T b) const { return integer_power(a, b); }
};

/// The smaller; NaN if one is. The gradient of a tie is shared.
template <typename T>
struct Min {
  TINYTC_INLINE T forward(T a, T b) const { return a < b || a != a ? a : b; }
  TINYTC_INLINE T gradient_a(T a, T b) const {
    return a < b ? static_cast<T>(1) : (a == b ? static_cast<T>(0.5) : static_cast<T>(0));
  }
  TINYTC_INLINE T gradient_b(T a, T b) const {
    return b < a ? static_cast<T>(1) : (b == a ? static_cast<T>(0.5) : static_cast<T>(0));
  }
};

/// The larger; NaN if one is. The gradient of a tie is shared.
template <typename T>
struct Max {
  TINYTC_INLINE T forward(T a, T b) const { return a > b || a != a ? a : b; }
  TINYTC_INLINE T gradient_a(T a, T b) const {
    return a > b ? static_cast<T>(1) : (a == b ? static_cast<T>(0.5) : static_cast<T>(0));
  }
  TINYTC_INLINE T gradient_b(T a, T b) const {
    return b > a ? static_cast<T>(1) : (b == a ? static_cast<T>(0.5) : static_cast<T>(0));
  }
};

/// a above 0, b a below (ONNX PRelu; b is the slope).
template <typename T>
struct PRelu {
  TINYTC_INLINE T forward(T a, T b) const { return a < 0 ? static_cast<T>(b * a) : a; }
  TINYTC_INLINE T gradient_a(T a, T b) const { return a > 0 ? static_cast<T>(1) : b; }
  TINYTC_INLINE T gradient_b(T a, T) const { return a > 0 ? static_cast<T>(0) : a; }
};

/// 1 where a equals b, else 0.
template <typename T>
struct Equal {
  TINYTC_INLINE std::uint8_t forward(T a, T b) const { return a == b ? std::uint8_t{1} : std::uint8_t{0}; }
};

/// 1 where a is below b, else 0.
template <typename T>
struct Less {
  TINYTC_INLINE std::uint8_t forward(T a, T b) const { return a < b ? std::uint8_t{1} : std::uint8_t{0}; }
};

/// 1 where a is above b, else 0.
template <typename T>
struct Greater {
  TINYTC_INLINE std::uint8_t forward(T a, T b) const { return a > b ? std::uint8_t{1} : std::uint8_t{0}; }
};

/// 1 where a is at most b, else 0.
template <typename T>
struct LessOrEqual {
  TINYTC_INLINE std::uint8_t forward(T a, T b) const { return a <= b ? std::uint8_t{1} : std::uint8_t{0}; }
};

/// 1 where a is at least b, else 0.
template <typename T>
struct GreaterOrEqual {
  TINYTC_INLINE std::uint8_t forward(T a, T b) const { return a >= b ? std::uint8_t{1} : std::uint8_t{0}; }
};

/// And of 0 and 1; T is std::uint8_t.
template <typename T>
struct And {
  TINYTC_INLINE T forward(T a, T b) const { return static_cast<T>(a & b); }
};

/// Or of 0 and 1; T is std::uint8_t.
template <typename T>
struct Or {
  TINYTC_INLINE T forward(T a, T b) const { return static_cast<T>(a | b); }
};

/// Xor of 0 and 1; T is std::uint8_t.
template <typename T>
struct Xor {
  TINYTC_INLINE T forward(T a, T b) const { return static_cast<T>(a ^ b); }
};

/// y = x as another type; ONNX Cast. Floats to integers lose their fraction and are cut off at the type's
/// ends; NaN gives 0.
template <typename From, typename To>
TINYTC_INLINE void cast(const ElementwiseShape& shape, const From* x, To* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = converted<To>(x[i]);
}

/// y = 1 where x is not 0, else 0: Cast to bool.
template <typename From>
TINYTC_INLINE void cast_to_bool(const ElementwiseShape& shape, const From* x, std::uint8_t* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = x[i] != 0 ? std::uint8_t{1} : std::uint8_t{0};
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_ARITHMETIC_H
