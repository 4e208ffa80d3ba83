// Random graphs over the operator table, for tests that compare two ways of computing the same thing.
//
// RandomGraph grows a graph node by node: it draws an operator, then operands from the values there are, and
// leaves out what does not fit. So graphs branch, join again (residuals, concatenations), change rank and
// layout, and end in several outputs, some of which are also read by other nodes. Everything follows from the
// seed.
#pragma once

#include <functional>
#include <random>

#include "codegen/execute.h"
#include "compiler/op.h"

namespace tinytc::test {

struct RandomOptions {
  DType dtype = DType::f32;
  int nodes = 30;
  bool sums_any_order = false;  // also operators whose sums take another order in another layout
  bool trains = false;          // weights are parameters and every operator is smooth almost everywhere
};

class RandomGraph {
 public:
  RandomGraph(unsigned seed, RandomOptions options) : options_(options), random_(seed) {
    for (Shape shape : {Shape{1, 4, 6, 5}, Shape{1, 6, 8}, Shape{2, 8}, Shape{1, 4, 6, 5}})
      add_input(std::move(shape));
    for (int tries = 0; static_cast<int>(graph.nodes.size()) < options.nodes && tries < 40 * options.nodes;
         ++tries)
      grow();
    choose_outputs();
  }

  Graph graph;
  std::vector<Tensor> feeds;

  std::vector<double> draw_numbers(const Shape& shape) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < element_count(shape); ++i) numbers.push_back(below(2001) / 1000.0 - 1.0);
    return numbers;
  }
  int below(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  bool coin() { return below(2) == 0; }

 private:
  static constexpr std::int64_t most_elements = 400;
  using Ints = std::vector<std::int64_t>;

  void add_input(Shape shape) {
    const ValueId id =
        add_value(graph, {"x" + std::to_string(graph.inputs.size()), {options_.dtype, shape}, Role::input});
    graph.inputs.push_back(id);
    feeds.push_back(encode(options_.dtype, draw_numbers(shape)));
    values_.push_back(id);
  }

  ValueId constant(const Shape& shape, double scale = 1, double shift = 0) {
    std::vector<double> numbers = draw_numbers(shape);
    for (double& number : numbers) number = shift + scale * number;
    return add_constant(graph, "c" + std::to_string(graph.values.size()), options_.dtype, shape, numbers);
  }
  /// A weight: a constant, or a parameter where the graph trains.
  ValueId weight(const Shape& shape) {
    const ValueId id = constant(shape, 0.6);
    if (options_.trains && below(3) != 0) graph.value(id).role = Role::parameter;
    return id;
  }

  /// A value of rank least..most, the younger the likelier.
  ValueId pick(std::size_t least = 1, std::size_t most = 8) {
    for (int tries = 0; tries < 20; ++tries) {
      const auto count = static_cast<int>(values_.size());
      const ValueId id = values_[static_cast<std::size_t>(std::max(below(count), below(count)))];
      if (graph.shape(id).size() >= least && graph.shape(id).size() <= most) return id;
    }
    return no_value;
  }
  ValueId pick_like(const Shape& shape, ValueId other) {
    std::vector<ValueId> fitting;
    for (ValueId id : values_)
      if (graph.shape(id) == shape && id != other) fitting.push_back(id);
    return fitting.empty() ? other
                           : fitting[static_cast<std::size_t>(below(static_cast<int>(fitting.size())))];
  }

  /// Appends the node if its type rule takes it and its results are neither empty nor large.
  void emit(const std::string& name, std::vector<ValueId> inputs, Attributes attributes = {},
            int outputs = 1) {
    const Location location{name + std::to_string(graph.nodes.size()), name,
                            static_cast<int>(graph.nodes.size())};
    const Node node{&op(name), inputs, std::vector<ValueId>(static_cast<std::size_t>(outputs), no_value),
                    attributes, location};
    try {
      for (const TensorType& type : infer_types(graph, node))
        if (element_count(type.shape) > most_elements || element_count(type.shape) == 0) return;
    } catch (const UserError&) {
      return;
    }
    for (ValueId id : add_node(graph, name, inputs, outputs, attributes, location, location.node))
      values_.push_back(id);
  }

  Ints random_axes(std::size_t rank) {
    Ints axes;
    for (std::size_t axis = 0; axis < rank; ++axis)
      if (below(3) == 0) axes.push_back(static_cast<std::int64_t>(axis));
    if (axes.empty()) axes.push_back(below(static_cast<int>(rank)));
    return axes;
  }

  // --- Kinds of nodes ---

  void unary() {
    static const std::vector<std::string> kinky{"Relu", "LeakyRelu", "Abs", "HardSwish"},
        smooth{"Sigmoid", "Tanh", "Neg", "Softplus"};
    const auto& names = options_.trains || coin() ? smooth : kinky;
    emit(names[static_cast<std::size_t>(below(static_cast<int>(names.size())))], {pick()});
  }
  void clamp() {
    if (options_.trains) return unary();
    if (coin())
      emit("Relu", {pick()});
    else
      emit("Clip", {pick()}, {{"min", -0.3}, {"max", 0.7}});
  }
  void join() {
    const ValueId a = pick();
    static const std::vector<std::string> names{"Add", "Add", "Mul", "Sub"};
    const std::string& name = names[static_cast<std::size_t>(below(4))];
    const ValueId b = pick_like(graph.shape(a), a);
    coin() ? emit(name, {a, b}) : emit(name, {b, a});
  }
  void broadcast() {
    const ValueId a = pick();
    Shape shape = graph.shape(a);
    for (std::int64_t& extent : shape)
      if (coin()) extent = 1;
    shape.erase(shape.begin(), shape.begin() + below(static_cast<int>(shape.size()) + 1));
    const ValueId b = below(4) == 0 ? pick() : weight(shape);
    const std::string name = coin() ? "Add" : "Mul";
    coin() ? emit(name, {a, b}) : emit(name, {b, a});
  }
  void transpose() {
    const ValueId x = pick(2);
    if (x == no_value) return;
    Ints perm;
    for (std::size_t axis = 0; axis < graph.shape(x).size(); ++axis)
      perm.push_back(static_cast<std::int64_t>(axis));
    if (coin())
      std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    else
      for (std::size_t i = perm.size(); i-- > 1;)
        std::swap(perm[i], perm[static_cast<std::size_t>(below(static_cast<int>(i) + 1))]);
    emit("Transpose", {x}, {{"perm", perm}});
  }
  void concat() {
    const ValueId a = pick();
    const int axis = below(static_cast<int>(graph.shape(a).size()));
    std::vector<ValueId> parts{a};
    for (int i = 0; i < 2; ++i) {
      const ValueId b =
          coin() ? pick_like(graph.shape(a), a) : pick(graph.shape(a).size(), graph.shape(a).size());
      if (b != no_value) parts.push_back(b);
    }
    if (below(4) == 0) parts.push_back(weight(graph.shape(a)));
    std::shuffle(parts.begin(), parts.end(), random_);
    emit("Concat", parts,
         {{"axis",
           static_cast<std::int64_t>(coin() ? axis : axis - static_cast<int>(graph.shape(a).size()))}});
  }
  void split() {
    const ValueId x = pick();
    const Shape& shape = graph.shape(x);
    const int axis = below(static_cast<int>(shape.size()));
    const std::int64_t extent = shape[static_cast<std::size_t>(axis)];
    if (extent < 2) return;
    const std::int64_t first = 1 + below(static_cast<int>(extent) - 1);
    emit("Split", {x}, {{"axis", std::int64_t{axis}}, {"split", Ints{first, extent - first}}}, 2);
  }
  void slice() {
    const ValueId x = pick();
    const Shape& shape = graph.shape(x);
    const int axis = below(static_cast<int>(shape.size()));
    const std::int64_t start = below(static_cast<int>(shape[static_cast<std::size_t>(axis)]));
    emit(
        "Slice", {x},
        {{"starts", Ints{start}}, {"ends", Ints{1000}}, {"axes", Ints{axis}}, {"steps", Ints{1 + below(2)}}});
  }
  void pad() {
    const ValueId x = pick();
    Ints pads(2 * graph.shape(x).size(), 0);
    pads[static_cast<std::size_t>(below(static_cast<int>(pads.size())))] = 1 + below(2);
    emit("Pad", {x}, {{"pads", pads}});
  }
  void reshape() {
    const ValueId x = pick();
    switch (below(4)) {
      case 0:
        return emit("Reshape", {x}, {{"shape", Ints{1, -1}}});
      case 1:
        return emit("Reshape", {x}, {{"shape", Ints{1, 2, -1}}});
      case 2:
        return emit("Reshape", {x}, {{"shape", Ints{1, 2, 2, -1}}});
      default:
        return emit("Flatten", {x}, {{"axis", std::int64_t{below(static_cast<int>(graph.shape(x).size()))}}});
    }
  }
  void squeeze() {
    const ValueId x = pick(1, 5);
    if (x == no_value) return;
    if (coin())
      emit("Squeeze", {x});
    else
      emit("Unsqueeze", {x}, {{"axes", Ints{below(static_cast<int>(graph.shape(x).size()) + 1)}}});
  }
  void convolution() {
    const ValueId x = pick(3, 4);
    if (x == no_value) return;
    const Shape shape = graph.shape(x);
    const std::size_t rank = shape.size() - 2;
    std::int64_t groups = 1, outputs = 1 + below(6);
    if (below(3) == 0)
      groups = shape[1], outputs = shape[1] * (1 + below(2));
    else if (below(3) == 0 && shape[1] % 2 == 0)
      groups = 2, outputs = 2 * (1 + below(3));
    const bool transposed = below(4) == 0;
    Shape kernel{transposed ? shape[1] : outputs,
                 transposed ? (outputs + groups - 1) / groups : shape[1] / groups};
    Ints pads(2 * rank), strides, dilations;
    for (std::size_t i = 0; i < rank; ++i) {
      kernel.push_back(1 + below(3));
      strides.push_back(1 + below(2));
      dilations.push_back(1 + below(2));
    }
    for (std::int64_t& entry : pads) entry = below(2);
    Attributes attributes{{"group", groups}, {"strides", strides}, {"dilations", dilations}};
    if (below(3) != 0)
      attributes.set("pads", pads);
    else
      attributes.set("auto_pad", std::string(coin() ? "SAME_UPPER" : "SAME_LOWER"));
    std::vector<ValueId> inputs{x, weight(kernel)};
    if (coin()) inputs.push_back(weight({transposed ? kernel[1] * groups : outputs}));
    emit(transposed ? "ConvTranspose" : "Conv", inputs, attributes);
  }
  void pool() {
    const ValueId x = pick(3, 4);
    if (x == no_value) return;
    static const std::vector<std::string> names{"AveragePool", "GlobalAveragePool", "MaxPool",
                                                "GlobalMaxPool"};
    const int kind = below(options_.trains ? 2 : 4);
    if (kind % 2 == 1) return emit(names[static_cast<std::size_t>(kind)], {x});
    Ints kernel, strides, pads(2 * (graph.shape(x).size() - 2));
    for (std::size_t i = 2; i < graph.shape(x).size(); ++i)
      kernel.push_back(2 + below(2)), strides.push_back(1 + below(2));
    for (std::int64_t& entry : pads) entry = below(2);
    emit(names[static_cast<std::size_t>(kind)], {x},
         {{"kernel_shape", kernel},
          {"strides", strides},
          {"pads", pads},
          {"ceil_mode", std::int64_t{coin()}}});
  }
  void normalization() {
    const ValueId x = pick(2, 4);
    if (x == no_value) return;
    const Shape channels{graph.shape(x)[1]};
    emit("BatchNormalization",
         {x, weight(channels), weight(channels), constant(channels, 0.5), constant(channels, 0.4, 1)});
  }
  void softmax() {
    const ValueId x = pick();
    emit(coin() ? "Softmax" : "LogSoftmax", {x},
         {{"axis", std::int64_t{below(static_cast<int>(graph.shape(x).size()))}}});
  }
  void reduction() {
    const ValueId x = pick();
    const char* name = options_.sums_any_order ? (coin() ? "ReduceMean" : "ReduceSum") : "ReduceMax";
    if (options_.trains) name = "ReduceMean";
    emit(name, {x}, {{"axes", random_axes(graph.shape(x).size())}, {"keepdims", std::int64_t{coin()}}});
  }
  void product() {
    const ValueId a = pick();
    const Shape shape = graph.shape(a);
    const std::int64_t inner = shape.back(), columns = 1 + below(6);
    if (shape.size() == 2 && coin()) {
      const bool transposed = coin();
      std::vector<ValueId> inputs{a, weight(transposed ? Shape{columns, inner} : Shape{inner, columns})};
      const Shape biases[] = {{columns}, {1, columns}, {shape[0], 1}, {1}, {}};
      if (coin()) inputs.push_back(weight(biases[below(5)]));
      return emit("Gemm", inputs,
                  {{"transB", std::int64_t{transposed}},
                   {"alpha", coin() ? 1.0 : 0.5},
                   {"beta", coin() ? 1.0 : 0.25}});
    }
    const ValueId other = pick();
    if (coin()) return emit("MatMul", {a, weight(coin() ? Shape{inner, columns} : Shape{inner})});
    if (coin()) return emit("MatMul", {a, other});
    emit("MatMul", {weight({columns, shape.size() < 2 ? inner : shape[shape.size() - 2]}), a});
  }
  void gather() {
    const ValueId x = pick();
    const int axis = below(static_cast<int>(graph.shape(x).size()));
    const int extent = static_cast<int>(graph.shape(x)[static_cast<std::size_t>(axis)]);
    const ValueId index =
        add_constant(graph, "index", DType::i64, {2},
                     {static_cast<double>(below(extent)), static_cast<double>(below(extent))});
    emit("Gather", {x, index}, {{"axis", std::int64_t{axis}}});
  }

  void grow() {
    using Kind = void (RandomGraph::*)();
    static constexpr Kind kinds[] = {
        &RandomGraph::unary,       &RandomGraph::clamp,         &RandomGraph::clamp,
        &RandomGraph::join,        &RandomGraph::join,          &RandomGraph::broadcast,
        &RandomGraph::broadcast,   &RandomGraph::transpose,     &RandomGraph::transpose,
        &RandomGraph::concat,      &RandomGraph::split,         &RandomGraph::slice,
        &RandomGraph::pad,         &RandomGraph::reshape,       &RandomGraph::squeeze,
        &RandomGraph::convolution, &RandomGraph::convolution,   &RandomGraph::convolution,
        &RandomGraph::pool,        &RandomGraph::normalization, &RandomGraph::softmax,
        &RandomGraph::reduction,   &RandomGraph::product,       &RandomGraph::product,
        &RandomGraph::gather};
    (this->*kinds[below(static_cast<int>(std::size(kinds)))])();
  }

  /// What nobody reads, some values that others read too, sometimes an input, a constant, or one value twice.
  void choose_outputs() {
    const std::vector<int> uses = use_counts(graph);
    for (const Node& node : graph.nodes)
      for (ValueId id : node.outputs)
        if (uses[static_cast<std::size_t>(id)] == 0 || below(6) == 0) graph.outputs.push_back(id);
    if (options_.trains) return;
    if (below(4) == 0) graph.outputs.push_back(graph.inputs[0]);
    if (below(4) == 0) graph.outputs.push_back(constant({3}));
    if (below(4) == 0) graph.outputs.push_back(graph.outputs[0]);
  }

  RandomOptions options_;
  std::mt19937 random_;
  std::vector<ValueId> values_;  // computed values and inputs that nodes may read
};

}  // namespace tinytc::test
