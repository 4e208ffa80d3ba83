// Whether Clang knows what a target's file names, asked before anything is compiled for it.
#pragma once

#include <string>

#include "codegen/target_config.h"

namespace tinytc {

/// What Clang says against the target's triple, CPU or ABI, one problem a line; empty if nothing.
std::string target_problem(const TargetConfig& target);

}  // namespace tinytc
