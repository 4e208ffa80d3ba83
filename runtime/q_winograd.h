// 3x3 int8 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3), in integers: a quarter of
// the multiplications, and the same bits as q_conv2d.
//
// A tile of 6x6 inputs d gives 4x4 outputs A [(G g G^T) * (B^T d B)] A^T (Lavin and Gray, "Fast Algorithms
// for Convolutional Neural Networks", 2015), with points 0, 1, -1, 2, -2 and infinity. Here G is scaled to
// integers,
//   (1 0 0) (1 1 1) (1 -1 1) (1 2 4) (1 -2 4) (0 0 1) = rows of G times 4, -6, -6, 24, 24, 1,
// so that transformed weights are int16 (at most 49 * 128), made by the compiler; and A so that rows of
// results are 576 / (s_i s_j) times the output with s = 1, 2, 4, 4. 576 is 9 * 64: division by 9 is a
// multiplication modulo 2^32, the rest is a shift. All sums are modulo 2^32; they may overflow on the way
// while outputs stay below 2^25.
//
// Inputs count as x + 128, in 0 .. 255. Two channels go through B^T d B in one word by 32-bit additions;
// adding 0x3200 to d at rows and columns 4 and 5 adds it to every result's lower channel, which is then not
// negative, so that the halves of the word are operands of a dual multiplication. That constant, the 128
// (which reaches position (1, 1) only, times 36) and the bias (36 times there as well) are in the products'
// start values.
//
// A row of tiles is transformed completely before any of its outputs is written, and the input row that the
// next row of tiles reads again is kept, so y may replace x.
#ifndef TINYTC_RUNTIME_Q_WINOGRAD_H
#define TINYTC_RUNTIME_Q_WINOGRAD_H

#include "runtime/q_conv2d.h"
#include "runtime/q_winograd_result.h"
#include "runtime/q_winograd_tile.h"

namespace tinytc {

/// Whether q_winograd_conv2d serves this shape.
constexpr bool q_winograd_serves(const QConv2dShape& s) {
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 &&
         s.dilation_w == 1 && s.groups == 1 && s.in_c % 4 == 0 && s.pad_top >= 0 && s.pad_top <= 1 &&
         s.pad_left >= 0 && s.pad_left <= 1;
}

/// Whether every channel's sums stay below 2^25 in size. w: `taps` weights a channel; bias: as q_conv2d gets
/// it.
constexpr bool q_winograd_exact(int channels, int taps, const std::int8_t* w, const std::int32_t* bias) {
  for (int c = 0; c < channels; ++c) {
    std::int64_t size = bias[c] < 0 ? -std::int64_t{bias[c]} : std::int64_t{bias[c]};
    for (int k = 0; k < taps; ++k) size += 128 * (w[c * taps + k] < 0 ? -w[c * taps + k] : w[c * taps + k]);
    if (size >= 1 << 25) return false;
  }
  return true;
}

/// Pairs of tiles in a row of tiles.
TINYTC_INLINE constexpr int q_winograd_pairs(const QConv2dShape& s) { return (s.out_w + 7) / 8; }

/// Words of the transformed weights: [blocks of 4 output channels][36](4 start values, [in_c / 2][4]).
constexpr int q_winograd_packed_words(const QConv2dShape& s) {
  return (s.out_c + 3) / 4 * 36 * (4 + 2 * s.in_c);
}

/// Scratch in words: transformed inputs of a row of tiles, products of two tiles, the row that is kept.
constexpr int q_winograd_scratch(const QConv2dShape& s) {
  return q_winograd_pairs(s) * 36 * s.in_c + 288 + s.pad_top * s.in_w * s.in_c / 4;
}

/// Smallest distance in elements, address of x minus address of y, at which y may run over x: a row of tiles
/// is written after the rows that it shares with the next one were read or kept.
constexpr int q_winograd_lead_x(const QConv2dShape& s) {
  int lead = -s.batch * s.in_h * s.in_w * s.in_c;
  for (int image = 0; image < s.batch; ++image) {
    for (int row = 0; row < s.out_h; row += 4) {
      const int written = (image * s.out_h + row) * s.out_w * s.out_c;
      if (written > 0 && row < s.in_h) {
        lead = max_of(lead, written - (image * s.in_h + row) * s.in_w * s.in_c);
      }
    }
  }
  return lead;
}

/// Multiply-accumulates of the convolution that it computes.
constexpr long long q_winograd_macs(const QConv2dShape& s) { return q_conv2d_macs(s); }

/// (G g G^T)(i, j) of nine weights.
constexpr int q_winograd_weight(const std::int8_t* g, int i, int j) {
  constexpr int rows[6][3] = {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {1, 2, 4}, {1, -2, 4}, {0, 0, 1}};
  int sum = 0;
  for (int k = 0; k < 9; ++k) sum += rows[i][k / 3] * rows[j][k % 3] * g[k];
  return sum;
}

/// One output channel's start value and weights of position (i, j), every fourth word from `packed` on.
constexpr void q_winograd_pack_position(const QConv2dShape& s, const std::int8_t* w, std::int32_t bias, int i,
                                        int j, std::uint32_t* packed) {
  std::int64_t lower = 0;
  std::int64_t all = 0;
  for (int c = 0; c < s.in_c; ++c) {
    const int weight = q_winograd_weight(w + 9 * c, i, j);
    std::uint32_t& word = packed[4 + (c / 4 * 2 + c % 2) * 4];
    const bool is_lower = c % 4 < 2;
    lower += is_lower ? weight : 0;
    all += weight;
    word = is_lower ? q_lanes(weight, q_high(word)) : q_lanes(q_low(word), weight);
  }
  std::int64_t start = -std::int64_t{0x3200} * lower;
  if (i == 1 && j == 1) start += 36 * (std::int64_t{bias} - 128 * all);
  packed[0] = static_cast<std::uint32_t>(start);
}

/// Transforms weights. w: plain ONNX [out_c][in_c][3][3] of any value; bias: as q_conv2d gets it; packed:
/// q_winograd_packed_words words, which hold the bias too.
constexpr void q_winograd_pack(const QConv2dShape& s, const std::int8_t* w, const std::int32_t* bias,
                               std::uint32_t* packed) {
  for (int k = 0; k < q_winograd_packed_words(s); ++k) packed[k] = 0;
  const int position_words = 4 + 2 * s.in_c;
  for (int o = 0; o < s.out_c; ++o) {
    for (int p = 0; p < 36; ++p) {
      q_winograd_pack_position(s, w + o * s.in_c * 9, bias[o], p / 6, p % 6,
                               packed + (o / 4 * 36 + p) * position_words + o % 4);
    }
  }
}

/// Transforms the inputs of one row of tiles. x: the image; kept: its row above, or null at the top; row:
/// first output row; u: [pairs][36][in_c / 2][2].
TINYTC_INLINE void q_winograd_inputs(const QConv2dShape& s, const std::int8_t* x, const std::int8_t* kept,
                                     int row, std::uint32_t* room, std::uint32_t* u) {
  const int first = row - s.pad_top;
  for (int tile = 0; tile < (s.out_w + 3) / 4; ++tile) {
    const int column = tile * 4 - s.pad_left;
    const std::int8_t* body = x + (first * s.in_w + column) * s.in_c;
    q_winograd_tile(QWinogradTile{kept != nullptr ? kept + column * s.in_c : body, body, s.in_w * s.in_c,
                                  s.in_c, tap_range(first, 1, 6, s.in_h), tap_range(column, 1, 6, s.in_w),
                                  static_cast<std::uint32_t>(s.x_zero_point & 0xFF) * 0x01010101U, room,
                                  u + tile / 2 * 36 * s.in_c + tile % 2});
  }
}

/// The outputs of one row of tiles. y: its first output pixel; rows: how many it has.
TINYTC_INLINE void q_winograd_outputs(const QConv2dShape& s, const std::uint32_t* w, const QScale& scale,
                                      const QOutput& out, int rows, const std::uint32_t* u,
                                      std::uint32_t* products, std::int8_t* y) {
  for (int o = 0; o < s.out_c; o += 4) {
    for (int pair = 0; pair < q_winograd_pairs(s); ++pair) {
      q_winograd_products(s.in_c / 2, u + pair * 36 * s.in_c, w + o / 4 * 36 * (4 + 2 * s.in_c), products);
      const int column = pair * 8;
      std::int8_t* to = y + column * s.out_c;
      const QWinogradResult result{to, s.out_w * s.out_c,     s.out_c, rows, s.out_w - column,
                                   o,  min_of(4, s.out_c - o)};
      q_winograd_result(result, scale, out, products);
    }
  }
}

/// q_conv2d for shapes that q_winograd_serves accepts, with weights from q_winograd_pack whose sums
/// q_winograd_exact has accepted. x: [batch][in_h][in_w][in_c]; y: [batch][out_h][out_w][out_c], may overlap
/// x from q_winograd_lead_x on; scratch: q_winograd_scratch words.
TINYTC_INLINE void q_winograd_conv2d(const QConv2dShape& s, const std::int8_t* x, const std::uint32_t* w,
                                     const QScale& scale, const QOutput& out, std::int8_t* y,
                                     std::uint32_t* scratch) {
  std::uint32_t* products = scratch + q_winograd_pairs(s) * 36 * s.in_c;
  std::uint32_t* kept = products + 288;
  const int row_bytes = s.in_w * s.in_c;
  for (int image = 0; image < s.batch; ++image) {
    const std::int8_t* from = x + image * s.in_h * row_bytes;
    for (int row = 0; row < s.out_h; row += 4) {
      q_winograd_inputs(s, from,
                        row > 0 && s.pad_top > 0 ? reinterpret_cast<const std::int8_t*>(kept) : nullptr, row,
                        products, scratch);
      const bool keeps = s.pad_top > 0 && row + 3 < s.in_h;
      for (int k = 0; keeps && k < row_bytes / 4; ++k) kept[k] = q_load(from + (row + 3) * row_bytes + 4 * k);
      q_winograd_outputs(s, w, scale, out, min_of(4, s.out_h - row), scratch, products,
                         y + (image * s.out_h + row) * s.out_w * s.out_c);
    }
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_Q_WINOGRAD_H
