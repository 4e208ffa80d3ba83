// Which calls may share code, by preference.
#include "passes/choose_sharing.h"

#include <catch2/catch.hpp>

#include "compiler/cost.h"

using namespace tinytc;

namespace {

/// Calls of an elementwise kernel with the given numbers of elements.
Program calls_of(const std::vector<std::int64_t>& counts) {
  Program program;
  for (std::int64_t count : counts) {
    program.buffers.push_back({.name = "x", .type = {DType::f32, {count}, {}}});
    KernelCall call;
    call.kernel = "binary<float>";
    call.arguments = {{.kind = Argument::Kind::update, .buffer = static_cast<BufferId>(program.buffers.size() - 1)},
                      {.kind = Argument::Kind::shape, .text = "ElementwiseShape", .fields = {{"count", {static_cast<int>(count)}}}}};
    program.calls[Entry::predict].push_back(call);
  }
  return program;
}

std::vector<bool> shared(Program program, Preference preference) {
  choose_sharing(program, preference);
  std::vector<bool> list;
  for (const KernelCall& call : program.calls[Entry::predict]) list.push_back(call.shares_code);
  return list;
}

}  // namespace

TEST_CASE("speed shares nothing, size everything") {
  const Program program = calls_of({100000, 10, 20});
  CHECK(shared(program, Preference::speed) == std::vector<bool>{false, false, false});
  CHECK(shared(program, Preference::size) == std::vector<bool>{true, true, true});
}

TEST_CASE("calls share widely for size alone, and not where gradients are among them") {
  const auto widely = [](Program program, Preference preference) {
    choose_sharing(program, preference);
    return program.calls[Entry::predict].front().shares_widely;
  };
  Program program = calls_of({100, 100000});
  CHECK(widely(program, Preference::size));
  CHECK_FALSE(widely(program, Preference::balanced));
  program.calls[Entry::train_step] = program.calls[Entry::predict];
  CHECK_FALSE(widely(program, Preference::size));
}

TEST_CASE("balanced shares where little is lost, up to one percent of the cycles") {
  Program program = calls_of({100000, 20000, 10, 200});
  choose_sharing(program, Preference::balanced);
  double all = 0, lost = 0;
  for (const KernelCall& call : program.calls[Entry::predict]) {
    all += m4f_cycles(program, call);
    if (call.shares_code) lost += shared_extra_cycles(program, call);
  }
  CHECK(lost <= shared_loss * all);
  CHECK(shared(program, Preference::balanced) == std::vector<bool>{false, true, true, true});
}

TEST_CASE("balanced lets calls of one shape share with others together or not at all, and leaves alone what has no other shape") {
  CHECK(shared(calls_of({300, 300}), Preference::balanced) == std::vector<bool>{false, false});
  CHECK(shared(calls_of({1}), Preference::balanced) == std::vector<bool>{false});
  // 50 cycles a call and 5 % of its 9 an element are lost, 1 % of all is allowed: enough for the call of 100 elements, not for those of 400.
  std::vector<std::int64_t> counts(40, 400);
  counts.insert(counts.end(), {30000, 100});
  std::vector<bool> expected(42, false);
  expected.back() = true;
  CHECK(shared(calls_of(counts), Preference::balanced) == expected);
}

TEST_CASE("kernels that would be longer with their shape as data never share") {
  Program program = calls_of({100000, 10, 20});
  for (KernelCall& call : program.calls[Entry::predict]) call.kernel = "q_widened_conv2d";
  for (const Preference preference : {Preference::balanced, Preference::size}) CHECK(shared(program, preference) == std::vector<bool>(3, false));
}

TEST_CASE("a kernel for single rows is dropped where the one for all shapes is there anyway and all shapes share") {
  const auto kernels = [](std::vector<std::string> names, Preference preference) {
    Program program = calls_of(std::vector<std::int64_t>(names.size(), 100));
    for (std::size_t k = 0; k < names.size(); ++k) program.calls[Entry::predict][k].kernel = names[k];
    choose_sharing(program, preference);
    for (std::size_t k = 0; k < names.size(); ++k) names[k] = program.calls[Entry::predict][k].kernel;
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(kernels({"gemm_row", "gemm"}, Preference::size) == Names{"gemm", "gemm"});
  CHECK(kernels({"gemm_row", "gemm"}, Preference::balanced) == Names{"gemm_row", "gemm"});
  CHECK(kernels({"gemm_row", "gemm_row"}, Preference::size) == Names{"gemm_row", "gemm_row"});
}
