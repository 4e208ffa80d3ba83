// What one Thumb-2 instruction costs on a Cortex-M4 with zero wait states: a pure function of its two
// halfwords.
//
// Source of the figures: Cortex-M4 Technical Reference Manual (Arm 100166), sections 3.3 "Instruction set
// summary" and 7.2.3 "FPU instruction set". Where the manual gives a range, one figure is fixed (divide 7).
// docs/emulation.md has the whole table and its limits.
#ifndef TINYTC_TEST_FIRMWARE_PLUGIN_CORTEX_M_CYCLES_H
#define TINYTC_TEST_FIRMWARE_PLUGIN_CORTEX_M_CYCLES_H

#include <stdbool.h>
#include <stdint.h>

// Extra cycles of every taken branch, whatever the instruction: the pipeline refills.
enum { taken_branch_extra = 2 };

struct InstructionCost {
  int cycles;            // not taken, nothing pipelined
  bool is_single_load;   // LDR of any width or VLDR of one word: can overlap with its neighbour
  int load_destination;  // core register that it loads, -1 for none or for an FPU register
  unsigned addresses;    // bit set of the core registers that form its address
};

// Size in bytes of the instruction that starts with this halfword: 2 or 4.
int thumb_size(uint16_t first);

// Cost of the instruction (second is ignored for 2-byte instructions).
struct InstructionCost thumb_cost(uint16_t first, uint16_t second);

// Whether `load` runs pipelined behind `previous`: both are single loads and the address does not wait for
// the value that is just being loaded. It then takes one cycle less.
bool is_pipelined(const struct InstructionCost* previous, const struct InstructionCost* load);

#endif  // TINYTC_TEST_FIRMWARE_PLUGIN_CORTEX_M_CYCLES_H
