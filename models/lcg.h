// The random order that Python and firmware share (Python twin: lcg.py; a test compares them).
#ifndef TINYTC_MODELS_LCG_H_
#define TINYTC_MODELS_LCG_H_

#include <cstdint>

namespace example {

// The linear congruential generator of Numerical Recipes; below() uses its upper 16 bits.
class Random {
 public:
  // Knuth's multiplier sets neighbouring seeds apart.
  explicit Random(std::uint32_t seed) : state_((seed + 1u) * 2654435761u) {}

  // A number in [0, count), count <= 65536.
  int below(int count) {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<int>((state_ >> 16) % static_cast<std::uint32_t>(count));
  }

  // Fisher and Yates, from the end.
  void shuffle(int* items, int count) {
    for (int last = count - 1; last > 0; --last) {
      const int other = below(last + 1);
      const int kept = items[last];
      items[last] = items[other];
      items[other] = kept;
    }
  }

 private:
  std::uint32_t state_;
};

}  // namespace example

#endif  // TINYTC_MODELS_LCG_H_
