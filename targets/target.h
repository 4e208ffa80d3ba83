// Targets: what tinytc knows about a microcontroller, read from the data files targets/*.yaml. No target fact
// stands in code.
//
// The data files are carried inside the program; `--target-file my.yaml` reads one of the user's own. Format
// of a file (every key is required; `none` where noted; sizes in bytes, or with K = 1,024 or M = 1,048,576):
//
//     description: one line for --list-targets
//     core: cortex-m4f                   # decides the estimate of cycles; `other`: a core of which there are no figures
//     features: [dsp, fpu-single]        # any of dsp, fpu-single, fpu-double, mve,
//     # wide-loads: two words by one load instruction take no longer than one (Cortex-M7)
//     clock_hz: 64000000                 # or none
//     supply_volts: 3.0                  # or none
//     active_current:                    # or none: then no energy is estimated
//       microamperes_per_mhz: 52
//       source: data sheet and conditions
//     flash:                             # regions; the first is where the linker puts the program
//       - {name: flash, start: 0x00000000, size: 1024K}
//     ram:                               # apart from flash, or the same region where one memory serves both
//       - {name: ram, start: 0x20000000, size: 256K}
//     compiler:
//       gcc: {prefix: arm-none-eabi-, flags: [-mcpu=cortex-m4, -mthumb]}    # or none
//       clang: {triple: thumbv7em-unknown-none-eabihf, cpu: cortex-m4, features: [], float_abi: hard}
//       int32: long                      # what the target's own compiler takes for std::int32_t: long or int
//       stand_in: false                  # true: clang names another architecture with the same type sizes,
//       for the audit only
//     machine: mps2-an386                # QEMU machine on which scripts/emulate runs it, or none
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tinytc {

/// One memory of the target. Addresses and sizes in bytes.
struct MemoryRegion {
  std::string name;
  std::uint64_t start = 0;
  std::int64_t size = 0;
};

enum class CoreFeature { dsp, fpu_single, fpu_double, mve, wide_loads };

/// The target's own compiler: PREFIXg++ with these flags.
struct GccCompiler {
  std::string prefix;
  std::vector<std::string> flags;
};

/// How Clang parses and compiles for the target. `features` are LLVM's, each with its sign ("+m", "-fp64").
/// On RISC-V a hard float ABI is ilp32f.
struct ClangSettings {
  std::string triple, cpu;
  std::vector<std::string> features;
  bool hard_float = false;
  std::string where;  // "FILE:LINE: compiler.clang", for messages about what Clang does not know
};

/// Supply current while the core computes, and where the figure comes from.
struct ActiveCurrent {
  double microamperes_per_mhz = 0;
  std::string source;
};

struct Target {
  std::string name;  // the file's name without .yaml
  std::string description, core;
  std::vector<CoreFeature> features;
  std::optional<std::int64_t> clock_hz;
  std::optional<double> supply_volts;
  std::optional<ActiveCurrent> active_current;
  std::vector<MemoryRegion> flash, ram;  // at least one each
  std::optional<GccCompiler> gcc;
  ClangSettings clang;
  std::string int32;      // "long" or "int"
  bool stand_in = false;  // clang describes a stand-in for an architecture that it does not know
  std::optional<std::string> machine;
};

/// A built-in target by its name, or one from a file when the text ends in ".yaml". Throws UsageError: unknown
/// name; UserError: unreadable file, or "FILE:LINE: what is wrong" for the first error in the file.
Target load_target(const std::string& name_or_path);

/// The same from text; `file` is used in messages, and its stem is the target's name.
Target parse_target(const std::string& text, const std::string& file);

/// Names of the built-in targets, sorted.
std::vector<std::string> list_targets();

bool has_feature(const Target& target, CoreFeature feature);

/// Bytes of the first region and of those that continue it without a gap: what one firmware can use as one
/// memory without a special linker script.
std::int64_t main_size(const std::vector<MemoryRegion>& regions);

/// Bytes from "98304", "96K" (1K = 1,024) or "2M"; more than zero. Throws UserError.
std::int64_t parse_size(const std::string& text);

}  // namespace tinytc
