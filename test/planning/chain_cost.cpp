// Orders or plans a long chain, for counting instructions with valgrind (linear_cost.sh): chain_cost
// offsets|order NODES. Sizes vary, so that neither the greedy placement nor the given order is obviously
// right, and every tenth buffer lives longer.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "passes/order_nodes.h"
#include "passes/plan_offsets.h"

namespace {

std::int64_t size_of(int i) { return 16 + (i * 7919) % 1009 * 4; }

std::int64_t plan_chain(int count) {
  tinytc::OffsetProblem problem;
  for (int i = 0; i < count; ++i) problem.items.push_back({size_of(i), 4, i, i + (i % 10 == 0 ? 6 : 2)});
  for (int i = 1; i < count; i += 3) problem.relaxations.push_back({i, i - 1, 0});
  return tinytc::plan_offsets(problem).peak;
}

// A chain with a side branch at every tenth node, which joins again three nodes later.
std::int64_t order_chain(int count) {
  tinytc::OrderProblem problem;
  problem.sizes = {64};
  for (int i = 0; i < count; ++i) {
    problem.sizes.push_back(size_of(i));
    tinytc::OrderNode node{{i}, {i + 1}, 0, {}};
    if (i % 10 == 3) node.reads.push_back(i - 3);
    problem.nodes.push_back(node);
  }
  problem.live_at_end = {count};
  return tinytc::order_nodes(problem).peak;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int count = std::atoi(argv[2]);
  const std::int64_t peak = std::strcmp(argv[1], "offsets") == 0 ? plan_chain(count) : order_chain(count);
  std::printf("%lld\n", static_cast<long long>(peak));
  return 0;
}
