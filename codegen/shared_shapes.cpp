// Groups of calls with one function; see shared_shapes.h.
#include "codegen/shared_shapes.h"

#include "compiler/call_frame.h"

namespace tinytc {

SharedShapes::SharedShapes(const Program& program) : program_(program) {
  for (const bool shares : {false, true})
    for (const auto& [entry, calls] : program.calls)
      for (const KernelCall& call : calls) {
        if (call.shares_code != shares) continue;
        std::vector<int> numbers;
        const std::string frame = frame_of(program, call, numbers);
        std::set<std::vector<int>>& own = specialised_[frame];
        if (!shares) own.insert(numbers);
        else if (own.count(numbers) == 0) groups_[frame].shapes.insert(numbers);
      }
  for (auto& [frame, group] : groups_) {
    group.differs.assign(group.shapes.begin()->size(), false);
    for (const std::vector<int>& numbers : group.shapes)
      for (std::size_t i = 0; i < numbers.size(); ++i)
        if (numbers[i] != (*group.shapes.begin())[i]) group.differs[i] = true;
  }
}

const std::vector<bool>* SharedShapes::differing(const KernelCall& call) const {
  if (!call.shares_code) return nullptr;
  std::vector<int> numbers;
  const std::string frame = frame_of(program_, call, numbers);
  const auto group = groups_.find(frame);
  if (group == groups_.end() || group->second.shapes.size() < 2 || group->second.shapes.count(numbers) == 0) return nullptr;
  return &group->second.differs;
}

}  // namespace tinytc
