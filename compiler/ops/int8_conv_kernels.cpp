// Which int8 convolution kernel a layer takes; see int8_conv_kernels.h.
#include "compiler/ops/int8_conv_kernels.h"

#include <algorithm>

#include "runtime/q_conv2d_bare.h"
#include "runtime/q_conv2d_plain.h"
#include "runtime/q_grouped_conv2d.h"
#include "runtime/q_grouped_narrow.h"
#include "runtime/q_narrow_conv2d.h"
#include "runtime/q_scalar_conv2d.h"
#include "runtime/q_vector_conv2d.h"
#include "runtime/q_widened_conv2d.h"
#include "runtime/q_winograd.h"

namespace tinytc::int8 {

namespace {

const Value& weight_of(const LowerContext& context) { return context.graph.value(context.node.inputs[1]); }

/// The shifts of the scales, or null.
Argument shift_argument(LowerContext& context) {
  return context.has_input(4) ? context.in(4) : literal("static_cast<const std::int8_t*>(nullptr)");
}

ConvKernel vector_kernel(LowerContext& context, QConv2dShape s, bool padded) {
  if (!padded) s.x_zero_point = 0;  // nobody reads it; so more layers share a function
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_vector_conv2d_words(s)));
  q_vector_conv2d_pack(s, constant<std::int8_t>(context, 1), constant<std::int32_t>(context, 2), constant<std::int32_t>(context, 3), packed.data());
  return {"runtime/q_vector_conv2d.h", "q_vector_conv2d", "QVectorConv", {word_table(context, weight_of(context).name, packed)},
          q_vector_conv2d_scratch(s), q_vector_conv2d_lead_x(s), 1, s};
}

ConvKernel scalar_kernel(LowerContext& context, const QConv2dShape& s) {
  std::vector<std::byte> packed(static_cast<std::size_t>(q_scalar_conv2d_packed_bytes(s)));
  q_scalar_conv2d_pack(s, constant<std::int8_t>(context, 1), reinterpret_cast<std::uint8_t*>(packed.data()));
  const Argument table = context.table(weight_of(context).name, {DType::u8, {static_cast<std::int64_t>(packed.size())}}, packed);
  return {"runtime/q_scalar_conv2d.h", "q_scalar_conv2d", "QScaledConv<std::uint8_t, q_scalar_conv2d>", {table, context.in(2), scale_argument(context, 3)},
          q_scalar_conv2d_scratch(s), q_scalar_conv2d_lead_x(s), 1, s};
}

ConvKernel winograd_kernel(LowerContext& context, const QConv2dShape& s) {
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_winograd_packed_words(s)));
  q_winograd_pack(s, constant<std::int8_t>(context, 1), constant<std::int32_t>(context, 2), packed.data());
  return {"runtime/q_winograd.h", "q_winograd_conv2d", "QWinogradConv", {word_table(context, weight_of(context).name, packed), scale_argument(context, 3)},
          q_winograd_scratch(s), q_winograd_lead_x(s), 4, s};
}

ConvKernel plain_kernel(LowerContext& context, const QConv2dShape& s) {
  return {"runtime/q_conv2d_plain.h", "q_conv2d_plain", "QScaledConv<std::int8_t, q_conv2d_plain>", {context.in(1), context.in(2), scale_argument(context, 3)},
          q_conv2d_plain_scratch(s), q_conv2d_plain_lead_x(s), 1, s};
}

ConvKernel paired_kernel(LowerContext& context, const QConv2dShape& s) {
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_conv2d_packed_words(s)));
  q_conv2d_pack(s, constant<std::int8_t>(context, 1), constant<std::int32_t>(context, 2), constant<std::int32_t>(context, 3), packed.data());
  return {"runtime/q_conv2d.h", "q_conv2d", "QPackedConv<q_conv2d>", {word_table(context, weight_of(context).name, packed), shift_argument(context)},
          q_conv2d_scratch(s), q_conv2d_lead_x(s), 1, s};
}

ConvKernel widened_kernel(LowerContext& context, const QConv2dShape& s) {
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_widened_conv2d_packed_words(s)));
  q_widened_conv2d_pack(s, constant<std::int8_t>(context, 1), constant<std::int32_t>(context, 2), constant<std::int32_t>(context, 3), packed.data());
  return {"runtime/q_widened_conv2d.h", "q_widened_conv2d", "QPackedConv<q_widened_conv2d>", {word_table(context, weight_of(context).name, packed), shift_argument(context)},
          q_widened_conv2d_scratch(s), q_widened_conv2d_lead_x(s), 1, s};
}

ConvKernel grouped_kernel(LowerContext& context, const QConv2dShape& s) {
  std::vector<std::int8_t> spread(static_cast<std::size_t>(q_grouped_conv2d_spread_bytes(s)));
  q_grouped_conv2d_spread(s, constant<std::int8_t>(context, 1), spread.data());
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_grouped_conv2d_packed_words(s)));
  q_grouped_conv2d_pack(s, spread.data(), constant<std::int32_t>(context, 2), constant<std::int32_t>(context, 3), packed.data());
  return {"runtime/q_grouped_conv2d.h", "q_grouped_conv2d", "QPackedConv<q_grouped_conv2d>", {word_table(context, weight_of(context).name, packed), shift_argument(context)},
          q_grouped_conv2d_scratch(s), q_grouped_conv2d_lead_x(s), 1, s};
}

ConvKernel grouped_narrow_kernel(LowerContext& context, const QConv2dShape& s) {
  std::vector<std::int8_t> spread(static_cast<std::size_t>(q_grouped_conv2d_spread_bytes(s)));
  q_grouped_conv2d_spread(s, constant<std::int8_t>(context, 1), spread.data());
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_narrow_conv2d_packed_words(q_grouped_packing(s))));
  q_narrow_conv2d_pack(q_grouped_packing(s), spread.data(), packed.data());
  return {"runtime/q_grouped_narrow.h", "q_grouped_narrow", "QScaledConv<std::uint32_t, q_grouped_narrow>", {word_table(context, weight_of(context).name, packed), context.in(2), scale_argument(context, 3)},
          q_grouped_conv2d_scratch(s), q_grouped_conv2d_lead_x(s), 1, s};
}

ConvKernel narrow_kernel(LowerContext& context, const QConv2dShape& s) {
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(q_narrow_conv2d_packed_words(s)));
  q_narrow_conv2d_pack(s, constant<std::int8_t>(context, 1), packed.data());
  return {"runtime/q_narrow_conv2d.h", "q_narrow_conv2d", "QScaledConv<std::uint32_t, q_narrow_conv2d>", {word_table(context, weight_of(context).name, packed), context.in(2), scale_argument(context, 3)},
          q_narrow_conv2d_scratch(s), q_narrow_conv2d_lead_x(s), 1, s};
}

ConvKernel bare_kernel(LowerContext& context, const QConv2dShape& s) {
  const Value& weight = weight_of(context);
  std::vector<std::byte> packed(weight.data.size());
  q_conv2d_bare_pack(s, constant<std::int8_t>(context, 1), reinterpret_cast<std::int8_t*>(packed.data()));
  return {"runtime/q_conv2d_bare.h", "q_conv2d_bare", "QBareConv", {context.table(weight.name, weight.type, packed), context.in(2), scale_argument(context, 3)},
          0, q_conv2d_bare_lead_x(s), 1, s};
}

/// Whether results take the whole range of int8 and scales no shift.
bool stores_plainly(const LowerContext& context) {
  return context.attributes().get_int("y_lo", -128) == -128 && context.attributes().get_int("y_hi", 127) == 127 && !context.has_input(4);
}

bool is_padded(const Window& w) { return w.pad_top != 0 || w.pad_left != 0 || w.pad_bottom != 0 || w.pad_right != 0; }

}  // namespace

QConv2dShape conv_shape(const Window& w, const Attributes& attributes) {
  QConv2dShape s{};
  fill_window(s, w);
  s.in_c = to_int(w.in_c), s.out_c = to_int(w.out_c), s.groups = to_int(w.groups);
  s.x_zero_point = to_int(attributes.get_int("x_zero_point", 0));
  return s;
}

ConvKernel conv_kernel(LowerContext& context, const Window& w) {
  const QConv2dShape s = conv_shape(w, context.attributes());
  if (context.attributes().get_int(saves_scratch, 0) == 1) return bare_kernel(context, s);
  if (takes_vectors(context, 3)) return vector_kernel(context, s, is_padded(w));
  if (context.attributes().get_int(spends_flash, 0) == 1) return winograd_kernel(context, s);
  const bool pairable = context.has_dual_multiply() && q_pairable(s.out_c, q_conv2d_taps(s), constant<std::int8_t>(context, 1), constant<std::int32_t>(context, 2));
  // Its assembly stores what is in the range of int8 and scaled without shifts; what else there is, it computes word by word.
  if (pairable && s.groups > 1 && stores_plainly(context)) return widened_kernel(context, s);
  if (context.has_dual_multiply() && q_grouped_narrow_serves(s)) return grouped_narrow_kernel(context, s);
  if (pairable && q_grouped_conv2d_serves(s)) return grouped_kernel(context, s);
  // The other kernels compute four channels at least; those for scalar cores are the faster ones from three wanted channels on.
  if (q_narrow_conv2d_serves(s) && (context.has_dual_multiply() || s.out_c / s.groups <= 2)) return narrow_kernel(context, s);
  if (!context.has_dual_multiply()) return scalar_kernel(context, s);
  // Runs of one to three elements take long to gather one by one; in the order of plain weights a patch is one run. Their sums take longer:
  // about 0.7 cycles for both pixels, where a run takes 20.
  const int run = q_conv2d_runs(s).elements;
  const bool scattered = run < 4 && run * (s.out_c / s.groups) < 28;
  if (scattered || !pairable) return plain_kernel(context, s);
  return paired_kernel(context, s);
}

void call_conv(LowerContext& context, const Window& w) {
  ConvKernel kernel = conv_kernel(context, w);
  std::vector<Argument> arguments{shape_argument("QConv2dShape", kernel.shape), context.in(0)};
  for (Argument& constant : kernel.constants) arguments.push_back(std::move(constant));
  arguments.push_back(output_argument(context));
  arguments.push_back(context.out());
  if (kernel.scratch > 0) arguments.push_back(words(context, kernel.scratch));
  context.call(kernel.header, kernel.name, std::move(arguments), q_conv2d_macs(kernel.shape), {{0, 0, kernel.lead}});
}

/// Winograd's convolution in place of the direct one. Cycles of the Cortex-M4, from the instructions of both kernels: a pair of tiles
/// takes 16 cycles a word and 31 a position for four output channels, and its results and inputs 310 a tile and channel pair.
FasterKernel faster_conv(const Graph& graph, const Node& node) {
  const Window w = convolution_window(node.attributes, channels_first(graph.shape(node.inputs[0]), node.attributes), graph.shape(node.inputs[1]));
  const Value &weight = graph.value(node.inputs[1]), &bias = graph.value(node.inputs[2]);
  if (is_depthwise(w) || weight.role != Role::constant || bias.role != Role::constant) return {};
  const QConv2dShape s = conv_shape(w, node.attributes);
  if (!q_winograd_serves(s) || !q_winograd_exact(s.out_c, q_conv2d_taps(s), reinterpret_cast<const std::int8_t*>(weight.data.data()),
                                             reinterpret_cast<const std::int32_t*>(bias.data.data()))) return {};
  const std::int64_t blocks = (s.out_c + 3) / 4, pairs = std::int64_t{s.batch} * ((s.out_h + 3) / 4) * q_winograd_pairs(s);
  const std::int64_t products = blocks * 36 * (8 * s.in_c + 31), borders = 310 * (s.in_c + 2 * s.out_c);
  const std::int64_t direct = q_conv2d_macs(s) + w.batch * w.out_h * w.out_w * w.out_c * 9;
  return {4 * q_winograd_packed_words(s) - element_count(graph.shape(node.inputs[1])), 4 * q_winograd_scratch(s),
          std::max<std::int64_t>(0, direct * 9 / 10 - pairs * (products + borders))};
}

}  // namespace tinytc::int8
