// Frames of kernel calls; see call_frame.h.
#include "compiler/call_frame.h"

#include <fmt/format.h>

namespace tinytc {

namespace {

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

}  // namespace

std::string frame_of(const Program& program, const KernelCall& call, std::vector<int>& numbers) {
  std::string text = call.kernel;
  for (const Argument& argument : call.arguments) text += ";" + frame_of(program, argument, call.shares_widely, numbers);
  return text;
}

}  // namespace tinytc
