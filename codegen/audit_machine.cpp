// The usual pass pipeline of a code generator with one pass of our own before the object is written, which
// sees each function's frame and calls: also those of library routines, which nobody sees earlier.
#include "codegen/audit_machine.h"

#include <llvm/CodeGen/MachineFrameInfo.h>
#include <llvm/CodeGen/MachineFunctionPass.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/Demangle/Demangle.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>

#include <map>
#include <mutex>
#include <set>

#include "codegen/audit_graph.h"
#include "compiler/diagnostics.h"

namespace tinytc {
namespace {

constexpr std::int64_t library_stack_bytes =
    48;  // the most that libgcc's float and double routines for Cortex-M push, rounded up

struct Frame {
  std::int64_t stack_bytes = 0;
  bool variable = false;
  std::set<std::string> callees;
};
using Frames = std::map<std::string, Frame>;

/// Notes frame and calls of each function.
class FramePass : public llvm::MachineFunctionPass {
 public:
  static char ID;
  explicit FramePass(Frames& frames) : MachineFunctionPass(ID), frames_(frames) {}

  bool runOnMachineFunction(llvm::MachineFunction& function) override {
    Frame& frame = frames_[function.getName().str()];
    frame.stack_bytes = static_cast<std::int64_t>(function.getFrameInfo().getStackSize());
    frame.variable = function.getFrameInfo().hasVarSizedObjects();
    for (const llvm::MachineBasicBlock& block : function) {
      for (const llvm::MachineInstr& instruction : block) {
        if (!instruction.isCall()) continue;
        for (const llvm::MachineOperand& operand : instruction.operands()) note(operand, frame);
      }
    }
    return false;
  }
  void getAnalysisUsage(llvm::AnalysisUsage& usage) const override {
    usage.setPreservesAll();
    MachineFunctionPass::getAnalysisUsage(usage);
  }

 private:
  static void note(const llvm::MachineOperand& operand, Frame& frame) {
    if (operand.isGlobal()) frame.callees.insert(operand.getGlobal()->getName().str());
    if (operand.isSymbol()) frame.callees.insert(operand.getSymbolName());
  }
  Frames& frames_;
};
char FramePass::ID = 0;

/// The architectures of targets/*.yaml (others have a stand-in among them), and not all that LLVM knows: a static build holds only these.
void register_targets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    LLVMInitializeARMTargetInfo();
    LLVMInitializeARMTarget();
    LLVMInitializeARMTargetMC();
    LLVMInitializeARMAsmPrinter();
    LLVMInitializeARMAsmParser();
    LLVMInitializeRISCVTargetInfo();
    LLVMInitializeRISCVTarget();
    LLVMInitializeRISCVTargetMC();
    LLVMInitializeRISCVAsmPrinter();
    LLVMInitializeRISCVAsmParser();
  });
}

std::unique_ptr<llvm::TargetMachine> machine_for(const llvm::Module& module, const TargetConfig& target,
                                                 char optimisation) {
  std::string error;
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(module.getTargetTriple(), error);
  require(found != nullptr, "no code generator for " + module.getTargetTriple() + ": " + error);
  std::string features;
  for (const std::string& feature : target.features) features += (features.empty() ? "" : ",") + feature;
  llvm::TargetOptions options;
  if (target.float_abi == "hard") options.FloatABIType = llvm::FloatABI::Hard;
  if (target.float_abi == "soft") options.FloatABIType = llvm::FloatABI::Soft;
  options.MCOptions.ABIName = target.abi;
  const int level = optimisation >= '0' && optimisation <= '3' ? optimisation - '0' : 2;
  return std::unique_ptr<llvm::TargetMachine>(
      found->createTargetMachine(module.getTargetTriple(), target.cpu, features, options, llvm::Reloc::Static,
                                 std::nullopt, *llvm::CodeGenOpt::getLevel(level)));
}

/// Runs the code generator; returns the object file.
llvm::SmallVector<char, 0> generate(llvm::Module& module, llvm::TargetMachine& base, Frames& frames) {
  auto& machine = static_cast<llvm::LLVMTargetMachine&>(base);
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream out(object);
  llvm::legacy::PassManager passes;
  auto* information = new llvm::MachineModuleInfoWrapperPass(&machine);
  llvm::TargetPassConfig* config = machine.createPassConfig(passes);
  passes.add(config);
  passes.add(information);
  bool failed = config->addISelPasses();
  config->addMachinePasses();
  config->setInitialized();
  passes.add(new FramePass(frames));
  failed = failed || machine.addAsmPrinter(passes, out, nullptr, llvm::CodeGenFileType::ObjectFile,
                                           information->getMMI().getContext());
  require(!failed, "the code generator of " + module.getTargetTriple() + " writes no objects");
  passes.run(module);
  return object;
}

/// Code size of each function, from the object's symbol table.
std::map<std::string, std::int64_t> sizes_in(const llvm::SmallVector<char, 0>& object) {
  std::map<std::string, std::int64_t> sizes;
  const llvm::MemoryBufferRef buffer(llvm::StringRef(object.data(), object.size()), "model.o");
  llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> file =
      llvm::object::ObjectFile::createObjectFile(buffer);
  if (!file)
    throw InternalError("cannot read the object made for the audit: " + llvm::toString(file.takeError()));
  const auto* elf = llvm::dyn_cast<llvm::object::ELFObjectFileBase>(file->get());
  require(elf != nullptr, "the object made for the audit is no ELF file");
  for (const llvm::object::ELFSymbolRef symbol : elf->symbols()) {
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!name)
      throw InternalError("cannot read the object made for the audit: " + llvm::toString(name.takeError()));
    if (symbol.getELFType() == llvm::ELF::STT_FUNC)
      sizes[name->str()] = static_cast<std::int64_t>(symbol.getSize());
  }
  return sizes;
}

/// Adds up frames along the deepest path.
void deepest_path(const Frames& frames, AuditReport& report) {
  std::map<std::string, int> index;
  std::vector<std::string> names;
  for (const auto& [name, frame] : frames) {
    if (index.emplace(name, static_cast<int>(names.size())).second) names.push_back(name);
    for (const std::string& callee : frame.callees) {
      if (index.emplace(callee, static_cast<int>(names.size())).second) names.push_back(callee);
    }
  }
  CallGraph graph(names.size());
  std::vector<std::int64_t> weights(names.size(), library_stack_bytes);
  for (const auto& [name, frame] : frames) {
    const auto node = static_cast<std::size_t>(index[name]);
    weights[node] = frame.stack_bytes;
    for (const std::string& callee : frame.callees) graph[node].push_back(index[callee]);
  }
  for (int node : heaviest_path(graph, weights)) {
    report.deepest_path.push_back(llvm::demangle(names[static_cast<std::size_t>(node)]));
    report.stack_bytes += weights[static_cast<std::size_t>(node)];
  }
}

}  // namespace

void measure_machine_code(llvm::Module& module, const TargetConfig& target, char optimisation,
                          AuditReport& report) {
  register_targets();
  Frames frames;
  const std::unique_ptr<llvm::TargetMachine> machine = machine_for(module, target, optimisation);
  module.setDataLayout(machine->createDataLayout());
  std::map<std::string, std::int64_t> sizes = sizes_in(generate(module, *machine, frames));
  std::set<std::string> library;
  for (const auto& [name, frame] : frames) {
    if (frame.variable) report.violations.push_back({llvm::demangle(name), 0, "a frame of variable size"});
    report.functions.push_back({llvm::demangle(name), frame.stack_bytes, sizes[name]});
    report.code_bytes += sizes[name];
    for (const std::string& callee : frame.callees) {
      if (!frames.count(callee)) library.insert(callee);
    }
  }
  report.library_calls.assign(library.begin(), library.end());
  deepest_path(frames, report);
}

}  // namespace tinytc
