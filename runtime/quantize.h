// Unsigned storage seen as signed storage and back.
#ifndef TINYTC_RUNTIME_QUANTIZE_H
#define TINYTC_RUNTIME_QUANTIZE_H

#include <cstdint>

#include "runtime/base.h"
#include "runtime/elementwise.h"

namespace tinytc {

/// y = x with the highest bit turned over: x - 128 from unsigned to signed, x + 128 back, so that the zero
/// point moves by as much. `count` bytes; in place is fine.
template <typename From, typename To>
TINYTC_INLINE void flip_sign(const ElementwiseShape& shape, const From* x, To* y) {
  for (int i = 0; i < shape.count; ++i) y[i] = static_cast<To>(static_cast<std::uint8_t>(x[i]) ^ 128U);
}
constexpr int flip_sign_lead_x(const ElementwiseShape&) { return 0; }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_QUANTIZE_H
