// Names that the C library's headers declare or define, all of which C++ headers may bring into the global namespace as well.
#pragma once

#include <string>

namespace tinytc {

/// Why a model cannot have this name for its namespace, its file NAME.h and its functions NAME_init and so on: what of the C library it would
/// hide or collide with, "time.h would hide <time.h>" or "it is a name of <math.h>"; empty if it can.
std::string library_clash(const std::string& name);

/// Whether a standard header may define the name as a macro without parameters, so that nothing else can be called that.
bool is_library_macro(const std::string& name);

}  // namespace tinytc
