// Which integers depend on data. Internal to audit(); includes Clang.
//
// Every variable has two nodes: the integers stored in it (also in its fields and elements), and the rest:
// its floats, and everything behind its pointers. So a struct of a count and a pointer into data keeps a
// clean count. An edge a -> b says that b may hold what a held. Within a function the edges ignore the order
// of statements; a call adds the edges of the callee's summary (which arguments reach the result and which
// reach what an argument points to), so a clamp of data does not spoil the same clamp of a shape. Then data
// spreads from the entry points' arguments to the callees, callers first. Conditions do not spread data: they
// choose among values that are bounded themselves.
#pragma once

#include <map>
#include <vector>

#include "codegen/audit_ast.h"

namespace tinytc {

/// Nodes that an expression's value, or the object that it names, may come from.
struct FlowValue {
  std::vector<int> ints, rest;
};

/// The arguments of one call: an object on which a method is called comes first.
struct FlowCall {
  int callee;
  const clang::Expr* expression;  ///< a call or a construction
  std::vector<FlowValue> arguments;
};

/// What a caller has to know of a function: edges from argument nodes (2 * argument, + 1 for the rest) to the
/// result and arguments.
struct FlowSummary {
  std::vector<std::pair<int, int>>
      edges;  ///< target: result_ints, result_rest, or an argument node; source `from_data` is data
  static constexpr int result_ints = -1, result_rest = -2, from_data = -1;
};

struct FlowFunction {
  std::map<const clang::VarDecl*, int> variables;  ///< its ints; the rest is the next node
  std::vector<std::vector<int>> edges;  ///< node 0 is data, 1-2 the result, then the object of a method
  std::map<const clang::Expr*, FlowValue> results;  ///< of calls
  std::vector<int> arguments;                       ///< node of the ints of each argument
  std::vector<FlowCall> calls;
  FlowSummary summary;
  std::vector<bool> from_data;  ///< by node
};

class DataFlow {
 public:
  explicit DataFlow(const AuditedSource& source);

  /// Whether an integer expression of a function depends on data in some call.
  bool depends_on_data(int function, const clang::Expr* expression);

  const std::vector<FlowFunction>& functions() const { return functions_; }

 private:
  void spread();
  const AuditedSource& source_;
  std::vector<FlowFunction> functions_;
};

/// Whether callers outside the source can reach a function. (What nobody can call is dead and no entry.)
bool is_entry(const AuditedSource& source, int function, const std::vector<bool>& called);

}  // namespace tinytc
