// Comparing int8 with float; see validate.h.
#include "codegen/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "codegen/execute.h"
#include "compiler/op.h"
#include "compiler/quantization.h"
#include "passes/fuse_quantized.h"

namespace tinytc {

namespace {

constexpr int optimisation = 1;  // compiling takes longer than at 0, but each sample a fifth

/// A tensor of both models: its place among the results of each.
struct Pair {
  TensorError error;
  std::size_t real = 0, stored = 0;
  std::optional<Quantization> quantization;  // absent: the int8 model computes it as float
};

/// Values that a graph is to hand out; each once, however often it is wanted.
class Wanted {
 public:
  std::size_t add(ValueId id) {
    const auto [it, is_new] = place_.emplace(id, list_.size());
    if (is_new) list_.push_back(id);
    return it->second;
  }
  const std::vector<ValueId>& list() const { return list_; }

 private:
  std::vector<ValueId> list_;
  std::unordered_map<ValueId, std::size_t> place_;
};

/// The numbers that a result's elements stand for.
std::vector<double> numbers_in(const Tensor& tensor, DType dtype, const std::optional<Quantization>& quantization) {
  std::vector<double> numbers = numbers_of(Value{"", {dtype, {static_cast<std::int64_t>(tensor.size()) / size_of(dtype)}}, Role::constant, tensor});
  if (quantization)
    for (double& number : numbers) number = double{quantization->scales[0]} * (number - quantization->zero_points[0]);
  return numbers;
}

/// Both models with the tensors that are compared as their results.
class Comparison {
 public:
  Comparison(const Graph& real, const Graph& quantized) : real_(real), fused_(quantized), producer_(producers(quantized)) {
    require(real.inputs.size() == quantized.inputs.size() && real.outputs.size() == quantized.outputs.size(), "two models with other interfaces");
    pair_tensors(quantized);
    real_.outputs = wanted_real_.list();
    fused_.outputs = wanted_stored_.list();
  }

  Validation run(const Samples& samples) {
    check_labels(samples);
    HostModel real(real_, optimisation), stored(fused_, optimisation);
    int float_right = 0, int8_right = 0, agreed = 0;
    for (int sample = 0; sample < samples.count; ++sample) {
      const std::vector<Tensor> arguments = sample_arguments(samples, real_, sample);
      const std::vector<Tensor> of_real = real.run(arguments), of_stored = stored.run(arguments);
      for (Pair& pair : pairs_) compare(pair, of_real, of_stored, sample);
      if (classes() == 0) continue;
      const std::size_t float_class = largest(of_real[0], real_.type(real_.outputs[0])), int8_class = largest(of_stored[0], fused_.type(fused_.outputs[0]));
      agreed += float_class == int8_class;
      if (samples.labels.empty()) continue;
      const auto label = static_cast<std::size_t>(samples.labels[static_cast<std::size_t>(sample)]);
      float_right += float_class == label;
      int8_right += int8_class == label;
    }
    const auto share = [&](int count) { return static_cast<double>(count) / samples.count; };
    Validation result = errors();
    result.file = samples.file;
    result.samples = samples.count;
    if (classes() > 0) result.agreement = share(agreed);
    if (!samples.labels.empty()) result.float_accuracy = share(float_right), result.int8_accuracy = share(int8_right);
    return result;
  }

 private:
  /// In front of conversions: what a stored tensor was before it was stored, and what one was that is real again.
  ValueId before_conversions(const Graph& graph, ValueId id) const {
    for (int n = producer_[static_cast<std::size_t>(id)]; n >= 0; n = producer_[static_cast<std::size_t>(id)]) {
      const Node& node = graph.nodes[static_cast<std::size_t>(n)];
      if (!node.op->quantizes && !node.op->dequantizes) break;
      id = node.inputs[0];
    }
    return id;
  }

  /// The scale of a stored output: that of the QuantizeLinear of which it is a rearrangement.
  std::optional<Quantization> scale_of_output(const Graph& graph, ValueId id) const {
    if (is_float(graph.type(id).dtype)) return std::nullopt;
    for (int n = producer_[static_cast<std::size_t>(id)]; n >= 0; n = producer_[static_cast<std::size_t>(id)]) {
      const Node& node = graph.nodes[static_cast<std::size_t>(n)];
      if (node.op->quantizes) return quantization_of(graph, node);
      require(node.op->move.moves, "a stored output that no QuantizeLinear computes");
      id = node.inputs[0];
    }
    throw InternalError("a stored output that no QuantizeLinear computes");
  }

  /// The float model's tensor by the name of one of the quantized model; an output's name may have gone to what is made real again.
  std::unordered_map<ValueId, ValueId> counterparts(const Graph& quantized) const {
    std::unordered_map<std::string, ValueId> by_name;
    for (std::size_t i = 0; i < real_.values.size(); ++i) by_name[real_.values[i].name] = static_cast<ValueId>(i);
    std::unordered_map<ValueId, ValueId> found;
    for (std::size_t k = 0; k < real_.outputs.size(); ++k) found[before_conversions(quantized, quantized.outputs[k])] = real_.outputs[k];
    for (std::size_t i = 0; i < quantized.values.size(); ++i)
      if (const auto it = by_name.find(quantized.values[i].name); it != by_name.end()) found.emplace(static_cast<ValueId>(i), it->second);
    return found;
  }

  /// Makes the fused int8 model with every stored tensor as an output.
  void pair_tensors(const Graph& quantized) {
    const std::unordered_map<ValueId, ValueId> counterpart = counterparts(quantized);
    std::vector<const Node*> conversions;
    for (const Node& node : quantized.nodes)
      if (node.op->quantizes && counterpart.count(node.inputs[0]) != 0 && quantization_of(quantized, node).axis < 0) conversions.push_back(&node);
    for (const Node* node : conversions) fused_.outputs.push_back(node->outputs[0]);
    fuse_quantized(fused_);
    fold_constants(fused_, true);
    for (std::size_t k = 0; k < real_.outputs.size(); ++k)
      add_pair({}, real_.outputs[k], fused_.outputs[k],
               is_float(real_.type(real_.outputs[k]).dtype) ? scale_of_output(quantized, quantized.outputs[k]) : std::nullopt);  // positions have none
    output_count_ = pairs_.size();
    for (std::size_t i = 0; i < conversions.size(); ++i)
      add_pair(conversions[i]->location, counterpart.at(conversions[i]->inputs[0]), fused_.outputs[real_.outputs.size() + i],
               quantization_of(quantized, *conversions[i]));
  }

  void add_pair(const Location& location, ValueId real, ValueId stored, std::optional<Quantization> quantization) {
    Pair pair{{location, real_.value(real).name}, wanted_real_.add(real), wanted_stored_.add(stored), std::move(quantization)};
    if (is_float(real_.type(real).dtype)) pairs_.push_back(std::move(pair));
  }

  /// Classes that the first output tells apart; 0 if it is no list of them.
  std::int64_t classes() const {
    const TensorType& type = real_.type(real_.outputs[0]);
    const std::int64_t count = element_count(type.shape);
    const bool is_list = is_float(type.dtype) && std::count(type.shape.begin(), type.shape.end(), count) == 1;
    return is_list && count >= 2 ? count : 0;
  }

  void check_labels(const Samples& samples) const {
    if (samples.labels.empty()) return;
    const std::string output = fmt::format("output '{}' {}", printable(real_.value(real_.outputs[0]).name), describe(real_.type(real_.outputs[0])));
    if (classes() == 0) throw UserError(fmt::format("{}: labels need one number a class, but the model has {}\n  hint: leave the labels out", printable(samples.file), output));
    for (std::size_t i = 0; i < samples.labels.size(); ++i)
      if (samples.labels[i] >= classes())
        throw UserError(fmt::format("{}: label {} of sample {} (counted from 0) is none of the {} classes of the model's {}", printable(samples.file),
                                    samples.labels[i], i, classes(), output));
  }

  static std::size_t largest(const Tensor& tensor, const TensorType& type) {
    const std::vector<double> numbers = numbers_in(tensor, type.dtype, std::nullopt);
    return static_cast<std::size_t>(std::max_element(numbers.begin(), numbers.end()) - numbers.begin());
  }

  void compare(Pair& pair, const std::vector<Tensor>& of_real, const std::vector<Tensor>& of_stored, int sample) const {
    const std::vector<double> real = numbers_in(of_real[pair.real], real_.type(real_.outputs[pair.real]).dtype, std::nullopt);
    const std::vector<double> stored = numbers_in(of_stored[pair.stored], fused_.type(fused_.outputs[pair.stored]).dtype, pair.quantization);
    require(real.size() == stored.size(), "tensor '" + pair.error.tensor + "' has two sizes");
    for (std::size_t i = 0; i < real.size(); ++i) {
      if (!std::isfinite(real[i]))
        throw UserError(fmt::format("tensor '{}' of the float model is not finite for sample {} (counted from 0)", printable(pair.error.tensor), sample));
      const double difference = stored[i] - real[i];
      pair.error.signal += real[i] * real[i];
      pair.error.noise += difference * difference;
      pair.error.absolute += std::fabs(difference);
    }
    pair.error.elements += static_cast<std::int64_t>(real.size());
  }

  Validation errors() const {
    Validation result;
    for (std::size_t i = 0; i < pairs_.size(); ++i) (i < output_count_ ? result.outputs : result.layers).push_back(pairs_[i].error);
    std::stable_sort(result.layers.begin(), result.layers.end(), [](const TensorError& a, const TensorError& b) { return a.sqnr_db() < b.sqnr_db(); });
    return result;
  }

  Graph real_, fused_;
  const std::vector<int> producer_;  // of the quantized graph
  Wanted wanted_real_, wanted_stored_;
  std::vector<Pair> pairs_;  // outputs first
  std::size_t output_count_ = 0;
};

}  // namespace

Validation validate(const Graph& real, const Graph& quantized, const Samples& samples) { return Comparison(real, quantized).run(samples); }

}  // namespace tinytc
