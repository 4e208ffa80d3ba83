// A float model against its quantized form, where every figure is known beforehand.
#include "codegen/validate.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "test/compiler/graph_builder.h"
#include "test/compiler/npy_files.h"

namespace tinytc {

namespace {

/// x -> Relu -> y of `count` elements; `stored`: with x and the result as int8 of scale 0.5 in between.
Graph relu_model(std::int64_t count, bool stored, bool stored_output = false) {
  GraphBuilder builder;
  const ValueId scale = builder.constant("scale", {}, {0.5}), zero = add_constant(builder.graph, "zero", DType::i8, {}, {double{3}});
  ValueId x = builder.input("x", {1, count});
  if (stored) x = builder.node("DequantizeLinear", {builder.node("QuantizeLinear", {x, scale, zero}), scale, zero});
  ValueId y = builder.node("Relu", {x});
  builder.graph.value(y).name = "y";
  if (stored) {
    y = builder.node("QuantizeLinear", {y, scale, zero});
    if (!stored_output) y = builder.node("DequantizeLinear", {y, scale, zero});
  }
  builder.output(y);
  return builder.graph;
}

Samples samples_of(std::vector<float> numbers, int count, std::vector<std::int64_t> labels = {}) {
  return {count, {std::move(numbers)}, std::move(labels), "some.npz"};
}

}  // namespace

TEST_CASE("errors of every stored tensor and of the output, worst layer first") {
  for (const bool stored_output : {false, true}) {
    // Steps of 0.5: 0.75 goes to 1 (a tie to even), -2.125 to -2; Relu takes the second away.
    const Validation result =
        validate(relu_model(2, false), relu_model(2, true, stored_output), samples_of({0.75F, -2.125F, 8, -16}, 2));
    CHECK(result.samples == 2);
    REQUIRE(result.outputs.size() == 1);
    CHECK(result.outputs[0].tensor == "y");
    CHECK(result.outputs[0].mean_absolute_error() == Approx(0.25 / 4));
    CHECK(result.outputs[0].sqnr_db() == Approx(10 * std::log10((0.5625 + 64) / 0.0625)));
    REQUIRE(result.layers.size() == 2);
    CHECK(result.layers[0].tensor == "y");
    CHECK(result.layers[0].sqnr_db() == Approx(result.outputs[0].sqnr_db()));
    CHECK(result.layers[1].tensor == "x");
    CHECK(result.layers[1].sqnr_db() == Approx(10 * std::log10((0.5625 + 4.515625 + 64 + 256) / (0.0625 + 0.015625))));
    CHECK(result.agreement == 1.0);
    CHECK_FALSE(result.float_accuracy);
  }
}

TEST_CASE("a model that ends in positions has the errors of its stored tensors only") {
  const auto model = [](bool stored) {
    GraphBuilder builder{relu_model(2, stored)};
    builder.graph.outputs = {builder.node("ArgMax", {builder.graph.outputs[0]}, {{"axis", std::int64_t{1}}})};
    return builder.graph;
  };
  const Validation result = validate(model(false), model(true), samples_of({0.75F, -2.125F}, 1));
  CHECK(result.outputs.empty());
  CHECK(result.layers.size() == 2);
  CHECK_FALSE(result.agreement);
}

TEST_CASE("accuracy and agreement count the first largest element") {
  // Samples of (first, second): float sees (1, 1.125) as class 1, int8 has 1 twice and says class 0.
  const Samples samples = samples_of({1, 1.125F, 0, 4, 4, 0, -1, -1}, 4, {1, 1, 1, 0});
  const Validation result = validate(relu_model(2, false), relu_model(2, true), samples);
  CHECK(result.agreement == 0.75);
  CHECK(result.float_accuracy == 0.75);
  CHECK(result.int8_accuracy == 0.5);
}

TEST_CASE("labels must be classes of the output") {
  const auto refusal = [](std::int64_t count, std::int64_t label) {
    return refusal_of([&] {
      validate(relu_model(count, false), relu_model(count, true), samples_of(std::vector<float>(static_cast<std::size_t>(count), 1), 1, {label}));
    });
  };
  CHECK(refusal(2, 1).empty());
  CHECK(refusal(2, 2) == "some.npz: label 2 of sample 0 (counted from 0) is none of the 2 classes of the model's output 'y' f32[1,2]");
  CHECK(refusal(1, 0) == "some.npz: labels need one number a class, but the model has output 'y' f32[1,1]\n  hint: leave the labels out");
  CHECK_FALSE(validate(relu_model(1, false), relu_model(1, true), samples_of({1}, 1)).agreement);
}

TEST_CASE("a model without rounding has no noise, and the report says so") {
  const Validation result = validate(relu_model(2, false), relu_model(2, true), samples_of({0.5F, 2}, 1));
  CHECK(std::isinf(result.outputs[0].sqnr_db()));
  CHECK(validation_json(result)["outputs"][0]["sqnr_db"].is_null());
  CHECK(validation_json(result)["outputs"][0]["mean_absolute_error"] == 0);
  CHECK(validation_text(result).find("exact") != std::string::npos);
}

TEST_CASE("the report rounds, and names file and layers") {
  const Validation result = validate(relu_model(2, false), relu_model(2, true), samples_of({0.75F, 8}, 1, {1}));
  const nlohmann::ordered_json json = validation_json(result);
  CHECK(json["file"] == "some.npz");
  CHECK(json["float_accuracy"] == 1);
  CHECK(json["layers"][0]["node"] == "QuantizeLinear0");
  CHECK(json["layers"][0]["sqnr_db"] == 30.14);  // 10 log10(64.5625 / 0.0625) = 30.141
  const std::string text = validation_text(result);
  CHECK(text.find("1 sample of some.npz") != std::string::npos);
  CHECK(text.find("accuracy 100.00 % float, 100.00 % int8") != std::string::npos);
}

}  // namespace tinytc
