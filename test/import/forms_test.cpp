// The form of an operator changed over the opsets; the Graph has one form. Each row gives an old and a new
// text that mean the same.
#include <set>

#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

struct Form {
  const char* name;
  int old_opset;
  const char* old_text;
  const char* new_text;  // opset 21
};

const Form kForms[] = {
    {"Squeeze: axes", 7, "g (float[2,1,3] x) => (float[2,3] y) { y = Squeeze<axes = [1]>(x) }",
     "g (float[2,1,3] x) => (float[2,3] y) <int64[1] a = {1}> { y = Squeeze(x, a) }"},
    {"Unsqueeze: axes", 11, "g (float[2,3] x) => (float[2,1,3] y) { y = Unsqueeze<axes = [1]>(x) }",
     "g (float[2,3] x) => (float[2,1,3] y) { a = Constant<value_ints = [1]>() y = Unsqueeze(x, a) }"},
    {"ReduceSum: axes", 7, "g (float[2,3] x) => (float[2] y) { y = ReduceSum<axes = [1], keepdims = 0>(x) }",
     "g (float[2,3] x) => (float[2] y) <int64[1] a = {1}> { y = ReduceSum<keepdims = 0>(x, a) }"},
    {"ReduceMean: axes", 13, "g (float[2,3] x) => (float[2,1] y) { y = ReduceMean<axes = [-1]>(x) }",
     "g (float[2,3] x) => (float[2,1] y) <int64[1] a = {-1}> { y = ReduceMean(x, a) }"},
    {"ReduceMean: all axes", 11, "g (float[2,3] x) => (float[1,1] y) { y = ReduceMean(x) }",
     "g (float[2,3] x) => (float[1,1] y) { y = ReduceMean(x) }"},
    {"Clip: bounds", 7, "g (float[4] x) => (float[4] y) { y = Clip<min = -1.0, max = 6.0>(x) }",
     "g (float[4] x) => (float[4] y) <float lo = {-1}, float hi = {6}> { y = Clip(x, lo, hi) }"},
    {"Pad: pads and value", 10,
     "g (float[2,3] x) => (float[3,5] y) { y = Pad<pads = [0, 1, 1, 1], value = 2.5>(x) }",
     "g (float[2,3] x) => (float[3,5] y) <int64[4] p = {0, 1, 1, 1}, float v = {2.5}> { y = Pad(x, p, v) }"},
    {"Slice: bounds", 9,
     "g (float[4,6] x) => (float[2,3] y) { y = Slice<starts = [1, 0], ends = [3, 3], axes = [0, 1]>(x) }",
     "g (float[4,6] x) => (float[2,3] y) <int64[2] s = {1, 0}, int64[2] e = {3, 3}, int64[2] a = {0, 1}> { y "
     "= Slice(x, s, e, a) }"},
    {"Split: parts", 11,
     "g (float[2,5] x) => (float[2,2] y, float[2,3] z) { y, z = Split<axis = 1, split = [2, 3]>(x) }",
     "g (float[2,5] x) => (float[2,2] y, float[2,3] z) <int64[2] s = {2, 3}> { y, z = Split<axis = 1>(x, s) "
     "}"},
    {"Reshape: -1 and 0", 7,
     "g (float[2,3,4] x) => (float[2,12] y) <int64[2] s = {0, -1}> { y = Reshape(x, s) }",
     "g (float[2,3,4] x) => (float[2,12] y) <int64[2] s = {2, 12}> { y = Reshape(x, s) }"},
    {"Upsample is Resize", 9,
     "g (float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {1, 1, 2, 2}> { y = Upsample<mode = "
     "\"nearest\">(x, s) }",
     "g (float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {1, 1, 2, 2}> { y = Resize<mode = "
     "\"nearest\", nearest_mode = \"floor\", "
     "coordinate_transformation_mode = \"asymmetric\">(x, , s) }"},
    {"Upsample with attribute", 7,
     "g (float[1,1,2,2] x) => (float[1,1,4,4] y) { y = Upsample<mode = \"nearest\", scales = [1.0, 1.0, 2.0, "
     "2.0]>(x) }",
     "g (float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {1, 1, 2, 2}> { y = Resize<mode = "
     "\"nearest\", nearest_mode = \"floor\", "
     "coordinate_transformation_mode = \"asymmetric\">(x, , s) }"},
    {"Dropout: ratio", 10, "g (float[4] x) => (float[4] y) { y = Dropout<ratio = 0.25>(x) }",
     "g (float[4] x) => (float[4] y) <float r = {0.25}> { y = Dropout(x, r) }"},
    {"Softmax over the last axis", 11, "g (float[2,3] x) => (float[2,3] y) { y = Softmax<axis = 1>(x) }",
     "g (float[2,3] x) => (float[2,3] y) { y = Softmax<axis = -1>(x) }"},
    {"BatchNormalization", 8,
     "g (float[1,2,3] x) => (float[1,2,3] y) <float[2] a = {1,2}, float[2] b = {3,4}, float[2] m = {5,6}, "
     "float[2] v = {7,8}> "
     "{ y = BatchNormalization<epsilon = 0.5>(x, a, b, m, v) }",
     "g (float[1,2,3] x) => (float[1,2,3] y) <float[2] a = {1,2}, float[2] b = {3,4}, float[2] m = {5,6}, "
     "float[2] v = {7,8}> "
     "{ y = BatchNormalization<epsilon = 0.5>(x, a, b, m, v) }"},
};

/// Attributes as text, without those that state a default.
std::set<std::string> attributes_of(const Node& node) {
  static const std::set<std::string> defaults = {"allowzero=0",
                                                 "noop_with_empty_axes=0",
                                                 "training_mode=0",
                                                 "mode=constant",
                                                 "seed=0",
                                                 "momentum=0.9",
                                                 "keepdims=1",
                                                 "cubic_coeff_a=-0.75",
                                                 "exclude_outside=0",
                                                 "keep_aspect_ratio_policy=stretch",
                                                 "antialias=0",
                                                 "extrapolation_value=0",
                                                 "roi="};
  std::set<std::string> texts;
  for (const auto& [name, value] : node.attributes.all()) {
    std::string text = name + "=";
    const auto append = [&](const auto& item) {
      if constexpr (std::is_same_v<std::decay_t<decltype(item)>, std::string>)
        text += item;
      else
        text += Catch::Detail::stringify(static_cast<float>(item)).substr(0, 8);
    };
    std::visit(
        [&](const auto& item) {
          using T = std::decay_t<decltype(item)>;
          if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
            append(item);
          } else {
            for (const auto& element : item) {
              append(element);
              text += ",";
            }
          }
        },
        value);
    const bool is_default = std::any_of(defaults.begin(), defaults.end(),
                                        [&](const std::string& d) { return text.substr(0, d.size()) == d; });
    if (!is_default) texts.insert(text);
  }
  return texts;
}

}  // namespace

TEST_CASE("old and new forms of an operator give the same node") {
  for (const Form& form : kForms) {
    INFO(form.name);
    const Graph old_graph = import_graph(form.old_text, form.old_opset);
    const Graph new_graph = import_graph(form.new_text);
    REQUIRE(old_graph.nodes.size() == 1);
    REQUIRE(new_graph.nodes.size() == 1);
    const Node& a = old_graph.nodes[0];
    const Node& b = new_graph.nodes[0];
    CHECK(a.op->name == b.op->name);
    CHECK(a.inputs.size() == b.inputs.size());
    CHECK(a.outputs.size() == b.outputs.size());
    CHECK(old_graph.shape(a.outputs[0]) == new_graph.shape(b.outputs[0]));
    if (form.name != std::string("Softmax over the last axis")) CHECK(attributes_of(a) == attributes_of(b));
  }
}

TEST_CASE("before opset 13 Softmax ran over all axes from `axis` on") {
  const Graph graph = import_graph("g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax<axis = 1>(x) }", 11);
  const auto names = operators_of(graph);
  REQUIRE(names == std::vector<std::string>{"Flatten", "Softmax", "Reshape"});
  REQUIRE(graph.shape(graph.nodes[1].outputs[0]) == Shape{2, 12});
  REQUIRE(graph.shape(graph.outputs[0]) == Shape{2, 3, 4});
  REQUIRE(graph.value(graph.outputs[0]).name == "y");
}

TEST_CASE("every opset from 7 on is read") {
  for (int opset = 7; opset <= 23; ++opset) {
    INFO(opset);
    const Graph graph = import_graph(
        "g (float[1,3] x) => (float[1,2] y) <float[2,3] w = {1,2,3,4,5,6}, float[2] b = {0,0}> "
        "{ h = Gemm<transB = 1>(x, w, b) y = Relu(h) }",
        opset);
    REQUIRE(operators_of(graph) == std::vector<std::string>{"Gemm", "Relu"});
  }
}

TEST_CASE("an operand that must be known while compiling is named when it is not") {
  const std::string message = message_of(
      [] { import_graph("g (float[4] x, float lo) => (float[4] y) { [bound] y = Clip(x, lo) }"); });
  REQUIRE(message ==
          "model.onnx: node 'bound' (Clip, #0): its operand 'lo' (min) must be known at compile time");
}

}  // namespace tinytc::test
