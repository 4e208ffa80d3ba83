// As q_checksums.cpp, for the kernels on vectors of 16 int8: they differ in how their weights are packed.
// corstone-300 runs their assembly, all others the portable twins.
#include "board.h"
#include "runtime/crc32.h"
#include "runtime/q_pool2d.h"
#include "runtime/q_vector_conv2d.h"
#include "runtime/q_vector_dense.h"
#include "runtime/q_vector_depthwise.h"
#include "runtime/random.h"
#include "test/runtime/q_vector_shapes.h"

using namespace tinytc;

namespace {

constexpr int size = 4500;
std::int8_t x[size];
std::int8_t y[size];
std::int8_t w[size];
std::uint32_t packed[size / 2];
std::uint32_t scratch[size / 4];
std::int32_t bias[40];
std::int32_t multiplier[40];
std::uint32_t crc = 0;
std::uint32_t counter = 0;

int integer(int low, int high) {
  const std::uint32_t bits = random_bits(11, counter++) >> 8;
  return low + static_cast<int>(bits % static_cast<std::uint32_t>(high - low + 1));
}

void hash(int count) {
  for (int i = 0; i < count; ++i) {
    const std::uint8_t byte = static_cast<std::uint8_t>(y[i]);
    crc = crc32(crc, &byte, 1);
  }
}

/// Every fourth round has sums of up to 2^31 and no weights: rounding alone.
void fill_tensors(bool only_rounding) {
  for (std::int8_t& value : x) value = static_cast<std::int8_t>(integer(-128, 127));
  for (std::int8_t& value : w) value = static_cast<std::int8_t>(only_rounding ? 0 : integer(-128, 127));
  for (int c = 0; c < 40; ++c) {
    bias[c] = only_rounding ? static_cast<std::int32_t>(random_bits(12, counter++)) : integer(-20000, 20000);
    multiplier[c] = only_rounding ? integer(0, 1 << integer(1, 23)) : integer(1000000, 40000000);
  }
}

TINYTC_NOINLINE void convolution(const QOutput& out) {
  const QConv2dShape s = test::random_vector_conv(integer);
  if (q_vector_conv2d_words(s) > size / 2 || q_conv2d_taps(s) * s.out_c > size) return;
  q_vector_conv2d_pack(s, w, bias, multiplier, packed);
  q_vector_conv2d(s, x, packed, out, y, scratch);
  hash(s.batch * s.out_h * s.out_w * s.out_c);
}

TINYTC_NOINLINE void depthwise(const QOutput& out) {
  const QDepthwiseConv2dShape s = test::random_vector_depthwise(integer);
  q_vector_depthwise_pack(s, w, bias, multiplier, packed);
  q_vector_depthwise(s, x, packed, out, y, scratch);
  hash(s.batch * s.out_h * s.out_w * s.channels);
}

TINYTC_NOINLINE void dense(const QOutput& out) {
  const QDenseShape s{integer(1, 2), integer(1, 100), integer(1, 40)};
  q_vector_dense_pack(s, w, bias, multiplier, packed);
  q_vector_dense(s, x, packed, out, y, scratch);
  hash(s.rows * s.out);
}

/// The largest of windows 3 x 2, padded and with gaps.
TINYTC_NOINLINE void largest() {
  const Pool2dShape s{2, 5, 6, integer(1, 40), 3, 4, 3, 2, integer(1, 2), 2, 1, integer(1, 2), 1, 1, 1, 1, 0};
  q_max_pool2d(s, x, y);
  hash(s.batch * s.out_h * s.out_w * s.channels);
}

}  // namespace

int main() {
  for (int round = 1; round <= 160; ++round) {
    fill_tensors(round % 4 == 0);
    QOutput out{integer(-128, 127), -128, 127};
    if (integer(0, 3) == 0) {
      out.lo = integer(-128, 50);
      out.hi = integer(out.lo, 127);
    }
    convolution(out);
    depthwise(out);
    dense(out);
    largest();
    if (round % 4 == 0) {
      board::print_unsigned(crc);
      board::print("\n");
    }
  }
  return 0;
}
