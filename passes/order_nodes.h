// The order in which nodes run, chosen so that the least memory is live at the worst moment.
//
// Pure data in, data out; knows neither Graph nor Program. Read order_nodes() first. The parts behind it:
//   order_model   what running a node does to the live bytes; evaluates an order
//   order_search  exact search for an order below a given number of bytes
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace tinytc {

// A node may write value `output` over value `input`, sharing `bytes` of them, when nothing touches `input`
// afterwards.
struct OrderReuse {
  int output = 0;
  int input = 0;
  std::int64_t bytes = 0;
};

struct OrderNode {
  std::vector<int> reads, writes;    // value ids
  std::int64_t scratch = 0;          // bytes needed only while the node runs
  std::vector<OrderReuse> reuses{};  // between values that it reads and writes
};

// A buffer is live from the first node that writes it to the last that touches it or a view of it. Where a
// value is read but never written, its buffer is live from the start.
struct OrderProblem {
  std::vector<std::int64_t> sizes;  // bytes per value; 0 for what does not live in the arena
  std::vector<int> roots;  // per value: the value whose buffer it is a view of, or itself; empty = no views
  std::vector<OrderNode> nodes;  // in a valid order: readers of a value stand after its writers
  std::vector<int> live_at_start, live_at_end;  // values that exist before the first node, after the last one
  std::vector<std::pair<int, int>>
      edges;  // further (earlier node, later node), such as: reader of old value, its update
};

// The answer. order[k] = index of the k-th node to run. Peaks in bytes, by the sum of what is live, reuse
// taken off. No order has a peak below `lower_bound` (proven); optimal = peak equals it.
struct NodeOrder {
  std::vector<int> order;
  std::int64_t peak = 0;
  std::int64_t given_peak = 0;
  std::int64_t lower_bound = 0;
  bool optimal = false;
  std::int64_t nodes = 0;  // search nodes visited
};

inline constexpr std::int64_t default_order_effort = 200'000;

// Orders the nodes. Deterministic and stable: the given order is kept where another has no lower peak, except
// that nodes that free memory run as soon as they can. Cost is linear in the number of nodes for long chains;
// `effort` counts search nodes. Throws std::invalid_argument if the given order is not valid or an index is
// out of range.
NodeOrder order_nodes(const OrderProblem& problem, std::int64_t effort = default_order_effort);

// Peak in bytes of the nodes run in this order.
std::int64_t peak_of_order(const OrderProblem& problem, const std::vector<int>& order);

}  // namespace tinytc
