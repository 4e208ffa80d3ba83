// Orders nodes for the least peak: cut the graph at nodes that every other stands before or after, order
// every stretch by exact search, where that runs out of effort improve it window by window, and let nodes
// that free memory run early. Read order_nodes() at the end first; see order_nodes.h for the contract.
#include "passes/order_nodes.h"

#include <algorithm>
#include <numeric>
#include <queue>

#include "passes/order_model.h"
#include "passes/order_search.h"

namespace tinytc {
namespace {

using ordering::Model;
using ordering::Verdict;

constexpr std::size_t window_nodes = 32;  // improved exactly, one window after the other, half overlapping
constexpr int window_passes = 4;          // over the whole stretch
constexpr std::int64_t window_effort = 2'000;  // search nodes per window

// An order of a model's nodes and what is proven about it.
struct Solution {
  std::vector<int> order;
  std::int64_t peak = 0;
  std::int64_t bound = 0;
};

// Nodes [first, last) of the given order, on their own. Other bytes, live all the time, add `base` to every
// peak.
struct Stretch {
  Model model;
  std::size_t first = 0;
  std::int64_t base = 0;
  Solution solution;
};

// Positions of nodes that every other node must run before or after. At p: every node before p has a follower
// up to p, so that it leads to p; and every node after p has a predecessor from p on, so that it comes from
// p.
std::vector<std::size_t> cut_positions(const Model& model) {
  const int count = static_cast<int>(model.nodes.size());
  std::vector<int> nearest_after(count, count), nearest_before(count, -1);
  for (int n = 0; n < count; ++n) {
    const std::vector<int>& followers = model.nodes[n].followers;
    if (!followers.empty()) nearest_after[n] = followers.front();
    for (int f : followers) nearest_before[f] = n;  // the last one to write is the nearest
  }
  std::vector<int> comes_from(count + 1, count);  // per p: the least nearest_before of the nodes from p on
  for (int n = count - 1; n >= 0; --n) comes_from[n] = std::min(comes_from[n + 1], nearest_before[n]);
  std::vector<std::size_t> cuts;
  int leads_to = 0;  // the largest nearest_after of the nodes before n
  for (int n = 0; n < count; ++n) {
    if (leads_to <= n && comes_from[n + 1] >= n) cuts.push_back(static_cast<std::size_t>(n));
    leads_to = std::max(leads_to, nearest_after[n]);
  }
  return cuts;
}

// A model to order, and the same backwards: a search that gets lost in one often finds its way in the other.
struct BothWays {
  const Model& forward;
  Model backward;
};

// Asks for an order within `bytes` and takes the answer into the solution.
Verdict ask(const BothWays& models, std::int64_t bytes, std::int64_t limit, std::int64_t& nodes,
            Solution& solution) {
  Verdict verdict = Verdict::unknown;
  for (const Model* model : {&models.forward, &models.backward}) {
    if (solution.peak <= solution.bound) break;
    ordering::SearchResult result = ordering::search_order(*model, bytes, limit / 2);
    nodes += result.nodes;
    verdict = result.verdict;
    if (verdict == Verdict::impossible) {
      solution.bound = std::max(solution.bound, std::min(result.next_bound, solution.peak));
    } else if (verdict == Verdict::fits) {
      if (model->reversed) std::reverse(result.order.begin(), result.order.end());
      const std::int64_t peak = ordering::peak(models.forward, result.order);
      if (peak < solution.peak) solution = {std::move(result.order), peak, solution.bound};
    }
    if (verdict != Verdict::unknown && bytes != ordering::no_limit) break;
  }
  return verdict;
}

// Spends about `limit` search nodes to bring the peak down to `target` or to the proven bound: first the
// greedy orders, then the bound itself, then halves the distance between what is possible and what could not
// be decided.
void improve(const Model& model, std::int64_t target, std::int64_t limit, std::int64_t& nodes,
             Solution& solution) {
  const std::int64_t end = nodes + limit;
  const auto goal = [&] { return std::max(target, solution.bound); };
  const auto open = [&] { return solution.peak > goal() && nodes + 1 < end; };
  if (!open()) return;
  const BothWays models{model, ordering::reverse(model)};
  ask(models, ordering::no_limit, end - nodes, nodes, solution);
  Verdict verdict = Verdict::impossible;
  while (open() && verdict == Verdict::impossible) {
    verdict = ask(models, goal(), (end - nodes + 1) / 2, nodes, solution);
  }
  std::int64_t undecided = goal();
  while (open() && solution.peak - undecided > 1) {
    const std::int64_t middle = undecided + (solution.peak - undecided) / 2;
    const bool fits = ask(models, middle, (end - nodes + 3) / 4, nodes, solution) == Verdict::fits;
    undecided = std::max(fits ? undecided : middle, goal());
  }
  while (open() && ask(models, solution.peak - 1, end - nodes, nodes, solution) != Verdict::unknown) {
  }
}

Solution given_order(const Model& model) {
  Solution solution{std::vector<int>(model.nodes.size()), 0, ordering::lower_bound(model)};
  std::iota(solution.order.begin(), solution.order.end(), 0);
  solution.peak = ordering::peak(model, solution.order);
  return solution;
}

// Orders windows of the stretch on their own, as if the rest of its order stood. True if the order changed.
bool improve_windows(const Model& model, std::int64_t& nodes, Solution& solution) {
  std::vector<int>& order = solution.order;
  ordering::Cutter cutter = ordering::make_cutter(model, order);
  ordering::Run run = ordering::start(model);
  std::vector<int> opened;
  bool changed = false;
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (k % (window_nodes / 2) == 0) {
      const std::size_t last = std::min(k + window_nodes, order.size());
      const Model window = ordering::cut(cutter, run, k, last);
      const std::int64_t base = run.live - ordering::start(window).live;
      Solution best = given_order(window);
      const std::int64_t before = best.peak;
      improve(window, solution.bound - base, window_effort, nodes, best);
      if (best.peak < before) {
        const std::vector<int> old(order.begin() + k, order.begin() + last);
        for (std::size_t j = 0; j < old.size(); ++j) {
          order[k + j] = old[best.order[j]];
          cutter.position[order[k + j]] = static_cast<int>(k + j);
        }
        changed = true;
      }
    }
    ordering::advance(model, run, order[k], opened, [](int) {});
  }
  solution.peak = ordering::peak(model, order);
  return changed;
}

// Brings the stretch's peak, base included, towards `target`.
void solve(Stretch& stretch, std::int64_t target, std::int64_t limit, std::int64_t& nodes) {
  Solution& solution = stretch.solution;
  const std::int64_t goal = std::max(target - stretch.base, solution.bound);
  if (solution.peak <= goal || limit <= 0) return;
  improve(stretch.model, goal, limit, nodes, solution);
  if (stretch.model.nodes.size() <= window_nodes) return;
  for (int pass = 0; pass < window_passes && solution.peak > std::max(goal, solution.bound); ++pass) {
    if (!improve_windows(stretch.model, nodes, solution)) break;
  }
}

std::vector<Stretch> cut_into_stretches(const Model& model, const std::vector<int>& given) {
  std::vector<std::size_t> cuts = cut_positions(model);
  if (cuts.empty() || cuts.front() != 0) cuts.insert(cuts.begin(), 0);
  cuts.push_back(given.size());
  ordering::Cutter cutter = ordering::make_cutter(model, given);
  ordering::Run run = ordering::start(model);
  std::vector<int> opened;
  std::vector<Stretch> stretches;
  for (std::size_t k = 0; k + 1 < cuts.size(); ++k) {
    Stretch stretch{ordering::cut(cutter, run, cuts[k], cuts[k + 1]), cuts[k], 0, {}};
    stretch.base = run.live - ordering::start(stretch.model).live;
    stretch.solution = given_order(stretch.model);
    stretches.push_back(std::move(stretch));
    for (std::size_t n = cuts[k]; n < cuts[k + 1]; ++n)
      ordering::advance(model, run, given[n], opened, [](int) {});
  }
  return stretches;
}

// Runs nodes that free memory as soon as they can run within `peak` bytes; everything else keeps its order.
// Never raises what is live at any moment (see order_search.h).
std::vector<int> free_early(const Model& model, const std::vector<int>& order, std::int64_t peak) {
  std::vector<int> position(order.size()), result;
  for (std::size_t k = 0; k < order.size(); ++k) position[order[k]] = static_cast<int>(k);
  std::vector<std::vector<int>> nodes_of(model.sizes.size());
  for (int n : order) {
    for (int g : model.nodes[n].closes) nodes_of[g].push_back(n);
  }
  ordering::Run run = ordering::start(model);
  std::vector<char> done(order.size(), 0);
  std::vector<int> opened;
  std::priority_queue<int, std::vector<int>, std::greater<>>
      maybe;  // positions of nodes that may have come to free memory
  const auto go = [&](int node) {
    done[node] = 1;
    result.push_back(node);
    ordering::advance(model, run, node, opened, [&](int n) { maybe.push(position[n]); });
    for (int g : model.nodes[node].closes) {
      if (run.closers[g] != 1) continue;
      for (int n : nodes_of[g]) maybe.push(position[n]);
    }
  };
  for (int next : order) {
    while (!maybe.empty()) {
      const int node = order[maybe.top()];
      maybe.pop();
      if (done[node] || run.predecessors[node] > 0) continue;
      const ordering::Effect e = ordering::effect(model, run, node);
      if (e.after < run.live && e.during <= peak) go(node);
    }
    if (!done[next]) go(next);
  }
  return result;
}

}  // namespace

std::int64_t peak_of_order(const OrderProblem& problem, const std::vector<int>& order) {
  return ordering::peak(ordering::build_model(problem), order);
}

NodeOrder order_nodes(const OrderProblem& problem, std::int64_t effort) {
  const Model model = ordering::build_model(problem);
  const Solution given = given_order(model);
  const std::vector<int> early = free_early(model, given.order, given.peak);
  NodeOrder result{{}, 0, given.peak, given.bound, false, 0};
  std::vector<Stretch> stretches = cut_into_stretches(model, early);
  std::vector<Stretch*> by_bound;
  for (Stretch& s : stretches) by_bound.push_back(&s);
  const auto bound_of = [](const Stretch* s) { return s->base + s->solution.bound; };
  std::stable_sort(by_bound.begin(), by_bound.end(),
                   [&](auto* a, auto* b) { return bound_of(a) > bound_of(b); });
  std::int64_t target = by_bound.empty() ? 0 : bound_of(by_bound.front());
  for (Stretch* s : by_bound) {
    solve(*s, target, effort - result.nodes, result.nodes);
    target = std::max(target, s->base + s->solution.peak);  // nothing gains by being below that
    result.lower_bound = std::max(result.lower_bound, bound_of(s));
  }
  std::vector<int> best;
  for (const Stretch& s : stretches) {
    for (int n : s.solution.order) best.push_back(early[s.first + static_cast<std::size_t>(n)]);
  }
  if (ordering::peak(model, best) >= ordering::peak(model, early)) best = early;
  result.order = free_early(model, best, ordering::peak(model, best));
  result.peak = ordering::peak(model, result.order);
  result.optimal = result.peak == result.lower_bound;
  return result;
}

}  // namespace tinytc
