// Cycles of the multiplying float kernels on the layer shapes of the MLPerf Tiny networks and of a few
// training steps.
//
//     scripts/emulate --target nrf52840 --main test/firmware/bench_kernels.cpp --ram 2M --flash 2M --json
//     result.json
//
// Each layer runs as emitted code would call it: a constant shape in a function of its own. A region's name
// is "network/layer/multiply-accumulates/how many such layers the network has". Values do not matter to the
// count.
#include "marker.h"
#include "runtime/conv2d.h"
#include "runtime/bias_grad.h"
#include "runtime/conv2d_grad.h"
#include "runtime/depthwise_conv2d.h"
#include "runtime/gemm.h"
#include "runtime/pool2d.h"
#include "runtime/sinks.h"

namespace {

using namespace tinytc;

constexpr int elements = 49152;
float x[elements];
float y[elements];
float z[elements];
float scratch[8192];
const float weights[83000] = {1};
float trained[83000];
const float bias[1024] = {1};
std::uint8_t argmax[elements];
float rate = 0.01F;

constexpr Activation<float> relu{0.0F, __builtin_inff(), false};

#define LAYER(name, macs, times, body)            \
  TINYTC_REGION_BEGIN(name "/" #macs "/" #times); \
  body();                                         \
  TINYTC_REGION_END(name "/" #macs "/" #times)

template <int H, int W, int C, int OH, int OW, int OC, int KH, int KW, int S, int PT, int PL, int Packed>
TINYTC_NOINLINE void conv() {
  constexpr Conv2dShape s{1, H, W, C, OH, OW, OC, KH, KW, S, S, 1, 1, PT, PL, 1, Packed};
  conv2d(s, x, Packed ? weights : trained, bias, static_cast<const float*>(nullptr), relu, y, scratch);
}

template <int H, int W, int C, int OH, int OW, int S, int P, int Packed>
TINYTC_NOINLINE void depthwise() {
  constexpr DepthwiseConv2dShape s{1, H, W, C, 1, OH, OW, 3, 3, S, S, 1, 1, P, P, Packed};
  depthwise_conv2d(s, x, Packed ? weights : trained, bias, static_cast<const float*>(nullptr), relu, y);
}

template <int N, int K>
TINYTC_NOINLINE void dense() {
  constexpr GemmShape s{1, N, K, K, 1, 1, K, 0, 1, 0, {}, {}, {}};
  gemm(s, 1.0F, x, weights, 1.0F, bias, relu, y);
}

template <int H, int W, int C, int OH, int OW, int OC, int KH, int KW, int S, int PT, int PL>
TINYTC_NOINLINE void conv_input_grad() {
  constexpr Conv2dShape s{1, H, W, C, OH, OW, OC, KH, KW, S, S, 1, 1, PT, PL, 1, 0};
  conv2d_input_grad(s, y, trained, static_cast<const float*>(nullptr), static_cast<const float*>(nullptr),
                    no_activation<float>(), x, scratch);
}

template <int H, int W, int C, int OH, int OW, int OC, int KH, int KW, int S, int PT, int PL>
TINYTC_NOINLINE void conv_weight_grad() {
  constexpr Conv2dShape s{1, H, W, C, OH, OW, OC, KH, KW, S, S, 1, 1, PT, PL, 1, 0};
  conv2d_weight_grad(s, x, y, Sgd<float>{trained, rate, 0.0F});
}

template <int N, int K>
TINYTC_NOINLINE void dense_weight_grad() {
  constexpr GemmShape s{N, K, 1, 1, 1, K, 1, 0, 0, 0, {}, {}, {}};
  gemm_grad(s, y, x, Sgd<float>{trained, rate, 0.0F});
}

template <int N, int K>
TINYTC_NOINLINE void dense_input_grad() {
  constexpr GemmShape s{1, K, N, N, 1, K, 1, 0, 0, 0, {}, {}, {}};
  gemm(s, 1.0F, y, trained, 0.0F, static_cast<const float*>(nullptr), no_activation<float>(), z);
}

template <int H, int W, int C, int K>
TINYTC_NOINLINE void max_pool() {
  constexpr Pool2dShape s{1, H, W, C, H / K, W / K, K, K, K, K, 1, 1, 0, 0, 0, 0, 0};
  max_pool2d(s, x, y, argmax);
}

template <int H, int W, int C, int K>
TINYTC_NOINLINE void max_pool_grad() {
  constexpr Pool2dShape s{1, H, W, C, H / K, W / K, K, K, K, K, 1, 1, 0, 0, 0, 0, 0};
  max_pool2d_grad(s, y, argmax, x);
}

template <int H, int W, int C>
TINYTC_NOINLINE void average_pool() {
  constexpr Pool2dShape s{1, H, W, C, 1, 1, H, W, H, W, 1, 1, 0, 0, 0, 0, 0};
  average_pool2d(s, x, y);
}

template <int Rows, int C>
TINYTC_NOINLINE void bias_gradient() {
  constexpr ChannelShape s{Rows, C, 1};
  bias_grad(s, y, Sgd<float>{trained, rate, 0.0F});
}

void kws() {
  LAYER("kws/first", 320000, 1, (conv<49, 10, 1, 25, 5, 64, 10, 4, 2, 4, 1, 1>));
  LAYER("kws/depthwise", 72000, 4, (depthwise<25, 5, 64, 25, 5, 1, 1, 1>));
  LAYER("kws/pointwise", 512000, 4, (conv<25, 5, 64, 25, 5, 64, 1, 1, 1, 0, 0, 1>));
  LAYER("kws/pool", 0, 1, (average_pool<25, 5, 64>));
  LAYER("kws/dense", 768, 1, (dense<12, 64>));
}

void ic() {
  LAYER("ic/first", 442368, 1, (conv<32, 32, 3, 32, 32, 16, 3, 3, 1, 1, 1, 1>));
  LAYER("ic/3x3x16", 2359296, 2, (conv<32, 32, 16, 32, 32, 16, 3, 3, 1, 1, 1, 1>));
  LAYER("ic/3x3x16 to 32", 1179648, 1, (conv<32, 32, 16, 16, 16, 32, 3, 3, 2, 0, 0, 1>));
  LAYER("ic/3x3x32", 2359296, 1, (conv<16, 16, 32, 16, 16, 32, 3, 3, 1, 1, 1, 1>));
  LAYER("ic/1x1x16 to 32", 131072, 1, (conv<32, 32, 16, 16, 16, 32, 1, 1, 2, 0, 0, 1>));
  LAYER("ic/3x3x32 to 64", 1179648, 1, (conv<16, 16, 32, 8, 8, 64, 3, 3, 2, 0, 0, 1>));
  LAYER("ic/3x3x64", 2359296, 1, (conv<8, 8, 64, 8, 8, 64, 3, 3, 1, 1, 1, 1>));
  LAYER("ic/1x1x32 to 64", 131072, 1, (conv<16, 16, 32, 8, 8, 64, 1, 1, 2, 0, 0, 1>));
  LAYER("ic/pool", 0, 1, (average_pool<8, 8, 64>));
  LAYER("ic/dense", 640, 1, (dense<10, 64>));
}

void vww() {
  LAYER("vww/first", 497664, 1, (conv<96, 96, 3, 48, 48, 8, 3, 3, 2, 0, 0, 1>));
  LAYER("vww/depthwise 48", 165888, 1, (depthwise<48, 48, 8, 48, 48, 1, 1, 1>));
  LAYER("vww/1x1x8", 294912, 1, (conv<48, 48, 8, 48, 48, 16, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 48 to 24", 82944, 1, (depthwise<48, 48, 16, 24, 24, 2, 0, 1>));
  LAYER("vww/1x1x16", 294912, 1, (conv<24, 24, 16, 24, 24, 32, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 24", 165888, 1, (depthwise<24, 24, 32, 24, 24, 1, 1, 1>));
  LAYER("vww/1x1x32", 589824, 1, (conv<24, 24, 32, 24, 24, 32, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 24 to 12", 41472, 1, (depthwise<24, 24, 32, 12, 12, 2, 0, 1>));
  LAYER("vww/1x1x32 to 64", 294912, 1, (conv<12, 12, 32, 12, 12, 64, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 12", 82944, 1, (depthwise<12, 12, 64, 12, 12, 1, 1, 1>));
  LAYER("vww/1x1x64", 589824, 1, (conv<12, 12, 64, 12, 12, 64, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 12 to 6", 20736, 1, (depthwise<12, 12, 64, 6, 6, 2, 0, 1>));
  LAYER("vww/1x1x64 to 128", 294912, 1, (conv<6, 6, 64, 6, 6, 128, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 6", 41472, 5, (depthwise<6, 6, 128, 6, 6, 1, 1, 1>));
  LAYER("vww/1x1x128", 589824, 5, (conv<6, 6, 128, 6, 6, 128, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 6 to 3", 10368, 1, (depthwise<6, 6, 128, 3, 3, 2, 0, 1>));
  LAYER("vww/1x1x128 to 256", 294912, 1, (conv<3, 3, 128, 3, 3, 256, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/depthwise 3", 20736, 1, (depthwise<3, 3, 256, 3, 3, 1, 1, 1>));
  LAYER("vww/1x1x256", 589824, 1, (conv<3, 3, 256, 3, 3, 256, 1, 1, 1, 0, 0, 1>));
  LAYER("vww/pool", 0, 1, (average_pool<3, 3, 256>));
  LAYER("vww/dense", 512, 1, (dense<2, 256>));
}

void ad() {
  LAYER("ad/640 to 128", 81920, 1, (dense<128, 640>));
  LAYER("ad/128", 16384, 6, (dense<128, 128>));
  LAYER("ad/128 to 8", 1024, 1, (dense<8, 128>));
  LAYER("ad/8 to 128", 1024, 1, (dense<128, 8>));
  LAYER("ad/128 to 640", 81920, 1, (dense<640, 128>));
}

void training() {
  LAYER("mlp/forward 1", 25088, 1, (dense<32, 784>));
  LAYER("mlp/forward 2", 320, 1, (dense<10, 32>));
  LAYER("mlp/dX 2", 320, 1, (dense_input_grad<10, 32>));
  LAYER("mlp/dW 2", 320, 1, (dense_weight_grad<10, 32>));
  LAYER("mlp/dW 1", 25088, 1, (dense_weight_grad<32, 784>));
  LAYER("cnn/conv 1", 48672, 1, (conv<28, 28, 1, 26, 26, 8, 3, 3, 1, 0, 0, 0>));
  LAYER("cnn/pool 1", 0, 1, (max_pool<26, 26, 8, 2>));
  LAYER("cnn/conv 2", 139392, 1, (conv<13, 13, 8, 11, 11, 16, 3, 3, 1, 0, 0, 0>));
  LAYER("cnn/pool 2", 0, 1, (max_pool<11, 11, 16, 2>));
  LAYER("cnn/dense", 4000, 1, (dense<10, 400>));
  LAYER("cnn/dX dense", 4000, 1, (dense_input_grad<10, 400>));
  LAYER("cnn/dW dense", 4000, 1, (dense_weight_grad<10, 400>));
  LAYER("cnn/pool 2 grad", 0, 1, (max_pool_grad<11, 11, 16, 2>));
  LAYER("cnn/dX conv 2", 139392, 1, (conv_input_grad<13, 13, 8, 11, 11, 16, 3, 3, 1, 0, 0>));
  LAYER("cnn/dW conv 2", 139392, 1, (conv_weight_grad<13, 13, 8, 11, 11, 16, 3, 3, 1, 0, 0>));
  LAYER("cnn/db conv 2", 0, 1, (bias_gradient<121, 16>));
  LAYER("cnn/pool 1 grad", 0, 1, (max_pool_grad<26, 26, 8, 2>));
  LAYER("cnn/dW conv 1", 48672, 1, (conv_weight_grad<28, 28, 1, 26, 26, 8, 3, 3, 1, 0, 0>));
  LAYER("cnn/db conv 1", 0, 1, (bias_gradient<676, 8>));
  LAYER("plain/kws pointwise", 512000, 1, (conv<25, 5, 64, 25, 5, 64, 1, 1, 1, 0, 0, 0>));
  LAYER("plain/ic 3x3x32", 2359296, 1, (conv<16, 16, 32, 16, 16, 32, 3, 3, 1, 1, 1, 0>));
  LAYER("plain/kws depthwise", 72000, 1, (depthwise<25, 5, 64, 25, 5, 1, 1, 0>));
}

}  // namespace

int main() {
  kws();
  ic();
  vww();
  ad();
  training();
  return 0;
}
