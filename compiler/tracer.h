// Wraps the stages of the pipeline: checks each stage's invariants, and prints the stages that --dump names.
#pragma once

#include <string>
#include <vector>

#include "compiler/program.h"

namespace tinytc {

class Tracer {
 public:
  /// UsageError when a name is not a stage's.
  explicit Tracer(std::vector<std::string> dump);
  /// InternalError, with the stage's text, when an invariant is broken.
  void stage(const std::string& name, const Graph& graph);
  void stage(const std::string& name, const Graph& graph, Entry entry);
  void stage(const std::string& name, const std::map<Entry, Graph>& graphs);
  void stage(const std::string& name, const Program& program);

 private:
  bool is_wanted(const std::string& name) const;
  std::vector<std::string> dump_;
};

}  // namespace tinytc
