// Groups the kernel calls that share one function although their shapes differ.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/program.h"

namespace tinytc {

class SharedShapes {
 public:
  /// Looks at all calls of the program once.
  explicit SharedShapes(const Program& program);

  /// For a call that runs in a shared function: which of its shapes' numbers differ within the group, in the order of its arguments and
  /// their fields. Nothing for a call whose shapes are constants: it must not share, it is alone, or a function for exactly its shapes exists
  /// anyway.
  const std::vector<bool>* differing(const KernelCall& call) const;

 private:
  struct Group {
    std::set<std::vector<int>> shapes;
    std::vector<bool> differs;
  };
  std::map<std::string, Group> groups_;                             // by all that a function fixes but shapes
  std::map<std::string, std::set<std::vector<int>>> specialised_;  // shapes with functions of their own
  const Program& program_;
};

}  // namespace tinytc
