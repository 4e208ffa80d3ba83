// Operands that must be known at compile time (scales, a Clip's bounds, a Pad's number) but that nodes compute from constants of the file:
// a quantizer puts DequantizeLinear before every constant, and PyTorch's exporter of fake quantization computes a weight's scale from the
// weight. Such operands are computed here, by whoever runs graphs (ImportOptions::evaluate).
//
// In rounds, as one may need another: a bound that DequantizeLinear gives needs its scale first.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/import_onnx_steps.h"
#include "compiler/op.h"

namespace tinytc::importer {

namespace {

/// Inputs of a node that must be known, of those that it has. The target shape of Reshape and Expand is that of the output.
std::vector<int> needed_inputs(const onnx::NodeProto& node) {
  const OpDef& op = *find_op(node.op_type());
  std::vector<int> inputs;
  for (const ConstantOperand& operand : op.constant_operands)
    if (operand.attribute != "shape") inputs.push_back(operand.input);
  if (op.quantizes || op.dequantizes) inputs.insert(inputs.end(), {1, 2});
  std::erase_if(inputs, [&](int i) { return i >= node.input_size() || node.input(i).empty(); });
  return inputs;
}

class Search {
 public:
  explicit Search(const FlatModel& flat) : flat_(flat) {
    for (std::size_t n = 0; n < flat.nodes.size(); ++n)
      for (const std::string& name : flat.nodes[n].proto.output()) producer_[name] = n;
  }

  /// Adds the nodes behind `name` and the constants that they read. False if it depends on an input, or on a node that cannot run yet.
  bool collect(const std::string& name, std::set<std::size_t>& nodes, std::set<std::string>& leaves) const {
    if (name.empty()) return true;
    if (flat_.constants.count(name) != 0) return leaves.insert(name), true;
    const auto from = producer_.find(name);
    if (from == producer_.end()) return false;
    if (nodes.count(from->second) != 0) return true;
    const onnx::NodeProto& node = flat_.nodes[from->second].proto;
    if (find_op(node.op_type())->lower == nullptr) return false;
    for (int i : needed_inputs(node))
      if (flat_.constants.count(node.input(i)) == 0) return false;
    for (const std::string& input : node.input())
      if (!collect(input, nodes, leaves)) return false;
    nodes.insert(from->second);
    return true;
  }

 private:
  const FlatModel& flat_;
  std::map<std::string, std::size_t> producer_;
};

onnx::TensorProto tensor_of(const onnx::TypeProto& type, const std::vector<std::byte>& elements) {
  onnx::TensorProto tensor;
  tensor.set_data_type(type.tensor_type().elem_type());
  for (const auto& dim : type.tensor_type().shape().dim()) tensor.add_dims(dim.dim_value());
  tensor.set_raw_data(elements.data(), elements.size());
  return tensor;
}

/// What one round computes.
struct Round {
  std::vector<std::string> names;
  std::set<std::size_t> nodes;
  std::set<std::string> leaves;
};

Round plan_round(const FlatModel& flat) {
  const Search search(flat);
  Round round;
  std::set<std::string> seen;
  for (const FlatNode& node : flat.nodes)
    for (int i : needed_inputs(node.proto)) {
      const std::string& name = node.proto.input(i);
      if (flat.constants.count(name) != 0 || !seen.insert(name).second) continue;
      Round alone;
      if (!search.collect(name, alone.nodes, alone.leaves)) continue;
      round.names.push_back(name);
      round.nodes.merge(alone.nodes);
      round.leaves.merge(alone.leaves);
    }
  return round;
}

/// A graph of those nodes.
Graph graph_of(const FlatModel& flat, const Round& round) {
  FlatModel part;
  for (std::size_t n : round.nodes) part.nodes.push_back(flat.nodes[n]);
  part.outputs = round.names;
  part.types = flat.types;
  part.constants = flat.constants;
  return build_graph(part, "constants");
}

/// A name of its own for the known form: whoever does not need it known goes on computing it.
std::string known_name(const FlatModel& flat, const std::string& name) {
  std::string result = name + "/known";
  while (flat.types.count(result) != 0) result += "_";
  return result;
}

}  // namespace

void compute_known(FlatModel& flat, const ImportOptions::Evaluate& evaluate) {
  if (!evaluate) return;
  for (Round round = plan_round(flat); !round.names.empty(); round = plan_round(flat)) {
    const std::vector<std::vector<std::byte>> results = evaluate(graph_of(flat, round));
    std::map<std::string, std::string> known;
    for (std::size_t i = 0; i < round.names.size(); ++i) {
      const std::string& name = round.names[i];
      onnx::TypeProto* type = flat.types.at(name);
      flat.owned_tensors.push_back(tensor_of(*type, results.at(i)));
      known[name] = known_name(flat, name);
      flat.types[known[name]] = type;
      flat.constants[known[name]] = &flat.owned_tensors.back();
    }
    // Training them would leave what was computed from them as it is.
    for (const std::string& leaf : round.leaves) flat.initializers.erase(leaf);
    for (FlatNode& node : flat.nodes)
      for (int i : needed_inputs(node.proto))
        if (const auto it = known.find(node.proto.input(i)); it != known.end()) node.proto.set_input(i, it->second);
  }
  remove_dead(flat);
}

}  // namespace tinytc::importer
