// The phases of a strided convolution's input gradient.
//
// Input pixels of the same position modulo the stride are reached by the same taps: within such a phase the
// gradient is an ordinary correlation of dy with stride 1 and a flipped sub-kernel.
#ifndef TINYTC_RUNTIME_GRADIENT_PHASE_H
#define TINYTC_RUNTIME_GRADIENT_PHASE_H

#include "runtime/base.h"

namespace tinytc {

/// One axis of one phase of an input gradient: taps first, first + spacing, ... (count of them, in flipped
/// order) form a stride-1 kernel of this dilation and padding over dy.
struct GradientPhase {
  int first;
  int spacing;
  int count;
  int dilation;
  int pad;
};

/// The phase of the pixels `residue`, residue + stride, ... of one axis.
TINYTC_INLINE constexpr GradientPhase gradient_phase(int residue, int pad, int stride, int dilation,
                                                     int kernel) {
  if (stride == 1) {
    return GradientPhase{0, 1, kernel, dilation, (kernel - 1) * dilation - pad - residue};
  }
  int spacing = stride;
  int first = kernel;
  for (int k = stride - 1; k >= 1; --k) {
    spacing = k * dilation % stride == 0 ? k : spacing;
  }
  for (int k = kernel - 1; k >= 0; --k) {
    first = (residue + pad - k * dilation) % stride == 0 ? k : first;
  }
  const int count = (kernel - first + spacing - 1) / spacing;
  const int step = spacing * dilation / stride;
  return GradientPhase{first, spacing, count, step,
                       (count - 1) * step - (residue + pad - first * dilation) / stride};
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_GRADIENT_PHASE_H
