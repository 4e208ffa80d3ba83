// Patches: the input elements of one or two output pixels, widened to int16, in the order in which packed
// weights stand; and the packing of weights.
//
// A patch is cut into runs of neighbouring elements: a kernel row where nothing lies between its taps, else a
// tap. Within a run every four elements (k0 .. k3) are the words (k0, k2) (k1, k3), as SXTB16 makes them; one
// to three left over are (k0, -), (k0, k1) or (k0, k1) (k2, -). Weights of unused lanes are 0. In a patch of
// convolutions whose runs leave over one element each, these stand two a word behind the last run.
//
// Weights of two output channels share a lane as 256 w1 + w0: the sum P of x times the lane and the sum y0 of
// x times its low byte give y1 = (P - y0) / 256, exact while |y1| < 2^23. One byte a weight, and a multiply
// costs what it costs with widened weights.
#ifndef TINYTC_RUNTIME_Q_PATCH_H
#define TINYTC_RUNTIME_Q_PATCH_H

#include "runtime/q_base.h"

namespace tinytc {

/// Words of a run of `elements`.
TINYTC_INLINE constexpr int q_run_words(int elements) { return (elements + 1) / 2; }

/// Lane in a run at which element k stands.
TINYTC_INLINE constexpr int q_run_lane(int elements, int k) {
  return k >= elements / 4 * 4 || k % 4 == 0 || k % 4 == 3 ? k : 3 - k % 4 + k / 4 * 4;
}

/// Lane behind the last fours of all runs at which the single element left over of run `run` of `runs`
/// stands.
TINYTC_INLINE constexpr int q_rest_lane(int runs, int run) {
  const int lane = runs - 1 - run;
  return runs % 2 == 1 && lane >= 3 ? lane + 1 : lane;
}

/// The word that holds weights (k, k') of channel 0 and of channel 1: lanes 256 w1 + w0.
constexpr std::uint32_t q_paired_word(int w0, int w0_next, int w1, int w1_next) {
  return q_lanes(256 * w1 + w0, 256 * w1_next + w0_next);
}

/// Whether weights may be paired: none is -128, and no sum of any input reaches 2^23 in size. `count`
/// channels of `taps` weights each, channel after channel; bias: as the kernel gets it.
constexpr bool q_pairable(int count, int taps, const std::int8_t* w, const std::int32_t* bias) {
  for (int c = 0; c < count; ++c) {
    std::int64_t least = bias[c];
    std::int64_t largest = bias[c];
    for (int k = 0; k < taps; ++k) {
      const int weight = w[c * taps + k];
      if (weight == -128) return false;
      least += weight > 0 ? -128 * weight : 127 * weight;
      largest += weight > 0 ? 127 * weight : -128 * weight;
    }
    if (least <= -(1 << 23) || largest >= 1 << 23) return false;
  }
  return true;
}

/// The one to three elements behind the last four of a run, into every `step`-th word. What stands in an
/// unused lane does not matter: its weights are 0.
TINYTC_INLINE void q_widen_rest(const std::int8_t* x, int rest, int step, std::uint32_t* words) {
  if (rest == 1) words[0] = static_cast<std::uint32_t>(x[0]);
  if (rest >= 2) words[0] = q_low_halves(static_cast<std::uint32_t>(x[0]), static_cast<std::uint32_t>(x[1]));
  if (rest == 3) words[step] = static_cast<std::uint32_t>(x[2]);
}

/// Widens a run into every `step`-th word.
TINYTC_SHARED void q_widen_run(const std::int8_t* x, int elements, int step, std::uint32_t* words) {
  for (int k = 0; k < elements / 8; ++k) {
    const std::uint32_t four = q_load(x);
    const std::uint32_t next = q_load(x + 4);
    words[0] = q_even_bytes(four);
    words[step] = q_odd_bytes(four);
    words[2 * step] = q_even_bytes(next);
    words[3 * step] = q_odd_bytes(next);
    x += 8;
    words += 4 * step;
  }
  if (elements / 4 % 2 != 0) {
    const std::uint32_t four = q_load(x);
    words[0] = q_even_bytes(four);
    words[step] = q_odd_bytes(four);
    x += 4;
    words += 2 * step;
  }
  q_widen_rest(x, elements % 4, step, words);
}

#if defined(TINYTC_DSP)
/// Widens `fours` groups of four elements of two runs side by side.
TINYTC_INLINE void q_widen_fours(const std::int8_t* x0, const std::int8_t* x1, int fours,
                                 std::uint32_t* words) {
  int pairs = fours / 2;
  std::uint32_t a, b, c, d, e, f;
  asm volatile(
      "cbz %[pairs], 2f\n"
      "1:\n"
      "ldr %[a], [%[x0]], #4\n"
      "ldr %[b], [%[x1]], #4\n"
      "ldr %[c], [%[x0]], #4\n"
      "ldr %[d], [%[x1]], #4\n"
      "sxtb16 %[e], %[a]\n"
      "sxtb16 %[f], %[b]\n"
      "sxtb16 %[a], %[a], ror #8\n"
      "sxtb16 %[b], %[b], ror #8\n"
      "str %[e], [%[words]], #32\n"
      "str %[f], [%[words], #-28]\n"
      "sxtb16 %[e], %[c]\n"
      "sxtb16 %[f], %[d]\n"
      "str %[a], [%[words], #-24]\n"
      "str %[b], [%[words], #-20]\n"
      "sxtb16 %[c], %[c], ror #8\n"
      "sxtb16 %[d], %[d], ror #8\n"
      "str %[e], [%[words], #-16]\n"
      "str %[f], [%[words], #-12]\n"
      "str %[c], [%[words], #-8]\n"
      "str %[d], [%[words], #-4]\n"
      "subs %[pairs], #1\n"
      "bne 1b\n"
      "2:\n"
      : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [x0] "+&r"(x0),
        [x1] "+&r"(x1), [words] "+&r"(words), [pairs] "+&l"(pairs)
      :
      : "cc", "memory");
  if (fours % 2 != 0) {
    const std::uint32_t last = q_load(x0);
    const std::uint32_t next = q_load(x1);
    words[0] = q_even_bytes(last);
    words[1] = q_even_bytes(next);
    words[2] = q_odd_bytes(last);
    words[3] = q_odd_bytes(next);
  }
}
#else
/// Widens `fours` groups of four elements of two runs side by side.
TINYTC_INLINE void q_widen_fours(const std::int8_t* x0, const std::int8_t* x1, int fours,
                                 std::uint32_t* words) {
  for (int k = 0; k < fours; ++k) {
    const std::uint32_t a = q_load(x0);
    const std::uint32_t b = q_load(x1);
    words[0] = q_even_bytes(a);
    words[1] = q_even_bytes(b);
    words[2] = q_odd_bytes(a);
    words[3] = q_odd_bytes(b);
    x0 += 4;
    x1 += 4;
    words += 4;
  }
}
#endif

/// Widens two runs side by side: words 0, 2, .. and 1, 3, ...
TINYTC_INLINE void q_widen_runs(const std::int8_t* x0, const std::int8_t* x1, int elements,
                                std::uint32_t* words) {
  if (elements < 16) {
    q_widen_run(x0, elements, 2, words);
    q_widen_run(x1, elements, 2, words + 1);
    return;
  }
  const int fours = elements / 4;
  q_widen_fours(x0, x1, fours, words);
  x0 += 4 * fours;
  x1 += 4 * fours;
  words += 4 * fours;
  q_widen_rest(x0, elements % 4, 2, words);
  q_widen_rest(x1, elements % 4, 2, words + 1);
}

/// A run of padding into every `step`-th word.
TINYTC_SHARED void q_fill_run(int value, int elements, int step, std::uint32_t* words) {
  const std::uint32_t word = q_lanes(value, value);
  for (int k = 0; k < q_run_words(elements); ++k) words[k * step] = word;
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_PATCH_H
