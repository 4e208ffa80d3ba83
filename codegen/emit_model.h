// The emitted model: NAME.h and NAME.cpp as text, from a planned Program. DESIGN section 4 is the contract of what they offer.
//
// Read emit_model() in emit_model.cpp for the order of the parts; emit_header and emit_methods hold the class, emit_calls the kernels'
// functions and tables, emit_checkpoint save() and load().
#pragma once

#include <future>

#include "codegen/emit_calls.h"
#include "codegen/target_config.h"

namespace tinytc {

/// One input of the model for the emitted self-test, and what the host computed from it.
struct SelfTest {
  std::vector<std::vector<std::byte>> inputs;   // in the order of the interface
  std::vector<std::vector<std::byte>> outputs;
};

/// What the emitted code says of itself and how it is to be written.
struct EmitOptions {
  std::string name;          // namespace and file name
  std::string version;       // of tinytc
  std::string model_file;    // file name only, for the comment at the top
  std::string target;        // name of the target
  std::uint64_t model_hash = 0;       // of the imported graph
  std::uint64_t checkpoint_hash = 0;  // of what a checkpoint must agree with
  std::vector<std::string> checkpoint_order;  // names of persistent buffers, in the order of a checkpoint
  bool calls_yield = false;
  std::vector<SelfTest> self_tests;
  std::map<std::string, double> initial_bounds;  // parameter -> randomize() draws from [-bound, bound); absent: factory value
  std::vector<TargetConfig> arms;                // for the slice
};

struct FinishedSource {
  std::string source;            // NAME.cpp
  std::string source_for_audit;  // the same with tables declared instead of defined
};

struct EmittedModel {
  std::string header;                // NAME.h
  std::string source_for_measuring;  // NAME.cpp for the target alone: without what only other compilers reach, and with tables' first elements only
  std::shared_future<FinishedSource> finished;  // with what all compilers reach; is written while the target's compiler measures
  std::int64_t checkpoint_bytes = 0;
  std::map<Entry, std::vector<std::string>> call_names;  // function of each call, in order
  std::int64_t table_bytes = 0;  // constants and initial values in flash
};

/// The program must stay until `finished` is there.
EmittedModel emit_model(const Program& program, const EmitOptions& options);

/// Size in bytes of a checkpoint of the program: the frame of runtime/checkpoint.h and the tensors.
std::int64_t checkpoint_bytes(const Program& program, const EmitOptions& options);

// The parts of the emitted text, for emit_model.cpp.

/// An argument of the emitted calls.
struct PortText {
  std::string name;   // identifier
  std::string type;   // element type
  std::int64_t elements = 0;
  BufferId buffer = no_buffer;
  std::int64_t classes = 0;  // labels: class indices below this; 0: a target of real numbers
  std::int64_t ignored = 0;  // labels: the index that the loss skips
  bool by_value = false;     // labels: one class index
};

/// Arguments of one entry point, with identifiers made once for all entry points.
struct Ports {
  std::vector<PortText> inputs, labels, outputs;
};

struct EmitContext {
  const Program& program;
  const EmitOptions& options;
  CallWriter& calls;
  std::map<Entry, Ports> ports;
  std::map<Entry, std::vector<std::string>> statements;
};

std::string emit_header(const EmitContext& context);
/// Definitions of Info's members, which C++14 wants outside the class.
std::string emit_info_definitions(const EmitContext& context);
std::string emit_methods(const EmitContext& context);
std::string emit_checkpoint(const EmitContext& context);
std::string emit_c_wrappers(const EmitContext& context);
std::string emit_self_test(const EmitContext& context);
/// Declarations of the C wrappers, for the header.
std::string c_declarations(const EmitContext& context);
/// "const float* x, std::int32_t label, float learning_rate": parameters of an entry point's call.
std::string parameters_of(const EmitContext& context, Entry entry);
/// "input" for a model with one, "input_NAME" otherwise; the same for outputs.
std::string accessor_name(const std::string& kind, const std::vector<PortText>& ports, const PortText& port);
bool has_entry(const EmitContext& context, Entry entry);

}  // namespace tinytc
