// See audit_graph.h. Depths can reach the number of functions, so the search keeps its own stack.
#include "codegen/audit_graph.h"

#include <algorithm>

namespace tinytc {
namespace {

/// One step of the depth-first search.
struct Visit {
  std::size_t node;
  std::size_t next_edge = 0;
};

class Search {
 public:
  explicit Search(const CallGraph& graph)
      : graph_(graph), index_(graph.size(), unseen), low_(graph.size(), 0), open_(graph.size(), false) {}

  std::vector<std::vector<int>> run() {
    for (std::size_t node = 0; node < graph_.size(); ++node) {
      if (index_[node] == unseen) from(node);
    }
    return std::move(found_);
  }

 private:
  static constexpr std::size_t unseen = static_cast<std::size_t>(-1);

  void enter(std::size_t node) {
    index_[node] = low_[node] = count_++;
    open_[node] = true;
    members_.push_back(node);
    visits_.push_back({node});
  }

  void from(std::size_t start) {
    enter(start);
    while (!visits_.empty()) {
      Visit& visit = visits_.back();
      if (visit.next_edge < graph_[visit.node].size()) {
        const auto callee = static_cast<std::size_t>(graph_[visit.node][visit.next_edge++]);
        if (index_[callee] == unseen) {
          enter(callee);
        } else if (open_[callee]) {
          low_[visit.node] = std::min(low_[visit.node], index_[callee]);
        }
      } else {
        leave();
      }
    }
  }

  void leave() {
    const std::size_t node = visits_.back().node;
    visits_.pop_back();
    if (!visits_.empty()) low_[visits_.back().node] = std::min(low_[visits_.back().node], low_[node]);
    if (low_[node] != index_[node]) return;
    std::vector<int> component;
    std::size_t member;
    do {
      member = members_.back();
      members_.pop_back();
      open_[member] = false;
      component.push_back(static_cast<int>(member));
    } while (member != node);
    std::sort(component.begin(), component.end());
    found_.push_back(std::move(component));
  }

  const CallGraph& graph_;
  std::vector<std::size_t> index_, low_;
  std::vector<bool> open_;
  std::vector<std::size_t> members_;
  std::vector<Visit> visits_;
  std::size_t count_ = 0;
  std::vector<std::vector<int>> found_;
};

}  // namespace

std::vector<std::vector<int>> components(const CallGraph& graph) { return Search(graph).run(); }

bool is_recursion(const CallGraph& graph, const std::vector<int>& component) {
  const std::vector<int>& callees = graph[static_cast<std::size_t>(component.front())];
  return component.size() > 1 ||
         std::find(callees.begin(), callees.end(), component.front()) != callees.end();
}

std::vector<int> heaviest_path(const CallGraph& graph, const std::vector<std::int64_t>& weights) {
  std::vector<std::int64_t> below(graph.size(), 0);
  std::vector<int> next(graph.size(), -1);
  int start = -1;
  for (const std::vector<int>& component : components(graph)) {
    const auto node = static_cast<std::size_t>(component.front());
    for (int callee : graph[node]) {
      if (next[node] < 0 ||
          below[static_cast<std::size_t>(callee)] > below[static_cast<std::size_t>(next[node])])
        next[node] = callee;
    }
    below[node] = weights[node] + (next[node] < 0 ? 0 : below[static_cast<std::size_t>(next[node])]);
    if (start < 0 || below[node] > below[static_cast<std::size_t>(start)]) start = component.front();
  }
  std::vector<int> path;
  for (int at = start; at >= 0; at = next[static_cast<std::size_t>(at)]) path.push_back(at);
  return path;
}

}  // namespace tinytc
