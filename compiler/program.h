// Program: kernel calls on placed buffers, one list of calls an entry point. What lowering makes of a Graph, and all that emission reads.
//
// Buffers of storage `arena` belong to one entry point and live from the call that first writes them to the last that reads them;
// `persistent` and `flash` buffers are shared by all entry points. A view is a part of its parent buffer and has no place of its own.
#pragma once

#include <map>

#include "compiler/graph.h"

namespace tinytc {

/// The calls that emitted code offers. `run` serves the compiler's own evaluator only.
enum class Entry : std::uint8_t { predict, evaluate, train_step, accumulate, apply, run };
std::string_view name_of(Entry entry);

enum class Storage : std::uint8_t { flash, persistent, arena };

using BufferId = std::int32_t;
constexpr BufferId no_buffer = -1;

struct Buffer {
  std::string name;  // of the graph's value
  TensorType type;
  Storage storage = Storage::arena;
  int alignment = 4;            // bytes
  std::int64_t offset = -1;     // bytes from the start of the arena or of the persistent block; flash: unused
  BufferId parent = no_buffer;  // a view: the buffer that holds its elements
  std::int64_t parent_offset = 0;  // bytes from the parent's first byte
  Role role = Role::computed;
  bool is_scratch = false;  // a call's own working memory
  std::vector<std::byte> data = {};  // flash and persistent: (initial) elements
};

/// Names and values of a shape struct's fields, in declaration order; an array field has several numbers.
using ShapeFields = std::vector<std::pair<std::string, std::vector<int>>>;

/// One argument of a kernel call.
struct Argument {
  enum class Kind : std::uint8_t {
    input,    // const T* to `buffer`
    output,   // T* to `buffer`, written
    update,   // T* to `buffer`, read and written
    element,  // the scalar at `element` of `buffer`, by value
    null,     // a null `const T*`, T = text
    literal,  // `text` as it stands
    integer,  // the int of the only field of `fields`
    shape,    // a constant of the struct `text` with `fields`
    object,   // text{parts...}
    call,     // text(parts...)
  };
  Kind kind = Kind::literal;
  BufferId buffer = no_buffer;
  std::int64_t element = 0;
  std::string text = {};
  ShapeFields fields = {};
  std::vector<Argument> parts = {};
};

/// The output may overlap the input while address(input) - address(output) >= lead_bytes; else they must be disjoint.
struct Overlap {
  BufferId output = no_buffer, input = no_buffer;
  std::int64_t lead_bytes = 0;
};

struct KernelTraits {
  std::int64_t macs = 0;  // multiply-accumulates
  std::vector<Overlap> overlaps = {};
  // Of a call that got a kernel with less scratch because the plan exceeded the RAM (passes/fit_memory):
  std::int64_t saved_scratch = 0;  // bytes
  double given_up_cycles = 0;      // of the cost model
};

struct KernelCall {
  std::string header;  // "runtime/conv2d.h"
  std::string kernel;  // C++ name in namespace tinytc, with explicit template arguments if any
  std::vector<Argument> arguments;
  KernelTraits traits;
  Location location;
  std::string comment;  // what it computes, for the emitted code: "f32[1,3,32,32] -> f32[1,16,32,32]"
  std::size_t node = 0;  // of the graph that was lowered
  bool shares_code = false;  // may run in a function that takes shapes as data; calls of that function differ in nothing else
  bool shares_widely = false;  // ... even where a dimension, stride or padding of 0 or 1, or another number, would make a part of it unnecessary
};

/// What an entry point's caller passes and gets: buffers in the arena of that entry.
struct Interface {
  std::vector<BufferId> arguments;  // all graph inputs in graph order, then the learning rate if there is one
  std::vector<BufferId> inputs;   // graph inputs of role input, in graph order
  std::vector<BufferId> labels;   // graph inputs of role label
  std::vector<std::int64_t> label_classes;  // of each label: class indices lie in [0, this); 0 for a target of real numbers
  std::vector<std::int64_t> label_ignored;  // of each label: the class index that the loss skips; 0 when there is none
  std::vector<BufferId> outputs;  // in graph order
  BufferId loss = no_buffer;
  BufferId learning_rate = no_buffer;
};

struct Program {
  std::string name;
  bool dual_multiply = true;  // the core multiplies two pairs of int16 at once (CoreFeature::dsp): decides kernels and packing
  std::vector<Buffer> buffers;
  std::map<Entry, std::vector<KernelCall>> calls;
  std::map<Entry, Interface> interfaces;
  std::int64_t arena_bytes = 0;       // maximum over the entry points
  std::int64_t persistent_bytes = 0;
  bool has_vectors = false;  // the target multiplies vectors of 16 int8 (Helium): kernels of runtime/q_vector.h

  Buffer& buffer(BufferId id) { return buffers[static_cast<std::size_t>(id)]; }
  const Buffer& buffer(BufferId id) const { return buffers[static_cast<std::size_t>(id)]; }
};

/// The buffer that holds `id`'s elements (itself unless it is a view) and the offset in bytes of `id` in it.
struct Place {
  BufferId root = no_buffer;
  std::int64_t offset = 0;
};
Place place_of(const Program& program, BufferId id);

/// Calls f(buffer, is_written, is_read) for every buffer that the argument touches.
template <typename F>
void for_each_buffer(const Argument& argument, F f) {
  using Kind = Argument::Kind;
  const bool writes = argument.kind == Kind::output || argument.kind == Kind::update;
  const bool reads = argument.kind == Kind::input || argument.kind == Kind::update || argument.kind == Kind::element;
  if (writes || reads) f(argument.buffer, writes, reads);
  for (const Argument& part : argument.parts) for_each_buffer(part, f);
}

}  // namespace tinytc
