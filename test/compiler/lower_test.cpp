// What lowering makes of values that several nodes or entry points share, and what it finds out about labels.
#include "compiler/lower.h"

#include <catch2/catch.hpp>

#include <set>

#include "passes/choose_layout.h"
#include "test/compiler/graph_builder.h"

namespace tinytc {

namespace {

Interface interface_of(const GraphBuilder& b) {
  Program program;
  lower(b.graph, Entry::evaluate, program);
  return program.interfaces.at(Entry::evaluate);
}

void collect_flash(const Program& program, const Argument& argument, std::set<BufferId>& ids) {
  if (argument.buffer != no_buffer && program.buffer(argument.buffer).storage == Storage::flash)
    ids.insert(argument.buffer);
  for (const Argument& part : argument.parts) collect_flash(program, part, ids);
}

}  // namespace

TEST_CASE("classes of a label are those of the scores, whatever shape the label comes in") {
  GraphBuilder b;
  const ValueId scores = b.input("x", {2, 5});
  SECTION("its own shape") {
    const ValueId label = b.input("t", {2}, DType::i32, Role::label);
    b.graph.loss = b.node("SoftmaxCrossEntropyLoss", {scores, label}, {{"ignore_index", std::int64_t{-1}}});
    CHECK(interface_of(b).label_ignored == std::vector<std::int64_t>{-1});
  }
  SECTION("reshaped") {
    const ValueId label = b.input("t", {2, 1}, DType::i32, Role::label);
    b.graph.loss =
        b.node("SoftmaxCrossEntropyLoss", {scores, b.node("Squeeze", {label}, {{"axes", Shape{1}}})});
  }
  CHECK(interface_of(b).label_classes == std::vector<std::int64_t>{5});
}

TEST_CASE("an integer target that becomes a real number has no classes") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 5}), t = b.input("t", {2, 5}, DType::i32, Role::label);
  b.graph.loss = b.node("MeanSquaredErrorLoss", {x, b.node("Cast", {t}, {{"to", std::int64_t{1}}})});
  CHECK(interface_of(b).label_classes == std::vector<std::int64_t>{0});
}

TEST_CASE("entry points share parameters by name and constants by content, packed weights too") {
  GraphBuilder b;
  const ValueId y =
      b.node("Conv", {b.input("x", {1, 2, 8}), b.constant("k", {3, 2, 3}), b.parameter("bias", {3})});
  b.output(b.node("Mul", {y, b.constant("c", {1})}));
  choose_layout(b.graph);
  Program program;
  lower(b.graph, Entry::predict, program);
  lower(b.graph, Entry::evaluate, program);
  std::set<BufferId> flash;
  for (const auto& [entry, calls] : program.calls)
    for (const KernelCall& call : calls)
      for (const Argument& argument : call.arguments) collect_flash(program, argument, flash);
  CHECK(flash.size() == 2);
  int persistent = 0;
  for (const Buffer& buffer : program.buffers) persistent += buffer.storage == Storage::persistent ? 1 : 0;
  CHECK(persistent == 1);
}

TEST_CASE("a Concat of pieces one behind the other copies only what has a place of its own") {
  const auto copies = [](bool twice, bool is_input) {
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 4});
    const ValueId piece = is_input ? x : b.node("Neg", {x});
    b.output(b.node("Concat", {piece, twice ? piece : b.node("Abs", {x})}, {{"axis", std::int64_t{1}}}));
    Program program;
    lower(b.graph, Entry::run, program);
    int count = 0;
    for (const KernelCall& call : program.calls.at(Entry::run)) count += call.kernel == "copy" ? 1 : 0;
    return count;
  };
  CHECK(copies(false, false) == 0);
  CHECK(copies(true, false) == 1);
  CHECK(copies(false, true) == 1);
  CHECK(copies(true, true) == 2);
}

}  // namespace tinytc
