// The operator table: one line a family. A new family adds its line here and in op_table.h.
#include "compiler/op_table.h"

#include <map>

namespace tinytc {

namespace {

using Family = OpRows (*)();
constexpr Family families[] = {
    batch_norm_ops,
    binary_ops,
    convolution_ops,
    dropout_ops,
    gemm_ops,
    index_ops,
    int16_ops,
    int8_convolution_ops,
    int8_dense_ops,
    int8_elementwise_ops,
    int8_matmul_ops,
    int8_pool_ops,
    int8_residual_ops,
    integer_ops,
    layer_norm_ops,
    loss_ops,
    movement_ops,
    optimizer_ops,
    pool_ops,
    quantize_ops,
    reduce_ops,
    repeat_ops,
    resize_ops,
    slice_ops,
    softmax_ops,
    unary_ops,
    view_ops,
};

const std::map<std::string, OpDef>& table() {
  static const std::map<std::string, OpDef> rows = [] {
    std::map<std::string, OpDef> map;
    for (Family family : families)
      for (OpDef& row : family()) {
        const std::string name = row.name;
        require(map.emplace(name, std::move(row)).second, "operator " + name + " stands in the table twice");
      }
    return map;
  }();
  return rows;
}

}  // namespace

const OpDef* find_op(const std::string& name) {
  const auto it = table().find(name);
  return it == table().end() ? nullptr : &it->second;
}

const OpDef& op(const std::string& name) {
  const OpDef* found = find_op(name);
  require(found != nullptr, "operator " + name + " is not in the table");
  return *found;
}

std::vector<const OpDef*> all_ops() {
  std::vector<const OpDef*> rows;
  for (const auto& [name, row] : table()) rows.push_back(&row);
  return rows;
}

}  // namespace tinytc
