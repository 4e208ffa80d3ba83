// Random int8 convolutions with what q_conv2d_plain makes of them, for the tests of the kernels that must
// give the same.
#ifndef TINYTC_TEST_RUNTIME_Q_CONV_LAYER_H
#define TINYTC_TEST_RUNTIME_Q_CONV_LAYER_H

#include "runtime/q_conv2d_plain.h"
#include "test/runtime/check_lead.h"
#include "test/runtime/q_test.h"
#include "test/runtime/q_vector_shapes.h"

namespace tinytc::test {

/// Makes the padding on the left wider than what pixels read.
inline void pad_widely(Random& random, QConv2dShape& s) {
  s.pad_left += random.integer(5, 25);
  s.out_w += s.pad_left / s.stride_w;
}

/// Makes one image with rows of 14 to 50 outputs.
inline void lengthen_rows(Random& random, QConv2dShape& s) {
  s.batch = 1;
  s.out_w = random.integer(14, 50);
  const int read = (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
  s.in_w = max_of(1, read - s.pad_left - random.integer(0, 1));
}

/// Makes one image with columns of 14 to 50 outputs.
inline void lengthen_columns(Random& random, QConv2dShape& s) {
  s.batch = 1;
  s.out_h = random.integer(14, 50);
  const int read = (s.out_h - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
  s.in_h = max_of(1, read - s.pad_top - random.integer(0, 1));
}

/// A layer's constants and input, and its result.
struct RandomLayer {
  QConv2dShape s;
  std::vector<std::int8_t> x, w;
  std::vector<std::int32_t> bias;
  Scales scales;
  QOutput out;
  std::vector<std::int8_t> expected;

  RandomLayer(Random& random, const QConv2dShape& shape, int least_weight = -128)
      : s(shape),
        x(random_int8(random, in_size(s))),
        w(random_int8(random, s.out_c * q_conv2d_taps(s), least_weight)),
        bias(random_bias(random, s.out_c, 20000)),
        scales(random, s.out_c, 0.01, random.integer(0, 1)),
        out(random_output(random)),
        expected(static_cast<std::size_t>(out_size(s))) {
    std::vector<std::uint32_t> scratch(static_cast<std::size_t>(q_conv2d_plain_scratch(s)));
    q_conv2d_plain(s, x.data(), w.data(), bias.data(), scales.view(), out, expected.data(), scratch.data());
  }
};

}  // namespace tinytc::test

#endif  // TINYTC_TEST_RUNTIME_Q_CONV_LAYER_H
