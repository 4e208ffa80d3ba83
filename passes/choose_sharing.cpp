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

/// Where all shapes of a kernel may share one function, a kernel for some of its shapes only is one function too many.
void drop_narrower_kernels(Program& program) {
  constexpr std::pair<const char*, const char*> wider_of[] = {{"gemm_row", "gemm"}, {"conv2d_pointwise", "conv2d"}, {"depthwise_conv2d_one", "depthwise_conv2d"}};
  const auto each_call = [&](const auto& visit) {
    for (auto& [entry, calls] : program.calls)
      for (KernelCall& call : calls) visit(call);
  };
  for (const auto& [narrow, wide] : wider_of) {
    bool has_wide = false;
    each_call([&, wide = wide](const KernelCall& call) { has_wide = has_wide || call.kernel == wide; });
    each_call([&, narrow = narrow, wide = wide](KernelCall& call) {
      if (has_wide && call.shares_widely && call.kernel == narrow) call.kernel = wide;
    });
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
  drop_narrower_kernels(program);
}

}  // namespace tinytc
