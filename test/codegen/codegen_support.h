// Shared by the tests of codegen: reading test data, running compilers on text.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "codegen/target_config.h"

namespace tinytc::test {

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The test headers, under the names by which they include each other.
inline std::map<std::string, std::string> data_headers() {
  std::map<std::string, std::string> headers;
  for (const char* name : {"data/nasty.h", "data/blocks.h", "data/dsp/pair.h"})
    headers[name] = read_file(std::string(TINYTC_SOURCE_DIR "/test/codegen/") + name);
  return headers;
}

/// The nRF52840's core.
inline TargetConfig cortex_m4() {
  TargetConfig config;
  config.triple = "thumbv7em-none-unknown-eabihf";
  config.cpu = "cortex-m4";
  config.float_abi = "hard";
  config.int32_type = "long";
  return config;
}

inline bool installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

/// Runs a compiler or another tool on a file that holds `text`; returns its output. {} in the command is the
/// file, {.o} an output. `failed` tells whether it did not succeed.
inline std::string run_on(const std::string& command, const std::string& text, bool& failed) {
  const std::string stem = "codegen_test_" + std::to_string(getpid());
  std::ofstream(stem + ".cpp") << text;
  std::string line = command;
  for (const auto& [mark, value] :
       {std::pair<std::string, std::string>{"{}", stem + ".cpp"}, {"{.o}", stem + ".o"}})
    for (std::size_t at; (at = line.find(mark)) != std::string::npos;) line.replace(at, mark.size(), value);
  failed = std::system(("{ " + line + " ; } >" + stem + ".txt 2>&1").c_str()) != 0;
  const std::string output = read_file(stem + ".txt");
  std::system(("rm -f " + stem + ".cpp " + stem + ".o " + stem + ".txt").c_str());
  return output;
}

}  // namespace tinytc::test
