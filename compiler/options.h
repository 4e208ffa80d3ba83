// The command line: what the user asked for, checked as far as it can be without the model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "codegen/quantize_model.h"
#include "compiler/import_onnx.h"
#include "passes/add_update.h"
#include "passes/choose_sharing.h"
#include "passes/convert_interface.h"

namespace tinytc {

enum class BatchNormMode : std::uint8_t { frozen, train };

struct Options {
  std::filesystem::path model, out = ".";
  std::string target = "host";  // name, or a file ending in .yaml
  std::string name;             // of the emitted namespace and files
  ImportOptions import;
  std::optional<std::string> train;  // absent: inference only
  std::string loss;                  // empty: the graph has one
  OptimizerOptions optimizer;
  bool accumulate = false;
  BatchNormMode batch_norm = BatchNormMode::frozen;
  bool quantize = false;            // to int8
  QuantizeOptions quantization;
  std::filesystem::path calibrate;  // samples
  std::filesystem::path validate;   // samples; empty: those for calibration
  InterfaceTypes interface_types;
  Preference prefer = Preference::balanced;
  std::optional<std::int64_t> ram, flash;  // bytes; absent: the target's
  std::vector<std::string> dump;           // stages to print
  std::int64_t planner_effort = 0;         // search nodes
  bool self_test = false, calls_yield = false, quiet = false;
};

/// What the command line asks for: to compile, or to print something and stop.
struct Command {
  enum class Kind : std::uint8_t { compile, print } kind = Kind::compile;
  Options options;
  std::string text;  // kind print
};

/// Parses the arguments. Throws UsageError with the message and a pointer to --help.
Command parse_command(int argc, const char* const* argv);

extern const char* const version;  // of tinytc, "0.1.0"

}  // namespace tinytc
