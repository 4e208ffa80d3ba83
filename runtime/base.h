// What every kernel builds on: inlining macros, the product-sum primitive, and small helpers.
//
// How to read the runtime: a kernel is a function template `name<T>(shape, inputs..., outputs..., scratch)`;
// its shape is an aggregate of `int` fields with a `visit` function beside it that names them; its traits
// (scratch, overlap, multiply-accumulates) are constexpr functions of the shape in the same header. tinytc
// copies the declarations that a model needs from these headers, verbatim, into the source that it emits.
#ifndef TINYTC_RUNTIME_BASE_H
#define TINYTC_RUNTIME_BASE_H

#include <cstddef>
#include <cstdint>

// Kernels are inlined into one function a layer, where the constant shape folds their tests and unrolls their
// loops. (`unused`: some are called in one arm of an #if only.) GCC inlines from there, all at once: inlining
// each part into the next first, it would optimise what no layer calls, which takes a fifth of its time.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__NO_INLINE__)
#define TINYTC_INLINE inline __attribute__((unused))
#define TINYTC_NOINLINE __attribute__((noinline, flatten))
#else
#define TINYTC_INLINE inline __attribute__((always_inline, unused))
#define TINYTC_NOINLINE __attribute__((noinline))
#endif
// Of what kernels do in several places: one function where the code must be small.
#if defined(TINYTC_SMALL)
#define TINYTC_SHARED TINYTC_NOINLINE inline __attribute__((unused))
#else
#define TINYTC_SHARED TINYTC_INLINE
#endif

// Stands first in the body of a loop that does not count, and states the most often that it runs: the audit of
// the emitted source takes its word, so a test has to show it.
#define TINYTC_BOUNDED(n) bounded_loop<(n)>()

// The register class in which a product is kept; see mul_add.
#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 4)
#define TINYTC_FLOAT_REGISTER "t"
#elif defined(__x86_64__) || defined(__SSE2__)
#define TINYTC_FLOAT_REGISTER "x"
#else
#define TINYTC_FLOAT_REGISTER "r"
#endif

#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 8)
#define TINYTC_DOUBLE_REGISTER "w"
#elif defined(__x86_64__) || defined(__SSE2__)
#define TINYTC_DOUBLE_REGISTER "x"
#else
#define TINYTC_DOUBLE_REGISTER "r"
#endif

namespace tinytc {

template <int n>
TINYTC_INLINE void bounded_loop() {}

/// Rounds a product where it stands: no compiler may contract it with a following addition, so every compiler
/// and core gives the same bits. Costs no instruction.
TINYTC_INLINE float rounded(float product) {
  asm("" : "+" TINYTC_FLOAT_REGISTER(product));
  return product;
}
TINYTC_INLINE double rounded(double product) {
  asm("" : "+" TINYTC_DOUBLE_REGISTER(product));
  return product;
}

/// sum + a * b with two roundings. Every product that is added goes through here.
template <typename T>
TINYTC_INLINE T mul_add(T sum, T a, T b) {
  return sum + rounded(a * b);
}

template <typename T>
TINYTC_INLINE constexpr T min_of(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
TINYTC_INLINE constexpr T max_of(T a, T b) {
  return a < b ? b : a;
}

/// A typed view of the block of memory that a model owns; `offset` in bytes, a multiple of T's alignment.
template <typename T>
TINYTC_INLINE T* at(unsigned char* block, int offset) {
  return reinterpret_cast<T*>(block + offset);
}
template <typename T>
TINYTC_INLINE const T* at(const unsigned char* block, int offset) {
  return reinterpret_cast<const T*>(block + offset);
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_BASE_H
