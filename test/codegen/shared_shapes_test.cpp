// Grouping of calls whose shapes differ, and the functions that are emitted for them.
#include "codegen/shared_shapes.h"

#include <catch2/catch.hpp>

#include "codegen/emit_calls.h"
#include "compiler/op.h"

using namespace tinytc;

namespace {

KernelCall pad_call(int rows, int columns, bool shares) {
  KernelCall call;
  call.header = "runtime/move.h";
  call.kernel = "move<float>";
  Argument shape{.kind = Argument::Kind::shape, .text = "MoveShape"};
  shape.fields = {{"rows", {rows}}, {"dims", {columns, 7}}};
  call.arguments = {shape, {.kind = Argument::Kind::update, .buffer = 0}};
  call.shares_code = shares;
  return call;
}

Program program_of(const std::vector<KernelCall>& calls) {
  Program program;
  program.buffers = {{.name = "x", .type = {DType::f32, {8}, {}}, .offset = 0}};
  program.calls[Entry::predict] = calls;
  return program;
}

/// (functions, statements) of all calls.
std::pair<std::string, std::vector<std::string>> emitted(const Program& program) {
  CallWriter writer(program, CallWriter::Tables::named);
  std::vector<std::string> statements;
  for (const KernelCall& call : program.calls.at(Entry::predict)) statements.push_back(writer.statement(call));
  return {writer.functions(), statements};
}

}  // namespace

TEST_CASE("numbers that differ become parameters, equal ones stay constants") {
  const Program program = program_of({pad_call(2, 3, true), pad_call(2, 5, true)});
  const auto [functions, statements] = emitted(program);
  CHECK(functions.find("(int shape_dims_0, float* p1)") != std::string::npos);
  CHECK(functions.find("const MoveShape shape{\n      2,  // rows\n      {shape_dims_0, 7},  // dims") != std::string::npos);
  CHECK(functions.find("call_move_n2") == std::string::npos);
  CHECK(statements[0] == "call_move(3, at<float>(arena_, 0));");
  CHECK(statements[1] == "call_move(5, at<float>(arena_, 0));");
}

TEST_CASE("calls that must not share, or are alone, have constant shapes") {
  const auto [functions, statements] = emitted(program_of({pad_call(2, 3, false), pad_call(2, 5, true)}));
  CHECK(functions.find("int shape") == std::string::npos);
  CHECK(functions.find("call_move_n2") != std::string::npos);
}

TEST_CASE("a call uses the function that exists for its shape anyway") {
  const Program program = program_of({pad_call(2, 3, false), pad_call(2, 3, true), pad_call(2, 5, true), pad_call(4, 5, true)});
  const SharedShapes sharing(program);
  const std::vector<KernelCall>& calls = program.calls.at(Entry::predict);
  CHECK(sharing.differing(calls[0]) == nullptr);
  CHECK(sharing.differing(calls[1]) == nullptr);
  REQUIRE(sharing.differing(calls[2]) != nullptr);
  CHECK(*sharing.differing(calls[2]) == std::vector<bool>{true, false, false});
  const auto [functions, statements] = emitted(program);
  CHECK(statements[0] == statements[1]);
}

TEST_CASE("a dimension of one is not shared with a larger one") {
  const Program program = program_of({pad_call(1, 3, true), pad_call(2, 3, true), pad_call(1, 5, true)});
  const SharedShapes sharing(program);
  const std::vector<KernelCall>& calls = program.calls.at(Entry::predict);
  CHECK(sharing.differing(calls[0]) != nullptr);
  CHECK(sharing.differing(calls[1]) == nullptr);
  CHECK(sharing.differing(calls[2]) != nullptr);
}

TEST_CASE("widely shared functions take zeros, ones and other integers as data") {
  KernelCall first = pad_call(1, 3, true), second = pad_call(2, 3, true);
  for (KernelCall* call : {&first, &second}) {
    const int zero_point = call == &first ? -128 : 4;
    call->arguments.push_back({.kind = Argument::Kind::object, .text = "QOutput", .parts = {number_argument("zero_point", zero_point), number_argument("hi", 127)}});
  }
  CHECK(emitted(program_of({first, second})).first.find("QOutput{-128, 127}") != std::string::npos);
  first.shares_widely = second.shares_widely = true;
  const auto [functions, statements] = emitted(program_of({first, second}));
  CHECK(functions.find("(int shape_rows, float* p1, int zero_point)") != std::string::npos);
  CHECK(functions.find("QOutput{zero_point, 127}") != std::string::npos);
  CHECK(statements[0] == "call_move(1, at<float>(arena_, 0), -128);");
  CHECK(statements[1] == "call_move(2, at<float>(arena_, 0), 4);");
}

TEST_CASE("functors, missing pointers and types keep calls apart") {
  KernelCall other = pad_call(2, 5, true);
  other.arguments.push_back({.kind = Argument::Kind::literal, .text = "Relu<float>{}"});
  const Program program = program_of({pad_call(2, 3, true), other});
  const SharedShapes sharing(program);
  for (const KernelCall& call : program.calls.at(Entry::predict)) CHECK(sharing.differing(call) == nullptr);
}
