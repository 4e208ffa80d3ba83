// What the programs of this folder share: calls a model's training functions whatever its labels are, and makes repeatable inputs.
//
// MODEL is the namespace of the emitted model (-DMODEL=net), MODEL_HEADER its header (-DMODEL_HEADER='"net.h"').
#ifndef TINYTC_TEST_EMITTED_DRIVER_H
#define TINYTC_TEST_EMITTED_DRIVER_H

#include <cstddef>
#include <cstdint>

#include MODEL_HEADER

namespace driver {

namespace net = MODEL;

constexpr std::size_t max_labels = 64;
constexpr std::size_t max_targets = 1024;

/// Numbers in [-2, 2) from a linear congruential generator, the same on every machine.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) : state_(seed) {}
  std::uint32_t bits() {
    state_ = state_ * 1664525U + 1013904223U;
    return state_ >> 8;
  }
  float real() { return static_cast<float>(bits() & 0xFFFFU) / 16384.0F - 2.0F; }
  void fill(float* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to[i] = real();
  }

 private:
  std::uint32_t state_;
};

/// What a model may be taught in a step: one class, several classes, or numbers of the output's shape.
struct Target {
  std::int32_t classes[max_labels];
  float numbers[max_targets];

  explicit Target(std::uint32_t seed) {
    Numbers source(seed);
    for (std::size_t i = 0; i < max_labels; ++i) classes[i] = static_cast<std::int32_t>(source.bits() % 3U);
    source.fill(numbers, max_targets);
    for (std::size_t i = 0; i < max_targets; ++i) numbers[i] = numbers[i] > 0.0F ? 1.0F : 0.0F;
  }
};

using M = net::Model;
inline float call(M& m, float (M::*f)(const float*, std::int32_t, float) noexcept, const float* x, const Target& t, float rate) {
  return (m.*f)(x, t.classes[0], rate);
}
inline float call(M& m, float (M::*f)(const float*, const std::int32_t*, float) noexcept, const float* x, const Target& t, float rate) {
  return (m.*f)(x, t.classes, rate);
}
inline float call(M& m, float (M::*f)(const float*, const float*, float) noexcept, const float* x, const Target& t, float rate) {
  return (m.*f)(x, t.numbers, rate);
}
inline float call(M& m, float (M::*f)(const float*, std::int32_t) noexcept, const float* x, const Target& t) {
  return (m.*f)(x, t.classes[0]);
}
inline float call(M& m, float (M::*f)(const float*, const std::int32_t*) noexcept, const float* x, const Target& t) {
  return (m.*f)(x, t.classes);
}
inline float call(M& m, float (M::*f)(const float*, const float*) noexcept, const float* x, const Target& t) {
  return (m.*f)(x, t.numbers);
}

inline float train_step(M& m, const float* x, const Target& t, float rate) { return call(m, &M::train_step, x, t, rate); }
inline float evaluate(M& m, const float* x, const Target& t) { return call(m, &M::evaluate, x, t); }

}  // namespace driver

#endif  // TINYTC_TEST_EMITTED_DRIVER_H
