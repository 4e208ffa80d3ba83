// Stages of the pipeline; see tracer.h.
#include "compiler/tracer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>

#include "compiler/print.h"
#include "compiler/verify.h"

namespace tinytc {

namespace {

const std::vector<std::string> stages{"import", "loss", "simplify", "fold", "quantize", "entries", "quantized", "layout", "fuse", "lower", "plan"};

void checked(const Graph& graph, const std::string& stage) {
  try {
    verify(graph, stage);
  } catch (const std::exception& error) {
    throw InternalError(fmt::format("{}\n--- the graph after {}:\n{}", error.what(), stage, print(graph)));
  }
}

}  // namespace

Tracer::Tracer(std::vector<std::string> dump) : dump_(std::move(dump)) {
  for (const std::string& name : dump_)
    if (std::find(stages.begin(), stages.end(), name) == stages.end())
      throw UsageError(fmt::format("--dump {}: no such stage\n  hint: one of {}", printable(name), fmt::join(stages, ", ")));
}

bool Tracer::is_wanted(const std::string& name) const {
  require(std::find(stages.begin(), stages.end(), name) != stages.end(), "stage '" + name + "' is not in the tracer's list");
  return std::find(dump_.begin(), dump_.end(), name) != dump_.end();
}

void Tracer::stage(const std::string& name, const Graph& graph) {
  checked(graph, name);
  if (is_wanted(name)) std::cout << "--- " << name << "\n" << print(graph);
}

void Tracer::stage(const std::string& name, const Graph& graph, Entry entry) {
  checked(graph, name);
  if (is_wanted(name)) std::cout << "--- " << name << " of " << name_of(entry) << "\n" << print(graph);
}

void Tracer::stage(const std::string& name, const std::map<Entry, Graph>& graphs) {
  for (const auto& [entry, graph] : graphs) stage(name, graph, entry);
}

void Tracer::stage(const std::string& name, const Program& program) {
  if (is_wanted(name)) std::cout << "--- " << name << "\n" << print(program);
}

}  // namespace tinytc
