// Tables of type-rule cases: an operator with the types of its inputs and its attributes, and what its rule
// must give or say.
#pragma once

#include <string>
#include <vector>

#include "compiler/op.h"

namespace tinytc {

/// Shorthands of types.
inline TensorType f32(Shape shape) { return {DType::f32, std::move(shape)}; }
inline TensorType f64(Shape shape) { return {DType::f64, std::move(shape)}; }
inline TensorType i32(Shape shape) { return {DType::i32, std::move(shape)}; }
inline TensorType i64(Shape shape) { return {DType::i64, std::move(shape)}; }
inline TensorType boolean(Shape shape) { return {DType::boolean, std::move(shape)}; }

struct TypeCase {
  std::string op;
  std::vector<TensorType> inputs;
  Attributes attributes;
  std::vector<TensorType> outputs;  // the first ones; further outputs are not looked at
  std::string error = {};           // part of the message; then `outputs` is empty
};

/// Checks every case of a table.
void check_types(const std::vector<TypeCase>& cases);

}  // namespace tinytc
