// Constant channels; see remove_channels.h. Ranges forwards once; then all channels may go at first, and those that a reader needs are kept
// until nothing changes. A reader can do without a constant whose share goes into its bias; an operator on separate channels needs no
// channel that its own reader does without, whatever it holds.
#include "passes/remove_channels.h"

#include <algorithm>

#include "compiler/op.h"

namespace tinytc {

namespace {

class ChannelRemoval {
 public:
  explicit ChannelRemoval(Graph& graph) : graph_(graph), ranges_(graph.values.size()), removed_(graph.values.size()) {}

  void run() {
    find_ranges();
    start();
    settle();
    fill_fours();
    settle();
    for (Node& node : graph_.nodes)
      if (has_rule(node)) apply(node);
  }

 private:
  std::vector<ValueRange>& ranges(ValueId id) { return ranges_[static_cast<std::size_t>(id)]; }
  std::vector<bool>& removed(ValueId id) { return removed_[static_cast<std::size_t>(id)]; }
  /// Whether its rule applies to this node; known once ranges are.
  bool has_rule(const Node& node) { return node.op->channels.ranges != nullptr && node.outputs.size() == 1 && !ranges(node.outputs[0]).empty(); }

  void find_ranges() {
    for (const Node& node : graph_.nodes) {
      if (node.op->channels.ranges == nullptr || node.outputs.size() != 1 || graph_.shape(node.inputs[0]).size() < 2) continue;
      std::vector<ValueRange> input = ranges(node.inputs[0]);
      if (input.empty()) input.assign(static_cast<std::size_t>(graph_.shape(node.inputs[0])[1]), {-128, 127});
      ranges(node.outputs[0]) = node.op->channels.ranges(graph_, node, input);
    }
  }

  void settle() {
    while (shrink()) {
    }
  }

  /// All channels of tensors inside the graph.
  void start() {
    for (const Node& node : graph_.nodes) {
      if (!has_rule(node)) continue;
      const ValueId id = node.outputs[0];
      if (std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end()) continue;
      removed(id).assign(ranges(id).size(), true);
    }
  }

  /// Keeps more channels until their number is a multiple of four and not zero: kernels take four at a time, and fewer cost as much or more.
  void fill_fours() {
    for (const Node& node : graph_.nodes) {
      if (!has_rule(node) || node.op->channels.is_separate(graph_, node)) continue;
      std::vector<bool>& list = removed(node.outputs[0]);
      auto kept = std::count(list.begin(), list.end(), false);
      for (std::size_t c = 0; c < list.size() && (kept == 0 || kept % 4 != 0); ++c) {
        kept += list[c] ? 1 : 0;
        list[c] = false;
      }
    }
  }

  /// Keeps channels that a node needs; whether that changed anything.
  bool shrink() {
    bool changed = false;
    for (const Node& node : graph_.nodes) {
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == no_value || removed(node.inputs[i]).empty()) continue;
        if (i > 0 || !has_rule(node)) changed = clear(removed(node.inputs[i])) || changed;
      }
      if (has_rule(node)) changed = shrink_at(node) || changed;
    }
    return changed;
  }

  static bool clear(std::vector<bool>& list) {
    const bool any = std::find(list.begin(), list.end(), true) != list.end();
    list.assign(list.size(), false);
    return any;
  }

  bool shrink_at(const Node& node) {
    std::vector<bool>&in = removed(node.inputs[0]), &out = removed(node.outputs[0]);
    bool changed = false;
    if (node.op->channels.is_separate(graph_, node)) {
      if (in.empty() || out.empty()) return clear(in.empty() ? out : in) || changed;
      for (std::size_t c = 0; c < in.size(); ++c) {
        changed = changed || in[c] != out[c];
        in[c] = out[c] = in[c] && out[c];
      }
      return changed;
    }
    for (std::size_t c = 0; c < in.size(); ++c) {
      const ValueRange range = ranges(node.inputs[0])[c];
      if (!in[c] || (range.is_constant() && node.op->channels.can_fold(graph_, node, range.lo))) continue;
      in[c] = false;
      changed = true;
    }
    return changed;
  }

  static std::vector<bool> kept(const std::vector<bool>& removed, std::size_t count) {
    std::vector<bool> result(count, true);
    for (std::size_t c = 0; c < removed.size(); ++c) result[c] = !removed[c];
    return result;
  }

  void apply(Node& node) {
    const std::vector<bool>&in = removed(node.inputs[0]), &out = removed(node.outputs[0]);
    const auto any = [](const std::vector<bool>& list) { return std::find(list.begin(), list.end(), true) != list.end(); };
    if (!any(in) && !any(out)) return;
    const std::vector<ValueRange>& input = ranges(node.inputs[0]);
    // An input that loses nothing may have no ranges; its type is as it was.
    const std::size_t inputs = input.empty() ? static_cast<std::size_t>(graph_.shape(node.inputs[0])[1]) : input.size();
    node.op->channels.keep(graph_, node, {kept(in, inputs), kept(out, ranges(node.outputs[0]).size()), input});
    graph_.value(node.outputs[0]).type = infer_types(graph_, node)[0];
  }

  Graph& graph_;
  std::vector<std::vector<ValueRange>> ranges_;   // by value; empty: unknown
  std::vector<std::vector<bool>> removed_;        // by value; empty: keeps all
};

}  // namespace

void remove_channels(Graph& graph) { ChannelRemoval(graph).run(); }

}  // namespace tinytc
