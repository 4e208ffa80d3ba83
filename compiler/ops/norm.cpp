// Helpers of normalizations; see norm.h.
#include "compiler/ops/norm.h"

#include "compiler/ops/rules.h"

namespace tinytc {

std::size_t channel_axis(const Attributes& attributes, const Shape& x) {
  if (attributes.get_int("channels_last", 0) != 0) return x.size() - 1;
  return x.size() > 1 ? 1 : 0;
}

ChannelShape channel_shape(const Attributes& attributes, const Shape& x) {
  const AxisShape shape = rules::axis_shape(x, static_cast<std::int64_t>(channel_axis(attributes, x)));
  return {shape.outer, shape.axis, shape.inner};
}

std::vector<TensorType> channel_vector(const TypeContext& context) {
  return {{context.input(0).dtype, {context.shape(0)[channel_axis(context.attributes(), context.shape(0))]}}};
}

double epsilon_of(const Attributes& attributes) { return attributes.get_float("epsilon", 1e-5); }

OpDef internal_row(const std::string& name, int inputs,
                   std::function<std::vector<TensorType>(const TypeContext&)> infer,
                   std::function<void(LowerContext&)> lower, std::vector<int> spatial_inputs,
                   std::vector<int> spatial_outputs) {
  OpDef row{.name = name, .min_inputs = inputs, .max_inputs = inputs};
  row.infer = std::move(infer);
  row.lower = std::move(lower);
  row.layout.spatial_inputs = std::move(spatial_inputs);
  row.layout.spatial_outputs = std::move(spatial_outputs);
  row.is_public = false;
  return row;
}

}  // namespace tinytc
