// Arrays of a file against the inputs of a graph.
#include "compiler/samples.h"

#include <limits>

#include "test/compiler/graph_builder.h"
#include "test/compiler/npy_files.h"

using namespace tinytc;

namespace {

/// A graph with one float input `x` of that shape.
Graph graph_of(const Shape& shape, DType dtype = DType::f32) {
  GraphBuilder builder;
  builder.input("x", shape, dtype);
  return builder.graph;
}

std::string refusal(const std::string& file, const Graph& graph) {
  return refusal_of([&] { read_samples(numpy_file(file), graph); });
}

/// What is said about an .npy file with that text, without the file's name.
std::string refusal_of_text(const std::string& text, const Graph& graph) {
  const TemporaryFile file(text);
  const std::string message = refusal_of([&] { read_samples(file.path(), graph); });
  return message.substr(std::min(message.size(), file.path().filename().string().size() + 2));
}

}  // namespace

TEST_CASE("samples with labels, with and without the batch dimension") {
  for (const Shape& shape : {Shape{4}, Shape{1, 4}})
    for (const char* file : {"plain.npz", "compressed.npz"}) {
      const Samples samples = read_samples(numpy_file(file), graph_of(shape));
      CHECK(samples.count == 3);
      REQUIRE(samples.inputs.size() == 1);
      CHECK(samples.inputs[0] == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
      CHECK(samples.labels == std::vector<std::int64_t>{1, 0, 2});
    }
}

TEST_CASE("samples of several inputs stand in the graph's order") {
  GraphBuilder builder;
  builder.input("a", {1, 4});
  builder.input("labels_of_loss", {1}, DType::i32, Role::label);
  builder.input("b", {2}, DType::i32);
  const Samples samples = read_samples(numpy_file("two_inputs.npz"), builder.graph);
  REQUIRE(samples.inputs.size() == 2);
  CHECK(samples.inputs[0].size() == 12);
  CHECK(samples.inputs[1] == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(samples.labels.empty());
  const auto arguments = sample_arguments(samples, builder.graph, 1);
  REQUIRE(arguments.size() == 2);
  CHECK(arguments[0] == encode(DType::f32, {4, 5, 6, 7}));
  CHECK(arguments[1] == encode(DType::i32, {2, 3}));
}

TEST_CASE("a single array is the only input's, whatever its name") {
  GraphBuilder builder;
  builder.input("image", {1, 4});
  CHECK(read_samples(numpy_file("plain.npz"), builder.graph).inputs[0].size() == 12);
  CHECK(read_samples(numpy_file("little_f8.npy"), graph_of({1, 3})).count == 2);
  CHECK(read_samples(numpy_file("fortran.npy"), graph_of({3, 4})).inputs[0][23] == 23);
}

TEST_CASE("missing, unknown and misshaped arrays are named") {
  CHECK(refusal("nothing.npz", graph_of({1, 4})) == "nothing.npz: is empty or no zip archive");
  CHECK(refusal("two_inputs.npz", graph_of({1, 4})) ==
        "two_inputs.npz: no array 'x' for the model's input of that name\n  expected 'x' [N,4] or [N,1,4]\n  found 'b', 'a'");
  CHECK(refusal("plain.npz", graph_of({2, 2})) == "plain.npz: array 'x': is f32[3,4], expected [N,2,2]");
  CHECK(refusal("plain.npz", graph_of({1, 5})) == "plain.npz: array 'x': is f32[3,4], expected [N,5] or [N,1,5]");
  CHECK(refusal("scalar.npy", graph_of({})) == "scalar.npy: is f32[], expected [N]");
  GraphBuilder builder;
  builder.input("a", {1, 4});
  CHECK(refusal("two_inputs.npz", builder.graph) ==
        "two_inputs.npz: array 'b' is i32[3,2], but the model has no input of that name\n  expected 'a' [N,4] or [N,1,4], and optionally 'labels' [N]");
}

TEST_CASE("there must be samples, as many for each input") {
  CHECK(refusal_of_text(npy_floats("(0, 4)", {}), graph_of({4})) == "is f32[0,4]: there is no sample in it");
  GraphBuilder builder;
  builder.input("x", {2});
  builder.input("z", {1});
  CHECK(refusal("counts.npz", builder.graph) == "counts.npz: array 'z': has 2 samples, array 'x' has 3");
}

TEST_CASE("numbers that are none are refused with their place") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(refusal_of_text(npy_floats("(2, 2)", {0, 1, 2, nan}), graph_of({2})) ==
        "element 1 of sample 1 (counted from 0) is nan, expected a finite number of single precision");
  CHECK(refusal_of_text(npy_floats("(2, 2)", {0, -infinity, 2, 3}), graph_of({2})) ==
        "element 1 of sample 0 (counted from 0) is -inf, expected a finite number of single precision");
  const double large = 1e39;  // finite, but not in single precision
  const std::string bytes(reinterpret_cast<const char*>(&large), sizeof(large));
  CHECK_FALSE(refusal_of_text(npy_text("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)}", bytes), graph_of({1})).empty());
}

TEST_CASE("an input of integers takes only integers that it can hold") {
  CHECK(refusal_of_text(npy_floats("(2, 1)", {-128, 127}), graph_of({1}, DType::i8)).empty());
  CHECK(refusal_of_text(npy_floats("(2, 1)", {-128, 128}), graph_of({1}, DType::i8)) ==
        "element 0 of sample 1 (counted from 0) is 128, expected an integer that the input's i8 can hold");
  CHECK_FALSE(refusal_of_text(npy_floats("(1, 1)", {-1}), graph_of({1}, DType::u8)).empty());
  CHECK_FALSE(refusal_of_text(npy_floats("(1, 1)", {0.5F}), graph_of({1}, DType::i32)).empty());
  CHECK_FALSE(refusal_of_text(npy_floats("(1, 1)", {2}), graph_of({1}, DType::boolean)).empty());
}

TEST_CASE("labels are one integer a sample") {
  const Graph graph = graph_of({1, 4});
  CHECK(refusal("labels_float.npz", graph) == "labels_float.npz: array 'labels': is f32[3], expected one integer a sample, [3]");
  CHECK(refusal("labels_few.npz", graph) == "labels_few.npz: array 'y': is i64[2], expected one integer a sample, [3]");
  CHECK(refusal("labels_negative.npz", graph) == "labels_negative.npz: array 'labels': label -1 of sample 1 (counted from 0) is no class index");
  CHECK(refusal("labels_twice.npz", graph) == "labels_twice.npz: arrays 'labels' and 'y' are both there, expected one of them");
  CHECK(read_samples(numpy_file("labels_column.npz"), graph).labels == std::vector<std::int64_t>{1, 0, 2});
}
