// Ordering of kernel calls; see order_calls.h. Works on calls, not on graph nodes, because only they say what is a view, what is scratch
// and what may overlap. passes/order_nodes does the search.
#include "passes/order_calls.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "passes/order_nodes.h"

namespace tinytc {

namespace {

/// The calls of one entry point as an ordering problem.
class CallOrder {
 public:
  CallOrder(const Program& program, Entry entry) : program_(program), calls_(program.calls.at(entry)) {
    const Interface& interface = program.interfaces.at(entry);
    for (BufferId id : interface.arguments) problem_.live_at_start.push_back(value_of(id));
    for (std::size_t k = 0; k < calls_.size(); ++k) find_writes(k);
    for (std::size_t k = 0; k < calls_.size(); ++k) add_call(k);
    for (BufferId id : interface.outputs) problem_.live_at_end.push_back(value_of(id));
    if (interface.loss != no_buffer) {
      problem_.live_at_end.push_back(value_of(interface.loss));
      hold_updates_back(interface.loss);
    }
    problem_.edges.assign(edges_.begin(), edges_.end());
  }
  const OrderProblem& problem() const { return problem_; }

 private:
  /// The ordering's value for a buffer's root.
  int value_of(BufferId id) {
    const BufferId root = place_of(program_, id).root;
    const auto [it, is_new] = value_of_.emplace(root, static_cast<int>(problem_.sizes.size()));
    if (is_new) {
      const Buffer& buffer = program_.buffer(root);
      problem_.sizes.push_back(buffer.storage == Storage::arena ? byte_count(buffer.type) : 0);
      problem_.roots.push_back(it->second);
      last_writer_.push_back(-1);
      final_write_.push_back(-1);
      readers_.emplace_back();
    }
    return it->second;
  }

  void find_writes(std::size_t k) {
    for (const Argument& argument : calls_[k].arguments)
      for_each_buffer(argument, [&](BufferId id, bool is_written, bool) {
        if (is_written) final_write_[static_cast<std::size_t>(value_of(id))] = static_cast<int>(k);
      });
  }

  void add_call(std::size_t k) {
    OrderNode node;
    std::set<int> reads, writes;
    for (const Argument& argument : calls_[k].arguments)
      for_each_buffer(argument, [&](BufferId id, bool is_written, bool is_read) {
        if (program_.buffer(place_of(program_, id).root).storage == Storage::flash) return;
        const int value = value_of(id);
        if (is_read) reads.insert(value);
        if (is_written) writes.insert(value);
      });
    add_edges(static_cast<int>(k), reads, writes);
    for (int value : writes)
      if (problem_.sizes[static_cast<std::size_t>(value)] != 0) node.writes.push_back(value);
    for (int value : reads) {
      if (problem_.sizes[static_cast<std::size_t>(value)] == 0 || writes.count(value) != 0) continue;
      // A part that is read before another part is written (pieces of a Concat) counts as written here too: the search wants the readers
      // of a value behind all its writers, and the edges above say what really must be in order.
      (final_write_[static_cast<std::size_t>(value)] > static_cast<int>(k) ? node.writes : node.reads).push_back(value);
    }
    add_reuses(k, node);
    problem_.nodes.push_back(std::move(node));
  }

  /// Edges from the last writer and from those who have read since; what stands before these follows from their own edges.
  void add_edges(int index, const std::set<int>& reads, const std::set<int>& writes) {
    for (int value : reads) {  // read after write
      const int writer = last_writer_[static_cast<std::size_t>(value)];
      if (writer >= 0) edges_.emplace(writer, index);
      if (writes.count(value) == 0) readers_[static_cast<std::size_t>(value)].push_back(index);
    }
    for (int value : writes) {  // write after read, write after write
      std::vector<int>& readers = readers_[static_cast<std::size_t>(value)];
      int& writer = last_writer_[static_cast<std::size_t>(value)];
      for (int reader : readers) edges_.emplace(reader, index);
      if (writer >= 0) edges_.emplace(writer, index);
      readers.clear();
      writer = index;
    }
  }

  void add_reuses(std::size_t k, OrderNode& node) {
    for (const Overlap& overlap : calls_[k].traits.overlaps) {
      const Place output = place_of(program_, overlap.output), input = place_of(program_, overlap.input);
      const Buffer &out = program_.buffer(output.root), &in = program_.buffer(input.root);
      if (out.storage != Storage::arena || in.storage != Storage::arena || output.offset != 0 || input.offset != 0) continue;
      const std::int64_t out_bytes = byte_count(out.type), in_bytes = byte_count(in.type);
      const bool whole = out_bytes == byte_count(program_.buffer(overlap.output).type) && in_bytes == byte_count(program_.buffer(overlap.input).type);
      if (!whole) continue;
      const std::int64_t shared = std::min(in_bytes, out_bytes - std::max<std::int64_t>(overlap.lead_bytes, 0));
      if (shared > 0) node.reuses.push_back({value_of(output.root), value_of(input.root), shared});
    }
  }

  /// Calls that write persistent buffers come after the one that writes the loss, unless the loss depends on them.
  void hold_updates_back(BufferId loss) {
    const int loss_call = last_writer_[static_cast<std::size_t>(value_of(loss))];
    if (loss_call < 0) return;
    for (std::size_t k = static_cast<std::size_t>(loss_call) + 1; k < calls_.size(); ++k) {
      bool writes_persistent = false;
      for (const Argument& argument : calls_[k].arguments)
        for_each_buffer(argument, [&](BufferId id, bool is_written, bool) {
          writes_persistent = writes_persistent || (is_written && program_.buffer(place_of(program_, id).root).storage == Storage::persistent);
        });
      if (writes_persistent) edges_.emplace(loss_call, static_cast<int>(k));
    }
  }

  const Program& program_;
  const std::vector<KernelCall>& calls_;
  OrderProblem problem_;
  std::unordered_map<BufferId, int> value_of_;
  std::vector<int> final_write_;           // by value: the last call of all that writes it; -1: none
  std::vector<int> last_writer_;           // by value: the last call so far that writes it; -1: none
  std::vector<std::vector<int>> readers_;  // by value: calls that have read it since
  std::set<std::pair<int, int>> edges_;
};

}  // namespace

void order_calls(Program& program, std::int64_t effort) {
  for (auto& [entry, calls] : program.calls) {
    const NodeOrder order = order_nodes(CallOrder(program, entry).problem(), effort);
    std::vector<KernelCall> ordered;
    ordered.reserve(calls.size());
    for (int k : order.order) ordered.push_back(std::move(calls[static_cast<std::size_t>(k)]));
    calls = std::move(ordered);
  }
}

}  // namespace tinytc
