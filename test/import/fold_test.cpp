// Shape arithmetic and functions: what exporters write around Reshape, Slice, Expand and Resize, and
// operators made of others.
#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

using Names = std::vector<std::string>;

/// Imports `nodes`, which compute the int64 vector `s` from x of shape [2,3,4], and answers the value of s:
/// it is added to a constant so that it stays visible.
std::vector<std::int64_t> folded(const std::string& nodes, int length) {
  const std::string n = std::to_string(length);
  const Graph graph = import_graph("g (float[2,3,4] x, int64[" + n + "] z) => (int64[" + n + "] y) { " +
                                   nodes + " y = Add(z, s) }");
  REQUIRE(operators_of(graph) == Names{"Add"});
  return integers_of(graph.value(graph.nodes[0].inputs[1]));
}

using Integers = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("Shape and Size are known") {
  REQUIRE(folded("s = Shape(x)", 3) == Integers{2, 3, 4});
  REQUIRE(folded("s = Shape<start = 1>(x)", 2) == Integers{3, 4});
  REQUIRE(folded("s = Shape<start = -2, end = -1>(x)", 1) == Integers{3});
  REQUIRE(folded("n = Size(x) a = Constant<value_ints = [0]>() s = Unsqueeze(n, a)", 1) == Integers{24});
}

TEST_CASE("what is computed from shapes is known") {
  const std::string shape = "d = Shape(x) one = Constant<value_ints = [1]>() ";
  REQUIRE(folded(shape + "i = Constant<value_ints = [2, -3]>() s = Gather(d, i)", 2) == Integers{4, 2});
  REQUIRE(folded(shape + "i = Constant<value_int = 1>() g = Gather(d, i) a = Constant<value_ints = [0]>() u "
                         "= Unsqueeze(g, a) "
                         "m = Constant<value_ints = [-1]>() s = Concat<axis = 0>(u, m)",
                 2) == Integers{3, -1});
  REQUIRE(folded(shape +
                     "b = Constant<value_ints = [-1]>() e = Constant<value_ints = [-9223372036854775807]>() "
                     "a = Constant<value_ints = [0]>() s = Slice(d, b, e, a, b)",
                 3) == Integers{4, 3, 2});
  REQUIRE(folded(shape + "t = Constant<value_ints = [2, 2, 3]>() s = Div(d, t)", 3) == Integers{1, 1, 1});
  REQUIRE(folded(shape + "t = Constant<value_int = 3>() m = Neg(d) s = Mod(m, t)", 3) == Integers{1, 0, 2});
  REQUIRE(
      folded(
          shape +
              "t = Constant<value_int = 3>() s0 = Mul(d, t) s1 = Sub(s0, d) s2 = Max(s1, t) s = Min(s2, s0)",
          3) == Integers{4, 6, 8});
  REQUIRE(folded(shape + "t = Constant<value_int = 3>() c = Equal(d, t) n = Not(c) m = Constant<value_ints = "
                         "[-1]>() s = Where(n, m, d)",
                 3) == Integers{-1, 3, -1});
  REQUIRE(folded(shape + "p = ReduceProd<keepdims = 1>(d) s = Identity(p)", 1) == Integers{24});
  REQUIRE(folded("a = Constant<value_int = 1>() b = Constant<value_int = 8>() c = Constant<value_int = 3>() "
                 "s = Range(a, b, c)",
                 3) == Integers{1, 4, 7});
  REQUIRE(folded(shape + "i = Cast<to = 6>(d) s = Cast<to = 7>(i)", 3) == Integers{2, 3, 4});
  REQUIRE(folded("f = Constant<value = double[2] {2.0, -1.0}>() s = Cast<to = 7>(f)", 2) == Integers{2, -1});
  REQUIRE(folded("n = Constant<value_ints = [2]>() s = ConstantOfShape<value = int64[1] {5}>(n)", 2) ==
          Integers{5, 5});
}

TEST_CASE("matrices of integers are folded, too: the legacy exporter's pads") {
  // pads in pairs from the last axis to ONNX's order: Reshape to [-1,2], reverse the rows, transpose, flatten
  REQUIRE(
      folded(
          "p = Constant<value_ints = [1, 2, 3, 4]>() r = Constant<value_ints = [-1, 2]>() m = Reshape(p, r) "
          "b = Constant<value_ints = [-1]>() e = Constant<value_ints = [-9]>() a = Constant<value_ints = "
          "[0]>() "
          "v = Slice(m, b, e, a, b) t = Transpose<perm = [1, 0]>(v) f = Constant<value_ints = [-1]>() s = "
          "Reshape(t, f)",
          4) == Integers{3, 1, 4, 2});
}

TEST_CASE("lists of floats are moved, too: Resize's scales") {
  const Graph graph = import_graph(
      "g (float[1,2,3,4] x) => (float[1,2,6,?] y) { a = Constant<value_floats = [1.0, 1.0]>() b = Constant<value_floats = [9.0, 2.0, 3.0]>() "
      "i = Constant<value_ints = [1, 2]>() c = Gather(b, i) s = Concat<axis = 0>(a, c) e = Constant<value_floats = [0.0]>() "
      "n = Constant<value_ints = [0]>() r = Slice(e, n, n) y = Resize(x, r, s) }");
  REQUIRE(operators_of(graph) == Names{"Resize"});
  REQUIRE(graph.value(graph.outputs[0]).type.shape == Shape{1, 2, 6, 12});
}

TEST_CASE("a window of a pool that would start in the padding does not count") {
  // 5 + 1 elements by 3: the third window would start behind them. Without ceil_mode there are 2, too.
  for (const char* op : {"MaxPool", "AveragePool"}) {
    const Graph graph = import_graph(std::string("g (float[1,1,5,5] x) => (float[1,1,?,?] y) { y = ") + op +
                                     "<kernel_shape = [2, 3], strides = [3, 3], pads = [1, 0, 1, 0], ceil_mode = 1>(x) }");
    REQUIRE(graph.value(graph.outputs[0]).type.shape == Shape{1, 1, 2, 2});
  }
}

TEST_CASE("division by zero in shape arithmetic is no crash") {
  REQUIRE_THROWS_AS(
      import_graph("g (float[2] x) => (float[?] y) { d = Shape(x) z = Constant<value_int = 0>() "
                   "s = Div(d, z) y = Reshape(x, s) }"),
      UserError);
}

TEST_CASE("a Reshape whose target is computed from the shape needs no computation") {
  const Graph graph = import_graph(R"(g (float[N,3,4] x) => (float[N,12] y) {
      d = Shape(x)
      zero = Constant<value_int = 0>()
      n = Gather(d, zero)
      axis = Constant<value_ints = [0]>()
      nu = Unsqueeze(n, axis)
      rest = Constant<value_ints = [-1]>()
      target = Concat<axis = 0>(nu, rest)
      y = Reshape(x, target) })",
                                   21, {.batch = 5});
  REQUIRE(operators_of(graph) == Names{"Reshape"});
  REQUIRE(graph.nodes[0].inputs.size() == 1);
  REQUIRE(graph.nodes[0].attributes.get_ints("shape", {}) == Integers{5, 12});
}

TEST_CASE("Expand and Reshape to the same shape vanish") {
  REQUIRE(operators_of(import_graph("g (float[2,3] x) => (float[2,3] y) { d = Shape(x) e = Expand(x, d) r = "
                                    "Reshape(e, d) y = Neg(r) }")) == Names{"Neg"});
}

TEST_CASE("an If whose condition is known is its branch") {
  const std::string text = R"(g (float[2,COLUMNS] x) => (float[2] y) {
      d = Shape(x)
      i = Constant<value_int = 1>()
      n = Gather(d, i)
      one = Constant<value_int = 1>()
      c = Equal(n, one)
      y = If (c) <
        then_branch = t () => (float[2] a) { ax = Constant<value_ints = [1]>() a = Squeeze(x, ax) },
        else_branch = e () => (float[2] b) { ay = Constant<value_ints = [1]>() b = ReduceSum<keepdims = 0>(x, ay) }
      > })";
  const auto with = [&](const std::string& columns) {
    std::string copy = text;
    return operators_of(import_graph(copy.replace(copy.find("COLUMNS"), 7, columns)));
  };
  REQUIRE(with("1") == Names{"Squeeze"});
  REQUIRE(with("5") == Names{"ReduceSum"});
}

TEST_CASE("calls of the model's own functions are inlined") {
  const Graph graph = import_text(R"(<ir_version: 9, opset_import: ["" : 21, "mine" : 1]>
    g (float[2] x) => (float[2] y) { h = mine.twice<factor = 2.0>(x) y = mine.outer(h) }
    <domain: "mine", opset_import: ["" : 21]> twice<factor>(a) => (b) { f = Constant<value_float : float = @factor>() b = Mul(a, f) }
    <domain: "mine", opset_import: ["" : 21, "mine" : 1]> outer(a) => (b) { c = Exp(a) b = mine.twice<factor = 3.0>(c) })");
  REQUIRE(operators_of(graph) == Names{"Mul", "Exp", "Mul"});
  REQUIRE(numbers_of(input_of(graph, graph.nodes[2], 1)) == std::vector<double>{3});
}

TEST_CASE("an operator that the table lacks is written with those that it has") {
  REQUIRE(find_op("MeanVarianceNormalization") == nullptr);
  const Graph graph =
      import_graph("g (float[1,2,3,3] x) => (float[1,2,3,3] y) { [norm] y = MeanVarianceNormalization(x) }");
  REQUIRE(graph.nodes.size() > 5);
  for (const Node& node : graph.nodes)
    REQUIRE(describe(node.location) == "node 'norm' (MeanVarianceNormalization, #0)");
}

}  // namespace tinytc::test
