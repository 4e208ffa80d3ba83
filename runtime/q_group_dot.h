// The inner blocks of int8 convolutions with groups: two pixels by four, two or one output channels, of
// inputs that stand widened in memory (q_widened_conv2d.h).
//
// A patch is one run of int16 elements or several, a fixed distance apart, and so are the two pixels'. In a
// dense convolution a pair's inputs are widened into one stream for many blocks of output channels
// (q_dot_pairs.h); a group has few blocks, so here the two pixels' words are read from where they are. A
// block of weights is one stream of words, [starts][words of a patch][multipliers]: for four channels as in
// q_dot_pairs.h; for two with one channel pair; for one with plain lanes (k, k + 1) and its bias as the
// start.
#ifndef TINYTC_RUNTIME_Q_GROUP_DOT_H
#define TINYTC_RUNTIME_Q_GROUP_DOT_H

#include "runtime/q_base.h"
#include "runtime/q_dot.h"
#include "runtime/q_group_assembly.h"

namespace tinytc {

/// Whether patches have so few words that two channels are a block, the last one of an odd count alone.
TINYTC_INLINE constexpr bool q_group_is_small(int runs, int words) { return runs == 1 && words == 2; }

/// Channels between starts of blocks: 4, or 2 with small patches.
TINYTC_INLINE constexpr int q_group_most(bool small) { return small ? 2 : 4; }

/// Channels for which the block of channel c, of a group's `channels`, has room: 4 (of which three may
/// exist), 2 or 1.
TINYTC_INLINE constexpr int q_group_width(bool small, int channels, int c) {
  const int left = channels - c / 4 * 4;
  return small ? 2 : left >= 3 ? 4 : left;
}

/// Words of a block's starts: (both, first) of channel pairs, or a bias; and of each word of a patch.
TINYTC_INLINE constexpr int q_group_starts(int width) { return width; }
TINYTC_INLINE constexpr int q_group_streams(int width) { return (width + 1) / 2; }

/// Words of a block whose patches have `words`, and of a group's blocks.
TINYTC_INLINE constexpr int q_group_block_words(int width, int words) {
  return 2 * width + q_group_streams(width) * words;
}
TINYTC_INLINE constexpr int q_group_words(bool small, int channels, int words) {
  const int most = q_group_most(small);
  const int last = q_group_width(small, channels, channels - 1);
  return channels / most * q_group_block_words(most, words) +
         (channels % most > 0 ? q_group_block_words(last, words) : 0);
}

/// Where the patches of pixels stand. Distances in elements.
struct QGroupSource {
  const std::int16_t* x;  ///< of the first pixel
  int apart;              ///< from a pair's first pixel's to the second's
  int step;               ///< from a pair's to the next's
  int runs;
  int words;  ///< of a run
  int row;    ///< from a run to the next
};

/// Two channels, or one in a block of one, of one pixel. w: starts and words of the block's channel pair;
/// stride: words of weights from a word of the patch to the next.
TINYTC_INLINE void q_group_sums(const QGroupSource& from, const std::int16_t* x, const std::uint32_t* start,
                                const std::uint32_t* w, int stride, bool single, std::int32_t (&sum)[2]) {
  std::int32_t both = static_cast<std::int32_t>(start[0]);
  std::int32_t first = single ? 0 : static_cast<std::int32_t>(start[1]);
  for (int run = 0; run < from.runs; ++run) {
    for (int k = 0; k < from.words; ++k) {
      const std::uint32_t lanes = q_lanes(x[run * from.row + 2 * k], x[run * from.row + 2 * k + 1]);
      q_pair_step(both, first, lanes, *w);
      w += stride;
    }
  }
  sum[0] = single ? both : first;
  sum[1] = q_pair_second(both, first);
}

/// One group's `channels` output channels of a pixel.
TINYTC_INLINE void q_group_pixel(const QGroupSource& from, const std::int16_t* x, const std::uint32_t* w,
                                 const std::int8_t* shift, const QOutput& out, int channels, std::int8_t* y) {
  const int words = from.runs * from.words;
  const bool small = q_group_is_small(from.runs, from.words);
  const int most = q_group_most(small);
  for (int c = 0; c < channels; c += 2) {
    const int width = q_group_width(small, channels, c);
    const int streams = q_group_streams(width);
    const std::uint32_t* block = w + c / most * q_group_block_words(most, words);
    const std::uint32_t* weights = block + q_group_starts(width);
    std::int32_t sum[2];
    q_group_sums(from, x, block + c % most, weights + c % most / 2, streams, width == 1, sum);
    std::int32_t multiplier[2] = {0, 0};
    const int count = min_of(2, channels - c);
    for (int k = 0; k < count; ++k) {
      multiplier[k] = static_cast<std::int32_t>(weights[streams * words + c % most + k]);
      y[c + k] = q_requantized(sum[k], QScale{multiplier, shift != nullptr ? shift + c : nullptr}, k, out);
    }
  }
}

/// The arguments, but for w, y, y_end, pairs, and odd; nothing where there is no assembly.
TINYTC_INLINE QGroupArguments q_group_arguments(const QGroupSource& from, int zero_point, int channels,
                                                int next) {
#if defined(TINYTC_DSP)
  const int rest = channels % q_group_most(q_group_is_small(from.runs, from.words));
  const int rest_bytes = rest == 1 ? TINYTC_Q_GROUP_STEP_1_BYTES : TINYTC_Q_GROUP_STEP_2_BYTES;
  return QGroupArguments{from.x,
                         nullptr,
                         q_skip(from.words, TINYTC_Q_GROUP_STEPS, TINYTC_Q_GROUP_STEP_4_BYTES),
                         q_skip(from.words, TINYTC_Q_GROUP_STEPS, rest_bytes),
                         256 * zero_point + 128,
                         zero_point,
                         nullptr,
                         next,
                         nullptr,
                         0,
                         2 * from.apart,
                         4 * from.words,
                         2 * from.row - 4 * from.words,
                         2 * (from.runs - 1) * from.row + 4 * from.words,
                         rest,
                         from.words > TINYTC_Q_GROUP_STEPS ? 1 : 0,
                         2 * from.step,
                         0};
#else
  static_cast<void>(zero_point);
  static_cast<void>(channels);
  static_cast<void>(next);
  QGroupArguments arguments{};
  arguments.x = from.x;
  return arguments;
#endif
}

#if defined(TINYTC_DSP)
/// One group's `channels` output channels of `pixels` pixels, by assembly. common: from q_group_arguments.
TINYTC_INLINE void q_group_assembly(QGroupArguments& common, bool small, const std::uint32_t* w, int channels,
                                    int pixels, std::int8_t* y) {
  common.w = w;
  common.y = y;
  common.y_end = y + (small ? channels : channels / 4 * 4);
  common.pairs = pixels / 2;
  common.odd = pixels % 2;
  QGroupArguments single = common;
  single.pairs = 1;
  single.odd = single.apart = single.next = 0;
  const QGroupArguments& arguments = pixels > 1 ? common : single;
  if (small) {
    q_group_small_bytes(arguments);
  } else {
    q_group_bytes(arguments);
  }
}
#endif

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_GROUP_DOT_H
