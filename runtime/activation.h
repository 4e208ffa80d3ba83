// The clamp that a multiplying kernel applies to its finished sums: ReLU, ReLU6, Clip, or nothing.
//
// With a constant Activation the tests fold away; a bound at infinity costs nothing either.
#ifndef TINYTC_RUNTIME_ACTIVATION_H
#define TINYTC_RUNTIME_ACTIVATION_H

#include "runtime/base.h"

namespace tinytc {

/// Clamp to [lo, hi]; `none` switches it off. An infinite bound is no bound. ReLU is {0, infinity, false}.
template <typename T>
struct Activation {
  T lo;
  T hi;
  bool none;
};

/// The activation that does nothing.
template <typename T>
TINYTC_INLINE constexpr Activation<T> no_activation() {
  return Activation<T>{T(0), T(0), true};
}

/// Clamps one value; NaN stays NaN (a comparison with NaN is false).
template <typename T>
TINYTC_INLINE T activate(const Activation<T>& a, T value) {
  // The largest float: whatever lies beyond it as a bound is infinite. Compared as a constant, so an infinite
  // bound folds away.
  const T largest = T(3.40282346638528859812e+38);
  if (a.none) {
    return value;
  }
  if (a.lo >= -largest) {
    value = value < a.lo ? a.lo : value;
  }
  if (a.hi <= largest) {
    value = a.hi < value ? a.hi : value;
  }
  return value;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_ACTIVATION_H
