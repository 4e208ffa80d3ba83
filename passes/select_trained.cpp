// Which tensors are trained; see select_trained.h.
#include "passes/select_trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "compiler/names.h"
#include "compiler/op.h"
#include "passes/find_float.h"

namespace tinytc {

namespace {

using ValueSet = std::set<ValueId>;

bool contains(const std::vector<int>& list, int i) { return std::find(list.begin(), list.end(), i) != list.end(); }

/// Names that PyTorch's exporters give to what they computed themselves: a transposed weight, but a mask or a scale as well. (What they make
/// for a PRelu is its slope.)
bool is_exporters_name(const std::string& name) {
  if (name.starts_with("onnx::")) return !name.starts_with("onnx::PRelu_");
  const std::string number = name.starts_with("val_") ? name.substr(4) : name;
  return !number.empty() && std::all_of(number.begin(), number.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// Whether the tensor is what a framework calls a parameter, not a constant of the computation. ONNX does not say it. Numbers of 1e8 are there
/// to mask something. Of the tensors that an exporter named, products read weights; others are parameters if they have one number for
/// each channel, not if they are one number (a scale), a matrix (a mask), or the ones and zeros inside a group normalization.
bool is_parameter(const Graph& graph, const Node& node, ValueId id) {
  const Value& value = graph.value(id);
  const Shape& shape = value.type.shape;
  const std::vector<double> numbers = numbers_of(value);
  const auto is_all = [&](double number) { return std::all_of(numbers.begin(), numbers.end(), [&](double x) { return x == number; }); };
  if (shape.empty() || std::any_of(numbers.begin(), numbers.end(), [](double x) { return !(std::abs(x) < 1e8); })) return false;
  if (!is_exporters_name(value.name) || node.op->fan_in) return true;
  if (node.op->unit_input >= 0 && (is_all(0) || is_all(1))) return false;
  return std::count_if(shape.begin(), shape.end(), [](std::int64_t extent) { return extent > 1; }) == 1;
}

struct Candidates {
  ValueSet tensors;                   // parameters that a keyword may select
  ValueSet others;                    // only a glob selects these
  ValueSet biases;
  std::vector<ValueSet> by_node;      // tensors of each node that owns any, in graph order
};

Candidates find_candidates(const Graph& graph) {
  Candidates found;
  for (const Node& node : graph.nodes) {
    ValueSet own;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == no_value || graph.value(id).role != Role::parameter) continue;
      if (contains(node.op->statistic_inputs, static_cast<int>(i))) continue;
      if (!is_parameter(graph, node, id)) {
        found.others.insert(id);
        continue;
      }
      own.insert(id);
      if (graph.shape(id).size() == 1 && contains(node.op->bias_inputs, static_cast<int>(i))) found.biases.insert(id);
    }
    found.tensors.insert(own.begin(), own.end());
    if (!own.empty()) found.by_node.push_back(std::move(own));
  }
  for (ValueId id : found.tensors) found.others.erase(id);
  return found;
}

ValueSet last_nodes(const Candidates& candidates, const std::string& number) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
  if (error != std::errc() || end != number.data() + number.size() || count == 0)
    throw UsageError(fmt::format("--train last:{}: a positive number of nodes must follow 'last:'", printable(number)));
  ValueSet selected;
  const std::size_t total = candidates.by_node.size();
  for (std::size_t n = total - std::min(count, total); n < total; ++n)
    selected.insert(candidates.by_node[n].begin(), candidates.by_node[n].end());
  return selected;
}

ValueSet select_term(const Graph& graph, const Candidates& candidates, const std::string& term) {
  if (term == "all") return candidates.tensors;
  if (term == "bias") return candidates.biases;
  if (term.starts_with("last:")) return last_nodes(candidates, term.substr(5));
  ValueSet selected;
  for (const ValueSet* set : {&candidates.tensors, &candidates.others})
    for (ValueId id : *set)
      if (matches_glob(term, graph.value(id).name)) selected.insert(id);
  return selected;
}

std::string known_names(const Graph& graph, const Candidates& candidates) {
  std::string names;
  std::size_t shown = 0;
  for (ValueId id : candidates.tensors) {
    if (++shown > 12) return names + ", ...";
    names += (names.empty() ? "" : ", ") + printable(graph.value(id).name, 40);
  }
  if (names.empty() && is_quantized(graph)) return "none, because its weights are quantized; train the float model";
  return names.empty() ? "none" : names;
}

}  // namespace

void select_trained(Graph& graph, const std::string& selection) {
  const Candidates candidates = find_candidates(graph);
  ValueSet selected;
  for (const std::string& term : split_list(selection)) {
    if (term == "none") continue;
    const ValueSet chosen = select_term(graph, candidates, term);
    if (chosen.empty())
      throw UserError(fmt::format("--train {}: selects no tensor\n  hint: the model's trainable tensors are: {}", printable(term),
                                  known_names(graph, candidates)));
    selected.insert(chosen.begin(), chosen.end());
  }
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    Value& value = graph.values[i];
    if (value.role == Role::parameter && selected.count(static_cast<ValueId>(i)) == 0) value.role = Role::constant;
  }
}

}  // namespace tinytc
