// Dropout. For inference it is the identity; for training the forms below, which a pass puts in its place:
//   DropoutTraining  (x, seed) -> y: elements are dropped by a function of the seed and their position, so
//   the mask is never stored and
//                    the gradient is the same operator on dy
//   NextSeed         (seed) -> seed + 1 in place: once a training step, after the readers
#include <fmt/format.h>

#include "compiler/op_table.h"
#include "compiler/ops/rules.h"
#include "runtime/random.h"

namespace tinytc {

namespace {

using namespace rules;

double ratio_of(const Attributes& attributes) { return attributes.get_float("ratio", 0.5); }

std::vector<TensorType> infer_dropout(const TypeContext& context) {
  require_float(context);
  const double ratio = ratio_of(context.attributes());
  if (!(ratio >= 0 && ratio < 1)) context.fail(fmt::format("ratio {} is not in [0, 1)", ratio));
  return {context.input(0), {DType::boolean, context.shape(0)}};
}

void lower_dropout(LowerContext& context) {
  context.view(0, 0);
  if (!context.has_output(1)) return;
  const ElementwiseShape shape{to_int(element_count(context.output_shape(1)))};
  context.call(
      "runtime/move.h", "fill",
      {shape_argument("ElementwiseShape", shape), literal(std::string("std::uint8_t{1}")), context.out(1)});
}

/// A state of its own counts the training steps; it is the seed of this step's mask, forwards and backwards.
void enter_training(Graph& graph, Node& node, bool) {
  if (ratio_of(node.attributes) == 0) return;
  if (node.outputs.size() > 1 && node.outputs[1] != no_value)
    throw UserError(
        node_message(node.location, "its mask is read as an output, which training does not support"));
  // The golden ratio's multiples spread the nodes' sequences of seeds over all 32 bits.
  const auto start = static_cast<std::uint32_t>(node.location.index + 1) * std::uint32_t{0x9E3779B9};
  const TensorType type{DType::u32, {}};
  const std::string name = graph.value(node.outputs[0]).name + "/seed";
  const ValueId seed =
      add_value(graph, {name, type, Role::state, encode(type.dtype, {static_cast<double>(start)})});
  add_node(graph, "NextSeed", {seed}, 1, {}, node.location, name);
  node.op = &op("DropoutTraining");
  node.inputs = {node.inputs[0], seed};
  node.outputs.resize(1);
}

OpDef dropout_row() {
  OpDef row{.name = "Dropout", .max_outputs = 2};
  row.constant_operands = {{1, "ratio", true, false}, {2, "training_mode", false, false}};
  row.infer = infer_dropout;
  row.gradient = [](GradientContext& context) { context.set_gradient(0, context.output_gradient()); };
  row.lower = lower_dropout;
  row.enter_training = enter_training;
  row.layout.elementwise = true;
  row.may_view = true;
  return row;
}

OpDef training_row() {
  OpDef row{.name = "DropoutTraining", .min_inputs = 2, .max_inputs = 2};
  row.infer = [](const TypeContext& context) {
    require_dtype(context, 1, DType::u32);
    require_shape(context, 1, {}, "the seed");
    return std::vector<TensorType>{infer_dropout(context)[0]};
  };
  row.gradient = [](GradientContext& context) {
    context.set_gradient(0, context.emit("DropoutTraining", {context.output_gradient(), context.input(1)},
                                         context.node.attributes));
  };
  row.lower = [](LowerContext& context) {
    const ElementwiseShape shape{to_int(element_count(context.output_shape()))};
    context.call("runtime/random.h", "dropout",
                 {shape_argument("ElementwiseShape", shape),
                  context.number(ratio_of(context.attributes()), context.output_type().dtype),
                  context.element(1), context.in(0), context.out()},
                 0, {{0, 0, dropout_lead_x(shape)}});
  };
  row.is_public = false;
  return row;
}

OpDef next_seed_row() {
  OpDef row{.name = "NextSeed"};
  row.infer = [](const TypeContext& context) {
    require_dtype(context, 0, DType::u32);
    return same_as_input(context);
  };
  row.lower = [](LowerContext& context) {
    const DType dtype = DType::u32;
    const BroadcastShape shape = make_broadcast_shape(operand_dims({}), operand_dims({}));
    context.call("runtime/arithmetic.h", "binary",
                 {shape_argument("BroadcastShape", shape), functor(context, "Add", dtype), context.in(0),
                  context.table("one", {dtype, {}}, encode(dtype, {1.0})), context.update(0)});
  };
  row.updates = {{0, 0}};
  row.is_public = false;
  return row;
}

}  // namespace

OpRows dropout_ops() { return {dropout_row(), training_row(), next_seed_row()}; }

}  // namespace tinytc
