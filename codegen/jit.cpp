// Clang makes an LLVM module, ORC turns it into machine code; see jit.h.
#include "codegen/jit.h"

#include <clang/CodeGen/CodeGenAction.h>
#include <clang/Frontend/CompilerInstance.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Support/TargetSelect.h>

#include <cstring>
#include <mutex>

#include "codegen/clang_session.h"
#include "compiler/diagnostics.h"

namespace tinytc {

struct CompiledProgram::State {
  std::mutex guard;
  std::string reported;  ///< what ORC reported beside the results of calls: the names of missing functions
  std::unique_ptr<llvm::orc::LLJIT> jit;  ///< last, so that it goes first
};

namespace {

/// LLVM's table of back ends is filled once for the process.
void register_host() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
  });
}

/// The value, or InternalError with LLVM's message.
template <typename T>
T checked(llvm::Expected<T> value, const std::string& what) {
  if (!value) throw InternalError(what + ": " + llvm::toString(value.takeError()));
  return std::move(*value);
}
void checked(llvm::Error error, const std::string& what) {
  if (error) throw InternalError(what + ": " + llvm::toString(std::move(error)));
}

/// Compiles to an optimised module.
llvm::orc::ThreadSafeModule compile(const std::string& source, int level) {
  ClangInput input;
  input.text = source;
  input.target = host_config();
  input.flags = {"-O" + std::to_string(level), "-mrelocation-model", "pic", "-pic-level", "2"};
  if (level >= 2) input.flags.insert(input.flags.end(), {"-vectorize-loops", "-vectorize-slp"});
  auto context = std::make_unique<llvm::LLVMContext>();
  ClangSession session(input);
  clang::EmitLLVMOnlyAction action(context.get());
  if (!session.run(action)) throw InternalError("the host program does not compile:\n" + session.errors());
  std::unique_ptr<llvm::Module> module = action.takeModule();
  require(module != nullptr, "Clang made no module of the host program");
  return llvm::orc::ThreadSafeModule(std::move(module), std::move(context));
}

llvm::CodeGenOptLevel codegen_level(int level) { return *llvm::CodeGenOpt::getLevel(level); }

/// The functions of the C library that the code may call.
llvm::orc::SymbolMap library(llvm::orc::LLJIT& jit) {
  const std::pair<const char*, void*> functions[] = {{"memcpy", reinterpret_cast<void*>(&std::memcpy)},
                                                     {"memmove", reinterpret_cast<void*>(&std::memmove)},
                                                     {"memset", reinterpret_cast<void*>(&std::memset)},
                                                     {"memcmp", reinterpret_cast<void*>(&std::memcmp)}};
  llvm::orc::SymbolMap symbols;
  for (const auto& [name, address] : functions) {
    symbols[jit.mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(address),
                                          llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  }
  return symbols;
}

}  // namespace

CompiledProgram::CompiledProgram(const std::string& source, int optimisation_level)
    : state_(std::make_unique<State>()) {
  require(optimisation_level >= 0 && optimisation_level <= 3, "there is no such optimisation level");
  register_host();
  llvm::orc::JITTargetMachineBuilder machine{llvm::Triple(host_config().triple)};
  machine.setCodeGenOptLevel(codegen_level(optimisation_level));
  state_->jit = checked(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(machine)).create(),
                        "cannot set up in-process compilation");
  llvm::orc::LLJIT& jit = *state_->jit;
  jit.getExecutionSession().setErrorReporter([state = state_.get()](llvm::Error error) {
    const std::lock_guard<std::mutex> lock(state->guard);
    state->reported += "; " + llvm::toString(std::move(error));
  });
  checked(jit.getMainJITDylib().define(llvm::orc::absoluteSymbols(library(jit))),
          "cannot define library functions");
  checked(jit.addIRModule(compile(source, optimisation_level)), "cannot add the host program");
}

CompiledProgram::~CompiledProgram() = default;
CompiledProgram::CompiledProgram(CompiledProgram&&) noexcept = default;
CompiledProgram& CompiledProgram::operator=(CompiledProgram&&) noexcept = default;

void* CompiledProgram::symbol(const std::string& name) const {
  llvm::Expected<llvm::orc::ExecutorAddr> address = state_->jit->lookup(name);
  if (address) return address->toPtr<void*>();
  const std::string message = llvm::toString(address.takeError());
  const std::lock_guard<std::mutex> lock(state_->guard);
  throw InternalError("cannot link '" + name + "' of the host program: " + message + state_->reported);
}

}  // namespace tinytc
