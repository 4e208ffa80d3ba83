// Sets up Clang's compiler instance; see clang_session.h.
#include "codegen/clang_session.h"

#include <clang/Frontend/CompilerInvocation.h>
#include <clang/Frontend/TextDiagnosticPrinter.h>
#include <llvm/Support/VirtualFileSystem.h>

#include "codegen/headers.h"

namespace tinytc {
namespace {

using namespace clang;

/// Turns Clang's messages into ClangMessage; nothing may leave by exception.
class Collector : public DiagnosticConsumer {
 public:
  explicit Collector(std::vector<ClangMessage>& messages) : messages_(messages) {}

  void HandleDiagnostic(DiagnosticsEngine::Level level, const Diagnostic& info) override {
    DiagnosticConsumer::HandleDiagnostic(level, info);
    if (messages_.size() >= most_messages) return;
    ClangMessage message;
    message.error = level >= DiagnosticsEngine::Error;
    llvm::SmallString<256> text;
    info.FormatDiagnostic(text);
    message.text = text.str().str();
    if (info.hasSourceManager() && info.getLocation().isValid()) locate(info, message);
    messages_.push_back(std::move(message));
  }

 private:
  static constexpr std::size_t most_messages = 1000;

  static void locate(const Diagnostic& info, ClangMessage& message) {
    const SourceManager& sources = info.getSourceManager();
    const SourceLocation at = sources.getExpansionLoc(info.getLocation());
    const PresumedLoc place = sources.getPresumedLoc(at);
    if (place.isInvalid()) return;
    message.file = std::string(header_path(place.getFilename()));
    message.line = place.getLine();
    if (!sources.isInMainFile(at)) return;
    const llvm::StringRef text = sources.getBufferData(sources.getMainFileID());
    const std::size_t offset = sources.getFileOffset(at);
    const std::size_t begin = text.rfind('\n', offset) + 1;
    message.source_line = text.slice(begin, text.find('\n', offset)).trim().str();
  }

  std::vector<ClangMessage>& messages_;
};

void add_file(llvm::vfs::InMemoryFileSystem& files, const std::string& path, std::string_view text) {
  files.addFile(path, 0,
                llvm::MemoryBuffer::getMemBuffer(llvm::StringRef(text.data(), text.size()), path, false));
}

void add_target_flags(const TargetConfig& target, std::vector<std::string>& flags) {
  flags.insert(flags.end(), {"-triple", target.triple});
  if (!target.cpu.empty()) flags.insert(flags.end(), {"-target-cpu", target.cpu});
  for (const std::string& feature : target.features) flags.insert(flags.end(), {"-target-feature", feature});
  if (!target.float_abi.empty()) flags.insert(flags.end(), {"-mfloat-abi", target.float_abi});
  if (target.float_abi == "soft") flags.push_back("-msoft-float");
  if (!target.abi.empty()) flags.insert(flags.end(), {"-target-abi", target.abi});
  for (const std::string& define : target.defines) flags.push_back("-D" + define);
  if (!target.int32_type.empty()) {
    flags.insert(flags.end(), {"-U__INT32_TYPE__", "-D__INT32_TYPE__=" + target.int32_type,
                               "-U__UINT32_TYPE__", "-D__UINT32_TYPE__=unsigned " + target.int32_type});
  }
}

std::vector<std::string> all_flags(const ClangInput& input) {
  std::vector<std::string> flags = {"-x",
                                    "c++",
                                    "-std=gnu++14",
                                    "-ffreestanding",
                                    "-nostdsysteminc",
                                    "-nobuiltininc",
                                    "-internal-isystem",
                                    "/shim",
                                    "-I",
                                    "/",
                                    "-fno-caret-diagnostics",
                                    "-mframe-pointer=none",
                                    "-mrelocation-model",
                                    "static"};
  add_target_flags(input.target, flags);
  flags.insert(flags.end(), input.flags.begin(), input.flags.end());
  flags.push_back("/" + input.name);
  return flags;
}

}  // namespace

std::string_view header_path(std::string_view file_name) {
  return !file_name.empty() && file_name.front() == '/' ? file_name.substr(1) : file_name;
}

ClangSession::ClangSession(const ClangInput& input) : compiler_(std::make_unique<CompilerInstance>()) {
  llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> files(new llvm::vfs::InMemoryFileSystem());
  add_file(*files, "/" + input.name, input.text);
  for (const auto& [path, text] : input.headers) add_file(*files, "/" + path, text);
  for (const HeaderFile& header : runtime_headers())
    add_file(*files, "/" + std::string(header.path), header.text);
  for (const HeaderFile& header : shim_headers())
    add_file(*files, "/shim/" + std::string(header.path), header.text);

  const std::vector<std::string> flags = all_flags(input);
  std::vector<const char*> arguments;
  for (const std::string& flag : flags) arguments.push_back(flag.c_str());
  compiler_->createDiagnostics(new Collector(messages_), true);
  ready_ =
      CompilerInvocation::CreateFromArgs(compiler_->getInvocation(), arguments, compiler_->getDiagnostics());
  compiler_->createDiagnostics(new Collector(messages_), true);  // so that the -W flags take effect
  compiler_->createFileManager(files);
}

ClangSession::~ClangSession() = default;

bool ClangSession::run(FrontendAction& action) {
  if (!ready_) return false;
  const bool done = compiler_->ExecuteAction(action);
  return done && !compiler_->getDiagnostics().hasErrorOccurred();
}

std::string ClangSession::errors() const {
  constexpr int most = 10;
  std::string text;
  int count = 0;
  for (const ClangMessage& message : messages_) {
    if (!message.error) continue;
    if (++count > most) break;
    if (!text.empty()) text += '\n';
    if (!message.file.empty()) text += message.file + ":" + std::to_string(message.line) + ": ";
    text += message.text;
    if (!message.source_line.empty()) text += "\n    " + message.source_line;
  }
  return text;
}

}  // namespace tinytc
