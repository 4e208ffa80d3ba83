// The choice between specialised and shared functions; see choose_sharing.h.
#include "passes/choose_sharing.h"

#include <algorithm>
#include <map>

#include "compiler/call_frame.h"
#include "compiler/cost.h"

namespace tinytc {

namespace {

/// The calls of an entry point that have one function, as their shapes are the same.
struct Function {
  std::vector<KernelCall*> calls = {};
  double loss = 0;  // cycles, if the function takes its shape as data

  /// In cycles for about 100 bytes of code: kernels that multiply are some ten times as long as those that move, add or apply a function.
  double price() const { return calls.front()->traits.macs > 0 ? loss / 10 : loss; }
};

/// Lets the functions of one entry point share that lose least for the code that they save, up to the allowed loss. A function that would
/// share with none of another shape loses nothing, and nothing is gained.
void share_cheapest(const Program& program, std::vector<KernelCall>& calls) {
  double left = 0;
  std::map<std::string, std::map<std::vector<int>, Function>> shapes_of;  // by frame
  for (KernelCall& call : calls) {
    left += m4f_cycles(program, call) * shared_loss;
    if (is_long_when_shared(call)) continue;
    std::vector<int> numbers;
    const std::string frame = frame_of(program, call, numbers);
    Function& function = shapes_of[frame][numbers];
    function.calls.push_back(&call);
    function.loss += shared_extra_cycles(program, call);
  }
  std::vector<const Function*> candidates;
  for (const auto& [frame, shapes] : shapes_of)
    if (shapes.size() > 1)
      for (const auto& [numbers, function] : shapes) candidates.push_back(&function);
  std::stable_sort(candidates.begin(), candidates.end(), [](const Function* a, const Function* b) { return a->price() < b->price(); });
  for (const Function* function : candidates) {
    if (function->loss > left) continue;
    left -= function->loss;
    for (KernelCall* call : function->calls) call->shares_code = true;
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
      call.shares_code = preference == Preference::size && !is_long_when_shared(call);
      call.shares_widely = call.shares_code && !trains;
    }
    if (preference == Preference::balanced) share_cheapest(program, calls);
  }
  drop_narrower_kernels(program);
}

}  // namespace tinytc
