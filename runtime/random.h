// Random numbers without state: each is a function of a seed and a counter, so that a mask can be made again
// in the backward pass instead of being kept, and host and device draw the same.
#ifndef TINYTC_RUNTIME_RANDOM_H
#define TINYTC_RUNTIME_RANDOM_H

#include <cstdint>

#include "runtime/elementwise.h"
#include "runtime/math.h"

namespace tinytc {

/// 32 bits that look random: two rounds of multiply and xorshift (constants: C. Wellons' search for low-bias
/// integer hashes, 2018), keyed with the seed in between.
TINYTC_INLINE std::uint32_t scrambled(std::uint32_t x) {
  x ^= x >> 16;
  x = static_cast<std::uint32_t>(x * std::uint32_t{0x7FEB352Du});
  x ^= x >> 15;
  x = static_cast<std::uint32_t>(x * std::uint32_t{0x846CA68Bu});
  return x ^ (x >> 16);
}
TINYTC_INLINE std::uint32_t random_bits(std::uint32_t seed, std::uint32_t counter) {
  return scrambled(
      static_cast<std::uint32_t>(scrambled(counter ^ std::uint32_t{0x9E3779B9u}) + scrambled(seed)));
}

/// A multiple of 2^-24 in [0, 1), each as likely.
template <typename T>
TINYTC_INLINE T random_uniform(std::uint32_t seed, std::uint32_t counter) {
  return static_cast<T>(static_cast<std::int32_t>(random_bits(seed, counter) >> 8)) * power_of_two(T(), -24);
}

/// A standard normal number (Box and Muller, 1958); uses the counters 2 n and 2 n + 1.
template <typename T>
TINYTC_INLINE T random_normal(std::uint32_t seed, std::uint32_t n) {
  const T radius =
      math_sqrt(static_cast<T>(-2) * math_log(static_cast<T>(1) - random_uniform<T>(seed, 2 * n)));
  return radius * math_cos(static_cast<T>(6.283185307179586) * random_uniform<T>(seed, 2 * n + 1));
}

/// y = uniform in [low, high): initial weights. Not inline: many tensors are filled in one function, and speed does not matter.
template <typename T>
TINYTC_NOINLINE void fill_uniform(const ElementwiseShape& shape, std::uint32_t seed, T low, T high, T* y) {
  for (int i = 0; i < shape.count; ++i) {
    y[i] = mul_add(low, high - low, random_uniform<T>(seed, static_cast<std::uint32_t>(i)));
  }
}

/// y = normal with this mean and standard deviation: initial weights.
template <typename T>
TINYTC_INLINE void fill_normal(const ElementwiseShape& shape, std::uint32_t seed, T mean, T deviation, T* y) {
  for (int i = 0; i < shape.count; ++i) {
    y[i] = mul_add(mean, deviation, random_normal<T>(seed, static_cast<std::uint32_t>(i)));
  }
}

/// y = x / (1 - ratio) with probability 1 - ratio, else 0; ONNX Dropout for training. The gradient is the
/// same call on dy with the same seed. ratio in [0, 1).
template <typename T>
TINYTC_INLINE void dropout(const ElementwiseShape& shape, T ratio, std::uint32_t seed, const T* x, T* y) {
  const T scale = static_cast<T>(1) / (static_cast<T>(1) - ratio);
  for (int i = 0; i < shape.count; ++i) {
    const bool kept = random_uniform<T>(seed, static_cast<std::uint32_t>(i)) >= ratio;
    y[i] = kept ? x[i] * scale : static_cast<T>(0);
  }
}
constexpr int dropout_lead_x(const ElementwiseShape&) { return 0; }

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_RANDOM_H
