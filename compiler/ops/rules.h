// What the families of compiler/ops/ share: checks of type rules, shapes by numpy's rules, arguments of
// element-wise kernels, and permutations of axis attributes for layout rules.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "compiler/op.h"
#include "runtime/broadcast.h"
#include "runtime/reduce.h"

namespace tinytc::rules {

/// Kernels walk at most this many dimensions.
constexpr std::int64_t max_rank = 8;

/// Fails unless input i is a float tensor (f32 or f64).
void require_float(const TypeContext& context, int i = 0);
/// Fails unless input i is an integer tensor.
void require_integer(const TypeContext& context, int i);
/// Fails unless input i has the given dtype.
void require_dtype(const TypeContext& context, int i, DType dtype);
/// Fails unless inputs i and j have the same dtype.
void require_same_dtype(const TypeContext& context, int i, int j);
/// Fails unless input i has that shape; `what` names it in the message.
void require_shape(const TypeContext& context, int i, const Shape& shape, const std::string& what);
/// Fails unless input i has at least `least` and at most `most` dimensions.
void require_rank(const TypeContext& context, int i, std::int64_t least, std::int64_t most = max_rank);

/// Shape of inputs [first, count) broadcast together as numpy does; fails when an extent differs and neither
/// is 1.
Shape broadcast_inputs(const TypeContext& context, int first, int count);
/// The type of input 0: rules of operators that keep it.
std::vector<TensorType> same_as_input(const TypeContext& context);

/// Attribute `name`, or all axes from `first` to `rank` when it is absent; counted from the front, checked,
/// ascending, no axis twice.
std::vector<std::int64_t> axes_attribute(const TypeContext& context, const std::string& name,
                                         std::int64_t rank, bool absent_is_all);
/// A negative axis counted from the end. For rules that run after the type rule has checked it.
inline std::int64_t from_front(std::int64_t axis, std::int64_t rank) { return axis < 0 ? axis + rank : axis; }
/// Product of extents [first, last).
std::int64_t extent_product(const Shape& shape, std::size_t first, std::size_t last);

/// A shape as the runtime's builders of broadcasting shapes take it.
OperandDims operand_dims(const Shape& shape);
/// The extents before, at and after `axis` (negative: from the end).
AxisShape axis_shape(const Shape& shape, std::int64_t axis);
/// "Relu<float>".
std::string typed(const std::string& name, DType dtype);
/// The functor object `name<T>{numbers...}`.
Argument functor(const LowerContext& context, const std::string& name, DType dtype,
                 const std::vector<double>& numbers = {});
/// A null pointer to constant elements of that type.
Argument null_pointer(DType dtype);
/// The same buffer read instead of written (kernels that go over their own output once more).
Argument as_input(Argument argument);
/// The same buffer read and written.
Argument as_update(Argument argument);
/// Copies input i to output o, element by element in order.
void copy(LowerContext& context, int i = 0, int o = 0);


/// The new place of axis `axis` when new axis k is old axis perm[k].
std::int64_t permuted_axis(std::int64_t axis, std::span<const std::int64_t> perm);
/// A permute rule for operators whose only axis is the attribute `axis`.
std::function<bool(Node&, std::span<const std::int64_t>)> permute_axis(std::int64_t fallback);
/// A permute rule for a list with one entry per axis (a shape, repeats), and optionally several such lists
/// behind each other (pads).
bool permute_list(Node& node, const std::string& name, std::span<const std::int64_t> perm);

/// The DType of a number of ONNX's TensorProto.DataType; fails for types without a counterpart.
DType dtype_of_onnx(const TypeContext& context, std::int64_t number);
/// The inverse.
std::int64_t onnx_number_of(DType dtype);

}  // namespace tinytc::rules
