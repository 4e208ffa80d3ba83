// A firmware that learns: it sees the same movement a few times with its label and recognises it better each time. What it has
// learned survives a restart in a checkpoint.
#include <cstdint>

#include "gesture.h"
#include "semihosting.h"

namespace {

gesture::Model model;                                    // all of the model's RAM; lies in .bss
float movement[gesture::Info::input_elements];           // six axes of an inertial sensor, 100 samples each
std::uint8_t checkpoint[gesture::Info::checkpoint_bytes];  // a real firmware writes this to flash

/// Stands for reading the sensor: a triangle wave on every axis, each with another period.
void record_movement() {
  for (int axis = 0; axis < 6; ++axis)
    for (int i = 0; i < 100; ++i) {
      const int period = 10 + 4 * axis, phase = i % period;
      movement[100 * axis + i] = static_cast<float>(2 * phase < period ? phase : period - phase) / 10.0F - 0.5F;
    }
}

void print_loss(const char* what, float loss) {
  semihosting::print(what);
  semihosting::print_thousandths(static_cast<std::int32_t>(loss * 1000.0F));
  semihosting::print("\n");
}

}  // namespace

int main() {
  const std::int32_t label = 3;  // what the user says the movement was
  model.init();
  record_movement();

  const float before = model.evaluate(movement, label);
  print_loss("loss before training: ", before);
  for (int step = 0; step < 10; ++step) model.train_step(movement, label, 0.01F);
  const float after = model.evaluate(movement, label);
  print_loss("loss after ten steps: ", after);

  const std::size_t size = model.save(checkpoint, sizeof checkpoint);
  model.reset();  // back to the factory weights, as after a restart
  const gesture::Status status = model.load(checkpoint, size);
  const bool restored = status == gesture::Status::ok && model.evaluate(movement, label) == after;
  semihosting::print(restored ? "checkpoint restored\n" : "the checkpoint was refused\n");
  return after < before && restored ? 0 : 1;
}
