// Groups of calls with one function; see shared_shapes.h.
#include "codegen/shared_shapes.h"

#include <fmt/format.h>

namespace tinytc {

namespace {

/// All that a call's function fixes but numbers of shapes; the numbers go to `numbers`. Zeros and ones stay in it: they switch parts of a
/// kernel off (no padding, stride 1, one channel, no batch), and a function that could do both would be slower. Where `wide`, only numbers' count does.
std::string frame_of(const Program& program, const Argument& argument, bool wide, std::vector<int>& numbers) {
  std::string text = fmt::format("{}:{}", static_cast<int>(argument.kind), argument.text);
  if (argument.buffer != no_buffer) text += name_of(program.buffer(argument.buffer).type.dtype);
  for (const auto& [field, values] : argument.fields) {
    text += fmt::format(",{}*{}", field, values.size());
    const bool is_size = argument.kind == Argument::Kind::shape;
    for (int value : values) text += wide || (is_size && value > 1) ? " n" : fmt::format(" {}", value);
    numbers.insert(numbers.end(), values.begin(), values.end());
  }
  for (const Argument& part : argument.parts) text += "(" + frame_of(program, part, wide, numbers) + ")";
  return text;
}

std::string frame_of(const Program& program, const KernelCall& call, std::vector<int>& numbers) {
  std::string text = call.kernel;
  for (const Argument& argument : call.arguments) text += ";" + frame_of(program, argument, call.shares_widely, numbers);
  return text;
}

}  // namespace

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
