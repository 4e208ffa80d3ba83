// QEMU plugin that counts executed instructions and estimates Cortex-M4 cycles, in named regions and per
// block.
//
// How to read it: on_translation prices a block of code once, when QEMU translates it; on_block runs each
// time the block executes and adds two numbers; on_marker runs at the few marked instructions and opens or
// closes a region; on_exit writes the result. Taken branches are found as the code runs: a block that does
// not start where the previous one ended was jumped to. Counts depend on nothing but the executed code: the
// guest runs without interrupts, and neither the borders of QEMU's blocks nor repeated translation change a
// sum.
//
// Arguments: markers=FILE  lines "ADDRESS b|e REGION" (hex address; region = small number): where regions
// begin and end
//            out=FILE      result: "total I C", "region N CALLS I C LAST_I LAST_C", "profile ADDRESS I C"
//            profile=on    adds the profile lines, of what ran inside any region (or everywhere when there is
//            none)
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cortex_m_cycles.h"
#include "qemu_plugin_api.h"

__attribute__((visibility("default"))) int qemu_plugin_version = QEMU_PLUGIN_API_VERSION;

enum { max_regions = 4096, block_buckets = 1 << 14 };

struct Count {
  uint64_t instructions, cycles;
};

struct Block {
  struct Block* next_in_bucket;
  uint64_t start, end;  // addresses; end = where execution goes on when no branch is taken
  struct Count cost;    // of one run from the top
  struct InstructionCost first, last;
  struct Count profile;  // summed over all runs that are profiled
};

struct Marker {
  uint64_t address;
  bool begins;
  int region;
};

// A marker as it stands inside one translated block.
struct PlacedMarker {
  const struct Marker* marker;
  struct Count rest;  // cost of what follows the marker in its block: already counted when the marker runs
};

struct Region {
  uint64_t calls;
  struct Count total, last, opened_at;
  bool is_open;
};

static struct Block* blocks[block_buckets];
static struct Marker* markers;
static size_t marker_count;
static struct Region regions[max_regions];
static int open_regions;
static struct Count now;  // everything executed so far
static const struct Block* previous_block;
static bool is_arm, profile_all, profile_regions;
static const char* out_path;

// Ends QEMU at once, without writing a result.
static void fail(const char* what, const char* which) {
  fprintf(stderr, "count plugin: %s: %s\n", what, which);
  _exit(125);
}

static void* allocate(size_t bytes) {
  void* memory = calloc(1, bytes);
  if (memory == NULL) fail("out of memory", "calloc");
  return memory;
}

static void on_block(unsigned int vcpu, void* user) {
  (void)vcpu;
  struct Block* block = user;
  uint64_t cycles = block->cost.cycles;
  if (previous_block != NULL && is_arm) {
    if (previous_block->end != block->start) {
      now.cycles += taken_branch_extra;
    } else if (is_pipelined(&previous_block->last, &block->first)) {
      --cycles;
    }
  }
  previous_block = block;
  now.instructions += block->cost.instructions;
  now.cycles += cycles;
  if (profile_all || (profile_regions && open_regions > 0)) {
    block->profile.instructions += block->cost.instructions;
    block->profile.cycles += cycles;
  }
}

static void on_marker(unsigned int vcpu, void* user) {
  (void)vcpu;
  const struct PlacedMarker* placed = user;
  struct Region* region = &regions[placed->marker->region];
  const struct Count here = {now.instructions - placed->rest.instructions, now.cycles - placed->rest.cycles};
  if (region->is_open == placed->marker->begins) {
    char text[64];
    snprintf(text, sizeof text, "region %d at 0x%" PRIx64, placed->marker->region, placed->marker->address);
    fail(region->is_open ? "opened twice" : "closed without being open", text);
  }
  region->is_open = placed->marker->begins;
  open_regions += region->is_open ? 1 : -1;
  if (region->is_open) {
    region->opened_at = here;
    return;
  }
  region->last.instructions = here.instructions - region->opened_at.instructions;
  region->last.cycles = here.cycles - region->opened_at.cycles;
  region->total.instructions += region->last.instructions;
  region->total.cycles += region->last.cycles;
  ++region->calls;
}

static const struct Marker* find_marker(uint64_t address) {
  for (size_t i = 0; i < marker_count; ++i) {
    if (markers[i].address == address) return &markers[i];
  }
  return NULL;
}

// Two halfwords of an instruction. QEMU 7.2 reports up to 6 bytes at the end of a page, so the size is taken
// from the code itself.
static struct InstructionCost decode(const struct qemu_plugin_insn* insn, int* size) {
  uint16_t code[2] = {0, 0};
  const size_t available = qemu_plugin_insn_size(insn);
  memcpy(code, qemu_plugin_insn_data(insn), available < sizeof code ? available : sizeof code);
  if (is_arm) {
    *size = thumb_size(code[0]);
    return thumb_cost(code[0], code[1]);
  }
  *size = (code[0] & 3) == 3 ? 4 : 2;  // RISC-V
  const struct InstructionCost unknown = {0, false, -1, 0};
  return unknown;
}

// The block with this extent, new or from an earlier translation of the same code: its profile goes on.
static struct Block* block_at(uint64_t start, uint64_t end) {
  struct Block** bucket = &blocks[(start >> 1) % block_buckets];
  for (struct Block* block = *bucket; block != NULL; block = block->next_in_bucket) {
    if (block->start == start && block->end == end) return block;
  }
  struct Block* block = allocate(sizeof *block);
  block->next_in_bucket = *bucket;
  block->start = start;
  block->end = end;
  *bucket = block;
  return block;
}

static void on_translation(uint64_t id, struct qemu_plugin_tb* tb) {
  (void)id;
  const size_t count = qemu_plugin_tb_n_insns(tb);
  struct PlacedMarker** placed = allocate((count + 1) * sizeof *placed);
  struct InstructionCost first = {0, false, -1, 0}, previous = first;
  struct Count sum = {0, 0};
  uint64_t start = 0, end = 0;
  size_t placed_count = 0;
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    int size = 0;
    struct InstructionCost cost = decode(insn, &size);
    const uint64_t address = qemu_plugin_insn_vaddr(insn);
    const struct Marker* marker = find_marker(address);
    if (i == 0) start = address;
    end = address + (uint64_t)size;
    if (marker != NULL) {  // counts for nothing
      struct PlacedMarker* place = allocate(sizeof *place);
      place->marker = marker;
      place->rest = sum;  // for now what precedes it
      placed[placed_count++] = place;
      qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, QEMU_PLUGIN_CB_NO_REGS, place);
      cost.cycles = 0;
    } else {
      ++sum.instructions;
    }
    if (i == 0) first = cost;
    sum.cycles += (uint64_t)(cost.cycles - (is_pipelined(&previous, &cost) ? 1 : 0));
    previous = cost;
  }
  for (size_t i = 0; i < placed_count; ++i) {
    placed[i]->rest.instructions = sum.instructions - placed[i]->rest.instructions;
    placed[i]->rest.cycles = sum.cycles - placed[i]->rest.cycles;
  }
  free(placed);
  struct Block* block = block_at(start, end);
  block->cost = sum;
  block->first = first;
  block->last = previous;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void on_exit_write(uint64_t id, void* user) {
  (void)id;
  (void)user;
  FILE* out = fopen(out_path, "w");
  if (out == NULL) fail("cannot write", out_path);
  fprintf(out, "total %" PRIu64 " %" PRIu64 "\n", now.instructions, now.cycles);
  for (int i = 0; i < max_regions; ++i) {
    const struct Region* r = &regions[i];
    if (r->calls == 0 && !r->is_open) continue;
    fprintf(out, "region %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", i, r->calls,
            r->total.instructions, r->total.cycles, r->last.instructions, r->last.cycles, r->is_open ? 1 : 0);
  }
  for (int i = 0; i < block_buckets; ++i) {
    for (const struct Block* b = blocks[i]; b != NULL; b = b->next_in_bucket) {
      if (b->profile.instructions == 0) continue;
      fprintf(out, "profile %" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->start, b->profile.instructions,
              b->profile.cycles);
    }
  }
  if (fclose(out) != 0) fail("cannot write", out_path);
}

static void read_markers(const char* path) {
  FILE* in = fopen(path, "r");
  if (in == NULL) fail("cannot read", path);
  uint64_t address;
  char kind;
  int region, fields;
  size_t capacity = 0;
  while ((fields = fscanf(in, "%" SCNx64 " %c %d", &address, &kind, &region)) == 3) {
    if (region < 0 || region >= max_regions || (kind != 'b' && kind != 'e')) fail("bad marker in", path);
    if (marker_count == capacity) {
      capacity = capacity == 0 ? 64 : 2 * capacity;
      markers = realloc(markers, capacity * sizeof *markers);
      if (markers == NULL) fail("out of memory", "markers");
    }
    const struct Marker marker = {address, kind == 'b', region};
    markers[marker_count++] = marker;
  }
  if (fields != EOF) fail("bad line in", path);
  fclose(in);
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id,
                                                               const struct qemu_plugin_host* host, int argc,
                                                               char** argv) {
  bool profile = false;
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "markers=", 8) == 0) {
      read_markers(argv[i] + 8);
    } else if (strncmp(argv[i], "out=", 4) == 0) {
      out_path = strdup(argv[i] + 4);
    } else if (strcmp(argv[i], "profile=on") == 0) {
      profile = true;
    } else {
      fail("unknown argument", argv[i]);
    }
  }
  if (out_path == NULL) fail("missing argument", "out=FILE");
  is_arm = strcmp(host->target_name, "arm") == 0;
  profile_all = profile && marker_count == 0;
  profile_regions = profile && marker_count > 0;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_atexit_cb(id, on_exit_write, NULL);
  return 0;
}
