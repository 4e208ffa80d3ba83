// Depth-first search over sets of nodes; see order_search.h. The descent is a loop over explicit frames,
// since orders of ten thousand nodes would be too deep for recursion.
#include "passes/order_search.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

namespace tinytc::ordering {
namespace {

// A set of nodes that have run, as the xor of one random word pair a node (Zobrist, 1970).
struct Key {
  std::uint64_t a = 0, b = 0;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const { return static_cast<std::size_t>(key.a); }
};

// splitmix64 (Steele, Lea, Flood 2014): a well-mixed word for every index.
std::uint64_t mixed(std::uint64_t index) {
  std::uint64_t z = (index + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

struct Choice {
  std::int64_t after;  // bytes live after it
  int node;
};

// One node on the current path: what running it changed, and what else could run in its place.
struct Frame {
  std::vector<Choice> choices;  // the current one and those still to try, best last
  std::vector<int> chain;       // nodes that must follow the current choice
  bool forced = false;          // no choice: failing here says nothing about other choices
  std::int64_t live_before = 0;
  std::vector<int> opened;
  std::size_t ready_at = 0;     // where the node stood among the ready ones
  std::size_t ready_count = 0;  // ready ones before it ran
};

struct Search {
  const Model& model;
  std::int64_t bytes;
  Run run;
  std::vector<int> ready;
  std::vector<Frame> path;
  Key key;
  std::unordered_set<Key, KeyHash> hopeless;  // looked up only, never walked
  std::int64_t next_bound = no_limit;
};

constexpr std::size_t longest_chain = 64;            // nodes
constexpr std::size_t most_chains = 16;              // looked at from one state
constexpr std::int64_t ready_of_a_search_node = 16;  // looking at this many ready nodes counts as one more

// The nodes from `first` on, each made ready by the one before, up to where no more than now is live; empty
// if they do not get there within the bytes.
std::vector<int> chain_to_valley(Search& search, int first) {
  struct Step {
    int node;
    std::int64_t live_before;
    std::vector<int> opened;
  };
  const std::int64_t live = search.run.live;
  std::vector<Step> steps;
  std::vector<int> next{first};
  while (next.size() == 1 && steps.size() < longest_chain && (steps.empty() || search.run.live > live)) {
    const int node = next.front();
    if (effect(search.model, search.run, node).during > search.bytes) break;
    steps.push_back({node, search.run.live, {}});
    next.clear();
    advance(search.model, search.run, node, steps.back().opened, [&](int n) { next.push_back(n); });
  }
  std::vector<int> chain;
  for (const Step& step : steps) chain.push_back(step.node);
  if (search.run.live > live) chain.clear();
  for (auto s = steps.rbegin(); s != steps.rend(); ++s)
    undo(search.model, search.run, s->node, s->opened, s->live_before);
  return chain;
}

// Looks for a chain among the choices that may be run without looking further.
void force_chain(Search& search, Frame& frame) {
  const auto end = frame.choices.rbegin() + std::min(frame.choices.size(), most_chains);
  for (auto c = frame.choices.rbegin(); c != end; ++c) {
    const std::vector<int> chain = chain_to_valley(search, c->node);
    if (chain.empty()) continue;
    frame.choices = {Choice{*c}};
    frame.chain.assign(chain.begin() + 1, chain.end());
    frame.forced = true;
    return;
  }
}

// Continues the chain that the last frame is on.
void follow_chain(const Search& search, Frame& frame) {
  const std::vector<int>& chain = search.path.back().chain;
  frame.choices.push_back({0, chain.front()});
  frame.chain.assign(chain.begin() + 1, chain.end());
  frame.forced = true;
}

// The choices at the current state, best last; one if it is forced; none if there is no way on.
void collect_choices(Search& search, Frame& frame) {
  for (int node : search.ready) {
    const Effect e = effect(search.model, search.run, node);
    if (e.during > search.bytes) {
      search.next_bound = std::min(search.next_bound, e.during);
      continue;
    }
    frame.choices.push_back({e.after, node});
    frame.forced = frame.forced || e.after <= search.run.live;
  }
  const auto worse = [](const Choice& a, const Choice& b) {
    return std::tie(a.after, a.node) > std::tie(b.after, b.node);
  };
  if (frame.forced) {
    frame.choices = {*std::max_element(frame.choices.begin(), frame.choices.end(), worse)};
  } else {
    std::sort(frame.choices.begin(), frame.choices.end(), worse);
    if (frame.choices.size() > 1) force_chain(search, frame);
  }
}

void flip(Key& key, int node) {
  key.a ^= mixed(2 * static_cast<std::uint64_t>(node));
  key.b ^= mixed(2 * static_cast<std::uint64_t>(node) + 1);
}

// Runs the best remaining choice of the last frame.
void descend(Search& search) {
  Frame& frame = search.path.back();
  const int node = frame.choices.back().node;
  frame.live_before = search.run.live;
  frame.ready_at = std::find(search.ready.begin(), search.ready.end(), node) - search.ready.begin();
  std::swap(search.ready[frame.ready_at], search.ready.back());
  search.ready.pop_back();
  frame.ready_count = search.ready.size();
  frame.opened.clear();
  advance(search.model, search.run, node, frame.opened, [&](int n) { search.ready.push_back(n); });
  flip(search.key, node);
}

// Takes back the current choice of the last frame and drops it.
void take_back(Search& search) {
  Frame& frame = search.path.back();
  const int node = frame.choices.back().node;
  flip(search.key, node);
  undo(search.model, search.run, node, frame.opened, frame.live_before);
  search.ready.resize(frame.ready_count);
  search.ready.push_back(node);
  std::swap(search.ready[frame.ready_at], search.ready.back());
  frame.choices.pop_back();
}

// Goes back to the last state that has a choice left. False if there is none.
bool backtrack(Search& search) {
  while (!search.path.empty()) {
    Frame& frame = search.path.back();
    if (!frame.choices.empty()) take_back(search);
    if (!frame.choices.empty()) return true;
    if (!frame.forced) search.hopeless.insert(search.key);
    search.path.pop_back();
  }
  return false;
}

SearchResult finish(Search& search, Verdict verdict, std::int64_t nodes) {
  SearchResult result{verdict, {}, search.next_bound, nodes};
  if (verdict == Verdict::fits) {
    for (const Frame& frame : search.path) result.order.push_back(frame.choices.back().node);
  }
  return result;
}

}  // namespace

SearchResult search_order(const Model& model, std::int64_t bytes, std::int64_t node_limit) {
  Search search{model, bytes, start(model), {}, {}, {}, {}, no_limit};
  const std::int64_t bound = lower_bound(model);
  if (bound > bytes) return {Verdict::impossible, {}, bound, 0};
  for (int n = 0; n < static_cast<int>(model.nodes.size()); ++n) {
    if (model.nodes[n].predecessors == 0) search.ready.push_back(n);
  }
  std::int64_t nodes = 0;
  while (search.path.size() < model.nodes.size()) {
    Frame frame;
    if (!search.path.empty() && !search.path.back().chain.empty()) {
      follow_chain(search, frame);
    } else if (!search.hopeless.contains(search.key)) {
      collect_choices(search, frame);
    }
    search.path.push_back(std::move(frame));
    if (search.path.back().choices.empty() && !backtrack(search))
      return finish(search, Verdict::impossible, nodes);
    if (nodes >= node_limit) return finish(search, Verdict::unknown, nodes);
    nodes += 1 + static_cast<std::int64_t>(search.ready.size()) / ready_of_a_search_node;
    descend(search);
  }
  return finish(search, Verdict::fits, nodes);
}

}  // namespace tinytc::ordering
