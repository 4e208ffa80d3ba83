// How near an int8 model comes to the float model that it was made from: figures gathered by codegen/validate, printed here.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "compiler/graph.h"

namespace tinytc {

/// Sums over all elements of a tensor in all samples.
struct TensorError {
  Location location;   // of the node that computes it
  std::string tensor;  // its name in the float model
  std::int64_t elements = 0;
  double signal = 0, noise = 0, absolute = 0;  // sums of real^2, (stored - real)^2, |stored - real|

  /// Signal to quantization noise ratio in dB; infinite without noise.
  double sqnr_db() const;
  double mean_absolute_error() const { return absolute / static_cast<double>(elements); }
};

/// Shares of the samples, 0 to 1. The class that a model names is the index of the largest element of its first output, the first of
/// several that are equal.
struct Validation {
  std::string file;  // of the samples
  int samples = 0;
  std::optional<double> float_accuracy, int8_accuracy;  // with labels
  std::optional<double> agreement;                      // both models name the same class; absent: the output is no list of classes
  std::vector<TensorError> outputs;                     // in the model's order; without those that have no real numbers
  std::vector<TensorError> layers;                      // tensors stored as int8, worst first
};

/// "validation" of NAME.report.json.
nlohmann::ordered_json validation_json(const Validation& validation);
/// The same for people: a few lines, of the layers the worst only.
std::string validation_text(const Validation& validation);

}  // namespace tinytc
