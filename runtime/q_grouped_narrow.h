// 2-D int8 convolution with groups of one to three output channels: q_grouped_conv2d's copies of inputs,
// which meet one channel of four pixels at a time as in q_narrow_conv2d.h.
#ifndef TINYTC_RUNTIME_Q_GROUPED_NARROW_H
#define TINYTC_RUNTIME_Q_GROUPED_NARROW_H

#include "runtime/q_grouped_conv2d.h"
#include "runtime/q_narrow_conv2d.h"

namespace tinytc {

/// Whether this kernel has the shape, and is the better one for it than q_narrow_conv2d, which copies nothing
/// inside the image, takes runs one by one, and does not compute four pixels for one or two.
constexpr bool q_grouped_narrow_serves(const QConv2dShape& s) {
  const bool separate = s.groups > 1 || (s.in_c <= 3 && !q_narrow_conv2d_serves(s));
  return separate && q_grouped_is_narrow(s) && q_conv2d_taps(s) >= 4 && s.out_w >= 3;
}

constexpr long long q_grouped_narrow_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// One group's results. bytes: the copy; w: the group's weights; o: its first output channel; y: of the first
/// of `pixels` pixels.
TINYTC_INLINE void q_grouped_narrow_results(const QConv2dShape& s, const std::int8_t* bytes, int pixels,
                                            const std::uint32_t* w, const std::int32_t* bias,
                                            const QScale& scale, const QOutput& out, int o, std::int8_t* y) {
  const int channels = s.out_c / s.groups;
  const int apart = q_grouped_apart(s);
  const int runs = q_grouped_runs(s);
  const int elements = q_grouped_run(s);
  for (int p = 0; p < pixels; p += 4) {
    const std::uint32_t* weights = w;
    for (int c = 0; c < channels; ++c) {
      const std::int32_t start = bias[o + c];
      std::int32_t sum[4] = {start, start, start, start};
      const std::int8_t* from = bytes + p * apart;
      for (int k = 0; k < runs; ++k) {
        q_narrow_run(elements, from, apart, weights, sum);
        from += q_grouped_row(s);
        weights += (elements + 3) / 4;
      }
      std::int8_t* to = y + p * s.out_c + o + c;
      to[0] = q_requantized(sum[0], scale, o + c, out);
      if (p + 1 < pixels) to[s.out_c] = q_requantized(sum[1], scale, o + c, out);
      if (p + 2 < pixels) to[2 * s.out_c] = q_requantized(sum[2], scale, o + c, out);
      if (p + 3 < pixels) to[3 * s.out_c] = q_requantized(sum[3], scale, o + c, out);
    }
  }
}

/// q_conv2d of shapes that q_grouped_narrow_serves. w: what q_narrow_conv2d_pack makes of
/// q_grouped_conv2d_spread's weights for q_grouped_packing, of any value where sums fit 32 bits; y may
/// overlap x from q_grouped_conv2d_lead_x on; scratch: q_grouped_conv2d_scratch words.
TINYTC_INLINE void q_grouped_narrow(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                    const std::int32_t* bias, const QScale& scale, const QOutput& out,
                                    std::int8_t* y, std::uint32_t* scratch) {
  const int channels = s.out_c / s.groups;
  const int taken = q_grouped_pixels(s);
  const int group_words = channels * q_grouped_runs(s) * ((q_grouped_run(s) + 3) / 4);
  std::int8_t* bytes = reinterpret_cast<std::int8_t*>(scratch + q_grouped_list_words(s));
  if (q_grouped_has_list(s)) q_listed_taps(s, reinterpret_cast<std::int32_t*>(scratch));
  for (int row = 0; row < s.batch * s.out_h; ++row) {
    const std::int8_t* image = x + row / s.out_h * s.in_h * s.in_w * s.in_c;
    const int iy = row % s.out_h * s.stride_h - s.pad_top;
    for (int ox = 0; ox < s.out_w; ox += taken) {
      const int pixels = min_of(taken, s.out_w - ox);
      const int ix = ox * s.stride_w - s.pad_left;
      const bool inside = q_grouped_inside(s, iy, ix, pixels);
      for (int g = 0; g < s.groups; ++g) {
        q_grouped_copy(s, scratch, image + g * (s.in_c / s.groups), iy, ix, pixels, inside, bytes);
        q_grouped_narrow_results(s, bytes, pixels, w + g * group_words, bias, scale, out, g * channels,
                                 y + (row * s.out_w + ox) * s.out_c);
      }
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_GROUPED_NARROW_H
