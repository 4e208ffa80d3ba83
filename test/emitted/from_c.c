/* The C interface: the same steps as from_c_twin.cpp, which must print the same. */
#include <stdio.h>

#include "net.h"

static net_model model;
static float x[INPUTS], y[OUTPUTS];

int main(void) {
  int i, step;
  static unsigned char checkpoint[CHECKPOINT_BYTES];
  net_init(&model);
  for (i = 0; i < INPUTS; ++i) x[i] = (float)(i % 5) / 5.0f;
  for (step = 0; step < 4; ++step) printf("%a\n", (double)net_train_step(&model, x, 2, 0.05f));
  printf("%a\n", (double)net_evaluate(&model, x, 2));
  if (net_save(&model, checkpoint, sizeof checkpoint) != CHECKPOINT_BYTES) return 1;
  net_reset(&model);
  if (net_load(&model, checkpoint, CHECKPOINT_BYTES) != 0) return 2;
  if (net_load(&model, checkpoint, CHECKPOINT_BYTES - 1) == 0) return 3;
  for (i = 0; i < INPUTS; ++i) net_input(&model)[i] = x[i];
  net_predict(&model);
  for (i = 0; i < OUTPUTS; ++i) y[i] = net_output(&model)[i];
  for (i = 0; i < OUTPUTS; ++i) printf("%a\n", (double)y[i]);
  return 0;
}
