// The choice between specialised and shared functions; see choose_sharing.h.
#include "passes/choose_sharing.h"

#include <algorithm>
#include <numeric>

#include "compiler/cost.h"

namespace tinytc {

namespace {

/// Lets the calls of one entry point share that lose least by it, up to the allowed loss.
void share_cheapest(const Program& program, std::vector<KernelCall>& calls) {
  double left = 0;
  std::vector<double> loss;
  for (const KernelCall& call : calls) {
    left += m4f_cycles(program, call) * shared_loss;
    loss.push_back(shared_extra_cycles(program, call));
  }
  std::vector<std::size_t> by_loss(calls.size());
  std::iota(by_loss.begin(), by_loss.end(), std::size_t{0});
  std::stable_sort(by_loss.begin(), by_loss.end(), [&](std::size_t a, std::size_t b) { return loss[a] < loss[b]; });
  for (std::size_t k : by_loss) {
    left -= loss[k];
    calls[k].shares_code = left >= 0;
  }
}

}  // namespace

std::string_view name_of(Preference preference) {
  constexpr std::string_view names[] = {"speed", "balanced", "size"};
  return names[static_cast<std::size_t>(preference)];
}

void choose_sharing(Program& program, Preference preference) {
  // Gradients' functions may grow by more than their number shrinks; docs/decisions.md has figures.
  const bool trains = program.calls.count(Entry::train_step) + program.calls.count(Entry::accumulate) > 0;
  for (auto& [entry, calls] : program.calls) {
    for (KernelCall& call : calls) {
      call.shares_code = preference == Preference::size;
      call.shares_widely = call.shares_code && !trains;
    }
    if (preference == Preference::balanced) share_cheapest(program, calls);
  }
}

}  // namespace tinytc
