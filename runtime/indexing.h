// Walking through arrays of up to 8 dimensions: an index that counts like an odometer, and the offset of an
// index.
//
// Kernels treat the last dimension in a loop of its own and step the others with these two functions.
#ifndef TINYTC_RUNTIME_INDEXING_H
#define TINYTC_RUNTIME_INDEXING_H

#include "runtime/base.h"

namespace tinytc {

/// Product of `dims[0, rank)`: elements.
TINYTC_INLINE constexpr int element_count(int rank, const int* dims) {
  int count = 1;
  for (int d = 0; d < rank; ++d) count *= dims[d];
  return count;
}

/// Elements between the array's start and the element at `index`.
TINYTC_INLINE int offset_of(int rank, const int* index, const int* strides) {
  int offset = 0;
  for (int d = 0; d < rank; ++d) offset += index[d] * strides[d];
  return offset;
}

/// Steps `index` to the next position in row-major order; after the last comes the first.
TINYTC_INLINE void next_index(int rank, const int* dims, int* index) {
  bool carry = true;
  for (int d = rank - 1; d >= 0; --d) {
    const int next = index[d] + (carry ? 1 : 0);
    carry = next == dims[d];
    index[d] = carry ? 0 : next;
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_INDEXING_H
