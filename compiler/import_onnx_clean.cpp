// After flattening: names of outputs that stand on Identity nodes, and nodes that nothing needs any more.
#include <algorithm>
#include <iterator>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

void rename_outputs(FlatModel& flat) {
  std::unordered_set<std::string> computed, taken(flat.outputs.begin(), flat.outputs.end());
  std::vector<FlatNode> kept;
  for (auto& node : flat.nodes) {
    const auto& proto = node.proto;
    if (proto.op_type() == "Identity" && computed.count(proto.input(0)) != 0 &&
        taken.insert(proto.input(0)).second) {
      flat.aliases[proto.output(0)] = proto.input(0);
      flat.names[proto.input(0)] = proto.output(0);
      continue;
    }
    for (auto& name : *node.proto.mutable_input()) name = flat.resolve(name);
    computed.insert(proto.output().begin(), proto.output().end());
    kept.push_back(std::move(node));
  }
  flat.nodes = std::move(kept);
}

void remove_dead(FlatModel& flat) {
  std::unordered_set<std::string> wanted;
  for (const auto& name : flat.outputs) wanted.insert(flat.resolve(name));
  std::vector<FlatNode> kept;
  for (auto node = flat.nodes.rbegin(); node != flat.nodes.rend(); ++node) {
    const auto& outputs = node->proto.output();
    if (std::none_of(outputs.begin(), outputs.end(),
                     [&](const std::string& name) { return wanted.count(name) != 0; }))
      continue;
    wanted.insert(node->proto.input().begin(), node->proto.input().end());
    kept.push_back(std::move(*node));
  }
  flat.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

}  // namespace tinytc::importer
