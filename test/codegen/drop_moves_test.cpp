// Paddings that windows absorb and results that are their operand: no bit changes, and what would change one stays.
#include "passes/drop_moves.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>

#include "compiler/verify.h"
#include "test/codegen/int8_graphs.h"

namespace tinytc {

namespace {

/// Checks that the pass leaves these operators and the results' bits.
void check_drops(Int8Builder& b, const Names& left) {
  Graph graph = b.graph;
  drop_moves(graph);
  verify(graph, "drop_moves");
  CHECK(ops_of(graph) == left);
  for (int i = 0; i < 3; ++i) {
    const std::vector<Tensor> feeds = b.feeds();
    CHECK(execute(graph, feeds) == execute(b.graph, feeds));
  }
}

ValueId pad(Int8Builder& b, ValueId x, Shape pads, double value) { return b.node("Pad", {x}, {{"pads", std::move(pads)}, {"constant_value", value}}); }

double zero_point_of(const Int8Builder& b) { return static_cast<double>(b.graph.nodes.back().attributes.get_int("x_zero_point", 0)); }

/// The last node reads its input through a padding of that value.
void pad_last(Int8Builder& b, const Shape& pads, double value) {
  const Node last = b.graph.nodes.back();
  b.graph.nodes.pop_back();
  std::vector<ValueId> inputs = last.inputs;
  inputs[0] = pad(b, inputs[0], pads, value);
  b.output(b.node(last.op->name, inputs, last.attributes));
}

ValueId average(Int8Builder& b, ValueId x, std::int64_t kernel, double scale, std::int64_t zero_point, Attributes attributes) {
  std::vector<double> multiplier, shift(static_cast<std::size_t>(kernel * kernel), 30);
  for (std::int64_t n = 1; n <= kernel * kernel; ++n) multiplier.push_back(std::floor(scale * (1 << 30) / static_cast<double>(n)));
  attributes.set("kernel_shape", Shape{kernel, kernel});
  attributes.set("x_zero_point", zero_point);
  return b.node("Int8AveragePool", {x, b.stored("m", DType::i32, {kernel * kernel}, multiplier), b.stored("s", DType::i8, {kernel * kernel}, shift)}, std::move(attributes));
}

}  // namespace

TEST_CASE("int8 convolutions absorb padding with their zero point") {
  for (unsigned seed = 0; seed < 4; ++seed) {
    Int8Builder b(seed);
    b.conv(b.bytes("x", {1, 3, 7, 6}), 5, 3, 1 + seed % 2);
    SECTION("on all sides") {
      pad_last(b, {0, 0, 1, 2, 0, 0, 0, 1}, zero_point_of(b));
      check_drops(b, {"Int8Conv"});
    }
    SECTION("not another number") {
      pad_last(b, {0, 0, 1, 2, 0, 0, 0, 1}, zero_point_of(b) > 0 ? zero_point_of(b) - 1 : zero_point_of(b) + 1);
      check_drops(b, {"Pad", "Int8Conv"});
    }
    SECTION("not what cuts off") {
      pad_last(b, {0, 0, -1, 2, 0, 0, 0, 1}, zero_point_of(b));
      check_drops(b, {"Pad", "Int8Conv"});
    }
  }
  Int8Builder channels(1);  // nor channels
  channels.conv(channels.bytes("x", {1, 3, 7, 6}), 5, 1);
  Node& conv = channels.graph.nodes.back();
  conv.inputs[1] = channels.stored("w", DType::i8, {5, 4, 1, 1}, channels.numbers(20, -127, 127));
  pad_last(channels, {0, 1, 0, 0, 0, 0, 0, 0}, zero_point_of(channels));
  check_drops(channels, {"Pad", "Int8Conv"});
}

TEST_CASE("int8 pools absorb padding that they do not see") {
  Int8Builder b(3);
  const ValueId x = b.bytes("x", {1, 3, 7, 6});
  const Attributes max{{"kernel_shape", Shape{3, 2}}, {"strides", Shape{2, 1}}};
  SECTION("a maximum, the least number") {
    b.output(b.node("MaxPool", {pad(b, x, {0, 0, 1, 1, 0, 0, 2, 0}, -128)}, max));
    check_drops(b, {"MaxPool"});
  }
  SECTION("a maximum, no other number") {
    b.output(b.node("MaxPool", {pad(b, x, {0, 0, 1, 1, 0, 0, 2, 0}, -127)}, max));
    check_drops(b, {"Pad", "MaxPool"});
  }
  SECTION("a maximum, no window in the padding") {
    b.output(b.node("MaxPool", {pad(b, x, {0, 0, 1, 2, 0, 0, 2, 0}, -128)}, max));
    check_drops(b, {"Pad", "MaxPool"});
  }
  SECTION("an average, the zero point") {
    b.output(average(b, pad(b, x, {0, 0, 1, 2, 0, 0, 2, 1}, 7), 3, 0.8, 7, {}));
    check_drops(b, {"Int8AveragePool"});
  }
  SECTION("an average, not beside padding that does not count") {
    b.output(average(b, pad(b, x, {0, 0, 1, 1, 0, 0, 1, 1}, 7), 3, 0.8, 7, {{"pads", Shape{1, 1, 1, 1}}}));
    check_drops(b, {"Pad", "Int8AveragePool"});
  }
  SECTION("an average, beside padding that counts") {
    b.output(average(b, pad(b, x, {0, 0, 1, 1, 0, 0, 1, 1}, 7), 3, 0.8, 7, {{"pads", Shape{1, 1, 1, 1}}, {"count_include_pad", std::int64_t{1}}}));
    check_drops(b, {"Int8AveragePool"});
  }
}

TEST_CASE("float windows absorb padding, and a padding that something else reads stays") {
  Int8Builder b(4);
  const ValueId x = b.input("x", {1, 2, 5, 6});
  const auto conv = [&](ValueId from) { return b.node("Conv", {from, b.constant("w", {3, 2, 3, 3})}, {{"auto_pad", std::string("SAME_UPPER")}}); };
  const auto check = [&](const Names& left) {
    Graph graph = b.graph;
    drop_moves(graph);
    CHECK(ops_of(graph) == left);
    std::vector<float> numbers(60);
    for (float& number : numbers) number = static_cast<float>(b.number(-1000, 1000)) / 64;
    Tensor feed(numbers.size() * sizeof(float));
    std::memcpy(feed.data(), numbers.data(), feed.size());
    CHECK(execute(graph, {feed}) == execute(b.graph, {feed}));
  };
  SECTION("a convolution") {
    b.output(conv(pad(b, x, {0, 0, 1, 0, 0, 0, 2, 1}, 0)));
    check({"Conv"});
  }
  SECTION("an average") {
    b.output(b.node("AveragePool", {pad(b, x, {0, 0, 1, 0, 0, 0, 1, 1}, 0)}, {{"kernel_shape", Shape{2, 2}}}));
    check({"AveragePool"});
  }
  SECTION("a maximum") {
    b.output(b.node("MaxPool", {pad(b, x, {0, 0, 1, 0, 0, 0, 1, 1}, -std::numeric_limits<double>::infinity())}, {{"kernel_shape", Shape{2, 2}}}));
    check({"MaxPool"});
  }
  SECTION("a maximum does not see zeros as nothing") {
    b.output(b.node("MaxPool", {pad(b, x, {0, 0, 1, 0, 0, 0, 1, 1}, 0)}, {{"kernel_shape", Shape{2, 2}}}));
    check({"Pad", "MaxPool"});
  }
  SECTION("two readers") {
    const ValueId padded = pad(b, x, {0, 0, 1, 0, 0, 0, 2, 1}, 0);
    b.output(conv(padded)), b.output(b.node("Relu", {padded}));
    check({"Pad", "Conv", "Relu"});
  }
}

TEST_CASE("pools of single elements go where scale and zero point stay, and only there") {
  Int8Builder b(5);
  const ValueId x = b.conv(b.bytes("x", {1, 4, 1, 1}), 6, 1);
  const Attributes global{{"is_global", std::int64_t{1}}, {"y_zero_point", std::int64_t{9}}};
  const auto pooled = [&](double scale, std::int64_t zero_point, Attributes attributes) {
    b.output(b.conv(average(b, x, 1, scale, zero_point, std::move(attributes)), 3, 1));
  };
  SECTION("the same") {
    pooled(1, 9, global);
    check_drops(b, {"Int8Conv", "Int8Conv"});
  }
  SECTION("another scale") {
    pooled(0.99, 9, global);
    check_drops(b, {"Int8Conv", "Int8AveragePool", "Int8Conv"});
  }
  SECTION("another zero point") {
    pooled(1, 8, global);
    check_drops(b, {"Int8Conv", "Int8AveragePool", "Int8Conv"});
  }
  SECTION("a bound") {
    Attributes bounded = global;
    bounded.set("y_hi", std::int64_t{126});
    pooled(1, 9, bounded);
    check_drops(b, {"Int8Conv", "Int8AveragePool", "Int8Conv"});
  }
  SECTION("a maximum") {
    b.output(b.conv(b.node("MaxPool", {b.node("GlobalMaxPool", {x})}, {{"kernel_shape", Shape{1, 1}}}), 3, 1));
    check_drops(b, {"Int8Conv", "Int8Conv"});
  }
  SECTION("an output stays an operator's") {
    b.output(b.node("GlobalMaxPool", {x}));
    check_drops(b, {"Int8Conv", "GlobalMaxPool"});
  }
}

TEST_CASE("a pool that leaves pixels out, or has more than one, stays") {
  Int8Builder b(6);
  const ValueId x = b.bytes("x", {1, 4, 3, 3});
  SECTION("strides") { b.output(b.conv(b.node("MaxPool", {x}, {{"kernel_shape", Shape{1, 1}}, {"strides", Shape{2, 2}}}), 3, 1)); }
  SECTION("a map") { b.output(b.conv(b.node("GlobalMaxPool", {x}), 3, 1)); }
  const Names all = ops_of(b.graph);
  check_drops(b, all);
}

TEST_CASE("a table that gives each number itself goes") {
  for (const int changed : {-1, 0, 128, 255}) {
    Int8Builder b(7);
    std::vector<double> table(256);
    for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = i - 128 + (i == changed ? (i == 255 ? -1 : 1) : 0);
    const ValueId x = b.conv(b.bytes("x", {1, 4, 5, 5}), 6, 1);
    b.output(b.conv(b.node("Int8Table", {x, b.stored("t", DType::i8, {256}, table)}), 3, 1));
    check_drops(b, changed < 0 ? Names{"Int8Conv", "Int8Conv"} : Names{"Int8Conv", "Int8Table", "Int8Conv"});
  }
}

}  // namespace tinytc
