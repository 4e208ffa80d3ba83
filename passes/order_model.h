// What running a node does to memory; internal to order_nodes.
//
// Values that are views of one buffer are one group. A group opens (takes its bytes) with the first node that
// writes it and closes (gives them back) when the last node that touches it has run. Run backwards, the same
// group opens with the first node that touches it and closes with the last that writes it: so a model can be
// reversed, and every order of the reversed model, read backwards, has the same peak.
#pragma once

#include <cstdint>
#include <vector>

#include "passes/order_nodes.h"

namespace tinytc::ordering {

struct Node {
  std::vector<int> opens;   // groups that it opens if they are not open yet, each once
  std::vector<int> closes;  // groups that it closes if no other node has still to close them, each once
  std::vector<OrderReuse> reuses;  // between groups, by output
  std::int64_t scratch = 0;        // bytes
  std::vector<int> followers;      // nodes that must run later, ascending
  int predecessors = 0;            // number of nodes that name this one as a follower
};

struct Model {
  std::vector<Node> nodes;
  std::vector<std::int64_t> sizes;  // bytes per group
  std::vector<char> open;           // per group: takes its bytes before the first node
  std::vector<char> kept;           // per group: takes its bytes after the last node
  std::vector<int> closers;         // per group: nodes that must run before it closes, plus one if it is kept
  bool reversed = false;
};

// Throws std::invalid_argument, see order_nodes().
Model build_model(const OrderProblem& problem);

// The same model backwards in time.
Model reverse(const Model& model);

// Where a run stands.
struct Run {
  std::vector<int> closers;       // per group: still to come
  std::vector<char> open;         // per group: has been opened (it may have closed since)
  std::vector<int> predecessors;  // per node: still to come
  std::int64_t live = 0;          // bytes between nodes
};

Run start(const Model& model);

struct Effect {
  std::int64_t during = 0;  // bytes live while the node runs
  std::int64_t after = 0;   // bytes live when it has run
};

// What running `node` next would do.
Effect effect(const Model& model, const Run& run, int node);

// Runs it; calls ready(n) for each node n that can run from now on. Appends the groups that it opened to
// `opened`.
template <typename Ready>
void advance(const Model& model, Run& run, int node, std::vector<int>& opened, Ready ready) {
  run.live = effect(model, run, node).after;
  for (int g : model.nodes[node].opens) {
    if (!run.open[g]) opened.push_back(g);
    run.open[g] = 1;
  }
  for (int g : model.nodes[node].closes) --run.closers[g];
  for (int n : model.nodes[node].followers) {
    if (--run.predecessors[n] == 0) ready(n);
  }
}

// Takes back the last advance(), which opened the groups `opened` when `live_before` bytes were live.
void undo(const Model& model, Run& run, int node, const std::vector<int>& opened, std::int64_t live_before);

// Cuts stretches out of one order of a model, each as a model of its own. Linear in the stretches' sizes, not
// in the model's.
struct Cutter {
  const Model& model;
  const std::vector<int>& order;
  std::vector<int> position;  // per node, in order
  std::vector<int> local;     // per group: its number in the stretch being cut, or -1
};

Cutter make_cutter(const Model& model, const std::vector<int>& order);

// The nodes at positions [first, last) of the order, numbered from 0 in that order; `run` stands just before
// them. Whatever stands before has run, whatever stands after runs later. Groups that the stretch does not
// touch are left out: they add run.live - start(stretch).live bytes to every order of it.
Model cut(Cutter& cutter, const Run& run, std::size_t first, std::size_t last);

std::int64_t peak(const Model& model, const std::vector<int>& order);

// Bytes that each node needs whatever the order; the largest bounds every order from below.
std::int64_t lower_bound(const Model& model);

}  // namespace tinytc::ordering
