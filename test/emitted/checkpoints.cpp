// Checkpoints: saved, loaded, cut short at every length, every bit flipped, with trailing bytes.
//   checkpoints save FILE      trains, writes the checkpoint and the outputs' bits
//   checkpoints load FILE      the same model for another target: must load, and predict the same bits
//   checkpoints refuse FILE    another model: must refuse and stay as it was
//   checkpoints golden FILE    as `save` wrote it with an earlier tinytc: the same training gives the same bytes, loads, goes on from there
//   checkpoints abuse          everything that can happen to the bytes
#include <cstdio>
#include <cstring>
#include <vector>

#include "driver.h"

namespace {

using driver::net::Status;
constexpr std::size_t inputs = driver::net::Info::input_elements, outputs = driver::net::Info::output_elements;
constexpr std::size_t bytes = driver::net::Info::checkpoint_bytes;
driver::M model;
int failures = 0;

void expect(bool good, const char* what, std::size_t at = 0) {
  if (good) return;
  std::printf("wrong: %s (%zu)\n", what, at);
  ++failures;
}

void train(int steps, int first = 0) {
  float input[inputs];
  for (int i = first; i < first + steps; ++i) {
    driver::Numbers(static_cast<std::uint32_t>(i)).fill(input, inputs);
    driver::train_step(model, input, driver::Target(static_cast<std::uint32_t>(i)), 0.01F);
  }
}

std::vector<float> predict() {
  driver::Numbers(9).fill(model.input(), inputs);
  model.predict();
  return {model.output(), model.output() + outputs};
}

std::vector<std::uint8_t> save() {
  std::vector<std::uint8_t> to(bytes);
  expect(model.save(to.data(), to.size()) == bytes, "save() writes Info::checkpoint_bytes");
  return to;
}

/// load() must return `status` (any error if ok) and leave the model as it was.
void expect_refused(const std::uint8_t* data, std::size_t size, const char* what, std::size_t at, Status status = Status::ok) {
  const std::vector<std::uint8_t> before = save();
  const Status got = model.load(data, size);
  expect(status == Status::ok ? got != Status::ok : got == status, what, at);
  expect(save() == before, "a refused checkpoint changes nothing", at);
}

/// Cuts it short at every `stride`th length.
void cut_bytes(const std::vector<std::uint8_t>& good, std::size_t stride) {
  for (std::size_t size = 0; size < bytes; size += stride) {
    const std::vector<std::uint8_t> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    expect_refused(cut.data(), size, "cut short", size, size == 0 ? Status::ok : Status::truncated);
  }
}

/// Flips every `stride`th bit, one at a time.
void flip_bits(const std::vector<std::uint8_t>& good, std::size_t stride) {
  for (std::size_t bit = 0; bit < 8 * bytes; bit += stride) {
    std::vector<std::uint8_t> flipped = good;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    expect_refused(flipped.data(), bytes, "bit flipped", bit);
  }
}

void abuse_bytes(const std::vector<std::uint8_t>& good) {
  cut_bytes(good, 1);
  flip_bits(good, 1);
  std::vector<std::uint8_t> changed = good;
  changed[0] = 'X';
  expect_refused(changed.data(), bytes, "magic", 0, Status::bad_magic);
  changed = good;
  changed[4] = 77;
  expect_refused(changed.data(), bytes, "version", 0, Status::wrong_version);
  changed = good;
  changed[8] = static_cast<std::uint8_t>(changed[8] ^ 1U);
  expect_refused(changed.data(), bytes, "model hash", 0, Status::wrong_model);
  changed = good;
  changed[bytes - 1] = static_cast<std::uint8_t>(changed[bytes - 1] ^ 1U);
  expect_refused(changed.data(), bytes, "CRC", 0, Status::crc_mismatch);
  expect_refused(nullptr, bytes, "null", 0, Status::bad_argument);
}

void abuse() {
  model.init();
  train(4);
  const std::vector<std::uint8_t> good = save();
  const std::vector<float> outputs_then = predict();
  std::uint8_t small[1];
  expect(model.save(small, 1) == 0, "save() into too little space");
  expect(model.save(nullptr, bytes) == 0, "save() to nowhere");
  model.reset();
  train(2);  // something else, which a bad checkpoint must not change
  abuse_bytes(good);
  std::vector<std::uint8_t> longer = good;
  longer.push_back(0xFF);  // a flash page is larger than the checkpoint
  expect(model.load(longer.data(), longer.size()) == Status::ok, "trailing bytes");
  expect(save() == good && predict() == outputs_then, "loaded");
}

std::vector<std::uint8_t> read_file(const char* path) {
  std::vector<std::uint8_t> data(1 << 20);
  std::FILE* file = std::fopen(path, "rb");
  data.resize(file == nullptr ? 0 : std::fread(data.data(), 1, data.size(), file));
  if (file != nullptr) std::fclose(file);
  return data;
}

void write_file(const char* path, const std::vector<std::uint8_t>& data) {
  std::FILE* file = std::fopen(path, "wb");
  expect(file != nullptr && std::fwrite(data.data(), 1, data.size(), file) == data.size(), "writing the file");
  if (file != nullptr) std::fclose(file);
}

void print_outputs() {
  for (float value : predict()) std::printf("%a\n", static_cast<double>(value));
}

/// What an earlier tinytc stored after the same four steps.
void golden(const std::vector<std::uint8_t>& stored) {
  train(4);
  expect(save() == stored, "the same training gives the stored bytes");
  train(2, 4);
  const std::vector<std::uint8_t> later = save();
  model.reset();
  train(1);  // something else, which a damaged checkpoint must not change
  cut_bytes(stored, 31);  // `abuse` tries all; 61 bits: every position of a bit
  flip_bits(stored, 61);
  expect(model.load(stored.data(), stored.size()) == Status::ok && save() == stored, "the stored checkpoint loads");
  train(2, 4);
  expect(save() == later, "training goes on from it as if it had never stopped");
  expect(model.load(stored.data(), stored.size()) == Status::ok, "the stored checkpoint loads again");
  print_outputs();
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "abuse";
  model.init();
  if (std::strcmp(mode, "abuse") == 0) {
    abuse();
  } else if (std::strcmp(mode, "save") == 0) {
    train(4);
    write_file(argv[2], save());
    print_outputs();
  } else {
    const std::vector<std::uint8_t> data = read_file(argv[2]);
    if (std::strcmp(mode, "load") == 0) {
      expect(model.load(data.data(), data.size()) == Status::ok, "a checkpoint of the same model for another target");
      print_outputs();
    } else if (std::strcmp(mode, "golden") == 0) {
      golden(data);
    } else {
      expect_refused(data.data(), data.size(), "a checkpoint of another model", 0, Status::wrong_model);
    }
  }
  return failures > 0 ? 1 : 0;
}
