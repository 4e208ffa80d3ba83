// Which kernel calls may share one function that takes their shapes as data, and which get a function of their own with a constant shape.
#pragma once

#include "compiler/program.h"

namespace tinytc {

enum class Preference : std::uint8_t { speed, balanced, size };
std::string_view name_of(Preference preference);

/// Sets `shares_code` and `shares_widely` of every call.
///   speed     no call shares.
///   size      every call may share (but for kernels that would be longer then), and widely if the program does not train.
///   balanced  the functions that lose least for their length may share, each with all its calls, as long as all of them together take at most `shared_loss`
///             of the estimated cycles of each entry point longer than with constant shapes.
/// Two calls that differ in nothing but buffers share a function in any case: that costs nothing.
void choose_sharing(Program& program, Preference preference);

/// What sharing may cost an entry point when balanced, as a share of its estimated cycles.
constexpr double shared_loss = 0.01;

}  // namespace tinytc
