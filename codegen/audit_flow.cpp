// Summaries callees first, then data callers first; see audit_flow.h.
#include "codegen/audit_flow.h"

#include <clang/AST/DeclCXX.h>

#include "codegen/audit_flow_build.h"

namespace tinytc {
namespace {

using namespace clang;

/// Marks all that data reaches inside a function.
void reach(FlowFunction& flow) {
  std::vector<int> queue;
  for (std::size_t node = 0; node < flow.from_data.size(); ++node) {
    if (flow.from_data[node]) queue.push_back(static_cast<int>(node));
  }
  while (!queue.empty()) {
    const int at = queue.back();
    queue.pop_back();
    for (int next : flow.edges[static_cast<std::size_t>(at)]) {
      if (flow.from_data[static_cast<std::size_t>(next)]) continue;
      flow.from_data[static_cast<std::size_t>(next)] = true;
      queue.push_back(next);
    }
  }
}

bool any(const std::vector<int>& nodes, const std::vector<bool>& marked) {
  for (int node : nodes) {
    if (static_cast<std::size_t>(node) < marked.size() && marked[static_cast<std::size_t>(node)]) return true;
  }
  return false;
}

}  // namespace

bool is_entry(const AuditedSource& source, int function, const std::vector<bool>& called) {
  const auto index = static_cast<std::size_t>(function);
  const FunctionDecl* declared = source.functions[index];
  if (source.address_taken[index]) return true;
  if (!called[index]) return declared->isExternallyVisible();
  const bool own =
      declared->isTemplateInstantiation() || declared->isInlined() || !declared->isExternallyVisible();
  return !own && declared->getAccess() != AS_private;
}

DataFlow::DataFlow(const AuditedSource& source) : source_(source), functions_(source.functions.size()) {
  for (const std::vector<int>& component : source.order) {
    for (int function : component) build_flow(source, function, functions_);
  }
  for (FlowFunction& flow : functions_) {
    flow.from_data.assign(flow.edges.size(), false);
    flow.from_data[0] = true;
  }
  spread();
}

void DataFlow::spread() {
  std::vector<bool> called(functions_.size(), false);
  for (std::size_t i = 0; i < functions_.size(); ++i) {
    for (int callee : source_.calls[i]) called[static_cast<std::size_t>(callee)] = true;
  }
  for (auto component = source_.order.rbegin(); component != source_.order.rend(); ++component) {
    for (int function : *component) {
      FlowFunction& flow = functions_[static_cast<std::size_t>(function)];
      if (is_entry(source_, function, called)) {
        for (int argument : flow.arguments) {
          flow.from_data[static_cast<std::size_t>(argument)] =
              flow.from_data[static_cast<std::size_t>(argument) + 1] = true;
        }
      }
      reach(flow);
      for (const FlowCall& call : flow.calls) {
        FlowFunction& callee = functions_[static_cast<std::size_t>(call.callee)];
        for (std::size_t i = 0; i < call.arguments.size() && i < callee.arguments.size(); ++i) {
          const auto node = static_cast<std::size_t>(callee.arguments[i]);
          if (any(call.arguments[i].ints, flow.from_data)) callee.from_data[node] = true;
          if (any(call.arguments[i].rest, flow.from_data)) callee.from_data[node + 1] = true;
        }
      }
    }
  }
}

bool DataFlow::depends_on_data(int function, const Expr* expression) {
  const FlowValue value = flow_of(source_, function, functions_, expression);
  return any(value.ints, functions_[static_cast<std::size_t>(function)].from_data);
}

}  // namespace tinytc
