// Operators on quantized tensors (ONNX's QLinear..., and those of onnxruntime's quantizer in domain com.microsoft) as DequantizeLinear -
// operator - QuantizeLinear, which the passes turn into int8 operators again. One form of quantized model goes through the compiler, whoever
// made it. Products whose scales are computed while the model runs become ONNX's own operators on integers.
//
// One function a form of operands; the table at the end says which operator has which.
#include <fmt/format.h>

#include <cstring>
#include <map>
#include <set>

#include "compiler/import_onnx_steps.h"

namespace tinytc::importer {

namespace {

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::TensorProto;

/// Writes the nodes that stand for one node.
class Expansion {
 public:
  Expansion(const NodeProto& from, onnx::GraphProto& graph, const std::map<std::string, const TensorProto*>& known,
            const std::set<std::string>& dynamic_scales, std::vector<NodeProto>& out)
      : node(from), graph_(graph), known_(known), dynamic_scales_(dynamic_scales), out_(out) {}
  const NodeProto& node;

  std::string input(int i) const { return i < node.input_size() ? node.input(i) : std::string(); }
  /// Whether input i is a scale that DynamicQuantizeLinear computes.
  bool is_dynamic_scale(int i) const { return dynamic_scales_.count(input(i)) != 0; }
  bool has(int i) const { return !input(i).empty(); }
  std::string fresh() { return fmt::format("{}/quantized.{}", node.output(0), next_++); }

  /// Appends a node; the name of its output, a new one if `output` is empty.
  std::string add(const std::string& op, const std::vector<std::string>& inputs, std::string output = {}) {
    if (output.empty()) output = fresh();
    NodeProto made;
    made.set_op_type(op);
    made.set_name(node.name());
    for (const std::string& name : inputs) made.add_input(name);
    made.add_output(output);
    out_.push_back(std::move(made));
    return output;
  }
  /// The node added last has these outputs, too.
  void also_gives(std::initializer_list<std::string> outputs) {
    for (const std::string& name : outputs) out_.back().add_output(name);
  }
  /// The node added last takes this attribute, or an attribute of the original node if it has it.
  void attribute(const std::string& name, std::int64_t value) {
    AttributeProto& made = *out_.back().add_attribute();
    made.set_name(name);
    made.set_type(AttributeProto::INT);
    made.set_i(value);
  }
  void keep_attributes(std::initializer_list<const char*> dropped = {}) {
    for (const AttributeProto& own : node.attribute()) {
      bool keep = true;
      for (const char* name : dropped) keep = keep && own.name() != name;
      if (keep) *out_.back().add_attribute() = own;
    }
  }
  std::int64_t integer(const std::string& name, std::int64_t fallback) const {
    for (const AttributeProto& own : node.attribute())
      if (own.name() == name) return own.i();
    return fallback;
  }

  /// Operand i (its scale and zero point are the next two) as a real tensor; scales of a list belong to `axis`.
  std::string real(int i, std::int64_t axis = 0) { return real(input(i), input(i + 1), input(i + 2), axis); }
  std::string real(const std::string& x, const std::string& scale, const std::string& zero, std::int64_t axis = 0) {
    const std::string result = add("DequantizeLinear", {x, scale, zero});
    if (const auto tensor = known_.find(scale); tensor != known_.end() && count(*tensor->second) > 1) attribute("axis", axis);
    return result;
  }
  void quantize(const std::string& x, const std::string& scale, const std::string& zero) { add("QuantizeLinear", {x, scale, zero}, node.output(0)); }

  std::string constant(const std::vector<float>& numbers, bool is_scalar) {
    TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(fresh());
    tensor.set_data_type(TensorProto::FLOAT);
    if (!is_scalar) tensor.add_dims(static_cast<std::int64_t>(numbers.size()));
    for (float number : numbers) tensor.add_float_data(number);
    return tensor.name();
  }
  /// Known single-precision numbers; empty when they are not known.
  std::vector<float> numbers(const std::string& name) const {
    const auto found = known_.find(name);
    if (found == known_.end() || found->second->data_type() != TensorProto::FLOAT) return {};
    const TensorProto& tensor = *found->second;
    if (!tensor.has_raw_data()) return {tensor.float_data().begin(), tensor.float_data().end()};
    std::vector<float> result(tensor.raw_data().size() / sizeof(float));
    if (!result.empty()) std::memcpy(result.data(), tensor.raw_data().data(), result.size() * sizeof(float));
    return result;
  }
  /// An int32 bias whose scale is the product of two others; empty when those are not known.
  std::string bias(const std::string& name, const std::string& a_scale, const std::string& b_scale) {
    const std::vector<float> a = numbers(a_scale), b = numbers(b_scale);
    if (a.size() != 1 || b.empty()) return {};
    std::vector<float> product;
    for (float scale : b) product.push_back(a[0] * scale);
    const std::string result = add("DequantizeLinear", {name, constant(product, product.size() == 1)});
    if (product.size() > 1) attribute("axis", 0);
    return result;
  }
  /// The tensor as real numbers without its zero point, which need not be known.
  std::string without_zero_point(int tensor, int zero) {
    const std::string number = add("Cast", {input(tensor)});
    attribute("to", TensorProto::FLOAT);
    if (!has(zero)) return number;
    const std::string offset = add("Cast", {input(zero)});
    attribute("to", TensorProto::FLOAT);
    return add("Sub", {number, offset});
  }

 private:
  static std::int64_t count(const TensorProto& tensor) {
    std::int64_t result = 1;
    for (std::int64_t extent : tensor.dims()) result *= extent;
    return result;
  }
  onnx::GraphProto& graph_;
  const std::map<std::string, const TensorProto*>& known_;
  const std::set<std::string>& dynamic_scales_;
  std::vector<NodeProto>& out_;
  int next_ = 0;
};

// Each returns false, and what it has added is thrown away, when the node has no such form.

/// QLinearConv(x, xs, xz, w, ws, wz, ys, yz, bias)
bool convolution(Expansion& e, const std::string&) {
  std::vector<std::string> operands{e.real(0), e.real(3)};
  if (e.has(8)) operands.push_back(e.bias(e.input(8), e.input(1), e.input(4)));
  if (operands.back().empty()) return false;
  const std::string y = e.add("Conv", operands);
  e.keep_attributes();
  e.quantize(y, e.input(6), e.input(7));
  return true;
}

/// QLinearMatMul, QLinearAdd, QLinearMul (a, as, az, b, bs, bz, ys, yz)
bool binary(Expansion& e, const std::string& op) {
  const std::string a = e.real(0), b = e.real(3, 1);
  e.quantize(e.add(op, {a, b}), e.input(6), e.input(7));
  return true;
}

/// QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax, pools (x, xs, xz, ys, yz)
bool unary(Expansion& e, const std::string& op) {
  if (e.integer("channels_last", 0) != 0) return false;
  const std::string x = e.real(0), y = e.add(op, {x});
  e.keep_attributes({"channels_last", "opset"});
  e.quantize(y, e.input(3), e.input(4));
  return true;
}

/// QLinearConcat(ys, yz, x1, s1, z1, x2, s2, z2, ...)
bool concatenation(Expansion& e, const std::string&) {
  std::vector<std::string> parts;
  for (int i = 2; i + 1 < e.node.input_size(); i += 3) parts.push_back(e.real(i));
  const std::string y = e.add("Concat", parts);
  e.keep_attributes();
  e.quantize(y, e.input(0), e.input(1));
  return true;
}

/// QGemm(a, as, az, b, bs, bz, c, ys, yz)
bool gemm(Expansion& e, const std::string&) {
  for (const AttributeProto& own : e.node.attribute())
    if (own.name() == "alpha" && own.f() != 1.0F) return false;
  std::vector<std::string> operands{e.real(0), e.real(3, e.integer("transB", 0) != 0 ? 0 : 1)};
  if (e.has(6)) operands.push_back(e.bias(e.input(6), e.input(1), e.input(4)));
  if (operands.back().empty()) return false;
  const std::string y = e.add("Gemm", operands, e.has(7) ? std::string() : e.node.output(0));
  e.keep_attributes();
  if (e.has(7)) e.quantize(y, e.input(7), e.input(8));
  return true;
}

/// What follows a product of integers: its real numbers by the product of two scales, and a bias if there is one.
void real_product(Expansion& e, const std::vector<std::string>& operands, const std::string& a_scale, const std::string& b_scale, int bias) {
  const std::string number = e.add("Cast", {e.add("MatMulInteger", operands)});
  e.attribute("to", TensorProto::FLOAT);
  const std::string y = e.add("Mul", {number, e.add("Mul", {a_scale, b_scale})}, e.has(bias) ? std::string() : e.node.output(0));
  if (e.has(bias)) e.add("Add", {y, e.input(bias)}, e.node.output(0));
}

/// MatMulIntegerToFloat(a, b, as, bs, az, bz, bias)
bool product_to_real(Expansion& e, const std::string&) {
  real_product(e, {e.input(0), e.input(1), e.input(4), e.input(5)}, e.input(2), e.input(3), 6);
  return true;
}

/// DynamicQuantizeMatMul(a, b, bs, bz, bias)
bool product_of_real(Expansion& e, const std::string&) {
  const std::string scale = e.fresh(), zero = e.fresh(), stored = e.add("DynamicQuantizeLinear", {e.input(0)});
  e.also_gives({scale, zero});
  real_product(e, {stored, e.input(1), zero, e.input(3)}, scale, e.input(2), 4);
  return true;
}

/// DequantizeLinear(x, scale, zero point) with the scale of a DynamicQuantizeLinear: that of a tensor.
bool dynamic_real(Expansion& e, const std::string&) {
  if (!e.is_dynamic_scale(1)) return false;
  e.add("Mul", {e.without_zero_point(0, 2), e.input(1)}, e.node.output(0));
  return true;
}

struct Form {
  const char *domain, *name, *op;
  bool (*expand)(Expansion&, const std::string& op);
};
constexpr const char* microsoft = "com.microsoft";
constexpr Form forms[] = {
    {"", "QLinearConv", "Conv", convolution},
    {"", "QLinearMatMul", "MatMul", binary},
    {"", "DequantizeLinear", "", dynamic_real},
    {microsoft, "QLinearAdd", "Add", binary},
    {microsoft, "QLinearMul", "Mul", binary},
    {microsoft, "QLinearSigmoid", "Sigmoid", unary},
    {microsoft, "QLinearLeakyRelu", "LeakyRelu", unary},
    {microsoft, "QLinearSoftmax", "Softmax", unary},
    {microsoft, "QLinearAveragePool", "AveragePool", unary},
    {microsoft, "QLinearGlobalAveragePool", "GlobalAveragePool", unary},
    {microsoft, "QLinearConcat", "Concat", concatenation},
    {microsoft, "QGemm", "Gemm", gemm},
    {microsoft, "MatMulIntegerToFloat", "", product_to_real},
    {microsoft, "DynamicQuantizeMatMul", "", product_of_real},
    {microsoft, "QuantizeLinear", "QuantizeLinear", nullptr},
    {microsoft, "DequantizeLinear", "DequantizeLinear", nullptr},
};

const Form* find_form(const NodeProto& node) {
  for (const Form& form : forms)
    if (node.domain() == form.domain && node.op_type() == form.name) return &form;
  return nullptr;
}

}  // namespace

std::vector<std::string> quantized_operators() {
  std::vector<std::string> names;
  for (const Form& form : forms) names.push_back(std::string(form.domain) + (*form.domain != '\0' ? "." : "") + form.name);
  return names;
}

void expand_quantized(onnx::ModelProto& model, std::vector<int>& positions) {
  onnx::GraphProto& graph = *model.mutable_graph();
  bool any = false;
  for (const NodeProto& node : graph.node()) any = any || find_form(node) != nullptr;
  if (!any) return;
  graph.mutable_initializer()->Reserve(graph.initializer_size() + 4 * graph.node_size());
  std::map<std::string, const TensorProto*> known;
  for (const TensorProto& tensor : graph.initializer()) known[tensor.name()] = &tensor;
  std::set<std::string> dynamic_scales;
  for (const NodeProto& node : graph.node())
    if (node.domain().empty() && node.op_type() == "DynamicQuantizeLinear" && node.output_size() > 1) dynamic_scales.insert(node.output(1));
  std::vector<NodeProto> nodes;
  std::vector<int> places;
  for (int i = 0; i < graph.node_size(); ++i) {
    const Form* form = find_form(graph.node(i));
    const std::size_t before = nodes.size();
    if (form != nullptr && form->expand != nullptr) {
      Expansion expansion(graph.node(i), graph, known, dynamic_scales, nodes);
      if (!form->expand(expansion, form->op)) nodes.resize(before);
    }
    if (nodes.size() == before) {
      nodes.push_back(graph.node(i));
      if (form != nullptr && form->expand == nullptr) nodes.back().clear_domain();  // the same operator in ONNX's own domain
    }
    places.resize(nodes.size(), positions[static_cast<std::size_t>(i)]);
  }
  graph.clear_node();
  for (NodeProto& node : nodes) *graph.add_node() = std::move(node);
  positions = std::move(places);
}

}  // namespace tinytc::importer
