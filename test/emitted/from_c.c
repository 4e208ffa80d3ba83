/* The C interface: trains, saves, loads and predicts; prints losses and outputs. */
#include <stdio.h>

#include "net.h"

static net_model model;
static float x[net_input_elements], y[net_output_elements];

int main(void) {
  int i, step;
  static unsigned char checkpoint[net_checkpoint_bytes];
  net_init(&model);
  for (i = 0; i < net_input_elements; ++i) x[i] = (float)(i % 5) / 5.0f;
  for (step = 0; step < 4; ++step) printf("%a\n", (double)net_train_step(&model, x, 2, 0.05f));
  printf("%a\n", (double)net_evaluate(&model, x, 2));
  if (net_save(&model, checkpoint, sizeof checkpoint) != net_checkpoint_bytes) return 1;
  net_reset(&model);
  if (net_load(&model, checkpoint, net_checkpoint_bytes) != 0) return 2;
  if (net_load(&model, checkpoint, net_checkpoint_bytes - 1) == 0) return 3;
  for (i = 0; i < net_input_elements; ++i) net_input(&model)[i] = x[i];
  net_predict(&model);
  for (i = 0; i < net_output_elements; ++i) y[i] = net_output(&model)[i];
  for (i = 0; i < net_output_elements; ++i) printf("%a\n", (double)y[i]);
  return 0;
}
