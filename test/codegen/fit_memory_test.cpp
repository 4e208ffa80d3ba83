// Programs that would not fit: kernels with less scratch, layers that add their residual, the same bits.
#include "passes/fit_memory.h"

#include <catch2/catch.hpp>

#include "test/codegen/int8_graphs.h"

namespace tinytc {

namespace {

constexpr std::int64_t effort = 10000;

struct Fit {
  Graph graph;
  Program program;
  MemoryPlan plan;
  std::int64_t bytes() const { return program.arena_bytes + program.persistent_bytes; }
};

/// Fits the graph (with its layout) into `limit` bytes on that core.
Fit fit(const Graph& graph, std::int64_t limit, const Core& core = {}) {
  const Lowering lowering = [&](const std::map<Entry, Graph>& entries) {
    Program program;
    program.dual_multiply = core.dual_multiply;
    program.has_vectors = core.has_vectors;
    for (const auto& [entry, each] : entries) lower(each, entry, program);
    return program;
  };
  std::map<Entry, Graph> entries{{Entry::run, graph}};
  Program program = lowering(entries);
  MemoryPlan plan = fit_memory(entries, program, lowering, effort, limit);
  return {entries.at(Entry::run), std::move(program), std::move(plan)};
}

std::vector<std::string> kernels_of(const Program& program) {
  std::vector<std::string> names;
  for (const KernelCall& call : program.calls.at(Entry::run)) names.push_back(call.kernel);
  return names;
}

constexpr std::int64_t plenty = 1 << 20;

}  // namespace

TEST_CASE("where the RAM does not suffice, layers take kernels with less scratch and keep their bits") {
  for (const Core core : {Core{true, false}, Core{false, false}, Core{true, true}}) {
    Int8Builder b(1);
    const ValueId x = b.conv(b.conv(b.bytes("x", {1, 1, 8, 8}), 16, 3), 16, 3);
    const ValueId weight = b.stored("w", DType::i8, {16, 1, 3, 3}, b.numbers(144, -127, 127));
    b.output(b.conv(b.node("Int8Conv",
                           {x, weight, b.stored("b", DType::i32, {16}, b.numbers(16, -900, 900)), b.stored("m", DType::i32, {16}, std::vector<double>(16, 1 << 25))},
                           {{"group", std::int64_t{16}}, {"pads", Shape{1, 1, 1, 1}}}),
                    1, 1));
    choose_layout(b.graph);
    const Fit usual = fit(b.graph, plenty, core);
    const std::vector<Tensor> feeds = b.feeds();
    const std::vector<Tensor> expected = HostModel(usual.program).run(feeds);
    INFO("dual multiplications " << core.dual_multiply << ", vectors " << core.has_vectors);

    const Fit little = fit(b.graph, usual.bytes() - 8, core);
    CHECK(little.bytes() <= usual.bytes() - 8);
    const Fit least = fit(b.graph, 0, core);
    CHECK(least.bytes() <= little.bytes());
    CHECK(kernels_of(least.program) != kernels_of(usual.program));
    CHECK(HostModel(little.program).run(feeds) == expected);
    CHECK(HostModel(least.program).run(feeds) == expected);
    std::int64_t changed = 0;
    for (const KernelCall& call : little.program.calls.at(Entry::run)) {
      CHECK((call.traits.saved_scratch > 0) == (call.kernel.find("_bare") != std::string::npos));
      CHECK((call.traits.given_up_cycles > 0) == (call.traits.saved_scratch > 0));
      changed += call.traits.saved_scratch > 0;
    }
    CHECK(changed >= 1);
    for (const KernelCall& call : usual.program.calls.at(Entry::run)) CHECK(call.traits.saved_scratch == 0);
  }
}

TEST_CASE("only layers that do not fit change") {
  // The second layer needs its image of 2,304 bytes and scratch; the first one, in place, the lead of its input besides.
  Int8Builder b(2);
  const ValueId x = b.conv(b.conv(b.bytes("x", {1, 1, 12, 12}), 16, 1), 16, 3);
  b.output(b.conv(x, 1, 3));
  choose_layout(b.graph);
  const Fit usual = fit(b.graph, plenty);
  const Fit little = fit(b.graph, usual.bytes() - 8);
  std::vector<std::int64_t> saved;
  for (const KernelCall& call : little.program.calls.at(Entry::run))
    if (call.traits.macs > 0) saved.push_back(call.traits.saved_scratch);
  REQUIRE(saved.size() == 3);
  CHECK(saved[0] == 0);
  CHECK(saved[1] > 0);
  CHECK(saved[2] == 0);
}

TEST_CASE("a dense layer that does not fit reads its input where it stands") {
  for (const Core core : {Core{true, false}, Core{true, true}}) {
    Int8Builder b(5);
    b.output(b.node("Int8Dense", {b.bytes("x", {2, 301}), b.stored("w", DType::i8, {4, 301}, b.numbers(1204, -127, 127)), b.stored("b", DType::i32, {4}, {1, 2, 3, 4}),
                                  b.stored("m", DType::i32, {4}, std::vector<double>(4, 1 << 22))}));
    const Fit usual = fit(b.graph, plenty, core), least = fit(b.graph, usual.bytes() - 8, core);
    CHECK(least.bytes() < usual.bytes());
    CHECK(kernels_of(least.program) == Names{"q_conv2d_bare"});
    const std::vector<Tensor> feeds = b.feeds();
    CHECK(HostModel(least.program).run(feeds) == HostModel(usual.program).run(feeds));
  }
}

TEST_CASE("Winograd's convolution is given up for the direct one before that is for one without scratch") {
  Int8Builder b(3);
  b.output(b.conv(b.bytes("x", {1, 16, 12, 12}), 16, 3));
  choose_layout(b.graph);
  for (Node& node : b.graph.nodes)
    if (node.op->faster != nullptr) node.attributes.set(spends_flash, std::int64_t{1});
  const auto kernel_at = [&](std::int64_t limit) {
    for (const std::string& name : kernels_of(fit(b.graph, limit).program))
      if (name.starts_with("q_")) return name;
    return std::string();
  };
  const std::int64_t most = fit(b.graph, plenty).bytes();
  CHECK(kernel_at(plenty) == "q_winograd_conv2d");
  CHECK(kernel_at(most - 8) == "q_conv2d");
  CHECK(kernel_at(0) == "q_conv2d_bare");
}

TEST_CASE("residual sums are fused where the arena gets smaller by it, and only there") {
  for (const bool saves : {true, false}) {
    // As in a bottleneck block: the layer before the sum has four times as many channels behind it as before it.
    Int8Builder b(4);
    const ValueId x = b.conv(b.bytes("x", {1, 4, 12, 12}), 32, 1);
    const ValueId narrow = b.conv(x, saves ? 8 : 32, 1);
    b.output(b.conv(b.sum(b.conv(narrow, 32, 1), x), 2, 1));
    choose_layout(b.graph);
    const Fit fitted = fit(b.graph, plenty);
    const Names ops = ops_of(fitted.graph);
    CHECK((std::count(ops.begin(), ops.end(), "Int8ConvSum") == 1) == saves);
    const std::vector<Tensor> feeds = b.feeds();
    CHECK(HostModel(fitted.program).run(feeds) == run_on({}, b.graph, feeds));
    Program apart;
    lower(b.graph, Entry::run, apart);
    plan_memory(apart, effort);
    if (saves) CHECK(fitted.bytes() < apart.arena_bytes * 3 / 4);
  }
}

}  // namespace tinytc
