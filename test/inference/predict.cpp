// Runs an emitted model on recorded inputs and writes its outputs: what test/inference/inference_test.py compares with onnxruntime, and
// between host and boards.
//
//   program INPUTS OUTPUTS
// INPUTS: the input tensors of each call, one after the other; OUTPUTS: the output tensors likewise. Little-endian elements, row-major.
// Macros: INPUT_BYTES and OUTPUT_BYTES of one call; PREDICT = the call, with in<T>(byte offset) and out<T>(byte offset) as arguments.
#include "board.h"
#include "net.h"

namespace {

net::Model model;
alignas(8) unsigned char inputs[INPUT_BYTES];
alignas(8) unsigned char outputs[OUTPUT_BYTES];

template <typename T>
const T* in(std::size_t offset) {
  return reinterpret_cast<const T*>(inputs + offset);
}
template <typename T>
T* out(std::size_t offset) {
  return reinterpret_cast<T*>(outputs + offset);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int from = board::open_read(argv[1]), to = board::open_write(argv[2]);
  if (from < 0 || to < 0) return 2;
  const std::size_t calls = board::file_size(from) / sizeof inputs;
  for (std::size_t call = 0; call < calls; ++call) {
    if (board::read(from, inputs, sizeof inputs) != sizeof inputs) return 3;
    model.predict(PREDICT);
    if (board::write(to, outputs, sizeof outputs) != sizeof outputs) return 4;
  }
  board::close(from);
  board::close(to);
  return 0;
}
