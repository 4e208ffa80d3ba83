// Node ordering against exhaustive enumeration on small random graphs, and on shapes with known answers.
#include "passes/order_nodes.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <set>

using tinytc::NodeOrder;
using tinytc::order_nodes;
using tinytc::OrderProblem;
using tinytc::peak_of_order;

namespace {

// Live bytes by definition, without any of the solver's bookkeeping: a buffer is live from its first writer
// to the last node that touches it.
std::int64_t brute_peak(const OrderProblem& problem, const std::vector<int>& order) {
  const int count = static_cast<int>(order.size());
  std::vector<int> first(problem.sizes.size(), count), last(problem.sizes.size(), -1);
  std::vector<char> written(problem.sizes.size(), 0);
  const auto root = [&](int v) { return problem.roots.empty() ? v : problem.roots[v]; };
  const auto touch = [&](int v, int k) {
    first[root(v)] = std::min(first[root(v)], k);
    last[root(v)] = std::max(last[root(v)], k);
  };
  for (int k = 0; k < count; ++k) {
    for (int v : problem.nodes[order[k]].reads) touch(v, k);
    for (int v : problem.nodes[order[k]].writes) touch(v, k), written[v] = 1;
  }
  for (const tinytc::OrderNode& node : problem.nodes) {
    for (int v : node.reads) first[root(v)] = written[v] ? first[root(v)] : -1;
  }
  for (int v : problem.live_at_start) first[root(v)] = last[root(v)] < 0 ? count : -1;
  for (int v : problem.live_at_end)
    last[root(v)] = count, first[root(v)] = first[root(v)] == count ? -1 : first[root(v)];
  std::int64_t most = 0;
  for (int k = -1; k <= count; ++k) {
    std::int64_t live = 0;
    for (std::size_t v = 0; v < first.size(); ++v)
      live += first[v] <= k && k <= last[v] ? problem.sizes[v] : 0;
    if (k >= 0 && k < count) {
      const tinytc::OrderNode& node = problem.nodes[order[k]];
      live += node.scratch;
      for (const tinytc::OrderReuse& r : node.reuses) {
        if (last[r.input] == k && first[r.output] == k) live -= std::min(r.bytes, problem.sizes[r.output]);
      }
    }
    most = std::max(most, live);
  }
  return most;
}

// Earlier nodes of each node.
std::vector<std::set<int>> predecessors(const OrderProblem& problem) {
  std::vector<std::set<int>> before(problem.nodes.size());
  for (int n = 0; n < static_cast<int>(problem.nodes.size()); ++n) {
    for (int value : problem.nodes[n].reads) {
      for (int m = 0; m < n; ++m) {
        const std::vector<int>& writes = problem.nodes[m].writes;
        if (std::find(writes.begin(), writes.end(), value) != writes.end()) before[n].insert(m);
      }
    }
  }
  for (const auto& [earlier, later] : problem.edges) before[later].insert(earlier);
  return before;
}

bool valid(const OrderProblem& problem, const std::vector<int>& order) {
  const std::vector<std::set<int>> before = predecessors(problem);
  std::set<int> done;
  for (int n : order) {
    if (!std::includes(done.begin(), done.end(), before[n].begin(), before[n].end())) return false;
    if (!done.insert(n).second) return false;
  }
  return done.size() == problem.nodes.size();
}

std::int64_t best_peak(const OrderProblem& problem) {
  std::vector<int> order(problem.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  std::int64_t best = brute_peak(problem, order);
  while (std::next_permutation(order.begin(), order.end())) {
    if (valid(problem, order)) best = std::min(best, brute_peak(problem, order));
  }
  return best;
}

struct Shape {
  int nodes;
  bool views, reuses, edges;
};

OrderProblem random_problem(std::mt19937& random, const Shape& shape) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  OrderProblem problem;
  for (int v = 0; v <= shape.nodes; ++v) {
    problem.sizes.push_back(below(20) + 1);
    problem.roots.push_back(v);
  }
  for (int n = 0; n < shape.nodes; ++n) {  // value 0 is the input, node n writes value n + 1
    tinytc::OrderNode node{{}, {n + 1}, below(3), {}};
    for (int k = below(2); k >= 0; --k) node.reads.push_back(std::max(0, n - below(5)));
    const int input = node.reads.front();
    if (shape.views && below(4) == 0) {
      problem.roots[n + 1] = problem.roots[input];
      problem.sizes[n + 1] = 0;
    } else if (shape.reuses && below(2) == 0 && problem.roots[input] == input) {
      node.reuses.push_back({n + 1, input, below(static_cast<int>(problem.sizes[input]) + 1)});
    }
    if (shape.edges && n > 1 && below(3) == 0) problem.edges.emplace_back(below(n), n);
    problem.nodes.push_back(node);
  }
  problem.live_at_end = {shape.nodes};
  return problem;
}

void compare_with_enumeration(const Shape& shape, int problems, unsigned seed) {
  std::mt19937 random(seed);
  for (int k = 0; k < problems; ++k) {
    const OrderProblem problem = random_problem(random, shape);
    const NodeOrder result = order_nodes(problem);
    INFO("problem " << k << " of seed " << seed);
    REQUIRE(valid(problem, result.order));
    CHECK(result.peak == best_peak(problem));
    CHECK(result.peak == brute_peak(problem, result.order));
    CHECK(result.optimal);
    CHECK(result.lower_bound == result.peak);
  }
}

// Forward chain, backward chain that reads the activations, one weight gradient and one update a layer;
// updates come last.
OrderProblem training_chain(int layers) {
  OrderProblem problem;
  const auto value = [&](std::int64_t size) {
    problem.sizes.push_back(size);
    return static_cast<int>(problem.sizes.size()) - 1;
  };
  std::vector<int> activations{value(10)}, updates;
  for (int i = 0; i < layers; ++i) {
    activations.push_back(value(10));
    problem.nodes.push_back({{activations[i]}, {activations[i + 1]}, 0, {}});
  }
  int gradient = value(10);
  problem.nodes.push_back({{activations.back()}, {gradient}, 0, {}});
  std::vector<int> weight_gradients;
  for (int i = layers - 1; i >= 0; --i) {
    weight_gradients.push_back(value(50));
    problem.nodes.push_back({{gradient, activations[i]}, {weight_gradients.back()}, 0, {}});
    const int next = value(10);
    problem.nodes.push_back({{gradient, activations[i]}, {next}, 0, {}});
    gradient = next;
  }
  for (int g : weight_gradients) {
    problem.nodes.push_back({{g}, {}, 0, {}});
    updates.push_back(g);
  }
  return problem;
}

}  // namespace

TEST_CASE("node orders equal enumeration: plain graphs") {
  compare_with_enumeration({7, false, false, false}, 150, 1);
}

TEST_CASE("node orders equal enumeration: views") {
  compare_with_enumeration({7, true, false, false}, 150, 2);
}

TEST_CASE("node orders equal enumeration: reuse and edges") {
  compare_with_enumeration({7, true, true, true}, 150, 3);
}

TEST_CASE("where nothing is gained the given order stays") {
  OrderProblem problem;
  problem.sizes = {8, 8, 8, 8};
  problem.nodes = {{{0}, {1}, 0, {}}, {{0}, {2}, 0, {}}, {{1, 2}, {3}, 0, {}}};
  problem.live_at_end = {3};
  CHECK(order_nodes(problem).order == std::vector<int>{0, 1, 2});
}

TEST_CASE("gradient buffers die young") {
  const OrderProblem problem = training_chain(12);
  const NodeOrder result = order_nodes(problem);
  CHECK(valid(problem, result.order));
  CHECK(result.optimal);
  CHECK(result.given_peak >= 12 * 50);
  // All activations, one gradient, one weight gradient: 13 * 10 + 10 + 50 less the last activation, which is
  // no longer needed.
  CHECK(result.peak == 180);
  CHECK(result.optimal);
  std::vector<int> position(result.order.size());
  for (int k = 0; k < static_cast<int>(result.order.size()); ++k) position[result.order[k]] = k;
  for (int layer = 0; layer < 12; ++layer) CHECK(position[37 + layer] == position[13 + 2 * layer] + 1);
}

TEST_CASE("an update waits for the readers of the old value") {
  // Node 1 updates a tensor that node 2 still reads; freeing the gradient (value 1) early must not overtake
  // it.
  OrderProblem problem;
  problem.sizes = {10, 100, 1, 1};
  problem.nodes = {{{0}, {1}, 0, {}}, {{0}, {2}, 0, {}}, {{1}, {}, 0, {}}, {{2}, {3}, 0, {}}};
  problem.edges = {{1, 2}};
  const NodeOrder result = order_nodes(problem);
  CHECK(valid(problem, result.order));
  CHECK(result.optimal);
  CHECK(peak_of_order(problem, result.order) == result.peak);
}

TEST_CASE("parallel branches run one after the other, the greediest last") {
  // Eight branches of five nodes, each wide in the middle: 6^8 sets of nodes, more than the effort allows to
  // visit one by one.
  OrderProblem problem;
  problem.sizes = {4};
  tinytc::OrderNode join{{}, {}, 0, {}};
  const std::int64_t sizes[] = {30, 60, 90, 40, 5};
  std::vector<int> tips(8, 0);
  for (std::int64_t size : sizes) {  // given breadth first: the worst order
    for (int& tip : tips) {
      problem.sizes.push_back(size);
      const int value = static_cast<int>(problem.sizes.size()) - 1;
      problem.nodes.push_back({{tip}, {value}, 0, {}});
      tip = value;
    }
  }
  join.reads = tips;
  problem.nodes.push_back(join);
  const NodeOrder result = order_nodes(problem);
  CHECK(valid(problem, result.order));
  CHECK(result.given_peak >= 8 * 90);
  CHECK(result.peak ==
        60 + 90 + 7 * 5);  // the last branch meets the results of the seven others; the input is gone by then
}

TEST_CASE("the same graph gets the same order, within the effort") {
  std::mt19937 random(4);
  for (int k = 0; k < 10; ++k) {
    const OrderProblem problem = random_problem(random, {60, true, true, true});
    const NodeOrder first = order_nodes(problem, 3'000);
    const NodeOrder second = order_nodes(problem, 3'000);
    CHECK(first.order == second.order);
    CHECK(valid(problem, first.order));
    CHECK(first.peak <= first.given_peak);
    CHECK(first.lower_bound <= first.peak);
  }
}

TEST_CASE("an empty graph and impossible graphs") {
  CHECK(order_nodes(OrderProblem{}).peak == 0);
  OrderProblem cycle;
  cycle.sizes = {1, 1};
  cycle.nodes = {{{1}, {0}, 0, {}}, {{0}, {1}, 0, {}}};
  CHECK_THROWS_AS(order_nodes(cycle), std::invalid_argument);
  OrderProblem missing;
  missing.sizes = {1};
  missing.nodes = {{{3}, {0}, 0, {}}};
  CHECK_THROWS_AS(order_nodes(missing), std::invalid_argument);
}
