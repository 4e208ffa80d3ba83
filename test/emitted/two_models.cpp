// Two models in one firmware. With ONE_UNIT also both emitted sources stand in this one translation unit.
#include <cstdio>

#ifdef ONE_UNIT
#include "first.cpp"
#include "second.cpp"
#else
#include "first.h"
#include "second.h"
#endif

namespace {
first::Model a;
second::Model b, c;
float x[first::Info::input_elements > second::Info::input_elements ? first::Info::input_elements : second::Info::input_elements];

template <typename M>
float learn(M& model, std::size_t inputs) {
  for (std::size_t i = 0; i < inputs; ++i) x[i] = static_cast<float>(i % 7) / 7.0F;
  return model.train_step(x, 1, 0.05F);
}
}  // namespace

int main() {
  a.init();
  b.init();
  c.init();
  // Training one must not touch the other: the steps are interleaved, and `c` repeats what `b` did.
  float last_b = 0.0F, last_c = 0.0F;
  for (int i = 0; i < 3; ++i) {
    std::printf("%a\n", static_cast<double>(learn(a, first::Info::input_elements)));
    last_b = learn(b, second::Info::input_elements);
    std::printf("%a\n", static_cast<double>(last_b));
  }
  for (int i = 0; i < 3; ++i) last_c = learn(c, second::Info::input_elements);
  return last_b == last_c ? 0 : 1;
}
