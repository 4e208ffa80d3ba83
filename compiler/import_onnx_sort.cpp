// Brings the nodes of a graph into topological order. ONNX demands that order of a file, but files without it
// exist and are read by other tools. A graph that has the order already keeps it exactly.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using Producers = std::unordered_map<std::string, int>;  // value name -> index of the node that computes it

Location location_of(const onnx::GraphProto& graph, int index) {
  const auto& node = graph.node(index);
  return {node.name(), node.op_type(), index};
}

/// The names that the node reads, those that its subgraphs read from outside included.
void for_each_input(const onnx::NodeProto& node, const std::function<void(const std::string&)>& visit) {
  for (const auto& input : node.input())
    if (!input.empty()) visit(input);
  for (const auto& attribute : node.attribute()) {
    if (!attribute.has_g()) continue;
    for (const auto& inner : attribute.g().node()) for_each_input(inner, visit);
    for (const auto& output : attribute.g().output()) visit(output.name());
  }
}

Producers find_producers(const onnx::GraphProto& graph) {
  Producers producers;
  std::unordered_set<std::string> given;
  for (const auto& input : graph.input()) given.insert(input.name());
  for (const auto& tensor : graph.initializer()) given.insert(tensor.name());
  ErrorList errors;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const auto& output : graph.node(i).output()) {
      if (output.empty()) continue;
      const auto [entry, added] = producers.emplace(output, i);
      if (!added)
        errors.add(node_message(location_of(graph, i),
                                fmt::format("computes '{}', which {} computes already", printable(output),
                                            describe(location_of(graph, entry->second)))));
      else if (given.count(output) != 0)
        errors.add(node_message(
            location_of(graph, i),
            fmt::format("computes '{}', which is also an input or initializer", printable(output))));
    }
  errors.throw_if_any();
  return producers;
}

/// Every name that is read must come from somewhere.
void check_defined(const onnx::GraphProto& graph, const Producers& producers) {
  std::unordered_set<std::string> given;
  for (const auto& input : graph.input()) given.insert(input.name());
  for (const auto& tensor : graph.initializer()) given.insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) given.insert(tensor.values().name());
  const auto defined = [&](const std::string& name) {
    return given.count(name) != 0 || producers.count(name) != 0;
  };
  ErrorList errors;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const auto& input : graph.node(i).input())
      if (!input.empty() && !defined(input))
        errors.add(node_message(location_of(graph, i),
                                fmt::format("reads '{}', which nothing defines", printable(input))));
  for (const auto& output : graph.output())
    if (!defined(output.name()))
      errors.add(fmt::format("output '{}': no node computes it", printable(output.name())));
  errors.throw_if_any();
}

/// Walks backwards over nodes that are not done until one comes twice: those in between are a cycle.
[[noreturn]] void throw_cycle(const onnx::GraphProto& graph, const Producers& producers,
                              const std::vector<int>& waiting) {
  int at = 0;
  while (waiting[static_cast<std::size_t>(at)] == 0) ++at;
  std::vector<int> path;
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    int next = at;
    for_each_input(graph.node(at), [&](const std::string& name) {
      const auto found = producers.find(name);
      if (found != producers.end() && waiting[static_cast<std::size_t>(found->second)] > 0)
        next = found->second;
    });
    at = next;
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), at));
  std::reverse(path.begin(), path.end());
  std::string message = "the graph has a cycle: ";
  constexpr std::size_t kShown = 8;
  for (std::size_t i = 0; i < std::min(path.size(), kShown); ++i)
    message += describe(location_of(graph, path[i])) + " -> ";
  if (path.size() > kShown) message += fmt::format("{} more -> ", path.size() - kShown);
  throw UserError(message + describe(location_of(graph, path.front())));
}

/// Kahn's algorithm; of the nodes that could come next the one that stands first in the file does.
std::vector<int> topological_order(const onnx::GraphProto& graph, const Producers& producers) {
  const auto count = static_cast<std::size_t>(graph.node_size());
  std::vector<int> waiting(count, 0);  // inputs that are not computed yet
  std::vector<std::vector<int>> readers(count);
  for (int i = 0; i < graph.node_size(); ++i)
    for_each_input(graph.node(i), [&](const std::string& name) {
      const auto found = producers.find(name);
      if (found == producers.end()) return;
      ++waiting[static_cast<std::size_t>(i)];
      readers[static_cast<std::size_t>(found->second)].push_back(i);
    });
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < graph.node_size(); ++i)
    if (waiting[static_cast<std::size_t>(i)] == 0) ready.push(i);
  std::vector<int> order;
  while (!ready.empty()) {
    const int i = ready.top();
    ready.pop();
    order.push_back(i);
    for (const int reader : readers[static_cast<std::size_t>(i)])
      if (--waiting[static_cast<std::size_t>(reader)] == 0) ready.push(reader);
  }
  if (order.size() != count) throw_cycle(graph, producers, waiting);
  return order;
}

}  // namespace

std::vector<int> sort_nodes(onnx::GraphProto& graph) {
  const Producers producers = find_producers(graph);
  check_defined(graph, producers);
  const std::vector<int> order = topological_order(graph, producers);
  google::protobuf::RepeatedPtrField<onnx::NodeProto> sorted;
  sorted.Reserve(graph.node_size());
  for (const int i : order) *sorted.Add() = std::move(*graph.mutable_node(i));
  graph.mutable_node()->Swap(&sorted);
  return order;
}

}  // namespace tinytc::importer
