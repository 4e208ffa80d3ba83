// The passes between an imported graph and its firmware, on random graphs: whatever they rearrange, the
// results stay.
//
// The reference computes every node on its own: a graph in which no node reads another's result, compiled
// once and run until all values are known. No layout is moved there, nothing is fused, folded, reordered or
// shares memory.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>

#include "compiler/lower.h"
#include "compiler/verify.h"
#include "passes/choose_layout.h"
#include "passes/fold.h"
#include "passes/fuse.h"
#include "passes/order_calls.h"
#include "passes/plan_memory.h"
#include "passes/remove_dead.h"
#include "test/codegen/random_graph.h"

namespace tinytc::test {

namespace {

/// All graphs side by side in one, so that one compilation serves them.
struct Batch {
  Graph graph;
  std::vector<Tensor> feeds;
  std::vector<unsigned> seed_of_output;
};

void append(Batch& batch, const RandomGraph& random, unsigned seed) {
  const auto shift = static_cast<ValueId>(batch.graph.values.size());
  const auto moved = [shift](ValueId id) { return id == no_value ? no_value : id + shift; };
  for (Value value : random.graph.values) {
    value.name = "g" + std::to_string(seed) + "_" + value.name;
    batch.graph.values.push_back(std::move(value));
  }
  for (Node node : random.graph.nodes) {
    for (ValueId& id : node.inputs) id = moved(id);
    for (ValueId& id : node.outputs) id = moved(id);
    batch.graph.nodes.push_back(std::move(node));
  }
  for (ValueId id : random.graph.inputs) batch.graph.inputs.push_back(moved(id));
  for (ValueId id : random.graph.outputs) {
    batch.graph.outputs.push_back(moved(id));
    batch.seed_of_output.push_back(seed);
  }
  batch.feeds.insert(batch.feeds.end(), random.feeds.begin(), random.feeds.end());
}

Batch make_batch(unsigned first_seed, unsigned count, const RandomOptions& options) {
  Batch batch;
  for (unsigned seed = first_seed; seed < first_seed + count; ++seed)
    append(batch, RandomGraph(seed, options), seed);
  verify(batch.graph, "generation");
  return batch;
}

/// Every node on its own, run until all results are known.
std::vector<Tensor> reference(const Batch& batch) {
  Graph cut = batch.graph;
  std::vector<ValueId> source;  // by input of `cut`: the value whose elements it takes
  cut.inputs.clear(), cut.outputs.clear();
  for (Node& node : cut.nodes) {
    for (ValueId& id : node.inputs) {
      if (id == no_value || cut.value(id).role == Role::constant) continue;
      source.push_back(id);
      id = add_value(cut, {"cut" + std::to_string(source.size()), cut.type(id), Role::input});
      cut.inputs.push_back(id);
    }
    for (ValueId id : node.outputs) cut.outputs.push_back(id);
  }
  std::vector<Tensor> known(cut.values.size());
  for (std::size_t i = 0; i < cut.values.size(); ++i)
    known[i] = cut.values[i].role == Role::constant
                   ? cut.values[i].data
                   : Tensor(static_cast<std::size_t>(byte_count(cut.values[i].type)));
  for (std::size_t i = 0; i < batch.feeds.size(); ++i)
    known[static_cast<std::size_t>(batch.graph.inputs[i])] = batch.feeds[i];
  HostModel model(cut);
  for (std::vector<Tensor> before; before != known;) {
    before = known;
    std::vector<Tensor> inputs;
    for (ValueId id : source) inputs.push_back(known[static_cast<std::size_t>(id)]);
    const std::vector<Tensor> results = model.run(inputs);
    for (std::size_t i = 0; i < results.size(); ++i)
      known[static_cast<std::size_t>(cut.outputs[i])] = results[i];
  }
  std::vector<Tensor> outputs;
  for (ValueId id : batch.graph.outputs) outputs.push_back(known[static_cast<std::size_t>(id)]);
  return outputs;
}

void fold_constants(Graph& graph) {
  const Foldable foldable = find_foldable(graph);
  if (!foldable.replaced.empty()) apply_folded(graph, foldable.replaced, execute(foldable.graph, {}));
}

/// The way of main.cpp from a graph of one entry point to a planned program.
Program compiled(Graph graph, std::int64_t effort) {
  fold_constants(graph);
  verify(graph, "fold");
  choose_layout(graph);
  verify(graph, "layout");
  fuse(graph);
  verify(graph, "fuse");
  fold_constants(graph);
  Program program;
  lower(graph, Entry::run, program);
  order_calls(program, effort);
  plan_memory(program, effort);
  return program;
}

std::vector<double> numbers(const Batch& batch, std::size_t output, const Tensor& tensor) {
  return numbers_of({"", batch.graph.type(batch.graph.outputs[output]), Role::constant, tensor});
}

void check_same_bits(const Batch& batch, const std::vector<Tensor>& expected,
                     const std::vector<Tensor>& actual) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("output " << i << " of seed " << batch.seed_of_output[i] << ": "
                   << describe(batch.graph.type(batch.graph.outputs[i])));
    const std::vector<double> wanted = numbers(batch, i, expected[i]), got = numbers(batch, i, actual[i]);
    REQUIRE(got.size() == wanted.size());
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      INFO("element " << k);
      const bool same = got[k] == wanted[k] || (std::isnan(got[k]) && std::isnan(wanted[k]));
      CHECK(same);
      if (!same) INFO(got[k] << " is not " << wanted[k]);
      if (!same) break;
    }
  }
}

/// `tolerance` is relative to the largest element of an output, or to 1.
void check_close(const Batch& batch, const std::vector<Tensor>& expected, const std::vector<Tensor>& actual,
                 double tolerance) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("output " << i << " of seed " << batch.seed_of_output[i] << ": "
                   << describe(batch.graph.type(batch.graph.outputs[i])));
    const std::vector<double> wanted = numbers(batch, i, expected[i]), got = numbers(batch, i, actual[i]);
    REQUIRE(got.size() == wanted.size());
    double scale = 1, worst = 0;
    for (double number : wanted) scale = std::max(scale, std::fabs(number));
    for (std::size_t k = 0; k < wanted.size(); ++k) worst = std::max(worst, std::fabs(got[k] - wanted[k]));
    CHECK(worst <= tolerance * scale);
  }
}

}  // namespace

TEST_CASE("layout, fusing, folding, order and places keep every bit of random graphs") {
  const Batch batch = make_batch(1, 24, {.nodes = 14});
  const std::vector<Tensor> expected = reference(batch);
  SECTION("layout alone") { check_same_bits(batch, expected, execute(batch.graph, batch.feeds)); }
  SECTION("everything, no search") {
    check_same_bits(batch, expected, HostModel(compiled(batch.graph, 0)).run(batch.feeds));
  }
  SECTION("everything, with search") {
    check_same_bits(batch, expected, HostModel(compiled(batch.graph, 20000)).run(batch.feeds));
  }
}

TEST_CASE("batch norms folded into weights, and sums in another order, change roundings only") {
  // In double. Sums of at most 400 terms and chains of 30 nodes, some of which amplify a few times: errors
  // stay within some thousand times 1.1e-16; a wrong element is off by 1e-3 or more.
  const Batch batch = make_batch(1000, 24, {.dtype = DType::f64, .nodes = 14, .sums_any_order = true});
  const std::vector<Tensor> expected = reference(batch);
  Graph graph = batch.graph;
  simplify(graph);
  verify(graph, "simplify");
  check_close(batch, expected, HostModel(compiled(graph, 2000)).run(batch.feeds), 1e-10);
}

}  // namespace tinytc::test
