// Choosing faster kernels; see spend_flash.h. The choice is the attribute OpDef::faster's kernel goes by, `spends_flash`.
#include "passes/spend_flash.h"

#include <algorithm>

#include "compiler/op.h"

namespace tinytc {

namespace {

struct Candidate {
  Node* node;
  FasterKernel gain;
};

std::vector<Candidate> candidates(std::map<Entry, Graph>& entries) {
  std::vector<Candidate> result;
  for (auto& [entry, graph] : entries) {
    for (Node& node : graph.nodes) {
      if (node.op->faster == nullptr) continue;
      const FasterKernel gain = node.op->faster(graph, node);
      if (gain.saved_cycles > 0) result.push_back({&node, gain});
    }
  }
  return result;
}

}  // namespace

void spend_flash(std::map<Entry, Graph>& entries, std::int64_t spare) {
  std::vector<Candidate> list = candidates(entries);
  std::stable_sort(list.begin(), list.end(), [](const Candidate& a, const Candidate& b) {
    return a.gain.saved_cycles * b.gain.flash_bytes > b.gain.saved_cycles * a.gain.flash_bytes;
  });
  for (const Candidate& candidate : list) {
    if (candidate.gain.flash_bytes > spare) continue;
    spare -= candidate.gain.flash_bytes;
    candidate.node->attributes.set(spends_flash, std::int64_t{1});
  }
}

std::int64_t constant_bytes(const std::map<Entry, Graph>& entries) {
  std::int64_t bytes = 0;
  for (const auto& [entry, graph] : entries)
    for (const Value& value : graph.values)
      if (value.role == Role::constant) bytes += byte_count(value.type);
  return bytes;
}

}  // namespace tinytc
