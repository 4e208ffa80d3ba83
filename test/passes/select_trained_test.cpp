// Which tensors a --train list selects.
#include "passes/select_trained.h"

#include <catch2/catch.hpp>

#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

/// Names of the parameters left of a model of three layers, a batch norm and a scalar.
Names selected(const std::string& list) {
  GraphBuilder b;
  ValueId y =
      b.node("Gemm", {b.input("x", {2, 3}), b.parameter("a.weight", {3, 3}), b.parameter("a.bias", {3})});
  std::vector<ValueId> norm{y};
  for (const char* name : {"n.scale", "n.bias", "n.mean", "n.variance"})
    norm.push_back(b.parameter(name, {3}));
  y = b.node("Mul", {b.node("BatchNormalization", norm), b.parameter("temperature", {})});
  b.output(b.node("Gemm", {y, b.parameter("c.weight", {3, 3}), b.parameter("c.bias", {3})}));
  select_trained(b.graph, list);
  Names names;
  for (const Value& value : b.graph.values)
    if (value.role == Role::parameter) names.push_back(value.name);
  return names;
}

}  // namespace

TEST_CASE("keywords leave statistics and scalars alone") {
  CHECK(selected("all") == Names{"a.weight", "a.bias", "n.scale", "n.bias", "c.weight", "c.bias"});
  CHECK(selected("none").empty());
  CHECK(selected("bias") == Names{"a.bias", "n.bias", "c.bias"});
  CHECK(selected("last:1") == Names{"c.weight", "c.bias"});
  CHECK(selected("last:2") == Names{"n.scale", "n.bias", "c.weight", "c.bias"});
  CHECK(selected("last:99") == selected("all"));
}

TEST_CASE("constants that an exporter made are left alone, but by a glob; weights that it transposed are not") {
  const auto selected_of = [](const std::string& list) {
    GraphBuilder b;
    ValueId y = b.node("MatMul", {b.input("x", {2, 3}), b.parameter("val_1", {3, 3})});
    y = b.node("Mul", {y, b.parameter("val_2", {1})});                       // the scale of an attention
    y = b.node("Add", {y, b.parameter("onnx::Add_3", {2, 3})});              // a mask
    y = b.node("LayerNormalization", {y, b.parameter("val_4", {3}, {1, 1, 1}), b.parameter("val_5", {3}, {0, 0, 0})});
    y = b.node("Mul", {y, b.parameter("onnx::Mul_6", {1, 3}, {1, 1, 1})});            // a group normalization's own factors
    y = b.node("Add", {y, b.parameter("position", {2, 3})});
    y = b.node("Add", {y, b.parameter("mask", {3}, {0, 0, -3.4e38})});
    b.output(b.node("PRelu", {y, b.parameter("onnx::PRelu_7", {1})}));
    select_trained(b.graph, list);
    Names names;
    for (const Value& value : b.graph.values)
      if (value.role == Role::parameter) names.push_back(value.name);
    return names;
  };
  CHECK(selected_of("all") == Names{"val_1", "onnx::Mul_6", "position", "onnx::PRelu_7"});
  CHECK(selected_of("last:2") == Names{"position", "onnx::PRelu_7"});
  CHECK(selected_of("val_?") == Names{"val_1", "val_2", "val_4", "val_5"});
  CHECK(selected_of("onnx::Add*,mask") == Names{"onnx::Add_3", "mask"});
}

TEST_CASE("globs select by name, and a comma unites") {
  CHECK(selected("*.weight") == Names{"a.weight", "c.weight"});
  CHECK(selected("?.b*s") == Names{"a.bias", "n.bias", "c.bias"});
  CHECK(selected("temperature") == Names{"temperature"});
  CHECK(selected("a.*,last:1") == Names{"a.weight", "a.bias", "c.weight", "c.bias"});
  CHECK(selected("none,c.bias") == Names{"c.bias"});
}

TEST_CASE("what selects nothing is an error that names the tensors") {
  for (const char* list : {"n.mean", "b.*", "a.*,zzz", ""})
    CHECK_THROWS_WITH(selected(list), Catch::Contains("selects no tensor") && Catch::Contains("a.weight"));
  for (const char* list : {"last:0", "last:", "last:-1", "last:1x", "last:99999999999999999999"})
    CHECK_THROWS_AS(selected(list), UsageError);
}

}  // namespace tinytc
