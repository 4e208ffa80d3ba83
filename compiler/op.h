// The operator table: one row (OpDef) an operator, with its rules. Passes walk rules and never name an operator.
//
// An operator lives whole in compiler/ops/<family>.cpp: type rule, gradient rule, lowering, layout rule. A family's function returns its
// rows; compiler/op_table.cpp lists the families. Gradient operators (ConvInputGrad, MaxPoolGrad, ...) and optimizers (Sgd, Adam, ...)
// are ordinary rows.
//
// To write a row:
//   infer     types of all outputs from the inputs' types and the attributes; TypeContext::fail() for what the user got wrong.
//   gradient  GradientContext: for every input that needs() a gradient, emit() nodes and set_gradient().
//   lower     LowerContext: call() one or more kernels, or view().
//   quantized QuantizeContext: emit() int8 nodes that compute the stored result from stored operands.
#pragma once

#include <functional>
#include <span>

#include "compiler/graph.h"
#include "compiler/program.h"

namespace tinytc {

/// What a type rule sees of its node.
class TypeContext {
 public:
  TypeContext(const Graph& of, const Node& at) : graph(of), node(at) {}
  const Graph& graph;
  const Node& node;

  int input_count() const { return static_cast<int>(node.inputs.size()); }
  int output_count() const { return static_cast<int>(node.outputs.size()); }
  bool has_input(int i) const { return i < input_count() && node.inputs[static_cast<std::size_t>(i)] != no_value; }
  const TensorType& input(int i) const;  // InternalError when absent
  const Shape& shape(int i) const { return input(i).shape; }
  const Attributes& attributes() const { return node.attributes; }
  /// A negative axis counted from the end; fails unless -rank <= axis < rank.
  std::int64_t axis(std::int64_t axis, std::int64_t rank) const;
  /// Throws a UserError that names the node and lists its inputs with their types and origins.
  [[noreturn]] void fail(const std::string& message, const std::string& hint = {}) const;
};

/// What a gradient rule sees; it appends nodes to the graph.
class GradientContext {
 public:
  GradientContext(Graph& of, std::size_t index, std::vector<ValueId> output_gradients, std::vector<bool> needed)
      : graph(of), node(of.nodes[index]), index_(index), output_gradients_(std::move(output_gradients)), needed_(std::move(needed)) {}
  Graph& graph;
  Node node;  // a copy: the graph's vector grows meanwhile

  ValueId input(int i) const { return node.inputs[static_cast<std::size_t>(i)]; }
  ValueId output(int i = 0) const { return node.outputs[static_cast<std::size_t>(i)]; }
  bool has_input(int i) const { return static_cast<std::size_t>(i) < node.inputs.size() && input(i) != no_value; }
  const TensorType& type(ValueId id) const { return graph.type(id); }
  /// Gradient of the loss with respect to output i; no_value if the loss does not depend on it.
  ValueId output_gradient(int i = 0) const { return output_gradients_[static_cast<std::size_t>(i)]; }
  /// Whether input i is on the way to a trained tensor.
  bool needs(int i) const { return static_cast<std::size_t>(i) < needed_.size() && needed_[static_cast<std::size_t>(i)]; }
  void set_gradient(int i, ValueId gradient);
  /// Appends a node with the location of the forward node; the first output of it.
  ValueId emit(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {});
  /// The same with `count` outputs.
  std::vector<ValueId> emit_all(const std::string& op, std::vector<ValueId> inputs, int count, Attributes attributes = {});
  /// Output i of the forward node, which is made to compute it if nobody wanted it so far (the argmax of a pooling).
  ValueId forward_output(int i);
  /// Applies another rule as if the node had these attributes.
  void with_attributes(Attributes attributes, void (*rule)(GradientContext&));
  /// A scalar constant of the dtype of `like`.
  ValueId scalar(double number, ValueId like);
  /// Sums `gradient` over what broadcasting repeated, so that it gets the shape of `operand`.
  ValueId reduce_to(ValueId gradient, ValueId operand);
  const std::vector<ValueId>& input_gradients() const { return input_gradients_; }

 private:
  std::size_t index_;  // of the node in the graph
  std::vector<ValueId> output_gradients_;
  std::vector<bool> needed_;
  std::vector<ValueId> input_gradients_;
};

/// What lowering sees of its node. Buffers of the node's values exist; in/out/update make arguments of them.
class LowerContext {
 public:
  LowerContext(const Graph& of, const Node& at, Program& program, std::vector<KernelCall>& calls,
               std::vector<BufferId>& buffer_of)
      : graph(of), node(at), program_(program), calls_(calls), buffer_of_(buffer_of) {}
  const Graph& graph;
  const Node& node;

  bool has_input(int i) const { return static_cast<std::size_t>(i) < node.inputs.size() && node.inputs[static_cast<std::size_t>(i)] != no_value; }
  bool has_output(int i) const { return static_cast<std::size_t>(i) < node.outputs.size() && node.outputs[static_cast<std::size_t>(i)] != no_value; }
  const TensorType& input_type(int i) const { return graph.type(node.inputs[static_cast<std::size_t>(i)]); }
  const TensorType& output_type(int i = 0) const { return graph.type(node.outputs[static_cast<std::size_t>(i)]); }
  const Shape& input_shape(int i) const { return input_type(i).shape; }
  const Shape& output_shape(int i = 0) const { return output_type(i).shape; }
  const Attributes& attributes() const { return node.attributes; }
  bool has_vectors() const { return program_.has_vectors; }
  bool is_constant(int i) const { return graph.value(node.inputs[static_cast<std::size_t>(i)]).role == Role::constant; }
  /// Program::dual_multiply.
  bool has_dual_multiply() const { return program_.dual_multiply; }

  /// The same place with another node, e.g. one with completed attributes; `node` must outlive the result.
  LowerContext with_node(const Node& other) { return LowerContext(graph, other, program_, calls_, buffer_of_); }
  Argument in(int i) const;       // a null pointer when the optional input is absent
  Argument out(int i = 0) const;  // a null pointer when nobody wants the output
  Argument update(int output) const;            // read and written: the output shares its buffer with an input (OpDef::updates)
  Argument element(int i, std::int64_t index = 0) const;  // one scalar of input i, by value
  Argument scratch(DType dtype, std::int64_t elements);  // arena bytes for this call only; null when elements == 0
  /// A constant in flash made while lowering (index tables, packed weights).
  Argument table(const std::string& name, TensorType type, std::vector<std::byte> data);
  Argument number(double value, DType dtype) const;  // a floating literal of that type
  /// Where a gradient goes: a StoreGradient of output 0, or the optimizer fused into this node.
  Argument sink() const;

  /// The output may overlap the input as the kernel's lead (in elements of the input) allows; pass the list to call().
  struct Lead {
    int output, input;
    std::int64_t elements;
  };
  void call(const std::string& header, const std::string& kernel, std::vector<Argument> arguments, std::int64_t macs = 0,
            const std::vector<Lead>& leads = {});
  /// Output i is (part of) input j, from element `offset` on; no call, no copy.
  void view(int output, int input, std::int64_t offset = 0);
  /// Makes input i a part of output o from element `offset` of it on, so that whoever computes the input writes it there. False, and
  /// nothing happens, when the input has a place of its own: an argument, a constant, persistent, part of another buffer.
  bool place_inside(int input, int output, std::int64_t offset);

 private:
  BufferId buffer(ValueId id) const { return buffer_of_[static_cast<std::size_t>(id)]; }
  Program& program_;
  std::vector<KernelCall>& calls_;
  std::vector<BufferId>& buffer_of_;
};

/// A literal int argument.
Argument literal(std::int64_t value);
Argument literal(std::string text);
/// An int that may differ between calls of one function; `name`: of the parameter that it becomes there.
Argument number_argument(std::string name, int value);
/// TYPE{parts...}: functors, sinks.
Argument object(std::string type, std::vector<Argument> parts);

/// The constant of a runtime shape struct; `visit` is found beside the struct.
template <typename S>
Argument shape_argument(std::string type, const S& shape) {
  Argument argument{.kind = Argument::Kind::shape, .text = std::move(type)};
  visit(shape, [&](const char* name, const auto& field) {
    std::vector<int> numbers;
    if constexpr (std::is_array_v<std::remove_reference_t<decltype(field)>>)
      numbers.assign(std::begin(field), std::end(field));
    else
      numbers.push_back(field);
    argument.fields.emplace_back(name, std::move(numbers));
  });
  return argument;
}

/// An extent or count as the kernels' int; an InternalError when it does not fit (import refuses tensors that large).
int to_int(std::int64_t value);

/// A shape-like operand that is an input in newer opsets: import turns a constant there into attribute `name`, so that old and new
/// forms give the same node.
struct ConstantOperand {
  int input;
  std::string attribute;
  bool is_float = false;  // else integers
  bool is_list = true;    // else a scalar
};

/// Output `output` shares the buffer of input `input`: an update in place.
struct Update {
  int output, input;
};

/// Between which stored numbers the elements of a channel lie, whatever the graph's inputs are.
struct ValueRange {
  int lo, hi;
  bool is_constant() const { return lo == hi; }
};

/// Channels that stay, of a node's input 0 and of its output (both on axis 1).
struct KeptChannels {
  std::vector<bool> inputs, outputs;
  std::vector<ValueRange> ranges;  // of all the input's channels; those that go are constant
};

/// How an int8 operator treats the channels (axis 1) of input 0, for passes/remove_channels. Null functions: it treats them otherwise.
struct ChannelRule {
  /// Ranges of the output's channels from those of the input's; empty when the other functions do not apply to this node either.
  std::function<std::vector<ValueRange>(const Graph&, const Node&, const std::vector<ValueRange>&)> ranges = nullptr;
  /// Whether a channel of the output comes from the same channel of the input only; such channels go together.
  std::function<bool(const Graph&, const Node&)> is_separate = nullptr;
  /// For the others: whether an input channel that always holds `value` can go into the node's constants, padding included.
  std::function<bool(const Graph&, const Node&, int value)> can_fold = nullptr;
  /// The node without the other channels.
  std::function<void(Graph&, Node&, const KeptChannels&)> keep = nullptr;
};

/// A clamp to [lo, hi] as what an operator does; a bound may be infinite.
struct Clamp {
  double lo, hi;
};

/// How an operator meets a change of layout (a permutation of its operands' axes).
struct LayoutRule {
  /// Inputs and outputs that are activations [N,C,spatial...] which the operator also takes channels-last, when the attribute
  /// `channels_last` is 1; empty: it has no channels-last form.
  std::vector<int> spatial_inputs = {}, spatial_outputs = {};
  bool needs_channels_last = false;  // its kernels take nothing else
  /// Element-wise with numpy broadcasting: any permutation of all operands of full rank.
  bool elementwise = false;
  /// Rewrites the attributes for operand 0 (and all others of its rank) permuted so that new axis k is old axis perm[k]; false if it
  /// cannot.
  std::function<bool(Node&, std::span<const std::int64_t> perm)> permute = nullptr;
  int operands = -1;  // only so many inputs have the axes that are permuted; -1: all
};

/// An int8 tensor and what its elements mean.
struct QuantizedTensor {
  ValueId stored = no_value;
  Quantization quantization = {};
};

/// What a quantization rule sees: an operator on real numbers whose operands were quantized and whose result will be. It appends nodes
/// that compute the stored result from the stored operands.
class QuantizeContext {
 public:
  QuantizeContext(Graph& of, const Node& at, std::vector<std::optional<QuantizedTensor>> operands, Quantization result, DType result_type, Clamp bounds)
      : graph(of), node(at), output(std::move(result)), output_type(result_type), lo(static_cast<int>(bounds.lo)), hi(static_cast<int>(bounds.hi)), operands_(std::move(operands)) {}
  Graph& graph;
  const Node node;            // on real numbers
  const Quantization output;  // of the result, per tensor
  const DType output_type;    // int8 or int16
  const int lo, hi;           // bounds of the stored result, within its type: where clamps after the operator end

  bool has_input(int i) const { return static_cast<std::size_t>(i) < node.inputs.size() && node.inputs[static_cast<std::size_t>(i)] != no_value; }
  const Shape& shape(int i) const { return graph.shape(node.inputs[static_cast<std::size_t>(i)]); }
  /// Input i as it was stored (int8 or int16; a bias as int32); null when it was not quantized.
  const QuantizedTensor* input(int i) const;
  /// The same where it is int8 with one scale, and the result is int8.
  const QuantizedTensor* activation(int i) const;
  /// The same where it is int8 or int16 with one scale.
  const QuantizedTensor* wide_activation(int i) const;
  /// Whether the result or an operand is int16: the operator needs the kernels for such.
  bool is_wide() const;
  const Value& stored(int i) const { return graph.value(input(i)->stored); }
  /// Appends an int8 node with the operator's location, and gives it the result's quantization and bounds; its output.
  ValueId emit(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {});
  ValueId constant(const std::string& name, DType dtype, const std::vector<double>& numbers);

 private:
  std::vector<std::optional<QuantizedTensor>> operands_;
};

/// How an operator whose results' elements are elements of its operands meets quantization.
struct MoveRule {
  bool moves = false;
  bool all_inputs = false;  // else input 0 only
  /// Rewrites real numbers among the attributes into stored ones; false when the node computes more than a move or a number has no exact
  /// stored form. Null: nothing to do.
  std::function<bool(Node&, const TensorType& stored)> store = nullptr;
  /// Where an axis of the operand stands in the result; null: scales that differ along an axis do not pass.
  std::function<std::int64_t(const Node&, std::int64_t axis)> moved_axis = nullptr;
};

/// A layer whose input 1 is a weight and whose input 2, where there is one, is a bias of its output channels.
struct WeightRule {
  /// Axis of the weight on which output channels lie; -1: this node is no such layer. Null: none of the operator's nodes is.
  std::function<std::int64_t(const Graph&, const Node&)> output_axis = nullptr;
  /// Channel of input 0 that element `index` of the weight multiplies.
  std::function<std::int64_t(const Graph&, const Node&, std::int64_t index)> input_channel = nullptr;
  bool channels_last = false;  // channels of input 0 and of the result lie on the last axis; else on axis 1
};

/// y[c] = scale[c] * x[c] + shift[c]; both are values of shape [channels] computed from constants.
struct ChannelAffine {
  ValueId scale, shift;
};

/// A kernel that trades flash and scratch for speed: what it takes more than the usual one, and the cycles that it saves (0: not usable).
struct FasterKernel {
  std::int64_t flash_bytes = 0, scratch_bytes = 0, saved_cycles = 0;
};

/// What a node puts around its input 0: elements by axis, all of them `value` (a stored number where the tensor is stored).
struct Padding {
  std::vector<std::int64_t> begins, ends;
  double value = 0;
};

struct OpDef {
  std::string name;
  int min_inputs = 1, max_inputs = 1;  // max -1: any number
  int max_outputs = 1;
  std::vector<ConstantOperand> constant_operands = {};
  std::function<std::vector<TensorType>(const TypeContext&)> infer = nullptr;
  std::function<void(GradientContext&)> gradient = nullptr;  // null: not differentiable
  std::function<void(LowerContext&)> lower = nullptr;        // null: a pass must have removed it
  std::vector<Update> updates = {};
  LayoutRule layout = {};
  bool takes_sink = false;  // a gradient operator with one output whose kernel takes a Sink: an optimizer can be fused into it
  bool may_view = false;    // its output may share the elements of input 0
  std::vector<int> bias_inputs = {};       // inputs that are only added: what `--train bias` selects
  std::vector<int> statistic_inputs = {};  // inputs that training never descends on (running mean and variance)
  // What fusing may do with a node (passes/fuse).
  bool is_addition = false;       // the sum of its two inputs
  bool selects_maximum = false;   // each element of its output is one of its input's, the largest of some (max pooling)
  bool takes_activation = false;  // its kernel clamps: attributes activation_lo and activation_hi
  bool gives_float = false;       // computes integers, which its kernel can convert: attribute `as_float`
  int bias_input = -1;            // input that is added to each channel, if its kernel has one
  int residual_input = -1;        // input of the output's shape that is added before the clamp
  int unit_input = -1;            // optional input of factors; absent, they are ones
  std::function<Clamp(const Node&)> as_clamp = nullptr;
  std::function<std::optional<ChannelAffine>(Graph&, const Node&)> channel_affine = nullptr;  // none: its operands are not constant
  std::function<bool(const Graph&, const Node&)> can_absorb_affine = nullptr;
  std::function<void(Graph&, Node&, const ChannelAffine&)> absorb_affine = nullptr;
  /// Rewrites a node to its training form; `statistics_train`: --batch-norm train. Appends nodes that change states: they run after the loss, which others that it appends may turn into NaN.
  std::function<void(Graph&, Node&, bool statistics_train)> enter_training = nullptr;
  // What quantization may do with a node (passes/fuse_quantized).
  bool quantizes = false, dequantizes = false;  // QuantizeLinear, DequantizeLinear: inputs are the tensor, scale, zero point
  MoveRule move = {};
  ChannelRule channels = {};
  WeightRule weight = {};
  /// Adds two stored tensors with one rounding of its own; a layer's kernel can do that for each result (passes/fuse_residual).
  bool adds_stored = false;
  /// The node that computes both this layer and `sum` (adds_stored), whose operand `operand` is the layer's result; none: no kernel does.
  std::function<std::optional<Node>(const Graph&, const Node& layer, const Node& sum, int operand)> with_sum = nullptr;
  // What passes/drop_moves may do with a node.
  std::function<bool(const Graph&, const Node&)> is_identity = nullptr;  // whether its result is its input 0, bit for bit
  std::function<std::optional<Padding>(const Graph&, const Node&)> as_padding = nullptr;
  /// Puts the padding of input 0 into the node's own; false, and nothing changes, when that would not read the same.
  std::function<bool(const Graph&, Node&, const Padding&)> absorb_padding = nullptr;
  bool scales_with_channels = false;  // keeps the channels (axis 1) of input 0; one that is s > 0 times as large gives exactly s times the result
  std::optional<Clamp> result_range = std::nullopt;  // between which numbers results lie whatever the operands are, if they use all of it
  /// The stored result of the operator on stored operands; no_value when it has none for these.
  std::function<ValueId(QuantizeContext&)> quantized = nullptr;
  /// What a kernel with larger constants would save (passes/spend_flash); the node takes it where its attribute `spends_flash` is 1.
  std::function<FasterKernel(const Graph&, const Node&)> faster = nullptr;
  /// Whether it has kernels with less scratch (passes/save_scratch); the node takes one where its attribute `saves_scratch` is 1.
  bool can_save_scratch = false;
  std::function<std::int64_t(const Graph&, const Node&)> fan_in = nullptr;  // of the weight, input 1
  bool is_public = true;  // an ONNX operator; false: made by passes
  /// Optimizers only: the Sink that performs the update. Inputs of an optimizer are (gradient, tensor, others...), outputs are the new
  /// tensor and states; `tensor_input` is the index of the tensor in the node at hand (1, or later when it is fused).
  std::function<Argument(const LowerContext&, int tensor_input)> make_sink = nullptr;
};

/// The row of an operator; null if there is none.
const OpDef* find_op(const std::string& name);
/// The row of an operator that must exist.
const OpDef& op(const std::string& name);
/// All rows, by name.
std::vector<const OpDef*> all_ops();

/// Output types of a node by its rule, fused updates included.
std::vector<TensorType> infer_types(const Graph& graph, const Node& node);
/// Which output shares which input's buffer, fused updates included.
std::vector<Update> updates_of(const Node& node);
/// Appends a node; its outputs are new values with inferred types. Names derive from `name`.
std::vector<ValueId> add_node(Graph& graph, const std::string& op, std::vector<ValueId> inputs, int outputs, Attributes attributes,
                              Location location, const std::string& name);

// Attributes of a node into which an optimizer is fused: the optimizer's name and the number of the producer's own inputs; the
// optimizer's inputs but the gradient follow them, and the outputs are the optimizer's.
inline const std::string fused_update = "tinytc_update";
inline const std::string fused_inputs = "tinytc_update_inputs";

// Attribute of a node whose kernel gives its integers as float32 (OpDef::gives_float).
inline const std::string as_float = "tinytc_as_float";
// Attribute of a node that takes the kernel of OpDef::faster.
inline const std::string spends_flash = "tinytc_spends_flash";
// Attribute of a node that takes the kernel with the least scratch.
inline const std::string saves_scratch = "tinytc_saves_scratch";
// Attributes of a node whose kernel was exchanged for one with less scratch: bytes saved and cycles lost.
inline const std::string saved_scratch = "tinytc_saved_scratch";
inline const std::string given_up_cycles = "tinytc_given_up_cycles";

}  // namespace tinytc
