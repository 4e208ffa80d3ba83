// Corner cases of slicing. Whatever says "not reached" must stay out of a slice of the program in slice_test.cpp.
#ifndef TINYTC_TEST_NASTY_H
#define TINYTC_TEST_NASTY_H

#include <cstddef>
#include <cstdint>

#include "data/blocks.h"
#include "runtime/base.h"

// A banner that an empty line separates from what follows.

// The default of a constant that a build may override.
#ifndef NASTY_LIMIT
#define NASTY_LIMIT 7
#endif

#define NASTY_TWICE(x) (NASTY_ONCE(x) + NASTY_ONCE(x))
#define NASTY_ONCE(x) \
  (x)
#define NASTY_NOT_REACHED 1

#define NASTY_MAKE(name, value) \
  TINYTC_INLINE int name(int x) { return x + (value); }

namespace tinytc {

/// A declaration in advance; its definition follows below.
struct Later;

NASTY_MAKE(made_by_macro, 3)

/// Not reached.
NASTY_MAKE(not_reached_made_by_macro, 4)

/// An attribute stands in front of the declaration.
[[gnu::always_inline, nodiscard]] inline int with_attribute(int x) { return NASTY_TWICE(x); }

constexpr int first_of_two = 1, second_of_two = 2;  // both come

typedef struct {
  int a, b;
} OldStyle;  // a C typedef

enum class Colour : int { red, green };
enum { not_reached_constant = 9 };

inline namespace version_1 {
template <typename T>
TINYTC_INLINE T versioned(T x) {
  return x + T(1);
}
}  // namespace version_1

namespace detail {
TINYTC_INLINE int hidden(int x) { return x * 2; }
TINYTC_INLINE int not_reached_hidden(int x) { return x * 3; }
}  // namespace detail

namespace inner = detail;

using Index = int;  // an alias

/// Overloads: only the one that is picked comes.
TINYTC_INLINE float pick(float x) { return x; }
/// Overload not reached.
TINYTC_INLINE double pick(double x) { return x; }

/// The last two overloads are found by name only, because nothing instantiates the template that calls them.
TINYTC_INLINE int by_name(int x) { return x; }
TINYTC_INLINE float by_name(float x) { return x; }

/// Chosen by a specialisation.
template <typename T>
struct Chosen {
  static constexpr int value = 0;
};
template <>
struct Chosen<float> {
  static constexpr int value = 1;
};
template <typename T>
struct Chosen<T*> {
  static constexpr int value = 2;
};

template <bool Yes, typename T>
struct EnableIf {};
template <typename T>
struct EnableIf<true, T> {
  using type = T;
};

template <typename T>
TINYTC_INLINE typename EnableIf<Chosen<T>::value == 1, T>::type only_chosen(T x) {
  return pick(x);
}

/// Default arguments reach further constants.
constexpr int default_step = 4;
TINYTC_INLINE int stepped(int x, int step = default_step) { return x + step; }

struct Later {
  int x;
  /// An operator that is reached as an expression.
  Later operator+(const Later& other) const { return Later{x + other.x + detail::hidden(0)}; }
  bool operator==(const Later& other) const { return x == other.x; }
  int defined_below() const;
};

inline int Later::defined_below() const { return inner::hidden(x); }

TINYTC_INLINE bool operator<(const Later& a, const Later& b) { return a.x < b.x; }
TINYTC_INLINE bool operator>=(const Later& a, const Later& b) { return !(a < b); }

template <typename T>
struct Lazy {
  T value;
  /// Never instantiated, but its names have to be found.
  T unused() const { return by_name(value); }
};

// A type with C linkage (a function could not stand in two models).
extern "C" {
struct CStyle {
  int x;
};
}

TINYTC_INLINE int with_branches(int x) {
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
  return x + only_dsp(x);
#elif defined(__arm__)
  return x + only_arm(x);
#else
  return x + only_elsewhere(x);
#endif
}

template <typename T>
T not_reached_template(T x) {
  return x;
}

/// Sums x four ways.
template <typename T>
TINYTC_INLINE T nasty(const OldStyle& shape, const T* x, int n) {
  using inner::hidden;
  T sum = T(0);
  for (Index i = 0; i < n && i < NASTY_LIMIT; ++i) sum = mul_add(sum, x[i], only_chosen(x[i]));
  const Later later = Later{shape.a} + Later{shape.b};
  const int count = hidden(later.x) + stepped(later.defined_below()) + with_attribute(first_of_two + second_of_two) +
                    made_by_macro(static_cast<int>(Colour::green)) + with_branches(1) + CStyle{2}.x +
                    (later >= Later{0} ? 1 : 0);
  const Lazy<T> lazy{versioned(sum)};
  return lazy.value + T(count);
}

}  // namespace tinytc

#endif  // TINYTC_TEST_NASTY_H
