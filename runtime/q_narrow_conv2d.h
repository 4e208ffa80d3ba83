// 2-D int8 convolution with few output channels: the shapes, results and sums of q_conv2d.
//
// q_conv2d widens patches for the sake of many output channels and computes four of them at once. Where a
// group has one to three, four neighbouring pixels of a row (the last ones of a row: one by one) meet one
// channel at a time instead: four bytes of weights are widened once, and inputs are read where they are.
// Pixels near the border read a copy of their neighbourhood with the padding around it. Runs (q_patch.h) are
// at least four elements long; the elements behind a run's last four are read together with the ones before
// them, which meet weights of 0. So any weight and any sum below 2^31 will do.
#ifndef TINYTC_RUNTIME_Q_NARROW_CONV2D_H
#define TINYTC_RUNTIME_Q_NARROW_CONV2D_H

#include "runtime/correlate.h"
#include "runtime/q_base.h"
#include "runtime/q_conv2d.h"

namespace tinytc {

/// Whether this kernel has the shape, and is the better one for it: of short runs, which it takes one by one
/// for each channel, it takes fewer channels.
constexpr bool q_narrow_conv2d_serves(const QConv2dShape& s) {
  const int elements = q_conv2d_runs(s).elements;
  return s.out_c / s.groups <= (elements >= 12 ? 3 : 2) && elements >= 4;
}

constexpr long long q_narrow_conv2d_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// Words of a run's weights, four a word.
TINYTC_INLINE constexpr int q_narrow_words(const QConv2dShape& s) {
  return (q_conv2d_runs(s).elements + 3) / 4;
}

/// Words of the weights: [out_c][runs][words of a run].
constexpr int q_narrow_conv2d_packed_words(const QConv2dShape& s) {
  return s.out_c * q_conv2d_runs(s).runs * q_narrow_words(s);
}

/// Packs plain ONNX weights [out_c][in_c / groups][kernel_h][kernel_w]. What stands behind a run's last full
/// four are the weights of its last four elements, without those that a word before has.
constexpr void q_narrow_conv2d_pack(const QConv2dShape& s, const std::int8_t* w, std::uint32_t* packed) {
  const QRuns cut = q_conv2d_runs(s);
  const int channels = s.in_c / s.groups;
  const int row_runs = cut.runs / s.kernel_h;
  for (int k = 0; k < q_narrow_conv2d_packed_words(s); ++k) packed[k] = 0;
  for (int o = 0; o < s.out_c; ++o) {
    for (int run = 0; run < cut.runs; ++run) {
      for (int k = 0; k < cut.elements; ++k) {
        const int kx = run % row_runs + k / channels;
        const int from = ((o * channels + k % channels) * s.kernel_h + run / row_runs) * s.kernel_w + kx;
        const int lane = k < cut.elements / 4 * 4 ? k % 4 : k - (cut.elements - 4);
        const std::uint32_t byte = static_cast<std::uint32_t>(w[from]) & 0xFFU;
        packed[(o * cut.runs + run) * q_narrow_words(s) + k / 4] |= byte << (8 * lane);
      }
    }
  }
}

/// Input columns that neighbouring output pixels read.
TINYTC_INLINE constexpr int q_narrow_columns(const QConv2dShape& s, int pixels) {
  return (pixels - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
}

/// How many of a row's pixels are taken at once: three have the fourth computed, in vain.
TINYTC_INLINE constexpr int q_narrow_taken(int left) { return left >= 3 ? 4 : left; }

/// Scratch in words: what four pixels of a group read.
constexpr int q_narrow_conv2d_scratch(const QConv2dShape& s) {
  return (s.kernel_h * q_narrow_columns(s, q_narrow_taken(s.out_w)) * (s.in_c / s.groups) + 3) / 4;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x. Four pixels of
/// a row are read together before they are written, group by group.
constexpr int q_narrow_conv2d_lead_x(const QConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  for (int pixel = 0; pixel < s.batch * s.out_h * s.out_w; ++pixel) {
    const int first = q_conv2d_first_read(s, pixel);
    if (first < 0) continue;
    const int column = pixel % s.out_w;
    const int start = pixel - column % 4;
    if (start > 0) lead = max_of(lead, start * s.out_c - first * s.in_c);
    const int last = pixel - column + min_of(column / 4 * 4 + 4, s.out_w) - 1;
    if (s.groups > 1) {
      const int gap = s.out_c / s.groups - s.in_c / s.groups;
      lead = max_of(lead, last * s.out_c - first * s.in_c + max_of(gap, (s.groups - 1) * gap));
    }
  }
  return lead;
}

/// Where the inputs of four pixels stand. Distances in elements.
struct QNarrowSource {
  const std::int8_t* x;  ///< tap (0, 0) of the first pixel
  int apart;             ///< from a pixel to the next
  int row;               ///< from a tap to the one below
  int tap;               ///< from a tap to the next one in its row
};

/// Adds four elements of four pixels, times four weights; the pointers advance. far: x of the third pixel.
TINYTC_INLINE void q_narrow_step(const std::int8_t*& x, const std::int8_t*& far, int apart,
                                 const std::uint32_t*& w, std::int32_t (&sum)[4]) {
#if defined(TINYTC_DSP)
  // Twelve registers, as many as a compiler can spare.
  std::uint32_t even, odd, a, b;
  asm volatile(
      "ldr %[odd], [%[w]], #4\n"
      "ldr %[a], [%[x], %[apart]]\n"
      "sxtb16 %[even], %[odd]\n"
      "sxtb16 %[odd], %[odd], ror #8\n"
      "sxtb16 %[b], %[a]\n"
      "sxtb16 %[a], %[a], ror #8\n"
      "smlad %[sum1], %[b], %[even], %[sum1]\n"
      "smlad %[sum1], %[a], %[odd], %[sum1]\n"
      "ldr %[a], [%[x]], #4\n"
      "sxtb16 %[b], %[a]\n"
      "sxtb16 %[a], %[a], ror #8\n"
      "smlad %[sum0], %[b], %[even], %[sum0]\n"
      "smlad %[sum0], %[a], %[odd], %[sum0]\n"
      "ldr %[a], [%[far], %[apart]]\n"
      "sxtb16 %[b], %[a]\n"
      "sxtb16 %[a], %[a], ror #8\n"
      "smlad %[sum3], %[b], %[even], %[sum3]\n"
      "smlad %[sum3], %[a], %[odd], %[sum3]\n"
      "ldr %[a], [%[far]], #4\n"
      "sxtb16 %[b], %[a]\n"
      "sxtb16 %[a], %[a], ror #8\n"
      "smlad %[sum2], %[b], %[even], %[sum2]\n"
      "smlad %[sum2], %[a], %[odd], %[sum2]\n"
      : [even] "=&r"(even), [odd] "=&r"(odd), [a] "=&r"(a), [b] "=&r"(b), [x] "+&r"(x), [far] "+&r"(far),
        [w] "+&r"(w), [sum0] "+&r"(sum[0]), [sum1] "+&r"(sum[1]), [sum2] "+&r"(sum[2]), [sum3] "+&r"(sum[3])
      : [apart] "r"(apart)
      : "memory");
#else
  const std::uint32_t word = *w++;
  for (int k = 0; k < 4; ++k) {
    const int weight = static_cast<std::int8_t>((word >> (8 * k)) & 0xFFU);
    sum[0] = q_add_wrapping(sum[0], x[k] * weight);
    sum[1] = q_add_wrapping(sum[1], x[apart + k] * weight);
    sum[2] = q_add_wrapping(sum[2], far[k] * weight);
    sum[3] = q_add_wrapping(sum[3], far[apart + k] * weight);
  }
  x += 4;
  far += 4;
#endif
}

/// Adds a run.
TINYTC_INLINE void q_narrow_run(int elements, const std::int8_t* x, int apart, const std::uint32_t* w,
                                std::int32_t (&sum)[4]) {
  const std::int8_t* far = x + 2 * apart;
  for (int k = 0; k < elements / 16; ++k) {
    q_narrow_step(x, far, apart, w, sum);
    q_narrow_step(x, far, apart, w, sum);
    q_narrow_step(x, far, apart, w, sum);
    q_narrow_step(x, far, apart, w, sum);
  }
  if (elements / 8 % 2 != 0) {
    q_narrow_step(x, far, apart, w, sum);
    q_narrow_step(x, far, apart, w, sum);
  }
  if (elements / 4 % 2 != 0) q_narrow_step(x, far, apart, w, sum);
  if (elements % 4 == 0) return;
  x -= 4 - elements % 4;
  far -= 4 - elements % 4;
  q_narrow_step(x, far, apart, w, sum);
}

/// Adds four elements of one pixel.
TINYTC_INLINE std::int32_t q_narrow_one(std::int32_t sum, const std::int8_t* x, std::uint32_t w) {
#if defined(TINYTC_DSP)
  // In assembly as a whole: what only this arm used of q_base.h would stand in emitted code without what its
  // other arm needs.
  const std::uint32_t four = q_load(x);
  std::uint32_t x_even, x_odd, w_even, w_odd;
  asm("sxtb16 %[x_even], %[four]\n"
      "sxtb16 %[w_even], %[w]\n"
      "sxtb16 %[x_odd], %[four], ror #8\n"
      "sxtb16 %[w_odd], %[w], ror #8\n"
      "smlad %[sum], %[x_even], %[w_even], %[sum]\n"
      "smlad %[sum], %[x_odd], %[w_odd], %[sum]\n"
      : [x_even] "=&r"(x_even), [w_even] "=&r"(w_even), [x_odd] "=&r"(x_odd), [w_odd] "=&r"(w_odd),
        [sum] "+&r"(sum)
      : [four] "r"(four), [w] "r"(w));
  return sum;
#else
  for (int k = 0; k < 4; ++k) {
    sum = q_add_wrapping(sum, x[k] * static_cast<std::int8_t>((w >> (8 * k)) & 0xFFU));
  }
  return sum;
#endif
}

/// The sum of one output channel of one pixel. x: its tap (0, 0); w: the channel's.
TINYTC_SHARED std::int32_t q_narrow_pixel(const QConv2dShape& s, const QNarrowSource& from,
                                          const std::int8_t* x, const std::uint32_t* w, std::int32_t sum) {
  const QRuns cut = q_conv2d_runs(s);
  const int row_runs = cut.runs / s.kernel_h;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < row_runs; ++kx) {
      const std::int8_t* run = x + ky * from.row + kx * from.tap;
      for (int k = 0; k < cut.elements / 8; ++k) {
        sum = q_narrow_one(sum, run, w[0]);
        sum = q_narrow_one(sum, run + 4, w[1]);
        run += 8;
        w += 2;
      }
      if (cut.elements / 4 % 2 != 0) sum = q_narrow_one(sum, run, *w++);
      if (cut.elements % 4 != 0) {
        sum = q_narrow_one(sum, x + ky * from.row + kx * from.tap + cut.elements - 4, *w++);
      }
    }
  }
  return sum;
}

/// The sums of one output channel of four pixels, of which `pixels` are wanted. w: the channel's.
TINYTC_SHARED void q_narrow_channel(const QConv2dShape& s, const QNarrowSource& from, int pixels,
                                    const std::uint32_t* w, std::int32_t bias, std::int32_t* result) {
  if (pixels <= 2) {
    for (int p = 0; p < pixels; ++p) result[p] = q_narrow_pixel(s, from, from.x + p * from.apart, w, bias);
    return;
  }
  const QRuns cut = q_conv2d_runs(s);
  const int row_runs = cut.runs / s.kernel_h;
  std::int32_t sum[4] = {bias, bias, bias, bias};  // never elsewhere than in registers
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < row_runs; ++kx) {
      q_narrow_run(cut.elements, from.x + ky * from.row + kx * from.tap, from.apart, w, sum);
      w += q_narrow_words(s);
    }
  }
  result[0] = sum[0];
  result[1] = sum[1];
  result[2] = sum[2];
  result[3] = sum[3];
}

/// Copies bytes; the last four start earlier where the count is no multiple of four.
TINYTC_INLINE void q_narrow_copy(const std::int8_t* from, int count, std::int8_t* to) {
  for (int k = 0; k < count / 16; ++k) {
    const std::uint32_t words[4] = {q_load(from), q_load(from + 4), q_load(from + 8), q_load(from + 12)};
    __builtin_memcpy(to, words, 4);
    __builtin_memcpy(to + 4, words + 1, 4);
    __builtin_memcpy(to + 8, words + 2, 4);
    __builtin_memcpy(to + 12, words + 3, 4);
    from += 16;
    to += 16;
  }
  for (int k = 0; k < count / 4 % 4; ++k) {
    __builtin_memcpy(to, from, 4);
    from += 4;
    to += 4;
  }
  const int rest = count % 4;
  if (count > 4) {
    if (rest != 0) __builtin_memcpy(to + rest - 4, from + rest - 4, 4);
    return;
  }
  for (int k = 0; k < rest; ++k) to[k] = from[k];
}

/// Repeats a byte.
TINYTC_INLINE void q_narrow_fill(std::int8_t value, int count, std::int8_t* to) {
  const std::uint32_t word = static_cast<std::uint32_t>(static_cast<std::uint8_t>(value)) * 0x01010101U;
  for (int k = 0; k < count / 4; ++k) {
    __builtin_memcpy(to, &word, 4);
    to += 4;
  }
  for (int k = 0; k < count % 4; ++k) to[k] = value;
}

/// Copies what `pixels` pixels read, with padding, to `bytes`. x: the image, at the group's first channel;
/// (iy, ix): input position of tap (0, 0) of the first.
TINYTC_INLINE void q_narrow_gather(const QConv2dShape& s, const std::int8_t* x, int iy, int ix, int pixels,
                                   std::int8_t* bytes) {
  const int channels = s.in_c / s.groups;
  const int columns = q_narrow_columns(s, pixels);
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int y = iy + ky * s.dilation_h;
    const Range inside = y >= 0 && y < s.in_h ? tap_range(ix, 1, columns, s.in_w) : Range{0, 0};
    const std::int8_t* row = x + (y * s.in_w + ix) * s.in_c;
    q_narrow_fill(static_cast<std::int8_t>(s.x_zero_point), inside.first * channels, bytes);
    if (s.groups == 1) {
      q_narrow_copy(row + inside.first * channels, (inside.last - inside.first) * channels,
                    bytes + inside.first * channels);
    } else {
      for (int column = inside.first; column < inside.last; ++column) {
        q_narrow_copy(row + column * s.in_c, channels, bytes + column * channels);
      }
    }
    q_narrow_fill(static_cast<std::int8_t>(s.x_zero_point), (columns - inside.last) * channels,
                  bytes + inside.last * channels);
    bytes += columns * channels;
  }
}

/// The inputs of `pixels` pixels of a row: in the image, or as a copy with the padding. x: the image, at the
/// group's first channel; (iy, ix): input position of tap (0, 0) of the first.
TINYTC_INLINE QNarrowSource q_narrow_source(const QConv2dShape& s, const std::int8_t* x, int iy, int ix,
                                            int pixels, std::int8_t* bytes) {
  const bool inside = iy >= 0 && ix >= 0 && iy + (s.kernel_h - 1) * s.dilation_h < s.in_h &&
                      ix + q_narrow_columns(s, pixels) <= s.in_w;
  if (inside) {
    return QNarrowSource{x + (iy * s.in_w + ix) * s.in_c, s.stride_w * s.in_c, s.dilation_h * s.in_w * s.in_c,
                         s.dilation_w * s.in_c};
  }
  q_narrow_gather(s, x, iy, ix, pixels, bytes);
  const int channels = s.in_c / s.groups;
  return QNarrowSource{bytes, s.stride_w * channels, q_narrow_columns(s, pixels) * channels,
                       s.dilation_w * channels};
}

/// One group of four pixels of a row, of which `pixels` exist. w: the group's weights; o: its first output
/// channel; y: of the first pixel.
TINYTC_INLINE void q_narrow_four(const QConv2dShape& s, const QNarrowSource& from, int pixels,
                                 const std::uint32_t* w, const std::int32_t* bias, const QScale& scale,
                                 const QOutput& out, int o, std::int8_t* y) {
  const int width = s.out_c / s.groups;
  std::int32_t sum[3][4];
  for (int c = 0; c < width; ++c) {
    q_narrow_channel(s, from, pixels, w + c * q_conv2d_runs(s).runs * q_narrow_words(s), bias[o + c], sum[c]);
  }
  for (int c = 0; c < width; ++c) {
    y[o + c] = q_requantized(sum[c][0], scale, o + c, out);
    if (pixels > 1) y[s.out_c + o + c] = q_requantized(sum[c][1], scale, o + c, out);
    if (pixels > 2) y[2 * s.out_c + o + c] = q_requantized(sum[c][2], scale, o + c, out);
    if (pixels > 3) y[3 * s.out_c + o + c] = q_requantized(sum[c][3], scale, o + c, out);
  }
}

/// q_conv2d of shapes that q_narrow_conv2d_serves. w: from q_narrow_conv2d_pack; y may overlap x from
/// q_narrow_conv2d_lead_x on; scratch: q_narrow_conv2d_scratch words.
TINYTC_INLINE void q_narrow_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                   const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                   std::int8_t* y, std::uint32_t* scratch) {
  const int group_words = s.out_c / s.groups * q_conv2d_runs(s).runs * q_narrow_words(s);
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const std::int8_t* image = x + row / s.out_h * s.in_h * s.in_w * s.in_c;
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    for (int ox = 0; ox < s.out_w; ox += 4) {
      for (int g = 0; g < s.groups; ++g) {
        const QNarrowSource from =
            q_narrow_source(s, image + g * (s.in_c / s.groups), iy, ox * s.stride_w - s.pad_left,
                            q_narrow_taken(s.out_w - ox), reinterpret_cast<std::int8_t*>(scratch));
        q_narrow_four(s, from, min_of(4, s.out_w - ox), w + g * group_words, bias, scale, out,
                      g * (s.out_c / s.groups), y + (row * s.out_w + ox) * s.out_c);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_NARROW_CONV2D_H
