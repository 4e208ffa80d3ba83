// Firmware that learns to read digits from nothing, on a core without floating-point unit.
//
// Build: tinytc models/digits/digits.onnx --target rp2040 --train all --loss cross-entropy --name reader
// and scripts/emulate with -DTINYTC_SAMPLES="models/digits/digits.bin", whose content goes into flash.
// Argument: the seed of the order in which the digits are learned (0). Reports how many test digits are read right before training
// and after each epoch.
#include <cstdlib>

#include "board.h"
#include "marker.h"
#include "models/digits/protocol.h"
#include "models/digits/samples.h"
#include "models/embed_file.h"
#include "models/example_firmware.h"
#include "models/lcg.h"
#include "reader.h"

TINYTC_EMBED_FILE(digits_file, TINYTC_SAMPLES)

namespace {

constexpr int kMaxTrain = 1400;

reader::Model model;
float digit[reader::Info::input_elements];
int order[kMaxTrain];

int predicted_class() { return example::predicted_class(model, static_cast<int>(reader::Info::output_elements)); }

int count_right(const digits::Samples& samples) {
  int right = 0;
  for (int i = samples.train(); i < samples.digits(); ++i) {
    samples.input(i, model.input());
    if (predicted_class() == samples.label(i)) ++right;
  }
  return right;
}

void learn(const digits::Samples& samples, float learning_rate) {
  for (int i = 0; i < samples.train(); ++i) {
    samples.input(order[i], digit);
    TINYTC_REGION_BEGIN("train_step");
    model.train_step(digit, samples.label(order[i]), learning_rate);
    TINYTC_REGION_END("train_step");
  }
}

/// Prints and reports the accuracy after an epoch; epoch 0 is before training.
void show(int epoch, int right, int tests) {
  board::print("epoch ");
  board::print(epoch);
  board::print(": ");
  board::print(right);
  board::print(" of ");
  board::print(tests);
  board::print(" test digits right\n");
  char name[] = "epoch_0";
  name[6] = static_cast<char>('0' + epoch);
  board::report(name, static_cast<std::uint32_t>(right));
}

}  // namespace

int main(int argc, char** argv) {
  const digits::Samples samples(digits_file, static_cast<std::size_t>(digits_file_end - digits_file));
  if (!samples.valid() || samples.pixels() != static_cast<int>(reader::Info::input_elements) || samples.train() > kMaxTrain)
    return 1;
  const int tests = samples.digits() - samples.train();
  board::report("tests", static_cast<std::uint32_t>(tests));
  example::Random random(static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 0));
  for (int i = 0; i < samples.train(); ++i) order[i] = i;
  model.init();
  show(0, count_right(samples), tests);
  for (int epoch = 0; epoch < digits::kEpochs; ++epoch) {
    random.shuffle(order, samples.train());
    learn(samples, digits::kLearningRates[epoch]);
    show(epoch + 1, count_right(samples), tests);
  }
  example::report_memory(model, digit);
  return 0;
}
