// Firmware that adapts to a person: predicts, trains on a few labelled windows of that person, predicts again.
//
// Build: tinytc models/shoulder/shoulder.onnx --target nrf52840 --train all --loss cross-entropy --name exercise
// and scripts/emulate with -DTINYTC_SAMPLES="models/shoulder/samples/subject_06.bin", whose content goes into flash.
// Arguments: the seeds, each 0 to 9; every seed starts again from the factory weights. For each it reports the number of test
// windows recognised after adaptation.
#include <cstdlib>

#include "board.h"
#include "exercise.h"
#include "marker.h"
#include "models/embed_file.h"
#include "models/example_firmware.h"
#include "models/shoulder/protocol.h"
#include "models/shoulder/samples.h"

TINYTC_EMBED_FILE(person_file, TINYTC_SAMPLES)

namespace {

exercise::Model model;  // all of the model's memory; zero-initialised, no constructor runs
float window[exercise::Info::input_elements];

using Order = shoulder::Sequence<shoulder::kMaxPool>;

int predicted_class() { return example::predicted_class(model, static_cast<int>(exercise::Info::output_elements)); }

/// Test windows (later than, and disjoint from, those of the pool) whose exercise is recognised.
int count_recognised(const shoulder::Samples& person) {
  int right = 0;
  for (int i = person.pool(); i < person.windows(); ++i) {
    person.input(i, model.input());
    if (predicted_class() == person.label(i)) ++right;
  }
  return right;
}

/// The protocol's training steps; their number.
int adapt(const shoulder::Samples& person, Order& order) {
  int steps = 0;
  for (int epoch = 0; epoch < shoulder::kEpochs; ++epoch) {
    order.next_epoch();
    for (int i = 0; i < order.count(); ++i, ++steps) {
      person.input(order.window(i), window);
      TINYTC_REGION_BEGIN("train_step");
      model.train_step(window, person.label(order.window(i)), shoulder::kLearningRates[epoch]);
      TINYTC_REGION_END("train_step");
    }
  }
  return steps;
}

void report_after(int seed, int count) {
  char name[] = "after_0";
  name[6] = static_cast<char>('0' + seed);
  board::report(name, static_cast<std::uint32_t>(count));
}

void print_line(int subject, int seed, int tests, int before, int steps, int after) {
  board::print("person ");
  board::print(subject);
  board::print(", seed ");
  board::print(seed);
  board::print(": ");
  board::print(before);
  board::print(" of ");
  board::print(tests);
  board::print(" windows right; after ");
  board::print(steps);
  board::print(" training steps on the device ");
  board::print(after);
  board::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const shoulder::Samples person(person_file, static_cast<std::size_t>(person_file_end - person_file));
  if (!person.valid() || person.window_elements() != static_cast<int>(exercise::Info::input_elements)) return 1;
  const int tests = person.windows() - person.pool();
  board::report("tests", static_cast<std::uint32_t>(tests));
  model.init();
  const int before = count_recognised(person);
  board::report("before", static_cast<std::uint32_t>(before));
  for (int i = 1; i < argc; ++i) {
    const int seed = std::atoi(argv[i]);
    Order order(person.subject(), seed);
    if (seed < 0 || seed > 9 || !order.draw(person, shoulder::kWindowsPerRecording)) return 1;
    model.reset();
    const int steps = adapt(person, order);
    const int after = count_recognised(person);
    print_line(person.subject(), seed, tests, before, steps, after);
    report_after(seed, after);
  }
  example::report_memory(model, window);
  return 0;
}
