// Kernel calls as C++ text: one function a distinct call, tables for constants, and the statement that calls it.
#pragma once

#include <map>

#include "codegen/shared_shapes.h"
#include "codegen/source_text.h"

namespace tinytc {

/// Writes functions for kernel calls. Two calls that differ only in the buffers they are given share a function; so do calls with
/// `shares_code` that differ also in their shapes: the fields that differ become parameters, the others stay constants in the body.
class CallWriter {
 public:
  enum class Tables {
    named,   // constants are arrays of the emitted source
    passed,  // constants are reached through `tables_`, an array of pointers in the order of table_buffers()
  };
  CallWriter(const Program& program, Tables tables) : program_(program), tables_(tables), sharing_(program) {}

  /// The statement (without indentation and newline) that performs the call inside an entry point, where `arena_` and `persistent_` name
  /// the two blocks of memory. Writes the function that it needs, if no earlier call did.
  std::string statement(const KernelCall& call);
  /// An expression for a pointer to the buffer's first element; `is_const` as the pointee.
  std::string pointer(BufferId id, bool is_const);
  /// The table that holds a persistent buffer's initial elements.
  std::string initial_table(BufferId id) { return table_name(id); }

  /// Definitions of all functions so far, in the order of first use.
  const std::string& functions() const { return functions_; }
  /// Name of the function behind each statement so far, in order of the calls.
  const std::vector<std::string>& call_names() const { return call_names_; }
  /// Flash buffers that are used, in order of first use, and their names.
  const std::vector<BufferId>& table_buffers() const { return table_buffers_; }
  /// Declarations (`extern const float w[8];`) or definitions of the tables.
  std::string table_declarations() const;
  std::string table_definitions() const;
  /// Definitions with as many elements as a compiler can look at; zeros are left of the others. The code comes out the same, sooner.
  std::string short_table_definitions() const;
  /// Runtime headers that the calls need, sorted.
  std::vector<std::string> headers() const;

 private:
  struct Function;
  std::string number_text(int number, const std::string& name, Function& function);
  std::string shape_text(const Argument& argument, Function& function);
  std::string argument_text(const Argument& argument, Function& function);
  std::string parameter(const Argument& argument, Function& function);
  std::string table_name(BufferId root);
  std::string table_definition(BufferId id, const std::vector<std::byte>& data) const;

  const Program& program_;
  const Tables tables_;
  const SharedShapes sharing_;
  Identifiers identifiers_;
  std::map<std::string, std::string> name_of_body_;  // function text -> its name
  std::map<BufferId, std::string> table_names_;
  std::vector<BufferId> table_buffers_;
  std::map<std::string, int> headers_;
  std::string functions_;
  std::vector<std::string> call_names_;
};

}  // namespace tinytc
