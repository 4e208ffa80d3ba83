// Operators that ONNX does not define by others but that can be written with operators of our table, each in
// a form whose numbers and cost suit a microcontroller. One function an operator; the table at the end lists
// them.
//
// ONNX does define GroupNormalization by others: by mean(x^2) - mean(x)^2, which cancels where the mean is
// large beside the deviation. The form here is the one of LayerNormalization, which subtracts the mean first.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::TensorProto;
using Extents = std::vector<std::int64_t>;

/// The node that is rewritten and what it becomes so far.
struct Decomposition {
  const NodeProto& node;
  const FlatModel& known;
  Rewrite result = {};

  Extents shape(int input) const {
    Extents extents;
    for (const auto& dim : known.types.at(node.input(input))->tensor_type().shape().dim())
      extents.push_back(dim.dim_value());
    return extents;
  }
  const AttributeProto* attribute(const std::string& name) const {
    const auto found = std::find_if(node.attribute().begin(), node.attribute().end(),
                                    [&](const AttributeProto& own) { return own.name() == name; });
    return found == node.attribute().end() ? nullptr : &*found;
  }
  std::string fresh() const {
    return fmt::format("{}/{}.{}", node.output(0), node.op_type(),
                       result.nodes.size() + result.constants.size());
  }

  std::string constant(TensorProto tensor) {
    tensor.set_name(fresh());
    result.constants.push_back(std::move(tensor));
    return result.constants.back().name();
  }
  std::string integers(const Extents& values) {
    return constant(make_tensor(TensorProto::INT64, {static_cast<std::int64_t>(values.size())}, values));
  }
  /// Appends a node; `output` is its output's name, a new one if empty.
  std::string add(const std::string& op, const std::vector<std::string>& inputs, std::string output = {},
                  const std::vector<AttributeProto>& attributes = {}) {
    NodeProto made;
    made.set_op_type(op);
    made.set_name(node.name());
    for (const auto& name : inputs) made.add_input(name);
    made.add_output(output.empty() ? fresh() : std::move(output));
    for (const auto& attribute : attributes) *made.add_attribute() = attribute;
    result.nodes.push_back(std::move(made));
    return result.nodes.back().output(0);
  }
  std::string reshape(const std::string& x, const Extents& extents, std::string output = {}) {
    return add("Reshape", {x, integers(extents)}, std::move(output));
  }
};

std::int64_t product(const Extents& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

/// x, scale, bias -> every group of channels of every sample normalised by its own mean and deviation, then
/// scaled channel by channel. The normalisation is a LayerNormalization of rows; its scale of ones is dropped
/// by the passes.
bool normalise_groups(Decomposition& d, std::int64_t groups) {
  const Extents x = d.shape(0);
  if (x.size() < 2 || groups <= 0 || x[1] % groups != 0 || d.shape(1) != Extents{x[1]} || product(x) == 0)
    return false;
  const std::int64_t rows = x[0] * groups, width = product(x) / rows;
  TensorProto ones;
  ones.set_data_type(d.known.types.at(d.node.input(0))->tensor_type().elem_type());
  if (ones.data_type() != TensorProto::FLOAT) return false;
  ones.add_dims(width);
  ones.mutable_float_data()->Resize(static_cast<int>(width), 1.0F);
  std::vector<AttributeProto> attributes;
  if (const AttributeProto* epsilon = d.attribute("epsilon")) attributes.push_back(*epsilon);
  const std::string flat = d.reshape(d.node.input(0), {rows, width});
  const std::string normal = d.add("LayerNormalization", {flat, d.constant(ones)}, {}, attributes);
  Extents per_channel(x.size() - 1, 1);
  per_channel[0] = x[1];
  const std::string scale = d.reshape(d.node.input(1), per_channel);
  const std::string bias = d.reshape(d.node.input(2), per_channel);
  d.add("Add", {d.add("Mul", {d.reshape(normal, x), scale}), bias}, d.node.output(0));
  return true;
}

/// InstanceNormalization(x [N, C, ...], scale [C], bias [C])
bool instance_normalization(Decomposition& d) {
  const Extents x = d.shape(0);
  return x.size() >= 2 && normalise_groups(d, x[1]);
}

/// GroupNormalization(x [N, C, ...], scale [C], bias [C]) as of opset 21
bool group_normalization(Decomposition& d) {
  const AttributeProto* groups = d.attribute("num_groups");
  return groups != nullptr && normalise_groups(d, groups->i());
}

/// GatherND(data, indices [..., k]) with known indices: a Gather of rows, the first k axes being one.
bool gather_nd(Decomposition& d) {
  const auto found = d.known.constants.find(d.node.input(1));
  const AttributeProto* batch = d.attribute("batch_dims");
  if (found == d.known.constants.end() || (batch != nullptr && batch->i() != 0)) return false;
  const Extents data = d.shape(0), indices = d.shape(1);
  if (indices.empty() || indices.back() < 1 || indices.back() > static_cast<std::int64_t>(data.size()))
    return false;
  const auto depth = static_cast<std::size_t>(indices.back());
  const Extents given = integers_of(*found->second);
  Extents rows;
  for (std::size_t at = 0; at + depth <= given.size(); at += depth) {
    std::int64_t row = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      const std::int64_t index = given[at + k] + (given[at + k] < 0 ? data[k] : 0);
      if (index < 0 || index >= data[k]) return false;
      row = row * data[k] + index;
    }
    rows.push_back(row);
  }
  const auto rest = data.begin() + static_cast<std::ptrdiff_t>(depth);
  Extents flat{product({data.begin(), rest})}, output(indices.begin(), indices.end() - 1);
  flat.insert(flat.end(), rest, data.end());
  output.insert(output.end(), rest, data.end());
  const std::string table = d.reshape(d.node.input(0), flat);
  d.reshape(d.add("Gather", {table, d.integers(rows)}), output, d.node.output(0));
  return true;
}

struct Row {
  const char* name;
  bool (*decompose)(Decomposition&);
};
constexpr Row rows[] = {
    {"GatherND", gather_nd},
    {"GroupNormalization", group_normalization},
    {"InstanceNormalization", instance_normalization},
};

}  // namespace

std::vector<std::string> decomposed_operators() {
  std::vector<std::string> names;
  for (const Row& row : rows) names.emplace_back(row.name);
  return names;
}

std::optional<Rewrite> decompose_node(const NodeProto& node, const FlatModel& known) {
  if (!node.domain().empty()) return std::nullopt;
  const auto row = std::find_if(std::begin(rows), std::end(rows),
                                [&](const Row& candidate) { return node.op_type() == candidate.name; });
  if (row == std::end(rows)) return std::nullopt;
  Decomposition decomposition{node, known};
  if (!row->decompose(decomposition)) return std::nullopt;
  return std::move(decomposition.result);
}

}  // namespace tinytc::importer
