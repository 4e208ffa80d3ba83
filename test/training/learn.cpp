// Trains an emitted model on recorded samples: what test/training/training_test.py compares with PyTorch, and between host and boards.
//
//   program RECORD CHECKPOINT
// RECORD: 4-byte words, little-endian: learning rate (float), samples per update (0: train_step), calls; the probe's input
// (floats); then per call the input and the target (int32 classes, or floats). Prints bits: the probe's outputs, each loss, the
// probe's outputs again. Writes the final checkpoint to CHECKPOINT.
// Macros: TARGETS = elements of a target; GROUPED = 1 for a model compiled with --accumulate.
#include "board.h"
#include "net.h"

namespace {

constexpr std::size_t inputs = net::Info::input_elements;
net::Model model;
float input[inputs];
std::uint8_t checkpoint[net::Info::checkpoint_bytes];

/// The type of the target in the model's functions: a class, several classes, or numbers.
template <typename T>
struct Target;
template <>
struct Target<std::int32_t> {
  std::int32_t data[1];
  std::int32_t get() const { return data[0]; }
};
template <>
struct Target<const std::int32_t*> {
  std::int32_t data[TARGETS];
  const std::int32_t* get() const { return data; }
};
template <>
struct Target<const float*> {
  float data[TARGETS];
  const float* get() const { return data; }
};

template <typename T>
Target<T> target_of(float (net::Model::*)(const float*, T) noexcept);
decltype(target_of(&net::Model::evaluate)) target;

template <typename T>
bool read(int file, T* to, std::size_t count) {
  return board::read(file, to, sizeof(T) * count) == sizeof(T) * count;
}

void print_bits(const char* what, float value) {
  board::print(what);
  board::print_bits(value);
  board::print("\n");
}

void predict(const float* x) {
  static float output[net::Info::output_elements];
  model.predict(x, output);
  for (float value : output) print_bits("output ", value);
}

void learn(float rate, std::int32_t group, std::int32_t call) {
#if GROUPED
  print_bits("loss ", model.accumulate(input, target.get()));
  if ((call + 1) % group == 0) model.apply(rate);
#else
  static_cast<void>(group);
  static_cast<void>(call);
  print_bits("loss ", model.train_step(input, target.get(), rate));
#endif
}

/// 0 if the whole record was there.
int run(int file) {
  float rate = 0;
  std::int32_t counts[2] = {};
  static float probe[inputs];
  if (!read(file, &rate, 1) || !read(file, counts, 2) || !read(file, probe, inputs)) return 2;
  model.init();
  predict(probe);
  for (std::int32_t call = 0; call < counts[1]; ++call) {
    if (!read(file, input, inputs) || !read(file, target.data, sizeof target.data / 4)) return 2;
    learn(rate, counts[0], call);
  }
  predict(probe);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int file = board::open_read(argv[1]);
  if (file < 0) return 2;
  const int result = run(file);
  board::close(file);
  if (result != 0) return result;
  const std::size_t size = model.save(checkpoint, sizeof checkpoint);
  if (size != sizeof checkpoint) return 3;
  const int out = board::open_write(argv[2]);
  if (out < 0 || board::write(out, checkpoint, size) != size) return 4;
  board::close(out);
  return 0;
}
