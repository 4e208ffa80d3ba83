// Blocks in assembly with portable twins, as the kernels have them: in branches of an #if and in a header of its own.
#ifndef TINYTC_TEST_BLOCKS_H
#define TINYTC_TEST_BLOCKS_H

#include <cstdint>

#include "runtime/base.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#include "data/dsp/pair.h"
#else

namespace tinytc {

/// The portable twin of the SMLAD block.
TINYTC_INLINE std::int32_t pair(std::int32_t sum, std::int32_t a, std::int32_t b) {
  const std::int32_t low = static_cast<std::int16_t>(a) * static_cast<std::int16_t>(b);
  return sum + low + (a >> 16) * (b >> 16);
}

}  // namespace tinytc
#endif

namespace tinytc {

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
TINYTC_INLINE int only_dsp(int x) { return static_cast<int>(pair(x, 0, 0)) - x; }
#elif defined(__arm__)
// Only on cores without the extension.
TINYTC_INLINE int only_arm(int) { return 0; }
#elif defined(NASTY_UNKNOWN)
#error "no block for this core"
#else
TINYTC_INLINE int only_elsewhere(int) { return 0; }
#endif

#if defined(NASTY_NEVER)
TINYTC_INLINE int not_reached_arm(int x) { return x; }
#endif

}  // namespace tinytc

#endif  // TINYTC_TEST_BLOCKS_H
