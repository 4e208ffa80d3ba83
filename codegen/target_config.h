// For which processor the emitted code is parsed, audited or compiled: what Clang has to be told, as plain
// data.
#pragma once

#include <string>
#include <vector>

namespace tinytc {

struct TargetConfig {
  std::string
      triple;  ///< normalised: "thumbv7em-none-unknown-eabihf" (a shortened one picks other library calls)
  std::string cpu;  ///< "cortex-m4"; empty: the triple's default. Decides __ARM_FEATURE_DSP and the like.
  std::vector<std::string> features;  ///< "+dsp", "-fp64"
  std::string float_abi;              ///< "hard", "soft", or empty for the triple's default
  std::string abi;                    ///< "ilp32", "aapcs", or empty for the triple's default
  std::vector<std::string> defines;   ///< "NAME" or "NAME=VALUE"
  std::string int32_type;  ///< spelling of std::int32_t; "long" as newlib has it, empty: Clang's own
};

/// x86-64, where emitted code is tested and where tinytc executes graphs.
TargetConfig host_config();

/// A 32-bit core without floating point unit or DSP instructions, newlib's integer types: the arm of every
/// #if that is left when no feature is there.
TargetConfig portable_config();

/// The configurations whose union a slice takes: the exact target first, then host and portable (a repeated
/// one is left out).
std::vector<TargetConfig> slice_arms(const TargetConfig& target);

}  // namespace tinytc
