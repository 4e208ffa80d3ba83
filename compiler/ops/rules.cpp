// Helpers of the operator rows; see rules.h.
#include "compiler/ops/rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace tinytc::rules {

void require_float(const TypeContext& context, int i) {
  const DType dtype = context.input(i).dtype;
  if (is_float(dtype)) return;
  const bool is_byte = dtype == DType::i8 || dtype == DType::u8;
  context.fail(fmt::format("input {} is {}; only floating point is supported", i, name_of(dtype)),
               is_byte ? "stored numbers have no scale here: put DequantizeLinear before the node and QuantizeLinear behind it, as "
                         "onnxruntime's quantizer does with quant_format=QuantFormat.QDQ"
                       : "");
}

void require_integer(const TypeContext& context, int i) {
  const DType dtype = context.input(i).dtype;
  if (is_float(dtype) || dtype == DType::boolean)
    context.fail(fmt::format("input {} is {}, must be integers", i, name_of(dtype)));
}

void require_dtype(const TypeContext& context, int i, DType dtype) {
  if (context.input(i).dtype != dtype)
    context.fail(
        fmt::format("input {} is {}, must be {}", i, name_of(context.input(i).dtype), name_of(dtype)));
}

void require_same_dtype(const TypeContext& context, int i, int j) {
  const DType a = context.input(i).dtype, b = context.input(j).dtype;
  if (a != b)
    context.fail(fmt::format("types differ: input {} is {}, input {} is {}", i, name_of(a), j, name_of(b)));
}

void require_shape(const TypeContext& context, int i, const Shape& shape, const std::string& what) {
  if (context.shape(i) != shape)
    context.fail(fmt::format("{} has shape [{}], must be [{}]", what, fmt::join(context.shape(i), ","),
                             fmt::join(shape, ",")));
}

void require_rank(const TypeContext& context, int i, std::int64_t least, std::int64_t most) {
  const auto rank = static_cast<std::int64_t>(context.shape(i).size());
  if (rank >= least && rank <= most) return;
  const std::string allowed = least == most ? std::to_string(least) : fmt::format("{} to {}", least, most);
  context.fail(fmt::format("input {} has {} dimensions, must have {}", i, rank, allowed));
}

Shape broadcast_inputs(const TypeContext& context, int first, int count) {
  Shape result;
  for (int i = first; i < count; ++i) {
    require_rank(context, i, 0);
    const Shape& shape = context.shape(i);
    if (shape.size() > result.size()) result.insert(result.begin(), shape.size() - result.size(), 1);
    for (std::size_t d = 0; d < shape.size(); ++d) {
      std::int64_t& extent = result[result.size() - shape.size() + d];
      if (shape[d] == 1 || shape[d] == extent) continue;
      if (extent != 1)
        context.fail(
            fmt::format("shapes cannot be broadcast together: input {} has extent {} where {} is needed", i,
                        shape[d], extent));
      extent = shape[d];
    }
  }
  return result;
}

std::vector<TensorType> same_as_input(const TypeContext& context) { return {context.input(0)}; }

std::vector<std::int64_t> axes_attribute(const TypeContext& context, const std::string& name,
                                         std::int64_t rank, bool absent_is_all) {
  std::vector<std::int64_t> axes = context.attributes().get_ints(name, {});
  if (axes.empty() && absent_is_all)
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  for (std::int64_t& axis : axes) axis = context.axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    context.fail("an axis stands twice in '" + name + "'");
  return axes;
}

std::int64_t extent_product(const Shape& shape, std::size_t first, std::size_t last) {
  std::int64_t product = 1;
  for (std::size_t d = first; d < last; ++d) product *= shape[d];
  return product;
}

OperandDims operand_dims(const Shape& shape) {
  require(shape.size() <= static_cast<std::size_t>(max_rank), "a kernel's operand has too many dimensions");
  OperandDims operand{};
  operand.rank = static_cast<int>(shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d) operand.dims[d] = to_int(shape[d]);
  return operand;
}

AxisShape axis_shape(const Shape& shape, std::int64_t axis) {
  const auto at = static_cast<std::size_t>(from_front(axis, static_cast<std::int64_t>(shape.size())));
  return {to_int(extent_product(shape, 0, at)), to_int(shape[at]),
          to_int(extent_product(shape, at + 1, shape.size()))};
}

std::string typed(const std::string& name, DType dtype) {
  return fmt::format("{}<{}>", name, cpp_type_of(dtype));
}

Argument functor(const LowerContext& context, const std::string& name, DType dtype,
                 const std::vector<double>& numbers) {
  std::vector<Argument> parts;
  for (double number : numbers) parts.push_back(context.number(number, dtype));
  return object(typed(name, dtype), std::move(parts));
}

Argument null_pointer(DType dtype) {
  return {.kind = Argument::Kind::null, .text = std::string(cpp_type_of(dtype))};
}

Argument as_input(Argument argument) {
  argument.kind = Argument::Kind::input;
  return argument;
}

Argument as_update(Argument argument) {
  argument.kind = Argument::Kind::update;
  return argument;
}

void copy(LowerContext& context, int i, int o) {
  const ElementwiseShape shape{to_int(element_count(context.output_shape(o)))};
  context.call("runtime/activations.h", "unary",
               {shape_argument("ElementwiseShape", shape),
                functor(context, "Identity", context.input_type(i).dtype), context.in(i), context.out(o)},
               0, {{o, i, unary_lead_x(shape)}});
}

std::int64_t permuted_axis(std::int64_t axis, std::span<const std::int64_t> perm) {
  const auto rank = static_cast<std::int64_t>(perm.size());
  const auto it = std::find(perm.begin(), perm.end(), from_front(axis, rank));
  require(it != perm.end(), "a permutation lacks an axis");
  return it - perm.begin();
}

std::function<bool(Node&, std::span<const std::int64_t>)> permute_axis(std::int64_t fallback) {
  return [fallback](Node& node, std::span<const std::int64_t> perm) {
    node.attributes.set("axis", permuted_axis(node.attributes.get_int("axis", fallback), perm));
    return true;
  };
}

bool permute_list(Node& node, const std::string& name, std::span<const std::int64_t> perm) {
  const std::vector<std::int64_t> old = node.attributes.get_ints(name, {});
  if (old.size() % perm.size() != 0) return false;
  std::vector<std::int64_t> renewed;
  for (std::size_t start = 0; start < old.size(); start += perm.size())
    for (std::int64_t axis : perm) renewed.push_back(old[start + static_cast<std::size_t>(axis)]);
  node.attributes.set(name, renewed);
  return true;
}

namespace {
struct OnnxType {
  std::int64_t number;
  DType dtype;
};
constexpr std::array<OnnxType, 11> onnx_types{{{1, DType::f32},
                                               {2, DType::u8},
                                               {3, DType::i8},
                                               {4, DType::u16},
                                               {5, DType::i16},
                                               {6, DType::i32},
                                               {7, DType::i64},
                                               {9, DType::boolean},
                                               {11, DType::f64},
                                               {12, DType::u32},
                                               {13, DType::u64}}};
}  // namespace

DType dtype_of_onnx(const TypeContext& context, std::int64_t number) {
  for (const OnnxType& type : onnx_types)
    if (type.number == number) return type.dtype;
  context.fail(fmt::format("element type {} is not supported", number));
}

std::int64_t onnx_number_of(DType dtype) {
  for (const OnnxType& type : onnx_types)
    if (type.dtype == dtype) return type.number;
  throw InternalError("dtype without an ONNX number");
}

}  // namespace tinytc::rules
