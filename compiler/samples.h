// Samples of a model's inputs, with or without labels, from a file of numpy's: for calibration and validation.
#pragma once

#include <filesystem>

#include "compiler/graph.h"

namespace tinytc {

struct Samples {
  int count = 0;                           // at least 1
  std::vector<std::vector<float>> inputs;  // for each of graph.inputs with role input: count x its elements, row-major as the graph declares it
  std::vector<std::int64_t> labels = {};   // one a sample, at least 0; empty if the file has none
  std::string file = {};                   // its name, for messages
};

/// Reads an .npz or .npy file. Arrays are named after the graph's inputs; a graph with one input takes the only array that is not labels,
/// whatever its name. An array's first dimension is the sample, the others are the input's, with or without a leading batch of 1.
/// Labels are an array of integers named `labels` or `y`, [count] or [count,1].
///
/// UserError, with the names of file and array: what is missing, unknown or misshaped, NaN and infinities, no samples, numbers that an
/// input of integers cannot hold, labels that are no integers, damaged files.
Samples read_samples(const std::filesystem::path& path, const Graph& graph);

/// Sample `index` as the arguments of HostModel::run for a graph whose inputs are those that the samples were read for.
std::vector<std::vector<std::byte>> sample_arguments(const Samples& samples, const Graph& graph, int index);

}  // namespace tinytc
