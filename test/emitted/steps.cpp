// Predicts, trains some steps, evaluates, saves, loads; prints every loss and output as bits. Run on the host, under sanitizers and on
// the boards: the lines must be the same.
#include "board.h"
#include "driver.h"

namespace {

constexpr std::size_t inputs = driver::net::Info::input_elements;
driver::M model;
float input[inputs];
std::uint8_t checkpoint[driver::net::Info::checkpoint_bytes];

void print_line(const char* what, float value) {
  board::print(what);
  board::print_bits(value);
  board::print("\n");
}

void predict(std::uint32_t seed) {
  driver::Numbers(seed).fill(model.input(), inputs);
  model.predict();
  for (std::size_t i = 0; i < driver::net::Info::output_elements; ++i) print_line("output ", model.output()[i]);
}

void learn(int steps) {
  for (int step = 0; step < steps; ++step) {
    driver::Numbers(static_cast<std::uint32_t>(step % 3)).fill(input, inputs);
    print_line("loss ", driver::train_step(model, input, driver::Target(static_cast<std::uint32_t>(step % 3)), 0.01F));
  }
}

}  // namespace

int main(int, char**) {
  model.init();
  predict(7);
  learn(6);
  predict(7);
  const std::size_t size = model.save(checkpoint, sizeof checkpoint);
  learn(2);
  if (model.load(checkpoint, size) != driver::net::Status::ok) return 1;
  learn(2);  // the same two again
  driver::Numbers(5).fill(input, inputs);
  print_line("evaluated ", driver::evaluate(model, input, driver::Target(5)));
  model.randomize(3);
  learn(2);
  model.reset();
  predict(7);
  return 0;
}
