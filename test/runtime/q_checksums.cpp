// Firmware that runs the int8 kernels on seeded random shapes and data and prints a CRC-32 of the results of
// every eight rounds. same_bits_test.py builds it with many compilers, flags and cores: all must print the
// same, whether their kernels are assembly or the portable twins.
#include "board.h"
#include "runtime/broadcast.h"
#include "runtime/dynamic_quantize.h"
#include "runtime/q16_layers.h"
#include "runtime/q_average_pool2d.h"
#include "runtime/q_conv2d.h"
#include "runtime/q_conv2d_plain.h"
#include "runtime/q_conv2d_sum.h"
#include "runtime/q_dense.h"
#include "runtime/q_dense_plain.h"
#include "runtime/q_depthwise_conv2d.h"
#include "runtime/q_depthwise_taps.h"
#include "runtime/q_elementwise.h"
#include "runtime/q_grouped_narrow.h"
#include "runtime/q_integer_paired.h"
#include "runtime/q_narrow_conv2d.h"
#include "runtime/q_paired_matmul.h"
#include "runtime/q_scalar_conv2d.h"
#include "runtime/q_scalar_dense.h"
#include "runtime/q_scalar_depthwise.h"
#include "runtime/q_scale.h"
#include "runtime/q_widened_conv2d.h"
#include "runtime/q_winograd.h"
#include "test/runtime/q_checksum_data.h"
#include "test/runtime/q_vector_shapes.h"

using namespace tinytc;

namespace {

TINYTC_NOINLINE void convolution(const QScale& scale, const QOutput& out) {
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  random_channels(s, one_or_two(), 10, 10);
  if (q_conv2d_packed_words(s) > size / 2 || q_conv2d_scratch(s) > size / 2) return;
  q_conv2d_pack(s, paired_weights, bias, multiplier, paired);
  q_conv2d(s, x, paired, scale.shift, out, y, scratch);
  hash(test::out_size(s));
  if (q_conv2d_plain_scratch(s) > size / 2) return;
  q_conv2d_plain(s, x, reinterpret_cast<const std::int8_t*>(w), bias, scale, out, y, scratch);
  hash(test::out_size(s));
  if (q_scalar_conv2d_packed_bytes(s) > 2 * size || q_scalar_conv2d_scratch(s) > size / 2) return;
  q_scalar_conv2d(s, x, reinterpret_cast<const std::uint8_t*>(w), bias, scale, out, y, scratch);
  hash(test::out_size(s));
}

TINYTC_NOINLINE void narrow(const QScale& scale, const QOutput& out) {
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  random_channels(s, one_or_two(), 10, 3);
  if (!q_narrow_conv2d_serves(s) || q_narrow_conv2d_scratch(s) > size / 2) return;
  q_narrow_conv2d(s, x, w, bias, scale, out, y, scratch);
  hash(test::out_size(s));
}

/// Convolutions with groups of few and of more channels, with the scales of networks or others.
TINYTC_NOINLINE void grouped(const QScale& scale, const QOutput& out) {
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  random_channels(s, integer(1, 4), 9, 9);
  if (test::in_size(s) > size || test::out_size(s) > size) return;
  if (q_grouped_conv2d_scratch(s) > size / 2) return;
  if (q_grouped_narrow_serves(s)) {
    q_grouped_narrow(s, x, w, bias, scale, out, y, scratch);
  } else if (!q_grouped_is_narrow(s) && q_grouped_conv2d_packed_words(s) <= size / 2 &&
             q_grouped_conv2d_spread_bytes(s) <= size) {
    q_grouped_conv2d_spread(s, paired_weights, y);
    q_grouped_conv2d_pack(s, y, bias, multiplier, paired);
    q_grouped_conv2d(s, x, paired, scale.shift, out, y, scratch);
  } else {
    return;
  }
  hash(test::out_size(s));
}

/// Convolutions with groups from widened copies.
TINYTC_NOINLINE void widened(const QScale& scale, const QOutput& out) {
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  random_channels(s, integer(2, 4), 9, 9);
  if (test::in_size(s) > size || test::out_size(s) > size) return;
  if (q_widened_conv2d_scratch(s) > size / 2 || q_widened_conv2d_packed_words(s) > size / 2) return;
  q_widened_conv2d_pack(s, paired_weights, bias, multiplier, paired);
  q_widened_conv2d(s, x, paired, scale.shift, out, y, scratch);
  hash(test::out_size(s));
}

/// q_conv2d by way of its assembly, where there is one, as networks use it.
TINYTC_NOINLINE void convolution_rows(int zero_point) {
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  row_geometry(s);
  if (q_conv2d_packed_words(s) > size / 2 || q_conv2d_scratch(s) > size / 2) return;
  q_conv2d_pack(s, paired_weights, bias, multiplier, paired);
  q_conv2d(s, x, paired, nullptr, QOutput{zero_point, -128, 127}, y, scratch);
  hash(test::out_size(s));
}

TINYTC_NOINLINE void winograd(const QScale& scale, const QOutput& out) {
  QConv2dShape s{};
  if (!test::random_window(integer, s) || s.kernel_h != 3) return;
  s.stride_h = s.stride_w = s.groups = 1;
  s.in_c = 4 * integer(1, 2);
  s.out_c = integer(1, 6);
  s.out_h = s.in_h;
  s.out_w = s.in_w;
  if (!q_winograd_serves(s) || q_winograd_packed_words(s) > size / 2 || q_winograd_scratch(s) > size / 2)
    return;
  q_winograd_pack(s, x + 8, bias, w);
  q_winograd_conv2d(s, x, w, scale, out, y, scratch);
  hash(test::out_size(s));
}

TINYTC_NOINLINE void depthwise(const QScale& scale, const QOutput& out) {
  QDepthwiseConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  s.channels = integer(1, 14);
  s.multiplier = integer(0, 4) == 0 ? 2 : 1;
  s.packed = integer(0, 4) == 0 ? 0 : 1;
  q_depthwise_conv2d(s, x, reinterpret_cast<const std::int8_t*>(w), bias, scale, out, y, scratch);
  hash(s.batch * s.out_h * s.out_w * s.channels * s.multiplier);
  if (!q_scalar_depthwise_has(s)) return;
  q_scalar_depthwise(s, x, reinterpret_cast<const std::int8_t*>(w), bias, scale, out, y, scratch);
  hash(s.batch * s.out_h * s.out_w * s.channels);
}

TINYTC_NOINLINE void depthwise_taps(const QOutput& out) {
  QDepthwiseConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  s.channels = integer(1, 14);
  s.multiplier = s.packed = 1;
  std::uint32_t* packed = scratch + 200;
  q_depthwise_taps_pack(s, reinterpret_cast<const std::int8_t*>(w), bias, multiplier, packed);
  q_depthwise_taps(s, x, packed, out, y, reinterpret_cast<std::int32_t*>(scratch));
  hash(s.batch * s.out_h * s.out_w * s.channels);
}

TINYTC_NOINLINE void dense(const QScale& scale, const QOutput& out) {
  const QDenseShape s{integer(1, 2), integer(1, 90), integer(1, 40)};
  q_dense(s, x, w, bias, scale, out, y, scratch);
  hash(s.rows * s.out);
  q_dense_plain(s, x, reinterpret_cast<const std::int8_t*>(w), bias, scale, out, y, scratch);
  hash(s.rows * s.out);
  q_scalar_dense(s, x, reinterpret_cast<const std::uint8_t*>(w), bias, scale, out, y);
  hash(s.rows * s.out);
}

TINYTC_NOINLINE void product(const QScale& scale, const QOutput& out) {
  const int m = integer(1, 5);
  const int n = integer(1, 9);
  const int k = integer(1, 40);
  const bool transposed = integer(0, 1) != 0;
  const QMatmulShape s{
      m, n,  k,  k, 1, transposed ? 1 : n, transposed ? k : 1, integer(-128, 127), integer(-128, 127),
      0, {}, {}, {}};
  q_paired_matmul(s, x, x + 500, scale, out, y, scratch);
  hash(m * n);
}

/// Sums, every other of scales with ties.
QSum random_sum() {
  const int bits = integer(18, 22);
  if (integer(0, 1) == 0) {
    return QSum{
        integer(-2000000, 2000000), integer(-2000000, 2000000), integer(-8000000, 8000000), bits, 0, 0};
  }
  const int quarter = 1 << (bits - 2);
  const int most = bits < 21 ? 4 : 2;
  return QSum{integer(-most, most) * quarter,
              integer(-most, most) * quarter,
              2 * quarter - 1,
              bits,
              1,
              integer(0, 1)};
}

TINYTC_NOINLINE void sum_and_mean(const QOutput& out) {
  const int count = integer(1, 300);
  const QSum f = random_sum();
  q_add(make_broadcast_shape({1, {count}}, {1, {count}}), f, out, x, x + 400, y);
  hash(count);
  const int channels = integer(1, 9);
  const Pool2dShape pool{1, 5, 6, channels, 1, 1, 5, 6, 1, 1, 1, 1, 0, 0, 0, 0, 0};
  q_average_pool2d(pool, out.zero_point, QScale{multiplier, shift}, 2, out, x, y);
  hash(channels);
}

/// Windows of up to 3 x 4, padded and with gaps; every other scale gives ties.
TINYTC_NOINLINE void means(const QOutput& out) {
  Pool2dShape s{};
  s.batch = integer(1, 2);
  s.in_h = integer(3, 6);
  s.in_w = integer(4, 8);
  s.channels = integer(1, 9);
  s.kernel_h = integer(1, 3);
  s.kernel_w = integer(1, 4);
  s.stride_h = integer(1, 3);
  s.stride_w = integer(1, 3);
  s.dilation_h = 1;
  s.dilation_w = s.kernel_w < 3 ? integer(1, 2) : 1;
  s.pad_top = s.pad_bottom = integer(0, s.kernel_h - 1);
  s.pad_left = s.pad_right = integer(0, s.kernel_w - 1);
  s.count_include_pad = integer(0, 1);
  s.out_h = (s.in_h + 2 * s.pad_top - s.kernel_h) / s.stride_h + 1;
  s.out_w = (s.in_w + 2 * s.pad_left - (s.kernel_w - 1) * s.dilation_w - 1) / s.stride_w + 1;
  const double ratio = integer(0, 1) == 0 ? 1 : integer(30, 130) / 100.0;
  for (int n = 1; n <= s.kernel_h * s.kernel_w; ++n) {
    const QMultiplier m = q_shifted_multiplier(ratio / n);
    multiplier[n - 1] = m.multiplier;
    shift[n - 1] = static_cast<std::int8_t>(m.shift);
  }
  const int rounding = q_average_rounding(s.kernel_h * s.kernel_w, multiplier, shift);
  q_average_pool2d(s, out.zero_point, QScale{multiplier, shift}, rounding, out, x, y);
  hash(s.batch * s.out_h * s.out_w * s.channels);
}

/// Convolutions that add a residual, and kernels without scratch.
TINYTC_NOINLINE void convolution_and_sum(const QScale& scale, const QOutput& out) {
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  random_channels(s, one_or_two(), 10, 10);
  if (integer(0, 1) == 0) row_geometry(s);
  if (q_conv2d_packed_words(s) > size / 2) return;
  if (q_conv2d_sum_scratch(s, 1, q_conv2d_scratch(s)) > size / 2) return;
  const QSum f = random_sum();
  const QOutput inner{integer(-128, 127), -128, 127};
  q_conv2d_pack(s, paired_weights, bias, multiplier, paired);
  q_conv2d_sum<1>(s, x, QPackedConv<q_conv2d>{paired, scale.shift, inner}, f, out, x, y, scratch);
  hash(test::out_size(s));
  q_conv2d_bare(s, x, reinterpret_cast<const std::int8_t*>(w), bias, scale, out, y);
  hash(test::out_size(s));
}

/// int16 activations: sums of 64 and of 32 bits.
TINYTC_NOINLINE void wide_layers(const QOutput& out) {
  const QScale scale{multiplier, shift};
  const QDenseShape dense_shape{integer(1, 2), integer(1, 90), integer(1, 20)};
  q16_dense<std::int64_t>(dense_shape, x16, reinterpret_cast<const std::int8_t*>(w), bias, scale, out, y);
  hash(dense_shape.rows * dense_shape.out);
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  s.x_zero_point = 0;
  random_channels(s, one_or_two(), 6, 6);
  if (test::out_size(s) > size) return;
  q16_conv2d<std::int32_t>(s, x16, reinterpret_cast<const std::int8_t*>(w), bias, scale, out, y);
  hash(test::out_size(s));
}

void hash_integers(int count) {
  for (int i = 0; i < count; ++i) {
    for (int bit = 0; bit < 32; bit += 8) {
      const std::uint8_t byte = static_cast<std::uint8_t>(static_cast<std::uint32_t>(y32[i]) >> bit);
      crc = crc32(crc, &byte, 1);
    }
  }
}

/// Products of integers: X with its zero point, weights with one of their own or without.
template <typename X>
TINYTC_NOINLINE void integers(bool with_zeros) {
  std::int32_t zeros[20];
  for (std::int32_t& value : zeros) value = integer(-128, 255);
  const std::int32_t* w_zero = with_zeros ? zeros : nullptr;
  const X* bytes = reinterpret_cast<const X*>(x);
  const std::int8_t* weights = reinterpret_cast<const std::int8_t*>(w);
  const QDenseShape dense_shape{integer(1, 3), integer(1, 90), integer(1, 20)};
  q_integer_dense(dense_shape, bytes, bytes + 3000, weights, w_zero, y32, scratch);
  hash_integers(dense_shape.rows * dense_shape.out);
  if (q_integer_pairable(dense_shape, paired_weights) && q_dense_packed_words(dense_shape) <= size / 2) {
    q_dense_pack(dense_shape, paired_weights, paired);
    q_integer_dense_paired(dense_shape, bytes, bytes + 3000, paired, w_zero, y32, scratch);
    hash_integers(dense_shape.rows * dense_shape.out);
  }
  QConv2dShape s{};
  if (!test::random_window(integer, s)) return;
  s.groups = integer(0, 3) == 0 ? 2 : 1;
  s.in_c = s.groups * integer(1, 10);
  s.out_c = s.groups * integer(1, 10);
  if (q_integer_conv2d_scratch(s) > size / 2 || s.batch * s.out_h * s.out_w * s.out_c > size) return;
  q_integer_conv2d(s, bytes, bytes + 3001, weights, w_zero, y32, scratch);
  hash_integers(s.batch * s.out_h * s.out_w * s.out_c);
  q_integer_conv2d_plain(s, bytes, bytes + 3002, bytes, bytes + 3010, integer(0, 1), y32);
  hash_integers(s.batch * s.out_h * s.out_w * s.out_c);
  s.in_c = s.out_c = s.groups = integer(4, 14);
  q_integer_depthwise(s, bytes, bytes + 3003, weights, w_zero, y32);
  hash_integers(s.batch * s.out_h * s.out_w * s.out_c);
}

/// Steps of 1/4: every eighth number lies halfway between two integers.
TINYTC_NOINLINE void dynamic() {
  const int count = integer(1, 60);
  float real[60];
  float scale = 0;
  std::uint8_t zero = 0;
  for (int i = 0; i < count; ++i) real[i] = static_cast<float>(x[i]) / 8.0F;
  if (integer(0, 1) == 0) {
    real[0] = 0;
    real[count - 1] = 63.75F;
  }
  dynamic_quantize_linear(ElementwiseShape{count}, real, reinterpret_cast<std::uint8_t*>(y), &scale, &zero);
  hash(count);
  y32[0] = zero;
  y32[1] = static_cast<std::int32_t>(bits_of(scale));
  hash_integers(2);
}

}  // namespace

int main() {
  for (int round = 1; round <= 240; ++round) {
    fill_tensors();
    const QScale scale{multiplier, integer(0, 2) == 0 ? shift : nullptr};
    QOutput out{integer(-128, 127), -128, 127};
    if (integer(0, 2) == 0) {
      out.lo = integer(-128, 50);
      out.hi = integer(out.lo, 127);
    }
    convolution(scale, out);
    for (int k = 0; k < 3; ++k) convolution_rows(out.zero_point);
    depthwise(scale, out);
    depthwise_taps(out);
    dense(scale, out);
    product(scale, out);
    sum_and_mean(out);
    convolution_and_sum(scale, out);
    winograd(scale, out);
    narrow(scale, out);
    grouped(scale, out);
    grouped(QScale{multiplier, nullptr}, QOutput{out.zero_point, -128, 127});
    widened(scale, out);
    widened(QScale{multiplier, nullptr}, QOutput{out.zero_point, -128, 127});
    wide_layers(out);
    means(out);
    integers<std::int8_t>(false);
    integers<std::uint8_t>(true);
    dynamic();
    if (round % 8 == 0) {
      board::print_unsigned(crc);
      board::print("\n");
    }
  }
  return 0;
}
