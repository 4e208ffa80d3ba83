// Hashes of models and checkpoints; see checkpoint_facts.h. FNV-1a: Fowler, Noll, Vo (IETF draft-eastlake-fnv).
#include "compiler/checkpoint_facts.h"

#include <algorithm>

#include "compiler/op.h"

namespace tinytc {

namespace {

class Fnv {
 public:
  void add(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) hash_ = (hash_ ^ bytes[i]) * 0x100000001B3ULL;
  }
  void add(const std::string& text) {
    add(static_cast<std::int64_t>(text.size()));
    add(text.data(), text.size());
  }
  void add(std::int64_t number) { add(&number, sizeof number); }
  void add(const Value& value) {
    add(value.name);
    add(describe(value.type));
    if (value.type.quantization) {
      add(value.type.quantization->scales.data(), value.type.quantization->scales.size() * sizeof(float));
      add(value.type.quantization->zero_points.data(), value.type.quantization->zero_points.size() * sizeof(std::int32_t));
    }
  }
  void add(double number) { add(&number, sizeof number); }
  template <typename T>
  void add(const std::vector<T>& list) {
    add(static_cast<std::int64_t>(list.size()));
    for (const T& entry : list) add(entry);
  }
  void add(const Attribute& attribute) {
    add(static_cast<std::int64_t>(attribute.index()));
    std::visit([this](const auto& value) { add(value); }, attribute);
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
};

}  // namespace

std::uint64_t hash_of(const Graph& graph) {
  Fnv fnv;
  for (const Value& value : graph.values) {
    fnv.add(value);
    fnv.add(value.data.data(), value.data.size());
  }
  for (const Node& node : graph.nodes) {
    fnv.add(node.op->name);
    for (const auto& [name, attribute] : node.attributes.all()) {
      fnv.add(name);
      fnv.add(attribute);
    }
    for (ValueId id : node.inputs) fnv.add(std::int64_t{id});
    for (ValueId id : node.outputs) fnv.add(std::int64_t{id});
  }
  for (const std::vector<ValueId>* list : {&graph.inputs, &graph.outputs})
    for (ValueId id : *list) fnv.add(std::int64_t{id});
  return fnv.value();
}

CheckpointFacts checkpoint_facts(const Graph& model, const std::vector<const Graph*>& training, const OptimizerOptions& optimizer) {
  CheckpointFacts facts;
  Fnv fnv;
  for (const Value& value : model.values) {
    if (value.role == Role::parameter) {
      facts.order.push_back(value.name);
      fnv.add(value);
    } else if (value.role == Role::constant) {
      fnv.add(value.data.data(), value.data.size());
    }
  }
  std::vector<std::string> states;
  for (const Graph* graph : training)
    for (const Value& value : graph->values)
      if (value.role == Role::state && !is_accumulated(value.name)) states.push_back(value.name);
  std::sort(states.begin(), states.end());
  states.erase(std::unique(states.begin(), states.end()), states.end());
  for (const std::string& name : states) fnv.add(name);
  fnv.add(optimizer.kind);
  facts.order.insert(facts.order.end(), states.begin(), states.end());
  facts.hash = fnv.value();
  return facts;
}

}  // namespace tinytc
