// The headers that tinytc carries inside itself, so that it runs where no compiler and no header is
// installed: the kernels under runtime/, and a small shim of the C library's freestanding headers.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace tinytc {

/// One header; both views live as long as the program.
struct HeaderFile {
  std::string_view path;  ///< as it is included: "runtime/base.h", or "cstdint" for the shim
  std::string_view text;  ///< NUL-terminated behind its end
};

/// The kernel headers, sorted by path.
const std::vector<HeaderFile>& runtime_headers();

/// The shim: <cstdint> <cstddef> <cstring> <stdint.h> <stddef.h> <string.h>, sorted by path.
const std::vector<HeaderFile>& shim_headers();

}  // namespace tinytc
