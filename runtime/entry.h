// What the emitted entry points do around the kernels: take arguments in, refuse bad ones, hand results out.
#ifndef TINYTC_RUNTIME_ENTRY_H
#define TINYTC_RUNTIME_ENTRY_H

#include "runtime/base.h"

namespace tinytc {

/// Whether x is neither infinite nor NaN. Works on the bits: no compiler flag changes it.
TINYTC_INLINE bool is_finite(float x) {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7F800000U) != 0x7F800000U;
}
TINYTC_INLINE bool is_finite(double x) {
  std::uint64_t bits = 0;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7FF0000000000000ULL) != 0x7FF0000000000000ULL;
}

/// Whether all `count` elements are finite; integers always are.
template <typename T>
TINYTC_NOINLINE bool all_finite(const T* x, int count) {
  bool finite = true;
  for (int i = 0; i < count; ++i) finite = finite && is_finite(x[i]);
  return finite;
}

/// Whether each of `count` class indices lies in [0, classes) or equals `ignored`.
TINYTC_INLINE bool labels_in_range(const std::int32_t* labels, int count, int classes, int ignored) {
  bool valid = true;
  for (int i = 0; i < count; ++i)
    valid = valid && ((labels[i] >= 0 && labels[i] < classes) || labels[i] == ignored);
  return valid;
}

/// Copies `bytes` bytes between regions that may overlap or be the same.
TINYTC_INLINE void copy_bytes(void* to, const void* from, int bytes) {
  if (to != from) __builtin_memmove(to, from, static_cast<std::size_t>(bytes));
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_ENTRY_H
