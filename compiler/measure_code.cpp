// Code size and stack by the target's GCC; see measure_code.h. Binutils name sections and symbols; GCC's call graph (.ci) names each
// function's frame and calls.
#include "compiler/measure_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "compiler/diagnostics.h"
#include "compiler/process.h"

namespace tinytc {

const std::vector<std::string> measuring_flags{"-O2",          "-std=gnu++17", "-ffunction-sections", "-fdata-sections",
                                               "-fno-exceptions", "-fno-rtti",    "-fno-threadsafe-statics"};

namespace {

/// Sections that a linker script puts into flash.
bool is_in_flash(const std::string& section) {
  for (const char* prefix : {".text", ".rodata", ".srodata", ".data", ".sdata", ".ARM.ex", ".init_array"})
    if (section.starts_with(prefix)) return true;
  return false;
}

/// One function of GCC's call graph.
struct Frame {
  std::string name;
  std::int64_t bytes = library_stack_bytes;  // a function that this object does not define
  std::vector<std::string> callees;
};

std::map<std::string, Frame> frames_of(const std::string& graph) {
  static const std::regex node("node: \\{ title: \"([^\"]*)\" label: \"([^\"]*)\""), bytes("\\\\n([0-9]+) bytes"),
      edge("edge: \\{ sourcename: \"([^\"]*)\" targetname: \"([^\"]*)\"");
  std::map<std::string, Frame> frames;
  std::istringstream lines(graph);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match, size;
    if (std::regex_search(line, match, node)) {
      Frame& frame = frames[match[1]];
      const std::string label = match[2];
      frame.name = unqualified(label.substr(0, label.find("\\n")));
      if (std::regex_search(label, size, bytes)) frame.bytes = std::stoll(size[1]);
    } else if (std::regex_search(line, match, edge)) {
      frames[match[1]].callees.push_back(match[2]);
      frames[match[2]];  // functions that GCC found to be equal to others have no node
    }
  }
  return frames;
}

/// Heaviest paths from each function downwards.
class DeepestPath {
 public:
  explicit DeepestPath(const std::map<std::string, Frame>& frames) : frames_(frames) {}

  std::int64_t depth(const std::string& title) {
    const auto known = depth_.find(title);
    if (known != depth_.end()) return known->second;
    require(open_.insert(title).second, "the measured code is recursive in " + title);
    const Frame& frame = frames_.at(title);
    std::int64_t most = 0;
    for (const std::string& callee : frame.callees)
      if (depth(callee) > most) most = depth(callee), next_[title] = callee;
    open_.erase(title);
    return depth_[title] = frame.bytes + most;
  }
  const std::string* next(const std::string& title) const {
    const auto it = next_.find(title);
    return it == next_.end() ? nullptr : &it->second;
  }

 private:
  const std::map<std::string, Frame>& frames_;
  std::map<std::string, std::int64_t> depth_;
  std::map<std::string, std::string> next_;
  std::set<std::string> open_;
};

/// <cstddef> and <cstdint> for compilers that come without a C++ library; searched last.
void write_shims(const std::filesystem::path& folder) {
  std::error_code ignored;  // without the folder the compiler says what is missing
  std::filesystem::create_directory(folder, ignored);
  std::ofstream(folder / "cstddef") << "#include <stddef.h>\nnamespace std { using ::size_t; using ::ptrdiff_t; }\n";
  std::ofstream types(folder / "cstdint");
  types << "#include <stdint.h>\nnamespace std {\nusing ::intptr_t; using ::uintptr_t;\n";
  for (int bits : {8, 16, 32, 64}) types << fmt::format("using ::int{0}_t; using ::uint{0}_t;\n", bits);
  types << "}\n";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The first error among a compiler's messages.
std::string first_error(const std::string& messages) {
  std::istringstream lines(messages);
  for (std::string line; std::getline(lines, line);)
    if (line.find("error: ") != std::string::npos) return printable(line, 200);
  return "";
}

}  // namespace

std::string unqualified(const std::string& demangled) {
  std::string name = demangled;
  for (const std::string anonymous : {"(anonymous namespace)::", "{anonymous}::"})
    for (std::size_t at = 0; (at = name.find(anonymous)) != std::string::npos;) name.erase(at, anonymous.size());
  name = name.substr(0, name.find('('));         // parameters
  name = name.substr(0, name.find('<'));         // template arguments
  name = name.substr(name.find_last_of(' ') + 1);  // the return type, which GCC's labels have
  return name.substr(name.find_last_of(":*&") + 1);
}

void read_object(const std::string& listing, CodeFigures& figures) {
  static const std::regex section("^ *[0-9]+ (\\S+) +([0-9a-f]+) +[0-9a-f]+ .*$"), symbol("^[0-9a-f]+ .{6}(.) (\\S+)\t([0-9a-f]+) (.*)$");
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, section)) {
      if (is_in_flash(match[1])) figures.code_bytes += std::stoll(match[2], nullptr, 16);
    } else if (std::regex_match(line, match, symbol)) {
      const std::int64_t bytes = std::stoll(match[3], nullptr, 16);
      const std::string name = unqualified(match[4]);
      if (match[2] == "*UND*") figures.library_calls.push_back(match[4]);
      else if (match[1] == "F") figures.function_bytes[name] += bytes;
      else if (match[1] == "O" && name.starts_with("w_")) figures.code_bytes -= bytes;
    }
  }
  std::sort(figures.library_calls.begin(), figures.library_calls.end());
}

void read_call_graph(const std::string& graph, CodeFigures& figures) {
  const std::map<std::string, Frame> frames = frames_of(graph);
  DeepestPath paths(frames);
  const std::string* start = nullptr;
  for (const auto& [title, frame] : frames)
    if (paths.depth(title) > figures.stack_bytes) figures.stack_bytes = paths.depth(title), start = &title;
  for (const std::string* at = start; at != nullptr; at = paths.next(*at)) {
    const Frame& frame = frames.at(*at);
    figures.deepest_path.push_back(frame.name.empty() ? *at : frame.name);
  }
}

Measured measure_with_gcc(const Target& target, const std::string& name, const std::string& header, const std::string& source) {
  if (!target.gcc) return {};
  const TemporaryFolder folder;
  std::ofstream(folder.path() / (name + ".h"), std::ios::binary) << header;
  std::ofstream(folder.path() / (name + ".cpp"), std::ios::binary) << source;
  write_shims(folder.path() / "shims");
  std::vector<std::string> compile{target.gcc->prefix + "g++"};
  compile.insert(compile.end(), target.gcc->flags.begin(), target.gcc->flags.end());
  compile.insert(compile.end(), measuring_flags.begin(), measuring_flags.end());
  if (target.gcc->prefix.starts_with("riscv")) compile.push_back("--specs=picolibc.specs");
  for (const std::string& word : {std::string("-idirafter"), std::string("shims"), std::string("-fcallgraph-info=su"), std::string("-c"), name + ".cpp", std::string("-o"), name + ".o"})
    compile.push_back(word);
  if (!run_tool(compile, folder.path(), "messages")) return {std::nullopt, first_error(read_file(folder.path() / "messages"))};
  const auto version = run_tool({target.gcc->prefix + "g++", "-dumpfullversion"}, folder.path());
  const auto listing = run_tool({target.gcc->prefix + "objdump", "-h", "-w", "-t", "-C", name + ".o"}, folder.path());
  if (!version || !listing) return {};
  CodeFigures figures;
  figures.source = fmt::format("{}g++ {} {}", target.gcc->prefix, version->substr(0, version->find('\n')), measuring_flags.front());
  read_object(*listing, figures);
  read_call_graph(read_file(folder.path() / (name + ".ci")), figures);
  return {figures, ""};
}

}  // namespace tinytc
