// A residual that the layer adds itself changes no bit, whatever kernel the layer takes; and which sums are fused.
#include "passes/fuse_residual.h"

#include <catch2/catch.hpp>

#include "test/codegen/int8_graphs.h"

namespace tinytc {

namespace {

Graph all_fused(Graph graph) {
  fuse_residuals(graph, [](std::size_t) { return true; });
  return graph;
}

/// x -> 1x1 convolution -> 3x3 convolution -> + x, and a second one whose residual is a convolution with stride 2. Convolutions at both
/// ends, so that everything between has their layout.
Graph blocks(Int8Builder& b) {
  const ValueId x = b.conv(b.bytes("x", {1, 8, 10, 9}), 8, 1);
  ValueId y = b.conv(b.conv(x, 8, 1), 8, 3);
  y = b.number(0, 1) == 0 ? b.sum(y, x) : b.sum(x, y);
  const ValueId shortcut = b.conv(y, 12, 1, 2);
  const ValueId branch = b.conv(b.conv(y, 4, 1, 2), 12, 3);
  b.output(b.conv(b.sum(branch, shortcut), 2, 1));
  choose_layout(b.graph);
  return b.graph;
}

}  // namespace

TEST_CASE("layers that add their residual compute the same as layer and sum") {
  for (unsigned seed = 0; seed < 6; ++seed) {
    Int8Builder b(seed);
    Graph graph = blocks(b);
    if (seed % 3 == 2)
      for (Node& node : graph.nodes)
        if (node.op->faster != nullptr && node.op->faster(graph, node).scratch_bytes > 0) node.attributes.set(spends_flash, std::int64_t{1});
    const Graph fused = all_fused(graph);
    CHECK(residual_sums(graph).size() == 2);
    CHECK(fused.nodes.size() == graph.nodes.size() - 2);
    const Core core{seed % 3 != 1, seed % 3 == 0};
    const std::vector<Tensor> feeds = b.feeds();
    INFO("seed " << seed);
    CHECK(run_on(core, fused, feeds) == run_on(core, graph, feeds));
  }
}

TEST_CASE("a layer whose input is the residual too keeps its bits in one buffer") {
  for (unsigned seed = 10; seed < 13; ++seed) {
    Int8Builder b(seed);
    const ValueId x = b.conv(b.bytes("x", {1, 8, 12, 12}), 8, 1);
    b.output(b.conv(b.sum(b.conv(x, 8, 3), x), 1, 1));
    choose_layout(b.graph);
    const Graph fused = all_fused(b.graph);
    const std::vector<Tensor> feeds = b.feeds();
    CHECK(run_on({}, fused, feeds) == run_on({}, b.graph, feeds));
    const auto arena = [](const Graph& graph) {
      Program program;
      lower(graph, Entry::run, program);
      plan_memory(program, 10000);
      return program.arena_bytes;
    };
    // Two images of 1,152 bytes against one, a few rows and the patches.
    CHECK(arena(b.graph) > 2304);
    CHECK(arena(fused) < 2304);
  }
}

TEST_CASE("a sum is fused only where the layer's result is nobody else's and the shapes are the same") {
  Int8Builder b(1);
  const ValueId x = b.conv(b.bytes("x", {1, 8, 6, 6}), 8, 1), y = b.conv(x, 8, 1);
  const auto finish = [&](ValueId sum) { b.output(b.conv(sum, 2, 1)); };
  bool can_be = false;
  SECTION("it can be") {
    can_be = true;
    finish(b.sum(x, y));
    choose_layout(b.graph);
    CHECK(residual_sums(b.graph).size() == 1);
    Graph kept = b.graph;
    fuse_residuals(kept, [](std::size_t) { return false; });
    CHECK(ops_of(kept) == ops_of(b.graph));
  }
  SECTION("the result is an output") { finish(b.sum(x, y)), b.output(y); }
  SECTION("it is added to itself") { finish(b.sum(y, y)); }
  SECTION("the residual is broadcast") { finish(b.sum(b.bytes("row", {1, 8, 1, 1}), y)); }
  SECTION("one row is the whole result") { finish(b.sum(b.bytes("r", {1, 8, 1, 36}), b.conv(b.bytes("z", {1, 8, 1, 36}), 8, 1))); }
  if (can_be) return;
  choose_layout(b.graph);
  CHECK(residual_sums(b.graph).empty());
}

}  // namespace tinytc
