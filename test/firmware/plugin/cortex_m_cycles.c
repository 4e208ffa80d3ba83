// Decodes Thumb-2 instructions just far enough to price them. See cortex_m_cycles.h.
//
// How to read it: thumb_cost splits by size; the 32-bit half goes by the encoding groups of the Armv7-M
// Architecture Reference Manual, section A5.3 (load/store multiple, dual, single, multiply and divide) and A6
// (floating point).
#include "cortex_m_cycles.h"

enum { register_pc = 15 };

static const struct InstructionCost one_cycle = {1, false, -1, 0};

static struct InstructionCost fixed(int cycles) {
  struct InstructionCost cost = one_cycle;
  cost.cycles = cycles;
  return cost;
}

static struct InstructionCost single_load(int destination, unsigned addresses) {
  struct InstructionCost cost = {2, true, destination, addresses};
  return cost;
}

int thumb_size(uint16_t first) { return (first >> 11) >= 0x1d ? 4 : 2; }

static struct InstructionCost cost_16(uint16_t code) {
  const int low_register = code & 7, base = (code >> 3) & 7;
  if ((code & 0xf800) == 0x4800) return single_load((code >> 8) & 7, 0);  // LDR (literal)
  if ((code & 0xf000) == 0x5000) {                                        // load/store, register offset
    const bool is_load = ((code >> 9) & 7) >= 3;
    return is_load ? single_load(low_register, 1u << base | 1u << ((code >> 6) & 7)) : one_cycle;
  }
  if ((code & 0xe000) == 0x6000 || (code & 0xf000) == 0x8000) {  // load/store, immediate offset
    return (code & 0x0800) != 0 ? single_load(low_register, 1u << base) : one_cycle;
  }
  if ((code & 0xf000) == 0x9000) {  // load/store, SP relative
    return (code & 0x0800) != 0 ? single_load((code >> 8) & 7, 1u << 13) : one_cycle;
  }
  if ((code & 0xf600) == 0xb400) return fixed(1 + __builtin_popcount(code & 0x1ff));  // PUSH, POP
  if ((code & 0xf000) == 0xc000) return fixed(1 + __builtin_popcount(code & 0xff));   // STM, LDM
  return one_cycle;
}

// Load/store multiple, dual, exclusive; table branch: first halfword 1110 100x xxxx xxxx.
static struct InstructionCost cost_multiple(uint16_t first, uint16_t second) {
  if ((first & 0x0040) == 0) return fixed(1 + __builtin_popcount(second));         // LDM, STM
  if ((first & 0xfff0) == 0xe8d0 && (second & 0xffe0) == 0xf000) return fixed(2);  // TBB, TBH
  if ((first & 0x0120) != 0) return fixed(1 + 2);                                  // LDRD, STRD
  return fixed((first & 0x0010) != 0 ? 2 : 1);                                     // exclusive
}

// Load/store single: first halfword 1111 100x xxxx xxxx.
static struct InstructionCost cost_single(uint16_t first, uint16_t second) {
  const int base = first & 15, destination = second >> 12;
  const bool is_load = (first & 0x0010) != 0, is_word = (first & 0x0060) == 0x0040;
  if (!is_load) return one_cycle;
  if (destination == register_pc) return is_word ? fixed(2) : one_cycle;  // LDR PC; PLD and its kin
  const bool register_offset = (first & 0x0080) == 0 && (second & 0x0fc0) == 0 && base != register_pc;
  return single_load(destination, 1u << base | (register_offset ? 1u << (second & 15) : 0));
}

// Floating-point load, store and two-register transfer: first halfword 1110 110x xxxx xxxx.
static struct InstructionCost cost_fpu_memory(uint16_t first, uint16_t second) {
  if ((first & 0xffe0) == 0xec40) return fixed(2);  // VMOV between two core registers and the FPU
  const bool is_double = (second & 0x0100) != 0, is_load = (first & 0x0010) != 0;
  if ((first & 0x0120) != 0x0100) return fixed(1 + (second & 0xff));  // VLDM, VSTM, VPUSH, VPOP
  if (is_double) return fixed(1 + 2);
  return is_load ? single_load(-1, 1u << (first & 15)) : one_cycle;
}

// Floating-point arithmetic and one-register transfer: first halfword 1110 1110 xxxx xxxx.
static struct InstructionCost cost_fpu_arithmetic(uint16_t first, uint16_t second) {
  if ((second & 0x0010) != 0) {
    const bool is_status = (first & 0x00e0) == 0x00e0;  // VMRS, VMSR
    return is_status ? one_cycle : fixed(2);            // VMOV between a core register and the FPU
  }
  switch ((first >> 4) & 0xb) {
    case 0x0:  // VMLA, VMLS
    case 0x1:  // VNMLA, VNMLS
    case 0x9:  // VFNMA, VFNMS
    case 0xa:  // VFMA, VFMS
      return fixed(3);
    case 0x8:
      return fixed(14);  // VDIV
    case 0xb:
      return fixed((first & 15) == 1 && (second & 0x00c0) == 0x00c0 ? 14
                                                                    : 1);  // VSQRT; conversions and the rest
    default:
      return one_cycle;  // VMUL, VADD, VSUB
  }
}

static struct InstructionCost cost_32(uint16_t first, uint16_t second) {
  const bool is_fpu = (second & 0x0e00) == 0x0a00;
  if ((first & 0xfe00) == 0xe800) return cost_multiple(first, second);
  if ((first & 0xfe00) == 0xf800) return cost_single(first, second);
  if ((first & 0xfe00) == 0xec00 && is_fpu) return cost_fpu_memory(first, second);
  if ((first & 0xff00) == 0xee00 && is_fpu) return cost_fpu_arithmetic(first, second);
  const bool is_divide = (first & 0xffd0) == 0xfb90 && (second & 0xf0f0) == 0xf0f0;
  return is_divide ? fixed(7) : one_cycle;
}

struct InstructionCost thumb_cost(uint16_t first, uint16_t second) {
  return thumb_size(first) == 2 ? cost_16(first) : cost_32(first, second);
}

bool is_pipelined(const struct InstructionCost* previous, const struct InstructionCost* load) {
  if (!previous->is_single_load || !load->is_single_load) return false;
  return previous->load_destination < 0 || (load->addresses >> previous->load_destination & 1) == 0;
}
