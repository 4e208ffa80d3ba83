// Helpers of the Program data type; see program.h.
#include "compiler/program.h"

#include <array>

namespace tinytc {

std::string_view name_of(Entry entry) {
  constexpr std::array<std::string_view, 6> names{"predict", "evaluate", "train_step", "accumulate", "apply", "run"};
  return names[static_cast<std::size_t>(entry)];
}

Place place_of(const Program& program, BufferId id) {
  Place place{id, 0};
  while (program.buffer(place.root).parent != no_buffer) {
    place.offset += program.buffer(place.root).parent_offset;
    place.root = program.buffer(place.root).parent;
  }
  return place;
}

}  // namespace tinytc
