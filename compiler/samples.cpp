// Matches the arrays of a file with the inputs of a graph; see samples.h.
#include "compiler/samples.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/npy.h"

namespace tinytc {

namespace {

constexpr std::int64_t most_samples = std::numeric_limits<int>::max();
constexpr std::string_view label_names[] = {"labels", "y"};

/// "f32[8,10]"; "f32[N,10]" with the samples' number left open.
std::string describe(const Array& array) { return describe(TensorType{array.dtype, array.shape}); }
std::string expected(const TensorType& type) {
  std::string rest;
  for (std::int64_t extent : type.shape) rest += fmt::format(",{}", extent);
  std::string text = fmt::format("[N{}]", rest);
  if (!type.shape.empty() && type.shape[0] == 1) text = fmt::format("[N{}] or {}", rest.substr(2), text);
  return text;
}

std::vector<ValueId> inputs_of(const Graph& graph) {
  std::vector<ValueId> ids;
  for (ValueId id : graph.inputs)
    if (graph.value(id).role == Role::input) ids.push_back(id);
  return ids;
}

class Matching {
 public:
  Matching(const Graph& graph, std::vector<Array> arrays) : graph_(graph), inputs_(inputs_of(graph)), arrays_(std::move(arrays)) {}

  Samples match() {
    const Array* labels = find_labels();
    Samples samples;
    for (ValueId id : inputs_) add_input(id, labels, samples);
    for (const Array& array : arrays_)
      if (&array != labels && std::find(used_.begin(), used_.end(), &array) == used_.end()) unknown(array);
    if (labels != nullptr) add_labels(*labels, samples);
    return samples;
  }

 private:
  const Array* find(std::string_view name) const {
    const auto it = std::find_if(arrays_.begin(), arrays_.end(), [&](const Array& array) { return array.name == name; });
    return it == arrays_.end() ? nullptr : &*it;
  }
  bool is_input(std::string_view name) const {
    return std::any_of(inputs_.begin(), inputs_.end(), [&](ValueId id) { return graph_.value(id).name == name; });
  }

  const Array* find_labels() const {
    const Array* labels = nullptr;
    for (std::string_view name : label_names) {
      const Array* array = is_input(name) ? nullptr : find(name);
      if (array != nullptr && labels != nullptr) throw UserError("arrays 'labels' and 'y' are both there, expected one of them");
      if (array != nullptr) labels = array;
    }
    return labels;
  }

  std::string names(const std::string& between) const {
    std::string text;
    for (ValueId id : inputs_)
      text += fmt::format("{}'{}' {}", text.empty() ? "" : between, printable(graph_.value(id).name), expected(graph_.type(id)));
    return text;
  }

  [[noreturn]] void unknown(const Array& array) const {
    throw UserError(fmt::format("array '{}' is {}, but the model has no input of that name\n  expected {}, and optionally 'labels' [N]",
                                printable(array.name), describe(array), names(", ")));
  }

  /// The array for an input: of its name, or, for a single input, the only one that there is.
  const Array& array_for(ValueId id, const Array* labels) const {
    if (const Array* same = find(graph_.value(id).name)) return *same;
    const std::size_t others = arrays_.size() - (labels != nullptr ? 1 : 0);
    if (inputs_.size() == 1 && others == 1)
      for (const Array& array : arrays_)
        if (&array != labels) return array;
    std::string found;
    for (const Array& array : arrays_) found += fmt::format("{}'{}'", found.empty() ? "" : ", ", printable(array.name));
    throw UserError(fmt::format("no array '{}' for the model's input of that name\n  expected {}\n  found {}",
                                printable(graph_.value(id).name), names(", "), found.empty() ? "no array" : found));
  }

  void add_input(ValueId id, const Array* labels, Samples& samples) {
    const Array& array = array_for(id, labels);
    const TensorType& type = graph_.type(id);
    used_.push_back(&array);
    const Shape rest(array.shape.begin() + (array.shape.empty() ? 0 : 1), array.shape.end());
    const bool is_without_batch =
        !type.shape.empty() && type.shape[0] == 1 && std::equal(rest.begin(), rest.end(), type.shape.begin() + 1, type.shape.end());
    if (array.shape.empty() || (rest != type.shape && !is_without_batch))
      refuse(array, fmt::format("is {}, expected {}", describe(array), expected(type)));
    check_count(array, samples);
    samples.inputs.push_back(numbers(array, type.dtype));
  }

  /// The first array says how many samples there are.
  void check_count(const Array& array, Samples& samples) {
    const std::int64_t count = array.shape[0];
    if (count == 0) refuse(array, fmt::format("is {}: there is no sample in it", describe(array)));
    if (count > most_samples) refuse(array, fmt::format("has {} samples, at most {} can be used", count, most_samples));
    if (samples.count == 0) samples.count = static_cast<int>(count);
    if (samples.count != count) refuse(array, fmt::format("has {} samples, array '{}' has {}", count, printable(used_.front()->name), samples.count));
  }

  std::vector<float> numbers(const Array& array, DType dtype) const {
    const std::size_t count = array.data.size() / static_cast<std::size_t>(size_of(array.dtype));
    const std::size_t per_sample = count / static_cast<std::size_t>(array.shape[0]);
    std::vector<float> result(count);
    for (std::size_t i = 0; i < count; ++i) {
      const double number = number_at(array, i);
      result[i] = static_cast<float>(number);
      const bool is_finite = std::isfinite(number) && std::isfinite(result[i]);
      if (is_finite && (is_float(dtype) || holds(dtype, number))) continue;
      const std::string wanted = is_finite ? fmt::format("an integer that the input's {} can hold", name_of(dtype)) : "a finite number of single precision";
      refuse(array, fmt::format("element {} of sample {} (counted from 0) is {}, expected {}", i % per_sample, i / per_sample, number, wanted));
    }
    return result;
  }

  /// Whether an integer input of that type can hold a number that comes through single precision.
  static bool holds(DType dtype, double number) {
    if (number != std::floor(number) || std::fabs(number) > 16777216.0) return false;  // 2^24: all integers up to it are exact floats
    const bool is_unsigned = dtype == DType::u8 || dtype == DType::u16 || dtype == DType::u32 || dtype == DType::u64;
    if (dtype == DType::boolean) return number == 0 || number == 1;
    const double bits = 8.0 * size_of(dtype) - (is_unsigned ? 0 : 1);
    return number >= (is_unsigned ? 0.0 : -std::exp2(bits)) && number < std::exp2(bits);
  }

  void add_labels(const Array& array, Samples& samples) const {
    const bool is_column = array.shape.size() == 2 && array.shape[1] == 1;
    if (is_float(array.dtype) || array.dtype == DType::boolean || (array.shape.size() != 1 && !is_column) || array.shape[0] != samples.count)
      refuse(array, fmt::format("is {}, expected one integer a sample, [{}]", describe(array), samples.count));
    for (std::size_t i = 0; i < static_cast<std::size_t>(samples.count); ++i) {
      const double label = number_at(array, i);
      if (label < 0 || label > std::numeric_limits<std::int32_t>::max())
        refuse(array, fmt::format("label {} of sample {} (counted from 0) is no class index", label, i));
      samples.labels.push_back(static_cast<std::int64_t>(label));
    }
  }

  [[noreturn]] static void refuse(const Array& array, const std::string& what) {
    throw UserError(array.name.empty() ? what : fmt::format("array '{}': {}", printable(array.name), what));
  }

  const Graph& graph_;
  const std::vector<ValueId> inputs_;
  const std::vector<Array> arrays_;
  std::vector<const Array*> used_;
};

}  // namespace

Samples read_samples(const std::filesystem::path& path, const Graph& graph) {
  std::vector<Array> arrays = read_arrays(path);
  try {
    Samples samples = Matching(graph, std::move(arrays)).match();
    samples.file = path.filename().string();
    return samples;
  } catch (const UserError& error) {
    throw UserError(fmt::format("{}: {}", printable(path.filename().string()), error.what()));
  }
}

std::vector<std::vector<std::byte>> sample_arguments(const Samples& samples, const Graph& graph, int index) {
  const std::vector<ValueId> ids = inputs_of(graph);
  require(ids.size() == samples.inputs.size() && index >= 0 && index < samples.count, "samples of another graph");
  std::vector<std::vector<std::byte>> arguments;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto elements = static_cast<std::ptrdiff_t>(element_count(graph.shape(ids[i])));
    const auto begin = samples.inputs[i].begin() + elements * index;
    arguments.push_back(encode(graph.type(ids[i]).dtype, {begin, begin + elements}));
  }
  return arguments;
}

}  // namespace tinytc
