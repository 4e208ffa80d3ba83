// Runs the multiplying float kernels on seeded random shapes and prints a CRC of each family's results:
// kernels_test.py demands that the host (portable code) and the emulated boards (assembly) print the same.
#include "board.h"
#include "runtime/bias_grad.h"
#include "runtime/conv2d.h"
#include "runtime/conv2d_grad.h"
#include "runtime/conv2d_pointwise.h"
#include "runtime/crc32.h"
#include "runtime/depthwise_conv2d.h"
#include "runtime/gemm.h"
#include "runtime/pool2d.h"
#include "runtime/sinks.h"

namespace {

using namespace tinytc;

constexpr int elements = 2600;
float x[elements];
float y[elements];
float w[elements];
float scratch[elements];
float bias[64];
std::uint8_t argmax[elements];
std::uint32_t state = 1;
std::uint32_t crc = 0;

int integer(int low, int high) {
  state = state * 1664525U + 1013904223U;
  return low + static_cast<int>((state >> 8) % static_cast<std::uint32_t>(high - low + 1));
}

void fill(float* values, int count) {
  for (int i = 0; i < count; ++i) {
    values[i] = static_cast<float>(integer(-1000000, 1000000)) / 1000003.0F;
  }
}

void fill_all() {
  fill(x, elements);
  fill(y, elements);
  fill(w, elements);
  fill(bias, 64);
}

void add_to_crc(const float* values) {
  crc = crc32(crc, reinterpret_cast<const std::uint8_t*>(values), sizeof(float) * elements);
}

/// Prints the checksum of `rounds` calls on new numbers.
template <typename Run>
void family(const char* name, int rounds, Run run) {
  crc = 0;
  for (int i = 0; i < rounds; ++i) {
    fill_all();
    run();
  }
  board::print(name);
  board::print(" ");
  board::print_unsigned(crc);
  board::print("\n");
}

const float* maybe(const float* values) { return integer(0, 1) != 0 ? values : nullptr; }

Activation<float> activation() { return Activation<float>{-0.5F, 0.75F, integer(0, 1) != 0}; }

int outputs(int in, int kernel, int stride, int dilation, int pads) {
  const int room = in + pads - (kernel - 1) * dilation - 1;
  return room < 0 ? 0 : room / stride + 1;
}

Conv2dShape conv_shape() {
  for (;;) {
    const bool pointwise = integer(0, 3) == 0;
    const int groups = integer(0, 3) == 0 ? 2 : 1;
    Conv2dShape s{integer(1, 2),
                  integer(1, 9),
                  integer(1, 12),
                  groups * integer(1, 5),
                  0,
                  0,
                  groups * integer(1, 9),
                  1,
                  1,
                  1,
                  1,
                  1,
                  1,
                  0,
                  0,
                  groups,
                  integer(0, 1)};
    if (!pointwise) {
      s.kernel_h = integer(1, 4);
      s.kernel_w = integer(1, 5);
      s.stride_h = integer(1, 2);
      s.stride_w = integer(1, 3);
      s.dilation_w = integer(1, 2);
      s.pad_top = integer(0, s.kernel_h - 1);
      s.pad_left = integer(0, s.kernel_w - 1);
    }
    s.out_h = outputs(s.in_h, s.kernel_h, s.stride_h, s.dilation_h, 2 * s.pad_top);
    s.out_w = outputs(s.in_w, s.kernel_w, s.stride_w, s.dilation_w, 2 * s.pad_left);
    const int out = s.batch * s.out_h * s.out_w * s.out_c;
    if (out > 0 && out <= elements && s.out_c * conv2d_taps(s) <= elements &&
        s.batch * s.in_h * s.in_w * s.in_c <= elements) {
      return s;
    }
  }
}

TINYTC_NOINLINE void forward(const Conv2dShape& s) {
  const Activation<float> a = activation();
  const float* residual = maybe(y);
  if (conv2d_pointwise_serves(s)) {
    conv2d_pointwise(s, x, w, maybe(bias), residual, a, y, scratch);
    add_to_crc(y);
  }
  conv2d(s, x, w, maybe(bias), residual, a, y, scratch);
}

TINYTC_NOINLINE void input_grad(const Conv2dShape& s) {
  const Activation<float> a = activation();
  const float* residual = maybe(x);
  conv2d_input_grad(s, y, w, maybe(bias), residual, a, x, scratch);
}

TINYTC_NOINLINE void weight_grad(const Conv2dShape& s) {
  conv2d_weight_grad(s, x, y, Sgd<float>{w, 0.125F, 0.0F});
}

DepthwiseConv2dShape depthwise_shape() {
  for (;;) {
    DepthwiseConv2dShape s{};
    s.batch = 1;
    s.in_h = integer(1, 9);
    s.in_w = integer(1, 12);
    s.channels = integer(0, 1) != 0 ? integer(1, 7) : integer(12, 36);
    s.multiplier = integer(0, 3) == 0 ? integer(2, 5) : 1;
    s.kernel_h = integer(1, 4);
    s.kernel_w = integer(1, 4);
    s.stride_h = integer(1, 2);
    s.stride_w = integer(1, 2);
    s.dilation_h = integer(1, 2);
    s.dilation_w = integer(1, 2);
    s.pad_top = integer(0, s.kernel_h - 1);
    s.pad_left = integer(0, s.kernel_w - 1);
    s.packed = integer(0, 2) == 0 ? 0 : 1;
    s.out_h = outputs(s.in_h, s.kernel_h, s.stride_h, s.dilation_h, 2 * s.pad_top);
    s.out_w = outputs(s.in_w, s.kernel_w, s.stride_w, s.dilation_w, 2 * s.pad_left);
    const int out = s.out_h * s.out_w * s.channels * s.multiplier;
    if (out > 0 && out <= elements && s.in_h * s.in_w * s.channels <= elements &&
        s.channels * s.multiplier <= 64 && s.channels * s.multiplier * s.kernel_h * s.kernel_w <= elements) {
      return s;
    }
  }
}

TINYTC_NOINLINE void depthwise(const DepthwiseConv2dShape& s) {
  const Activation<float> a = activation();
  const float* residual = maybe(y);
  depthwise_conv2d(s, x, w, maybe(bias), residual, a, y);
  add_to_crc(y);
  if (s.multiplier == 1) {
    depthwise_conv2d_one(s, x, w, maybe(bias), residual, a, y);
    add_to_crc(y);
  }
  depthwise_conv2d_input_grad(s, y, w, maybe(bias), static_cast<const float*>(nullptr), a, x);
  add_to_crc(x);
  depthwise_conv2d_weight_grad(s, x, y, Sgd<float>{w, 0.125F, 0.0F});
}

TINYTC_NOINLINE void product(const GemmShape& s) {
  const Activation<float> a = activation();
  gemm(s, 0.75F, x, w, 0.5F, maybe(bias), a, y);
  add_to_crc(y);
  if (s.m == 1) {
    gemm_row(s, 0.75F, x, w, 0.5F, maybe(bias), a, y);
    add_to_crc(y);
  }
  gemm_grad(s, x, w, Sgd<float>{y, 0.125F, 0.0F});
}

GemmShape gemm_shape() {
  GemmShape s{};
  s.m = integer(0, 1) != 0 ? 1 : integer(2, 9);
  s.n = integer(1, 40);
  s.k = integer(0, 3) == 0 ? 1 : integer(1, 64);
  const bool a_transposed = integer(0, 3) == 0;
  const bool b_transposed = integer(0, 1) != 0;
  s.a_row = a_transposed ? 1 : s.k;
  s.a_column = a_transposed ? s.m : 1;
  s.b_row = b_transposed ? 1 : s.n;
  s.b_column = b_transposed ? s.k : 1;
  s.c_column = 1;
  return s;
}

TINYTC_NOINLINE void pools() {
  const int h = integer(2, 9);
  const int v = integer(2, 9);
  const int k = integer(1, 2);
  const Pool2dShape s{1, v, h, integer(1, 9), (v - k) / 2 + 1, (h - k) / 2 + 1, k, k, 2, 2, 1, 1, 0, 0,
                      0, 0, 0};
  max_pool2d(s, x, y, argmax);
  add_to_crc(y);
  max_pool2d_grad(s, y, argmax, x);
  add_to_crc(x);
  average_pool2d(s, w, y);
  add_to_crc(y);
  average_pool2d_grad(s, y, x);
  add_to_crc(x);
  bias_grad(ChannelShape{integer(1, 20), integer(1, 20), 1}, w, StoreGradient<float>{bias});
  crc = crc32(crc, reinterpret_cast<const std::uint8_t*>(bias), sizeof bias);
}

}  // namespace

int main() {
  family("conv2d", 40, [] {
    forward(conv_shape());
    add_to_crc(y);
  });
  family("conv2d_input_grad", 40, [] {
    input_grad(conv_shape());
    add_to_crc(x);
  });
  family("conv2d_weight_grad", 40, [] {
    weight_grad(conv_shape());
    add_to_crc(w);
  });
  family("depthwise_conv2d", 40, [] {
    depthwise(depthwise_shape());
    add_to_crc(w);
  });
  family("gemm", 40, [] {
    product(gemm_shape());
    add_to_crc(y);
  });
  family("pool2d", 20, pools);
  return 0;
}
