// Int8AveragePool(x, multiplier, shift), Int16AveragePool and Int8Softmax(x, table) on stored numbers.
//
// Int8AveragePool has AveragePool's attributes, `is_global`, `x_zero_point`; entry n - 1 of its scale is for windows with n elements.
// Int16AveragePool is the same where x or the result is int16. Int8Softmax has Softmax's axis; its table holds the exponentials of the 256 possible distances from the largest element.
#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/pooling.h"
#include "compiler/ops/rules.h"
#include "runtime/q_average_pool2d.h"
#include "runtime/q_scale.h"
#include "runtime/q_softmax.h"

namespace tinytc {

namespace {

using namespace rules;

std::vector<TensorType> infer_pool(const TypeContext& context) {
  const Shape input = channels_first(context.shape(0), context.attributes());
  const Window w = at_node(context, [&] { return pool_window(context.attributes(), input); });
  int8::check_scale(context, 1, w.kernel_h * w.kernel_w);
  return int8_result(context, in_layout(window_output(w, w.in_c, input.size()), context.attributes()));
}

template <bool wide>
void lower_pool(LowerContext& context) {
  require(is_channels_last(context.attributes()), describe(context.node.location) + ": no layout was chosen");
  const Pool2dShape s = pool_shape(forward_window(context.attributes(), context.input_shape(0)), context.attributes());
  std::vector<Argument> arguments{shape_argument("Pool2dShape", s), literal(context.attributes().get_int("x_zero_point", 0)),
                                  int8::scale_argument(context, 1), int8::output_argument(context), context.in(0), context.out()};
  if (wide) return context.call("runtime/q16_elementwise.h", "q16_average_pool2d", arguments);
  const int rounding = q_average_rounding(s.kernel_h * s.kernel_w, int8::constant<std::int32_t>(context, 1), int8::constant<std::int8_t>(context, 2));
  arguments.insert(arguments.begin() + 3, literal(rounding));
  context.call("runtime/q_average_pool2d.h", "q_average_pool2d", arguments, 0, {{0, 0, q_average_pool2d_lead_x(s)}});
}

ValueId average(QuantizeContext& context, Attributes attributes) {
  const QuantizedTensor* x = context.wide_activation(0);
  if (x == nullptr || context.shape(0).size() < 3 || context.shape(0).size() > 4) return no_value;
  const Window w = pool_window(attributes, context.shape(0));
  constexpr std::int64_t largest_window = 1 << 15;  // sums stay within 2^31, those of int8 below 2^23
  const bool is_shifted = context.is_wide() && x->quantization.zero_points[0] != 0;  // less its zero point, a number may have twice the size
  if (w.kernel_h * w.kernel_w > (is_shifted ? largest_window / 2 : largest_window)) return no_value;
  const double ratio = double{x->quantization.scales[0]} / double{context.output.scales[0]};
  if (!(ratio < q_power_of_two(28))) return no_value;
  std::vector<double> scales;
  for (std::int64_t n = 1; n <= w.kernel_h * w.kernel_w; ++n) scales.push_back(ratio / static_cast<double>(n));
  std::vector<ValueId> inputs = int8::scale_inputs(context, scales, true);
  inputs.insert(inputs.begin(), x->stored);
  attributes.set("x_zero_point", std::int64_t{x->quantization.zero_points[0]});
  return context.emit(context.is_wide() ? "Int16AveragePool" : "Int8AveragePool", std::move(inputs), std::move(attributes));
}

/// A window of n elements in a range has its sum in n times that range, for every n that borders leave.
std::vector<ValueRange> channel_ranges(const Graph& graph, const Node& node, const std::vector<ValueRange>& input) {
  if (is_channels_last(node.attributes) || node.attributes.get_int("count_include_pad", 0) != 0) return {};
  const auto largest = static_cast<int>(element_count(graph.shape(node.inputs[1])));
  const auto* multiplier = reinterpret_cast<const std::int32_t*>(graph.value(node.inputs[1]).data.data());
  const auto* shift = reinterpret_cast<const std::int8_t*>(graph.value(node.inputs[2]).data.data());
  const QOutput out{to_int(node.attributes.get_int("y_zero_point", 0)), to_int(node.attributes.get_int("y_lo", -128)),
                    to_int(node.attributes.get_int("y_hi", 127))};
  const int zero_point = to_int(node.attributes.get_int("x_zero_point", 0));
  std::vector<ValueRange> result;
  for (const ValueRange& range : input) {
    ValueRange all{127, -128};
    for (int n = 1; n <= largest; ++n) {
      const auto result_of = [&](int x) { return int{q_clamp(q_mean_even(out.zero_point, n * (x - zero_point), multiplier[n - 1], shift[n - 1]), out)}; };
      all = {std::min(all.lo, result_of(range.lo)), std::max(all.hi, result_of(range.hi))};
    }
    result.push_back(all);
  }
  return result;
}

ChannelRule channel_rule() {
  return {channel_ranges, [](const Graph&, const Node&) { return true; }, nullptr, [](Graph&, Node&, const KeptChannels&) {}};
}

/// A pool of single elements whose scale and zero point stay, for all 256 numbers. Any other changes some number: a result that is not
/// clamped is x at another scale, rounded.
bool is_identity(const Graph& graph, const Node& node) {
  if (!is_single_element(forward_window(node.attributes, graph.shape(node.inputs[0])))) return false;
  const auto* multiplier = reinterpret_cast<const std::int32_t*>(graph.value(node.inputs[1]).data.data());
  const auto* shift = reinterpret_cast<const std::int8_t*>(graph.value(node.inputs[2]).data.data());
  const QOutput out{to_int(node.attributes.get_int("y_zero_point", 0)), to_int(node.attributes.get_int("y_lo", -128)),
                    to_int(node.attributes.get_int("y_hi", 127))};
  const int zero_point = to_int(node.attributes.get_int("x_zero_point", 0));
  for (int x = -128; x <= 127; ++x)
    if (q_clamp(q_mean_even(out.zero_point, x - zero_point, multiplier[0], shift[0]), out) != x) return false;
  return true;
}

bool absorb_padding(const Graph& graph, Node& node, const Padding& padding) {
  return absorb_into_pool(graph, node, padding, static_cast<double>(node.attributes.get_int("x_zero_point", 0)), true);
}

Attributes global() { return {{"is_global", std::int64_t{1}}}; }

std::vector<TensorType> infer_softmax(const TypeContext& context) {
  require_dtype(context, 0, DType::i8);
  require_dtype(context, 1, DType::u32);
  require_shape(context, 1, {256}, "the table");
  context.axis(context.attributes().get_int("axis", -1), static_cast<std::int64_t>(context.shape(0).size()));
  return int8_result(context, context.shape(0));
}

void lower_softmax(LowerContext& context) {
  const AxisShape around = axis_shape(context.input_shape(0), context.attributes().get_int("axis", -1));
  const QSoftmaxShape s{around.outer, around.axis, around.inner};
  const QSoftmaxScale scale = q_softmax_scale(context.attributes().get_float("y_scale", 1));
  context.call("runtime/q_softmax.h", "q_softmax",
               {shape_argument("QSoftmaxShape", s), context.in(1), literal(std::to_string(scale.multiplier) + "U"), literal(scale.shift),
                int8::output_argument(context), context.in(0), context.out()},
               0, {{0, 0, q_softmax_lead_x(s)}});
}

}  // namespace

ValueId int8::quantized_average_pool(QuantizeContext& context) { return average(context, context.node.attributes); }
ValueId int8::quantized_global_average_pool(QuantizeContext& context) { return average(context, global()); }

/// The mean over all spatial axes of [N,C,spatial...] is a global average pool.
ValueId int8::quantized_mean(QuantizeContext& context) {
  const auto rank = static_cast<std::int64_t>(context.shape(0).size());
  std::vector<std::int64_t> axes = context.node.attributes.get_ints("axes", {});
  for (std::int64_t& axis : axes) axis = from_front(axis, rank);
  std::sort(axes.begin(), axes.end());
  std::vector<std::int64_t> spatial;
  for (std::int64_t axis = 2; axis < rank; ++axis) spatial.push_back(axis);
  if (spatial.empty() || axes != spatial) return no_value;
  const ValueId pooled = average(context, global());
  if (pooled == no_value || context.node.attributes.get_int("keepdims", 1) != 0) return pooled;
  return context.emit("Reshape", {pooled}, {{"shape", context.graph.shape(context.node.outputs[0])}});
}

ValueId int8::quantized_softmax(QuantizeContext& context) {
  const QuantizedTensor* x = context.activation(0);
  const double y = double{context.output.scales[0]};
  if (x == nullptr || y > 1 || y * q_power_of_two(29) < 1) return no_value;
  const AxisShape around = axis_shape(context.shape(0), context.node.attributes.get_int("axis", -1));
  if (around.axis >= 1 << 19) return no_value;
  std::vector<std::uint32_t> table(256);
  q_softmax_table(double{x->quantization.scales[0]}, around.axis, table.data());
  const ValueId exponentials = context.constant("exponentials", DType::u32, std::vector<double>(table.begin(), table.end()));
  return context.emit("Int8Softmax", {x->stored, exponentials}, context.node.attributes);
}

OpRows int8_pool_ops() {
  OpDef softmax{.name = "Int8Softmax", .min_inputs = 2, .max_inputs = 2};
  softmax.infer = infer_softmax;
  softmax.lower = lower_softmax;
  softmax.layout.permute = permute_axis(-1);
  softmax.layout.operands = 1;
  softmax.is_public = false;
  OpDef pool{.name = "Int8AveragePool", .min_inputs = 3, .max_inputs = 3};
  pool.infer = infer_pool;
  pool.lower = lower_pool<false>;
  pool.layout = {.spatial_inputs = {0}, .spatial_outputs = {0}, .needs_channels_last = true};
  pool.channels = channel_rule();
  pool.is_identity = is_identity;
  pool.absorb_padding = absorb_padding;
  pool.is_public = false;
  OpDef wide_pool = pool;
  wide_pool.name = "Int16AveragePool";
  wide_pool.lower = lower_pool<true>;
  wide_pool.channels = {};
  wide_pool.is_identity = nullptr;
  return {pool, wide_pool, softmax};
}

}  // namespace tinytc
