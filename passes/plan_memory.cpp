// Memory planning of a Program; see plan_memory.h. Lifetimes in steps: arguments are born at step 0, call k is step k + 1, results live
// until one step after the last call.
#include "passes/plan_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "passes/plan_offsets.h"
#include "passes/validate_plan.h"

namespace tinytc {

namespace {

constexpr std::int64_t block_alignment = 8;  // of the arena and of the persistent block, in bytes

/// The arena buffers of one entry point as planning items.
class Lifetimes {
 public:
  Lifetimes(const Program& program, Entry entry) : program_(program), calls_(program.calls.at(entry)) {
    const Interface& interface = program.interfaces.at(entry);
    for (const auto* list : {&interface.inputs, &interface.labels})
      for (BufferId id : *list) touch(id, 0);
    touch(interface.learning_rate, 0);
    for (std::size_t k = 0; k < calls_.size(); ++k)
      for (const Argument& argument : calls_[k].arguments)
        for_each_buffer(argument, [&](BufferId id, bool, bool) { touch(id, static_cast<std::int64_t>(k) + 1); });
    const auto end = static_cast<std::int64_t>(calls_.size()) + 1;
    for (BufferId id : interface.outputs) touch(id, end);
    touch(interface.loss, end);
    for (std::size_t k = 0; k < calls_.size(); ++k) relax(k);
  }

  const OffsetProblem& problem() const { return problem_; }
  const std::vector<BufferId>& buffers() const { return buffers_; }

 private:
  void touch(BufferId id, std::int64_t step) {
    if (id == no_buffer) return;
    const BufferId root = place_of(program_, id).root;
    const Buffer& buffer = program_.buffer(root);
    if (buffer.storage != Storage::arena) return;
    const auto [it, is_new] = item_of_.emplace(root, static_cast<int>(buffers_.size()));
    if (is_new) {
      buffers_.push_back(root);
      const std::int64_t alignment = std::max(buffer.alignment, 4);
      problem_.items.push_back({(byte_count(buffer.type) + alignment - 1) / alignment * alignment, alignment, step, step + 1});
    }
    PlanItem& item = problem_.items[static_cast<std::size_t>(it->second)];
    item.lower = std::min(item.lower, step);
    item.upper = std::max(item.upper, step + 1);
  }

  /// A kernel's overlap counts where the output is born and the input dies at this call, and each is a whole buffer that the call
  /// touches once, the input as often as overlaps name it (a layer whose input is the residual too).
  void relax(std::size_t k) {
    std::map<BufferId, int> touches, covered;
    for (const Argument& argument : calls_[k].arguments)
      for_each_buffer(argument, [&](BufferId id, bool, bool) { touches[place_of(program_, id).root] += 1; });
    for (const Overlap& overlap : calls_[k].traits.overlaps) covered[place_of(program_, overlap.input).root] += 1;
    for (const Overlap& overlap : calls_[k].traits.overlaps) {
      const Place output = place_of(program_, overlap.output), input = place_of(program_, overlap.input);
      const auto out = item_of_.find(output.root), in = item_of_.find(input.root);
      if (out == item_of_.end() || in == item_of_.end() || out == in) continue;
      if (touches[output.root] != 1 || touches[input.root] != covered[input.root]) continue;
      if (!is_whole(overlap.output, output) || !is_whole(overlap.input, input)) continue;
      const auto step = static_cast<std::int64_t>(k) + 1;
      const PlanItem& born = problem_.items[static_cast<std::size_t>(out->second)];
      const PlanItem& dying = problem_.items[static_cast<std::size_t>(in->second)];
      if (born.lower == step && dying.upper == step + 1) problem_.relaxations.push_back({out->second, in->second, overlap.lead_bytes});
    }
  }

  bool is_whole(BufferId id, const Place& place) const {
    return place.offset == 0 && byte_count(program_.buffer(id).type) == byte_count(program_.buffer(place.root).type);
  }

  const Program& program_;
  const std::vector<KernelCall>& calls_;
  OffsetProblem problem_;
  std::vector<BufferId> buffers_;  // by item
  std::unordered_map<BufferId, int> item_of_;
};

/// The call that needs most bytes, and what lives there.
void find_peak(const Program& program, const Lifetimes& lifetimes, EntryPlan& plan) {
  const std::vector<PlanItem>& items = lifetimes.problem().items;
  const auto most = std::max_element(plan.call_bytes.begin(), plan.call_bytes.end());
  plan.peak_call = plan.call_bytes.empty() ? 0 : static_cast<std::size_t>(most - plan.call_bytes.begin());
  const auto step = static_cast<std::int64_t>(plan.peak_call) + 1;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].lower <= step && step < items[i].upper) plan.live_at_peak.push_back(lifetimes.buffers()[i]);
  std::stable_sort(plan.live_at_peak.begin(), plan.live_at_peak.end(), [&](BufferId a, BufferId b) {
    return byte_count(program.buffer(a).type) > byte_count(program.buffer(b).type);
  });
}

/// Bytes of the buffers live at each call, less the most that a relaxation lets an output share with an input.
std::vector<std::int64_t> call_bytes(const OffsetProblem& problem, std::size_t calls) {
  std::vector<std::int64_t> bytes(calls, 0), shared(calls, 0);
  for (const PlanItem& item : problem.items)
    for (std::int64_t step = std::max<std::int64_t>(item.lower, 1); step < item.upper && step <= static_cast<std::int64_t>(calls); ++step)
      bytes[static_cast<std::size_t>(step) - 1] += item.size;
  for (const PlanRelaxation& relaxation : problem.relaxations) {
    const PlanItem &output = problem.items[static_cast<std::size_t>(relaxation.output)], &input = problem.items[static_cast<std::size_t>(relaxation.input)];
    const std::int64_t together = std::max(output.size, input.size + std::max<std::int64_t>(relaxation.lead, 0));
    std::int64_t& most = shared[static_cast<std::size_t>(output.lower) - 1];
    most = std::max(most, output.size + input.size - together);
  }
  for (std::size_t k = 0; k < calls; ++k) bytes[k] -= shared[k];
  return bytes;
}

EntryPlan plan_entry(Program& program, Entry entry, std::int64_t effort) {
  const Lifetimes lifetimes(program, entry);
  const OffsetPlan offsets = plan_offsets(lifetimes.problem(), effort);
  const std::vector<std::string> conflicts = validate_plan(lifetimes.problem(), offsets.offsets, offsets.peak);
  require(conflicts.empty(), fmt::format("memory plan of {}: {}", name_of(entry), conflicts.empty() ? "" : conflicts.front()));
  for (std::size_t i = 0; i < lifetimes.buffers().size(); ++i) program.buffer(lifetimes.buffers()[i]).offset = offsets.offsets[i];
  EntryPlan plan;
  plan.peak = offsets.peak;
  plan.lower_bound = offsets.lower_bound;
  plan.optimal = offsets.optimal;
  plan.search_nodes = offsets.nodes;
  plan.call_bytes = call_bytes(lifetimes.problem(), program.calls.at(entry).size());
  find_peak(program, lifetimes, plan);
  return plan;
}

/// Persistent buffers in the order of a checkpoint, so that saving and loading copy few, long runs: parameters, then states by name.
std::vector<Buffer*> persistent_buffers(Program& program) {
  std::vector<Buffer*> list;
  for (Buffer& buffer : program.buffers)
    if (buffer.storage == Storage::persistent && buffer.parent == no_buffer) list.push_back(&buffer);
  const auto states = std::stable_partition(list.begin(), list.end(), [](const Buffer* b) { return b->role == Role::parameter; });
  std::sort(states, list.end(), [](const Buffer* a, const Buffer* b) { return a->name < b->name; });
  return list;
}

std::int64_t round_up(std::int64_t bytes) { return (bytes + block_alignment - 1) / block_alignment * block_alignment; }

}  // namespace

MemoryPlan plan_memory(Program& program, std::int64_t effort) {
  MemoryPlan plan;
  program.arena_bytes = 0;
  for (const auto& [entry, calls] : program.calls) {
    plan[entry] = plan_entry(program, entry, effort);
    program.arena_bytes = std::max(program.arena_bytes, round_up(plan[entry].peak));
  }
  program.persistent_bytes = 0;
  for (Buffer* buffer : persistent_buffers(program)) {
    const std::int64_t alignment = buffer->alignment;
    buffer->offset = (program.persistent_bytes + alignment - 1) / alignment * alignment;
    program.persistent_bytes = buffer->offset + byte_count(buffer->type);
  }
  program.persistent_bytes = round_up(program.persistent_bytes);
  return plan;
}

}  // namespace tinytc
