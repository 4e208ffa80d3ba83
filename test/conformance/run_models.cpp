// Runs ONNX models through import and the evaluator, each in a process of its own, so that a crash costs one model.
//
//     run_models DIRECTORY...
//
// A directory holds model.onnx and the elements of its k-th input in input_k.bin. Written are output_k.bin, after them the loss if the
// graph ends in one (loss.bin), or error.txt with the message of a model that tinytc refuses.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "codegen/execute.h"
#include "compiler/import_onnx.h"

namespace {

using namespace tinytc;
namespace fs = std::filesystem;

Tensor read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  require(file.good(), "cannot read " + path.string());
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  Tensor tensor(bytes.size());
  if (!bytes.empty()) std::memcpy(tensor.data(), bytes.data(), bytes.size());
  return tensor;
}

void write(const fs::path& path, const Tensor& tensor) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(tensor.data()), static_cast<std::streamsize>(tensor.size()));
}

/// Class labels are i32 in the compiled model, i64 in files.
Tensor fitted(const TensorType& type, const Tensor& tensor) {
  if (type.dtype != DType::i32 || static_cast<std::int64_t>(tensor.size()) != 2 * byte_count(type)) return tensor;
  return encode(DType::i32, numbers_of({"", {DType::i64, type.shape}, Role::constant, tensor}));
}

void run(const fs::path& directory) {
  Graph graph = import_onnx(directory / "model.onnx");
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i)
    inputs.push_back(fitted(graph.type(graph.inputs[i]), read(directory / ("input_" + std::to_string(i) + ".bin"))));
  const std::vector<Tensor> results = execute(graph, inputs);
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) write(directory / ("output_" + std::to_string(i) + ".bin"), results[i]);
  if (graph.loss != no_value) write(directory / "loss.bin", results.back());
}

/// Exit status of the child: 0 done, 1 refused, 2 an internal error.
int run_guarded(const fs::path& directory) {
  int status = 0;
  std::string message;
  try {
    run(directory);
  } catch (const UserError& error) {
    status = 1;
    message = error.what();
  } catch (const std::exception& error) {
    status = 2;
    message = std::string("internal: ") + error.what();
  }
  if (status != 0) std::ofstream(directory / "error.txt") << message;
  return status;
}

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    const fs::path directory = arguments[i];
    const pid_t child = fork();
    if (child == 0) _exit(run_guarded(directory));
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) std::ofstream(directory / "error.txt") << "internal: crashed";
  }
  return 0;
}
