// Errors: what the user did wrong (UserError) and what tinytc did wrong (InternalError), and how a message is laid out.
//
// A message reads
//     gesture.onnx: node 'fc2' (Gemm, #7): inner dimensions differ
//       A  f32[8,16]   from node 'relu1'
//       hint: transB=0, but B looks transposed
// User errors of one stage are collected in an ErrorList and thrown together.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace tinytc {

/// Exit codes of the program (DESIGN section 7).
enum class ExitCode : int { ok = 0, bad_input = 1, usage = 2, internal = 70 };

/// The ONNX node from which something was made; gradient nodes inherit the location of the forward node.
struct Location {
  std::string node;  // name of the ONNX node; may be empty
  std::string op;    // its operator type
  int index = -1;    // its position in the ONNX graph; -1 when there is none
};

/// "node 'fc2' (Gemm, #7)"; names are shortened and control characters escaped, so that a message stays one line a fact.
std::string describe(const Location& location);

/// Makes any text from a model printable: control characters, backslashes and invalid UTF-8 are escaped; longer than `limit` bytes
/// is cut.
std::string printable(const std::string& text, std::size_t limit = 80);

/// The input or the options are at fault; what() is the whole message for the user.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The command line is at fault (exit code 2).
class UsageError : public UserError {
 public:
  using UserError::UserError;
};

/// tinytc itself is at fault; what() names the broken invariant.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// One message about a node: "node 'x' (Op, #3): <message>", indented detail lines, then "hint: <hint>".
std::string node_message(const Location& location, const std::string& message, const std::vector<std::string>& details = {},
                         const std::string& hint = {});

/// Collects the user errors of one stage.
class ErrorList {
 public:
  void add(std::string message) { messages_.push_back(std::move(message)); }
  bool empty() const { return messages_.empty(); }
  /// Throws one UserError that holds all messages, if there are any.
  void throw_if_any() const;

 private:
  std::vector<std::string> messages_;
};

/// Throws InternalError(message) unless `condition` holds.
inline void require(bool condition, const std::string& message) {
  if (!condition) throw InternalError(message);
}

}  // namespace tinytc
