// Firmware that runs every kernel outside of the convolution family on seeded data and prints a CRC-32 of the
// bits of each group's results. same_bits_test.py builds it with many compilers, flags and cores and
// compares: all must print the same.
//
// Inputs come from integers alone, so they are the same everywhere. Bits of NaN differ between cores and are
// hashed as one value.
#include "board.h"
#include "runtime/activations.h"
#include "runtime/arithmetic.h"
#include "runtime/broadcast.h"
#include "runtime/crc32.h"
#include "runtime/loss.h"
#include "runtime/math.h"
#include "runtime/move_shapes.h"
#include "runtime/normalize.h"
#include "runtime/random.h"
#include "runtime/reduce_shapes.h"
#include "runtime/resize.h"
#include "runtime/resize_tables.h"
#include "runtime/sinks.h"
#include "runtime/softmax.h"

using namespace tinytc;

namespace {

constexpr int size = 120;
std::uint32_t crc = 0;

void hash(const std::uint8_t* bytes, std::size_t count) { crc = crc32(crc, bytes, count); }

template <typename T>
void add(const T* values, int count) {
  for (int i = 0; i < count; ++i) {
    const T value = values[i] != values[i] ? not_a_number<T>() : values[i];
    std::uint8_t bytes[sizeof(T)];
    __builtin_memcpy(bytes, &value, sizeof(T));
    hash(bytes, sizeof(T));
  }
}

/// Prints the group's CRC and starts the next group.
void finish(const char* name) {
  board::print(name);
  board::print(" ");
  board::print_unsigned(crc);
  board::print("\n");
  crc = 0;
}

/// Numbers in [-2, 2) with all bits of their significand in use, from `seed`.
template <typename T>
struct Data {
  T values[size];
  explicit Data(std::uint32_t seed) {
    for (int i = 0; i < size; ++i) {
      const std::int32_t high =
          static_cast<std::int32_t>(random_bits(seed, static_cast<std::uint32_t>(2 * i)));
      const std::int32_t low =
          static_cast<std::int32_t>(random_bits(seed, static_cast<std::uint32_t>(2 * i + 1)) >> 8);
      values[i] =
          static_cast<T>(high) * power_of_two(T(), -30) + static_cast<T>(low) * power_of_two(T(), -61);
    }
  }
};

/// A function over 1,500 floats with every exponent and sign, and as many of everyday size.
template <typename F>
TINYTC_NOINLINE void over_floats(const char* name, F function) {
  for (std::uint32_t i = 0; i < 1500; ++i) {
    const float wild = from_bits(random_bits(9, i));
    const float tame = mul_add(-12.0f, random_uniform<float>(8, i), 24.0f);
    const float results[] = {function(wild), function(tame)};
    add(results, 2);
  }
  finish(name);
}

template <typename F>
TINYTC_NOINLINE void over_doubles(const char* name, F function) {
  for (std::uint32_t i = 0; i < 100; ++i) {
    const double result = function(mul_add(-12.0, random_uniform<double>(8, i), 24.0));
    add(&result, 1);
  }
  finish(name);
}

void run_math() {
  over_floats("exp", [](float x) { return math_exp(x); });
  over_floats("expm1", [](float x) { return math_expm1(x); });
  over_floats("log", [](float x) { return math_log(x); });
  over_floats("log1p", [](float x) { return math_log1p(x); });
  over_floats("tanh", [](float x) { return math_tanh(x); });
  over_floats("sigmoid", [](float x) { return math_sigmoid(x); });
  over_floats("softplus", [](float x) { return math_softplus(x); });
  over_floats("erf", [](float x) { return math_erf(x); });
  over_floats("sin", [](float x) { return math_sin(x); });
  over_floats("cos", [](float x) { return math_cos(x); });
  over_floats("sqrt", [](float x) { return math_sqrt(x); });
  over_floats("round", [](float x) { return math_round(x) + math_floor(x) + math_ceil(x); });
  over_floats("pow",
              [](float x) { return math_pow(x, 1.7f) + math_pow(math_abs(x), -0.37f) + math_pow(1.3f, x); });
  over_doubles("exp double", [](double x) { return math_exp(x); });
  over_doubles("log double", [](double x) { return math_log(math_abs(x)); });
  over_doubles("erf double", [](double x) { return math_erf(x); });
  over_doubles("sin double", [](double x) { return math_sin(x); });
  over_doubles("pow double", [](double x) { return math_pow(math_abs(x), 1.7); });
  over_doubles("sqrt double", [](double x) { return math_sqrt(x); });
}

template <typename T, typename F>
TINYTC_NOINLINE void unary_both(F f) {
  const Data<T> x(1), dy(2);
  T y[size], dx[size];
  const ElementwiseShape shape{size};
  unary(shape, f, x.values, y);
  unary_grad(shape, f, x.values, y, dy.values, dx);
  add(y, size);
  add(dx, size);
}

template <typename T>
void run_unary(const char* name) {
  unary_both<T>(Relu<T>{});
  unary_both<T>(LeakyRelu<T>{T(0.1)});
  unary_both<T>(Elu<T>{T(0.7)});
  unary_both<T>(Selu<T>{T(1.6), T(1.05)});
  unary_both<T>(Celu<T>{T(1.3)});
  unary_both<T>(HardSigmoid<T>{T(0.2), T(0.5)});
  unary_both<T>(HardSwish<T>{});
  unary_both<T>(Softsign<T>{});
  unary_both<T>(Gelu<T>{});
  unary_both<T>(GeluTanh<T>{});
  unary_both<T>(Swish<T>{T(1.3)});
  unary_both<T>(Mish<T>{});
  unary_both<T>(Clip<T>{T(-1), T(1)});
  unary_both<T>(Erf<T>{});
  unary_both<T>(Reciprocal<T>{});
  unary_both<T>(Abs<T>{});
  finish(name);
}

template <typename T, typename F>
TINYTC_NOINLINE void binary_both(F f) {
  const Data<T> a(1), b(2), dy(3);
  T y[size], da[size];
  const BroadcastShape shape = make_broadcast_shape({3, {4, 5, 6}}, {2, {5, 1}});
  binary(shape, f, a.values, b.values, y);
  binary_grad(shape, f, true, a.values, b.values, dy.values, da);
  add(y, size);
  add(da, size);
}

template <typename T>
TINYTC_NOINLINE void run_binary(const char* name) {
  binary_both<T>(Add<T>{});
  binary_both<T>(Mul<T>{});
  binary_both<T>(Div<T>{});
  binary_both<T>(Pow<T>{});
  binary_both<T>(Max<T>{});
  binary_both<T>(PRelu<T>{});
  finish(name);
}

template <typename T, typename F>
TINYTC_NOINLINE void reduce_both(F f) {
  const Data<T> x(1), dy(2);
  T y[size], dx[size];
  const bool reduced[] = {true, false, true};
  const ReduceShape shape = make_reduce_shape({3, {4, 5, 6}}, reduced);
  reduce(shape, f, x.values, y);
  reduce_grad(shape, f, x.values, y, dy.values, dx);
  add(y, 5);
  add(dx, size);
}

template <typename T>
TINYTC_NOINLINE void run_reduce(const char* name) {
  reduce_both<T>(SumOf<T>{});
  reduce_both<T>(MeanOf<T>{});
  reduce_both<T>(L2Of<T>{});
  reduce_both<T>(SumSquareOf<T>{});
  const Data<T> x(1);
  T y[size];
  const bool reduced[] = {false, true, false};
  reduce_log_sum_exp(make_reduce_shape({3, {4, 5, 6}}, reduced), x.values, y);
  add(y, 24);
  finish(name);
}

template <typename T>
TINYTC_NOINLINE void run_resize(const char* name) {
  const Data<T> x(1);
  T y[size], dx[size], weight[9];
  std::int32_t low[9];
  resize_linear_table(ResizeAxis{5, 9, 1.8, ResizeCoordinates::half_pixel}, low, weight);
  const GatherShape shape{2, 5, 6, 9};
  resize_linear(shape, low, weight, x.values, y);
  resize_linear_grad(shape, low, weight, y, dx);
  add(y, 108);
  add(dx, 60);
  finish(name);
}

template <typename T>
TINYTC_NOINLINE void run_softmax(const char* name) {
  const Data<T> x(1), dy(2);
  T y[size], dx[size], scratch[16];
  const AxisShape shapes[] = {{12, 10, 1}, {4, 5, 6}};
  for (const AxisShape& shape : shapes) {
    softmax(shape, x.values, y, scratch);
    softmax_grad(shape, y, dy.values, dx, scratch);
    add(y, size);
    add(dx, size);
    log_softmax(shape, x.values, y, scratch);
    log_softmax_grad(shape, y, dy.values, dx, scratch);
    add(y, size);
    add(dx, size);
  }
  finish(name);
}

template <typename T>
TINYTC_NOINLINE void run_normalize(const char* name) {
  const Data<T> x(1), scale(2), bias(3), dy(4);
  T y[size], dx[size], mean[12], inverse[12], scratch[24], running[24] = {};
  const LayerNormShape rows{12, 10};
  layer_norm(rows, T(1e-5), x.values, scale.values, bias.values, y, mean, inverse);
  layer_norm_grad(rows, x.values, scale.values, mean, inverse, dy.values, dx);
  add(y, size);
  add(dx, size);
  layer_norm_scale_grad(rows, x.values, mean, inverse, dy.values, StoreGradient<T>{dx});
  add(dx, 10);
  const ChannelShape channels{10, 12, 1};
  T variance[12];
  batch_statistics(channels, T(1e-5), x.values, mean, variance, inverse);
  running_statistics(ElementwiseShape{12}, RunningStep<T>{T(0.9), T(10) / T(9)}, mean, variance, running, running + 12);
  batch_norm_train(channels, x.values, scale.values, bias.values, mean, inverse, y);
  batch_norm_train_grad(channels, x.values, scale.values, mean, inverse, dy.values, dx, scratch);
  add(y, size);
  add(dx, size);
  batch_norm(channels, T(1e-5), x.values, scale.values, bias.values, running, running + 12, y, scratch);
  add(y, size);
  add(running, 24);
  batch_norm_scale_grad(channels, x.values, mean, inverse, dy.values, StoreGradient<T>{dx});
  add(dx, 12);
  finish(name);
}

template <typename T, typename F>
TINYTC_NOINLINE void pointwise_both(F f) {
  const Data<T> x(1), t(2);
  T loss[1], dx[size];
  pointwise_loss(ElementwiseShape{size}, 1, f, x.values, t.values, loss);
  pointwise_loss_grad(ElementwiseShape{size}, 1, f, x.values, t.values, loss, dx);
  add(loss, 1);
  add(dx, size);
}

template <typename T>
TINYTC_NOINLINE void run_loss(const char* name) {
  const Data<T> x(1), weight(5);
  T loss[24], dx[size], scratch[16];
  std::int32_t label[24];
  for (int i = 0; i < 24; ++i)
    label[i] = static_cast<std::int32_t>(random_bits(3, static_cast<std::uint32_t>(i)) % 5);
  const AxisShape shape{4, 5, 6};
  softmax_cross_entropy(shape, LossReduction{0, 2}, x.values, label, weight.values, loss);
  softmax_cross_entropy_grad(shape, LossReduction{1, 2}, x.values, label, weight.values, loss, dx, scratch);
  add(loss, 24);
  add(dx, size);
  pointwise_both<T>(SquaredError<T>{});
  pointwise_both<T>(Huber<T>{T(0.7)});
  pointwise_both<T>(BinaryCrossEntropyWithLogits<T>{});
  finish(name);
}

template <typename T>
TINYTC_NOINLINE void run_sinks(const char* name) {
  Data<T> w(1), m(6), v(7);
  const Data<T> gradient(2);
  for (T& value : v.values) value = math_abs(value);
  const ElementwiseShape shape{size};
  apply_sink(shape, Sgd<T>{w.values, T(0.01), T(0.003)}, gradient.values);
  apply_sink(shape, Momentum<T>{w.values, m.values, T(0.01), T(0.9), T(0.003), true}, gradient.values);
  const AdamSettings<T> settings{T(0.9), T(0.999), T(0.1), T(0.001), T(1e-8), T(0.01)};
  T corrections[2] = {}, step[3];
  for (int i = 0; i < 3; ++i) {
    adam_step(settings, T(0.01), corrections, step);
    apply_sink(shape, adam_sink(settings, step, w.values, m.values, v.values), gradient.values);
    apply_sink(shape, adamw_sink(settings, step, w.values, m.values, v.values), gradient.values);
  }
  add(w.values, size);
  add(m.values, size);
  add(v.values, size);
  finish(name);
}

TINYTC_NOINLINE void run_random() {
  float y[size];
  fill_normal(ElementwiseShape{size}, 3u, 0.0f, 0.3f, y);
  add(y, size);
  fill_uniform(ElementwiseShape{size}, 3u, -0.3f, 0.7f, y);
  add(y, size);
  dropout(ElementwiseShape{size}, 0.25f, 3u, y, y);
  add(y, size);
  finish("random");
}

}  // namespace

int main(int, char**) {
  run_math();
  run_unary<float>("unary");
  run_binary<float>("binary");
  run_reduce<float>("reduce");
  run_resize<float>("resize");
  run_softmax<float>("softmax");
  run_normalize<float>("normalize");
  run_loss<float>("loss");
  run_sinks<float>("sinks");
  run_sinks<double>("sinks double");
  run_normalize<double>("normalize double");
  run_random();
  return 0;
}
