// What the example firmwares do alike: name the predicted class, report memory.
#ifndef TINYTC_MODELS_EXAMPLE_FIRMWARE_H_
#define TINYTC_MODELS_EXAMPLE_FIRMWARE_H_

#include <cstdint>

#include "board.h"
#include "marker.h"

namespace example {

// Predicts from what stands in model.input(); the index of the largest of the `classes` scores.
template <typename Model>
int predicted_class(Model& model, int classes) {
  TINYTC_REGION_BEGIN("predict");
  model.predict();
  TINYTC_REGION_END("predict");
  const float* scores = model.output();
  int best = 0;
  for (int i = 1; i < classes; ++i)
    if (scores[i] > scores[best]) best = i;
  return best;
}

// Reports RAM: the stack of a prediction and of a training step on `input` that changes no weight, and the model's size.
template <typename Model>
void report_memory(Model& model, const float* input) {
  board::stack_paint();
  model.predict();
  board::report("stack_predict", static_cast<std::uint32_t>(board::stack_used()));
  board::stack_paint();
  model.train_step(input, 0, 0.0f);
  board::report("stack_train", static_cast<std::uint32_t>(board::stack_used()));
  board::report("sizeof_model", static_cast<std::uint32_t>(sizeof model));
}

}  // namespace example

#endif  // TINYTC_MODELS_EXAMPLE_FIRMWARE_H_
