// Cycles of int8 layers with packed weights and with the same weights in ONNX's order, where a trained tensor stays.
//
//     scripts/bench --plain
//
// Layers of the MLPerf Tiny networks, each as emitted code would call it: a constant shape in a function of its own. A region's name is
// "network/layer/packed" or ".../plain". Weights are packed on the board, before the regions. Exit code 1 when the two forms differ.
#include "board.h"
#include "marker.h"
#include "runtime/q_conv2d_plain.h"
#include "runtime/q_dense_plain.h"
#include "runtime/q_depthwise_conv2d.h"

namespace {

using namespace tinytc;

constexpr int most_elements = 48 * 48 * 16, most_weights = 82000, most_channels = 128;
std::int8_t x[most_elements], packed_y[most_elements], plain_y[most_elements], weights[most_weights];
std::uint32_t packed[most_weights / 2], scratch[8192];
std::int32_t bias[most_channels], multiplier[most_channels];
constexpr QOutput out{-3, -128, 127};
constexpr std::int32_t one_in_1024 = std::int32_t{1} << 22;  // of 2^32: sums of int8 products fill a byte
int differences = 0;

void fill() {
  std::uint32_t state = 1;
  const auto byte = [&state] {
    state = state * 1664525U + 1013904223U;
    return static_cast<std::int8_t>(state >> 24);
  };
  for (std::int8_t& value : x) value = byte();
  for (std::int8_t& value : weights) {
    value = byte();
    if (value == -128) value = -127;
  }
  for (std::int32_t& value : bias) value = byte() * 64;
  for (std::int32_t& value : multiplier) value = one_in_1024;
}

void compare(int count) {
  for (int i = 0; i < count; ++i) differences += packed_y[i] != plain_y[i] ? 1 : 0;
}

const QScale scale{multiplier, nullptr};

template <int H, int W, int C, int OH, int OW, int OC, int KH, int KW, int S, int PT, int PL>
struct Conv {
  static constexpr QConv2dShape shape{1, H, W, C, OH, OW, OC, KH, KW, S, S, 1, 1, PT, PL, 1, -5};
  static constexpr int outputs = OH * OW * OC;
  static void pack() { q_conv2d_pack(shape, weights, bias, multiplier, packed); }
  TINYTC_NOINLINE static void run_packed() {
    constexpr QConv2dShape s = shape;
    q_conv2d(s, x, packed, nullptr, out, packed_y, scratch);
  }
  TINYTC_NOINLINE static void run_plain() {
    constexpr QConv2dShape s = shape;
    q_conv2d_plain(s, x, weights, bias, scale, out, plain_y, scratch);
  }
};

template <int H, int W, int C, int OH, int OW, int S, int P>
struct Depthwise {
  static constexpr QDepthwiseConv2dShape shape(int is_packed) { return {1, H, W, C, 1, OH, OW, 3, 3, S, S, 1, 1, P, P, -5, is_packed}; }
  static constexpr int outputs = OH * OW * C;
  static void pack() { q_depthwise_conv2d_pack(shape(1), weights, reinterpret_cast<std::int8_t*>(packed)); }
  TINYTC_NOINLINE static void run_packed() {
    constexpr QDepthwiseConv2dShape s = shape(1);
    q_depthwise_conv2d(s, x, reinterpret_cast<const std::int8_t*>(packed), bias, scale, out, packed_y, scratch);
  }
  TINYTC_NOINLINE static void run_plain() {
    constexpr QDepthwiseConv2dShape s = shape(0);
    q_depthwise_conv2d(s, x, weights, bias, scale, out, plain_y, scratch);
  }
};

template <int In, int Out>
struct Dense {
  static constexpr QDenseShape shape{1, In, Out};
  static constexpr int outputs = Out;
  static void pack() { q_dense_pack(shape, weights, packed); }
  TINYTC_NOINLINE static void run_packed() {
    constexpr QDenseShape s = shape;
    q_dense(s, x, packed, bias, scale, out, packed_y, scratch);
  }
  TINYTC_NOINLINE static void run_plain() {
    constexpr QDenseShape s = shape;
    q_dense_plain(s, x, weights, bias, scale, out, plain_y, scratch);
  }
};

#define LAYER(name, ...)                 \
  {                                      \
    using Layer = __VA_ARGS__;           \
    Layer::pack();                       \
    TINYTC_REGION_BEGIN(name "/packed"); \
    Layer::run_packed();                 \
    TINYTC_REGION_END(name "/packed");   \
    TINYTC_REGION_BEGIN(name "/plain");  \
    Layer::run_plain();                  \
    TINYTC_REGION_END(name "/plain");    \
    compare(Layer::outputs);             \
  }

}  // namespace

int main(int, char**) {
  fill();
  LAYER("kws/first 10x4", Conv<49, 10, 1, 25, 5, 64, 10, 4, 2, 4, 1>)
  LAYER("kws/1x1 64 to 64", Conv<25, 5, 64, 25, 5, 64, 1, 1, 1, 0, 0>)
  LAYER("kws/depthwise 3x3", Depthwise<25, 5, 64, 25, 5, 1, 1>)
  LAYER("kws/dense 64 to 12", Dense<64, 12>)
  LAYER("ic/first 3x3", Conv<32, 32, 3, 32, 32, 16, 3, 3, 1, 1, 1>)
  LAYER("ic/3x3 16 to 32 stride 2", Conv<32, 32, 16, 16, 16, 32, 3, 3, 2, 0, 0>)
  LAYER("ic/3x3 64 to 64", Conv<8, 8, 64, 8, 8, 64, 3, 3, 1, 1, 1>)
  LAYER("vww/1x1 8 to 16", Conv<48, 48, 8, 48, 48, 16, 1, 1, 1, 0, 0>)
  LAYER("vww/1x1 128 to 128", Conv<6, 6, 128, 6, 6, 128, 1, 1, 1, 0, 0>)
  LAYER("vww/depthwise 3x3 stride 2", Depthwise<24, 24, 32, 12, 12, 2, 0>)
  LAYER("ad/dense 640 to 128", Dense<640, 128>)
  LAYER("ad/dense 128 to 128", Dense<128, 128>)
  return differences == 0 ? 0 : 1;
}
