// Prints what firmware sees of the sample files, for models_test.py to compare with Python.
// Arguments: shoulder file, digits file, seed. Lines: training order, labels and last window of the shoulder
// file; the same of the digits (with the second digit in place of the last).
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "models/digits/protocol.h"
#include "models/digits/samples.h"
#include "models/lcg.h"
#include "models/shoulder/protocol.h"
#include "models/shoulder/samples.h"

namespace {

std::vector<std::uint8_t> contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void print_values(const std::vector<float>& values) {
  for (const float value : values) std::printf("%.9g ", static_cast<double>(value));
  std::printf("\n");
}

void print_shoulder(const shoulder::Samples& samples, int seed) {
  shoulder::Sequence<shoulder::kMaxPool> sequence(samples.subject(), seed);
  if (!sequence.draw(samples, shoulder::kWindowsPerRecording)) std::exit(1);
  for (int epoch = 0; epoch < shoulder::kEpochs; ++epoch) {
    sequence.next_epoch();
    for (int step = 0; step < sequence.count(); ++step) std::printf("%d ", sequence.window(step));
  }
  std::printf("\n");
  for (int window = 0; window < samples.windows(); ++window)
    std::printf("%d ", static_cast<int>(samples.label(window)));
  std::printf("\n");
  std::vector<float> input(static_cast<std::size_t>(samples.window_elements()));
  samples.input(samples.windows() - 1, input.data());
  print_values(input);
}

void print_digits(const digits::Samples& samples, int seed) {
  std::vector<int> order;
  for (int digit = 0; digit < samples.train(); ++digit) order.push_back(digit);
  example::Random random(static_cast<std::uint32_t>(seed));
  for (int epoch = 0; epoch < digits::kEpochs; ++epoch) {
    random.shuffle(order.data(), samples.train());
    for (const int digit : order) std::printf("%d ", digit);
  }
  std::printf("\n");
  for (int digit = 0; digit < samples.digits(); ++digit)
    std::printf("%d ", static_cast<int>(samples.label(digit)));
  std::printf("\n");
  std::vector<float> input(static_cast<std::size_t>(samples.pixels()));
  samples.input(1, input.data());
  print_values(input);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::vector<std::uint8_t> shoulder_file = contents(argv[1]);
  const std::vector<std::uint8_t> digits_file = contents(argv[2]);
  const shoulder::Samples windows(shoulder_file.data(), shoulder_file.size());
  const digits::Samples pictures(digits_file.data(), digits_file.size());
  if (!windows.valid() || !pictures.valid()) return 1;
  print_shoulder(windows, std::atoi(argv[3]));
  print_digits(pictures, std::atoi(argv[3]));
}
