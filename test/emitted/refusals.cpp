// Bad arguments of training calls, and steps whose loss or statistics are not finite: nothing changes, and the call says so. LABELS is defined
// where the labels are classes, STATISTICS where the model keeps running statistics.
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "driver.h"

namespace {

constexpr std::size_t inputs = driver::net::Info::input_elements, bytes = driver::net::Info::checkpoint_bytes;
driver::M model;
float input[inputs];
std::uint8_t before[bytes], after[bytes];
int failures = 0;

void expect(bool good, const char* what) {
  if (good) return;
  std::printf("wrong: %s\n", what);
  ++failures;
}

bool is_nan(float x) { return x != x; }

void expect_refused(const char* what, const driver::Target& target, float rate, bool evaluates_too) {
  model.save(before, bytes);
  expect(is_nan(driver::train_step(model, input, target, rate)), what);
  if (evaluates_too) expect(is_nan(driver::evaluate(model, input, target)), what);
  model.save(after, bytes);
  expect(std::memcmp(before, after, bytes) == 0, what);
}

}  // namespace

int main() {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  model.init();
  driver::Numbers numbers(1);
  numbers.fill(input, inputs);
  const driver::Target good(1);
  // Momentum and Adam's moments are not zero any more.
  for (int i = 0; i < 3; ++i) expect(driver::train_step(model, input, good, 0.01F) > 0.0F, "a good step has a loss");

  for (float rate : {nan, infinity, -infinity}) expect_refused("learning rate", good, rate, false);
  for (float value : {nan, infinity, -infinity})
    for (std::size_t at : {std::size_t(0), inputs / 2, inputs - 1}) {
      const float kept = input[at];
      input[at] = value;
      expect_refused("input", good, 0.01F, true);
      input[at] = kept;
    }
#ifdef LABELS
  for (std::int32_t label : {-1, LABELS, 1 << 30, std::numeric_limits<std::int32_t>::min()}) {
    driver::Target bad(1);
    bad.classes[0] = label;
    expect_refused("label", bad, 0.01F, true);
  }
#else
  for (float value : {nan, infinity}) {
    driver::Target bad(1);
    bad.numbers[0] = value;
    expect_refused("target", bad, 0.01F, true);
  }
#endif
  // Finite inputs whose activations are not: only the loss shows it, when the forward pass has run.
  float ordinary[inputs];
  std::memcpy(ordinary, input, sizeof ordinary);
  for (float& x : input) x = std::numeric_limits<float>::max();
  model.save(before, bytes);
  const float loss = driver::train_step(model, input, good, 0.01F);
  expect(is_nan(loss) || loss > std::numeric_limits<float>::max(), "a loss that is not finite comes back");
  model.save(after, bytes);
  expect(std::memcmp(before, after, bytes) == 0, "a loss that is not finite changes nothing");
#ifdef STATISTICS
  // Finite inputs whose variance is not: normalised they are 0, so the loss alone would not show it.
  for (std::size_t i = 0; i < inputs; ++i) input[i] = ordinary[i] * 1e25F;
  expect_refused("running statistics that would not stay finite", good, 0.01F, false);
#endif
  std::memcpy(input, ordinary, sizeof ordinary);

  model.save(before, bytes);
  expect(driver::train_step(model, input, good, 0.01F) > 0.0F, "a good step afterwards");
  model.save(after, bytes);
  expect(std::memcmp(before, after, bytes) != 0, "a good step changes something");
  return failures;
}
