// What a Graph looks like after import, whatever oddities the file had: roles, names, order, ties, external
// data.
#include "test/import/model_text.h"

namespace tinytc::test {

using Names = std::vector<std::string>;

TEST_CASE("inputs, parameters, constants and outputs get their roles") {
  const Graph graph = import_graph(R"(g (float[1,3] x) => (float[1,3] y)
    <float[3] w = {1, 2, 3}, int64[1] unused = {7}> {
      c = Constant<value = float[3] {4, 5, 6}>()
      [first] h = Mul(x, w)
      [second] y = Add(h, c) })");
  REQUIRE(operators_of(graph) == Names{"Mul", "Add"});
  REQUIRE(graph.inputs.size() == 1);
  REQUIRE(graph.value(graph.inputs[0]).role == Role::input);
  REQUIRE(input_of(graph, graph.nodes[0], 1).role == Role::parameter);
  REQUIRE(numbers_of(input_of(graph, graph.nodes[0], 1)) == std::vector<double>{1, 2, 3});
  REQUIRE(input_of(graph, graph.nodes[1], 1).role == Role::constant);
  REQUIRE(numbers_of(input_of(graph, graph.nodes[1], 1)) == std::vector<double>{4, 5, 6});
  REQUIRE(graph.outputs == std::vector<ValueId>{graph.nodes[1].outputs[0]});
  REQUIRE(graph.value(graph.outputs[0]).name == "y");
  REQUIRE(graph.type(graph.outputs[0]) == TensorType{DType::f32, {1, 3}, std::nullopt});
  REQUIRE(describe(graph.nodes[1].location) == "node 'second' (Add, #2)");
  REQUIRE(graph.values.size() == 5);  // 'unused' is gone
  REQUIRE(graph.loss == no_value);
  REQUIRE(graph.name == "model.onnx");
}

TEST_CASE("every way to write a Constant gives a constant") {
  const Graph graph =
      import_graph(R"(g (float[2] x) => (float[2] a, float[2] b, float[2] c, float[2] d, int64[2] e) {
      f = Constant<value_float = 1.5>()
      fs = Constant<value_floats = [1.5, 2.5]>()
      i = Constant<value_int = 3>()
      is = Constant<value_ints = [4, 5]>()
      t = Constant<value = float[2] {6, 7}>()
      a = Add(x, f)
      b = Add(x, fs)
      xi = Cast<to = 7>(x)
      e0 = Add(xi, i)
      e = Add(e0, is)
      c = Add(x, t)
      d = Sub(x, t) })");
  const auto constant = [&](std::size_t node) { return numbers_of(input_of(graph, graph.nodes[node], 1)); };
  REQUIRE(operators_of(graph) == Names{"Add", "Add", "Cast", "Add", "Add", "Add", "Sub"});
  REQUIRE(constant(0) == std::vector<double>{1.5});
  REQUIRE(input_of(graph, graph.nodes[0], 1).type.shape.empty());
  REQUIRE(constant(1) == std::vector<double>{1.5, 2.5});
  REQUIRE(constant(3) == std::vector<double>{3});
  REQUIRE(input_of(graph, graph.nodes[3], 1).type.dtype == DType::i64);
  REQUIRE(constant(4) == std::vector<double>{4, 5});
  REQUIRE(constant(5) == std::vector<double>{6, 7});
  REQUIRE(graph.nodes[5].inputs[1] == graph.nodes[6].inputs[1]);
}

TEST_CASE("initializers of every type keep their numbers, raw or not") {
  auto model = parse_text(R"(<ir_version: 8, opset_import: ["" : 21]> g (float[2] x) => (int32[2] y)
    <int8[2] a = {-1, 127}, uint8[2] b = {0, 255}, int16[2] c = {-2, 3}, int32[2] d = {-70000, 4}, double[2] e = {0.5, -8}> {
      xa = Cast<to = 3>(x)   a1 = Add(xa, a)   a2 = Cast<to = 6>(a1)
      xb = Cast<to = 2>(a2)  b1 = Add(xb, b)   b2 = Cast<to = 5>(b1)
      c1 = Add(b2, c)        c2 = Cast<to = 6>(c1)
      d1 = Add(c2, d)        d2 = Cast<to = 11>(d1)
      e1 = Add(d2, e)        y = Cast<to = 6>(e1) })");
  const std::vector<std::vector<double>> expected = {{-1, 127}, {0, 255}, {-2, 3}, {-70000, 4}, {0.5, -8}};
  const auto check = [&](const Graph& graph) {
    std::size_t k = 0;
    for (const Node& node : graph.nodes)
      if (node.op->name == "Add") REQUIRE(numbers_of(input_of(graph, node, 1)) == expected.at(k++));
    REQUIRE(k == expected.size());
  };
  check(import_model(model));
  auto* raw = model.mutable_graph()->mutable_initializer(0);
  raw->clear_int32_data();
  raw->set_raw_data(std::string("\xFF\x7F", 2));
  check(import_model(model));
}

TEST_CASE("an initializer that is also an input is a parameter, not an argument") {
  const Graph graph =
      import_graph("g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Mul(x, w) }");
  REQUIRE(graph.inputs.size() == 1);
  REQUIRE(input_of(graph, graph.nodes[0], 1).role == Role::parameter);
}

TEST_CASE("a tensor used twice stays one value, also through Identity") {
  const Graph graph = import_graph(R"(g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
      same = Identity(w)
      again = Identity(same)
      h = Mul(x, w)
      y = Add(h, again) })");
  REQUIRE(operators_of(graph) == Names{"Mul", "Add"});
  REQUIRE(graph.nodes[0].inputs[1] == graph.nodes[1].inputs[1]);
}

TEST_CASE("an Identity before an output leaves its name to the value") {
  const Graph graph = import_graph(R"(g (float[2] x) => (float[2] y, float[2] z) {
      h = Neg(x)
      y = Identity(h)
      z = Abs(h) })");
  REQUIRE(operators_of(graph) == Names{"Neg", "Abs"});
  REQUIRE(graph.value(graph.outputs[0]).name == "y");
  REQUIRE(graph.nodes[1].inputs[0] == graph.outputs[0]);
}

TEST_CASE("an Identity from input to output, or between outputs, stays") {
  REQUIRE(operators_of(import_graph("g (float[2] x) => (float[2] y) { y = Identity(x) }")) ==
          Names{"Identity"});
  const Graph graph =
      import_graph("g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Identity(y) }");
  REQUIRE(operators_of(graph) == Names{"Neg", "Identity"});
}

TEST_CASE("unsorted nodes are sorted and keep the numbers that they have in the file") {
  const Graph graph = import_graph(R"(g (float[2] x) => (float[2] y) {
      [last] y = Abs(h)
      [first] k = Neg(x)
      [middle] h = Exp(k) })");
  REQUIRE(operators_of(graph) == Names{"Neg", "Exp", "Abs"});
  REQUIRE(describe(graph.nodes[0].location) == "node 'first' (Neg, #1)");
  REQUIRE(describe(graph.nodes[2].location) == "node 'last' (Abs, #0)");
}

TEST_CASE("two entries for the default domain are one; nodes may use either spelling") {
  auto model =
      parse_text(R"(<ir_version: 8, opset_import: ["" : 17, "ai.onnx" : 17]> g (float[2] x) => (float[2] y) {
      h = Neg(x)  y = Abs(h) })");
  model.mutable_graph()->mutable_node(0)->set_domain("ai.onnx");
  REQUIRE(operators_of(import_model(model)) == Names{"Neg", "Abs"});
}

TEST_CASE("nodes that nothing needs are dropped") {
  REQUIRE(operators_of(import_graph("g (float[2] x) => (float[2] y) { h = Exp(x) k = Log(h) y = Neg(x) }")) ==
          Names{"Neg"});
}

TEST_CASE("names are data: whatever they contain comes through unchanged") {
  std::string long_name;
  while (long_name.size() < 4096) long_name += "\xE6\xBC\xA2\xF0\x9F\x98\x80";  // two characters beyond ASCII
  for (const std::string& name :
       {std::string("*/ int main() {"), std::string("\"'\\"), std::string("a\nb\r\tc"), std::string("class"),
        std::string("\xFF\xFE not UTF-8"),
        std::string("?"
                    "?/"),
        long_name}) {
    auto model = parse_text(
        "<ir_version: 8, opset_import: [\"\" : 21]> g (float[2] x) => (float[2] y) { y = Neg(x) }");
    model.mutable_graph()->mutable_input(0)->set_name(name);
    model.mutable_graph()->mutable_node(0)->set_input(0, name);
    model.mutable_graph()->mutable_node(0)->set_name(name);
    const Graph graph = import_model(model);
    REQUIRE(graph.value(graph.inputs[0]).name == name);
    REQUIRE(graph.nodes[0].location.node == name);
  }
}

namespace {

onnx::ModelProto external_model(const std::string& location, const std::string& offset = "4",
                                const std::string& length = "8") {
  auto model = parse_text(
      "<ir_version: 8, opset_import: [\"\" : 21]> g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = "
      "Mul(x, w) }");
  auto* tensor = model.mutable_graph()->mutable_initializer(0);
  tensor->clear_float_data();
  tensor->clear_raw_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] :
       {std::pair{"location", location}, std::pair{"offset", offset}, std::pair{"length", length}}) {
    auto* entry = tensor->add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return model;
}

const std::string kWeights =
    std::string("skip", 4) + std::string("\x00\x00\x40\x40\x00\x00\x80\x40", 8);  // 3.0f, 4.0f

}  // namespace

TEST_CASE("external data is read from the model's folder") {
  const TemporaryFolder folder;
  folder.write("weights.bin", kWeights);
  const auto path = folder.write("model.onnx", external_model("weights.bin").SerializeAsString());
  const Graph graph = import_onnx(path);
  REQUIRE(numbers_of(input_of(graph, graph.nodes[0], 1)) == std::vector<double>{3, 4});
}

TEST_CASE("external data never leaves the model's folder and never ends early") {
  const TemporaryFolder folder;
  folder.write("weights.bin", kWeights);
  std::filesystem::create_directory(folder.path() / "inner");
  std::filesystem::create_symlink(folder.path() / "weights.bin", folder.path() / "inner" / "link.bin");
  std::ofstream(folder.path() / "inner" / "short.bin") << "12345678";
  const auto message = [&](const onnx::ModelProto& model) {
    std::ofstream(folder.path() / "inner" / "model.onnx", std::ios::binary) << model.SerializeAsString();
    return message_of([&] { import_onnx(folder.path() / "inner" / "model.onnx"); });
  };
  REQUIRE_THAT(message(external_model("../weights.bin")),
               Catch::Contains("initializer 'w'") && Catch::Contains("outside the directory"));
  REQUIRE_THAT(message(external_model((folder.path() / "weights.bin").string())),
               Catch::Contains("absolute path"));
  REQUIRE_THAT(message(external_model("link.bin")), Catch::Contains("symbolic link"));
  REQUIRE_THAT(message(external_model("missing.bin")), Catch::Contains("not regular file"));
  REQUIRE_THAT(message(external_model("short.bin")),
               Catch::Contains("ends at byte 12 but 'short.bin' has 8 bytes"));
  REQUIRE_THAT(message(external_model("short.bin", "-1")),
               Catch::Contains("offset") && Catch::Contains("not a number in range"));
  REQUIRE_THAT(message(external_model("short.bin", "0", "99999999999999999999999")),
               Catch::Contains("not a number in range"));
}

}  // namespace tinytc::test
