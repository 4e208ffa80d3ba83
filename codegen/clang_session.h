// One run of Clang's front end over text in memory: the files it may see, the flags of a target, and its
// messages as plain data. The only headers a run can see are the ones given to it and those carried inside
// the program.
//
// Nothing may be thrown through a Clang frame (Clang is built without exceptions): callbacks store what they
// find, callers throw afterwards. Runs are independent of each other and may go on in several threads at
// once.
//
// This header includes Clang; only codegen/*.cpp may include it.
#pragma once

#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/FrontendAction.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codegen/target_config.h"

namespace tinytc {

/// What one run compiles.
struct ClangInput {
  std::string name = "program.cpp";  ///< of the main file, in messages
  std::string text;                  ///< of the main file
  std::vector<std::pair<std::string, std::string_view>>
      headers;  ///< path as included, text; texts outlive the run
  TargetConfig target;
  std::vector<std::string> flags;  ///< further cc1 flags
};

/// A message of Clang's.
struct ClangMessage {
  bool error = false;
  std::string file;
  unsigned line = 0;
  std::string text;
  std::string source_line;  ///< of the main file; empty elsewhere
};

class ClangSession {
 public:
  explicit ClangSession(const ClangInput& input);
  ~ClangSession();
  ClangSession(const ClangSession&) = delete;
  ClangSession& operator=(const ClangSession&) = delete;

  /// Runs the action; true if there was no error.
  bool run(clang::FrontendAction& action);

  const std::vector<ClangMessage>& messages() const { return messages_; }

  /// The first errors, one a line, "program.cpp:12: message" with the line of the main file below it.
  std::string errors() const;

  clang::CompilerInstance& compiler() { return *compiler_; }

 private:
  std::unique_ptr<clang::CompilerInstance> compiler_;
  std::vector<ClangMessage> messages_;
  bool ready_ = false;
};

/// The path under which headers stand in the memory file system: strips the leading "/" from a file name of
/// Clang's.
std::string_view header_path(std::string_view file_name);

}  // namespace tinytc
