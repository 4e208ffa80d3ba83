// Taking constant channels out changes no bit: random chains of int8 layers of which some channels are constant, before and after.
#include "passes/remove_channels.h"

#include <catch2/catch.hpp>

#include <random>

#include "codegen/execute.h"
#include "compiler/op.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

class Chain {
 public:
  explicit Chain(unsigned seed) : random_(seed) {
    last_ = add_value(graph, {"x", {DType::i8, {1, 3, 9, 8}}, Role::input});
    graph.inputs = {last_};
  }
  Graph graph;

  int number(int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random_); }

  /// A convolution; about every third output channel has no weights and gives its zero point, or some other number.
  void conv(int outputs, int kernel, bool separate) {
    const int inputs = static_cast<int>(graph.shape(last_)[1]), channels = separate ? inputs : outputs, pad = kernel / 2 * number(0, 1);
    const int taps = (separate ? 1 : inputs) * kernel * kernel;
    std::vector<double> weight, bias, multiplier;
    for (int o = 0; o < channels; ++o) {
      const bool constant = number(0, 2) == 0;
      for (int k = 0; k < taps; ++k) weight.push_back(constant ? 0 : number(-30, 30));
      bias.push_back(constant ? number(0, 1) * 300 : number(-2000, 2000));
      multiplier.push_back(number(1 << 24, 1 << 27));
    }
    const auto constant = [&](DType dtype, Shape shape, const std::vector<double>& numbers) {
      return add_constant(graph, "c", dtype, shape, numbers);
    };
    const std::int64_t count = channels;
    add("Int8Conv",
        {last_, constant(DType::i8, {count, separate ? 1 : inputs, kernel, kernel}, weight), constant(DType::i32, {count}, bias),
         constant(DType::i32, {count}, multiplier)},
        {{"group", std::int64_t{separate ? inputs : 1}}, {"pads", std::vector<std::int64_t>(4, pad)}, {"x_zero_point", std::int64_t{zero_}}});
  }

  void pool_and_dense() {
    const Shape shape = graph.shape(last_);
    const std::int64_t window = shape[2] * shape[3];
    add("Int8AveragePool",
        {last_, add_constant(graph, "m", DType::i32, {window}, std::vector<double>(static_cast<std::size_t>(window), 1 << 30)),
         add_constant(graph, "s", DType::i8, {window}, std::vector<double>(static_cast<std::size_t>(window), 33))},
        {{"is_global", std::int64_t{1}}, {"x_zero_point", std::int64_t{zero_}}});
    add("Reshape", {last_}, {{"shape", Shape{1, shape[1]}}});
    std::vector<double> weight;
    for (std::int64_t i = 0; i < 4 * shape[1]; ++i) weight.push_back(number(-100, 100));
    add("Int8Dense", {last_, add_constant(graph, "w", DType::i8, {4, shape[1]}, weight), add_constant(graph, "b", DType::i32, {4}, {1, 2, 3, 4}),
                      add_constant(graph, "m", DType::i32, {4}, std::vector<double>(4, 1 << 27))}, {});
  }

  void finish() { graph.outputs = {last_}; }

 private:
  void add(const std::string& op, std::vector<ValueId> inputs, Attributes attributes) {
    if (op != "Reshape") {
      zero_ = number(-1, 1) * 128 + (number(0, 1) != 0 ? 5 : 0);
      zero_ = std::max(-128, std::min(127, zero_));
      attributes.set("y_zero_point", std::int64_t{zero_});
      attributes.set("y_lo", std::int64_t{zero_ > 100 ? -128 : std::max(zero_, -128)});
    }
    last_ = add_node(graph, op, std::move(inputs), 1, std::move(attributes), {op, op, 0}, "n").front();
  }
  std::mt19937 random_;
  ValueId last_ = no_value;
  int zero_ = 3;  // of `last_`
};

std::int64_t weight_bytes(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const Node& node : graph.nodes)
    for (ValueId id : node.inputs)
      if (id != no_value && graph.value(id).role == Role::constant) bytes += byte_count(graph.type(id));
  return bytes;
}

}  // namespace

TEST_CASE("a graph without its constant channels computes the same") {
  std::int64_t before = 0, after = 0;
  for (unsigned seed = 0; seed < 12; ++seed) {
    Chain chain(seed);
    chain.conv(8, 1, false);
    chain.conv(0, 3, true);
    chain.conv(chain.number(6, 9), 1, false);
    if (seed % 2 == 0) chain.conv(7, 3, false);
    chain.conv(0, 3, true);
    chain.conv(6, 1, false);
    if (seed % 3 != 0) chain.pool_and_dense();
    chain.finish();
    Graph smaller = chain.graph;
    remove_channels(smaller);
    remove_dead(smaller);
    Tensor x(static_cast<std::size_t>(byte_count(chain.graph.type(chain.graph.inputs[0]))));
    for (std::byte& byte : x) byte = static_cast<std::byte>(chain.number(0, 255));
    INFO("seed " << seed);
    CHECK(execute(smaller, {x}) == execute(chain.graph, {x}));
    before += weight_bytes(chain.graph);
    after += weight_bytes(smaller);
  }
  CHECK(after < before * 9 / 10);  // a third of the channels is constant; some of these are needed beside padding
}

TEST_CASE("channels that only a constant channel reads go with it") {
  Graph graph;
  const ValueId x = add_value(graph, {"x", {DType::i8, {1, 4, 6, 6}}, Role::input});
  graph.inputs = {x};
  const auto constant = [&](DType dtype, Shape shape, const std::vector<double>& numbers) { return add_constant(graph, "c", dtype, shape, numbers); };
  const auto layer = [&](ValueId input, const Shape& weight, const std::vector<double>& numbers, std::int64_t groups, std::int64_t pad) {
    const std::int64_t channels = weight[0];
    return add_node(graph, "Int8Conv",
                    {input, constant(DType::i8, weight, numbers), constant(DType::i32, {channels}, std::vector<double>(static_cast<std::size_t>(channels), 50)),
                     constant(DType::i32, {channels}, std::vector<double>(static_cast<std::size_t>(channels), 1 << 27))},
                    1, {{"group", groups}, {"pads", std::vector<std::int64_t>(4, pad)}, {"x_zero_point", std::int64_t{0}}}, {"conv", "Conv", 0}, "n")
        .front();
  };
  std::vector<double> first(32), second(72), third(64);
  for (std::size_t i = 0; i < 32; ++i) first[i] = static_cast<double>(i % 7) - 3;
  for (std::size_t i = 0; i < 72; ++i) second[i] = i < 45 ? static_cast<double>(i % 5) - 2 : 0;  // channels 5, 6, 7 give a constant
  for (std::size_t i = 0; i < 64; ++i) third[i] = static_cast<double>(i % 9) - 4;
  graph.outputs = {layer(layer(layer(x, {8, 4, 1, 1}, first, 1, 0), {8, 1, 3, 3}, second, 8, 1), {8, 8, 1, 1}, third, 1, 0)};
  Graph smaller = graph;
  remove_channels(smaller);
  remove_dead(smaller);
  // Five of eight are needed; four at a time makes it eight. With channel 4 constant too, four remain.
  CHECK(smaller.shape(smaller.nodes[0].outputs[0])[1] == 8);
  for (std::size_t i = 36; i < 45; ++i) second[i] = 0;
  graph.nodes[1].inputs[1] = constant(DType::i8, {8, 1, 3, 3}, second);
  smaller = graph;
  remove_channels(smaller);
  remove_dead(smaller);
  CHECK(smaller.shape(smaller.nodes[0].outputs[0])[1] == 4);
  CHECK(smaller.shape(smaller.nodes[1].outputs[0])[1] == 4);
  Tensor input(144);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::byte>(i * 37);
  CHECK(execute(smaller, {input}) == execute(graph, {input}));
}

}  // namespace tinytc
