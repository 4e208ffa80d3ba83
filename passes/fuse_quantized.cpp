// Quantized models; see fuse_quantized.h.
//
// One walk in topological order that builds the list of nodes anew. For a value v = DequantizeLinear(s), `real_` remembers s and its
// scale. At a QuantizeLinear the walk looks back at what computes its operand and builds the stored result from stored operands; the old
// operators are dead then.
#include "passes/fuse_quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include "compiler/op.h"
#include "compiler/quantization.h"
#include "passes/keep_float.h"
#include "passes/remove_dead.h"

namespace tinytc {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Clamp all_int8{-128, 127}, all_int16{-32768, 32767};
constexpr std::size_t longest_chain = 32;  // element-wise operators in one table

/// What a stored result is to be.
struct Wanted {
  Quantization quantization;
  DType dtype;  // int8 or int16
  Clamp range() const { return dtype == DType::i16 ? all_int16 : all_int8; }
};

class QuantizedWalk {
 public:
  QuantizedWalk(Graph& graph, bool fuses) : graph_(graph), fuses_(fuses), uses_(use_counts(graph)) {}

  void run() {
    name_input_scales();
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      for (ValueId& id : node.inputs) id = replacement(id);
      visit(std::move(node));
    }
    for (ValueId& id : graph_.outputs) id = replacement(id);
    remove_dead(graph_);
  }

 private:
  ValueId replacement(ValueId id) const {
    const auto it = replaced_.find(id);
    return it == replaced_.end() ? id : it->second;
  }
  const QuantizedTensor* real(ValueId id) const {
    const auto it = real_.find(id);
    return it == real_.end() ? nullptr : &it->second;
  }
  DType dtype(ValueId id) const { return graph_.type(id).dtype; }
  /// Whether the user wants the node on real numbers.
  static bool stays_real(const Node& node) { return node.attributes.get_int(keeps_float, 0) == 1; }
  bool is_constant(ValueId id) const { return graph_.value(id).role == Role::constant; }
  bool is_single(ValueId id) const { return static_cast<std::size_t>(id) < uses_.size() && uses_[static_cast<std::size_t>(id)] == 1; }
  bool is_output(ValueId id) const { return std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end(); }

  void append(Node node) {
    for (ValueId id : node.outputs)
      if (id != no_value) producer_[id] = graph_.nodes.size();
    graph_.nodes.push_back(std::move(node));
  }
  /// The node that computes a value, if the walk has passed it.
  const Node* producer(ValueId id) const {
    const auto it = producer_.find(id);
    return it == producer_.end() ? nullptr : &graph_.nodes[it->second];
  }
  ValueId emit(const std::string& op_name, std::vector<ValueId> inputs, Attributes attributes, const Location& location) {
    const ValueId id = add_node(graph_, op_name, std::move(inputs), 1, std::move(attributes), location, "int8/" + location.node).front();
    producer_[id] = graph_.nodes.size() - 1;
    return id;
  }

  /// Graph inputs that are read through one and the same conversion, moved before it or not, get its scale, for whoever writes them.
  void name_input_scales() {
    std::vector<std::optional<Quantization>> read(graph_.values.size());  // how a value is read; without scales where nothing says it, or two things
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      Quantization as;
      if (node->op->dequantizes) as = quantization_of(graph_, *node);
      const std::size_t moved = node->op->dequantizes ? 1 : node->op->move.moves && node->outputs.size() == 1 ? moved_inputs(*node) : 0;
      if (!node->op->dequantizes && moved > 0 && read[static_cast<std::size_t>(node->outputs[0])].has_value())
        as = *read[static_cast<std::size_t>(node->outputs[0])];
      if (as.axis >= 0 && !node->op->dequantizes) as = {};
      for (std::size_t i = 0; i < node->inputs.size(); ++i) {
        if (node->inputs[i] == no_value) continue;
        std::optional<Quantization>& known = read[static_cast<std::size_t>(node->inputs[i])];
        const Quantization here = i < moved ? as : Quantization{};
        known = !known || *known == here ? here : Quantization{};
      }
    }
    for (ValueId id : graph_.inputs)
      if (const auto& as = read[static_cast<std::size_t>(id)]; as && !as->scales.empty()) graph_.value(id).type.quantization = as;
  }

  /// An operator whose operand was replaced says anew by which scale its results are stored.
  void renew_scales(const Node& node) {
    if (!node.op->move.moves) return;
    const std::vector<TensorType> types = infer_types(graph_, node);
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != no_value) graph_.value(node.outputs[i]).type.quantization = types[i].quantization;
  }

  void visit(Node node) {
    if (node.op->dequantizes) return dequantize(std::move(node));
    if (node.op->quantizes && fuses_) return quantize(std::move(node));
    if (node.op == &flip_) return flip(std::move(node));
    if (node.op->move.moves && !stays_real(node) && (move_stored(node) || move_signed(node))) return;
    renew_scales(node);
    append(std::move(node));
  }

  /// Two FlipSigns one behind the other are none.
  void flip(Node node) {
    const auto known = twin_.find(node.inputs[0]);
    if (known != twin_.end()) {
      replaced_[node.outputs[0]] = known->second;
      return;
    }
    twin_[node.inputs[0]] = node.outputs[0];
    twin_[node.outputs[0]] = node.inputs[0];
    append(std::move(node));
  }

  /// A moving operator on unsigned operands whose signed forms are there works on these.
  bool move_signed(const Node& node) {
    if (node.inputs.empty() || node.op->move.store != nullptr) return false;
    for (std::size_t i = 0; i < moved_inputs(node); ++i)
      if (dtype(node.inputs[i]) != DType::u8 || twin_.count(node.inputs[i]) == 0) return false;
    const std::vector<ValueId> results = stored_move(node, {}, [&](std::size_t i) { return twin_.at(node.inputs[i]); });
    for (std::size_t i = 0; i < results.size(); ++i)
      if (results[i] != no_value) flip_back(results[i], node.outputs[i], node.location);
    return !results.empty();
  }

  /// Puts the unsigned form of an int8 tensor in the place of `out`.
  void flip_back(ValueId result, ValueId out, const Location& location) {
    const ValueId back = emit(flip_.name, {result}, {}, location);
    graph_.value(back).name = graph_.value(out).name;
    twin_[back] = result;
    replaced_[out] = back;
  }

  /// The int8 tensor with the elements of a tensor of bytes.
  ValueId signed_twin(ValueId id, const Location& location) {
    if (dtype(id) == DType::i8) return id;
    const auto [it, is_new] = twin_.emplace(id, no_value);
    if (!is_new) return it->second;
    if (is_constant(id)) {
      Value value = graph_.value(id);
      value.type = {DType::i8, value.type.shape, std::nullopt};
      for (std::byte& byte : value.data) byte ^= std::byte{0x80};
      return twin_[id] = add_value(graph_, std::move(value));
    }
    return twin_[id] = emit(flip_.name, {id}, {}, location);
  }

  void dequantize(Node node) {
    const ValueId stored = node.inputs[0], result = node.outputs[0];
    const Quantization quantization = quantization_of(graph_, node);
    const DType type = dtype(stored);
    if (dtype(result) == DType::f32) {
      const bool is_byte = type == DType::i8 || type == DType::u8;
      if (is_byte)
        real_[result] = {signed_twin(stored, node.location), type == DType::u8 ? *flipped(quantization, type) : quantization};
      else
        real_[result] = {stored, quantization};
    }
    append(std::move(node));
  }

  /// Inputs of a moving operator whose elements it moves.
  static std::size_t moved_inputs(const Node& node) { return node.op->move.all_inputs ? node.inputs.size() : std::min<std::size_t>(1, node.inputs.size()); }

  /// The node on stored operands, if all come with one scale; its results are converted behind it.
  bool move_stored(const Node& node) {
    const QuantizedTensor* first = node.inputs.empty() || node.inputs[0] == no_value ? nullptr : real(node.inputs[0]);
    if (first == nullptr) return false;
    Quantization quantization = first->quantization;
    for (std::size_t i = 0; i < moved_inputs(node); ++i) {
      const QuantizedTensor* other = node.inputs[i] == no_value ? nullptr : real(node.inputs[i]);
      if (other == nullptr || other->quantization != quantization || dtype(other->stored) != dtype(first->stored)) return false;
    }
    if (quantization.axis >= 0) {
      if (node.op->move.moved_axis == nullptr) return false;
      quantization.axis = static_cast<int>(node.op->move.moved_axis(node, quantization.axis));
    }
    std::vector<ValueId> results = stored_move(node, first->quantization, [&](std::size_t i) { return real(node.inputs[i])->stored; });
    if (results.empty()) return false;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i] == no_value) continue;
      convert_back(node, results[i], quantization, node.outputs[i]);
      real_[node.outputs[i]] = {results[i], quantization};
    }
    return true;
  }

  /// Appends the node on other, stored operands; its results, or nothing when it cannot.
  template <typename Operand>
  std::vector<ValueId> stored_move(const Node& node, const Quantization& quantization, Operand operand) {
    Node moved = node;
    for (std::size_t i = 0; i < moved_inputs(node); ++i) moved.inputs[i] = operand(i);
    const TensorType stored{dtype(moved.inputs[0]), graph_.shape(moved.inputs[0]), quantization};
    if (stored.dtype != DType::i8 && stored.dtype != DType::u8 && stored.dtype != DType::i16) return {};
    if (moved.op->move.store != nullptr && !moved.op->move.store(moved, stored)) return {};
    const std::vector<TensorType> types = infer_types(graph_, moved);
    for (std::size_t i = 0; i < moved.outputs.size(); ++i) {
      if (moved.outputs[i] == no_value) continue;
      if (types[i].dtype != stored.dtype) return {};  // another kind of result, positions for instance
      moved.outputs[i] = add_value(graph_, {graph_.value(node.outputs[i]).name + "/stored", types[i]});
    }
    std::vector<ValueId> results = moved.outputs;
    append(std::move(moved));
    return results;
  }

  void convert_back(const Node& node, ValueId stored, const Quantization& quantization, ValueId result) {
    const std::vector<double> scales(quantization.scales.begin(), quantization.scales.end());
    const std::vector<double> zeros(quantization.zero_points.begin(), quantization.zero_points.end());
    const Shape shape = quantization.axis < 0 ? Shape{} : Shape{static_cast<std::int64_t>(scales.size())};
    const ValueId scale = add_constant(graph_, "scale", DType::f32, shape, scales);
    const ValueId zero = add_constant(graph_, "zero_point", dtype(stored), shape, zeros);
    Attributes attributes;
    if (quantization.axis >= 0) attributes.set("axis", std::int64_t{quantization.axis});
    append({&op("DequantizeLinear"), {stored, scale, zero}, {result}, std::move(attributes), node.location});
  }

  void quantize(Node node) {
    const ValueId out = node.outputs[0];
    const DType type = dtype(out);
    Wanted wanted{quantization_of(graph_, node), type == DType::i16 ? type : DType::i8};
    const bool is_known = type == DType::i8 || type == DType::u8 || type == DType::i16;
    if (!is_known || wanted.quantization.axis >= 0 || dtype(node.inputs[0]) != DType::f32) return append(std::move(node));
    if (type == DType::u8) wanted.quantization = *flipped(wanted.quantization, type);
    const std::size_t values = graph_.values.size();
    const ValueId result = fused(node.inputs[0], wanted, wanted.range(), node.location);
    const bool is_new = result != no_value && static_cast<std::size_t>(result) >= values;
    if (result == no_value || (is_output(out) && !is_new && type != DType::u8 && !may_be_output(result))) return append(std::move(node));
    if (type == DType::u8) return flip_back(result, out, node.location);
    if (is_new || is_output(out)) graph_.value(result).name = graph_.value(out).name;
    if (is_output(out)) outputs_.insert(result);
    replaced_[out] = result;
  }

  /// Whether an output of the graph can be this result: an operator computes it, and it is no output yet.
  bool may_be_output(ValueId result) const { return producer(result) != nullptr && !is_output(result) && outputs_.count(result) == 0; }

  /// The stored form of value `x` with that quantization and bounds; no_value when there is no int8 operator for what computes it.
  ValueId fused(ValueId x, const Wanted& wanted, Clamp bounds, const Location& location) {
    const bool is_free = bounds.lo == wanted.range().lo && bounds.hi == wanted.range().hi;
    if (const QuantizedTensor* same = real(x); same != nullptr && is_free && same->quantization == wanted.quantization && dtype(same->stored) == wanted.dtype)
      return same->stored;
    if (const ValueId table = as_table(x, wanted, bounds, location); table != no_value) return table;
    if (const QuantizedTensor* other = real(x); other != nullptr && other->quantization.axis < 0) return requantized(x, *other, wanted, bounds, location);
    const Node* source = producer(x);
    if (source == nullptr || stays_real(*source) || !is_single(x) || source->outputs.size() != 1) return no_value;
    if (source->op->as_clamp != nullptr) {
      const Clamp clamp = source->op->as_clamp(*source);
      return fused(source->inputs[0], wanted, narrowed(bounds, clamp, wanted), location);
    }
    if (source->op->quantized != nullptr) return by_rule(*source, wanted, bounds);
    if (source->op->move.moves) return behind_move(*source, wanted, bounds, location);
    return no_value;
  }

  /// A stored tensor at another scale, of another width.
  ValueId requantized(ValueId x, const QuantizedTensor& tensor, const Wanted& wanted, Clamp bounds, const Location& location) {
    if (dtype(tensor.stored) != DType::i16 && (dtype(tensor.stored) != DType::i8 || wanted.dtype != DType::i16)) return no_value;
    return by_rule({&requantize_, {x}, {x}, {}, location}, wanted, bounds);
  }

  static Clamp narrowed(Clamp bounds, Clamp clamp, const Wanted& wanted) {
    const Clamp all = wanted.range();
    const auto stored = [&](double real) { return std::clamp(stored_number(real, wanted.quantization), all.lo, all.hi); };
    const double lo = std::isinf(clamp.lo) ? all.lo : stored(clamp.lo), hi = std::isinf(clamp.hi) ? all.hi : stored(clamp.hi);
    // A clamp behind this one moves what it cuts off to its own ends.
    return {std::clamp(lo, bounds.lo, bounds.hi), std::clamp(hi, bounds.lo, bounds.hi)};
  }

  ValueId by_rule(const Node& source, const Wanted& wanted, Clamp bounds) {
    std::vector<std::optional<QuantizedTensor>> operands;
    for (ValueId id : source.inputs) {
      const QuantizedTensor* tensor = id == no_value ? nullptr : real(id);
      operands.push_back(tensor == nullptr ? std::nullopt : std::optional(*tensor));
    }
    const std::size_t first = graph_.nodes.size();
    const Node copy = source;  // the list of nodes grows
    QuantizeContext context(graph_, copy, std::move(operands), wanted.quantization, wanted.dtype, bounds);
    const ValueId result = copy.op->quantized(context);
    for (std::size_t n = first; n < graph_.nodes.size(); ++n) producer_[graph_.nodes[n].outputs[0]] = n;
    return result;
  }

  /// QuantizeLinear before an operator that only moves elements instead of behind it.
  ValueId behind_move(const Node& source, const Wanted& wanted, Clamp bounds, const Location& location) {
    const Node node = source;
    std::vector<ValueId> stored;
    for (std::size_t i = 0; i < moved_inputs(node); ++i) {
      const ValueId operand = fused(node.inputs[i], wanted, bounds, location);
      if (operand == no_value) return no_value;
      stored.push_back(operand);
    }
    const std::vector<ValueId> results = stored_move(node, wanted.quantization, [&](std::size_t i) { return stored[i]; });
    return results.empty() ? no_value : results[0];
  }

  /// The element-wise operators between stored tensor `leaf` and a value, operands first.
  struct Chain {
    ValueId leaf = no_value;  // the real operand
    std::vector<std::size_t> nodes;
  };

  bool find_chain(ValueId x, Chain& chain) const {
    if (const QuantizedTensor* tensor = real(x); tensor != nullptr && !is_constant(tensor->stored)) {
      if (tensor->quantization.axis >= 0 || dtype(tensor->stored) != DType::i8) return false;
      const bool is_other = chain.leaf != no_value && real(chain.leaf)->stored != tensor->stored;
      if (!is_other && chain.leaf == no_value) chain.leaf = x;
      return !is_other;
    }
    if (element_count(graph_.shape(x)) == 1 && is_constant(x)) return true;
    const auto at = producer_.find(x);
    if (at == producer_.end() || chain.nodes.size() >= longest_chain) return false;
    if (std::find(chain.nodes.begin(), chain.nodes.end(), at->second) != chain.nodes.end()) return true;
    const Node& node = graph_.nodes[at->second];
    const bool is_one = element_count(graph_.shape(x)) == 1;  // a converted scalar constant
    if (node.op->dequantizes && is_one && is_constant(node.inputs[0])) return chain.nodes.push_back(at->second), true;
    if (!node.op->layout.elementwise || stays_real(node) || node.outputs.size() != 1 || (dtype(x) != DType::f32 && dtype(x) != DType::boolean)) return false;
    for (ValueId id : node.inputs)
      if (id != no_value && !find_chain(id, chain)) return false;
    chain.nodes.push_back(at->second);
    return true;
  }

  /// A table for all 256 stored numbers, which the same operators compute from a constant.
  ValueId as_table(ValueId x, const Wanted& wanted, Clamp bounds, const Location& location) {
    Chain chain;
    if (wanted.dtype != DType::i8 || !find_chain(x, chain) || chain.leaf == no_value || graph_.shape(x) != graph_.shape(chain.leaf)) return no_value;
    const QuantizedTensor leaf = *real(chain.leaf);
    std::vector<double> numbers(256);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) - 128;
    const ValueId all = add_constant(graph_, "all_bytes", DType::i8, {256}, numbers);
    std::unordered_map<ValueId, ValueId> copy_of;
    const auto copy = [&](ValueId id) {
      if (id == no_value) return no_value;
      const QuantizedTensor* tensor = real(id);
      if (tensor != nullptr && tensor->stored == leaf.stored) id = chain.leaf;
      const auto it = copy_of.find(id);
      return it == copy_of.end() ? id : it->second;
    };
    copy_of[chain.leaf] = emit_conversion("DequantizeLinear", all, leaf.quantization, location);
    for (std::size_t n : chain.nodes) {
      const Node node = graph_.nodes[n];
      std::vector<ValueId> inputs;
      for (ValueId id : node.inputs) inputs.push_back(copy(id));
      copy_of[node.outputs[0]] = emit(node.op->name, std::move(inputs), node.attributes, node.location);
    }
    ValueId table = emit_conversion("QuantizeLinear", copy(x), wanted.quantization, location);
    if (bounds.lo > all_int8.lo || bounds.hi < all_int8.hi) table = emit("Clip", {table}, {{"min", bounds.lo}, {"max", bounds.hi}}, location);
    Attributes attributes{{"y_scale", double{wanted.quantization.scales[0]}}, {"y_zero_point", std::int64_t{wanted.quantization.zero_points[0]}}};
    return emit("Int8Table", {leaf.stored, table}, std::move(attributes), location);
  }

  ValueId emit_conversion(const std::string& name, ValueId x, const Quantization& quantization, const Location& location) {
    const ValueId scale = add_constant(graph_, "scale", DType::f32, {}, {double{quantization.scales[0]}});
    const ValueId zero = add_constant(graph_, "zero_point", DType::i8, {}, {double(quantization.zero_points[0])});
    return emit(name, {x, scale, zero}, {}, location);
  }

  Graph& graph_;
  const OpDef& flip_ = op("FlipSign");
  const OpDef& requantize_ = op("Int16Requantize");
  const bool fuses_;
  const std::vector<int> uses_;
  std::unordered_map<ValueId, ValueId> replaced_;  // results of QuantizeLinear -> the same from an int8 operator
  std::set<ValueId> outputs_;  // results that became outputs of the graph
  std::unordered_map<ValueId, QuantizedTensor> real_;
  std::unordered_map<ValueId, ValueId> twin_;  // uint8 -> int8
  std::unordered_map<ValueId, std::size_t> producer_;
};

}  // namespace

void move_dequantization(Graph& graph) { QuantizedWalk(graph, false).run(); }

void fuse_quantized(Graph& graph) { QuantizedWalk(graph, true).run(); }

}  // namespace tinytc
