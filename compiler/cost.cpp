// The cost model; see cost.h. The table is read from the top: the first row whose kernel and marker match counts.
#include "compiler/cost.h"

#include <algorithm>
#include <string_view>

namespace tinytc {

namespace {

struct KernelCost {
  std::string_view kernel;  // empty: any
  std::string_view marker;  // occurs in the text of one argument; empty: any
  double per_mac, per_element, call;
};

constexpr KernelCost costs[] = {
    {"conv2d", "", 2.7, 9, 1000},
    {"conv2d_pointwise", "", 2.7, 9, 1000},
    {"conv2d_input_grad", "", 2.9, 9, 1000},
    {"conv2d_weight_grad", "Adam", 3, 50, 2000},
    {"conv2d_weight_grad", "Momentum", 3, 25, 2000},
    {"conv2d_weight_grad", "", 3, 12, 2000},
    {"depthwise_conv2d", "", 4.5, 2, 300},
    {"depthwise_conv2d_one", "", 4.5, 2, 300},
    {"depthwise_conv2d_input_grad", "", 4.5, 2, 300},
    {"depthwise_conv2d_weight_grad", "Adam", 5.4, 50, 300},
    {"depthwise_conv2d_weight_grad", "", 5.4, 12, 300},
    {"gemm", "", 3.4, 10, 60},
    {"gemm_row", "", 3.4, 10, 60},
    {"gemm_grad", "Adam", 3.2, 46, 60},
    {"gemm_grad", "Momentum", 3.2, 12, 60},
    {"gemm_grad", "", 3.2, 2, 60},
    {"bias_grad", "Adam", 0, 4.4, 100},
    {"bias_grad", "", 0, 3.1, 100},
    {"sum_to", "Adam", 0, 60, 30},
    {"sum_to", "Momentum", 0, 25, 30},
    {"sum_to", "", 0, 16, 30},
    {"apply_sink", "Adam", 0, 54, 30},
    {"apply_sink", "", 0, 12, 30},
    {"adam_step", "", 0, 22, 0},
    {"unary", "Relu", 0, 10, 10},
    {"unary", "HardSwish", 0, 28, 10},
    {"unary", "Gelu", 0, 90, 10},
    {"unary", "Tanh", 0, 76, 10},
    {"unary", "Sigmoid", 0, 70, 10},
    {"unary", "", 0, 25, 10},
    {"unary_grad", "HardSwish", 0, 30, 10},
    {"unary_grad", "Gelu", 0, 150, 10},
    {"unary_grad", "", 0, 12, 10},
    {"binary", "Div", 0, 20, 10},
    {"binary", "Pow", 0, 200, 10},
    {"binary", "", 0, 9, 10},
    {"copy", "", 0, 8.6, 10},
    {"fill", "", 0, 2, 20},
    {"max_pool2d", "", 0, 8, 50},
    {"max_pool2d_grad", "", 0, 5, 50},
    {"average_pool2d", "", 0, 3.3, 100},
    {"reduce", "", 0, 7, 200},
    {"softmax", "", 0, 75, 20},
    {"log_softmax", "", 0, 85, 20},
    {"softmax_grad", "", 0, 20, 20},
    {"softmax_cross_entropy", "", 0, 75, 50},
    {"softmax_cross_entropy_grad", "", 0, 92, 30},
    {"layer_norm", "", 0, 31, 100},
    {"layer_norm_grad", "", 0, 40, 100},
    {"layer_norm_scale_grad", "", 14, 0, 100},
    {"q_conv2d", "int8_t*>(nullptr)", 1, 8, 500},  // without shifts in the scale; the other kernels' rows leave out what these cost
    {"q_conv2d", "", 1, 42, 500},
    {"q_conv2d_plain", "", 1.3, 15, 500},
    {"q_grouped_conv2d", "", 1.4, 15, 500},
    {"q_grouped_narrow", "", 3, 15, 500},
    {"q_narrow_conv2d", "", 1.8, 15, 500},
    {"q_scalar_conv2d", "", 2.7, 20, 500},
    {"q_widened_conv2d", "", 1.4, 12, 500},
    {"q_vector_conv2d", "", 0.12, 7.5, 500},
    {"q_conv2d_sum", "QWinogradConv", 0.29, 52, 500},
    {"q_conv2d_sum", "QBareConv", 3.2, 200, 500},
    {"q_conv2d_sum", "", 1, 15, 500},
    {"q_conv2d_bare", "", 3.2, 190, 500},
    {"q_depthwise_bare", "", 6.2, 20, 500},
    {"q_winograd_conv2d", "", 0.29, 45, 500},
    {"q_depthwise_conv2d", "nullptr", 2, 5, 500},
    {"q_depthwise_conv2d", "", 2, 35, 500},
    {"q_scalar_depthwise", "", 4.2, 5, 500},
    {"q_vector_depthwise", "", 0.5, 3.3, 500},
    {"q_depthwise_taps", "", 2.8, 9, 500},
    {"q_dense", "nullptr", 1.26, 5, 100},
    {"q_dense", "", 1.26, 20, 100},
    {"q_dense_plain", "", 1.6, 5, 100},
    {"q_paired_matmul", "", 1.8, 7, 200},
    {"q_scalar_dense", "", 3.5, 15, 100},
    {"q_vector_dense", "", 0.13, 5, 100},
    {"q_integer_dense", "", 2, 5, 100},
    {"q_integer_dense_paired", "", 1.3, 8, 100},
    {"q_integer_conv2d", "", 1.5, 15, 500},
    {"q_integer_conv2d_plain", "", 12, 20, 500},
    {"q_integer_matmul", "", 6, 10, 100},
    {"q_integer_depthwise", "", 5, 16, 500},
    {"dynamic_quantize_linear", "", 0, 38, 100},
    {"q_add", "", 0, 6.5, 50},
    {"q_average_pool2d", "", 0, 3.3, 100},
    {"", "", 5, 10, 60},
};

bool mentions(const Argument& argument, std::string_view marker) {
  if (argument.text.find(marker) != std::string::npos) return true;
  return std::any_of(argument.parts.begin(), argument.parts.end(), [&](const Argument& part) { return mentions(part, marker); });
}

const KernelCost& cost_of(const KernelCall& call) {
  const std::string_view kernel = std::string_view(call.kernel).substr(0, call.kernel.find('<'));
  for (const KernelCost& cost : costs) {
    if (!cost.kernel.empty() && cost.kernel != kernel) continue;
    if (cost.marker.empty() || call.kernel.find(cost.marker) != std::string::npos) return cost;
    for (const Argument& argument : call.arguments)
      if (mentions(argument, cost.marker)) return cost;
  }
  throw InternalError("no cost for kernel " + call.kernel);
}

}  // namespace

std::int64_t cost_elements(const Program& program, const KernelCall& call) {
  std::int64_t written = 0, largest = 0;
  for (const Argument& argument : call.arguments)
    for_each_buffer(argument, [&](BufferId id, bool writes, bool) {
      const std::int64_t count = element_count(program.buffer(id).type.shape);
      if (writes) written = std::max(written, count);
      largest = std::max(largest, count);
    });
  return call.traits.macs > 0 ? written : largest;
}

double m4f_cycles(const Program& program, const KernelCall& call) {
  const KernelCost& cost = cost_of(call);
  return cost.call + cost.per_mac * static_cast<double>(call.traits.macs) + cost.per_element * static_cast<double>(cost_elements(program, call));
}

bool is_long_when_shared(const KernelCall& call) {
  return call.kernel == "q_widened_conv2d" || call.kernel == "q_grouped_conv2d" || call.kernel == "q_grouped_narrow";
}

double shared_extra_cycles(const Program& program, const KernelCall& call) {
  // Measured like the costs above, --prefer size against speed. Kernels that are not listed have simple loops.
  struct Row {
    std::string_view kernel;
    double share;
  };
  static constexpr Row rows[] = {{"gemm", 0.07}, {"gemm_row", 0.01}, {"gemm_grad", 0.03}, {"conv2d", 0.05}, {"conv2d_pointwise", 0.017},
                                 {"conv2d_input_grad", 0.06}, {"max_pool2d", 2.5}, {"max_pool2d_grad", 0.1}, {"conv2d_weight_grad", 0.07}};
  constexpr double call_cycles = 50, other_share = 0.05;
  double share = other_share;
  for (const Row& row : rows)
    if (call.kernel.substr(0, call.kernel.find('<')) == row.kernel) share = row.share;
  return call_cycles + share * m4f_cycles(program, call);
}

double m4f_entry_cycles(const Program& program, Entry entry) {
  constexpr double call = 100, per_input_element = 14;
  const Interface& interface = program.interfaces.at(entry);
  if (interface.loss == no_buffer) return call;
  std::int64_t elements = 0;
  for (BufferId id : interface.inputs) elements += element_count(program.buffer(id).type.shape);
  return call + per_input_element * static_cast<double>(elements);
}

std::optional<CoreFactor> core_factor(const Target& target) {
  struct Row {
    std::string_view core;
    double real, integers;
    const char* source;
  };
  static constexpr Row rows[] = {
      {"cortex-m4f", 1, 1, "model of the Cortex-M4F at zero wait states"},
      // By Arm's CoreMark per MHz: M4 3.42, M33 4.02, M55 4.40, M7 5.01. Helium's instructions were counted like those of the Cortex-M4:
      // sums and pools of integers take a third with them.
      {"cortex-m33", 0.85, 0.85, "model of the Cortex-M4F, scaled by CoreMark"},
      {"cortex-m55", 0.78, 0.35, "model of the Cortex-M4F; floats scaled by CoreMark, integers by emulated runs"},
      {"cortex-m7", 0.68, 0.68, "model of the Cortex-M4F, scaled by CoreMark"},
      // Emulated: geometric means, for floats (in software) over prediction and training of four networks, for integers over predictions of the
      // MLPerf Tiny networks. Between networks they vary from 0.7 to 1.5 and from 0.75 to 1.25 times the mean.
      {"cortex-m3", 20, 1, "model of the Cortex-M4F, scaled by emulated runs with floats in software"},
      {"cortex-m0plus", 51, 1.75, "model of the Cortex-M4F, scaled by emulated runs with floats in software"},
      {"rv32imc", 35, 1.2, "model of the Cortex-M4F, scaled by instructions of emulated runs with floats in software"},
  };
  for (const Row& row : rows)
    if (row.core == target.core) return CoreFactor{row.real, row.integers, row.source};
  return std::nullopt;
}

double core_cycles(const Program& program, const KernelCall& call, const CoreFactor& core) {
  if (call.kernel.starts_with("q_vector_")) return m4f_cycles(program, call);  // fitted on the core that has vectors
  const bool has_integers = call.kernel.starts_with("q_") || call.kernel.starts_with("q16_");
  const bool moves = call.kernel == "copy" || call.kernel == "fill";
  return m4f_cycles(program, call) * (has_integers || moves ? core.integers : core.real);
}

}  // namespace tinytc
