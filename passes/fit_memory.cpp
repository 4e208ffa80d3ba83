// Fitting a program into RAM; see fit_memory.h. Every change is tried on the planner, which is the only judge of what it saves.
#include "passes/fit_memory.h"

#include <algorithm>
#include <optional>

#include "compiler/cost.h"
#include "compiler/op.h"
#include "passes/fuse_residual.h"
#include "passes/order_and_plan.h"

namespace tinytc {

namespace {

struct FittedProgram {
  Program program;
  MemoryPlan plan;
};

constexpr std::size_t most_single_trials = 16;  // sums that are taken back one by one

class Fitting {
 public:
  Fitting(std::map<Entry, Graph>& entries, Program program, const Lowering& lowering, std::int64_t effort, std::int64_t limit)
      : entries_(entries), lowering_(lowering), effort_(effort), limit_(limit), best_(planned(std::move(program))) {}

  FittedProgram run() {
    fuse_sums();
    while (bytes(best_) > limit_ && save_scratch()) best_ = planned(entries_);
    return std::move(best_);
  }

 private:
  using Sum = std::pair<Entry, std::size_t>;  // a node
  using Entries = std::map<Entry, Graph>;

  static std::int64_t bytes(const FittedProgram& fitted) { return fitted.program.arena_bytes + fitted.program.persistent_bytes; }

  FittedProgram planned(Program program) const {
    FittedProgram fitted{std::move(program), {}};
    fitted.plan = order_and_plan(fitted.program, effort_, limit_);
    return fitted;
  }
  FittedProgram planned(const Entries& entries) const { return planned(lowering_(entries)); }

  Entries with_fused(const std::vector<Sum>& sums) const {
    Entries entries = entries_;
    for (auto& [entry, graph] : entries)
      fuse_residuals(graph, [&, at = entry](std::size_t node) { return std::find(sums.begin(), sums.end(), Sum{at, node}) != sums.end(); });
    return entries;
  }

  /// Fuses all residual sums if that is worth it, and takes back those that do not contribute.
  void fuse_sums() {
    std::vector<Sum> sums;
    for (const auto& [entry, graph] : entries_)
      for (std::size_t node : residual_sums(graph)) sums.emplace_back(entry, node);
    if (sums.empty()) return;
    FittedProgram all = planned(with_fused(sums));
    if (bytes(all) > bytes(best_) - best_.program.arena_bytes / 100) return;
    best_ = std::move(all);
    for (std::size_t i = sums.size(); i-- > 0 && sums.size() <= most_single_trials;) {
      std::vector<Sum> fewer = sums;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      FittedProgram without = planned(with_fused(fewer));
      if (bytes(without) > bytes(best_)) continue;
      best_ = std::move(without);
      sums = std::move(fewer);
    }
    entries_ = with_fused(sums);
  }

  /// What a node's calls take: bytes of scratch and cycles.
  struct Needs {
    std::int64_t scratch = 0;
    double cycles = 0;
  };

  Needs needs_of(Entry entry, const Graph& graph, const Node& node) const {
    Graph single;
    single.values = graph.values;
    for (Value& value : single.values)
      if (value.role == Role::computed) value.role = Role::input;
    for (ValueId id : node.outputs)
      if (id != no_value) single.values[static_cast<std::size_t>(id)].role = Role::computed, single.outputs.push_back(id);
    for (ValueId id : node.inputs)
      if (id != no_value && single.value(id).role == Role::input && std::count(single.inputs.begin(), single.inputs.end(), id) == 0) single.inputs.push_back(id);
    single.nodes = {node};
    const Program program = lowering_({{entry, single}});
    Needs needs;
    for (const Buffer& buffer : program.buffers)
      if (buffer.is_scratch) needs.scratch += byte_count(buffer.type);
    for (const KernelCall& call : program.calls.at(entry)) needs.cycles += m4f_cycles(program, call);
    return needs;
  }

  /// The node with the next kernel that takes less scratch, if there is one.
  std::optional<Node> stepped(Entry entry, const Graph& graph, Node node) const {
    const Needs before = needs_of(entry, graph, node);
    for (const bool spends : {true, false}) {
      if (spends ? node.attributes.get_int(spends_flash, 0) == 0 : !node.op->can_save_scratch || node.attributes.get_int(saves_scratch, 0) == 1) continue;
      node.attributes.set(spends_flash, std::int64_t{0});
      if (!spends) node.attributes.set(saves_scratch, std::int64_t{1});
      const Needs after = needs_of(entry, graph, node);
      if (after.scratch >= before.scratch) continue;
      node.attributes.set(saved_scratch, node.attributes.get_int(saved_scratch, 0) + before.scratch - after.scratch);
      node.attributes.set(given_up_cycles, node.attributes.get_float(given_up_cycles, 0) + std::max(1.0, after.cycles - before.cycles));
      return node;
    }
    return std::nullopt;
  }

  /// Calls that need more than there is; without any (the buffers just do not pack), those that need most.
  std::vector<Sum> tight_nodes() const {
    std::int64_t least = limit_ - best_.program.persistent_bytes + 1, most = 0;
    for (const auto& [entry, plan] : best_.plan)
      for (std::int64_t need : plan.call_bytes) most = std::max(most, need);
    least = std::min(least, most);
    std::vector<Sum> nodes;
    for (const auto& [entry, plan] : best_.plan)
      for (std::size_t k = 0; k < plan.call_bytes.size(); ++k)
        if (plan.call_bytes[k] >= least) nodes.emplace_back(entry, best_.program.calls.at(entry)[k].node);
    return nodes;
  }

  /// Exchanges one kernel of a layer that keeps the program from fitting; false when none of them has another.
  bool save_scratch() {
    double best_rate = 0;
    Node* best_place = nullptr;
    std::optional<Node> best_node;
    for (const auto& [entry, index] : tight_nodes()) {
      Node& node = entries_.at(entry).nodes[index];
      const std::optional<Node> next = stepped(entry, entries_.at(entry), node);
      if (!next) continue;
      const auto gain = [&](const std::string& name) { return next->attributes.get_float(name, 0) - node.attributes.get_float(name, 0); };
      const double saved = static_cast<double>(next->attributes.get_int(saved_scratch, 0) - node.attributes.get_int(saved_scratch, 0));
      const double rate = saved / gain(given_up_cycles);
      if (rate > best_rate) best_rate = rate, best_place = &node, best_node = next;
    }
    if (best_place != nullptr) *best_place = *best_node;
    return best_place != nullptr;
  }

  Entries& entries_;
  const Lowering& lowering_;
  const std::int64_t effort_, limit_;
  FittedProgram best_;
};

}  // namespace

MemoryPlan fit_memory(std::map<Entry, Graph>& entries, Program& program, const Lowering& lowering, std::int64_t effort, std::int64_t ram_limit) {
  FittedProgram fitted = Fitting(entries, std::move(program), lowering, effort, ram_limit).run();
  program = std::move(fitted.program);
  return std::move(fitted.plan);
}

}  // namespace tinytc
