// The assembly variant of pair().
#ifndef TINYTC_TEST_DSP_PAIR_H
#define TINYTC_TEST_DSP_PAIR_H

#include <cstdint>

namespace tinytc {

/// Two products in one instruction.
TINYTC_INLINE std::int32_t pair(std::int32_t sum, std::int32_t a, std::int32_t b) {
  std::int32_t result;
  asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

}  // namespace tinytc

#endif  // TINYTC_TEST_DSP_PAIR_H
