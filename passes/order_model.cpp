// The memory model of node orders; see order_model.h.
#include "passes/order_model.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace tinytc::ordering {
namespace {

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

void check_value(const OrderProblem& problem, int value) {
  require(value >= 0 && value < static_cast<int>(problem.sizes.size()),
          "order_nodes: a value does not exist");
}

int root_of(const OrderProblem& problem, int value) {
  check_value(problem, value);
  if (problem.roots.empty()) return value;
  const int root = problem.roots[value];
  check_value(problem, root);
  require(problem.roots[root] == root, "order_nodes: the root of a view is itself a view");
  return root;
}

void sort_unique(std::vector<int>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

Node make_node(const OrderProblem& problem, const OrderNode& from) {
  Node node;
  for (int value : from.reads) node.closes.push_back(root_of(problem, value));
  for (int value : from.writes) node.opens.push_back(root_of(problem, value));
  sort_unique(node.opens);
  node.closes.insert(node.closes.end(), node.opens.begin(), node.opens.end());
  sort_unique(node.closes);
  for (const OrderReuse& r : from.reuses) {
    const OrderReuse reuse{root_of(problem, r.output), root_of(problem, r.input), r.bytes};
    if (reuse.output != reuse.input) node.reuses.push_back(reuse);
  }
  std::stable_sort(node.reuses.begin(), node.reuses.end(),
                   [](const OrderReuse& a, const OrderReuse& b) { return a.output < b.output; });
  node.scratch = from.scratch;
  return node;
}

void add_edge(Model& model, int earlier, int later) {
  require(earlier >= 0 && earlier < later && later < static_cast<int>(model.nodes.size()),
          "order_nodes: the given order breaks a dependency");
  model.nodes[earlier].followers.push_back(later);
}

void add_edges(Model& model, const OrderProblem& problem) {
  std::vector<std::vector<int>> writers(problem.sizes.size());
  for (int n = 0; n < static_cast<int>(problem.nodes.size()); ++n) {
    for (int value : problem.nodes[n].writes) writers[value].push_back(n);
  }
  for (int n = 0; n < static_cast<int>(problem.nodes.size()); ++n) {
    for (int value : problem.nodes[n].reads) {
      for (int writer : writers[value]) add_edge(model, writer, n);
    }
  }
  for (const auto& [earlier, later] : problem.edges) add_edge(model, earlier, later);
  for (Node& node : model.nodes) {
    sort_unique(node.followers);
    for (int later : node.followers) ++model.nodes[later].predecessors;
  }
}

// Values that are read but never written.
std::vector<int> values_from_outside(const OrderProblem& problem) {
  std::vector<char> written(problem.sizes.size(), 0);
  std::vector<int> values;
  for (const OrderNode& node : problem.nodes) {
    for (int value : node.writes) written[value] = 1;
  }
  for (const OrderNode& node : problem.nodes) {
    std::copy_if(node.reads.begin(), node.reads.end(), std::back_inserter(values),
                 [&](int v) { return !written[v]; });
  }
  return values;
}

// Bytes saved by writing over inputs that die with this node. opens(g), closes(g): this node opens or closes
// group g.
template <typename Opens, typename Closes>
std::int64_t saved(const Model& model, const Node& node, Opens opens, Closes closes) {
  std::int64_t total = 0, of_output = 0;
  for (std::size_t k = 0; k < node.reuses.size(); ++k) {
    const OrderReuse& r = node.reuses[k];
    if (k == 0 || node.reuses[k - 1].output != r.output) of_output = 0;
    const bool possible =
        model.reversed ? opens(r.input) && closes(r.output) : opens(r.output) && closes(r.input);
    if (!possible) continue;
    const std::int64_t before = of_output;
    of_output = std::min({before + r.bytes, before + model.sizes[r.input], model.sizes[r.output]});
    total += of_output - before;
  }
  return total;
}

// Sets Model::closers; everything else is in place.
void count_closers(Model& model) {
  model.closers.assign(model.kept.begin(), model.kept.end());
  for (const Node& node : model.nodes) {
    for (int g : node.closes) ++model.closers[g];
  }
}

}  // namespace

Model build_model(const OrderProblem& problem) {
  require(problem.roots.empty() || problem.roots.size() == problem.sizes.size(),
          "order_nodes: roots do not match the values");
  Model model;
  model.sizes = problem.sizes;
  for (const OrderNode& node : problem.nodes) model.nodes.push_back(make_node(problem, node));
  add_edges(model, problem);
  model.kept.assign(model.sizes.size(), 0);
  for (int value : problem.live_at_end) model.kept[root_of(problem, value)] = 1;
  model.open = model.kept;  // what is kept but never written has been there from the start
  for (const Node& node : model.nodes) {
    for (int g : node.opens) model.open[g] = 0;
  }
  for (int value : values_from_outside(problem)) model.open[root_of(problem, value)] = 1;
  for (int value : problem.live_at_start) model.open[root_of(problem, value)] = 1;
  count_closers(model);
  return model;
}

Model reverse(const Model& model) {
  Model reversed = model;
  reversed.reversed = !model.reversed;
  std::swap(reversed.open, reversed.kept);
  for (Node& node : reversed.nodes) {
    std::swap(node.opens, node.closes);
    node.predecessors = static_cast<int>(node.followers.size());
    node.followers.clear();
  }
  for (int n = 0; n < static_cast<int>(model.nodes.size()); ++n) {
    for (int follower : model.nodes[n].followers) reversed.nodes[follower].followers.push_back(n);
  }
  count_closers(reversed);
  return reversed;
}

Run start(const Model& model) {
  Run run{model.closers, model.open, {}, 0};
  for (const Node& node : model.nodes) run.predecessors.push_back(node.predecessors);
  for (std::size_t g = 0; g < model.sizes.size(); ++g) {
    if (run.open[g] && run.closers[g] > 0) run.live += model.sizes[g];
  }
  return run;
}

Effect effect(const Model& model, const Run& run, int index) {
  const Node& node = model.nodes[index];
  const auto opens = [&](int g) { return !run.open[g]; };
  const auto closes = [&](int g) { return run.closers[g] == 1; };
  std::int64_t opened = 0, closed = 0;
  for (int g : node.opens) opened += opens(g) ? model.sizes[g] : 0;
  for (int g : node.closes) closed += closes(g) ? model.sizes[g] : 0;
  const std::int64_t during = run.live + opened + node.scratch - saved(model, node, opens, closes);
  return {during, run.live + opened - closed};
}

void undo(const Model& model, Run& run, int node, const std::vector<int>& opened, std::int64_t live_before) {
  for (int n : model.nodes[node].followers) ++run.predecessors[n];
  for (int g : model.nodes[node].closes) ++run.closers[g];
  for (int g : opened) run.open[g] = 0;
  run.live = live_before;
}

Cutter make_cutter(const Model& model, const std::vector<int>& order) {
  Cutter cutter{model, order, std::vector<int>(order.size()), std::vector<int>(model.sizes.size(), -1)};
  for (int k = 0; k < static_cast<int>(order.size()); ++k) cutter.position[order[k]] = k;
  return cutter;
}

Model cut(Cutter& cutter, const Run& run, std::size_t first, std::size_t last) {
  Model part;
  std::vector<int> groups;
  const auto local = [&](int g) {
    if (cutter.local[g] < 0) {
      cutter.local[g] = static_cast<int>(groups.size());
      groups.push_back(g);
    }
    return cutter.local[g];
  };
  for (std::size_t k = first; k < last; ++k) {
    Node node = cutter.model.nodes[cutter.order[k]];
    for (int& g : node.closes) g = local(g);
    for (int& g : node.opens) g = local(g);
    for (OrderReuse& r : node.reuses) r.output = local(r.output), r.input = local(r.input);
    for (int& n : node.followers) n = cutter.position[n] - static_cast<int>(first);
    std::erase_if(node.followers, [&](int n) { return n >= static_cast<int>(last - first); });
    sort_unique(node.followers);
    node.predecessors = 0;
    part.nodes.push_back(std::move(node));
  }
  for (const Node& node : part.nodes) {
    for (int n : node.followers) ++part.nodes[n].predecessors;
  }
  part.kept.assign(groups.size(), 0);
  count_closers(part);
  for (std::size_t k = 0; k < groups.size(); ++k) {
    const int g = groups[k];
    part.sizes.push_back(cutter.model.sizes[g]);
    part.open.push_back(run.open[g]);
    part.kept[k] = run.closers[g] > part.closers[k];
    part.closers[k] += part.kept[k];
    cutter.local[g] = -1;
  }
  return part;
}

std::int64_t peak(const Model& model, const std::vector<int>& order) {
  Run run = start(model);
  std::int64_t most = run.live;
  std::vector<int> opened;
  for (int node : order) {
    most = std::max(most, effect(model, run, node).during);
    advance(model, run, node, opened, [](int) {});
  }
  return std::max(most, run.live);
}

std::int64_t lower_bound(const Model& model) {
  const auto always = [](int) { return true; };
  std::int64_t at_start = 0, at_end = 0, most = 0;
  for (std::size_t g = 0; g < model.sizes.size(); ++g) {
    if (model.open[g] && model.closers[g] > 0) at_start += model.sizes[g];
    if (model.kept[g]) at_end += model.sizes[g];
  }
  for (const Node& node : model.nodes) {
    const std::vector<int>& touched = model.reversed ? node.opens : node.closes;
    std::int64_t needed = node.scratch - saved(model, node, always, always);
    for (int g : touched) needed += model.sizes[g];
    most = std::max(most, needed);
  }
  return std::max({at_start, at_end, most});
}

}  // namespace tinytc::ordering
