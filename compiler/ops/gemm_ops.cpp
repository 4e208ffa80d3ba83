// Gemm and MatMul, and their gradients.
//
// Internal row MatrixProductGrad(a, b; transA, transB): op(a) op(b) handed to a Sink, for gradients of weights. MatMul takes the
// attributes transA and transB from gradient rules, and from the fusing pass an input 2, a bias for each column. Both take activation_lo /
// activation_hi from the fusing pass.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/op_table.h"
#include "compiler/ops/int8.h"
#include "compiler/ops/product.h"
#include "compiler/ops/rules.h"
#include "compiler/ops/spatial.h"
#include "runtime/gemm.h"

namespace tinytc {

namespace {

constexpr const char* header = "runtime/gemm.h";

bool flag(const Attributes& attributes, const char* name) { return attributes.get_int(name, 0) != 0; }

/// op(x) of a matrix [rows, columns] (before transposition): extents and strides in elements.
struct Factor {
  std::int64_t rows, columns, row_stride, column_stride;
};

Factor factor_of(const Shape& shape, bool transposed) {
  const std::int64_t rows = shape[shape.size() - 2], columns = shape[shape.size() - 1];
  return transposed ? Factor{columns, rows, 1, columns} : Factor{rows, columns, columns, 1};
}

void check_product(const TypeContext& context, const Factor& a, const Factor& b) {
  if (a.columns == b.rows) return;
  const bool looks_transposed = a.columns == b.columns;
  context.fail(fmt::format("inner dimensions differ: {} and {}", a.columns, b.rows),
               looks_transposed ? "transB=0, but B looks transposed" : "");
}

GemmShape product_shape(const Factor& a, const Factor& b) {
  GemmShape s{};
  s.m = to_int(a.rows), s.n = to_int(b.columns), s.k = to_int(a.columns);
  s.a_row = to_int(a.row_stride), s.a_column = to_int(a.column_stride);
  s.b_row = to_int(b.row_stride), s.b_column = to_int(b.column_stride);
  return s;
}

/// Calls the kernel for y = alpha * a b + beta * c of inputs 0, 1 and 2.
void call_product(LowerContext& context, const GemmShape& s, double alpha, double beta) {
  const DType dtype = context.input_type(0).dtype;
  context.call(header, s.m == 1 && s.batch_rank == 0 ? "gemm_row" : "gemm",
               {shape_argument("GemmShape", s), context.number(alpha, dtype), context.in(0), context.in(1), context.number(beta, dtype),
                context.in(2), activation_argument(context, dtype), context.out()},
               gemm_macs(s));
}

// --- Gemm ---

std::vector<TensorType> infer_gemm(const TypeContext& context) {
  rules::require_float(context);
  rules::require_same_dtype(context, 0, 1);
  rules::require_rank(context, 0, 2, 2);
  rules::require_rank(context, 1, 2, 2);
  const Factor a = factor_of(context.shape(0), flag(context.attributes(), "transA"));
  const Factor b = factor_of(context.shape(1), flag(context.attributes(), "transB"));
  check_product(context, a, b);
  if (context.has_input(2)) {
    rules::require_same_dtype(context, 0, 2);
    Shape c = context.shape(2);
    while (c.size() < 2) c.insert(c.begin(), 1);
    if (c.size() != 2 || (c[0] != 1 && c[0] != a.rows) || (c[1] != 1 && c[1] != b.columns))
      context.fail(fmt::format("C does not broadcast to [{},{}]", a.rows, b.columns));
  }
  return {{context.input(0).dtype, {a.rows, b.columns}}};
}

void lower_gemm(LowerContext& context) {
  GemmShape s = product_shape(factor_of(context.input_shape(0), flag(context.attributes(), "transA")),
                              factor_of(context.input_shape(1), flag(context.attributes(), "transB")));
  if (context.has_input(2)) {
    Shape c = context.input_shape(2);
    while (c.size() < 2) c.insert(c.begin(), 1);
    s.c_row = c[0] == 1 ? 0 : to_int(c[1]);
    s.c_column = c[1] == 1 ? 0 : 1;
  }
  call_product(context, s, context.attributes().get_float("alpha", 1), context.attributes().get_float("beta", 1));
}

Attributes transposes(bool a, bool b) { return {{"transA", std::int64_t{a}}, {"transB", std::int64_t{b}}}; }

/// alpha op(a) op(b) as an operator that takes a Sink where alpha is 1.
ValueId weight_product(GradientContext& context, ValueId a, ValueId b, bool trans_a, bool trans_b, double alpha) {
  Attributes attributes = transposes(trans_a, trans_b);
  if (alpha == 1) return context.emit("MatrixProductGrad", {a, b}, attributes);
  attributes.set("alpha", alpha);
  return context.emit("Gemm", {a, b}, attributes);
}

void gradient_of_gemm(GradientContext& context) {
  const Attributes& attributes = context.node.attributes;
  const bool trans_a = flag(attributes, "transA"), trans_b = flag(attributes, "transB");
  const double alpha = attributes.get_float("alpha", 1), beta = attributes.get_float("beta", 1);
  const ValueId dy = context.output_gradient(), a = context.input(0), b = context.input(1);
  if (context.needs(0)) {
    Attributes product = trans_a ? transposes(trans_b, true) : transposes(false, !trans_b);
    product.set("alpha", alpha);
    context.set_gradient(0, trans_a ? context.emit("Gemm", {b, dy}, product) : context.emit("Gemm", {dy, b}, product));
  }
  if (context.needs(1))
    context.set_gradient(1, trans_b ? weight_product(context, dy, a, true, trans_a, alpha) : weight_product(context, a, dy, !trans_a, false, alpha));
  if (context.needs(2)) {
    const ValueId scaled = beta == 1 ? dy : context.emit("Mul", {dy, context.scalar(beta, dy)});
    context.set_gradient(2, context.reduce_to(scaled, context.input(2)));
  }
}

// --- MatMul ---

/// MatMul's operands as matrices: a vector is a row on the left and a column on the right.
Shape as_matrix(const Shape& shape, bool left) {
  if (shape.size() != 1) return shape;
  return left ? Shape{1, shape[0]} : Shape{shape[0], 1};
}

Shape batch_of(const Shape& matrix) { return Shape(matrix.begin(), matrix.end() - 2); }

/// The batch extents of both operands broadcast together; empty and false when they do not fit.
bool broadcast_batch(Shape a, Shape b, Shape& result) {
  while (a.size() < b.size()) a.insert(a.begin(), 1);
  while (b.size() < a.size()) b.insert(b.begin(), 1);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && a[i] != 1 && b[i] != 1) return false;
    result.push_back(a[i] == 1 ? b[i] : a[i]);
  }
  return true;
}

std::vector<TensorType> infer_matmul(const TypeContext& context) {
  rules::require_float(context);
  rules::require_same_dtype(context, 0, 1);
  const Shape output = matmul_output(context);
  if (context.has_input(2)) {
    const Factor right = factor_of(as_matrix(context.shape(1), false), flag(context.attributes(), "transB"));
    rules::require_shape(context, 2, {right.columns}, "the bias");
  }
  return {{context.input(0).dtype, output}};
}

/// Batch extents and strides, collapsed where both operands walk on evenly.
void fill_batch(GemmShape& s, const Shape& a, const Shape& b, const LowerContext& context) {
  Shape dims;
  require(broadcast_batch(batch_of(a), batch_of(b), dims), "MatMul's batch was checked by its type rule");
  const auto strides = [&](const Shape& shape) {
    std::vector<std::int64_t> result(dims.size(), 0);
    std::int64_t stride = shape[shape.size() - 1] * shape[shape.size() - 2];
    for (std::size_t k = 0; k < shape.size() - 2; ++k) {
      const std::int64_t extent = shape[shape.size() - 3 - k];
      if (extent != 1) result[dims.size() - 1 - k] = stride;
      stride *= extent;
    }
    return result;
  };
  const std::vector<std::int64_t> a_strides = strides(a), b_strides = strides(b);
  int rank = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    const bool merges = rank > 0 && s.a_batch[rank - 1] == a_strides[i] * dims[i] && s.b_batch[rank - 1] == b_strides[i] * dims[i];
    if (!merges) ++rank;
    if (rank > 6) throw UserError(node_message(context.node.location, "more than 6 batch dimensions that broadcast differently"));
    s.batch_dims[rank - 1] = to_int(dims[i] * (merges ? s.batch_dims[rank - 1] : 1));
    s.a_batch[rank - 1] = to_int(a_strides[i]);
    s.b_batch[rank - 1] = to_int(b_strides[i]);
  }
  s.batch_rank = rank;
}

void lower_matmul(LowerContext& context) {
  GemmShape s = matmul_shape(context);
  s.c_column = context.has_input(2) ? 1 : 0;
  call_product(context, s, 1, 1);
}

ValueId reshaped(GradientContext& context, ValueId id, const Shape& shape) {
  return context.type(id).shape == shape ? id : context.emit("Reshape", {id}, {{"shape", shape}});
}

void gradient_of_matmul(GradientContext& context) {
  const Shape a_shape = context.type(context.input(0)).shape, b_shape = context.type(context.input(1)).shape;
  const Shape a_matrix = as_matrix(a_shape, true), b_matrix = as_matrix(b_shape, false);
  const bool trans_a = flag(context.node.attributes, "transA"), trans_b = flag(context.node.attributes, "transB");
  const Factor left = factor_of(a_matrix, trans_a), right = factor_of(b_matrix, trans_b);
  Shape y_matrix;
  broadcast_batch(batch_of(a_matrix), batch_of(b_matrix), y_matrix);
  y_matrix.push_back(left.rows);
  y_matrix.push_back(right.columns);
  const ValueId a = reshaped(context, context.input(0), a_matrix), b = reshaped(context, context.input(1), b_matrix);
  const ValueId dy = reshaped(context, context.output_gradient(), y_matrix);
  if (context.needs(0)) {
    const ValueId da = trans_a ? context.emit("MatMul", {b, dy}, transposes(trans_b, true)) : context.emit("MatMul", {dy, b}, transposes(false, !trans_b));
    context.set_gradient(0, reshaped(context, context.reduce_to(da, a), a_shape));
  }
  if (!context.needs(1)) return;
  if (b_matrix.size() == 2 && !trans_a) {  // one weight for the whole batch: a product of two tall matrices
    const ValueId rows = reshaped(context, a, {element_count(a_matrix) / left.columns, left.columns});
    const ValueId dy_rows = reshaped(context, dy, {element_count(y_matrix) / right.columns, right.columns});
    const ValueId db = trans_b ? weight_product(context, dy_rows, rows, true, false, 1) : weight_product(context, rows, dy_rows, true, false, 1);
    context.set_gradient(1, reshaped(context, db, b_shape));
    return;
  }
  const ValueId db = trans_b ? context.emit("MatMul", {dy, a}, transposes(true, trans_a)) : context.emit("MatMul", {a, dy}, transposes(!trans_a, false));
  context.set_gradient(1, reshaped(context, context.reduce_to(db, b), b_shape));
}

// --- MatrixProductGrad ---

std::vector<TensorType> infer_product(const TypeContext& context) {
  rules::require_rank(context, 0, 2, 2);
  rules::require_rank(context, 1, 2, 2);
  const Factor a = factor_of(context.shape(0), flag(context.attributes(), "transA"));
  const Factor b = factor_of(context.shape(1), flag(context.attributes(), "transB"));
  check_product(context, a, b);
  return {{context.input(0).dtype, {a.rows, b.columns}}};
}

void lower_product(LowerContext& context) {
  const GemmShape s = product_shape(factor_of(context.input_shape(0), flag(context.attributes(), "transA")),
                                    factor_of(context.input_shape(1), flag(context.attributes(), "transB")));
  context.call(header, "gemm_grad", {shape_argument("GemmShape", s), context.in(0), context.in(1), context.sink()}, gemm_macs(s));
}

// --- Folding a scale and shift of the columns into constant weights ---

bool is_constant(const Graph& graph, const Node& node, std::size_t input) {
  return input >= node.inputs.size() || node.inputs[input] == no_value || graph.value(node.inputs[input]).role == Role::constant;
}

bool can_absorb_columns(const Graph& graph, const Node& node) {
  return is_constant(graph, node, 1) && is_constant(graph, node, 2) && node.attributes.get_float("beta", 1) == 1 &&
         graph.shape(node.inputs[1]).size() == 2 && graph.shape(node.outputs[0]).size() == 2;  // else its channels are no columns
}

void absorb_columns(Graph& graph, Node& node, const ChannelAffine& affine) {
  const auto emit = [&](const char* op_name, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return add_node(graph, op_name, std::move(inputs), 1, std::move(attributes), node.location, "folded/" + node.location.node).front();
  };
  ValueId scale = affine.scale;
  if (flag(node.attributes, "transB")) scale = emit("Reshape", {scale}, {{"shape", Shape{graph.shape(scale)[0], 1}}});
  node.inputs[1] = emit("Mul", {node.inputs[1], scale});
  if (node.inputs.size() < 3) node.inputs.resize(3, no_value);
  node.inputs[2] = node.inputs[2] == no_value ? affine.shift : emit("Add", {emit("Mul", {node.inputs[2], affine.scale}), affine.shift});
}

/// Output channels are the columns of op(B); a product of more than matrices has none.
std::int64_t output_axis(const Graph& graph, const Node& node) {
  if (graph.shape(node.inputs[1]).size() != 2) return -1;
  return flag(node.attributes, "transB") ? 0 : 1;
}

std::int64_t input_channel(const Graph& graph, const Node& node, std::int64_t index) {
  const std::int64_t columns = graph.shape(node.inputs[1])[1];
  return flag(node.attributes, "transB") ? index % columns : index / columns;
}

std::int64_t fan_in_of_gemm(const Graph& graph, const Node& node) {
  return graph.shape(node.inputs[1])[flag(node.attributes, "transB") ? 1 : 0];
}

std::int64_t fan_in_of_matmul(const Graph& graph, const Node& node) {
  const Shape& weight = graph.shape(node.inputs[1]);
  return weight.size() == 2 ? weight[0] : 0;
}

}  // namespace

Shape matmul_output(const TypeContext& context) {
  rules::require_rank(context, 0, 1);
  rules::require_rank(context, 1, 1);
  const Shape a = as_matrix(context.shape(0), true), b = as_matrix(context.shape(1), false);
  const Factor left = factor_of(a, flag(context.attributes(), "transA")), right = factor_of(b, flag(context.attributes(), "transB"));
  check_product(context, left, right);
  Shape output;
  if (!broadcast_batch(batch_of(a), batch_of(b), output)) context.fail("the leading dimensions do not broadcast");
  if (context.shape(0).size() > 1) output.push_back(left.rows);
  if (context.shape(1).size() > 1) output.push_back(right.columns);
  return output;
}

GemmShape matmul_shape(const LowerContext& context) {
  Shape a = as_matrix(context.input_shape(0), true);
  const Shape b = as_matrix(context.input_shape(1), false);
  const bool trans_a = flag(context.attributes(), "transA"), trans_b = flag(context.attributes(), "transB");
  // One matrix on the right for a whole batch: the batch is just more rows.
  const bool one_right = std::all_of(b.begin(), b.end() - 2, [](std::int64_t extent) { return extent == 1; });
  if (one_right && !trans_a) a = {element_count(a) / a.back(), a.back()};
  GemmShape s = product_shape(factor_of(a, trans_a), factor_of(b, trans_b));
  fill_batch(s, a, one_right && !trans_a ? Shape{b[b.size() - 2], b[b.size() - 1]} : b, context);
  return s;
}

OpRows gemm_ops() {
  return {
      {.name = "Gemm",
       .min_inputs = 2,
       .max_inputs = 3,
       .infer = infer_gemm,
       .gradient = gradient_of_gemm,
       .lower = lower_gemm,
       .bias_inputs = {2},
       .takes_activation = true,
       .bias_input = 2,
       .can_absorb_affine = can_absorb_columns,
       .absorb_affine = absorb_columns,
       .weight = {output_axis, input_channel, true},
       .quantized = int8::quantized_gemm,
       .fan_in = fan_in_of_gemm},
      {.name = "MatMul",
       .min_inputs = 2,
       .max_inputs = 3,
       .infer = infer_matmul,
       .gradient = gradient_of_matmul,
       .lower = lower_matmul,
       .takes_activation = true,
       .bias_input = 2,
       .can_absorb_affine = can_absorb_columns,
       .absorb_affine = absorb_columns,
       .weight = {output_axis, input_channel, true},
       .quantized = int8::quantized_matmul,
       .fan_in = fan_in_of_matmul},
      {.name = "MatrixProductGrad",
       .min_inputs = 2,
       .max_inputs = 2,
       .infer = infer_product,
       .lower = lower_product,
       .takes_sink = true,
       .is_public = false},
  };
}

}  // namespace tinytc
