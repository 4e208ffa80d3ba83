// Exact search for an order of nodes that stays within a number of bytes; internal to order_nodes.
//
// Depth first over the sets of nodes that have run; a set found hopeless is remembered. Some nodes run
// without a choice:
// * one that fits and does not add to what is live: run now, it only lowers what is live at every later
// moment (live bytes are
//   a submodular function of the set of nodes that have run);
// * a chain of nodes, each made ready by the one before, that fits and ends with no more live than at its
// start, all of it
//   above its end: the valleys of J. W. H. Liu, "An application of generalized tree pebbling to sparse matrix
//   factorization" (SIAM J. Algebraic Discrete Methods 8, 1987).
// Running the reversed model does the same for chains that rise.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "passes/order_model.h"

namespace tinytc::ordering {

enum class Verdict { fits, impossible, unknown /* ran out of search nodes */ };

struct SearchResult {
  Verdict verdict = Verdict::unknown;
  std::vector<int> order;       // when it fits
  std::int64_t next_bound = 0;  // when impossible: no order has a peak below this
  std::int64_t nodes = 0;       // nodes run
};

inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

// Looks for an order whose peak is at most `bytes`, running at most `node_limit` nodes. With bytes = no_limit
// the first descent is the answer: the greedy order that always adds least to what is live.
SearchResult search_order(const Model& model, std::int64_t bytes, std::int64_t node_limit);

}  // namespace tinytc::ordering
