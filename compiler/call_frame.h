// What the function of a kernel call fixes, and the numbers of its shapes, which it could take as data.
#pragma once

#include <string>
#include <vector>

#include "compiler/program.h"

namespace tinytc {

/// All that a call's function fixes but numbers of shapes, as a text to compare: calls with the same frame can share one function. The numbers
/// go to `numbers`; calls with the same numbers, too, have the same function in any case. Zeros and ones stay in the frame: they switch
/// parts of a kernel off (no padding, stride 1, one channel, no batch), and a function that could do both would be slower. Where the call
/// `shares_widely`, only the numbers' count does.
std::string frame_of(const Program& program, const KernelCall& call, std::vector<int>& numbers);

}  // namespace tinytc
